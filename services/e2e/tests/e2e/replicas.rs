//! Several replicas of each inner service: any of them may act, go, and come back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use devstack::{DEMO_USERS, Proxy, Service, Signal, lease};
use futures::future::join_all;
use shopctl::client::{Answer, Api};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::world::{World, place};

/// Every inner replica of a stack with two of each.
const REPLICAS: [&str; 6] = [
    "inventory-1",
    "inventory-2",
    "payments-1",
    "payments-2",
    "orders-1",
    "orders-2",
];
/// One order every 40 ms: 25 a second.
const PACE: Duration = Duration::from_millis(40);
/// What platforms give a process that is asked to stop.
const STOP_MAX: Duration = Duration::from_secs(10);

/// Customers who come at a steady pace, whatever becomes of the others; nobody asks twice.
struct Load {
    enough: CancellationToken,
    answers: tokio::task::JoinHandle<Vec<Answer>>,
    since: Instant,
}

impl Load {
    fn begin(api: &Api) -> Self {
        let enough = CancellationToken::new();
        let (api, stop) = (api.clone(), enough.clone());
        let answers = tokio::spawn(async move {
            let mut tick = tokio::time::interval(PACE);
            let mut under_way = JoinSet::new();
            for number in 0_u32.. {
                tokio::select! {
                    _ = tick.tick() => {}
                    () = stop.cancelled() => break,
                }
                let api = api.clone();
                let method = match number % 8 {
                    0 => "tok_declined",
                    1 => "tok_slow_400",
                    _ => "tok_ok",
                };
                under_way.spawn(async move { place(&api, "PLENTY", 1, method, &[]).await });
            }
            under_way.join_all().await
        });
        Self {
            enough,
            answers,
            since: Instant::now(),
        }
    }

    /// Every answer, once the load has run for at least `lasting`.
    async fn end(self, lasting: Duration) -> Vec<Answer> {
        tokio::time::sleep_until((self.since + lasting).into()).await;
        self.enough.cancel();
        self.answers.await.unwrap()
    }
}

/// Every accepted order ends; every refusal is a clean one. The number of refusals.
async fn all_end(world: &World, answers: Vec<Answer>) -> usize {
    let (accepted, refused): (Vec<_>, Vec<_>) = answers
        .into_iter()
        .partition(|answer| (200..300).contains(&answer.status));
    for answer in &refused {
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.retry_after.is_some(), "{answer:?}");
    }
    assert!(accepted.len() > 50, "there was a load: {}", accepted.len());
    for answer in accepted {
        let id = answer.order_id().unwrap();
        world.reaches(id, &["PAID", "CANCELLED"]).await;
    }
    refused.len()
}

/// Stops a replica in good order and starts it again.
async fn roll(service: &Service) {
    let began = Instant::now();
    service.stop().await;
    let took = began.elapsed();
    let name = service.name();
    let exit = service.state().last_exit;
    assert_eq!(exit.as_deref(), Some("exit status: 0"), "{name}");
    assert!(took < STOP_MAX, "{name} stopped in {took:?}");
    service.start().await;
    service.ready(Duration::from_secs(30)).await.unwrap();
}

#[tokio::test]
async fn a_waiting_caller_is_answered_although_another_replica_got_the_event() {
    let world = World::start().await;
    let nats = ([127, 0, 0, 1], world.stack.ports().nats).into();
    let bus = Proxy::start(nats).await.unwrap();
    let [grpc, health, http] = [(); 3].map(|()| lease().unwrap());
    let env = [
        ("SHOPAPI_GRPC_ADDR", grpc.addr().to_string()),
        ("SHOPAPI_HEALTH_ADDR", health.addr().to_string()),
        ("SHOPAPI_NATS_URL", format!("nats://{}", bus.addr())),
    ];
    let holds = world
        .stack
        .spawn_beside("orders", "orders-beside", health.addr(), &env);
    let holds = holds.await.unwrap();
    let env = [
        ("SHOPAPI_ORDERS_URL", format!("https://{}", grpc.addr())),
        ("SHOPAPI_GRPC_ADDR", "127.0.0.1:0".to_owned()),
        ("SHOPAPI_HTTP_ADDR", http.addr().to_string()),
    ];
    let gateway = world
        .stack
        .spawn_beside("gateway", "gateway-beside", http.addr(), &env);
    let gateway = gateway.await.unwrap();
    let mut user = DEMO_USERS.split([',', ':']);
    let (email, password) = (user.next().unwrap(), user.next().unwrap());
    let api = Api::new(http.addr()).login(email, password).await.unwrap();

    let waiting = tokio::spawn(async move {
        let wait = [("prefer", "wait=20")];
        let orders = (0..8).map(|_| place(&api, "PLENTY", 1, "tok_slow_2000", &wait));
        join_all(orders).await
    });
    let asked = "SELECT count(*) FROM payments";
    world.count_reaches("payments", asked, 8).await;
    // From here on the callers' replica hears nothing: the events go to the other one.
    bus.refuse();
    for answer in waiting.await.unwrap() {
        let said = (answer.status, answer.text("status"));
        assert_eq!(said, (201, "PAID"), "{answer:?}");
        // Past its first deadline the replica would have asked payments itself.
        assert!(answer.took < Duration::from_secs(5), "{answer:?}");
    }
    gateway.stop().await;
    holds.stop().await;
    world.audit_and_stop().await;
}

#[tokio::test]
async fn orders_of_a_killed_replica_are_finished_by_the_other() {
    let world = World::start_replicas(2, &[]).await;
    let load = Load::begin(&world.api);
    tokio::time::sleep(Duration::from_secs(2)).await;
    // It stays down: nobody but the other replica can finish what it had.
    world.service("orders-1").kill_and_hold().await.unwrap();
    let answers = load.end(Duration::from_secs(6)).await;
    let refused = all_end(&world, answers).await;
    // What was under way on its connection, and nothing after that: at 25 orders a second a handful.
    assert!(refused <= 10, "{refused} orders were refused");
    world.service("orders-1").start().await;
    world.stack.all_ready().await.unwrap();
    world.audit_and_stop().await;
}

#[tokio::test]
async fn a_frozen_replica_of_each_service_costs_no_accepted_order() {
    let world = World::start_replicas(2, &[]).await;
    let load = Load::begin(&world.api);
    for name in ["inventory-2", "payments-2", "orders-2"] {
        world.service(name).signal(Signal::Stop).await.unwrap();
        tokio::time::sleep(Duration::from_secs(3)).await;
        world.service(name).signal(Signal::Cont).await.unwrap();
    }
    let answers = load.end(Duration::ZERO).await;
    all_end(&world, answers).await;
    world.audit_and_stop().await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_callers_that_are_frozen() {
    let world = World::start_replicas(2, &[]).await;
    let paid = world.order("PLENTY", 1, "tok_ok").await;
    world.reaches(paid.order_id().unwrap(), &["PAID"]).await;
    for (caller, callees) in [
        ("orders-2", &["payments-1", "inventory-1"][..]),
        ("gateway", &["orders-1"]),
    ] {
        world.service(caller).signal(Signal::Stop).await.unwrap();
        for callee in callees {
            roll(world.service(callee)).await;
        }
        world.service(caller).signal(Signal::Cont).await.unwrap();
    }
    let again = world.order("PLENTY", 1, "tok_ok").await;
    world.reaches(again.order_id().unwrap(), &["PAID"]).await;
    world.audit_and_stop().await;
}

#[tokio::test]
async fn a_rolling_restart_refuses_nobody_who_was_accepted() {
    let world = World::start_replicas(2, &[]).await;
    let load = Load::begin(&world.api);
    // Callers who wait on a replica while it goes.
    let api = Arc::new(world.api.clone());
    let waiting = tokio::spawn(async move {
        let orders =
            (0..8).map(|_| place(&api, "PLENTY", 1, "tok_slow_9000", &[("prefer", "wait=30")]));
        join_all(orders).await
    });
    for name in REPLICAS.iter().rev() {
        roll(world.service(name)).await;
    }
    let mut answers = load.end(Duration::from_secs(5)).await;
    let orders = answers.len();
    answers.extend(waiting.await.unwrap());
    let refused = all_end(&world, answers).await;
    println!("rolling restart of {REPLICAS:?}: {refused} of {orders} orders answered 503");
    world.audit_and_stop().await;
}
