//! Where commands are answered: the one handler behind the RPCs and behind `orders.created`.
//!
//! The desk owns nothing and calls no provider. It applies the command through the [`Ledger`] and hands fresh work to the processor in
//! memory; what does not fit there is found by the row's wake time.

use std::sync::Arc;

use actor_kit::{Mailbox, TraceContext};

use crate::change::FollowUp;
use crate::event::Event;
use crate::ledger::{Applied, ApplyError, BooksUnavailable, Ledger, PaymentBooks};
use crate::payment::{InvalidRequest, Payment, PaymentId, PaymentRequest};
use crate::processor::ProcessorMsg;
use crate::rules::{Ignored, Refusal};

/// The answer to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The payment as it stands.
    pub payment: Payment,
    /// Why nothing changed, when nothing did.
    pub ignored: Option<Ignored>,
}

/// Why a command has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeskError {
    /// A field is out of range.
    #[error(transparent)]
    Invalid(#[from] InvalidRequest),
    /// The command is refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Not now, or not for these values.
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

impl From<BooksUnavailable> for DeskError {
    fn from(_: BooksUnavailable) -> Self {
        Self::Apply(ApplyError::Unavailable)
    }
}

/// See the module's documentation. Cheap to clone.
#[derive(Debug)]
pub struct PaymentDesk<B> {
    ledger: Ledger,
    books: Arc<B>,
    processor: Mailbox<ProcessorMsg>,
}

impl<B> Clone for PaymentDesk<B> {
    fn clone(&self) -> Self {
        Self {
            ledger: self.ledger.clone(),
            books: Arc::clone(&self.books),
            processor: self.processor.clone(),
        }
    }
}

impl<B: PaymentBooks> PaymentDesk<B> {
    /// A desk in front of the ledger.
    #[must_use]
    pub fn new(ledger: Ledger, books: Arc<B>, processor: Mailbox<ProcessorMsg>) -> Self {
        Self {
            ledger,
            books,
            processor,
        }
    }

    /// Inserts the request once and answers the present state.
    ///
    /// # Errors
    /// [`DeskError`].
    pub async fn request(&self, request: PaymentRequest) -> Result<Answered, DeskError> {
        request.validate()?;
        self.apply(None, Event::Request(request)).await
    }

    /// Gives a payment up; answers VOIDED, or the state that stands in the way.
    ///
    /// # Errors
    /// [`DeskError`].
    pub async fn void(&self, request: PaymentRequest) -> Result<Answered, DeskError> {
        request.validate()?;
        self.apply(None, Event::Void(request)).await
    }

    /// Asks for a captured payment to be given back.
    ///
    /// # Errors
    /// [`DeskError`].
    pub async fn refund(&self, payment_id: PaymentId) -> Result<Answered, DeskError> {
        let known = self.books.load(&[payment_id]).await?.pop();
        self.apply(known, Event::Refund).await
    }

    /// Has a refund tried again that the provider refused for good, when the row is at the version that the operator looked at.
    ///
    /// # Errors
    /// [`DeskError`].
    pub async fn insist_refund(
        &self,
        payment_id: PaymentId,
        version: i64,
    ) -> Result<Answered, DeskError> {
        let known = self.books.load(&[payment_id]).await?.pop();
        self.apply(known, Event::RefundInsisted { version }).await
    }

    /// The payments with these ids that exist.
    ///
    /// # Errors
    /// [`DeskError`] when the books cannot be read.
    pub async fn get(&self, ids: &[PaymentId]) -> Result<Vec<Payment>, DeskError> {
        Ok(self.books.load(ids).await?)
    }

    async fn apply(&self, known: Option<Payment>, event: Event) -> Result<Answered, DeskError> {
        match self.ledger.apply(known, &event).await? {
            Applied::Written(change) => {
                let (payment, follow_up) = (change.payment, change.follow_up);
                if let Some(follow_up) = follow_up {
                    self.hand_over(&payment, follow_up);
                }
                Ok(Answered {
                    payment,
                    ignored: None,
                })
            }
            Applied::Ignored(reason, payment) => Ok(Answered {
                payment: *payment,
                ignored: Some(reason),
            }),
            Applied::Refused(refusal) => Err(refusal.into()),
        }
    }

    fn hand_over(&self, payment: &Payment, follow_up: FollowUp) {
        let message = ProcessorMsg::HandOver {
            payment: Box::new(payment.clone()),
            follow_up,
        };
        // Full or gone: the row's wake time brings the payment to a sweep. Outside the trace: the work continues the payment's own.
        drop(
            self.processor
                .try_send_with(message, TraceContext::default()),
        );
    }
}
