//! The payment processor: works off what is due, bounded in number and time.
//!
//! ```text
//!   HandOver (fresh, in memory) ──┐                     ┌── charges  ≤ 256 ──┐
//!   Poll ─► claim by wake_at ─────┴─► held, queued ─────┼── look-ups ≤ 32 ───┼──► errand beside the actor ─► Ended
//!                 (the net)              ▲              └── refunds  ≤ 32 ───┘                                │
//!                                        └───────── resting until its next step is ripe ◄─────────────────────┘
//! ```
//!
//! It owns queues and nothing else; rows belong to the books. A crash loses only memory: every payment in hand has a wake time. A panic
//! in one errand costs that payment one lease and its neighbours nothing. A stop takes no new work and waits, bounded, for running calls.

mod messages;

use std::sync::Arc;
use std::time::Duration;

use actor_kit::{Actor, ActorError, Ctx, Generation, SelfRef, TaskPanicked, Timer};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::change::{FollowUp, Work};
use crate::errand::{self, Next};
use crate::lanes::Lanes;
use crate::ledger::{BooksUnavailable, Claim, Ledger, PaymentBooks};
use crate::payment::{Payment, PaymentId};
use crate::provider::PaymentProvider;
use crate::rules::resume;

pub use messages::{Depth, OwnMsg, ProcessorLimits, ProcessorMsg};
use messages::{Job, Own};

/// A claim that takes longer counts as failed; what it may still claim comes back when its lease ends. Above the books' own bounds, whose
/// answer leaves them fit for the next claim.
const CLAIM_DEADLINE: Duration = Duration::from_secs(15);

/// See the module's documentation.
pub struct PaymentProcessor<B, P> {
    ledger: Ledger,
    books: Arc<B>,
    provider: P,
    limits: ProcessorLimits,
    lanes: Lanes<Job>,
    poll: Timer,
    /// The last claim failed: an outage is told once.
    claims_fail: bool,
    /// To oneself outside every trace: what runs later must not hang on the order that happened to be in hand.
    me: Option<SelfRef<ProcessorMsg>>,
    /// One permit per running errand; all of them free means that none runs.
    running: Arc<Semaphore>,
}

impl<B: PaymentBooks, P: PaymentProvider> PaymentProcessor<B, P> {
    /// A processor with an empty memory; it claims as soon as it starts.
    #[must_use]
    pub fn new(ledger: Ledger, books: Arc<B>, provider: P, limits: ProcessorLimits) -> Self {
        Self {
            ledger,
            books,
            provider,
            limits,
            lanes: Lanes::new(&limits),
            poll: Timer::default(),
            claims_fail: false,
            me: None,
            running: Arc::new(Semaphore::new(errands_max(&limits))),
        }
    }

    fn on_hand_over(&mut self, ctx: &Ctx<Self>, payment: Payment, follow_up: FollowUp) {
        let permit = ctx.take_permit();
        if self.lanes.hold(payment.id()) {
            let work = follow_up.work;
            self.rest(
                follow_up.after,
                Job {
                    payment,
                    work,
                    permit,
                },
            );
            self.start_ready(ctx, work);
        }
    }

    /// Queues a held payment once `after` has passed.
    fn rest(&mut self, after: Duration, job: Job) {
        if after.is_zero() {
            self.lanes.push(job.work, job);
            return;
        }
        let Some(me) = self.me.clone() else {
            return self.lanes.release(job.payment.id());
        };
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            me.send(own(Own::Ripe(Box::new(job))));
        });
    }

    fn on_ripe(&mut self, ctx: &Ctx<Self>, job: Job) {
        let work = job.work;
        self.lanes.push(work, job);
        self.start_ready(ctx, work);
    }

    fn start_ready(&mut self, ctx: &Ctx<Self>, work: Work) {
        while let Some(job) = self.lanes.start_next(work) {
            let id = job.payment.id();
            // The lanes start no more than there are permits.
            let running = Arc::clone(&self.running).try_acquire_owned().ok();
            let errand = errand::run(
                self.ledger.clone(),
                self.provider.clone(),
                job.payment,
                work,
            );
            let permit = job.permit;
            ctx.spawn_then(
                async move {
                    let _running = running;
                    let _place = permit;
                    errand.await
                },
                move |next| own(Own::Ended { id, work, next }),
            );
        }
    }

    fn on_ended(
        &mut self,
        ctx: &Ctx<Self>,
        id: PaymentId,
        work: Work,
        next: Result<Next, TaskPanicked>,
    ) {
        self.lanes.ended(work);
        match next {
            Ok(Some((payment, follow_up))) => {
                let work = follow_up.work;
                self.rest(
                    follow_up.after,
                    Job {
                        payment,
                        work,
                        permit: None,
                    },
                );
                self.start_ready(ctx, work);
            }
            Ok(None) => self.lanes.release(id),
            Err(error) => {
                warn!(payment_id = %id, %error, "payment work panicked; the row's wake time brings it back");
                self.lanes.release(id);
            }
        }
        self.start_ready(ctx, work);
    }

    fn on_poll(&mut self, ctx: &Ctx<Self>, generation: Generation) {
        if self.poll.is_current(generation) {
            self.claim(ctx);
        }
    }

    fn claim(&mut self, ctx: &Ctx<Self>) {
        let [charges_max, look_ups_max, refunds_max] = self.lanes.room();
        if charges_max + look_ups_max + refunds_max == 0 {
            return self.poll_later(ctx, self.limits.poll_every);
        }
        let claim = Claim {
            charges_max,
            look_ups_max,
            refunds_max,
            lease: self.ledger.policy().claim_lease,
        };
        let books = Arc::clone(&self.books);
        let claiming = async move {
            timeout(CLAIM_DEADLINE, books.claim_due(claim))
                .await
                .unwrap_or_else(|_| {
                    Err(BooksUnavailable("no answer within the deadline".to_owned()))
                })
        };
        ctx.spawn_then(claiming, |claimed| {
            own(Own::Claimed(claimed.unwrap_or_else(|panicked| {
                Err(BooksUnavailable(panicked.to_string()))
            })))
        });
    }

    fn on_claimed(&mut self, ctx: &Ctx<Self>, claimed: Result<Vec<Payment>, BooksUnavailable>) {
        let mut pause = self.limits.poll_every;
        match claimed {
            Ok(payments) => {
                self.claims_fail = false;
                if !payments.is_empty() {
                    debug!(payments = payments.len(), "claimed due payments");
                    // There may be more: ask again as soon as these have places.
                    pause /= 10;
                }
                for payment in payments {
                    self.take_claimed(payment);
                }
                for work in [Work::Charge, Work::LookUp, Work::Refund] {
                    self.start_ready(ctx, work);
                }
            }
            Err(error) if !self.claims_fail => {
                warn!(%error, "due payments cannot be claimed");
                self.claims_fail = true;
            }
            Err(error) => debug!(%error, "due payments still cannot be claimed"),
        }
        self.poll_later(ctx, pause);
    }

    fn take_claimed(&mut self, payment: Payment) {
        let Some(work) = resume(&payment, self.ledger.policy()) else {
            // Only a policy that was shortened leaves such rows; each costs one claim per lease.
            debug!(payment_id = %payment.id(), "a due payment has no work");
            return;
        };
        if self.lanes.hold(payment.id()) {
            self.lanes.push(
                work,
                Job {
                    payment,
                    work,
                    permit: None,
                },
            );
        }
    }

    fn poll_later(&mut self, ctx: &Ctx<Self>, pause: Duration) {
        // Up to a tenth sooner, so that replicas drift apart.
        let pause = pause.mul_f64(1.0 - 0.1 * rand::random::<f64>());
        self.poll
            .arm(ctx, pause, |generation| own(Own::Poll(generation)));
    }
}

fn errands_max(limits: &ProcessorLimits) -> usize {
    limits.charges_in_flight + limits.look_ups_in_flight + limits.refunds_in_flight
}

fn own(message: Own) -> ProcessorMsg {
    ProcessorMsg::Own(OwnMsg(message))
}

impl<B: PaymentBooks, P: PaymentProvider> Actor for PaymentProcessor<B, P> {
    type Msg = ProcessorMsg;

    async fn started(&mut self, ctx: &Ctx<Self>) -> Result<(), ActorError> {
        self.me = Some(ctx.me());
        self.claim(ctx);
        Ok(())
    }

    async fn handle(&mut self, ctx: &Ctx<Self>, message: ProcessorMsg) -> Result<(), ActorError> {
        match message {
            ProcessorMsg::HandOver { payment, follow_up } => {
                self.on_hand_over(ctx, *payment, follow_up);
            }
            ProcessorMsg::Inspect { reply } => {
                let (held, running) = self.lanes.depth();
                reply.send(Depth { held, running });
            }
            ProcessorMsg::Own(OwnMsg(Own::Poll(generation))) => self.on_poll(ctx, generation),
            ProcessorMsg::Own(OwnMsg(Own::Claimed(claimed))) => self.on_claimed(ctx, claimed),
            ProcessorMsg::Own(OwnMsg(Own::Ripe(job))) => self.on_ripe(ctx, *job),
            ProcessorMsg::Own(OwnMsg(Own::Ended { id, work, next })) => {
                self.on_ended(ctx, id, work, next);
            }
        }
        Ok(())
    }

    async fn stopping(&mut self, _: &Ctx<Self>) {
        let all = u32::try_from(errands_max(&self.limits)).unwrap_or(u32::MAX);
        if timeout(self.limits.drain_deadline, self.running.acquire_many(all))
            .await
            .is_err()
        {
            let (_, running) = self.lanes.depth();
            warn!(running, "payment calls are left to the next look-up");
        }
    }

    fn message_name(message: &ProcessorMsg) -> &'static str {
        match message {
            ProcessorMsg::HandOver { .. } => "payment hand over",
            ProcessorMsg::Inspect { .. } => "payment processor inspect",
            ProcessorMsg::Own(_) => "payment processor",
        }
    }
}
