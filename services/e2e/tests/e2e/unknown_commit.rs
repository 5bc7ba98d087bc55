//! The connection is cut between a commit and its answer, again and again: whoever wrote finds its own write, and nothing is done twice.

use std::time::{Duration, Instant};

use devstack::{Cut, Proxy, Service};

use crate::load::{Customers, all_end, lasting, lines_with, no_twins, some_declined};
use crate::world::World;

/// Far above the pause between two batches under load.
const CUT_DEADLINE: Duration = Duration::from_secs(20);
/// How often a service's log is read while it is waited for.
const POLL: Duration = Duration::from_millis(25);
/// How often each service loses an answer.
const CUTS: usize = 12;
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
        let proxy = Proxy::before_postgres(cluster).await.unwrap();
        let direct = cluster.url(name, &format!("{name}db"));
        let url = direct.replace(&cluster.addr().to_string(), &proxy.addr().to_string());
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

    /// Loses the answers to commits of rows with one of these words, each in turn, and waits each time until the service's log has the
    /// proof that it met that. Every fourth time the answer to the repeat is lost as well.
    async fn lose_answers(&self, words: &[&str], proof: &str) {
        let name = self.service.name();
        for (turn, word) in words.iter().cycle().take(CUTS).enumerate() {
            let proven = self.logged(proof);
            let losses = if turn % 4 == 3 { 2 } else { 1 };
            for _ in 0..losses {
                let cut = self.proxy.cut_next(Cut::after_commit_of(word));
                let made = tokio::time::timeout(CUT_DEADLINE, cut).await;
                assert!(made.is_ok(), "no commit of {word} in {name}");
            }
            let began = Instant::now();
            let mut tick = tokio::time::interval(POLL);
            while self.logged(proof) == proven {
                assert!(
                    began.elapsed() < CUT_DEADLINE,
                    "{name} lost a {word} for good"
                );
                tick.tick().await;
            }
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

    // A stock command that is repeated finds its reservation as any repeat does; the others tell whose write they found.
    tokio::join!(
        orders.lose_answers(&["PENDING", "AWAITING_PAYMENT", "PAID", "COMPLETED"], OURS),
        payments.lose_answers(&["NONE", "CAPTURED"], OURS),
        inventory.lose_answers(&["HELD", "COMMITTED", "RELEASED"], REPEATED),
    );
    let met = customers.leave().await;

    all_end(&world, &met.accepted).await;
    no_twins(&world, &met.accepted).await;
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
