//! What operators do by hand, through the services' admin doors and `shopctl`: on a stack where it is really needed.

use std::process::ExitCode;
use std::time::Duration;

use async_nats::jetstream;
use futures::future::join_all;
use serde_json::json;
use shopapi_proto::admin::v1 as admin;
use shopapi_proto::{headers, subjects};
use shopctl::audit::judge::Kind;
use shopctl::audit::{self, Verdict};
use shopctl::cli::{Cli, run};
use shopctl::operate::Services;
use shopctl::ui::Ui;

use crate::world::World;

/// Who acts in these tests.
const WHO: &str = "grace";
/// And why.
const WHY: &str = "a test of the doors";

/// `shopctl` against this world.
async fn shopctl(world: &World, words: &[&str]) -> ExitCode {
    let [orders, payments] = urls(world);
    let identity = world.stack.pki().dir_of("shopctl");
    let doors = ["--orders", orders.as_str(), "--payments", payments.as_str()];
    let doors = doors
        .into_iter()
        .chain(["--tls-dir", identity.to_str().unwrap()]);
    let cli = Cli::of_words(words.iter().copied().chain(doors)).unwrap();
    run(cli, &Ui::plain()).await.unwrap()
}

/// An act, with who and why.
pub(crate) async fn act(world: &World, words: &[&str]) -> ExitCode {
    let why = ["--who", WHO, "--reason", WHY];
    shopctl(world, &[words, &why].concat()).await
}

fn urls(world: &World) -> [String; 2] {
    ["orders", "payments"]
        .map(|service| format!("https://{}", world.stack.ports().grpc_of(service).unwrap()))
}

fn services(world: &World) -> Services {
    let [orders, payments] = urls(world).map(Some);
    Services {
        orders,
        payments,
        tls_dir: Some(world.stack.pki().dir_of("shopctl")),
        ..Services::default()
    }
}

fn who_and_why() -> Option<admin::Act> {
    Some(admin::Act {
        who: WHO.to_owned(),
        why: WHY.to_owned(),
    })
}

pub(crate) fn is(code: ExitCode, number: u8) -> bool {
    format!("{code:?}") == format!("{:?}", ExitCode::from(number))
}

async fn books(world: &World) -> Verdict {
    audit::settled_verdict(&audit::Target::of_cluster(&world.stack.cluster).unwrap())
        .await
        .unwrap()
}

fn listed(verdict: &Verdict, kind: Kind) -> Vec<&str> {
    verdict
        .listed
        .iter()
        .filter(|listed| listed.kind == kind)
        .map(|listed| listed.subject.as_str())
        .collect()
}

/// An order that is paid, and whose refund the provider refuses until it is stuck.
pub(crate) async fn asks_for_a_refund(world: &World, method: &str) -> i64 {
    let wait = [("prefer", "wait=20")];
    let paid = world.order_with("PLENTY", 1, method, &wait).await;
    assert_eq!(paid.text("status"), "PAID", "{paid:?}");
    let id = paid.order_id().unwrap();
    let refund = format!("/api/v1/orders/{id}/refund");
    let asked = world.api.post(&refund, &json!({}), &[]).await.unwrap();
    assert!([200, 202].contains(&asked.status), "{asked:?}");
    id
}

/// Everything in ordersdb that an act could have changed, but for the record of the act itself.
async fn version_and_history(world: &World, id: i64) -> [i64; 2] {
    let version = format!("SELECT version FROM orders WHERE order_id = {id}");
    let history = format!("SELECT count(*) FROM order_timeline WHERE order_id = {id}");
    [
        world.count("orders", &version).await,
        world.count("orders", &history).await,
    ]
}

#[tokio::test]
async fn a_refund_that_is_refused_for_good_waits_for_people_who_settle_it() {
    let world = World::start().await;
    // The provider gives in at the sixth try, one more than payments makes by itself.
    let (patient, hopeless) = tokio::join!(
        asks_for_a_refund(&world, "tok_refund_fails_5"),
        asks_for_a_refund(&world, "tok_refund_fails"),
    );
    let stuck = "SELECT count(*) FROM orders WHERE saga_state = 'STUCK'";
    world.count_reaches("orders", stuck, 2).await;
    let before = books(&world).await;
    assert!(before.is_clean() && before.is_settled(), "{before:?}");
    assert_eq!(listed(&before, Kind::Stuck).len(), 2);
    assert_eq!(listed(&before, Kind::Owed).len(), 2);

    let mut door = services(&world).orders().await.unwrap();
    let found = door.list_sagas(admin::ListSagasRequest::default()).await;
    let found = found.unwrap().into_inner().sagas;
    assert_eq!(found.len(), 2, "all others have ended: {found:?}");
    assert!(
        found
            .iter()
            .all(|saga| saga.stuck_reason == "refund_refused")
    );

    another_version_changes_nothing(&world, hopeless).await;

    // One more try, and the money is back.
    let order = patient.to_string();
    assert!(is(act(&world, &["refund", "insist", &order]).await, 0));
    world.reaches(patient, &["REFUNDED"]).await;

    // The saga asks again, and gets the same answer.
    let order = hopeless.to_string();
    assert!(is(act(&world, &["saga", "retry", &order]).await, 0));
    let stuck_twice = format!(
        "SELECT count(*) FROM order_timeline WHERE order_id = {hopeless} AND step = 'stuck'"
    );
    world.count_reaches("orders", &stuck_twice, 2).await;

    // Its money was taken: it cannot end as cancelled. A transfer by hand ends it.
    let cancelled = ["saga", "resolve", &order, "--as", "cancelled"];
    assert!(is(act(&world, &cancelled).await, 1));
    let refunded = ["saga", "resolve", &order, "--as", "refunded"];
    assert!(is(act(&world, &refunded).await, 0));
    world.reaches(hopeless, &["REFUNDED"]).await;
    let causes = world.timeline(hopeless).await;
    let (_, cause) = causes.last().unwrap();
    assert_eq!(cause, "An operator settled the order by hand.");
    // Who and why are no business of customers.
    let personal = |(_, cause): &&(String, String)| cause.contains(WHO) || cause.contains(WHY);
    assert_eq!(causes.iter().find(personal), None);
    assert!(is(shopctl(&world, &["saga", "show", &order]).await, 0));

    let after = books(&world).await;
    assert!(after.is_clean() && after.is_settled(), "{after:?}");
    assert_eq!(listed(&after, Kind::Stuck), Vec::<&str>::new());
    let subject = format!("order {hopeless}");
    assert_eq!(listed(&after, Kind::ByHand), [subject.as_str()]);
    let by_hand = after.listed.iter().find(|found| found.kind == Kind::ByHand);
    assert_eq!(by_hand.unwrap().detail, format!("{WHO}: {WHY}"));
    assert_eq!(listed(&after, Kind::Owed), [subject.as_str()]);
    let recorded = format!(
        "SELECT count(*) FROM operator_actions WHERE target = '{hopeless}' AND who = '{WHO}' AND ended_at IS NOT NULL
         AND (action, outcome) IN (('saga.retry', 'DONE'), ('saga.retry', 'REFUSED'), ('saga.resolve', 'DONE'), ('saga.resolve', 'REFUSED'))"
    );
    // Two at other versions were refused, and the wrong end.
    assert_eq!(world.count("orders", &recorded).await, 5);
    world.audit_and_stop().await;
}

/// Payments knows the payment differently, so that it can neither be asked for nor voided: only people end the order, and what it holds
/// goes back to everybody.
#[tokio::test]
async fn a_resolved_order_gives_its_stock_back() {
    let world = World::start().await;
    let available = world.available("PLENTY").await;
    let owner = world.stack.cluster.connect("payments_owner", "paymentsdb");
    let owner = owner.await.unwrap();
    let broken = "ALTER TABLE payments ADD CONSTRAINT broken CHECK (amount_cents = 499) NOT VALID";
    owner.batch_execute(broken).await.unwrap();
    let placed = world.order("PLENTY", 1, "tok_ok").await;
    let id = placed.order_id().unwrap();
    world.count_reaches("payments", OPEN, 1).await;
    let mut door = services(&world).orders().await.unwrap();
    let found = door.get_saga(admin::GetSagaRequest { order_id: id }).await;
    let payment_id = found.unwrap().into_inner().payment_id;
    let otherwise = format!(
        "INSERT INTO payments (payment_id, order_id, amount_cents, version, write_id, attempt, attempts_left, look_ups,
                               refund_attempt, refund_tries, void_requested, late_capture, state, refund_state,
                               currency, payment_method)
         VALUES ('{payment_id}', {id}, 499, 1, gen_random_uuid(), 0, 0, 0, 0, 0, false, false, 'VOIDED', 'NONE', 'EUR', 'tok_ok')"
    );
    owner.batch_execute(&otherwise).await.unwrap();

    let cancel = format!("/api/v1/orders/{id}/cancel");
    world.api.post(&cancel, &json!({}), &[]).await.unwrap();
    let mended = "ALTER TABLE payments DROP CONSTRAINT broken";
    owner.batch_execute(mended).await.unwrap();
    let stuck = "SELECT count(*) FROM order_timeline WHERE step = 'stuck'";
    world.count_reaches("orders", stuck, 1).await;
    let order = id.to_string();
    assert!(is(act(&world, &["saga", "compensate", &order]).await, 0));
    world.count_reaches("orders", stuck, 2).await;
    let held = "SELECT count(*) FROM reservations WHERE state = 'HELD'";
    assert_eq!(world.count("inventory", held).await, 1);

    let resolve = ["saga", "resolve", &order, "--as", "cancelled"];
    assert!(is(act(&world, &resolve).await, 0));
    world.reaches(id, &["CANCELLED"]).await;

    assert_eq!(world.count("inventory", held).await, 0);
    assert_eq!(world.available("PLENTY").await, available);
    let repaired = "UPDATE payments SET amount_cents = 500";
    owner.batch_execute(repaired).await.unwrap();
    let verdict = books(&world).await;
    let subject = format!("order {id}");
    assert_eq!(listed(&verdict, Kind::ByHand), [subject.as_str()]);
    world.audit_and_stop().await;
}

/// Who looked at another version, or does not say why, is refused, and no row changes.
async fn another_version_changes_nothing(world: &World, id: i64) {
    let before = version_and_history(world, id).await;
    let [version, _] = before;
    let mut door = services(world).orders().await.unwrap();
    for (expected_version, act, code) in [
        (version - 1, who_and_why(), "Aborted"),
        (version + 1, who_and_why(), "Aborted"),
        (0, who_and_why(), "InvalidArgument"),
        (version, None, "InvalidArgument"),
    ] {
        let request = admin::RetrySagaRequest {
            order_id: id,
            expected_version,
            act,
        };
        let refused = door.retry_saga(request).await.unwrap_err();
        assert_eq!(format!("{:?}", refused.code()), code, "{refused}");
    }
    assert_eq!(version_and_history(world, id).await, before);
    // Only what named who and why was recorded.
    let refused = format!(
        "SELECT count(*) FROM operator_actions WHERE target = '{id}' AND outcome = 'REFUSED'"
    );
    assert_eq!(world.count("orders", &refused).await, 2);

    let mut door = services(world).payments().await.unwrap();
    let request = admin::FindPaymentRequest {
        key: Some(admin::find_payment_request::Key::OrderId(id)),
    };
    let found = door.find_payment(request).await.unwrap().into_inner();
    let payment = found.payment.unwrap();
    let request = admin::InsistRefundRequest {
        payment_id: payment.payment_id.clone(),
        expected_version: payment.version - 1,
        act: who_and_why(),
    };
    let refused = door.insist_refund(request).await.unwrap_err();
    assert_eq!(format!("{:?}", refused.code()), "Aborted", "{refused}");
    let attempts = format!(
        "SELECT count(*) FROM refunds WHERE payment_id = '{}'",
        payment.payment_id
    );
    assert_eq!(
        world.count("payments", &attempts).await,
        i64::from(payment.refund_attempt)
    );
}

async fn jetstream_of(world: &World, who: &str) -> jetstream::Context {
    world.bus(who).await.jetstream
}

/// The ids of payments' open letters.
async fn open_letters(world: &World) -> Vec<String> {
    let mut door = services(world).payments().await.unwrap();
    let request = admin::ListDeadLettersRequest::default();
    let found = door.list_dead_letters(request).await.unwrap().into_inner();
    found
        .letters
        .into_iter()
        .map(|letter| letter.letter_id)
        .collect()
}

const OPEN: &str =
    "SELECT count(*) FROM dead_letters WHERE replayed_at IS NULL AND discarded_at IS NULL";

#[tokio::test]
async fn an_event_that_nobody_can_handle_is_discarded() {
    let world = World::start().await;
    let jetstream = jetstream_of(&world, "orders").await;
    let mut envelope = async_nats::HeaderMap::new();
    envelope.insert(headers::EVENT_ID, "0190d2f0-0000-7000-8000-000000000001");
    envelope.insert(headers::SCHEMA_VERSION, "1");
    envelope.insert(headers::AGGREGATE_SEQ, "1");
    let garbage = b"\xff\xff not a protobuf".to_vec();
    let sent = jetstream.publish_with_headers(subjects::ORDERS_CREATED, envelope, garbage.into());
    sent.await.unwrap().await.unwrap();
    world.count_reaches("payments", OPEN, 1).await;
    let letter = open_letters(&world).await.remove(0);

    assert!(is(shopctl(&world, &["dead-letter", "list"]).await, 0));
    assert!(is(
        shopctl(&world, &["dead-letter", "show", &letter]).await,
        0
    ));
    assert!(is(
        act(&world, &["dead-letter", "discard", &letter]).await,
        0
    ));

    assert_eq!(open_letters(&world).await, Vec::<String>::new());
    // What is discarded stays so.
    assert!(is(
        act(&world, &["dead-letter", "replay", &letter]).await,
        1
    ));
    assert!(is(
        act(&world, &["dead-letter", "discard", &letter]).await,
        1
    ));
    let nobody = "0190d2f0-0000-7000-8000-00000000ffff";
    assert!(is(
        act(&world, &["dead-letter", "discard", nobody]).await,
        1
    ));
    let recorded = format!(
        "SELECT count(*) FROM operator_actions WHERE target = '{letter}' AND action = 'dead-letter.discard' AND who = '{WHO}'"
    );
    assert_eq!(world.count("payments", &recorded).await, 1);
    world.audit_and_stop().await;
}

#[tokio::test]
async fn an_event_is_replayed_when_what_kept_it_from_being_handled_is_repaired() {
    let world = World::start().await;
    let owner = world.stack.cluster.connect("payments_owner", "paymentsdb");
    let owner = owner.await.unwrap();
    let broken = "ALTER TABLE payments ADD CONSTRAINT broken CHECK (currency = 'XXX') NOT VALID";
    owner.batch_execute(broken).await.unwrap();
    let waiting = world.order("PLENTY", 1, "tok_ok").await;
    assert_eq!(waiting.status, 201, "{waiting:?}");
    world.count_reaches("payments", OPEN, 1).await;
    let letter = open_letters(&world).await.remove(0);

    // Replayed in vain it comes back.
    assert!(is(
        act(&world, &["dead-letter", "replay", &letter]).await,
        0
    ));
    world.count_reaches("payments", OPEN, 1).await;

    let repaired = "ALTER TABLE payments DROP CONSTRAINT broken";
    owner.batch_execute(repaired).await.unwrap();
    assert!(is(
        act(&world, &["dead-letter", "replay", &letter]).await,
        0
    ));
    world.reaches(waiting.order_id().unwrap(), &["PAID"]).await;

    assert_eq!(world.count("payments", OPEN).await, 0);
    let mut stream = jetstream_of(&world, "shopctl")
        .await
        .get_stream("ORDERS")
        .await
        .unwrap();
    let copy = stream
        .get_last_raw_message_by_subject("replay.payments.orders.created")
        .await
        .unwrap();
    let header = |name: &str| copy.headers.get(name).unwrap().as_str().to_owned();
    assert_eq!(header(headers::EVENT_ID), letter);
    assert_ne!(
        header("Nats-Msg-Id"),
        letter,
        "the broker would not store it"
    );
    let stored = stream.info().await.unwrap().state.messages;
    assert!(stored >= 3, "the first copy and two replays: {stored}");
    world.audit_and_stop().await;
}

/// Messages in both streams, once their consumers have handled all of them.
async fn handled(world: &World) -> u64 {
    let jetstream = jetstream_of(world, "shopctl").await;
    let mut tick = tokio::time::interval(Duration::from_millis(50));
    let mut messages = 0;
    for (stream, consumer) in [("ORDERS", "payments"), ("PAYMENTS", "orders")] {
        let mut stream = jetstream.get_stream(stream).await.unwrap();
        loop {
            tick.tick().await;
            let info = stream.consumer_info(consumer).await.unwrap();
            if info.num_pending == 0 && info.num_ack_pending == 0 {
                break;
            }
        }
        messages += stream.info().await.unwrap().state.messages;
    }
    messages
}

#[tokio::test]
async fn a_replayed_outbox_is_recognised_and_leaves_the_books_clean() {
    let world = World::start().await;
    let wait = [("prefer", "wait=20")];
    let methods = ["tok_ok", "tok_ok", "tok_declined", "tok_ok", "tok_ok"];
    let placed = methods.map(|method| world.order_with("PLENTY", 1, method, &wait));
    for answer in join_all(placed).await {
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    let published = "SELECT count(*) FROM outbox WHERE published_at IS NOT NULL";
    // Created and paid or cancelled; succeeded or failed.
    world.count_reaches("orders", published, 10).await;
    world.count_reaches("payments", published, 5).await;
    let before = handled(&world).await;
    assert_eq!(before, 15);

    assert!(is(shopctl(&world, &["outbox", "status"]).await, 0));
    let replay = ["outbox", "replay", "--since", "10m"];
    assert!(is(act(&world, &replay).await, 0));

    assert_eq!(
        handled(&world).await,
        2 * before,
        "every event was stored again"
    );
    for service in ["orders", "payments"] {
        let letters = world
            .count(service, "SELECT count(*) FROM dead_letters")
            .await;
        assert_eq!(letters, 0, "{service}");
    }
    let captures = "SELECT count(*) FROM payment_attempts WHERE state = 'CAPTURED'";
    assert_eq!(world.count("payments", captures).await, 4);
    world.audit_and_stop().await;
}

#[tokio::test]
async fn the_look_ups_of_a_voided_payment_are_brought_forward() {
    let world = World::start().await;
    let slow = world.order("PLENTY", 1, "tok_timeout").await;
    let id = slow.order_id().unwrap();
    let open = "SELECT count(*) FROM payment_attempts";
    world.count_reaches("payments", open, 1).await;
    let cancel = format!("/api/v1/orders/{id}/cancel");
    let cancelled = world.api.post(&cancel, &json!({}), &[]).await.unwrap();
    assert!([200, 202].contains(&cancelled.status), "{cancelled:?}");
    world.reaches(id, &["CANCELLED"]).await;

    let mut door = services(&world).payments().await.unwrap();
    let request = admin::SettleOpenAttemptsRequest { act: who_and_why() };
    let settled = door.settle_open_attempts(request).await.unwrap();
    assert_eq!(settled.into_inner().brought_forward, 1);
    let looked_up = "SELECT look_ups::bigint FROM payments";
    world.count_reaches("payments", looked_up, 1).await;
    world.audit_and_stop().await;
}

#[tokio::test]
async fn a_service_that_does_not_answer_has_an_exit_code_of_its_own() {
    let set = tempfile::tempdir().unwrap();
    let identity = devstack::Pki::load_or_create(set.path()).unwrap();
    let identity = identity.dir_of("shopctl");
    let nowhere = [
        "--orders",
        "https://127.0.0.1:1",
        "--payments",
        "https://127.0.0.1:1",
        "--tls-dir",
        identity.to_str().unwrap(),
    ];
    for words in [
        vec!["saga", "list"],
        vec!["outbox", "status"],
        vec!["dead-letter", "list"],
    ] {
        let cli = Cli::of_words(words.into_iter().chain(nowhere)).unwrap();
        assert!(is(run(cli, &Ui::plain()).await.unwrap(), 3));
    }
}
