-- Refunds that were refused are few among millions; operators watch how many are still owed.
CREATE INDEX refunds_refused ON refunds (payment_id) WHERE state = 'REFUSED';
