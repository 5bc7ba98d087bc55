//! The whole service in this process: its tree, its ports, its answers on the wire.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actor_kit::Reply;
use actor_kit::probe;
use actor_kit::tree::picture_in;
use devstack::get_status;
use jetstream::{
    BusOptions, Connection, JetStreamPublisher, OutboundEvent, PublisherMsg, StreamSpec,
};
use order_saga::{OrderId, SagaIds, SagaLimits};
use prost::Message as _;
use shopapi_orders::{Config, Limits, Service};
use shopapi_proto::common::v1::Line;
use shopapi_proto::events::v1::PaymentSucceeded;
use shopapi_proto::inventory::v1::ReservationState;
use shopapi_proto::orders::v1::orders_service_client::OrdersServiceClient;
use shopapi_proto::orders::v1::{
    CancelOrderRequest, Conflict, CreateOrderRequest, CreateOrderResponse, GetOrderRequest,
    GetTimelineRequest, ListOrdersRequest, Order, OrderRefused, OrderStatus, RefundOrderRequest,
    WatchOrderRequest, conflict::Reason,
};
use shopapi_proto::payments::v1::{PaymentState, RefundState};
use shopapi_proto::subjects;
use shopapi_rpc::Balanced;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::neighbours::{DECLINED, Neighbours, PRICE, SHORT};
use crate::support::*;

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// Deadlines short enough that a test sees them pass.
fn quick() -> SagaLimits {
    SagaLimits {
        first_deadline: Duration::from_millis(300),
        sweep_every: Duration::from_millis(100),
        sweep_lease: Duration::from_secs(1),
        // Above the first handshake with a neighbour on a loaded machine.
        inventory_call: Duration::from_secs(2),
        backoff: actor_kit::Backoff {
            // Above the journal's lazy half second, within which COMPLETED is written.
            base: Duration::from_secs(2),
            cap: Duration::from_secs(5),
        },
        ..SagaLimits::default()
    }
}

pub(crate) struct Shop {
    pub(crate) bench: Bench,
    pub(crate) neighbours: Neighbours,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        let bench = Bench::start().await;
        Self {
            neighbours: Neighbours::start(&bench).await,
            bench,
        }
    }

    fn config(&self) -> Config {
        let url = |addr: SocketAddr| format!("https://{addr}");
        Config {
            database: self.bench.config(),
            bus: self.bench.bus("orders"),
            trust: self.bench.trust("orders"),
            inventory: url(self.neighbours.inventory).parse().unwrap(),
            payments: url(self.neighbours.payments).parse().unwrap(),
            grpc: any_port(),
            health: any_port(),
            saga: quick(),
            limits: Limits::default(),
        }
    }

    /// One replica.
    pub(crate) async fn replica(&self) -> Replica {
        self.replica_with(|_| {}).await
    }

    pub(crate) async fn replica_with(&self, change: impl FnOnce(&mut Config)) -> Replica {
        let mut config = self.config();
        change(&mut config);
        let service = Service::start(config).await.unwrap();
        let url = format!("https://{}", service.grpc_addr().unwrap());
        let gateway = self.bench.trust("gateway").towards("orders");
        let channel = Balanced::connect(url.parse().unwrap(), gateway);
        eventually("the gateway is connected", async || {
            channel.ready().await.is_ok()
        })
        .await;
        Replica {
            service,
            client: OrdersServiceClient::new(channel),
        }
    }
}

pub(crate) struct Replica {
    pub(crate) service: Service,
    pub(crate) client: OrdersServiceClient<Balanced>,
}

/// Two pieces of A for customer 1.
pub(crate) fn request() -> CreateOrderRequest {
    CreateOrderRequest {
        customer_id: customer(1).to_string(),
        items: vec![Line {
            sku: "A".to_owned(),
            quantity: 2,
        }],
        payment_method: "tok_ok".to_owned(),
        ..CreateOrderRequest::default()
    }
}

impl Replica {
    pub(crate) async fn create(
        &self,
        request: CreateOrderRequest,
    ) -> Result<CreateOrderResponse, Status> {
        let mut client = self.client.clone();
        client
            .create_order(request)
            .await
            .map(tonic::Response::into_inner)
    }

    pub(crate) async fn created(&self, request: CreateOrderRequest) -> Order {
        self.create(request).await.unwrap().order.unwrap()
    }

    pub(crate) async fn get(&self, order_id: i64) -> Order {
        let request = GetOrderRequest {
            customer_id: customer(1).to_string(),
            order_id,
        };
        let answer = self.client.clone().get_order(request).await.unwrap();
        answer.into_inner().order.unwrap()
    }

    async fn cancel(&self, order_id: i64) -> Result<(Order, bool), Status> {
        let request = CancelOrderRequest {
            customer_id: customer(1).to_string(),
            order_id,
        };
        let answer = self
            .client
            .clone()
            .cancel_order(request)
            .await?
            .into_inner();
        Ok((answer.order.unwrap(), answer.unchanged))
    }

    async fn refund(&self, order_id: i64) -> Result<(Order, bool), Status> {
        let request = RefundOrderRequest {
            customer_id: customer(1).to_string(),
            order_id,
        };
        let answer = self
            .client
            .clone()
            .refund_order(request)
            .await?
            .into_inner();
        Ok((answer.order.unwrap(), answer.unchanged))
    }

    pub(crate) async fn reaches(&self, order_id: i64, status: OrderStatus, saga_state: &str) {
        eventually(&format!("{status:?} and {saga_state}"), async || {
            let order = self.get(order_id).await;
            order.status() == status && order.saga_state == saga_state
        })
        .await;
    }
}

/// The typed detail of a FAILED_PRECONDITION.
fn detail<M: prost::Message + Default>(status: &Status, name: &str) -> M {
    assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
    let details = tonic_types::pb::Status::decode(status.details()).unwrap();
    let detail = &details.details[0];
    assert!(detail.type_url.ends_with(name), "{}", detail.type_url);
    M::decode(detail.value.as_slice()).unwrap()
}

#[tokio::test]
async fn the_tree_runs_as_it_is_drawn() {
    let shop = Shop::open().await;
    let replica = shop.replica().await;
    assert_eq!(
        replica.service.render(),
        picture_in(include_str!("../../src/tree.rs"))
    );
    let health = replica.service.health_addr().unwrap();
    eventually("ready", async || {
        get_status(health, "/readyz").await == Some(200)
    })
    .await;
    let begun = tokio::time::Instant::now();
    replica.service.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn an_order_is_paid_by_the_event_of_payments() {
    let shop = Shop::open().await;
    // Without the event nothing would happen for a minute.
    let replica = shop
        .replica_with(|config| config.saga.first_deadline = Duration::from_secs(60))
        .await;
    let order = replica.created(request()).await;
    assert_eq!(order.status(), OrderStatus::AwaitingPayment);
    assert_eq!(order.total_cents, Some(2 * PRICE));
    assert_eq!(order.currency.as_deref(), Some("EUR"));
    let mut watching = replica.client.clone();
    let mut watched = watching
        .watch_order(WatchOrderRequest {
            customer_id: customer(1).to_string(),
            order_id: order.order_id,
            after_version: 0,
        })
        .await
        .unwrap()
        .into_inner();

    let bus = Payments::on(&shop.bench).await;
    bus.succeeded(order.order_id, 2 * PRICE).await;

    let mut steps = vec![];
    while let Some(answer) = watched.message().await.unwrap() {
        steps.push(answer.entry.unwrap().saga_step);
    }
    let expected = ["reserving", "awaiting_payment", "committing", "completed"];
    assert_eq!(steps, expected, "and the stream has ended");
    let order = replica.get(order.order_id).await;
    assert_eq!(order.status(), OrderStatus::Paid);
    assert_eq!(order.saga_state, "COMPLETED");
    let books = &shop.neighbours.books;
    assert_eq!(books.reservations(ReservationState::Committed), 1);
    assert_eq!(books.payments(), [], "nobody had to ask");
    let published = "SELECT count(*) FROM outbox WHERE published_at IS NOT NULL";
    eventually("both events are published and marked", async || {
        shop.bench.number(published).await == 2
    })
    .await;
    replica.service.stop().await;
}

#[tokio::test]
async fn without_the_bus_the_deadline_asks_payments() {
    let shop = Shop::open().await;
    let replica = shop
        .replica_with(|config| config.bus = BusOptions::new("nats://127.0.0.1:1", "orders"))
        .await;
    let order = replica
        .created(CreateOrderRequest {
            wait_ms: 20_000,
            ..request()
        })
        .await;
    assert_eq!(
        order.status(),
        OrderStatus::Paid,
        "the caller waited for it"
    );
    replica
        .reaches(order.order_id, OrderStatus::Paid, "COMPLETED")
        .await;
    let declined = replica
        .created(CreateOrderRequest {
            wait_ms: 20_000,
            payment_method: DECLINED.to_owned(),
            ..request()
        })
        .await;
    assert_eq!(declined.status(), OrderStatus::Cancelled);
    let books = &shop.neighbours.books;
    assert_eq!(books.reservations(ReservationState::Released), 1);
    let health = replica.service.health_addr().unwrap();
    assert_eq!(get_status(health, "/readyz").await, Some(200), "degraded");
    replica.service.stop().await;
}

#[tokio::test]
async fn what_the_stock_refuses_is_told_with_the_short_lines() {
    let shop = Shop::open().await;
    let replica = shop.replica().await;
    let mut short = request();
    short.items[0].sku = SHORT.to_owned();
    let refused = replica.create(short).await.unwrap_err();
    let refused: OrderRefused = detail(&refused, "OrderRefused");
    assert_eq!(refused.refusal.unwrap().shortages[0].sku, SHORT);
    let order = replica.get(refused.order_id).await;
    assert_eq!(order.status(), OrderStatus::Rejected);
    let cancel: Conflict = detail(
        &replica.cancel(refused.order_id).await.unwrap_err(),
        "Conflict",
    );
    assert_eq!(cancel.reason(), Reason::NotCancellable);
    replica.service.stop().await;
}

#[tokio::test]
async fn bad_requests_are_told_apart_and_write_nothing() {
    let shop = Shop::open().await;
    let replica = shop.replica().await;
    let line = |sku: &str, quantity| Line {
        sku: sku.to_owned(),
        quantity,
    };
    let bad = [
        vec![],
        vec![line("A", 0)],
        vec![line("A", -1)],
        vec![line("A", i64::MAX)],
        vec![line("A", 1), line("A", 1)],
        vec![line("", 1)],
        (0..1_000).map(|n| line(&format!("S{n}"), 1)).collect(),
    ];
    for items in bad {
        let refused = replica
            .create(CreateOrderRequest { items, ..request() })
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
    }
    assert_eq!(shop.bench.rows().await, [0, 0, 0, 0]);
    replica.service.stop().await;
}

#[tokio::test]
async fn a_repeated_key_is_the_same_order_on_every_replica() {
    let shop = Shop::open().await;
    let (here, there) = (shop.replica().await, shop.replica().await);
    let keyed = CreateOrderRequest {
        idempotency_key: "order-1".to_owned(),
        request_fingerprint: vec![1; 32],
        ..request()
    };
    let mut creates = vec![];
    for replica in [&here, &there, &here, &there] {
        creates.push(replica.create(keyed.clone()));
    }
    let answers = futures::future::join_all(creates).await;
    let first = answers[0]
        .as_ref()
        .unwrap()
        .order
        .as_ref()
        .unwrap()
        .order_id;
    let fresh = answers
        .iter()
        .filter(|answer| !answer.as_ref().unwrap().replayed)
        .count();
    assert_eq!(fresh, 1, "{answers:?}");
    for answer in &answers {
        let order = answer.as_ref().unwrap().order.as_ref().unwrap();
        assert_eq!(order.order_id, first);
        assert_ne!(
            order.status(),
            OrderStatus::Pending,
            "the stock has answered"
        );
    }
    let other = CreateOrderRequest {
        request_fingerprint: vec![2; 32],
        ..keyed
    };
    let reused: Conflict = detail(&there.create(other).await.unwrap_err(), "Conflict");
    assert_eq!(reused.reason(), Reason::IdempotencyKeyReused);
    assert_eq!(shop.bench.rows().await[0], 1);
    here.service.stop().await;
    there.service.stop().await;
}

#[tokio::test]
async fn cancels_and_refunds_give_everything_back() {
    let shop = Shop::open().await;
    let books = &shop.neighbours.books;
    let replica = shop.replica().await;
    books.charges_hang.store(true, Ordering::SeqCst);
    let order = replica.created(request()).await;
    let (cancelled, unchanged) = replica.cancel(order.order_id).await.unwrap();
    assert_eq!(cancelled.status(), OrderStatus::CancelPending);
    assert!(!unchanged);
    replica
        .reaches(order.order_id, OrderStatus::Cancelled, "COMPENSATED")
        .await;
    let (_, unchanged) = replica.cancel(order.order_id).await.unwrap();
    assert!(unchanged, "it holds already");
    assert_eq!(books.reservations(ReservationState::Released), 1);
    assert_eq!(
        books.payments(),
        [(PaymentState::Voided, RefundState::Unspecified)]
    );

    books.charges_hang.store(false, Ordering::SeqCst);
    let paid = replica
        .created(CreateOrderRequest {
            wait_ms: 20_000,
            ..request()
        })
        .await;
    let refused = replica.cancel(paid.order_id).await.unwrap_err();
    let conflict: Conflict = detail(&refused, "Conflict");
    assert_eq!(conflict.reason(), Reason::AlreadyPaid);
    let foreign = RefundOrderRequest {
        customer_id: customer(2).to_string(),
        order_id: paid.order_id,
    };
    let foreign = replica.client.clone().refund_order(foreign).await;
    assert_eq!(foreign.unwrap_err().code(), Code::NotFound);
    replica.refund(paid.order_id).await.unwrap();
    replica
        .reaches(paid.order_id, OrderStatus::Refunded, "COMPENSATED")
        .await;
    let again: Conflict = detail(
        &replica.refund(order.order_id).await.unwrap_err(),
        "Conflict",
    );
    assert_eq!(again.reason(), Reason::NotRefundable);
    replica.service.stop().await;
}

#[tokio::test]
async fn an_order_whose_void_is_refused_again_and_again_is_set_aside_for_people() {
    let shop = Shop::open().await;
    let books = &shop.neighbours.books;
    books.charges_hang.store(true, Ordering::SeqCst);
    books.voids_are_refused.store(true, Ordering::SeqCst);
    let replica = shop
        .replica_with(|config| config.saga.alert_deadlines = 1)
        .await;
    let order = replica.created(request()).await;
    replica.cancel(order.order_id).await.unwrap();
    replica
        .reaches(order.order_id, OrderStatus::CancelPending, "STUCK")
        .await;
    let reason = "SELECT details->>'reason' FROM orders";
    assert_eq!(shop.bench.text(reason).await, "call_refused");
    replica.service.stop().await;
}

#[tokio::test]
async fn orders_are_listed_page_by_page_and_only_to_their_customer() {
    let shop = Shop::open().await;
    let replica = shop.replica().await;
    let mut made = vec![];
    for _ in 0..5 {
        made.push(replica.created(request()).await.order_id);
    }
    made.reverse();
    let mut listed = vec![];
    let mut before_order_id = 0;
    loop {
        let page = ListOrdersRequest {
            customer_id: customer(1).to_string(),
            status: 0,
            limit: 2,
            before_order_id,
        };
        let page = replica.client.clone().list_orders(page).await.unwrap();
        let page = page.into_inner();
        listed.extend(page.orders.iter().map(|order| order.order_id));
        before_order_id = page.next_before_order_id;
        if before_order_id == 0 {
            break;
        }
    }
    assert_eq!(listed, made, "newest first, each once");
    let rejected = ListOrdersRequest {
        customer_id: customer(1).to_string(),
        status: OrderStatus::Rejected.into(),
        ..ListOrdersRequest::default()
    };
    let rejected = replica.client.clone().list_orders(rejected).await.unwrap();
    assert_eq!(rejected.into_inner().orders, []);
    let theirs = GetTimelineRequest {
        customer_id: customer(2).to_string(),
        order_id: made[0],
    };
    let theirs = replica.client.clone().get_timeline(theirs).await;
    assert_eq!(theirs.unwrap_err().code(), Code::NotFound);
    replica.service.stop().await;
}

#[tokio::test]
async fn an_order_that_cannot_be_read_hides_no_other_of_its_customer() {
    let shop = Shop::open().await;
    let replica = shop.replica().await;
    let mut made = vec![];
    for _ in 0..4 {
        made.push(replica.created(request()).await.order_id);
    }
    let damage = "UPDATE orders SET lines = '[{}]' WHERE order_id = ANY($1)";
    let damaged = [made[1], made[3]].to_vec();
    shop.bench.owner.execute(damage, &[&damaged]).await.unwrap();

    // Pages of one: the newest page and the third are empty, and lead on.
    let mut listed = vec![];
    let mut before_order_id = 0;
    let mut pages = 0;
    loop {
        let page = ListOrdersRequest {
            customer_id: customer(1).to_string(),
            status: 0,
            limit: 1,
            before_order_id,
        };
        let page = replica.client.clone().list_orders(page).await.unwrap();
        let page = page.into_inner();
        pages += 1;
        listed.extend(page.orders.iter().map(|order| order.order_id));
        before_order_id = page.next_before_order_id;
        if before_order_id == 0 {
            break;
        }
    }

    assert_eq!(listed, [made[2], made[0]]);
    assert_eq!(pages, 4);
    replica.service.stop().await;
}

#[tokio::test]
async fn orders_that_wait_together_travel_together() {
    let shop = Shop::open().await;
    let replica = shop.replica().await;
    let creates = (0..200).map(|_| replica.created(request()));
    let orders = futures::future::join_all(creates).await;
    assert!(
        orders
            .iter()
            .all(|order| order.status() == OrderStatus::AwaitingPayment)
    );
    let calls = shop.neighbours.books.reserve_calls.load(Ordering::SeqCst);
    assert!(calls < 100, "200 reservations in {calls} calls");
    replica.service.stop().await;
}

#[tokio::test]
async fn beyond_the_bound_new_orders_are_turned_away() {
    let shop = Shop::open().await;
    let replica = shop
        .replica_with(|config| config.limits.creates_in_flight_max = 0)
        .await;
    let turned_away = replica.create(request()).await.unwrap_err();
    assert_eq!(turned_away.code(), Code::ResourceExhausted);
    use tonic_types::StatusExt as _;
    assert!(turned_away.get_details_retry_info().is_some());
    assert_eq!(shop.bench.rows().await[0], 0);
    replica.service.stop().await;
}

#[tokio::test]
async fn overdue_orders_close_the_door_until_they_have_ended() {
    let shop = Shop::open().await;
    let books = &shop.neighbours.books;
    books.inventory_is_down.store(true, Ordering::SeqCst);
    let replica = shop
        .replica_with(|config| {
            config.limits.overdue_age = Duration::from_millis(1);
            config.limits.overdue_sagas_max = 2;
            config.limits.overdue_interval = Duration::from_millis(20);
        })
        .await;
    let first = replica.created(request()).await;
    let second = replica.created(request()).await;
    eventually("two overdue orders close the door", async || {
        let answer = replica.create(request()).await;
        answer.is_err_and(|refused| refused.code() == Code::ResourceExhausted)
    })
    .await;
    books.inventory_is_down.store(false, Ordering::SeqCst);
    for order in [first, second] {
        replica
            .reaches(order.order_id, OrderStatus::Paid, "COMPLETED")
            .await;
    }
    eventually("the door is open", async || {
        replica.create(request()).await.is_ok()
    })
    .await;
    replica.service.stop().await;
}

#[tokio::test]
async fn an_order_whose_row_cannot_be_read_closes_no_door_and_is_not_denied() {
    let shop = Shop::open().await;
    let replica = shop
        .replica_with(|config| {
            // Nothing moves the order before its row is damaged.
            config.saga.first_deadline = Duration::from_secs(60);
            config.limits.overdue_age = Duration::from_millis(1);
            config.limits.overdue_sagas_max = 1;
            config.limits.overdue_interval = Duration::from_millis(20);
        })
        .await;
    let order_id = replica.created(request()).await.order_id;
    eventually("an overdue order closes the door", async || {
        let answer = replica.create(request()).await;
        answer.is_err_and(|refused| refused.code() == Code::ResourceExhausted)
    })
    .await;
    let damage = "UPDATE orders SET lines = '[{}]', updated_at = now() - interval '16 minutes'";
    shop.bench.owner.execute(damage, &[]).await.unwrap();
    eventually("the door is open", async || {
        replica.create(request()).await.is_ok()
    })
    .await;
    let refused = replica.cancel(order_id).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    replica.service.stop().await;
}

#[tokio::test]
async fn one_trace_runs_from_the_request_through_rows_and_calls() {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    let shop = Shop::open().await;
    let replica = shop.replica().await;
    let mut traced = tonic::Request::new(request());
    let traceparent = format!("00-{TRACE}-b7ad6b7169203331-01");
    traced
        .metadata_mut()
        .insert("traceparent", traceparent.parse().unwrap());
    let created = replica.client.clone().create_order(traced).await.unwrap();
    let order = created.into_inner().order.unwrap();
    assert_eq!(order.trace_id, TRACE);
    let of_event = shop.bench.text("SELECT traceparent FROM outbox").await;
    assert!(of_event.contains(TRACE), "{of_event}");
    let of_call = shop.neighbours.books.traceparents.lock().unwrap().clone();
    assert!(of_call[0].contains(TRACE), "{of_call:?}");
    let untraced = replica.created(request()).await;
    assert_eq!(untraced.trace_id, "");
    replica.service.stop().await;
}

#[tokio::test]
async fn a_live_timeline_resumes_after_what_was_seen_and_is_its_customers_own() {
    let shop = Shop::open().await;
    let replica = shop.replica().await;
    let order = replica
        .created(CreateOrderRequest {
            wait_ms: 20_000,
            ..request()
        })
        .await;
    replica
        .reaches(order.order_id, OrderStatus::Paid, "COMPLETED")
        .await;
    let last = replica.get(order.order_id).await.version;
    let watch = async |who: u128, after_version: i64| {
        let request = WatchOrderRequest {
            customer_id: customer(who).to_string(),
            order_id: order.order_id,
            after_version,
        };
        let watched = replica.client.clone().watch_order(request).await?;
        let mut watched = watched.into_inner();
        let mut versions = vec![];
        while let Some(answer) = watched.message().await? {
            versions.push(answer.entry.unwrap().version);
        }
        Ok::<_, Status>(versions)
    };
    assert_eq!(watch(1, last - 2).await.unwrap(), [last - 1, last]);
    assert!(watch(1, last).await.unwrap().is_empty());
    assert_eq!(watch(2, 0).await.unwrap_err().code(), Code::NotFound);
    replica.service.stop().await;
}

#[tokio::test]
async fn a_poison_event_becomes_a_dead_letter_and_its_neighbours_go_on() {
    let shop = Shop::open().await;
    let replica = shop
        .replica_with(|config| config.saga.first_deadline = Duration::from_secs(60))
        .await;
    let order = replica.created(request()).await.order_id;
    let bus = Payments::on(&shop.bench).await;
    bus.publish(subjects::PAYMENTS_SUCCEEDED, vec![0xff; 3])
        .await;
    // Somebody else's idea of what the order costs.
    bus.succeeded(order, 1).await;
    bus.succeeded(order, 2 * PRICE).await;

    replica.reaches(order, OrderStatus::Paid, "COMPLETED").await;
    let letters = "SELECT count(*) FROM dead_letters WHERE reason = 'poison'";
    eventually("both letters are kept", async || {
        shop.bench.number(letters).await == 2
    })
    .await;
    replica.service.stop().await;
}

#[tokio::test]
async fn what_has_a_retention_is_forgotten_and_orders_are_not() {
    let shop = Shop::open().await;
    let replica = shop
        .replica_with(|config| {
            config.limits.prune_interval = Duration::from_millis(50);
            config.limits.key_retention = Duration::ZERO;
            config.limits.outbox_retention = Duration::ZERO;
        })
        .await;
    let keyed = CreateOrderRequest {
        idempotency_key: "k".to_owned(),
        request_fingerprint: vec![1; 32],
        wait_ms: 20_000,
        ..request()
    };
    let order = replica.created(keyed).await;
    eventually("keys and published events are gone", async || {
        let [orders, timeline, keys, outbox] = shop.bench.rows().await;
        assert!(orders == 1 && timeline > 0);
        keys == 0 && outbox == 0
    })
    .await;
    assert_eq!(
        replica.get(order.order_id).await.status(),
        OrderStatus::Paid
    );
    replica.service.stop().await;
}

/// Payments on the bus.
struct Payments<'b> {
    bench: &'b Bench,
    publisher: actor_kit::Mailbox<PublisherMsg>,
    _alone: probe::Alone,
}

impl<'b> Payments<'b> {
    async fn on(bench: &'b Bench) -> Self {
        let options = bench.bus("payments");
        let connection = Connection::open(&options).await.unwrap();
        let subjects = [subjects::PAYMENTS_ALL, subjects::PAYMENTS_REPLAYED];
        let stream = StreamSpec::new(subjects::STREAM_PAYMENTS, subjects);
        let publisher = JetStreamPublisher::new(connection, stream);
        let (publisher, alone) = probe::start("publisher", 64, publisher).await.unwrap();
        Self {
            bench,
            publisher,
            _alone: alone,
        }
    }

    async fn publish(&self, subject: &str, payload: Vec<u8>) {
        let event_id = Uuid::now_v7();
        eventually("the event is published", async || {
            let event = OutboundEvent {
                event_id,
                message_id: event_id,
                order_id: 0,
                aggregate_seq: 1,
                subject: subject.to_owned(),
                schema_version: subjects::SCHEMA_VERSION,
                payload: payload.clone().into(),
                traceparent: None,
            };
            let publish = |reply: Reply<_>| PublisherMsg::Publish { event, reply };
            matches!(self.publisher.ask(DEADLINE, publish).await, Ok(Ok(_)))
        })
        .await;
    }

    async fn succeeded(&self, order_id: i64, amount_cents: i64) {
        let installation = self.bench.installation().await;
        let payment_id = SagaIds::derive(installation, OrderId(order_id)).payment_id;
        let event = PaymentSucceeded {
            payment_id: payment_id.to_string(),
            order_id,
            amount_cents,
            currency: "EUR".to_owned(),
        };
        self.publish(subjects::PAYMENTS_SUCCEEDED, event.encode_to_vec())
            .await;
    }
}
