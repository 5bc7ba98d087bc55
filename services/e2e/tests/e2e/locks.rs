//! Locks that somebody sits on, a replica that hangs, a database that restarts, a row that nobody understands: only what depends on them
//! waits, and not for ever.

use std::time::{Duration, Instant};

use devstack::{Signal, lease};

use crate::load::{Customers, all_end, lasting, lines_with, no_twins, some_declined};
use crate::world::{World, place};

/// How long a fault lasts at least: several sweeps, several batches' pauses.
const FAULT: Duration = Duration::from_secs(3);
/// Orders in this many seconds of an undisturbed load, and of a disturbed one, are compared.
const COMPARED: Duration = Duration::from_secs(2);

/// How many orders are accepted in a while.
async fn throughput(customers: &Customers) -> usize {
    let before = customers.accepted();
    lasting(COMPARED).await;
    customers.accepted() - before
}

/// Neighbours may be slower on a busy machine, by no more than this.
fn assert_goes_on(disturbed: usize, undisturbed: usize) {
    assert!(
        disturbed * 3 > undisturbed,
        "{disturbed} orders under the fault, {undisturbed} without, in {COMPARED:?} each"
    );
}

#[tokio::test]
async fn a_frozen_replica_of_orders_stops_nobody_and_does_no_harm_when_it_wakes() {
    let world = World::start().await;
    let (grpc, health) = (lease().unwrap(), lease().unwrap());
    let env = [
        ("SHOPAPI_GRPC_ADDR", grpc.addr().to_string()),
        ("SHOPAPI_HEALTH_ADDR", health.addr().to_string()),
    ];
    let replica = world
        .stack
        .spawn_beside("orders", "orders-2", health.addr(), &env)
        .await
        .unwrap();
    let customers = Customers::come(&world.api, "frozen", 6, "PLENTY", some_declined);
    // It shares the consumer and the sweep: under load it always has events in hand.
    customers.accept(50).await;
    let undisturbed = throughput(&customers).await;
    replica.signal(Signal::Stop).await.unwrap();
    assert_goes_on(throughput(&customers).await, undisturbed);
    let met = customers.leave().await;

    // All of them while it still hangs, those whose events it holds included.
    let taken = all_end(&world, &met.accepted).await;
    assert!(taken < Duration::from_secs(45), "{taken:?}");

    replica.signal(Signal::Cont).await.unwrap();
    replica.ready(Duration::from_secs(20)).await.unwrap();
    let late = world
        .order_with("PLENTY", 1, "tok_ok", &[("prefer", "wait=20")])
        .await;
    assert_eq!(late.text("status"), "PAID", "{late:?}");
    let accepted = [met.accepted, vec![late.order_id().unwrap()]].concat();
    all_end(&world, &accepted).await;
    no_twins(&world, &accepted).await;
    replica.stop().await;
    world.audit_and_stop().await;
}

#[tokio::test]
async fn a_frozen_neighbour_delays_orders_and_loses_none() {
    let world = World::start().await;
    let customers = Customers::come(&world.api, "neighbour", 4, "PLENTY", some_declined);
    customers.accept(20).await;
    let undisturbed = throughput(&customers).await;
    let payments = world.service("payments");
    payments.signal(Signal::Stop).await.unwrap();
    assert_goes_on(throughput(&customers).await, undisturbed);
    let met = customers.leave().await;

    // With inventory frozen too, nobody knows whether there is stock: the order is taken, and decided later.
    let inventory = world.service("inventory");
    inventory.signal(Signal::Stop).await.unwrap();
    let pending = world.order("PLENTY", 1, "tok_ok").await;
    assert_eq!(pending.status, 202, "{pending:?}");
    assert_eq!(pending.text("status"), "PENDING");
    assert!(pending.took < FAULT, "{pending:?}");

    for service in [inventory, payments] {
        service.signal(Signal::Cont).await.unwrap();
    }
    let id = pending.order_id().unwrap();
    world.reaches(id, &["PAID"]).await;
    let accepted = [met.accepted, vec![id]].concat();
    all_end(&world, &accepted).await;
    no_twins(&world, &accepted).await;
    world.audit_and_stop().await;
}

#[tokio::test]
async fn an_order_whose_row_is_locked_waits_alone() {
    let world = World::start().await;
    let customers = Customers::come(&world.api, "locked", 4, "PLENTY", some_declined);
    customers.accept(20).await;
    let undisturbed = throughput(&customers).await;
    let slow = world.order("BEANS-FILTER", 1, "tok_slow_1000").await;
    let id = slow.order_id().unwrap();

    let mut owner = world
        .stack
        .cluster
        .connect("orders_owner", "ordersdb")
        .await
        .unwrap();
    let held = owner.transaction().await.unwrap();
    let lock = "SELECT status FROM orders WHERE order_id = $1 FOR UPDATE";
    let status: String = held.query_one(lock, &[&id]).await.unwrap().get(0);
    assert_eq!(status, "AWAITING_PAYMENT");
    world.count_reaches("payments", &captured(id), 1).await;
    assert_goes_on(throughput(&customers).await, undisturbed);
    assert_eq!(
        world.get(id).await["status"],
        "AWAITING_PAYMENT",
        "it waits for its row"
    );

    held.commit().await.unwrap();
    world.reaches(id, &["PAID"]).await;
    let met = customers.leave().await;
    all_end(&world, &[met.accepted, vec![id]].concat()).await;
    world.audit_and_stop().await;
}

fn captured(order_id: i64) -> String {
    format!("SELECT count(*) FROM payments WHERE order_id = {order_id} AND state = 'CAPTURED'")
}

/// What a replica of inventory that freezes between its two flights leaves behind: a transaction of the service's own role, with a stock
/// row locked and nobody to end it.
#[tokio::test]
async fn stock_locked_by_a_replica_that_froze_in_its_transaction_is_sold_again_soon() {
    let world = World::start().await;
    let customers = Customers::come(&world.api, "stock", 4, "PLENTY", some_declined);
    customers.accept(20).await;
    let undisturbed = throughput(&customers).await;

    let frozen = world
        .stack
        .cluster
        .connect("inventory", "inventorydb")
        .await
        .unwrap();
    frozen.batch_execute("BEGIN").await.unwrap();
    let lock = "SELECT on_hand FROM stock WHERE sku = 'GRINDER-HAND' FOR UPDATE";
    frozen.query_one(lock, &[]).await.unwrap();
    let locked = Instant::now();
    let waiting = world.order("GRINDER-HAND", 1, "tok_ok").await;
    assert!([201, 202].contains(&waiting.status), "{waiting:?}");
    assert_goes_on(throughput(&customers).await, undisturbed);

    // Nobody ends the transaction: the server does, and the order gets its goods.
    let id = waiting.order_id().unwrap();
    world.reaches(id, &["PAID"]).await;
    let waited = locked.elapsed();
    assert!(waited > FAULT, "the row was not locked: {waited:?}");
    assert!(waited < Duration::from_secs(20), "{waited:?}");
    frozen.batch_execute("COMMIT").await.unwrap_err();
    let met = customers.leave().await;
    all_end(&world, &[met.accepted, vec![id]].concat()).await;
    world.audit_and_stop().await;
}

#[tokio::test]
async fn writers_are_back_within_five_seconds_of_a_restart_of_postgresql() {
    const BACK: Duration = Duration::from_secs(5);
    let mut world = World::start().await;
    let pids = world.pids();
    let customers = Customers::come(&world.api, "restart", 4, "PLENTY", some_declined);
    customers.accept(20).await;
    for round in 0..2 {
        // Once in order, once as after a power cut.
        if round == 0 {
            world.stack.cluster.stop().await.unwrap();
        } else {
            world.stack.cluster.kill().await.unwrap();
        }
        // Long enough that every connection has failed and its backoff has grown.
        lasting(FAULT).await;
        world.stack.cluster.start().await.unwrap();
        let up = Instant::now();
        // Orders and inventory write to accept an order; payments to have it paid.
        customers.accept(4).await;
        let api = world.api.clone();
        let paid = async move {
            let waiting = [("prefer", "wait=20")];
            loop {
                let answer = place(&api, "BEANS-ESPRESSO", 1, "tok_ok", &waiting).await;
                if answer.status == 201 {
                    return answer;
                }
            }
        };
        let paid = paid.await;
        let back = up.elapsed();
        assert_eq!(paid.text("status"), "PAID", "{paid:?}");
        assert!(
            back < BACK,
            "round {round}: the writers were back after {back:?}"
        );
    }
    let met = customers.leave().await;
    all_end(&world, &met.accepted).await;
    assert_eq!(
        world.pids(),
        pids,
        "a lost database is a state, not a crash"
    );
    world.audit_and_stop().await;
}

#[tokio::test]
async fn a_saga_that_nobody_can_read_is_named_in_the_log_and_ends_once_it_is_mended() {
    const NAMED: &str = "cannot be understood";
    let world = World::start().await;
    let customers = Customers::come(&world.api, "poison", 4, "PLENTY", some_declined);
    customers.accept(20).await;
    let undisturbed = throughput(&customers).await;
    let slow = world.order("BEANS-FILTER", 1, "tok_slow_1500").await;
    let id = slow.order_id().unwrap();
    let orders = world.service("orders");
    let starts = orders.state().starts;

    // Written by nobody's program. Orders forgets what it knew of it, and it is due at once.
    let owner = world
        .stack
        .cluster
        .connect("orders_owner", "ordersdb")
        .await
        .unwrap();
    let poison = "UPDATE orders o SET details = '{\"step\": \"levitating\"}', version = version + 1, wake_at = now() \
                  FROM (SELECT details FROM orders WHERE order_id = $1) was WHERE o.order_id = $1 RETURNING was.details::text";
    let details: String = owner.query_one(poison, &[&id]).await.unwrap().get(0);
    world.count_reaches("payments", &captured(id), 1).await;
    assert_goes_on(throughput(&customers).await, undisturbed);
    lasting(FAULT).await;
    assert!(lines_with(orders.log(), NAMED) > 0, "nobody says so");
    assert!(
        lines_with(orders.log(), NAMED) < 100,
        "one row fills the log"
    );
    assert_eq!(
        orders.state().starts,
        starts,
        "one row is no reason to crash"
    );

    let mend = "UPDATE orders SET details = $2::text::jsonb, version = version - 1, wake_at = now() WHERE order_id = $1";
    owner.execute(mend, &[&id, &details]).await.unwrap();
    world.reaches(id, &["PAID"]).await;
    let met = customers.leave().await;
    let accepted = [met.accepted, vec![id]].concat();
    all_end(&world, &accepted).await;
    no_twins(&world, &accepted).await;
    world.audit_and_stop().await;
}
