//! Who gets through the door. Each refusal stands beside the same call that succeeds.

use hyper::header::AUTHORIZATION;
use hyper::{HeaderMap, header::HeaderValue};
use shopapi_proto::inventory::v1::catalog_service_client::CatalogServiceClient;
use shopapi_proto::inventory::v1::catalog_service_server::{CatalogService, CatalogServiceServer};
use shopapi_proto::inventory::v1::inventory_service_client::InventoryServiceClient;
use shopapi_proto::inventory::v1::{
    GetProductRequest, GetProductResponse, ListProductsRequest, ListProductsResponse,
    ReserveRequest,
};
use shopapi_tls::Peer;
use tonic::{Code, Request as Call, Response as Answer, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::*;
use crate::server::{Exposed, ServerLimits, serve};

/// Answers every look with the name of who looks.
struct Catalogue;

#[tonic::async_trait]
impl CatalogService for Catalogue {
    async fn list_products(
        &self,
        call: Call<ListProductsRequest>,
    ) -> Result<Answer<ListProductsResponse>, Status> {
        assert!(call.metadata().get("authorization").is_none());
        let peer = call.extensions().get::<Peer>().unwrap();
        Ok(Answer::new(ListProductsResponse {
            next_after_sku: peer.name.to_string(),
            ..ListProductsResponse::default()
        }))
    }

    async fn get_product(
        &self,
        _: Call<GetProductRequest>,
    ) -> Result<Answer<GetProductResponse>, Status> {
        std::future::pending().await
    }
}

struct Served {
    everybody: Everybody,
    address: SocketAddr,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Served {
    async fn start(limits: ServerLimits) -> Self {
        let everybody = everybody();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let trust = everybody.trust("inventory");
        let exposed = Exposed::new().with(CatalogServiceServer::new(Catalogue));
        let task = tokio::spawn(async move {
            serve(Arc::new(listener), exposed, trust, limits, stopped)
                .await
                .unwrap();
        });
        Self {
            everybody,
            address,
            stop,
            task,
        }
    }

    fn channel(&self, trust: ClientTrust) -> Balanced {
        let list = format!("https://{}", self.address);
        Balanced::connect(list.parse().unwrap(), trust)
    }

    async fn look_as(&self, service: &str) -> Result<String, Status> {
        let trust = self.everybody.credentials(service).towards("inventory");
        look(self.channel(trust)).await
    }
}

async fn look(channel: Balanced) -> Result<String, Status> {
    let answer = CatalogServiceClient::new(channel)
        .list_products(ListProductsRequest::default())
        .await?;
    Ok(answer.into_inner().next_after_sku)
}

#[tokio::test]
async fn who_is_in_the_row_gets_in_and_nobody_else() {
    let served = Served::start(ServerLimits::default()).await;
    for service in ["gateway", "orders"] {
        assert_eq!(served.look_as(service).await.unwrap(), service);
    }
    for service in ["payments", "shopctl", "inventory"] {
        let refused = served.look_as(service).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
        assert!(refused.message().contains(service), "{refused}");
    }
}

#[tokio::test]
async fn a_method_that_is_not_served_here_is_refused_before_that_is_told() {
    let served = Served::start(ServerLimits::default()).await;
    let reserve = async |service: &str| {
        let trust = served.everybody.credentials(service).towards("inventory");
        InventoryServiceClient::new(served.channel(trust))
            .reserve(ReserveRequest::default())
            .await
            .unwrap_err()
            .code()
    };
    assert_eq!(reserve("gateway").await, Code::PermissionDenied);
    assert_eq!(reserve("orders").await, Code::Unimplemented);
}

#[tokio::test]
async fn health_asks_for_no_token_and_tells_of_each_service() {
    let served = Served::start(ServerLimits::default()).await;
    // A token for another callee; health does not look.
    let trust = served
        .everybody
        .credentials("payments")
        .towards("inventory");
    let mut health = HealthClient::new(served.channel(trust));
    let mut check = async |service: &str| {
        let request = HealthCheckRequest {
            service: service.to_owned(),
        };
        health
            .check(request)
            .await
            .map(|answer| answer.into_inner().status)
    };
    assert_eq!(
        check("shopapi.inventory.v1.CatalogService").await.unwrap(),
        1
    );
    let unknown = check("shopapi.orders.v1.OrdersService").await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
}

#[tokio::test]
async fn an_identity_is_one_certificate_and_one_token_of_the_same_service() {
    let everybody = everybody();
    let verifier = everybody.trust("inventory").callers().clone();
    let of = |service: &str| {
        let identity = everybody.credentials(service).identity().clone();
        let peer = Peer {
            name: identity.name(),
            serial: identity.serial(),
        };
        let token = everybody
            .credentials(service)
            .towards("inventory")
            .token()
            .unwrap();
        (peer, format!("Bearer {token}"))
    };
    let (orders, token_of_orders) = of("orders");
    let (_, token_of_gateway) = of("gateway");
    let method = "/shopapi.inventory.v1.CatalogService/ListProducts";
    let admit = |peer: Option<&Peer>, values: &[&str]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        door::admit(peer.cloned(), method, &headers, &verifier)
            .map_err(|refused| (refused.0.code(), refused.0.message().to_owned()))
    };
    let unauthenticated = |reason: &str| Err((Code::Unauthenticated, reason.to_owned()));

    assert_eq!(
        admit(Some(&orders), &[&token_of_orders]),
        Ok(orders.clone())
    );
    assert_eq!(
        admit(None, &[&token_of_orders]),
        unauthenticated("no client certificate")
    );
    assert_eq!(
        admit(Some(&orders), &[]),
        unauthenticated("no service token")
    );
    assert_eq!(
        admit(Some(&orders), &[&token_of_orders, &token_of_orders]),
        unauthenticated("more than one service token")
    );
    assert_eq!(
        admit(Some(&orders), &[&token_of_gateway]),
        unauthenticated("service token of another service than the certificate's")
    );
    assert_eq!(
        admit(Some(&orders), &["Basic b3JkZXJz"]),
        unauthenticated("no bearer token in the authorization header")
    );
}

#[tokio::test]
async fn a_call_ends_at_the_servers_deadline_whatever_its_caller_says() {
    let limits = ServerLimits {
        call_deadline: Duration::from_millis(100),
        ..ServerLimits::default()
    };
    let served = Served::start(limits).await;
    let trust = served.everybody.credentials("gateway").towards("inventory");
    let mut client = CatalogServiceClient::new(served.channel(trust));
    for absurd in ["99999999H", "0n", "-1S", "forever", "99999999999999999999S"] {
        let mut call = Call::new(GetProductRequest::default());
        call.metadata_mut()
            .insert("grpc-timeout", absurd.parse().unwrap());
        let ended = tokio::time::timeout(Duration::from_secs(20), client.get_product(call)).await;
        let code = ended.unwrap().unwrap_err().code();
        let is_over = matches!(code, Code::Cancelled | Code::DeadlineExceeded);
        assert!(is_over, "{absurd}: {code:?}");
    }
}

#[tokio::test]
async fn a_stopped_server_ends_also_with_a_call_that_never_does() {
    let limits = ServerLimits {
        drain_deadline: Duration::from_millis(100),
        ..ServerLimits::default()
    };
    let served = Served::start(limits).await;
    let trust = served.everybody.credentials("gateway").towards("inventory");
    let channel = served.channel(trust);
    look(channel.clone()).await.unwrap();
    let mut client = CatalogServiceClient::new(channel);
    let hangs = tokio::spawn(async move { client.get_product(GetProductRequest::default()).await });
    served.stop.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(20), served.task).await;
    ended.unwrap().unwrap();
    hangs.abort();
}

#[tokio::test]
async fn a_service_starts_only_as_itself() {
    let everybody = everybody();
    let pki = &everybody.pki;
    let load = |service: &str, dir: &str| {
        Trust::load(
            service,
            &pki.dir_of(dir),
            &pki.jwt_key(service),
            &pki.public_keys(),
        )
    };
    load("orders", "orders").unwrap();
    let refused = load("orders", "payments").unwrap_err().to_string();
    assert!(refused.contains("names payments, but this process is orders"));
    fs::remove_file(pki.public_keys().join("orders.pem")).unwrap();
    let refused = load("orders", "orders").unwrap_err().to_string();
    assert!(
        refused.contains("has no public half for orders"),
        "{refused}"
    );
}
