//! Order ids, taken from the database in blocks ahead of need: creating an order costs no round trip for its id.
//!
//! Ids are unique over all replicas and grow roughly with time. What is left of a block when the process ends is never used.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use order_saga::{OrderId, StoreUnavailable};

use crate::store::OrderStore;

/// The ids in hand. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct OrderIds(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: OrderStore,
    block: i64,
    hand: Mutex<Hand>,
    /// One fetch at a time.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Hand {
    blocks: VecDeque<Range<i64>>,
    fetch_under_way: bool,
}

impl Hand {
    fn left(&self) -> i64 {
        self.blocks
            .iter()
            .map(|block| block.end - block.start)
            .sum()
    }

    fn pop(&mut self) -> Option<OrderId> {
        let block = self.blocks.front_mut()?;
        let id = block.next()?;
        if block.is_empty() {
            self.blocks.pop_front();
        }
        Some(OrderId(id))
    }
}

impl OrderIds {
    pub(crate) fn new(store: OrderStore, block: i64) -> Self {
        Self(Arc::new(Inner {
            store,
            block,
            hand: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
        }))
    }

    /// A fresh id. Waits for the database only when none is in hand.
    pub(crate) async fn next(&self) -> Result<OrderId, StoreUnavailable> {
        if let Some(id) = self.take() {
            return Ok(id);
        }
        let _one_at_a_time = self.0.fetching.lock().await;
        if let Some(id) = self.take() {
            return Ok(id);
        }
        self.fetch().await?;
        self.take().ok_or(StoreUnavailable)
    }

    /// An id in hand; fetches more beside the caller when few are left.
    fn take(&self) -> Option<OrderId> {
        let mut hand = self.hand();
        let id = hand.pop()?;
        if hand.left() < self.0.block / 2 && !hand.fetch_under_way {
            hand.fetch_under_way = true;
            let ids = self.clone();
            tokio::spawn(async move {
                // A failure is found again by whoever takes the next id.
                let _ = ids.fetch().await;
                ids.hand().fetch_under_way = false;
            });
        }
        Some(id)
    }

    async fn fetch(&self) -> Result<(), StoreUnavailable> {
        let first = self.0.store.take_order_ids(self.0.block).await?;
        self.hand().blocks.push_back(first..first + self.0.block);
        Ok(())
    }

    fn hand(&self) -> std::sync::MutexGuard<'_, Hand> {
        // Whole blocks go in and single ids come out: a panic elsewhere leaves nothing half done.
        self.0.hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hand_gives_each_id_once_in_the_order_of_its_blocks() {
        let mut hand = Hand::default();
        hand.blocks.extend([1..3, 10..12]);
        assert_eq!(hand.left(), 4);
        let given: Vec<i64> = std::iter::from_fn(|| hand.pop()).map(|id| id.0).collect();
        assert_eq!(given, [1, 2, 10, 11]);
        assert_eq!(hand.left(), 0);
    }
}
