//! What a process is doing, for the console: `TreeService`, the same in every service.

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use shopapi_proto::admin::v1::actor::State;
use shopapi_proto::admin::v1::tree_service_server::{TreeService, TreeServiceServer};
use shopapi_proto::admin::v1::{Actor, GetTreeRequest, GetTreeResponse};
use tonic::{Request, Response, Status};

/// Every actor of a tree with a hundred dynamic children each stays far below.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// One actor in plain words: this crate knows no actors, and actors know no protocol. [`actor_rows!`](crate::actor_rows) fills them.
#[derive(Clone, Debug)]
pub struct ActorRow {
    /// Its name in the tree.
    pub name: String,
    /// What it is for.
    pub about: &'static str,
    /// The actor that made it; `None` for the supervisor's own children.
    pub parent: Option<&'static str>,
    /// `running`, `restarting` or `stopped`.
    pub state: &'static str,
    /// What it says that it is at; may be empty.
    pub doing: &'static str,
    /// How often it was started again.
    pub restarts: u32,
    /// Places taken in its mailbox.
    pub mailbox_depth: usize,
    /// Places in its mailbox.
    pub mailbox_capacity: usize,
    /// Actors that it made.
    pub dynamic_children: usize,
}

/// The [`ActorRow`]s of whatever has `inspect()` and gives children with the fields of a row, such as a tree's window.
#[macro_export]
macro_rules! actor_rows {
    ($tree:expr) => {
        $tree
            .inspect()
            .into_iter()
            .map(|child| $crate::ActorRow {
                name: child.name.to_string(),
                about: child.about,
                parent: child.parent,
                state: child.state.as_str(),
                doing: child.doing,
                restarts: child.restarts,
                mailbox_depth: child.mailbox_depth,
                mailbox_capacity: child.mailbox_capacity,
                dynamic_children: child.dynamic_children,
            })
            .collect()
    };
}

impl From<ActorRow> for Actor {
    fn from(row: ActorRow) -> Self {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let state = match row.state {
            "running" => State::Running,
            "restarting" => State::Restarting,
            "stopped" => State::Stopped,
            _ => State::Unspecified,
        };
        Self {
            name: row.name,
            about: row.about.to_owned(),
            parent: row.parent.unwrap_or_default().to_owned(),
            state: state.into(),
            doing: row.doing.to_owned(),
            restarts: row.restarts,
            mailbox_depth: count(row.mailbox_depth),
            mailbox_capacity: count(row.mailbox_capacity),
            children: count(row.dynamic_children),
        }
    }
}

/// Shows a tree. What an actor is is said by the service.
pub struct TreeApi {
    service: &'static str,
    look: Arc<dyn Fn() -> Vec<ActorRow> + Send + Sync>,
}

impl std::fmt::Debug for TreeApi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TreeApi")
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

/// The service that shows what `look` sees.
pub fn tree_service(
    service: &'static str,
    look: impl Fn() -> Vec<ActorRow> + Send + Sync + 'static,
) -> TreeServiceServer<TreeApi> {
    // Before the first question: the time belongs to the process.
    started_at();
    let look = Arc::new(look);
    TreeServiceServer::new(TreeApi { service, look }).max_encoding_message_size(ANSWER_BYTES_MAX)
}

/// When the process began to serve. A restarted adapter says the same.
fn started_at() -> SystemTime {
    static STARTED_AT: OnceLock<SystemTime> = OnceLock::new();
    *STARTED_AT.get_or_init(SystemTime::now)
}

#[tonic::async_trait]
impl TreeService for TreeApi {
    async fn get_tree(
        &self,
        _: Request<GetTreeRequest>,
    ) -> Result<Response<GetTreeResponse>, Status> {
        Ok(Response::new(GetTreeResponse {
            service: self.service.to_owned(),
            started_at: Some(started_at().into()),
            actors: (self.look)().into_iter().map(Actor::from).collect(),
        }))
    }
}
