//! Books in memory, a provider that does what the test says, and the actors in between.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_kit::batch::{Attempt, BatchError, BatchLimits, BatchStore, BatchWriter, Verdict};
use actor_kit::probe::{self, Alone};
use actor_kit::{Mailbox, Reply};
use payment::ledger::{BooksUnavailable, Claim, Ledger, LedgerAnswer, LedgerEntry, PaymentBooks};
use payment::processor::Depth;
use payment::{
    AttemptOutcome, AttemptRecord, AttemptState, Base, Cents, Change, ChargeCall, Found, OrderId,
    Payment, PaymentDesk, PaymentEvent, PaymentId, PaymentMethod, PaymentProcessor,
    PaymentProvider, PaymentRequest, PaymentState, Policy, ProcessorLimits, ProcessorMsg,
    ProviderUnavailable, RefundCall, RefundOutcome, Wake, Work, resume,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use uuid::Uuid;

pub(crate) fn request(order: i64) -> PaymentRequest {
    PaymentRequest {
        payment_id: PaymentId(Uuid::from_u128(u128::try_from(order).unwrap())),
        order_id: OrderId(order),
        amount: Cents(1_999),
        currency: "EUR".to_owned(),
        payment_method: PaymentMethod::new("tok_ok".to_owned()),
        traceparent: None,
    }
}

/// The database: shared by all replicas of a test.
#[derive(Clone, Default)]
pub(crate) struct Books(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    rows: HashMap<PaymentId, (Payment, Option<Instant>)>,
    attempts: HashMap<(PaymentId, i32), AttemptState>,
    told: Vec<PaymentEvent>,
    fail_next: Option<BatchError>,
    batches: Vec<usize>,
}

impl Books {
    pub(crate) fn row(&self, order: i64) -> Payment {
        self.find(order).expect("the row is there")
    }

    pub(crate) fn find(&self, order: i64) -> Option<Payment> {
        let id = request(order).payment_id;
        self.0
            .lock()
            .unwrap()
            .rows
            .get(&id)
            .map(|(row, _)| row.clone())
    }

    pub(crate) fn attempt(&self, order: i64, attempt: i32) -> Option<AttemptState> {
        let id = request(order).payment_id;
        self.0.lock().unwrap().attempts.get(&(id, attempt)).copied()
    }

    pub(crate) fn told(&self) -> Vec<PaymentEvent> {
        self.0.lock().unwrap().told.clone()
    }

    pub(crate) fn batches(&self) -> Vec<usize> {
        self.0.lock().unwrap().batches.clone()
    }

    pub(crate) fn fail_next(&self, error: BatchError) {
        self.0.lock().unwrap().fail_next = Some(error);
    }

    /// A row as another replica, or a crashed one, left it.
    pub(crate) fn put(&self, payment: Payment, due_in: Duration) {
        let due = Some(Instant::now() + due_in);
        let id = payment.id();
        self.0.lock().unwrap().rows.insert(id, (payment, due));
    }
}

impl Inner {
    fn write(&mut self, change: &Change) -> LedgerAnswer {
        let id = change.payment.id();
        let row = self.rows.get(&id).map(|(row, _)| row.clone());
        match (&row, change.base) {
            (None, Base::Absent) => {
                let order = change.payment.request.order_id;
                if self
                    .rows
                    .values()
                    .any(|(row, _)| row.request.order_id == order)
                {
                    return LedgerAnswer::OrderTaken;
                }
            }
            (Some(row), Base::Version(version)) if row.version == version => {}
            (_, _) => return LedgerAnswer::Stale(row.map(Box::new)),
        }
        let before = self.rows.get(&id).and_then(|(_, due)| *due);
        let due = match change.wake {
            Wake::Never => None,
            Wake::In(after) => Some(Instant::now() + after),
            Wake::AtLeast(after) => before.max(Some(Instant::now() + after)),
        };
        if let Some(AttemptRecord { attempt, state }) = &change.attempt {
            self.attempts.insert((id, *attempt), *state);
        }
        self.told.extend(change.event.clone());
        self.rows.insert(id, (change.payment.clone(), due));
        LedgerAnswer::Written
    }
}

impl BatchStore for Books {
    type Entry = LedgerEntry;
    type Answer = LedgerAnswer;

    async fn commit(
        &mut self,
        batch: &[LedgerEntry],
        _: Attempt,
    ) -> Result<Vec<Verdict<LedgerAnswer>>, BatchError> {
        // A database takes a moment, in which entries gather.
        tokio::time::sleep(Duration::from_millis(1)).await;
        let mut inner = self.0.lock().unwrap();
        if let Some(error) = inner.fail_next.take() {
            return Err(error);
        }
        inner.batches.push(batch.len());
        Ok(batch
            .iter()
            .map(|entry| match entry {
                LedgerEntry::Change(recorded) => Verdict::Done(inner.write(&recorded.change)),
                LedgerEntry::Published(_) => Verdict::Done(LedgerAnswer::Written),
            })
            .collect())
    }
}

impl PaymentBooks for Books {
    async fn load(&self, ids: &[PaymentId]) -> Result<Vec<Payment>, BooksUnavailable> {
        let inner = self.0.lock().unwrap();
        Ok(ids
            .iter()
            .filter_map(|id| inner.rows.get(id).map(|(row, _)| row.clone()))
            .collect())
    }

    async fn claim_due(&self, claim: Claim) -> Result<Vec<Payment>, BooksUnavailable> {
        let mut inner = self.0.lock().unwrap();
        let mut room = HashMap::from([
            (Work::Charge, claim.charges_max),
            (Work::LookUp, claim.look_ups_max),
            (Work::Refund, claim.refunds_max),
        ]);
        let now = Instant::now();
        let mut claimed = Vec::new();
        for (row, due) in inner.rows.values_mut() {
            let Some(work) = resume(row, &Policy::default()) else {
                continue;
            };
            let room = room.get_mut(&work).unwrap();
            if due.is_some_and(|due| due <= now) && *room > 0 {
                *room -= 1;
                *due = Some(now + claim.lease);
                claimed.push(row.clone());
            }
        }
        Ok(claimed)
    }
}

/// A call that waits for the test's answer.
pub(crate) enum Call {
    Charge(ChargeCall, oneshot::Sender<AttemptOutcome>),
    LookUp(oneshot::Sender<Result<Found, ProviderUnavailable>>),
    Refund(RefundCall, oneshot::Sender<RefundOutcome>),
}

#[derive(Clone)]
pub(crate) struct Provider(mpsc::Sender<Call>);

impl PaymentProvider for Provider {
    async fn charge(&self, call: ChargeCall) -> AttemptOutcome {
        let (answer, answered) = oneshot::channel();
        self.0.send(Call::Charge(call, answer)).await.ok();
        answered
            .await
            .expect("a dropped answer is a panic of the call")
    }

    async fn look_up(&self, _: PaymentId) -> Result<Found, ProviderUnavailable> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Call::LookUp(answer)).await.ok();
        answered
            .await
            .expect("a dropped answer is a panic of the call")
    }

    async fn refund(&self, call: RefundCall) -> RefundOutcome {
        let (answer, answered) = oneshot::channel();
        self.0.send(Call::Refund(call, answer)).await.ok();
        answered
            .await
            .expect("a dropped answer is a panic of the call")
    }
}

/// The calls that arrive at the provider.
pub(crate) struct Calls(mpsc::Receiver<Call>);

impl Calls {
    pub(crate) async fn next(&mut self) -> Call {
        self.0.recv().await.expect("the provider is alive")
    }

    pub(crate) async fn charge(&mut self) -> (ChargeCall, oneshot::Sender<AttemptOutcome>) {
        match self.next().await {
            Call::Charge(call, answer) => (call, answer),
            Call::LookUp(..) => panic!("a look-up instead of a charge"),
            Call::Refund(..) => panic!("a refund instead of a charge"),
        }
    }

    pub(crate) async fn look_up(&mut self) -> oneshot::Sender<Result<Found, ProviderUnavailable>> {
        match self.next().await {
            Call::LookUp(answer) => answer,
            Call::Charge(..) => panic!("a charge instead of a look-up"),
            Call::Refund(..) => panic!("a refund instead of a look-up"),
        }
    }

    pub(crate) async fn refund(&mut self) -> (RefundCall, oneshot::Sender<RefundOutcome>) {
        match self.next().await {
            Call::Refund(call, answer) => (call, answer),
            Call::Charge(..) => panic!("a charge instead of a refund"),
            Call::LookUp(..) => panic!("a look-up instead of a refund"),
        }
    }

    pub(crate) async fn expect_none(&mut self) {
        probe::settle().await;
        assert!(self.0.try_recv().is_err(), "an unexpected call");
    }
}

/// One replica.
pub(crate) struct Replica {
    pub(crate) desk: PaymentDesk<Books>,
    pub(crate) processor: Mailbox<ProcessorMsg>,
    pub(crate) ledger_actor: Alone,
    pub(crate) processor_actor: Alone,
}

impl Replica {
    pub(crate) async fn start(books: &Books, provider: &Provider, limits: ProcessorLimits) -> Self {
        let writer = BatchWriter::new(books.clone(), BatchLimits::default());
        let (mailbox, ledger_actor) = probe::start("ledger", 256, writer).await.unwrap();
        let ledger = Ledger::new(mailbox, Arc::new(Policy::default()), Duration::from_secs(5));
        let shared = Arc::new(books.clone());
        let actor = PaymentProcessor::new(
            ledger.clone(),
            Arc::clone(&shared),
            provider.clone(),
            limits,
        );
        let (processor, processor_actor) = probe::start("processor", 64, actor).await.unwrap();
        Self {
            desk: PaymentDesk::new(ledger, shared, processor.clone()),
            processor,
            ledger_actor,
            processor_actor,
        }
    }

    pub(crate) async fn depth(&self) -> Depth {
        self.processor
            .ask(Duration::from_secs(1), |reply: Reply<Depth>| {
                ProcessorMsg::Inspect { reply }
            })
            .await
            .unwrap()
    }
}

/// One replica, its books and its provider.
pub(crate) async fn world() -> (Replica, Books, Calls) {
    let books = Books::default();
    let (provider, calls) = provider();
    let replica = Replica::start(&books, &provider, ProcessorLimits::default()).await;
    (replica, books, calls)
}

pub(crate) fn provider() -> (Provider, Calls) {
    let (sender, receiver) = mpsc::channel(1_024);
    (Provider(sender), Calls(receiver))
}

/// Waits, in paused time, until the row is in `state`.
pub(crate) async fn until(books: &Books, order: i64, state: PaymentState) -> Payment {
    until_row(books, order, |row| row.state == state).await
}

/// Waits, in paused time, until the row is as wanted.
pub(crate) async fn until_row(
    books: &Books,
    order: i64,
    wanted: impl Fn(&Payment) -> bool,
) -> Payment {
    let waiting = async {
        loop {
            if let Some(row) = books.find(order)
                && wanted(&row)
            {
                return row;
            }
            // Time is paused: this lets the others run and costs nothing.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(200_000), waiting)
        .await
        .expect("the row never gets there")
}
