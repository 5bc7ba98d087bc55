//! Asks every process for its tree, and orders for its sagas, each second while somebody looks.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use devstack::{SERVICES, Stack};
use futures::future::join_all;
use serde_json::{Value, json};
use shopapi_proto::admin::v1::orders_admin_client::OrdersAdminClient;
use shopapi_proto::admin::v1::tree_service_client::TreeServiceClient;
use shopapi_proto::admin::v1::{
    GetSagaRequest, GetSagaResponse, GetTreeRequest, GetTreeResponse, ListSagasRequest,
};
use shopapi_rpc::{Balanced, Credentials, Endpoints};
use tokio::sync::watch;
use tonic::Status;

use super::Console;
use super::presence::Presence;
use super::view;

/// How often the page changes: often enough to see a restart, seldom enough to cost nothing.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A process that takes longer to say what it does is shown as gone.
const ANSWER_DEADLINE: Duration = Duration::from_millis(900);
/// How long one order may take; it comes from the database.
const ORDER_DEADLINE: Duration = Duration::from_secs(3);
/// Orders under way that are shown, the oldest first.
const SAGAS_SHOWN: i32 = 50;

/// The processes that are watched. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Watched {
    processes: Vec<Process>,
    orders: Option<Balanced>,
    credentials: Credentials,
}

#[derive(Debug, Clone)]
struct Process {
    name: String,
    channel: Balanced,
}

/// What was last seen of a process.
#[derive(Debug, Default)]
struct Seen {
    presence: Presence,
    tree: Option<GetTreeResponse>,
}

impl Watched {
    /// Watches all processes of a stack.
    ///
    /// # Errors
    /// When the stack's identities cannot be read.
    pub fn of_stack(stack: &Stack) -> Result<Self> {
        let ports = stack.ports();
        let processes = SERVICES
            .iter()
            .rev()
            .flat_map(|service| ports.processes_of(service))
            .filter_map(|process| {
                let url = format!("https://{}", ports.grpc_of(&process)?);
                Some((process, url))
            })
            .collect();
        let pki = stack.pki();
        let credentials =
            Credentials::load("shopctl", &pki.dir_of("shopctl"), &pki.jwt_key("shopctl"))?;
        Self::new(processes, credentials)
    }

    /// Watches processes, each with its name (`orders`, `orders-2`) and URL.
    ///
    /// # Errors
    /// A URL that is none.
    pub fn new(processes: Vec<(String, String)>, credentials: Credentials) -> Result<Self> {
        let orders: Vec<&str> = processes
            .iter()
            .filter(|(name, _)| service_of(name) == "orders")
            .map(|(_, url)| url.as_str())
            .collect();
        let orders = match orders.is_empty() {
            true => None,
            false => Some(channel("orders", &orders.join(","), &credentials)?),
        };
        let processes = processes
            .into_iter()
            .map(|(name, url)| {
                let channel = channel(service_of(&name), &url, &credentials)?;
                Ok(Process { name, channel })
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            processes,
            orders,
            credentials,
        })
    }

    /// One order.
    ///
    /// # Errors
    /// What orders says, or that it does not answer.
    pub(super) async fn order(&self, order_id: i64) -> Result<GetSagaResponse, Status> {
        let Some(orders) = &self.orders else {
            return Err(Status::unavailable("orders is not watched"));
        };
        let mut client = OrdersAdminClient::new(orders.clone());
        let asked = client.get_saga(GetSagaRequest { order_id });
        match tokio::time::timeout(ORDER_DEADLINE, asked).await {
            Ok(answer) => answer.map(tonic::Response::into_inner),
            Err(_elapsed) => Err(Status::deadline_exceeded("orders does not answer")),
        }
    }

    async fn sagas(&self) -> Value {
        let Some(orders) = &self.orders else {
            return json!({ "list": [], "more": false });
        };
        let mut client = OrdersAdminClient::new(orders.clone());
        let request = ListSagasRequest {
            limit: SAGAS_SHOWN,
            ..ListSagasRequest::default()
        };
        match tokio::time::timeout(ANSWER_DEADLINE, client.list_sagas(request)).await {
            Ok(Ok(answer)) => view::sagas(answer.get_ref()),
            Ok(Err(status)) => json!({ "error": status.message() }),
            Err(_elapsed) => json!({ "error": "orders does not answer" }),
        }
    }
}

/// The service in a process's name: `orders` in `orders-2`.
fn service_of(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((service, number)) if number.parse::<u16>().is_ok() => service,
        _ => name,
    }
}

fn channel(service: &str, urls: &str, credentials: &Credentials) -> Result<Balanced> {
    let callee = SERVICES
        .into_iter()
        .find(|known| *known == service)
        .with_context(|| format!("{service} is no service: say {}", SERVICES.join(", ")))?;
    let endpoints: Endpoints = urls
        .parse()
        .with_context(|| format!("{urls} is no address"))?;
    Ok(Balanced::connect(endpoints, credentials.towards(callee)))
}

fn now_ms() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    since_1970.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(0))
}

async fn ask(process: &Process) -> Result<GetTreeResponse, String> {
    let mut client = TreeServiceClient::new(process.channel.clone());
    match tokio::time::timeout(ANSWER_DEADLINE, client.get_tree(GetTreeRequest {})).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) => Err(status.message().to_owned()),
        Err(_elapsed) => Err("does not answer".to_owned()),
    }
}

impl Seen {
    fn take(&mut self, answer: Result<GetTreeResponse, String>, now_ms: u64) {
        match answer {
            Ok(tree) => {
                let started_ms = view::millis(tree.started_at.as_ref()).unwrap_or_default();
                self.presence.answered(started_ms, now_ms);
                self.tree = Some(tree);
            }
            Err(reason) => self.presence.silent(&reason, now_ms),
        }
    }
}

/// Looks for ever, and tells what it sees as the page's JSON; rests while nobody looks.
pub(super) async fn look(
    console: Console,
    seen: watch::Sender<String>,
    nobody_looks: impl Fn() -> bool + Send,
) {
    seen.send_replace(json!({ "watching": false }).to_string());
    let watched = loop {
        match console.watched() {
            Some(watched) => break watched.clone(),
            None => tokio::time::sleep(LOOK_EVERY).await,
        }
    };
    // Certificates are replaced while this runs.
    let follow = watched.credentials.watch();
    let looking = look_at(&watched, &seen, nobody_looks);
    tokio::join!(follow, looking);
}

async fn look_at(
    watched: &Watched,
    seen: &watch::Sender<String>,
    nobody_looks: impl Fn() -> bool + Send,
) {
    let mut all: Vec<Seen> = watched.processes.iter().map(|_| Seen::default()).collect();
    // Whoever opens the page first is told that there is something to look at.
    let nothing_yet = json!({ "list": [], "more": false });
    seen.send_replace(as_told(watched, &all, &nothing_yet, now_ms()));
    loop {
        if !nobody_looks() {
            let (answers, sagas) =
                tokio::join!(join_all(watched.processes.iter().map(ask)), watched.sagas());
            let now_ms = now_ms();
            for (one, answer) in all.iter_mut().zip(answers) {
                one.take(answer, now_ms);
            }
            seen.send_replace(as_told(watched, &all, &sagas, now_ms));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What was seen, as the page's JSON.
fn as_told(watched: &Watched, all: &[Seen], sagas: &Value, at: u64) -> String {
    let processes: Vec<Value> = watched
        .processes
        .iter()
        .zip(all)
        .map(|(process, one)| view::process(&process.name, &one.presence, one.tree.as_ref()))
        .collect();
    json!({ "watching": true, "at": at, "processes": processes, "sagas": sagas }).to_string()
}
