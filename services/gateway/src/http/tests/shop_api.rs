//! The catalogue, probes and the API's own description.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use shopapi_proto::inventory::v1::{GetProductResponse, ListProductsResponse, Product};
use tonic::Status;

use super::support::{Gateway, gateway, get, send};
use crate::catalog_client::CatalogCall;
use crate::http::problem::Kind;

fn tea() -> Product {
    Product {
        sku: "TEA".to_owned(),
        name: "Green tea".to_owned(),
        unit_price_cents: 1290,
        currency: "EUR".to_owned(),
        available: 5,
    }
}

#[tokio::test]
async fn products_are_listed_by_page_for_everybody() {
    let Gateway {
        router,
        mut catalog,
        ..
    } = gateway();
    let answer = async {
        let CatalogCall::List { request, reply } = catalog.next().await else {
            panic!("another call")
        };
        let products = vec![tea()];
        reply.send(Ok(ListProductsResponse {
            products,
            next_after_sku: "TEA".to_owned(),
        }));
        request
    };
    let anonymous = Request::get("/api/v1/products?limit=1&cursor=A")
        .body(Body::empty())
        .unwrap();
    let (got, asked) = tokio::join!(send(&router, anonymous), answer);

    let expected = json!({
        "products": [{
            "sku": "TEA", "name": "Green tea", "unit_price_cents": 1290, "currency": "EUR", "available": 5,
        }],
        "next_cursor": "TEA",
    });
    assert_eq!((got.status.as_u16(), got.body), (200, expected));
    assert_eq!((asked.limit, asked.after_sku.as_str()), (1, "A"));
}

#[tokio::test]
async fn a_product_is_found_or_absent() {
    let Gateway {
        router,
        mut catalog,
        ..
    } = gateway();
    let answer = async {
        let CatalogCall::Get { reply, .. } = catalog.next().await else {
            panic!("another call")
        };
        reply.send(Ok(GetProductResponse {
            product: Some(tea()),
        }));
        let CatalogCall::Get { reply, .. } = catalog.next().await else {
            panic!("another call")
        };
        reply.send(Err(Status::not_found("")));
    };
    let calls = async {
        (
            send(&router, get("/api/v1/products/TEA")).await,
            send(&router, get("/api/v1/products/NOPE")).await,
            send(&router, get("/api/v1/products/no%20sku")).await,
        )
    };
    let ((found, absent, impossible), ()) = tokio::join!(calls, answer);
    assert_eq!(
        (found.status.as_u16(), &found.body["available"]),
        (200, &json!(5))
    );
    absent.assert_problem(404, "product-not-found");
    impossible.assert_problem(404, "product-not-found");
}

#[tokio::test]
async fn readiness_ends_when_draining_begins_and_liveness_does_not() {
    let gateway = gateway();
    assert_eq!(send(&gateway.router, get("/readyz")).await.status, 200);
    gateway.readiness.drain();
    let got = send(&gateway.router, get("/readyz")).await;
    assert_eq!(
        (got.status.as_u16(), &got.body["status"]),
        (503, &json!("draining"))
    );
    assert_eq!(send(&gateway.router, get("/livez")).await.status, 200);
}

#[tokio::test]
async fn the_description_names_every_call_and_every_problem() {
    let gateway = gateway();
    let got = send(&gateway.router, get("/api/v1/openapi.json")).await;
    assert_eq!(got.status, 200);
    for (path, method) in [
        ("/api/v1/auth/register", "post"),
        ("/api/v1/auth/login", "post"),
        ("/api/v1/auth/refresh", "post"),
        ("/api/v1/auth/logout", "post"),
        ("/api/v1/products", "get"),
        ("/api/v1/products/{sku}", "get"),
        ("/api/v1/orders", "post"),
        ("/api/v1/orders", "get"),
        ("/api/v1/orders/{id}", "get"),
        ("/api/v1/orders/{id}/timeline", "get"),
        ("/api/v1/orders/{id}/events", "get"),
        ("/api/v1/orders/{id}/cancel", "post"),
        ("/api/v1/orders/{id}/refund", "post"),
        ("/livez", "get"),
        ("/readyz", "get"),
    ] {
        assert!(
            got.body["paths"][path][method].is_object(),
            "{method} {path}"
        );
    }
    let text = got.body.to_string();
    // Those that any call may meet stand in the preamble's rules, not at each call.
    let anywhere = [
        Kind::NotFound,
        Kind::MethodNotAllowed,
        Kind::RequestTimeout,
        Kind::LengthRequired,
        Kind::Internal,
    ];
    for kind in Kind::ALL
        .into_iter()
        .filter(|kind| !anywhere.contains(kind))
    {
        assert!(text.contains(kind.slug()), "{kind:?}");
    }
    let schema = &got.body["components"]["schemas"]["ProblemDocument"]["properties"];
    assert!(
        schema["type"].is_object() && schema["detail"].is_object(),
        "{schema}"
    );
    assert!(got.body["components"]["securitySchemes"]["user"].is_object());
}

#[tokio::test]
async fn the_docs_load_nothing_from_elsewhere_and_are_small() {
    let gateway = gateway();
    let mut bytes = 0;
    for (path, content_type) in [
        ("/docs", "text/html"),
        ("/docs/docs.js", "text/javascript"),
        ("/docs/docs.css", "text/css"),
    ] {
        let got = send(&gateway.router, get(path)).await;
        assert_eq!(got.status, 200, "{path}");
        assert!(
            got.header("content-type").starts_with(content_type),
            "{got:?}"
        );
        assert!(
            got.header("content-security-policy")
                .contains("default-src 'none'")
        );
        let text = got.body.as_str().unwrap();
        assert!(!text.contains("://"), "{path} names another host");
        bytes += text.len();
    }
    assert!(bytes < 20_000, "{bytes}");
}
