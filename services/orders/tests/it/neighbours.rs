//! Inventory and payments as orders sees them: small books in memory behind real gRPC, with faults on demand.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use shopapi_proto::common::v1 as common;
use shopapi_proto::common::v1::refusal::Reason;
use shopapi_proto::inventory::v1 as inventory;
use shopapi_proto::inventory::v1::ReservationState;
use shopapi_proto::inventory::v1::inventory_service_server::{
    InventoryService, InventoryServiceServer,
};
use shopapi_proto::payments::v1 as payments;
use shopapi_proto::payments::v1::payments_service_server::{
    PaymentsService, PaymentsServiceServer,
};
use shopapi_proto::payments::v1::{PaymentState, RefundState};
use shopapi_rpc::Trust;
use shopapi_rpc::server::{self, Exposed, ServerLimits};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tonic::{Request, Response, Status};

use crate::support::Bench;

/// What a piece of anything costs.
pub(crate) const PRICE: i64 = 250;
/// A SKU that is always short.
pub(crate) const SHORT: &str = "SHORT";
/// A payment method that is declined.
pub(crate) const DECLINED: &str = "tok_declined";

/// The books of both services.
#[derive(Default)]
pub(crate) struct Books {
    reservations: Mutex<HashMap<String, ReservationState>>,
    payments: Mutex<HashMap<String, payments::Payment>>,
    pub(crate) inventory_is_down: AtomicBool,
    pub(crate) payments_is_down: AtomicBool,
    /// Payments does not take what it is told about payments that are to be voided.
    pub(crate) voids_are_refused: AtomicBool,
    /// Payments answers requests with REQUESTED: the charge is under way.
    pub(crate) charges_hang: AtomicBool,
    pub(crate) reserve_calls: AtomicUsize,
    /// What came with the reservations.
    pub(crate) traceparents: Mutex<Vec<String>>,
}

impl Books {
    /// How many reservations are in this state.
    pub(crate) fn reservations(&self, state: ReservationState) -> usize {
        let reservations = self.reservations.lock().unwrap();
        reservations.values().filter(|now| **now == state).count()
    }

    /// The states of all payments.
    pub(crate) fn payments(&self) -> Vec<(PaymentState, RefundState)> {
        let payments = self.payments.lock().unwrap();
        payments
            .values()
            .map(|payment| (payment.state(), payment.refund_state()))
            .collect()
    }

    fn reserve(&self, item: inventory::ReserveItem) -> inventory::ReserveResult {
        use inventory::reserve_result::Outcome;
        self.traceparents
            .lock()
            .unwrap()
            .push(item.traceparent.clone());
        let short = item.lines.iter().any(|line| line.sku == SHORT);
        let fresh = if short {
            ReservationState::Refused
        } else {
            ReservationState::Held
        };
        let mut reservations = self.reservations.lock().unwrap();
        let state = *reservations
            .entry(item.reservation_id.clone())
            .or_insert(fresh);
        let outcome = match state {
            ReservationState::Held => Outcome::Held(inventory::Held {
                total_cents: item.lines.iter().map(|line| line.quantity * PRICE).sum(),
                currency: "EUR".to_owned(),
                lines: item
                    .lines
                    .into_iter()
                    .map(|line| common::PricedLine {
                        sku: line.sku,
                        quantity: line.quantity,
                        unit_price_cents: PRICE,
                    })
                    .collect(),
            }),
            ReservationState::Refused => Outcome::Refused(common::Refusal {
                reason: Reason::OutOfStock.into(),
                shortages: vec![common::Shortage {
                    sku: SHORT.to_owned(),
                    requested: 1,
                    available: 0,
                }],
            }),
            ended => Outcome::Ended(ended.into()),
        };
        inventory::ReserveResult {
            reservation_id: item.reservation_id,
            outcome: Some(outcome),
        }
    }

    /// Moves a reservation unless it has ended otherwise.
    fn end(&self, reservation_id: &str, to: ReservationState) -> ReservationState {
        let mut reservations = self.reservations.lock().unwrap();
        let state = reservations.entry(reservation_id.to_owned()).or_insert(to);
        if *state == ReservationState::Held {
            *state = to;
        }
        *state
    }

    fn payment(
        &self,
        asked: &payments::PaymentParameters,
        fresh: PaymentState,
        change: impl FnOnce(&mut payments::Payment),
    ) -> payments::PaymentResult {
        let mut known = self.payments.lock().unwrap();
        let payment = known
            .entry(asked.payment_id.clone())
            .or_insert_with(|| payments::Payment {
                payment_id: asked.payment_id.clone(),
                order_id: asked.order_id,
                state: fresh.into(),
                reason: "insufficient_funds".to_owned(),
                version: 1,
                ..payments::Payment::default()
            });
        change(payment);
        result(payment.clone())
    }
}

fn result(payment: payments::Payment) -> payments::PaymentResult {
    payments::PaymentResult {
        payment_id: payment.payment_id.clone(),
        outcome: Some(payments::payment_result::Outcome::Payment(payment)),
    }
}

fn invalid(item: &payments::PaymentParameters) -> payments::PaymentResult {
    let error = common::ItemError {
        code: tonic::Code::InvalidArgument.into(),
        message: "payment_method".to_owned(),
    };
    payments::PaymentResult {
        payment_id: item.payment_id.clone(),
        outcome: Some(payments::payment_result::Outcome::Error(error)),
    }
}

fn up(down: &AtomicBool) -> Result<(), Status> {
    if down.load(Ordering::SeqCst) {
        Err(Status::unavailable("down"))
    } else {
        Ok(())
    }
}

struct Api(Arc<Books>);

#[tonic::async_trait]
impl InventoryService for Api {
    async fn reserve(
        &self,
        request: Request<inventory::ReserveRequest>,
    ) -> Result<Response<inventory::ReserveResponse>, Status> {
        up(&self.0.inventory_is_down)?;
        self.0.reserve_calls.fetch_add(1, Ordering::SeqCst);
        let items = request.into_inner().items.into_iter();
        Ok(Response::new(inventory::ReserveResponse {
            results: items.map(|item| self.0.reserve(item)).collect(),
        }))
    }

    async fn release(
        &self,
        request: Request<inventory::ReleaseRequest>,
    ) -> Result<Response<inventory::ReleaseResponse>, Status> {
        use inventory::release_result::Outcome;
        up(&self.0.inventory_is_down)?;
        let items = request.into_inner().items.into_iter();
        let results = items.map(|item| {
            let state = self.0.end(&item.reservation_id, ReservationState::Released);
            inventory::ReleaseResult {
                reservation_id: item.reservation_id,
                outcome: Some(Outcome::State(state.into())),
            }
        });
        Ok(Response::new(inventory::ReleaseResponse {
            results: results.collect(),
        }))
    }

    async fn commit(
        &self,
        request: Request<inventory::CommitRequest>,
    ) -> Result<Response<inventory::CommitResponse>, Status> {
        use inventory::commit_result::Outcome;
        up(&self.0.inventory_is_down)?;
        let items = request.into_inner().items.into_iter();
        let results = items.map(|item| {
            let state = self
                .0
                .end(&item.reservation_id, ReservationState::Committed);
            inventory::CommitResult {
                reservation_id: item.reservation_id,
                outcome: Some(Outcome::State(state.into())),
            }
        });
        Ok(Response::new(inventory::CommitResponse {
            results: results.collect(),
        }))
    }
}

#[tonic::async_trait]
impl PaymentsService for Api {
    async fn request_payment(
        &self,
        request: Request<payments::RequestPaymentRequest>,
    ) -> Result<Response<payments::RequestPaymentResponse>, Status> {
        up(&self.0.payments_is_down)?;
        let hang = self.0.charges_hang.load(Ordering::SeqCst);
        let items = request.into_inner().items;
        let results = items.iter().map(|item| {
            let fresh = match item.payment_method.as_str() {
                _ if hang => PaymentState::Requested,
                DECLINED => PaymentState::Declined,
                _ => PaymentState::Captured,
            };
            self.0.payment(item, fresh, |_| {})
        });
        Ok(Response::new(payments::RequestPaymentResponse {
            results: results.collect(),
        }))
    }

    async fn get_payment(
        &self,
        _: Request<payments::GetPaymentRequest>,
    ) -> Result<Response<payments::GetPaymentResponse>, Status> {
        Err(Status::unimplemented("not asked for here"))
    }

    async fn void_payment(
        &self,
        request: Request<payments::VoidPaymentRequest>,
    ) -> Result<Response<payments::VoidPaymentResponse>, Status> {
        up(&self.0.payments_is_down)?;
        let refused = self.0.voids_are_refused.load(Ordering::SeqCst);
        let items = request.into_inner().items;
        let results = items.iter().map(|item| {
            if refused {
                return invalid(item);
            }
            self.0.payment(item, PaymentState::Voided, |payment| {
                if payment.state() == PaymentState::Requested {
                    payment.set_state(PaymentState::Voided);
                }
            })
        });
        Ok(Response::new(payments::VoidPaymentResponse {
            results: results.collect(),
        }))
    }

    async fn refund_payment(
        &self,
        request: Request<payments::RefundPaymentRequest>,
    ) -> Result<Response<payments::RefundPaymentResponse>, Status> {
        up(&self.0.payments_is_down)?;
        let mut known = self.0.payments.lock().unwrap();
        let items = request.into_inner().items.into_iter();
        let results = items.map(|item| {
            let payment = known.get_mut(&item.payment_id).unwrap();
            payment.set_refund_state(RefundState::Refunded);
            result(payment.clone())
        });
        let results = results.collect();
        Ok(Response::new(payments::RefundPaymentResponse { results }))
    }
}

/// Both services, gone with the test.
pub(crate) struct Neighbours {
    pub(crate) inventory: SocketAddr,
    pub(crate) payments: SocketAddr,
    pub(crate) books: Arc<Books>,
    servers: [AbortHandle; 2],
}

impl Neighbours {
    pub(crate) async fn start(bench: &Bench) -> Self {
        let books = Arc::new(Books::default());
        let stock = InventoryServiceServer::new(Api(Arc::clone(&books)));
        let money = PaymentsServiceServer::new(Api(Arc::clone(&books)));
        let (inventory, first) = serve(Exposed::new().with(stock), bench.trust("inventory")).await;
        let (payments, second) = serve(Exposed::new().with(money), bench.trust("payments")).await;
        Self {
            inventory,
            payments,
            books,
            servers: [first, second],
        }
    }
}

async fn serve(exposed: Exposed, trust: Trust) -> (SocketAddr, AbortHandle) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let limits = ServerLimits::default();
    let never = std::future::pending();
    let server = server::serve(Arc::new(listener), exposed, trust, limits, never);
    (addr, tokio::spawn(server).abort_handle())
}

impl Drop for Neighbours {
    fn drop(&mut self) {
        for server in &self.servers {
            server.abort();
        }
    }
}
