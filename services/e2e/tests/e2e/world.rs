//! A whole stack for one test.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use devstack::{
    DEMO_USERS, Durability, PortLease, PortMap, Restart, Service, Silent, Stack, StackOptions,
    StateDir, ToolOptions, Tools, with_migrated_databases, workspace_root,
};
use serde_json::{Value, json};
use shopctl::audit;
use shopctl::catalogue::{self, Product};
use shopctl::client::{Answer, Api};

use crate::bus::Caller;

/// Far above what any order of these tests needs, its deadlines and restarts included.
const END_DEADLINE: Duration = Duration::from_secs(60);
/// How often a condition is looked at again.
const POLL: Duration = Duration::from_millis(25);

/// A stack with a small catalogue and a customer who is logged in.
pub(crate) struct World {
    pub(crate) api: Api,
    pub(crate) anonymous: Api,
    pub(crate) stack: Stack,
    _ports: Vec<PortLease>,
}

/// The binary that this build made: it lies beside the folder of the test binaries.
fn shopapi_binary() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let binary = here.ancestors().nth(2).unwrap().join("shopapi");
    assert!(
        binary.is_file(),
        "{} is missing: cargo build -p shopapi",
        binary.display()
    );
    binary
}

async fn login(anonymous: &Api) -> Api {
    let mut user = DEMO_USERS.split([',', ':']);
    let (email, password) = (user.next().unwrap(), user.next().unwrap());
    anonymous.login(email, password).await.unwrap()
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With more environment for the services.
    pub(crate) async fn start_with(env: &[(&str, &str)]) -> Self {
        Self::start_replicas(1, env).await
    }

    /// With so many replicas of orders, inventory and payments.
    pub(crate) async fn start_replicas(replicas: usize, env: &[(&str, &str)]) -> Self {
        let home = StateDir::home(&workspace_root().join(".dev")).unwrap();
        let tools = Tools::find_or_install(&home, ToolOptions::from_env(), &Silent)
            .await
            .unwrap();
        let (ports, leases) = PortMap::leased_for(replicas).unwrap();
        let options = StackOptions {
            tools,
            shopapi: shopapi_binary(),
            ports,
            // Processes are killed here, never the machine: what the kernel has is not lost.
            durability: Durability::Off,
            restart: Restart::Always,
            console: None,
            env: env
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        };
        let state = StateDir::temporary(&StateDir::scratch(&home).unwrap(), "e2e-").unwrap();
        with_migrated_databases(&state, &options.tools)
            .await
            .unwrap();
        let stack = Stack::start(state, options, &Silent).await.unwrap();
        catalogue::put_on_offer(&stack.cluster, &goods())
            .await
            .unwrap();
        let anonymous = Api::new(stack.gateway_addr());
        let api = login(&anonymous).await;
        Self {
            api,
            anonymous,
            stack,
            _ports: leases,
        }
    }

    /// The same customer with a fresh token.
    pub(crate) async fn login_again(&self) -> Api {
        login(&self.anonymous).await
    }

    /// The bus as one of the services.
    pub(crate) async fn bus(&self, who: &str) -> Caller {
        Caller::as_service(&self.stack.nats.url(), self.stack.pki(), who).await
    }

    pub(crate) fn service(&self, name: &str) -> &Service {
        self.stack.service(name).unwrap()
    }

    /// Places an order; the answer as it comes.
    pub(crate) async fn order(&self, sku: &str, quantity: i64, method: &str) -> Answer {
        self.order_with(sku, quantity, method, &[]).await
    }

    pub(crate) async fn order_with(
        &self,
        sku: &str,
        quantity: i64,
        method: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        place(&self.api, sku, quantity, method, headers).await
    }

    /// An order as the customer sees it.
    pub(crate) async fn get(&self, order_id: i64) -> Value {
        let path = format!("/api/v1/orders/{order_id}");
        let answer = self.api.get(&path).await.unwrap();
        answer.expect(&[200]).unwrap().body
    }

    /// Waits until the order has one of these states. The gateway or orders may be away for a while.
    pub(crate) async fn reaches(&self, order_id: i64, statuses: &[&str]) -> Value {
        let path = format!("/api/v1/orders/{order_id}");
        let began = Instant::now();
        let mut tick = tokio::time::interval(POLL);
        loop {
            tick.tick().await;
            let seen = self.api.get(&path).await.map(|answer| answer.body);
            if let Ok(body) = &seen
                && body["status"]
                    .as_str()
                    .is_some_and(|status| statuses.contains(&status))
            {
                return body.clone();
            }
            assert!(
                began.elapsed() < END_DEADLINE,
                "order {order_id} did not reach {statuses:?}: {seen:?}"
            );
        }
    }

    /// The causes in an order's timeline, oldest first.
    pub(crate) async fn timeline(&self, order_id: i64) -> Vec<(String, String)> {
        let path = format!("/api/v1/orders/{order_id}/timeline");
        let body = self
            .api
            .get(&path)
            .await
            .unwrap()
            .expect(&[200])
            .unwrap()
            .body;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        body["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| (text(&entry["status"]), text(&entry["cause"])))
            .collect()
    }

    /// What is left of a product.
    pub(crate) async fn available(&self, sku: &str) -> i64 {
        let path = format!("/api/v1/products/{sku}");
        let answer = self.anonymous.get(&path).await.unwrap();
        answer.expect(&[200]).unwrap().body["available"]
            .as_i64()
            .unwrap()
    }

    /// One number from a database, read as its owner.
    pub(crate) async fn count(&self, database: &str, query: &str) -> i64 {
        let owner = format!("{database}_owner");
        let client = self
            .stack
            .cluster
            .connect(&owner, &format!("{database}db"))
            .await
            .unwrap();
        client.query_one(query, &[]).await.unwrap().get(0)
    }

    /// Waits until `query` answers `expected`.
    pub(crate) async fn count_reaches(&self, database: &str, query: &str, expected: i64) {
        let began = Instant::now();
        let mut tick = tokio::time::interval(POLL);
        loop {
            tick.tick().await;
            let seen = self.count(database, query).await;
            if seen == expected {
                return;
            }
            assert!(
                began.elapsed() < END_DEADLINE,
                "{query} in {database}: {seen}, expected {expected}"
            );
        }
    }

    /// The process ids of the services, in one order.
    pub(crate) fn pids(&self) -> Vec<Option<u32>> {
        self.stack.services().iter().map(Service::pid).collect()
    }

    /// The last word of every test: the books are right and everything has ended. Then the stack is stopped.
    pub(crate) async fn audit_and_stop(mut self) {
        let verdict =
            audit::settled_verdict(&audit::Target::of_cluster(&self.stack.cluster).unwrap())
                .await
                .unwrap();
        assert!(
            verdict.is_clean() && verdict.is_settled(),
            "the books: {verdict:?}"
        );
        self.stack.stop(&Silent).await.unwrap();
    }
}

/// Places an order; the answer as it comes.
pub(crate) async fn place(
    api: &Api,
    sku: &str,
    quantity: i64,
    method: &str,
    headers: &[(&str, &str)],
) -> Answer {
    let body = json!({ "items": [{ "sku": sku, "quantity": quantity }], "payment_method": method });
    api.post("/api/v1/orders", &body, headers).await.unwrap()
}

fn goods() -> Vec<Product> {
    let mut goods = catalogue::small();
    goods.push(Product {
        sku: "PLENTY".to_owned(),
        name: "As many as you like".to_owned(),
        unit_price_cents: 500,
        initial: 1_000_000,
    });
    goods
}
