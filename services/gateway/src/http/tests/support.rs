//! A router whose services are probes, and requests against it.

use std::sync::{Arc, Once};
use std::time::Duration;

use actor_kit::probe::{Probe, probe};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use prost_types::Timestamp;
use serde_json::Value;
use shopapi_auth::testing::MemoryStore;
use shopapi_auth::{
    Account, Accounts, CustomerId, Email, KeyRing, PasswordPool, Rate, Throttle, UserKey, UserKeys,
    UserTokens,
};
use shopapi_health::Readiness;
use shopapi_proto::common::v1::Line;
use shopapi_proto::orders::v1::{Order, OrderStatus};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use uuid::Uuid;

use crate::catalog_client::CatalogCall;
use crate::config::Limits;
use crate::http::extract::now_s;
use crate::http::{Api, Streams, router};
use crate::orders_client::OrdersCall;

pub(crate) const CUSTOMER: CustomerId = CustomerId(Uuid::from_u128(0x4000_8000_0000_0000_0001));
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Failed attempts that are let through at once.
pub(crate) const FAILURES_MAX: u32 = 5;

/// A gateway without sockets, and the other ends of its clients' mailboxes.
pub(crate) struct Gateway {
    pub(crate) router: Router,
    pub(crate) orders: Probe<OrdersCall>,
    pub(crate) catalog: Probe<CatalogCall>,
    pub(crate) readiness: Readiness,
    store: Arc<MemoryStore>,
    passwords: PasswordPool,
}

impl Gateway {
    /// Ann is a customer, and her password is `correct horse`.
    pub(crate) async fn with_ann(self) -> Self {
        let password = self.passwords.hash("correct horse".into()).await.unwrap();
        let account = Account {
            customer: CUSTOMER,
            password,
        };
        self.store
            .put(&Email::parse("ann@example.test").unwrap(), account);
        self
    }
}

pub(crate) fn tokens() -> UserTokens {
    let ring = KeyRing::new(&UserKey::new(SECRET).unwrap(), None);
    UserTokens::new(UserKeys::fixed(ring), Duration::from_secs(900))
}

pub(crate) fn gateway() -> Gateway {
    gateway_with(Limits::default())
}

pub(crate) fn gateway_with(limits: Limits) -> Gateway {
    let (orders_mailbox, orders) = probe(8);
    let (catalog_mailbox, catalog) = probe(8);
    let passwords = PasswordPool::cheap_for_tests().unwrap();
    let store = Arc::new(MemoryStore::default());
    let failures = Rate {
        burst: FAILURES_MAX,
        refill: Duration::from_secs(60),
    };
    let throttle = Throttle::new(failures, failures);
    let readiness = Readiness::new();
    let api = Api {
        orders: orders_mailbox,
        catalog: catalog_mailbox,
        tokens: tokens(),
        accounts: Accounts::new(store.clone(), passwords.clone(), throttle),
        // What the tests call a proxy; they have no connection, so this is where every request comes from.
        proxies: "0.0.0.0".parse().unwrap(),
        forwarding_ignored: Once::new(),
        readiness: readiness.clone(),
        streams: Streams::new(limits.streams_max, limits.streams_per_customer_max),
        draining: CancellationToken::new(),
        limits,
    };
    Gateway {
        router: router(Arc::new(api)),
        orders,
        catalog,
        readiness,
        store,
        passwords,
    }
}

/// A response, read to its end.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Asserts that this is a problem document of the given status and type, which says what to do.
    #[track_caller]
    pub(crate) fn assert_problem(&self, status: u16, kind: &str) {
        assert_eq!(self.body["type"], kind, "{self:?}");
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.body["status"], status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert!(
            self.body["title"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
        assert!(
            self.body["detail"]
                .as_str()
                .is_some_and(|text| text.len() > 10),
            "{self:?}"
        );
    }

    /// The pointers of what is wrong.
    pub(crate) fn pointers(&self) -> Vec<&str> {
        let errors = self.body["errors"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        errors
            .iter()
            .filter_map(|error| error["pointer"].as_str())
            .collect()
    }
}

pub(crate) async fn send(router: &Router, request: Request<Body>) -> Got {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    let body = serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
    Got {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}

/// A request of the customer.
pub(crate) fn request(method: &str, path: &str) -> axum::http::request::Builder {
    let token = tokens().issue(CUSTOMER, now_s()).unwrap().token;
    Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {token}"))
}

pub(crate) fn get(path: &str) -> Request<Body> {
    request("GET", path).body(Body::empty()).unwrap()
}

pub(crate) fn post(path: &str, body: impl Into<Body>) -> Request<Body> {
    request("POST", path)
        .header("content-type", "application/json")
        .body(body.into())
        .unwrap()
}

/// An order as orders answers it.
pub(crate) fn order(status: OrderStatus) -> Order {
    Order {
        order_id: 7,
        customer_id: CUSTOMER.to_string(),
        status: status as i32,
        cancel_reason: 0,
        items: vec![Line {
            sku: "TEA".to_owned(),
            quantity: 2,
        }],
        total_cents: Some(2580),
        currency: Some("EUR".to_owned()),
        created_at: Some(Timestamp {
            seconds: 1_800_000_000,
            nanos: 0,
        }),
        updated_at: Some(Timestamp {
            seconds: 1_800_000_001,
            nanos: 0,
        }),
        trace_id: String::new(),
        saga_state: "RUNNING".to_owned(),
        version: 3,
    }
}
