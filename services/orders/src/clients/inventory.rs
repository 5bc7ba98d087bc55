//! The client of inventory: Reserve, Release, Commit.
//!
//! A crash loses nothing that a saga would miss: the calls go on beside the actor, and who was still in the mailbox learns that it is gone.

use actor_kit::{Actor, ActorError, Ctx, Permit, Reply, TraceContext};
use order_saga::saga::{CommitAnswer, ReleaseAnswer, ReserveAnswer};
use order_saga::{CallError, InventoryRequest, Line, OrderId, ReservationId};
use shopapi_proto::inventory::v1 as proto;
use shopapi_proto::inventory::v1::inventory_service_client::InventoryServiceClient;
use shopapi_rpc::{Balanced, ClientTrust, Endpoints, idempotent};

use super::lane::Lane;
use super::{Ask, CallLimits, call, command_span};
use crate::wire;

const SERVICE: &str = "shopapi.inventory.v1.InventoryService";

type Answer<T> = Reply<Result<T, CallError>>;

/// The actor.
pub(crate) struct InventoryClient {
    client: InventoryServiceClient<Balanced>,
    limits: CallLimits,
    reserves: Lane<Ask<proto::ReserveItem, ReservationId, ReserveAnswer>>,
    releases: Lane<Ask<proto::ReleaseItem, ReservationId, ReleaseAnswer>>,
    commits: Lane<Ask<proto::CommitItem, ReservationId, CommitAnswer>>,
}

impl InventoryClient {
    /// A client that connects at its first call.
    pub(crate) fn new(inventory: Endpoints, trust: ClientTrust, limits: CallLimits) -> Self {
        let bytes_max = limits.message_bytes_max;
        Self {
            client: InventoryServiceClient::new(Balanced::connect(inventory, trust))
                .max_decoding_message_size(bytes_max)
                .max_encoding_message_size(bytes_max),
            limits,
            reserves: Lane::new(limits.calls_max, limits.items_max),
            releases: Lane::new(limits.calls_max, limits.items_max),
            commits: Lane::new(limits.calls_max, limits.items_max),
        }
    }

    fn on_reserve(
        &self,
        (order_id, reservation_id): (OrderId, ReservationId),
        lines: &[Line],
        trace: &TraceContext,
        reply: Answer<ReserveAnswer>,
        place: Option<Permit>,
    ) {
        let (span, traceparent) = command_span(SERVICE, "Reserve", order_id, trace);
        let item = proto::ReserveItem {
            reservation_id: reservation_id.to_string(),
            order_id: order_id.0,
            lines: lines.iter().map(wire::line).collect(),
            traceparent,
        };
        let (client, deadline) = (self.client.clone(), self.limits.deadline);
        self.reserves
            .push(ask(item, reservation_id, reply, span, place), move |asks| {
                let mut client = client.clone();
                let send = async move |items| {
                    let sent = client
                        .reserve(idempotent(proto::ReserveRequest { items }))
                        .await;
                    Ok(sent?.into_inner().results)
                };
                call(
                    "Reserve",
                    deadline,
                    asks,
                    send,
                    wire::inventory::reserve_answer,
                )
            });
    }

    fn on_release(
        &self,
        order_id: OrderId,
        item: proto::ReleaseItem,
        reservation_id: ReservationId,
        trace: &TraceContext,
        reply: Answer<ReleaseAnswer>,
        place: Option<Permit>,
    ) {
        let (span, traceparent) = command_span(SERVICE, "Release", order_id, trace);
        let item = proto::ReleaseItem {
            traceparent,
            ..item
        };
        let (client, deadline) = (self.client.clone(), self.limits.deadline);
        self.releases
            .push(ask(item, reservation_id, reply, span, place), move |asks| {
                let mut client = client.clone();
                let send = async move |items| {
                    let sent = client
                        .release(idempotent(proto::ReleaseRequest { items }))
                        .await;
                    Ok(sent?.into_inner().results)
                };
                call("Release", deadline, asks, send, |id, result| {
                    wire::inventory::release_answer(id, &result)
                })
            });
    }

    fn on_commit(
        &self,
        (order_id, reservation_id): (OrderId, ReservationId),
        trace: &TraceContext,
        reply: Answer<CommitAnswer>,
        place: Option<Permit>,
    ) {
        let (span, traceparent) = command_span(SERVICE, "Commit", order_id, trace);
        let item = proto::CommitItem {
            reservation_id: reservation_id.to_string(),
            order_id: order_id.0,
            traceparent,
        };
        let (client, deadline) = (self.client.clone(), self.limits.deadline);
        self.commits
            .push(ask(item, reservation_id, reply, span, place), move |asks| {
                let mut client = client.clone();
                let send = async move |items| {
                    let sent = client
                        .commit(idempotent(proto::CommitRequest { items }))
                        .await;
                    Ok(sent?.into_inner().results)
                };
                call("Commit", deadline, asks, send, |id, result| {
                    wire::inventory::commit_answer(id, &result)
                })
            });
    }
}

fn ask<I, A>(
    item: I,
    key: ReservationId,
    reply: Answer<A>,
    span: tracing::Span,
    place: Option<Permit>,
) -> Ask<I, ReservationId, A> {
    Ask {
        item,
        key,
        reply,
        span,
        _place: place,
    }
}

impl Actor for InventoryClient {
    type Msg = InventoryRequest;

    async fn handle(
        &mut self,
        ctx: &Ctx<Self>,
        message: InventoryRequest,
    ) -> Result<(), ActorError> {
        let place = ctx.take_permit();
        match message {
            InventoryRequest::Reserve {
                order_id,
                reservation_id,
                lines,
                trace,
                reply,
            } => self.on_reserve((order_id, reservation_id), &lines, &trace, reply, place),
            InventoryRequest::Release {
                order_id,
                reservation_id,
                release_id,
                trace,
                reply,
            } => {
                let item = proto::ReleaseItem {
                    reservation_id: reservation_id.to_string(),
                    release_id: release_id.to_string(),
                    order_id: order_id.0,
                    traceparent: String::new(),
                };
                self.on_release(order_id, item, reservation_id, &trace, reply, place);
            }
            InventoryRequest::Commit {
                order_id,
                reservation_id,
                trace,
                reply,
            } => self.on_commit((order_id, reservation_id), &trace, reply, place),
        }
        Ok(())
    }

    fn message_name(message: &InventoryRequest) -> &'static str {
        match message {
            InventoryRequest::Reserve { .. } => "inventory-client reserve",
            InventoryRequest::Release { .. } => "inventory-client release",
            InventoryRequest::Commit { .. } => "inventory-client commit",
        }
    }
}
