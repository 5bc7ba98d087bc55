//! Coalescing: what waits while calls are under way goes together in the next one.
//!
//! No timer and no minimum: a lone item goes at once, and under load calls grow by themselves.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The items that wait for one method.
pub(super) struct Lane<T>(Arc<Shared<T>>);

struct Shared<T> {
    state: Mutex<State<T>>,
    calls_max: usize,
    items_max: usize,
}

struct State<T> {
    waiting: VecDeque<T>,
    calls: usize,
}

impl<T> Shared<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        // Items are pushed and drained whole: a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a call under way.
struct Place<T>(Option<Arc<Shared<T>>>);

impl<T> Place<T> {
    /// The next call's items. With none left the place is given back under the same lock, so that no item is added unseen.
    fn take(&mut self) -> Option<Vec<T>> {
        let shared = self.0.take()?;
        let mut state = shared.state();
        let count = state.waiting.len().min(shared.items_max);
        if count == 0 {
            state.calls -= 1;
            return None;
        }
        let items = state.waiting.drain(..count).collect();
        drop(state);
        self.0 = Some(shared);
        Some(items)
    }
}

impl<T> Drop for Place<T> {
    fn drop(&mut self) {
        // Still there only when the call panicked.
        if let Some(shared) = &self.0 {
            shared.state().calls -= 1;
        }
    }
}

impl<T: Send + 'static> Lane<T> {
    pub(super) fn new(calls_max: usize, items_max: usize) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                calls: 0,
            }),
            calls_max,
            items_max,
        }))
    }

    /// Adds an item. Opens another call when there is a place for one; else the item goes with the next.
    pub(super) fn push<F, Call>(&self, item: T, call: F)
    where
        F: Fn(Vec<T>) -> Call + Send + 'static,
        Call: Future<Output = ()> + Send,
    {
        {
            let mut state = self.0.state();
            state.waiting.push_back(item);
            if state.calls >= self.0.calls_max {
                return;
            }
            state.calls += 1;
        }
        let mut place = Place(Some(Arc::clone(&self.0)));
        tokio::spawn(async move {
            // Lets what is in the client's mailbox join.
            tokio::task::yield_now().await;
            while let Some(items) = place.take() {
                call(items).await;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use actor_kit::probe::{Probe, probe, settle};
    use actor_kit::{Mailbox, Reply};

    use super::*;

    /// A call as the callee sees it, with the port that ends it.
    type Call = (Vec<u32>, Reply<()>);

    fn push(lane: &Lane<u32>, callee: &Mailbox<Call>, item: u32) {
        let callee = callee.clone();
        lane.push(item, move |items| {
            let (reply, answer) = Reply::channel();
            callee.try_send((items, reply)).unwrap();
            async move {
                let _ = answer.await;
            }
        });
    }

    fn callee() -> (Mailbox<Call>, Probe<Call>) {
        probe(8)
    }

    #[tokio::test]
    async fn what_waits_while_calls_are_under_way_is_the_next_call() {
        let (callee, mut calls) = callee();
        let lane = Lane::new(1, 3);
        push(&lane, &callee, 0);
        let (first, end_first) = calls.next().await;
        assert_eq!(first, [0]);

        for item in 1..=4 {
            push(&lane, &callee, item);
        }
        // One call at a time.
        calls.expect_none().await;
        end_first.send(());

        let (second, end_second) = calls.next().await;
        assert_eq!(second, [1, 2, 3], "no more than fits");
        end_second.send(());
        let (third, end_third) = calls.next().await;
        assert_eq!(third, [4]);
        end_third.send(());
        settle().await;

        push(&lane, &callee, 5);
        assert_eq!(calls.next().await.0, [5], "the place is free again");
    }

    #[tokio::test]
    async fn a_call_that_panics_gives_its_place_back() {
        let (callee, mut calls) = callee();
        let lane = Lane::new(1, 3);
        lane.push(0, |_| async { panic!("a bug") });
        settle().await;
        push(&lane, &callee, 1);
        assert_eq!(calls.next().await.0, [1]);
    }
}
