//! The connection is cut between a commit and its answer, again and again: whoever wrote finds its own write, and nothing is done twice.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use devstack::{Cut, Proxy, Service};

use crate::load::{Customers, all_end, lasting, lines_with, no_twins, some_declined};
use crate::world::World;

/// Far above the pause between two batches under load.
const CUT_DEADLINE: Duration = Duration::from_secs(20);
/// Answers lost per service.
const CUTS: usize = 16;
/// What orders and payments say when they find that a write of unknown outcome is theirs.
const OURS: &str = "a commit whose outcome was unknown had been made";
/// What every writer says when an outcome is unknown.
const REPEATED: &str = "batch will be repeated";

/// A service whose database is behind a proxy.
struct Proxied {
    service: Service,
    proxy: Proxy,
}

impl Proxied {
    /// Takes the place of the stack's own process.
    async fn instead_of(world: &World, name: &str) -> Self {
        let own = world.service(name);
        own.stop().await;
        let cluster = &world.stack.cluster;
        let target = SocketAddr::from(([127, 0, 0, 1], cluster.port()));
        let proxy = Proxy::start(target).await.unwrap();
        let direct = cluster.url(name, &format!("{name}db"));
        let url = direct.replace(&target.to_string(), &proxy.addr().to_string());
        assert_ne!(url, direct, "the way leads through the proxy");
        let env = [("SHOPAPI_DATABASE_URL", url)];
        let label = format!("{name}-proxied");
        let service = world
            .stack
            .spawn_beside(name, &label, own.health(), &env)
            .await
            .unwrap();
        Self { service, proxy }
    }

    /// Loses the answers to `CUTS` commits of rows with one of these words, each in turn.
    async fn lose_answers(&self, words: &[&str]) {
        for word in words.iter().cycle().take(CUTS) {
            let cut = self.proxy.cut_next(Cut::after_commit_of(word));
            let made = tokio::time::timeout(CUT_DEADLINE, cut).await;
            assert!(
                made.is_ok(),
                "no commit of {word} in {}",
                self.service.name()
            );
        }
    }

    fn logged(&self, text: &str) -> usize {
        lines_with(self.service.log(), text)
    }
}

#[tokio::test]
async fn orders_whose_commits_were_answered_into_the_void_end_once() {
    let world = World::start().await;
    // Callees first, so that each finds its callees.
    let inventory = Proxied::instead_of(&world, "inventory").await;
    let payments = Proxied::instead_of(&world, "payments").await;
    let orders = Proxied::instead_of(&world, "orders").await;
    let customers = Customers::come(&world.api, "unknown", 8, "PLENTY", some_declined);
    customers.accept(20).await;

    tokio::join!(
        orders.lose_answers(&["PENDING", "AWAITING_PAYMENT", "PAID", "COMPLETED"]),
        payments.lose_answers(&["REQUESTED", "UNKNOWN", "CAPTURED"]),
        inventory.lose_answers(&["HELD", "COMMITTED", "RELEASED"]),
    );
    let met = customers.leave().await;

    all_end(&world, &met.accepted).await;
    no_twins(&world, &met.accepted).await;
    for proxied in [&orders, &payments, &inventory] {
        let name = proxied.service.name();
        assert!(proxied.proxy.cuts() >= CUTS as u64, "{name}");
        assert!(proxied.logged(REPEATED) > 0, "{name} repeated no batch");
    }
    // The point of it all: they were repeated, and found to be their own. A prepared statement may cost a cut that meets no commit.
    for proxied in [&orders, &payments] {
        let (name, ours) = (proxied.service.name(), proxied.logged(OURS));
        assert!(ours >= CUTS / 2, "{name} found {ours} of its writes");
    }
    for proxied in [orders, payments, inventory] {
        proxied.service.stop().await;
    }
    world.audit_and_stop().await;
}

#[tokio::test]
async fn a_network_that_hangs_and_then_breaks_costs_time_and_nothing_else() {
    const OUTAGE: Duration = Duration::from_secs(2);
    const BACK: Duration = Duration::from_secs(5);
    let world = World::start().await;
    let payments = Proxied::instead_of(&world, "payments").await;
    let orders = Proxied::instead_of(&world, "orders").await;
    let customers = Customers::come(&world.api, "network", 4, "PLENTY", some_declined);
    customers.accept(20).await;
    let proxies = [&orders.proxy, &payments.proxy];
    for fail in [Proxy::freeze, Proxy::refuse] {
        proxies.into_iter().for_each(fail);
        let reached = customers.accepted();
        lasting(OUTAGE).await;
        // Answers that were under way when it happened may still have arrived.
        assert!(
            customers.accepted() <= reached + 4,
            "the database was not away"
        );
        proxies.into_iter().for_each(Proxy::heal);
        let healed = Instant::now();
        customers.accept(8).await;
        assert!(healed.elapsed() < BACK, "back after {:?}", healed.elapsed());
    }
    let met = customers.leave().await;
    all_end(&world, &met.accepted).await;
    no_twins(&world, &met.accepted).await;
    for proxied in [orders, payments] {
        assert_eq!(
            proxied.service.state().starts,
            1,
            "a lost database is a state, not a crash"
        );
        proxied.service.stop().await;
    }
    world.audit_and_stop().await;
}
