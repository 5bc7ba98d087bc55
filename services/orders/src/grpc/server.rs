//! What the service puts on the network; how is in `shopapi_rpc::server`.

use std::sync::Arc;
use std::time::Duration;

use actor_kit::tree::TreeWindow;
use actor_kit::{ActorError, StopSignal};
use shopapi_proto::admin::v1::orders_admin_server::OrdersAdminServer;
use shopapi_proto::orders::v1::orders_service_server::OrdersServiceServer;
use shopapi_rpc::server::{self, Exposed, ServerLimits};
use shopapi_rpc::{Trust, actor_rows, tree_service};
use tokio::net::TcpListener;

use super::Api;
use super::admin::AdminApi;
use super::orders::OrdersApi;

/// What requests under way get when the service stops; longer than the stock takes to answer, short of the platform's patience.
const DRAIN_DEADLINE: Duration = Duration::from_secs(3);
/// What a call may take beyond the longest wait that a caller may ask for: the stock's answer and the commits around it.
const CALL_SLACK: Duration = Duration::from_secs(10);

/// Serves until `stop`, then finishes the requests under way.
pub(crate) async fn serve(
    listener: TcpListener,
    api: Api,
    trust: Trust,
    window: TreeWindow,
    stop: StopSignal,
) -> Result<(), ActorError> {
    let bytes_max = api.limits.message_bytes_max;
    let longest = api.limits.wait_max + CALL_SLACK;
    let limits = ServerLimits {
        streams_max: api.limits.streams_max,
        call_deadline: longest,
        connection_age_max: api.limits.connection_age_max,
        connection_age_grace: longest,
        drain_deadline: DRAIN_DEADLINE,
        ..ServerLimits::default()
    };
    let admin = OrdersAdminServer::new(AdminApi(api.operators.clone()))
        .max_decoding_message_size(bytes_max)
        .max_encoding_message_size(bytes_max);
    let orders = OrdersServiceServer::new(OrdersApi::new(api, stop.clone()))
        .max_decoding_message_size(bytes_max)
        .max_encoding_message_size(bytes_max);
    let tree = tree_service("orders", move || actor_rows!(window));
    let exposed = Exposed::new().with(orders).with(admin).with(tree);
    let stopped = stop.cancelled_owned();
    Ok(server::serve(Arc::new(listener), exposed, trust, limits, stopped).await?)
}

#[cfg(test)]
mod tests {
    use actor_kit::tree::{ChildState, ChildView};
    use shopapi_proto::admin::v1::Actor;
    use shopapi_proto::admin::v1::actor::State;
    use shopapi_rpc::ActorRow;

    use super::*;

    struct Tree(Vec<ChildView>);

    impl Tree {
        fn inspect(&self) -> Vec<ChildView> {
            self.0.clone()
        }
    }

    #[test]
    fn an_actor_is_told_as_it_is_in_every_state() {
        let child = |state| ChildView {
            name: "saga/17".into(),
            about: "coordinates",
            parent: Some("saga-registry"),
            state,
            doing: "HELD",
            restarts: 1,
            mailbox_depth: 2,
            mailbox_capacity: 3,
            dynamic_children: 4,
        };
        let states = [
            (ChildState::Running, State::Running),
            (ChildState::Restarting, State::Restarting),
            (ChildState::Stopped, State::Stopped),
        ];
        let tree = Tree(states.iter().map(|(state, _)| child(*state)).collect());

        let rows: Vec<ActorRow> = actor_rows!(tree);

        let told: Vec<Actor> = rows.into_iter().map(Actor::from).collect();
        let expected = states.map(|(_, state)| Actor {
            name: "saga/17".to_owned(),
            about: "coordinates".to_owned(),
            parent: "saga-registry".to_owned(),
            state: state.into(),
            doing: "HELD".to_owned(),
            restarts: 1,
            mailbox_depth: 2,
            mailbox_capacity: 3,
            children: 4,
        });
        assert_eq!(told, expected);
    }
}
