//! Customers who place orders while something goes wrong.
//!
//! Each has one order at a time, under an idempotency key of its own, and repeats a refused one with the same key, as a shop's page
//! does: so every key ends as exactly one order, whatever happens to answers on their way.

use std::time::{Duration, Instant};

use futures::future::join_all;
use shopctl::client::{Answer, Api};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::world::{World, place};

/// Past every deadline of a saga that waits for a neighbour which was away.
const END_DEADLINE: Duration = Duration::from_secs(90);
/// How often the databases are asked.
const POLL: Duration = Duration::from_millis(50);
/// What a refused customer of a small load waits: less than advised, so that refusals are met often.
const IMPATIENCE: Duration = Duration::from_millis(50);

/// How a payment is to go, by the number of the order.
pub(crate) type Method = fn(u32) -> &'static str;

/// Every fifth card is declined, so that stock is given back as well.
pub(crate) fn some_declined(number: u32) -> &'static str {
    if number.is_multiple_of(5) {
        "tok_declined"
    } else {
        "tok_ok"
    }
}

/// What customers met.
#[derive(Debug, Default)]
pub(crate) struct Met {
    /// Accepted orders, one per key.
    pub(crate) accepted: Vec<i64>,
    /// How long the answers to them took.
    pub(crate) accepted_after: Vec<Duration>,
    /// Refusals: 503 each.
    pub(crate) refusals: Vec<Answer>,
}

/// Customers at work.
pub(crate) struct Customers {
    close: watch::Sender<bool>,
    accepted: watch::Receiver<usize>,
    task: JoinHandle<Met>,
}

impl Customers {
    /// `count` customers begin to order one piece of `sku` each, again and again.
    pub(crate) fn come(
        api: &Api,
        label: &str,
        count: usize,
        sku: &'static str,
        method: Method,
    ) -> Self {
        Self::come_with(api, label, count, sku, method, IMPATIENCE)
    }

    /// As [`come`](Self::come), and a refused customer comes again after a while.
    pub(crate) fn come_with(
        api: &Api,
        label: &str,
        count: usize,
        sku: &'static str,
        method: Method,
        again_after: Duration,
    ) -> Self {
        let (close, closed) = watch::channel(false);
        let (count_accepted, accepted) = watch::channel(0);
        let customers: Vec<_> = (0..count)
            .map(|index| Customer {
                api: api.clone(),
                name: format!("{label}-{index}"),
                sku,
                method,
                again_after,
                closed: closed.clone(),
                count_accepted: count_accepted.clone(),
            })
            .collect();
        let task = tokio::spawn(async move {
            let mut met = Met::default();
            for one in join_all(customers.into_iter().map(Customer::shop)).await {
                met.accepted.extend(one.accepted);
                met.accepted_after.extend(one.accepted_after);
                met.refusals.extend(one.refusals);
            }
            met
        });
        Self {
            close,
            accepted,
            task,
        }
    }

    /// How many orders were accepted so far.
    pub(crate) fn accepted(&self) -> usize {
        *self.accepted.borrow()
    }

    /// Waits until `more` orders were accepted from now on; how long that took.
    pub(crate) async fn accept(&self, more: usize) -> Duration {
        let began = Instant::now();
        let target = self.accepted() + more;
        let mut accepted = self.accepted.clone();
        let reached = accepted.wait_for(|accepted| *accepted >= target);
        let reached = tokio::time::timeout(END_DEADLINE, reached).await;
        assert!(
            reached.is_ok(),
            "{} of {target} orders were accepted",
            self.accepted()
        );
        began.elapsed()
    }

    /// No new orders; those on their way are answered first.
    pub(crate) async fn leave(self) -> Met {
        self.close.send_replace(true);
        self.task.await.unwrap()
    }
}

struct Customer {
    api: Api,
    name: String,
    sku: &'static str,
    method: Method,
    again_after: Duration,
    closed: watch::Receiver<bool>,
    count_accepted: watch::Sender<usize>,
}

impl Customer {
    async fn shop(self) -> Met {
        let mut met = Met::default();
        let mut number = 0;
        while !*self.closed.borrow() {
            number += 1;
            let key = format!("{}-{number}", self.name);
            let (key, method) = ([("idempotency-key", key.as_str())], (self.method)(number));
            let mut tick = tokio::time::interval(self.again_after);
            tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tick.tick().await;
                let answer = place(&self.api, self.sku, 1, method, &key).await;
                match answer.status {
                    // 200: the key is known, an earlier answer was lost on its way.
                    200..=202 => {
                        met.accepted.push(answer.order_id().unwrap());
                        met.accepted_after.push(answer.took);
                        self.count_accepted.send_modify(|accepted| *accepted += 1);
                        break;
                    }
                    503 => met.refusals.push(answer),
                    other => panic!("{other}: {answer:?}"),
                }
            }
        }
        met
    }
}

/// Waits until every one of these orders has ended, in a final state with nothing left to do; how long that took.
pub(crate) async fn all_end(world: &World, accepted: &[i64]) -> Duration {
    let began = Instant::now();
    let mut distinct = accepted.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), accepted.len(), "one order per key");
    let books = world
        .stack
        .cluster
        .connect("orders_owner", "ordersdb")
        .await
        .unwrap();
    let mut tick = tokio::time::interval(POLL);
    loop {
        tick.tick().await;
        let open = books
            .query(
                "SELECT wanted.id, o.step, o.saga_state FROM unnest($1::bigint[]) wanted (id) \
                 LEFT JOIN orders o ON o.order_id = wanted.id \
                 WHERE o.saga_state IS NULL OR o.saga_state NOT IN ('COMPLETED', 'COMPENSATED')",
                &[&distinct],
            )
            .await
            .unwrap();
        if open.is_empty() {
            return began.elapsed();
        }
        assert!(
            began.elapsed() < END_DEADLINE,
            "{} orders have not ended, the first of them: {:?}",
            open.len(),
            open.first()
        );
    }
}

/// One order per key and one history per order: nothing was written twice, nothing between was lost.
pub(crate) async fn no_twins(world: &World, accepted: &[i64]) {
    let orders = world.count("orders", "SELECT count(*) FROM orders").await;
    assert_eq!(
        usize::try_from(orders).unwrap(),
        accepted.len(),
        "an order without a customer"
    );
    for (what, query) in [
        (
            "histories with a hole or a surplus",
            "SELECT count(*) FROM orders o WHERE version <> \
             (SELECT count(*) FROM order_timeline t WHERE t.order_id = o.order_id AND t.version <= o.version)",
        ),
        (
            "payments asked for twice",
            "SELECT count(*) FROM (SELECT FROM outbox WHERE subject LIKE '%orders.created' \
             GROUP BY order_id HAVING count(*) > 1) twice",
        ),
    ] {
        assert_eq!(world.count("orders", query).await, 0, "{what}");
    }
}

/// How many lines of a log say `text`.
pub(crate) fn lines_with(log: &std::path::Path, text: &str) -> usize {
    let log = std::fs::read_to_string(log).unwrap();
    log.lines().filter(|line| line.contains(text)).count()
}

/// Ticks once after `pause`: how long a fault lasts is part of the fault.
pub(crate) async fn lasting(pause: Duration) {
    let mut tick = tokio::time::interval(pause);
    tick.tick().await;
    tick.tick().await;
}
