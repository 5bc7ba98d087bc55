//! The whole service, on real sockets, between a client and fake services that speak gRPC.

use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use futures::stream::{self, Stream, StreamExt as _};
use prost_types::Timestamp;
use shopapi_auth::{CustomerId, KeyRing, PasswordPool, UserKey, UserKeys};
use shopapi_postgres::PgConfig;
use shopapi_proto::orders::v1::orders_service_server::{OrdersService, OrdersServiceServer};
use shopapi_proto::orders::v1::{
    CancelOrderRequest, CancelOrderResponse, CreateOrderRequest, CreateOrderResponse,
    GetOrderRequest, GetOrderResponse, GetTimelineRequest, GetTimelineResponse, ListOrdersRequest,
    ListOrdersResponse, Order, OrderStatus, RefundOrderRequest, RefundOrderResponse, TimelineEntry,
    WatchOrderRequest, WatchOrderResponse,
};
use shopapi_rpc::Trust;
use shopapi_rpc::server::{self, Exposed, ServerLimits};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);
const SECRET: &str = "0123456789abcdef0123456789abcdef";
const CUSTOMER: CustomerId = CustomerId(Uuid::from_u128(0x4000_8000_0000_0000_0001));

/// Orders that knows one order, 7, and whose timeline has one entry and never ends.
#[derive(Clone, Default)]
struct FakeOrders {
    /// The deadlines that the calls carried.
    deadlines: Arc<Mutex<Vec<String>>>,
}

fn order() -> Option<Order> {
    let at = Some(Timestamp {
        seconds: 1_800_000_000,
        nanos: 0,
    });
    let status = OrderStatus::Paid as i32;
    Some(Order {
        order_id: 7,
        status,
        created_at: at,
        updated_at: at,
        ..Order::default()
    })
}

#[tonic::async_trait]
impl OrdersService for FakeOrders {
    async fn create_order(
        &self,
        request: Request<CreateOrderRequest>,
    ) -> Result<Response<CreateOrderResponse>, Status> {
        let deadline = request
            .metadata()
            .get("grpc-timeout")
            .map(|value| value.to_str().unwrap().to_owned());
        self.deadlines.lock().unwrap().extend(deadline);
        Ok(Response::new(CreateOrderResponse {
            order: order(),
            replayed: false,
        }))
    }

    async fn get_order(
        &self,
        request: Request<GetOrderRequest>,
    ) -> Result<Response<GetOrderResponse>, Status> {
        match request.into_inner() {
            GetOrderRequest {
                order_id: 7,
                customer_id,
            } if customer_id == CUSTOMER.to_string() => {
                Ok(Response::new(GetOrderResponse { order: order() }))
            }
            _ => Err(Status::not_found("")),
        }
    }

    async fn list_orders(
        &self,
        _: Request<ListOrdersRequest>,
    ) -> Result<Response<ListOrdersResponse>, Status> {
        Ok(Response::new(ListOrdersResponse::default()))
    }

    async fn get_timeline(
        &self,
        _: Request<GetTimelineRequest>,
    ) -> Result<Response<GetTimelineResponse>, Status> {
        Ok(Response::new(GetTimelineResponse::default()))
    }

    async fn cancel_order(
        &self,
        _: Request<CancelOrderRequest>,
    ) -> Result<Response<CancelOrderResponse>, Status> {
        Ok(Response::new(CancelOrderResponse {
            order: order(),
            unchanged: true,
        }))
    }

    async fn refund_order(
        &self,
        _: Request<RefundOrderRequest>,
    ) -> Result<Response<RefundOrderResponse>, Status> {
        Ok(Response::new(RefundOrderResponse {
            order: order(),
            unchanged: false,
        }))
    }

    type WatchOrderStream = Pin<Box<dyn Stream<Item = Result<WatchOrderResponse, Status>> + Send>>;

    async fn watch_order(
        &self,
        _: Request<WatchOrderRequest>,
    ) -> Result<Response<Self::WatchOrderStream>, Status> {
        let entry = TimelineEntry {
            version: 5,
            status: OrderStatus::Paid as i32,
            cause: "payment captured".to_owned(),
            at: order().unwrap().created_at,
            ..TimelineEntry::default()
        };
        let first = stream::once(async { Ok(WatchOrderResponse { entry: Some(entry) }) });
        Ok(Response::new(first.chain(stream::pending()).boxed()))
    }
}

/// Everybody's certificates and keys, gone with this value.
pub(crate) struct Everybody {
    pki: devstack::Pki,
    _dir: tempfile::TempDir,
}

impl Everybody {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self {
            pki: devstack::Pki::load_or_create(dir.path()).unwrap(),
            _dir: dir,
        }
    }

    pub(crate) fn trust(&self, service: &str) -> Trust {
        let (dir, key) = (self.pki.dir_of(service), self.pki.jwt_key(service));
        Trust::load(service, &dir, &key, &self.pki.public_keys()).unwrap()
    }
}

/// One set for the gateway and its fake neighbour.
static EVERYBODY: LazyLock<Everybody> = LazyLock::new(Everybody::new);

/// Serves `orders` at `listener` until the token is cancelled.
fn serve_orders(listener: TcpListener, orders: FakeOrders) -> CancellationToken {
    let stop = CancellationToken::new();
    let stopped = stop.clone().cancelled_owned();
    let exposed = Exposed::new().with(OrdersServiceServer::new(orders));
    let trust = EVERYBODY.trust("orders");
    tokio::spawn(async move {
        let limits = ServerLimits::default();
        server::serve(Arc::new(listener), exposed, trust, limits, stopped)
            .await
            .unwrap();
    });
    stop
}

async fn loopback() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

struct Running {
    addr: SocketAddr,
    shutdown: CancellationToken,
    ended: JoinHandle<Result<(), RunError>>,
}

/// A database where nobody listens: what needs no account works without one.
pub(crate) fn no_database() -> PgConfig {
    PgConfig::parse("postgres://gateway:none@127.0.0.1:1/gatewaydb", "test").unwrap()
}

pub(crate) fn user_keys() -> UserKeys {
    UserKeys::fixed(KeyRing::new(&UserKey::new(SECRET).unwrap(), None))
}

fn config(http_addr: SocketAddr, orders: SocketAddr) -> Config {
    let callee: shopapi_rpc::Endpoints = format!("https://{orders}").parse().unwrap();
    Config {
        http_addr,
        grpc_addr: ([127, 0, 0, 1], 0).into(),
        trust: EVERYBODY.trust("gateway"),
        orders_url: callee.clone(),
        inventory_url: callee,
        database: no_database(),
        user_keys: user_keys(),
        passwords: PasswordPool::cheap_for_tests().unwrap(),
        demo_users: Vec::new(),
        http_tls: None,
        trusted_proxies: TrustedProxies::default(),
        limits: Limits::default(),
    }
}

/// Runs the service beside the test, on the test's own thread as `main` does.
async fn gateway(orders: SocketAddr) -> Running {
    let (listener, addr) = loopback().await;
    let shutdown = CancellationToken::new();
    let ended = tokio::task::spawn_local(serve(config(addr, orders), listener, shutdown.clone()));
    Running {
        addr,
        shutdown,
        ended,
    }
}

/// Sends a request of the customer and leaves the connection open for the answer.
async fn open(addr: SocketAddr, method_and_path: &str, body: &str) -> TcpStream {
    let tokens = UserTokens::new(user_keys(), Duration::from_secs(60));
    let now_s = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let token = tokens.issue(CUSTOMER, now_s).unwrap().token;
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let request = format!(
        "{method_and_path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn rest_of(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_string(&mut text));
    read.await.expect("no end of the answer").unwrap();
    text
}

async fn call(addr: SocketAddr, method_and_path: &str, body: &str) -> String {
    rest_of(&mut open(addr, method_and_path, body).await).await
}

#[tokio::test(flavor = "local")]
async fn a_call_travels_to_orders_and_back_with_its_deadline() {
    let (listener, orders_addr) = loopback().await;
    let orders = FakeOrders::default();
    serve_orders(listener, orders.clone());
    let running = gateway(orders_addr).await;

    let body = r#"{"items":[{"sku":"TEA","quantity":1}],"payment_method":"tok_ok"}"#;
    let created = call(running.addr, "POST /api/v1/orders", body).await;
    let own = call(running.addr, "GET /api/v1/orders/7", "").await;
    let foreign = call(running.addr, "GET /api/v1/orders/8", "").await;
    let cancelled = call(running.addr, "POST /api/v1/orders/7/cancel", "").await;
    let refunded = call(running.addr, "POST /api/v1/orders/7/refund", "").await;

    assert!(created.starts_with("HTTP/1.1 201"), "{created}");
    assert!(
        own.starts_with("HTTP/1.1 200") && own.contains("\"PAID\""),
        "{own}"
    );
    assert!(foreign.starts_with("HTTP/1.1 404"), "{foreign}");
    assert!(cancelled.starts_with("HTTP/1.1 200"), "{cancelled}");
    assert!(refunded.starts_with("HTTP/1.1 202"), "{refunded}");
    assert_eq!(*orders.deadlines.lock().unwrap(), ["8000000u"]);

    running.shutdown.cancel();
    running.ended.await.unwrap().unwrap();
}

#[tokio::test(flavor = "local")]
async fn orders_that_went_away_are_a_503_until_they_are_back() {
    let (listener, orders_addr) = loopback().await;
    let first = serve_orders(listener, FakeOrders::default());
    let running = gateway(orders_addr).await;
    assert!(
        call(running.addr, "GET /api/v1/orders/7", "")
            .await
            .starts_with("HTTP/1.1 200")
    );

    first.cancel();
    let gone = tokio::time::timeout(PATIENCE, async {
        loop {
            let answer = call(running.addr, "GET /api/v1/orders/7", "").await;
            if answer.starts_with("HTTP/1.1 503") {
                return answer;
            }
        }
    });
    let answer = gone.await.expect("the loss was not noticed");
    assert!(
        answer.contains("retry-after: 1") && answer.contains("unavailable"),
        "{answer}"
    );
    assert!(
        call(running.addr, "GET /livez", "")
            .await
            .starts_with("HTTP/1.1 200")
    );

    serve_orders(
        TcpListener::bind(orders_addr).await.unwrap(),
        FakeOrders::default(),
    );
    let back = tokio::time::timeout(PATIENCE, async {
        while !call(running.addr, "GET /api/v1/orders/7", "")
            .await
            .starts_with("HTTP/1.1 200")
        {}
    });
    back.await.expect("the return was not noticed");

    running.shutdown.cancel();
    running.ended.await.unwrap().unwrap();
}

#[tokio::test(flavor = "local")]
async fn an_event_stream_carries_versions_and_ends_when_the_service_stops() {
    let (listener, orders_addr) = loopback().await;
    serve_orders(listener, FakeOrders::default());
    let running = gateway(orders_addr).await;

    let mut events = open(running.addr, "GET /api/v1/orders/7/events", "").await;
    let mut text = String::new();
    while !text.contains("payment captured") {
        let mut chunk = [0; 1024];
        let read = tokio::time::timeout(PATIENCE, events.read(&mut chunk))
            .await
            .unwrap()
            .unwrap();
        assert_ne!(read, 0, "the stream ended early: {text}");
        text.push_str(&String::from_utf8_lossy(&chunk[..read]));
    }
    assert!(text.contains("content-type: text/event-stream"), "{text}");
    assert!(
        text.contains("id: 5") && text.contains("event: transition"),
        "{text}"
    );

    running.shutdown.cancel();
    rest_of(&mut events).await;
    let stopped = tokio::time::timeout(PATIENCE, running.ended)
        .await
        .expect("did not stop");
    stopped.unwrap().unwrap();
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_names_it() {
    let (_listener, addr) = loopback().await;
    let error = run(config(addr, addr), CancellationToken::new())
        .await
        .unwrap_err();
    assert!(error.to_string().contains(&addr.to_string()), "{error}");
}
