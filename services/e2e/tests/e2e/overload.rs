//! More customers than can be served: those who come in are served, the others are told so at once, and nothing grows without bound.

use std::time::Duration;

use devstack::DEMO_USERS;
use futures::future::join_all;
use serde_json::json;
use shopctl::client::Answer;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::load::{Customers, Met, all_end, lasting, no_twins};
use crate::world::{World, place};

/// Customers at once: a quarter more than orders lets in, each with a connection of its own, below what a gateway takes.
const CROWD: usize = 2_560;
/// How long they keep coming.
const RUSH: Duration = Duration::from_secs(4);
/// A refused customer is as patient as Retry-After asks at least.
const PATIENCE: Duration = Duration::from_secs(1);
/// A caller that hears nothing for longer gives up by itself.
const REFUSED_WITHIN: Duration = Duration::from_secs(30);
/// What a service may grow by between two rushes of the same size: what the first one warmed up stays, so little is left to grow.
const GROWTH_MAX_KIB: u64 = 96 * 1024;

fn all_good(_: u32) -> &'static str {
    "tok_ok"
}

fn quantile(took: &mut [Duration], part: f64) -> Duration {
    took.sort_unstable();
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index into a few thousand values"
    )]
    let index = (took.len() as f64 * part) as usize;
    took[index.min(took.len() - 1)]
}

/// Resident memory of each service, in KiB.
fn resident(world: &World) -> Vec<(String, u64)> {
    let kib = |pid: u32| -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let services = world.stack.services().iter();
    services
        .map(|service| (service.name().to_owned(), kib(service.pid().unwrap())))
        .collect()
}

async fn rush(world: &World, label: &str) -> Met {
    let customers = Customers::come_with(&world.api, label, CROWD, "PLENTY", all_good, PATIENCE);
    lasting(RUSH).await;
    let met = customers.leave().await;
    all_end(world, &met.accepted).await;
    met
}

#[tokio::test]
async fn a_crowd_is_served_or_turned_away_at_once_and_nothing_grows() {
    let world = World::start().await;
    let pids = world.pids();
    let first = rush(&world, "first").await;
    let before = resident(&world);
    let second = rush(&world, "second").await;
    let after = resident(&world);

    for ((name, before), (_, after)) in before.iter().zip(&after) {
        let growth = after.saturating_sub(*before);
        assert!(
            growth < GROWTH_MAX_KIB,
            "{name}: from {before} to {after} KiB"
        );
    }
    let refusals: Vec<&Answer> = first.refusals.iter().chain(&second.refusals).collect();
    assert!(
        refusals.len() > CROWD / 10,
        "a crowd of which only {} were refused",
        refusals.len()
    );
    for refusal in &refusals {
        assert!(
            refusal.retry_after.is_some_and(|seconds| seconds > 0),
            "{refusal:?}"
        );
    }
    let mut refused_after: Vec<_> = refusals.iter().map(|refusal| refusal.took).collect();
    let mut accepted_after = [first.accepted_after, second.accepted_after].concat();
    // The crowd shares two cores with an unoptimised shop, and each call of it pays for TLS and its spans: a refusal waits for its turn as long as
    // an acceptance does. What holds here is that it is bounded; that it is quick only an optimised build can show.
    for part in [0.5, 0.99] {
        let refused = quantile(&mut refused_after, part);
        let accepted = quantile(&mut accepted_after, part);
        println!("quantile {part}: refused after {refused:?}, accepted after {accepted:?}");
        assert!(
            refused < REFUSED_WITHIN,
            "quantile {part}: refused after {refused:?}"
        );
    }
    no_twins(&world, &[first.accepted, second.accepted].concat()).await;
    assert_eq!(world.pids(), pids, "no process exited");
    world.audit_and_stop().await;
}

/// A POST on a connection of its own, of which `part` of the body's bytes are sent before the caller hangs up.
async fn hang_up(world: &World, token: &str, key: &str, whole: bool) {
    let body = json!({ "items": [{ "sku": "PLENTY", "quantity": 1 }], "payment_method": "tok_ok" })
        .to_string();
    let head = format!(
        "POST /api/v1/orders HTTP/1.1\r\nhost: shop\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         idempotency-key: {key}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let sent = if whole {
        body.as_str()
    } else {
        &body[..body.len() / 2]
    };
    let mut connection = TcpStream::connect(world.stack.gateway_addr())
        .await
        .unwrap();
    connection
        .write_all((head + sent).as_bytes())
        .await
        .unwrap();
    // Gone at once, as a phone in a tunnel: what was sent is delivered, the answer is not.
    drop(connection);
}

#[tokio::test]
async fn callers_who_hang_up_leave_whole_orders_or_none() {
    const CALLERS: usize = 100;
    let world = World::start().await;
    let mut user = DEMO_USERS.split([',', ':']);
    let login = json!({ "email": user.next().unwrap(), "password": user.next().unwrap() });
    let login = world
        .anonymous
        .post("/api/v1/auth/login", &login, &[])
        .await
        .unwrap();
    let token = login.text("access_token");

    let half = (0..CALLERS).map(|caller| (format!("half-{caller}"), false));
    let whole = (0..CALLERS).map(|caller| (format!("whole-{caller}"), true));
    let calls = half.chain(whole).map(|(key, whole)| {
        let world = &world;
        async move { hang_up(world, token, &key, whole).await }
    });
    join_all(calls).await;
    // Whoever hung up presses the button again, half of them while their first request is still under way.
    let mut accepted = Vec::new();
    for caller in 0..CALLERS {
        let key = format!("whole-{caller}");
        let answer = place(
            &world.api,
            "PLENTY",
            1,
            "tok_ok",
            &[("idempotency-key", &key)],
        )
        .await;
        assert!((200..=202).contains(&answer.status), "{answer:?}");
        accepted.push(answer.order_id().unwrap());
    }
    all_end(&world, &accepted).await;
    // None of half a request, one of a whole one and its repeat.
    no_twins(&world, &accepted).await;
    let keys = "SELECT count(*) FROM idempotency_keys WHERE key LIKE 'half-%'";
    assert_eq!(world.count("orders", keys).await, 0);
    world.audit_and_stop().await;
}
