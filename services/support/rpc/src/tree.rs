//! What a process is doing, for the console: `TreeService`, the same in every service.

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use shopapi_proto::admin::v1::tree_service_server::{TreeService, TreeServiceServer};
use shopapi_proto::admin::v1::{Actor, GetTreeRequest, GetTreeResponse};
use tonic::{Request, Response, Status};

/// Every actor of a tree with a hundred dynamic children each stays far below.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Shows a tree. What an actor is is said by the service: this crate knows none.
pub struct TreeApi {
    service: &'static str,
    look: Arc<dyn Fn() -> Vec<Actor> + Send + Sync>,
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
    look: impl Fn() -> Vec<Actor> + Send + Sync + 'static,
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
            actors: (self.look)(),
        }))
    }
}
