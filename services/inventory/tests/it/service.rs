//! The whole service in this process: its tree, its ports, its answers on the wire.

use std::net::SocketAddr;
use std::time::Duration;

use actor_kit::tree::picture_in;
use devstack::get_status;
use shopapi_inventory::{Config, Limits, RunError, Service, run};
use shopapi_postgres::PgConfig;
use shopapi_proto::common::v1::{Line, refusal::Reason};
use shopapi_proto::inventory::v1::catalog_service_client::CatalogServiceClient;
use shopapi_proto::inventory::v1::inventory_service_client::InventoryServiceClient;
use shopapi_proto::inventory::v1::{
    CommitItem, CommitRequest, GetProductRequest, ListProductsRequest, ReleaseItem, ReleaseRequest,
    ReservationState, ReserveItem, ReserveRequest, commit_result, release_result, reserve_result,
};
use shopapi_rpc::{Balanced, Credentials, Trust};
use tokio_util::sync::CancellationToken;
use tonic::Code;
use uuid::Uuid;

use crate::support::*;

type Stock = InventoryServiceClient<Balanced>;

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn config(bench: &Bench) -> Config {
    Config {
        database: bench.config(),
        trust: Trust::in_set("inventory", bench.stack.pki().dir()).unwrap(),
        grpc: any_port(),
        health: any_port(),
        limits: Limits::default(),
    }
}

/// The way to the service for orders, which may call all of it.
async fn channel(bench: &Bench, service: &Service) -> Balanced {
    let url = format!("https://{}", service.grpc_addr().unwrap());
    let orders = Credentials::in_set("orders", bench.stack.pki().dir()).unwrap();
    let channel = Balanced::connect(url.parse().unwrap(), orders.towards("inventory"));
    eventually("orders is connected", async || {
        channel.ready().await.is_ok()
    })
    .await;
    channel
}

fn uuid(n: u128) -> String {
    Uuid::from_u128(n).to_string()
}

fn item(n: u128, sku: &str, quantity: i64) -> ReserveItem {
    ReserveItem {
        reservation_id: uuid(n),
        order_id: i64::try_from(n).unwrap(),
        lines: vec![Line {
            sku: sku.to_owned(),
            quantity,
        }],
        traceparent: String::new(),
    }
}

#[tokio::test]
async fn the_tree_runs_as_it_is_drawn() {
    let bench = Bench::start().await;
    let service = Service::start(config(&bench)).await.unwrap();
    assert_eq!(
        service.render(),
        picture_in(include_str!("../../src/tree.rs"))
    );
    service.stop().await;
}

async fn reserve_all(client: &mut Stock, items: Vec<ReserveItem>) -> Vec<reserve_result::Outcome> {
    let results = client
        .reserve(ReserveRequest { items })
        .await
        .unwrap()
        .into_inner()
        .results;
    results
        .into_iter()
        .map(|result| result.outcome.unwrap())
        .collect()
}

async fn commit_all(client: &mut Stock, numbers: &[u128]) -> Vec<commit_result::Outcome> {
    let item = |n: &u128| CommitItem {
        reservation_id: uuid(*n),
        order_id: i64::try_from(*n).unwrap(),
        traceparent: String::new(),
    };
    let request = CommitRequest {
        items: numbers.iter().map(item).collect(),
    };
    let results = client.commit(request).await.unwrap().into_inner().results;
    results
        .into_iter()
        .map(|result| result.outcome.unwrap())
        .collect()
}

async fn release_all(client: &mut Stock, numbers: &[u128]) -> Vec<release_result::Outcome> {
    let item = |n: &u128| ReleaseItem {
        reservation_id: uuid(*n),
        release_id: uuid(*n | 1 << 64),
        order_id: i64::try_from(*n).unwrap(),
        traceparent: String::new(),
    };
    let request = ReleaseRequest {
        items: numbers.iter().map(item).collect(),
    };
    let results = client.release(request).await.unwrap().into_inner().results;
    results
        .into_iter()
        .map(|result| result.outcome.unwrap())
        .collect()
}

#[tokio::test]
async fn every_reserve_item_gets_its_own_answer() {
    let bench = Bench::start().await;
    bench.product("A", 250, "EUR", 10).await;
    let service = Service::start(config(&bench)).await.unwrap();
    let mut client = InventoryServiceClient::new(channel(&bench, &service).await);

    let broken = ReserveItem {
        reservation_id: "7".to_owned(),
        ..item(7, "A", 1)
    };
    let foreign = ReserveItem {
        order_id: 0,
        ..item(8, "A", 1)
    };
    let items = vec![
        item(1, "A", 2),
        item(2, "A", 20),
        item(3, "NOPE", 1),
        item(4, "A", -1),
        broken,
        foreign,
    ];
    let outcomes = reserve_all(&mut client, items).await;

    let reserve_result::Outcome::Held(held) = &outcomes[0] else {
        panic!("{:?}", outcomes[0])
    };
    assert_eq!(
        (held.total_cents, held.currency.as_str(), held.lines.len()),
        (500, "EUR", 1)
    );
    for (index, reason) in [
        (1, Reason::OutOfStock),
        (2, Reason::UnknownSku),
        (3, Reason::InvalidLines),
    ] {
        let reserve_result::Outcome::Refused(refusal) = &outcomes[index] else {
            panic!("{:?}", outcomes[index])
        };
        assert_eq!(refusal.reason(), reason);
    }
    for outcome in &outcomes[4..] {
        let reserve_result::Outcome::Error(error) = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(Code::from(error.code), Code::InvalidArgument);
    }
    bench.assert_books_balance().await;
    service.stop().await;
}

#[tokio::test]
async fn every_commit_and_release_item_tells_the_state_afterwards() {
    let bench = Bench::start().await;
    bench.product("A", 250, "EUR", 10).await;
    let service = Service::start(config(&bench)).await.unwrap();
    let mut client = InventoryServiceClient::new(channel(&bench, &service).await);
    reserve_all(&mut client, vec![item(1, "A", 2), item(2, "A", 20)]).await;

    let committed = commit_all(&mut client, &[1, 2, 99]).await;
    let state = |state: ReservationState| commit_result::Outcome::State(state.into());
    assert_eq!(
        committed[..2],
        [
            state(ReservationState::Committed),
            state(ReservationState::Refused)
        ]
    );
    assert!(
        matches!(&committed[2], commit_result::Outcome::Error(error) if Code::from(error.code) == Code::NotFound)
    );

    let released = release_all(&mut client, &[1, 2, 50]).await;
    let state = |state: ReservationState| release_result::Outcome::State(state.into());
    assert_eq!(
        released[0],
        state(ReservationState::Committed),
        "sold goods are not released"
    );
    assert_eq!(released[1], state(ReservationState::Refused));
    assert_eq!(
        released[2],
        state(ReservationState::Released),
        "a tombstone"
    );
    let late = reserve_all(&mut client, vec![item(50, "A", 1)]).await;
    assert_eq!(
        late,
        [reserve_result::Outcome::Ended(
            ReservationState::Released.into()
        )]
    );
    bench.assert_books_balance().await;
    service.stop().await;
}

#[tokio::test]
async fn requests_over_the_limits_are_refused() {
    let bench = Bench::start().await;
    let service = Service::start(config(&bench)).await.unwrap();
    let mut client = InventoryServiceClient::new(channel(&bench, &service).await);
    let limits = Limits::default();
    let items = (1..=limits.items_max as u128 + 1)
        .map(|n| item(n, "A", 1))
        .collect();
    let refused = client.reserve(ReserveRequest { items }).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let huge = item(1, &"X".repeat(limits.message_bytes_max), 1);
    let refused = client
        .reserve(ReserveRequest { items: vec![huge] })
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange);
    assert_eq!(bench.number("SELECT count(*) FROM reservations").await, 0);
    service.stop().await;
}

#[tokio::test]
async fn the_catalogue_is_read_page_by_page() {
    let bench = Bench::start().await;
    for n in 0..7 {
        bench
            .product(&format!("SKU-{n}"), 100 + n, "EUR", 10 * n)
            .await;
    }
    bench
        .keeper()
        .await
        .tell(reserve(1, &[("SKU-6", 4)]))
        .await
        .unwrap();
    let service = Service::start(config(&bench)).await.unwrap();
    let mut client = CatalogServiceClient::new(channel(&bench, &service).await);

    let mut seen = Vec::new();
    let mut after_sku = String::new();
    loop {
        let page = client
            .list_products(ListProductsRequest {
                limit: 3,
                after_sku,
            })
            .await
            .unwrap()
            .into_inner();
        assert!(page.products.len() <= 3);
        seen.extend(page.products);
        after_sku = page.next_after_sku;
        if after_sku.is_empty() {
            break;
        }
    }
    let skus: Vec<_> = seen.iter().map(|product| product.sku.as_str()).collect();
    assert_eq!(
        skus,
        [
            "SKU-0", "SKU-1", "SKU-2", "SKU-3", "SKU-4", "SKU-5", "SKU-6"
        ]
    );
    assert_eq!(seen[6].available, 56, "what is held is not available");

    let product = client
        .get_product(GetProductRequest {
            sku: "SKU-2".to_owned(),
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(product.product.unwrap().unit_price_cents, 102);
    for missing in ["NOPE", "", "A\0B"] {
        let status = client
            .get_product(GetProductRequest {
                sku: missing.to_owned(),
            })
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::NotFound, "{missing:?}");
    }
    for (limit, after) in [(-1, ""), (101, ""), (1, "A B")] {
        let request = ListProductsRequest {
            limit,
            after_sku: after.to_owned(),
        };
        assert_eq!(
            client.list_products(request).await.unwrap_err().code(),
            Code::InvalidArgument
        );
    }
    service.stop().await;
}

#[tokio::test]
async fn a_lost_database_makes_unready_and_unavailable_until_it_is_back() {
    let mut bench = Bench::start().await;
    bench.product("A", 250, "EUR", 10).await;
    let service = Service::start(config(&bench)).await.unwrap();
    let health = service.health_addr().unwrap();
    let mut stock = InventoryServiceClient::new(channel(&bench, &service).await);
    let mut catalogue = CatalogServiceClient::new(channel(&bench, &service).await);
    eventually("ready", async || {
        get_status(health, "/readyz").await == Some(200)
    })
    .await;

    bench.stack.cluster.kill().await.unwrap();
    eventually("unready", async || {
        get_status(health, "/readyz").await == Some(503)
    })
    .await;
    assert_eq!(get_status(health, "/livez").await, Some(200));
    let result = stock
        .reserve(ReserveRequest {
            items: vec![item(1, "A", 1)],
        })
        .await
        .unwrap()
        .into_inner();
    let Some(reserve_result::Outcome::Error(error)) = &result.results[0].outcome else {
        panic!("{result:?}")
    };
    assert_eq!(Code::from(error.code), Code::Unavailable);
    let read = catalogue
        .get_product(GetProductRequest {
            sku: "A".to_owned(),
        })
        .await
        .unwrap_err();
    assert_eq!(read.code(), Code::Unavailable);

    bench.stack.cluster.start().await.unwrap();
    eventually("ready again", async || {
        get_status(health, "/readyz").await == Some(200)
    })
    .await;
    eventually("held", async || {
        let result = stock
            .reserve(ReserveRequest {
                items: vec![item(1, "A", 1)],
            })
            .await
            .unwrap()
            .into_inner();
        matches!(
            result.results[0].outcome,
            Some(reserve_result::Outcome::Held(_))
        )
    })
    .await;
    eventually("read", async || {
        catalogue
            .get_product(GetProductRequest {
                sku: "A".to_owned(),
            })
            .await
            .is_ok()
    })
    .await;
    service.stop().await;
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let set = tempfile::tempdir().unwrap();
    devstack::Pki::load_or_create(set.path()).unwrap();
    let taken = tokio::net::TcpListener::bind(any_port()).await.unwrap();
    let addr = taken.local_addr().unwrap();
    let config = Config {
        // No database is asked before the ports are taken.
        database: PgConfig::parse("postgres://inventory:x@127.0.0.1:1/inventorydb", "test")
            .unwrap(),
        trust: Trust::in_set("inventory", set.path()).unwrap(),
        grpc: any_port(),
        health: addr,
        limits: Limits::default(),
    };
    let error = run(config, CancellationToken::new()).await.unwrap_err();
    assert!(
        matches!(error, RunError::Port { purpose: "health", addr: named, .. } if named == addr),
        "{error}"
    );
    assert!(error.to_string().contains(&addr.to_string()));
}

#[tokio::test]
async fn a_stop_finishes_what_was_asked_and_frees_the_ports() {
    let bench = Bench::start().await;
    bench.product("A", 250, "EUR", 10_000).await;
    let service = Service::start(config(&bench)).await.unwrap();
    let (grpc, health) = (service.grpc_addr().unwrap(), service.health_addr().unwrap());
    let mut client = InventoryServiceClient::new(channel(&bench, &service).await);
    // A lock keeps the request waiting while the service stops.
    bench
        .owner
        .batch_execute("BEGIN; SELECT 1 FROM stock WHERE sku = 'A' FOR UPDATE")
        .await
        .unwrap();
    let asked = tokio::spawn(async move {
        client
            .reserve(ReserveRequest {
                items: vec![item(1, "A", 1)],
            })
            .await
    });
    let watcher = bench
        .stack
        .cluster
        .connect("postgres", "postgres")
        .await
        .unwrap();
    eventually("the keeper waits for the lock", async || {
        let query = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'inventory' AND wait_event_type = 'Lock'";
        watcher.query_one(query, &[]).await.unwrap().get::<_, i64>(0) > 0
    })
    .await;
    let unlocking = async {
        eventually("draining", async || {
            get_status(health, "/readyz").await == Some(503)
        })
        .await;
        bench.owner.batch_execute("COMMIT").await.unwrap();
    };
    let stopping = tokio::time::timeout(Duration::from_secs(10), service.stop());
    let (stopped, ()) = tokio::join!(stopping, unlocking);
    stopped.expect("a stop takes at most ten seconds");
    let answer = asked
        .await
        .unwrap()
        .expect("what was asked before the stop is answered")
        .into_inner();
    assert!(
        matches!(
            answer.results[0].outcome,
            Some(reserve_result::Outcome::Held(_))
        ),
        "{answer:?}"
    );
    for addr in [grpc, health] {
        assert!(
            tokio::net::TcpListener::bind(addr).await.is_ok(),
            "{addr} is free again"
        );
    }
}
