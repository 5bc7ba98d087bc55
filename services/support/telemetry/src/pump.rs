//! Gathers finished spans or log records and hands them to an exporter, in a task of its own.
//!
//! ```text
//!   any thread ── try_send ──▶ bounded queue ──▶ task: batches ──▶ export, bounded in time
//!                    │ full                                            │ failed
//!                    └────────────────▶ dropped, counted ◀─────────────┘
//! ```
//!
//! **Invariants.** Whoever ends a span or logs a line never waits and never does I/O. Memory is bounded by the queue and one batch.

use std::future::Future;

use opentelemetry_sdk::error::OTelSdkResult;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::dropped::Dropped;
use crate::otel::Batches;

/// Where any thread puts what is to leave.
#[derive(Debug)]
pub(crate) struct Intake<T> {
    queue: mpsc::Sender<T>,
    dropped: Dropped,
}

impl<T> Intake<T> {
    pub(crate) fn put(&self, one: T) {
        if self.queue.try_send(one).is_err() {
            self.dropped.add(1);
        }
    }
}

/// The task behind an intake.
#[derive(Debug)]
pub(crate) struct Pump {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Pump {
    /// Exports what is left and ends, by `deadline` at the latest; false when something was left behind.
    pub(crate) async fn stop(mut self, deadline: Instant) -> bool {
        self.stop.cancel();
        let ended = timeout_at(deadline, &mut self.task).await.is_ok();
        self.task.abort();
        ended
    }
}

/// Starts a pump. `export` is called with one batch at a time.
pub(crate) fn start<T, E, Exporting>(
    batches: Batches,
    dropped: Dropped,
    export: E,
) -> (Intake<T>, Pump)
where
    T: Send + 'static,
    E: Fn(Vec<T>) -> Exporting + Send + 'static,
    Exporting: Future<Output = OTelSdkResult> + Send + 'static,
{
    let (queue, waiting) = mpsc::channel(batches.queue_max);
    let stop = CancellationToken::new();
    let intake = Intake {
        queue,
        dropped: dropped.clone(),
    };
    let task = tokio::spawn(run(batches, dropped, waiting, stop.clone(), export));
    (intake, Pump { stop, task })
}

async fn run<T, E, Exporting>(
    batches: Batches,
    dropped: Dropped,
    mut waiting: mpsc::Receiver<T>,
    stop: CancellationToken,
    export: E,
) where
    E: Fn(Vec<T>) -> Exporting,
    Exporting: Future<Output = OTelSdkResult>,
{
    loop {
        let stopping = stop.is_cancelled();
        let batch = if stopping {
            rest(&mut waiting, batches.batch_max)
        } else {
            gather(&mut waiting, batches, &stop).await
        };
        if batch.is_empty() {
            if stopping {
                return;
            }
            continue;
        }
        let count = batch.len();
        match timeout(batches.export_timeout, export(batch)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => dropped.add_because(count, &error.to_string()),
            Err(_elapsed) => dropped.add_because(count, "no answer in time"),
        }
        dropped.tell();
    }
}

/// One batch: full, or as much as came within the delay.
async fn gather<T>(
    waiting: &mut mpsc::Receiver<T>,
    batches: Batches,
    stop: &CancellationToken,
) -> Vec<T> {
    let mut batch = Vec::new();
    let deadline = Instant::now() + batches.delay;
    while batch.len() < batches.batch_max {
        let room = batches.batch_max - batch.len();
        tokio::select! {
            received = timeout_at(deadline, waiting.recv_many(&mut batch, room)) => {
                // The delay is over; a closed queue is one whose provider is gone, and `stop` follows.
                if !matches!(received, Ok(1..)) {
                    break;
                }
            }
            () = stop.cancelled() => break,
        }
    }
    if batch.is_empty() && waiting.is_closed() {
        stop.cancelled().await;
    }
    batch
}

/// What waits already.
fn rest<T>(waiting: &mut mpsc::Receiver<T>, batch_max: usize) -> Vec<T> {
    std::iter::from_fn(|| waiting.try_recv().ok())
        .take(batch_max)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use opentelemetry_sdk::error::OTelSdkError;

    use super::*;

    const BATCHES: Batches = Batches {
        delay: Duration::from_secs(5),
        queue_max: 4,
        batch_max: 2,
        export_timeout: Duration::from_secs(10),
    };

    #[tokio::test(start_paused = true)]
    async fn a_full_batch_leaves_at_once_and_a_lonely_one_after_the_delay() {
        let sent: Arc<Mutex<Vec<Vec<u32>>>> = Arc::default();
        let log = Arc::clone(&sent);
        let (intake, pump) = start(BATCHES, Dropped::new("traces"), move |batch| {
            log.lock().unwrap().push(batch);
            std::future::ready(Ok(()))
        });
        for number in 0..3 {
            intake.put(number);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(*sent.lock().unwrap(), [vec![0, 1]]);
        tokio::time::sleep(BATCHES.delay).await;
        assert_eq!(*sent.lock().unwrap(), [vec![0, 1], vec![2]]);
        intake.put(3);
        assert!(pump.stop(Instant::now() + Duration::from_secs(1)).await);
        assert_eq!(
            sent.lock().unwrap().last(),
            Some(&vec![3]),
            "the rest leaves at the end"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_exporter_that_hangs_costs_what_does_not_fit_and_not_the_sender() {
        let dropped = Dropped::new("traces");
        let (intake, pump) = start(BATCHES, dropped.clone(), |_: Vec<u32>| {
            std::future::pending()
        });
        intake.put(0);
        intake.put(1);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let began = Instant::now();
        for number in 0..10 {
            intake.put(number);
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert_eq!(dropped.count(), 6, "four of ten fit while a batch hangs");
        tokio::time::sleep(BATCHES.export_timeout).await;
        assert_eq!(dropped.count(), 8, "the batch that hung is given up");
        let stopped = pump.stop(Instant::now() + Duration::from_secs(2));
        let within = timeout(Duration::from_secs(3), stopped).await;
        assert_eq!(within, Ok(false));
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_exporter_refuses_is_counted() {
        let dropped = Dropped::new("logs");
        let (intake, pump) = start(BATCHES, dropped.clone(), |_: Vec<u32>| {
            std::future::ready(Err(OTelSdkError::InternalFailure("planted".into())))
        });
        intake.put(0);
        assert!(pump.stop(Instant::now() + Duration::from_secs(1)).await);
        assert_eq!(dropped.count(), 1);
    }
}
