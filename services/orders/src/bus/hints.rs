//! Hints between replicas: "these orders have moved", on `hint.orders`, at most once.
//!
//! ```text
//!   coordinators ── OrderMoved ──▶ OrderHints ── gathered for a moment ──▶ hint.orders ──▶ OrderHints of every replica ──▶ order-tail
//! ```
//!
//! A lost hint costs its waiter half a second, so nothing here is repeated. A crash loses what was gathered.

use std::time::Duration;

use actor_kit::{Actor, ActorError, Backoff, Ctx, Mailbox, StopSignal};
use jetstream::Connection;
use order_saga::{OrderId, OrderMoved, TailMsg, Version};
use shopapi_proto::subjects::HINT_ORDERS;
use tokio::sync::mpsc;
use tokio_util::sync::DropGuard;
use tracing::warn;

/// Moves that wait for the next hint; beyond it they are dropped.
const GATHERED_MAX: usize = 1_024;
/// Moves in one hint: 4 KiB.
const MOVES_PER_HINT_MAX: usize = 256;
/// Pause between two hints: invisible to a person who waits, and under load it makes one message of hundreds.
const GATHER_FOR: Duration = Duration::from_millis(5);
/// Bytes of one move in a hint: order id and version, little endian.
const MOVE_BYTES: usize = 16;
/// Pause before listening is tried again.
const LISTEN_RETRY: Backoff = Backoff {
    base: Duration::from_millis(100),
    cap: Duration::from_secs(5),
};

/// The actor: sends this replica's moves and hears the others'.
pub(crate) struct OrderHints {
    bus: Connection,
    tail: Mailbox<TailMsg>,
    gathered: mpsc::Sender<OrderMoved>,
    to_send: Option<mpsc::Receiver<OrderMoved>>,
    stop: StopSignal,
    /// Ends both tasks with the actor, however it ends.
    _stop_with_me: DropGuard,
}

impl OrderHints {
    pub(crate) fn new(bus: Connection, tail: Mailbox<TailMsg>) -> Self {
        let (gathered, to_send) = mpsc::channel(GATHERED_MAX);
        let stop = StopSignal::new();
        Self {
            bus,
            tail,
            gathered,
            to_send: Some(to_send),
            _stop_with_me: stop.clone().drop_guard(),
            stop,
        }
    }
}

impl Actor for OrderHints {
    type Msg = OrderMoved;

    async fn started(&mut self, _: &Ctx<Self>) -> Result<(), ActorError> {
        if let Some(to_send) = self.to_send.take() {
            tokio::spawn(send(self.bus.clone(), to_send));
        }
        let listening = listen(self.bus.clone(), self.tail.clone());
        tokio::spawn(self.stop.clone().run_until_cancelled_owned(listening));
        Ok(())
    }

    async fn handle(&mut self, _: &Ctx<Self>, moved: OrderMoved) -> Result<(), ActorError> {
        // Full means that hints cannot keep up; the tails read the versions anyway.
        let _ = self.gathered.try_send(moved);
        Ok(())
    }

    fn message_name(_: &OrderMoved) -> &'static str {
        "order-hints moved"
    }
}

/// Ends when the actor has dropped its sending half.
async fn send(bus: Connection, mut to_send: mpsc::Receiver<OrderMoved>) {
    let mut moves = Vec::with_capacity(MOVES_PER_HINT_MAX);
    while to_send.recv_many(&mut moves, MOVES_PER_HINT_MAX).await > 0 {
        bus.hint(HINT_ORDERS, encode(&moves).into());
        moves.clear();
        tokio::time::sleep(GATHER_FOR).await;
    }
}

async fn listen(bus: Connection, tail: Mailbox<TailMsg>) {
    let mut failures = 0;
    loop {
        bus.connected().await;
        match bus.hints(HINT_ORDERS).await {
            Ok(mut hints) => {
                failures = 0;
                while let Some(payload) = hints.next().await {
                    for moved in decode(&payload) {
                        // With the tail's mailbox full its next look at the versions says the same.
                        drop(tail.try_send(TailMsg::Hint(moved)));
                    }
                }
            }
            Err(error) => warn!(%error, "hints of other replicas are not heard"),
        }
        tokio::time::sleep(LISTEN_RETRY.jittered(failures)).await;
        failures = failures.saturating_add(1);
    }
}

fn encode(moves: &[OrderMoved]) -> Vec<u8> {
    moves
        .iter()
        .flat_map(|moved| {
            [
                moved.order_id.0.to_le_bytes(),
                moved.version.0.to_le_bytes(),
            ]
        })
        .flatten()
        .collect()
}

/// The moves of a hint; what is left over or makes no sense is dropped.
fn decode(payload: &[u8]) -> impl Iterator<Item = OrderMoved> {
    payload
        .chunks_exact(MOVE_BYTES)
        .take(MOVES_PER_HINT_MAX)
        .filter_map(|bytes| {
            let (order_id, version) = bytes.split_at(MOVE_BYTES / 2);
            Some(OrderMoved {
                order_id: OrderId(i64::from_le_bytes(order_id.try_into().ok()?)),
                version: Version(i64::from_le_bytes(version.try_into().ok()?)),
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_survive_a_hint_and_a_torn_one_is_left_out() {
        let moves = [(1, 2), (i64::MAX, 3)].map(|(id, version)| OrderMoved {
            order_id: OrderId(id),
            version: Version(version),
        });
        let mut payload = encode(&moves);
        payload.push(0);
        assert_eq!(decode(&payload).collect::<Vec<_>>(), moves);
    }
}
