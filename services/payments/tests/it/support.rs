//! Servers of a test's own, replicas of the service on them, and short ways to talk to both.

use std::thread::JoinHandle;
use std::time::Duration;

use devstack::{PortLease, TestStack, get_status, lease};
use jetstream::BusOptions;
use payment::Policy;
use shopapi_payments::{Config, Limits, RunError, run};
use shopapi_postgres::PgConfig;
use shopapi_proto::payments::v1::payment_result::Outcome;
use shopapi_proto::payments::v1::payments_service_client::PaymentsServiceClient;
use shopapi_proto::payments::v1::{
    GetPaymentRequest, Payment, PaymentParameters, PaymentResult, PaymentState, RefundItem,
    RefundPaymentRequest, RefundState, RequestPaymentRequest, VoidPaymentRequest,
};
use shopapi_rpc::{Balanced, Credentials, Trust};
use tokio::sync::oneshot;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Longer than anything may take on a loaded machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// The servers, and connections that may do everything.
pub(crate) struct Bench {
    pub(crate) stack: TestStack,
    /// Superuser on paymentsdb.
    pub(crate) books: Client,
    /// Superuser on providerdb.
    pub(crate) provider: Client,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        let stack = TestStack::migrated().await.unwrap();
        let books = stack.cluster.connect(devstack::SUPERUSER, "paymentsdb");
        let books = books.await.unwrap();
        let provider = stack.cluster.connect(devstack::SUPERUSER, "providerdb");
        let provider = provider.await.unwrap();
        Self {
            stack,
            books,
            provider,
        }
    }

    /// Connects again after the servers were restarted.
    pub(crate) async fn reconnect(&mut self) {
        let cluster = &self.stack.cluster;
        self.books = cluster
            .connect(devstack::SUPERUSER, "paymentsdb")
            .await
            .unwrap();
        self.provider = cluster
            .connect(devstack::SUPERUSER, "providerdb")
            .await
            .unwrap();
    }

    pub(crate) async fn replica(&self, policy: Policy) -> Replica {
        let ports = [lease().unwrap(), lease().unwrap()];
        let config = self.config(&ports, policy);
        let shutdown = CancellationToken::new();
        let (thread, ended) = start(config, shutdown.clone());
        let health = ports[1].addr();
        eventually("the replica is ready", async || {
            get_status(health, "/readyz").await == Some(200)
        })
        .await;
        let client = PaymentsServiceClient::new(self.connected(&ports).await);
        Replica {
            client,
            health,
            shutdown,
            thread,
            ended,
            _ports: ports,
        }
    }

    /// The way of orders to a replica, once it serves.
    pub(crate) async fn connected(&self, ports: &[PortLease; 2]) -> Balanced {
        let url = format!("https://{}", ports[0].addr());
        let orders = Credentials::in_set("orders", self.stack.pki().dir()).unwrap();
        let channel = Balanced::connect(url.parse().unwrap(), orders.towards("payments"));
        eventually("orders is connected", async || {
            channel.ready().await.is_ok()
        })
        .await;
        channel
    }

    /// The way to the bus as a service.
    pub(crate) fn bus(&self, service: &str) -> BusOptions {
        let identity = self.stack.pki().identity(service).unwrap();
        BusOptions::new(self.stack.nats.url(), service)
            .secured(identity.client_config(&[]), service)
    }

    pub(crate) fn config(&self, ports: &[PortLease; 2], policy: Policy) -> Config {
        let database = |service| PgConfig::parse(&self.stack.url(service), "test").unwrap();
        Config {
            grpc_addr: ports[0].addr(),
            health_addr: ports[1].addr(),
            trust: Trust::in_set("payments", self.stack.pki().dir()).unwrap(),
            database: database("payments"),
            provider_database: database("provider"),
            bus: self.bus("payments"),
            policy,
            limits: Limits::default(),
        }
    }

    pub(crate) async fn number(&self, query: &str) -> i64 {
        self.books.query_one(query, &[]).await.unwrap().get(0)
    }

    /// The provider's captures, and how many of them were given back.
    pub(crate) async fn provider_totals(&self) -> (i64, i64) {
        let query = "SELECT (SELECT count(*) FROM provider_charges WHERE outcome = 'CAPTURED'),
                            (SELECT count(*) FROM provider_refunds WHERE outcome = 'REFUNDED')";
        let row = self.provider.query_one(query, &[]).await.unwrap();
        (row.get(0), row.get(1))
    }

    /// Our books agree with the provider's, and with themselves.
    pub(crate) async fn assert_books_balance(&self) {
        let captured = self
            .number("SELECT count(*) FROM payments WHERE state = 'CAPTURED' OR late_capture")
            .await;
        let given_back = self
            .number("SELECT count(*) FROM payments WHERE refund_state = 'REFUNDED'")
            .await;
        assert_eq!(self.provider_totals().await, (captured, given_back));
        let twice = self
            .number(
                "SELECT count(*) FROM (SELECT payment_id FROM payment_attempts WHERE state = 'CAPTURED'
                 GROUP BY payment_id HAVING count(*) > 1) t",
            )
            .await;
        assert_eq!(twice, 0, "payments captured twice");
        let untold = self
            .number(
                "SELECT count(*) FROM payments p WHERE state = 'CAPTURED' AND NOT EXISTS (
                   SELECT FROM outbox o WHERE o.order_id = p.order_id AND o.subject = 'payments.succeeded')",
            )
            .await;
        assert_eq!(untold, 0, "captures that orders is not told of");
        let told_twice = self
            .number(
                "SELECT count(*) FROM (SELECT order_id, subject FROM outbox
                 GROUP BY order_id, subject HAVING count(*) > 1) t",
            )
            .await;
        assert_eq!(told_twice, 0, "events written twice");
        let unsound = self
            .number(
                "SELECT count(*) FROM payments p
                 WHERE (state = 'CAPTURED' OR late_capture) <> EXISTS (
                   SELECT FROM payment_attempts a WHERE a.payment_id = p.payment_id AND a.state = 'CAPTURED')",
            )
            .await;
        assert_eq!(unsound, 0, "payments that differ from their attempts");
    }
}

/// A replica has a runtime of its own, as its process would.
pub(crate) fn start(
    config: Config,
    shutdown: CancellationToken,
) -> (JoinHandle<()>, oneshot::Receiver<Result<(), RunError>>) {
    let (tell, ended) = oneshot::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        tell.send(runtime.block_on(run(config, shutdown))).ok();
    });
    (thread, ended)
}

/// One replica of the service, in this process.
pub(crate) struct Replica {
    pub(crate) client: PaymentsServiceClient<Balanced>,
    pub(crate) health: std::net::SocketAddr,
    shutdown: CancellationToken,
    thread: JoinHandle<()>,
    ended: oneshot::Receiver<Result<(), RunError>>,
    _ports: [PortLease; 2],
}

impl Replica {
    pub(crate) async fn stop(self) -> Result<(), RunError> {
        self.shutdown.cancel();
        self.ended.await.unwrap()
    }

    pub(crate) fn is_running(&self) -> bool {
        !self.thread.is_finished()
    }

    pub(crate) async fn try_request(
        &self,
        items: Vec<PaymentParameters>,
    ) -> Result<Vec<PaymentResult>, tonic::Status> {
        let call = self
            .client
            .clone()
            .request_payment(RequestPaymentRequest { items })
            .await;
        call.map(|answer| answer.into_inner().results)
    }

    pub(crate) async fn request(&self, item: PaymentParameters) -> Payment {
        payment(self.try_request(vec![item]).await.unwrap().remove(0))
    }

    pub(crate) async fn void(&self, item: PaymentParameters) -> Payment {
        let request = VoidPaymentRequest { items: vec![item] };
        let call = self.client.clone().void_payment(request).await;
        payment(call.unwrap().into_inner().results.remove(0))
    }

    pub(crate) async fn try_refund(&self, order: i64) -> PaymentResult {
        let items = vec![RefundItem {
            payment_id: id(order).to_string(),
            order_id: order,
            traceparent: String::new(),
        }];
        let request = RefundPaymentRequest { items };
        let call = self.client.clone().refund_payment(request).await;
        call.unwrap().into_inner().results.remove(0)
    }

    pub(crate) async fn try_get(&self, order: i64) -> PaymentResult {
        let payment_ids = vec![id(order).to_string()];
        let call = self
            .client
            .clone()
            .get_payment(GetPaymentRequest { payment_ids })
            .await;
        call.unwrap().into_inner().results.remove(0)
    }

    /// Waits until the payment is in `state`.
    pub(crate) async fn until(&self, order: i64, state: PaymentState) -> Payment {
        self.until_payment(order, |payment| payment.state() == state)
            .await
    }

    /// Waits until the payment's refund is in `state`.
    pub(crate) async fn until_refund(&self, order: i64, state: RefundState) -> Payment {
        self.until_payment(order, |payment| payment.refund_state() == state)
            .await
    }

    async fn until_payment(&self, order: i64, wanted: impl Fn(&Payment) -> bool) -> Payment {
        let mut last = None;
        let look = async {
            let mut ticks = tokio::time::interval(Duration::from_millis(10));
            loop {
                ticks.tick().await;
                if let Some(Outcome::Payment(found)) = self.try_get(order).await.outcome {
                    if wanted(&found) {
                        return found;
                    }
                    last = Some(found);
                }
            }
        };
        let found = tokio::time::timeout(DEADLINE, look).await;
        found.unwrap_or_else(|_| panic!("order {order} never got there; it is {last:?}"))
    }
}

pub(crate) fn id(order: i64) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, &order.to_be_bytes())
}

pub(crate) fn parameters(order: i64, token: &str) -> PaymentParameters {
    PaymentParameters {
        payment_id: id(order).to_string(),
        order_id: order,
        amount_cents: 1_999,
        currency: "EUR".to_owned(),
        payment_method: token.to_owned(),
        traceparent: String::new(),
    }
}

pub(crate) fn payment(result: PaymentResult) -> Payment {
    match result.outcome.unwrap() {
        Outcome::Payment(payment) => payment,
        Outcome::Error(error) => panic!("{}: {error:?}", result.payment_id),
    }
}

pub(crate) fn code(result: PaymentResult) -> tonic::Code {
    match result.outcome.unwrap() {
        Outcome::Payment(payment) => panic!("no error but {payment:?}"),
        Outcome::Error(error) => tonic::Code::from(error.code),
    }
}

/// The rules with short deadlines, for tests that wait for them.
pub(crate) fn impatient() -> Policy {
    let ms = Duration::from_millis;
    Policy {
        charge_deadline: ms(500),
        refund_deadline: ms(1_000),
        grace: ms(100),
        fresh_wake: ms(900),
        claim_lease: ms(1_500),
        look_up_after: ms(50),
        voided_look_ups: vec![ms(200), ms(1_500), ms(2_000), ms(4_000), ms(60_000)],
        refund_attempts_max: 3,
        refund_backoff: actor_kit::Backoff {
            base: ms(20),
            cap: ms(100),
        },
        ..Policy::default()
    }
}

/// Waits until `condition` holds, looking again every few milliseconds.
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let look = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        while !condition().await {
            ticks.tick().await;
        }
    };
    if tokio::time::timeout(DEADLINE, look).await.is_err() {
        panic!("not within {DEADLINE:?}: {what}");
    }
}
