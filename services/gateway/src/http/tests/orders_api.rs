//! Orders: what is asked of the orders service, and what its answers become.

use std::time::Duration;

use actor_kit::probe::Probe;
use axum::body::Body;
use axum::http::Request;
use prost::Message as _;
use serde_json::json;
use shopapi_proto::common::v1::{Refusal, Shortage, refusal};
use shopapi_proto::orders::v1::{
    CancelOrderResponse, CancelReason, Conflict, CreateOrderRequest, CreateOrderResponse,
    GetOrderResponse, GetTimelineResponse, ListOrdersResponse, OrderRefused, OrderStatus,
    RefundOrderResponse, TimelineEntry, conflict,
};
use tonic::Status;

use super::support::{
    CUSTOMER, Gateway, Got, gateway, gateway_with, get, order, post, request, send,
};
use crate::config::Limits;
use crate::http::errors::tests::failed_precondition;
use crate::orders_client::OrdersCall;
use crate::rpc::Answer;

const ORDERS: &str = "/api/v1/orders";

fn tea() -> String {
    json!({"items": [{"sku": "TEA", "quantity": 2}], "payment_method": "tok_ok"}).to_string()
}

/// Answers the next call, which must be a `Create`, and returns its request.
async fn answer_create(
    orders: &mut Probe<OrdersCall>,
    answer: Answer<CreateOrderResponse>,
) -> CreateOrderRequest {
    let OrdersCall::Create { request, reply } = orders.next().await else {
        panic!("another call")
    };
    reply.send(answer);
    request
}

fn created(status: OrderStatus) -> Answer<CreateOrderResponse> {
    Ok(CreateOrderResponse {
        order: Some(order(status)),
        replayed: false,
    })
}

/// Places an order that is answered with `answer`.
async fn place(
    request: Request<Body>,
    answer: Answer<CreateOrderResponse>,
) -> (Got, CreateOrderRequest) {
    let Gateway {
        router, mut orders, ..
    } = gateway();
    tokio::join!(send(&router, request), answer_create(&mut orders, answer))
}

#[tokio::test]
async fn an_order_is_placed_for_the_customer_of_the_token() {
    let (got, asked) = place(post(ORDERS, tea()), created(OrderStatus::AwaitingPayment)).await;

    assert_eq!(got.status, 201);
    assert_eq!(got.header("location"), "/api/v1/orders/7");
    assert_eq!(
        got.body,
        json!({
            "order_id": 7,
            "customer_id": CUSTOMER.to_string(),
            "status": "AWAITING_PAYMENT",
            "items": [{"sku": "TEA", "quantity": 2}],
            "total_cents": 2580,
            "currency": "EUR",
            "created_at": "2027-01-15T08:00:00Z",
            "updated_at": "2027-01-15T08:00:01Z",
            "trace_id": null,
        })
    );
    assert_eq!(asked.customer_id, CUSTOMER.to_string());
    assert_eq!(asked.payment_method, "tok_ok");
    assert_eq!((asked.idempotency_key.as_str(), asked.wait_ms), ("", 0));
    assert_eq!(asked.request_fingerprint.len(), 32);
}

#[tokio::test]
async fn ones_own_customer_id_may_stand_in_the_body() {
    let body = json!({
        "items": [{"sku": "TEA", "quantity": 2}],
        "payment_method": "tok_ok",
        "customer_id": CUSTOMER.to_string().to_uppercase(),
    });
    let (got, _) = place(
        post(ORDERS, body.to_string()),
        created(OrderStatus::Pending),
    )
    .await;
    assert_eq!(got.status, 202);
    assert_eq!(got.header("location"), "/api/v1/orders/7");
}

#[tokio::test]
async fn prefer_wait_and_the_idempotency_key_are_passed_on() {
    let with_headers = request("POST", ORDERS)
        .header("content-type", "application/json")
        .header("idempotency-key", "4c1e")
        .header("prefer", "wait=5")
        .body(Body::from(tea()))
        .unwrap();
    let mut paid = order(OrderStatus::Cancelled);
    paid.cancel_reason = CancelReason::PaymentDeclined as i32;
    let answer = Ok(CreateOrderResponse {
        order: Some(paid),
        replayed: true,
    });

    let (got, asked) = place(with_headers, answer).await;

    assert_eq!(
        (asked.idempotency_key.as_str(), asked.wait_ms),
        ("4c1e", 5000)
    );
    assert_eq!(got.status, 201);
    assert_eq!(got.body["status"], "CANCELLED");
    assert_eq!(got.body["cancel_reason"], "payment_declined");
    assert_eq!(got.header("preference-applied"), "wait=5");
    assert_eq!(got.header("idempotency-replayed"), "true");
}

#[tokio::test]
async fn out_of_stock_names_the_order_and_the_short_lines() {
    let shortage = Shortage {
        sku: "TEA".to_owned(),
        requested: 2,
        available: 1,
    };
    let refused = OrderRefused {
        order_id: 7,
        refusal: Some(Refusal {
            reason: refusal::Reason::OutOfStock as i32,
            shortages: vec![shortage],
        }),
    };
    let status = failed_precondition("shopapi.orders.v1.OrderRefused", refused.encode_to_vec());

    let (got, _) = place(post(ORDERS, tea()), Err(status)).await;

    got.assert_problem(409, "out-of-stock");
    assert_eq!(got.body["order_id"], 7);
    assert_eq!(
        got.body["lines"],
        json!([{"sku": "TEA", "requested": 2, "available": 1}])
    );
}

#[tokio::test]
async fn an_unknown_sku_is_a_422_that_names_it() {
    let shortage = Shortage {
        sku: "NOPE".to_owned(),
        requested: 1,
        available: 0,
    };
    let refused = OrderRefused {
        order_id: 8,
        refusal: Some(Refusal {
            reason: refusal::Reason::UnknownSku as i32,
            shortages: vec![shortage],
        }),
    };
    let status = failed_precondition("shopapi.orders.v1.OrderRefused", refused.encode_to_vec());
    let (got, _) = place(post(ORDERS, tea()), Err(status)).await;
    got.assert_problem(422, "unknown-sku");
    assert_eq!(got.body["lines"][0]["sku"], "NOPE");
}

#[tokio::test]
async fn a_key_of_another_request_is_a_422() {
    let reused = Conflict {
        reason: conflict::Reason::IdempotencyKeyReused as i32,
        status: 0,
    };
    let status = failed_precondition("shopapi.orders.v1.Conflict", reused.encode_to_vec());
    let (got, _) = place(post(ORDERS, tea()), Err(status)).await;
    got.assert_problem(422, "idempotency-key-reused");
}

#[tokio::test]
async fn a_service_that_is_gone_is_a_503_that_says_when_to_come_back() {
    for status in [
        Status::unavailable("connection refused"),
        Status::unauthenticated("no certificate"),
    ] {
        let (got, _) = place(post(ORDERS, tea()), Err(status)).await;
        got.assert_problem(503, "unavailable");
        assert_eq!(got.header("retry-after"), "1");
        assert!(
            got.body["detail"]
                .as_str()
                .unwrap()
                .contains("Idempotency-Key")
        );
    }
    let (got, _) = place(post(ORDERS, tea()), Err(Status::resource_exhausted("full"))).await;
    got.assert_problem(503, "overloaded");
    assert_eq!(got.header("retry-after"), "1");
}

#[tokio::test]
async fn no_internal_text_gets_out() {
    for status in [
        Status::internal("SELECT secret"),
        Status::unknown("SELECT secret"),
    ] {
        let (got, _) = place(post(ORDERS, tea()), Err(status)).await;
        got.assert_problem(500, "internal-error");
        assert!(!got.body.to_string().contains("secret"), "{got:?}");
    }
}

#[tokio::test]
async fn a_client_that_crashed_is_a_503() {
    let Gateway {
        router, mut orders, ..
    } = gateway();
    let crash = async { drop(orders.next().await) };
    let (got, ()) = tokio::join!(send(&router, post(ORDERS, tea())), crash);
    got.assert_problem(503, "unavailable");
}

#[tokio::test]
async fn with_every_place_taken_the_next_call_is_refused_at_once() {
    let Gateway {
        router, mut orders, ..
    } = gateway();
    let waiting: Vec<_> = (0..8)
        .map(|_| {
            tokio::spawn({
                let router = router.clone();
                async move { send(&router, get("/api/v1/orders/7")).await }
            })
        })
        .collect();
    // The places stay taken for as long as the envelopes are held.
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(orders.next_envelope().await);
    }

    let got = send(&router, post(ORDERS, tea())).await;

    got.assert_problem(503, "overloaded");
    drop(held);
    for call in waiting {
        call.await.unwrap().assert_problem(503, "unavailable");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_without_an_answer_ends_by_itself() {
    let Gateway {
        router, mut orders, ..
    } = gateway();
    let never = async {
        let held = orders.next().await;
        tokio::time::sleep(Duration::from_secs(3600)).await;
        drop(held);
    };
    tokio::select! {
        got = send(&router, get("/api/v1/orders/7")) => got.assert_problem(503, "unavailable"),
        () = never => panic!("the call outlived an hour"),
    }
}

#[tokio::test]
async fn an_order_is_read_and_a_foreign_one_is_absent() {
    let Gateway {
        router, mut orders, ..
    } = gateway();
    let answer = async {
        let OrdersCall::Get { request, reply } = orders.next().await else {
            panic!("another call")
        };
        reply.send(Ok(GetOrderResponse {
            order: Some(order(OrderStatus::Paid)),
        }));
        let OrdersCall::Get { reply, .. } = orders.next().await else {
            panic!("another call")
        };
        reply.send(Err(Status::not_found("")));
        request
    };
    let calls = async {
        (
            send(&router, get("/api/v1/orders/7")).await,
            send(&router, get("/api/v1/orders/8")).await,
        )
    };
    let ((own, foreign), asked) = tokio::join!(calls, answer);

    assert_eq!(
        (own.status.as_u16(), &own.body["status"]),
        (200, &json!("PAID"))
    );
    assert_eq!(
        (asked.order_id, asked.customer_id),
        (7, CUSTOMER.to_string())
    );
    foreign.assert_problem(404, "order-not-found");
}

#[tokio::test]
async fn orders_are_listed_by_page_and_status() {
    let Gateway {
        router, mut orders, ..
    } = gateway();
    let answer = async {
        let OrdersCall::List { request, reply } = orders.next().await else {
            panic!("another call")
        };
        let page = ListOrdersResponse {
            orders: vec![order(OrderStatus::Paid)],
            next_before_order_id: 7,
        };
        reply.send(Ok(page));
        request
    };
    let path = format!("{ORDERS}?status=PAID&limit=1&cursor=9");
    let (got, asked) = tokio::join!(send(&router, get(&path)), answer);

    assert_eq!(got.status, 200);
    assert_eq!(got.body["orders"][0]["order_id"], 7);
    assert_eq!(got.body["next_cursor"], "7");
    assert_eq!(asked.status, OrderStatus::Paid as i32);
    assert_eq!((asked.limit, asked.before_order_id), (1, 9));
    assert_eq!(asked.customer_id, CUSTOMER.to_string());
}

#[tokio::test]
async fn the_timeline_shows_every_transition() {
    let Gateway {
        router, mut orders, ..
    } = gateway();
    let entry = TimelineEntry {
        version: 1,
        status: OrderStatus::Pending as i32,
        saga_step: "Reserving".to_owned(),
        saga_state: "RUNNING".to_owned(),
        cause: "order accepted".to_owned(),
        at: order(OrderStatus::Pending).created_at,
    };
    let answer = async {
        let OrdersCall::Timeline { reply, .. } = orders.next().await else {
            panic!("another call")
        };
        reply.send(Ok(GetTimelineResponse {
            entries: vec![entry],
        }));
    };
    let (got, ()) = tokio::join!(send(&router, get("/api/v1/orders/7/timeline")), answer);

    let expected = json!({"order_id": 7, "entries": [{
        "version": 1, "status": "PENDING", "saga_step": "Reserving", "saga_state": "RUNNING",
        "cause": "order accepted", "at": "2027-01-15T08:00:00Z",
    }]});
    assert_eq!((got.status.as_u16(), got.body), (200, expected));
}

#[tokio::test]
async fn cancelling_is_accepted_once_and_a_repeat_changes_nothing() {
    let Gateway {
        router, mut orders, ..
    } = gateway();
    let answer = async {
        for unchanged in [false, true] {
            let OrdersCall::Cancel { reply, .. } = orders.next().await else {
                panic!("another call")
            };
            let order = Some(order(OrderStatus::CancelPending));
            reply.send(Ok(CancelOrderResponse { order, unchanged }));
        }
    };
    let calls = async {
        let cancel = || post("/api/v1/orders/7/cancel", "");
        (send(&router, cancel()).await, send(&router, cancel()).await)
    };
    let ((first, repeat), ()) = tokio::join!(calls, answer);
    assert_eq!((first.status.as_u16(), repeat.status.as_u16()), (202, 200));
    assert_eq!(first.body["status"], "CANCEL_PENDING");
}

#[tokio::test]
async fn a_paid_order_is_refunded_and_not_cancelled() {
    let Gateway {
        router, mut orders, ..
    } = gateway();
    let answer = async {
        let OrdersCall::Cancel { reply, .. } = orders.next().await else {
            panic!("another call")
        };
        let paid = Conflict {
            reason: conflict::Reason::AlreadyPaid as i32,
            status: OrderStatus::Paid as i32,
        };
        reply.send(Err(failed_precondition(
            "shopapi.orders.v1.Conflict",
            paid.encode_to_vec(),
        )));
        let OrdersCall::Refund { reply, .. } = orders.next().await else {
            panic!("another call")
        };
        let order = Some(order(OrderStatus::RefundPending));
        reply.send(Ok(RefundOrderResponse {
            order,
            unchanged: false,
        }));
    };
    let calls = async {
        (
            send(&router, post("/api/v1/orders/7/cancel", "")).await,
            send(&router, post("/api/v1/orders/7/refund", "")).await,
        )
    };
    let ((cancelled, refunded), ()) = tokio::join!(calls, answer);
    cancelled.assert_problem(409, "already-paid");
    assert_eq!(cancelled.body["status"], 409);
    assert_eq!(cancelled.body["order_status"], "PAID");
    assert_eq!(
        (refunded.status.as_u16(), &refunded.body["status"]),
        (202, &json!("REFUND_PENDING"))
    );
}

#[tokio::test]
async fn an_answer_that_breaks_the_contract_is_a_500() {
    let (got, _) = place(post(ORDERS, tea()), Ok(CreateOrderResponse::default())).await;
    got.assert_problem(500, "internal-error");
    let (got, _) = place(post(ORDERS, tea()), created(OrderStatus::Unspecified)).await;
    got.assert_problem(500, "internal-error");
}

#[tokio::test]
async fn event_streams_are_bounded_and_resume_where_the_client_says() {
    let limits = Limits {
        streams_max: 0,
        ..Limits::default()
    };
    let full = gateway_with(limits);
    let got = send(&full.router, get("/api/v1/orders/7/events")).await;
    got.assert_problem(503, "overloaded");
    let limits = Limits {
        streams_per_customer_max: 0,
        ..Limits::default()
    };
    let enough = gateway_with(limits);
    let got = send(&enough.router, get("/api/v1/orders/7/events")).await;
    got.assert_problem(429, "too-many-streams");
    assert_eq!(got.header("retry-after"), "15");

    let Gateway {
        router, mut orders, ..
    } = gateway();
    let answer = async {
        let OrdersCall::Watch { request, reply } = orders.next().await else {
            panic!("another call")
        };
        reply.send(Err(Status::not_found("")));
        request
    };
    let resumed = request("GET", "/api/v1/orders/7/events").header("last-event-id", "4");
    let (got, asked) = tokio::join!(send(&router, resumed.body(Body::empty()).unwrap()), answer);
    got.assert_problem(404, "order-not-found");
    assert_eq!(asked.after_version, 4);

    let nonsense = request("GET", "/api/v1/orders/7/events").header("last-event-id", "x");
    let got = send(&router, nonsense.body(Body::empty()).unwrap()).await;
    got.assert_problem(400, "invalid-request");
}
