//! `InventoryService`: every item is a command of its own with an answer of its own; a bad one does not hold up its neighbours.

use actor_kit::TraceContext;
use actor_kit::batch::write;
use futures::future::join_all;
use shopapi_proto::common::v1::ItemError;
use shopapi_proto::inventory::v1::inventory_service_server::InventoryService;
use shopapi_proto::inventory::v1::{
    CommitRequest, CommitResponse, CommitResult, ReleaseRequest, ReleaseResponse, ReleaseResult,
    ReserveRequest, ReserveResponse, ReserveResult,
};
use stock::{Answer, Command, CommitAnswer, ReleaseAnswer, ReserveAnswer, StockEntry};
use tonic::{Request, Response, Status};
use tracing::field::Empty;
use tracing::{error, info_span, warn};

use super::{Api, status, wire};

/// The commands.
#[derive(Clone, Debug)]
pub(super) struct CommandApi {
    api: Api,
}

impl CommandApi {
    pub(super) fn new(api: Api) -> Self {
        Self { api }
    }

    fn check_size(&self, items: usize) -> Result<(), Status> {
        let items_max = self.api.limits.items_max;
        if items > items_max {
            return Err(status::invalid(format!(
                "{items} items are too many: send at most {items_max}"
            )));
        }
        Ok(())
    }

    /// Has the keeper decide one command, within the order's own trace.
    async fn decide(
        &self,
        method: &'static str,
        command: Command,
        traceparent: &str,
    ) -> Result<Answer, ItemError> {
        let caller = TraceContext::from_traceparent(traceparent).unwrap_or_default();
        let order_id = command.order_id();
        let (span, trace) = caller.child(|| {
            info_span!(
                parent: None,
                "rpc",
                otel.name = format_args!("shopapi.inventory.v1.InventoryService/{method}"),
                otel.kind = "server",
                otel.status_code = Empty,
                rpc.system.name = "grpc",
                rpc.method = format_args!("shopapi.inventory.v1.InventoryService/{method}"),
                order.id = order_id.0,
            )
        });
        let entry = StockEntry {
            command,
            trace: trace.clone(),
        };
        let deciding = async {
            let decided = write(&self.api.keeper, self.api.limits.command_deadline, entry).await;
            match &decided {
                Ok(answer) => {
                    if let Some(sku) = answer.broken() {
                        self.api.counters.books_broken();
                        error!(%order_id, method, %sku, "the stock does not cover the reservation");
                    }
                }
                Err(error) => warn!(%order_id, method, %error, "stock command not decided"),
            }
            decided
        };
        let decided = trace.scope(span.clone(), Some(order_id.0), deciding).await;
        if decided
            .as_ref()
            .map_or(true, |answer| answer.broken().is_some())
        {
            span.record("otel.status_code", "ERROR");
        }
        decided.map_err(status::undecided)
    }

    async fn reserve_one(
        &self,
        command: Result<Command, ItemError>,
        traceparent: &str,
    ) -> Result<ReserveAnswer, ItemError> {
        match self.decide("Reserve", command?, traceparent).await? {
            Answer::Reserve(answer) => Ok(answer),
            Answer::Release(_) | Answer::Commit(_) => Err(status::mixed_up()),
        }
    }

    async fn release_one(
        &self,
        command: Result<Command, ItemError>,
        traceparent: &str,
    ) -> Result<ReleaseAnswer, ItemError> {
        match self.decide("Release", command?, traceparent).await? {
            Answer::Release(answer) => Ok(answer),
            Answer::Reserve(_) | Answer::Commit(_) => Err(status::mixed_up()),
        }
    }

    async fn commit_one(
        &self,
        command: Result<Command, ItemError>,
        traceparent: &str,
    ) -> Result<CommitAnswer, ItemError> {
        match self.decide("Commit", command?, traceparent).await? {
            Answer::Commit(answer) => Ok(answer),
            Answer::Reserve(_) | Answer::Release(_) => Err(status::mixed_up()),
        }
    }
}

#[tonic::async_trait]
impl InventoryService for CommandApi {
    async fn reserve(
        &self,
        request: Request<ReserveRequest>,
    ) -> Result<Response<ReserveResponse>, Status> {
        let items = request.into_inner().items;
        self.check_size(items.len())?;
        let results = join_all(items.into_iter().map(async |mut item| {
            let reservation_id = item.reservation_id.clone();
            let traceparent = std::mem::take(&mut item.traceparent);
            let answer = self.reserve_one(wire::reserve(item), &traceparent).await;
            self.api.counters.reserve_failed(&answer);
            ReserveResult {
                reservation_id,
                outcome: Some(wire::reserve_outcome(answer)),
            }
        }));
        Ok(Response::new(ReserveResponse {
            results: results.await,
        }))
    }

    async fn release(
        &self,
        request: Request<ReleaseRequest>,
    ) -> Result<Response<ReleaseResponse>, Status> {
        let items = request.into_inner().items;
        self.check_size(items.len())?;
        let results = join_all(items.into_iter().map(async |item| {
            let answer = self
                .release_one(wire::release(&item), &item.traceparent)
                .await;
            self.api.counters.release_failed(&answer);
            ReleaseResult {
                reservation_id: item.reservation_id,
                outcome: Some(wire::release_outcome(answer)),
            }
        }));
        Ok(Response::new(ReleaseResponse {
            results: results.await,
        }))
    }

    async fn commit(
        &self,
        request: Request<CommitRequest>,
    ) -> Result<Response<CommitResponse>, Status> {
        let items = request.into_inner().items;
        self.check_size(items.len())?;
        let results = join_all(items.into_iter().map(async |item| {
            let answer = self
                .commit_one(wire::commit(&item), &item.traceparent)
                .await;
            self.api.counters.commit_failed(&answer);
            CommitResult {
                reservation_id: item.reservation_id,
                outcome: Some(wire::commit_outcome(answer)),
            }
        }));
        Ok(Response::new(CommitResponse {
            results: results.await,
        }))
    }
}
