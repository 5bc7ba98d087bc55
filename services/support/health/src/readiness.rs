//! What must hold for a service to take work, as named conditions.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};

/// How long one probe waits for one check. Platforms give a probe one second by default, so an answer has to be out before.
pub const CHECK_DEADLINE: Duration = Duration::from_millis(800);

/// How long one evaluation of the checks is served to every probe: short enough to be the present, long enough that a busy
/// prober costs the database nothing.
pub const REPORT_LIFETIME: Duration = Duration::from_millis(500);

type Check = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

#[derive(Clone)]
enum Source {
    Gate(Gate),
    Check(Check),
}

#[derive(Clone)]
struct Condition {
    name: &'static str,
    needed: bool,
    source: Source,
}

/// A condition that its owner flips. Closed (not holding) until somebody opens it.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<AtomicBool>);

impl Gate {
    /// The condition holds from here on.
    pub fn open(&self) {
        self.set(true);
    }

    /// The condition stops holding.
    pub fn close(&self) {
        self.set(false);
    }

    /// Sets whether the condition holds.
    pub fn set(&self, holds: bool) {
        self.0.store(holds, Ordering::Release);
    }

    /// Whether the condition holds.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The one word that a probe's answer begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Every condition holds.
    Ready,
    /// Every needed condition holds, an advisory one does not: the service works, with less around it.
    Degraded,
    /// A needed condition does not hold.
    Unready,
    /// The service is stopping: it finishes what it has and takes nothing new.
    Draining,
}

impl Status {
    /// Whether work may be sent to the service.
    #[must_use]
    pub fn takes_work(self) -> bool {
        matches!(self, Self::Ready | Self::Degraded)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready => "ready",
            Self::Degraded => "degraded",
            Self::Unready => "unready",
            Self::Draining => "draining",
        })
    }
}

/// One evaluation of all conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The verdict.
    pub status: Status,
    /// Names of the conditions that do not hold, in the order they were added.
    pub failing: Vec<&'static str>,
}

impl Report {
    /// The report as a small JSON document: `{"status":"unready","failing":["database"]}`. Names are ours and need no escaping.
    #[must_use]
    pub fn to_json(&self) -> String {
        let names: Vec<String> = self
            .failing
            .iter()
            .map(|name| format!("\"{name}\""))
            .collect();
        format!(
            "{{\"status\":\"{}\",\"failing\":[{}]}}\n",
            self.status,
            names.join(",")
        )
    }
}

/// The conditions of one service. Clones share them.
#[derive(Clone, Default)]
pub struct Readiness {
    inner: Arc<Inner>,
}

/// When the checks ran and what each answered, by its place in the list.
type Checked = (Instant, Vec<(usize, bool)>);

#[derive(Default)]
struct Inner {
    conditions: Mutex<Vec<Condition>>,
    draining: AtomicBool,
    /// The last evaluation of the checks; the lock is held while they run, so probes share one evaluation.
    checked: tokio::sync::Mutex<Option<Checked>>,
}

impl Readiness {
    /// No conditions yet: ready.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a needed condition that its owner flips; it does not hold until opened.
    #[must_use]
    pub fn gate(&self, name: &'static str) -> Gate {
        self.add_gate(name, true)
    }

    /// Adds an advisory condition that its owner flips: while closed the service is degraded, not unready.
    #[must_use]
    pub fn advisory_gate(&self, name: &'static str) -> Gate {
        self.add_gate(name, false)
    }

    /// Adds a needed condition that is computed when a probe asks. A check that takes longer than [`CHECK_DEADLINE`] counts
    /// as not holding and is dropped, so it must be safe to cancel.
    pub fn check<F, Fut>(&self, name: &'static str, check: F)
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = bool> + Send + 'static,
    {
        self.add_check(name, true, check);
    }

    /// Adds an advisory condition that is computed when a probe asks: while it does not hold the service is degraded, not unready.
    pub fn advisory_check<F, Fut>(&self, name: &'static str, check: F)
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = bool> + Send + 'static,
    {
        self.add_check(name, false, check);
    }

    fn add_check<F, Fut>(&self, name: &'static str, needed: bool, check: F)
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = bool> + Send + 'static,
    {
        let source = Source::Check(Arc::new(move || Box::pin(check())));
        self.conditions().push(Condition {
            name,
            needed,
            source,
        });
    }

    /// From here on the service answers "draining", whatever its conditions say. There is no way back.
    pub fn drain(&self) {
        self.inner.draining.store(true, Ordering::Release);
    }

    /// Evaluates every condition. Gates are read as they are; checks are shared for [`REPORT_LIFETIME`].
    pub async fn report(&self) -> Report {
        let conditions = self.conditions().clone();
        let checked = self.run_checks(&conditions).await;
        let mut failing = Vec::new();
        let mut ready = true;
        for (index, condition) in conditions.iter().enumerate() {
            let holds = match &condition.source {
                Source::Gate(gate) => gate.is_open(),
                Source::Check(_) => checked.iter().any(|(at, holds)| *at == index && *holds),
            };
            if !holds {
                failing.push(condition.name);
                ready &= !condition.needed;
            }
        }
        let status = if self.inner.draining.load(Ordering::Acquire) {
            Status::Draining
        } else if !ready {
            Status::Unready
        } else if failing.is_empty() {
            Status::Ready
        } else {
            Status::Degraded
        };
        Report { status, failing }
    }

    fn add_gate(&self, name: &'static str, needed: bool) -> Gate {
        let gate = Gate::default();
        self.conditions().push(Condition {
            name,
            needed,
            source: Source::Gate(gate.clone()),
        });
        gate
    }

    fn conditions(&self) -> std::sync::MutexGuard<'_, Vec<Condition>> {
        // A list of names cannot be left half changed, so a poisoned lock is as good as a clean one.
        self.inner
            .conditions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    async fn run_checks(&self, conditions: &[Condition]) -> Vec<(usize, bool)> {
        let mut last = self.inner.checked.lock().await;
        if let Some((at, results)) = last.as_ref()
            && at.elapsed() < REPORT_LIFETIME
        {
            return results.clone();
        }
        let mut results = Vec::new();
        for (index, condition) in conditions.iter().enumerate() {
            if let Source::Check(check) = &condition.source {
                results.push((
                    index,
                    timeout(CHECK_DEADLINE, check()).await.unwrap_or(false),
                ));
            }
        }
        *last = Some((Instant::now(), results.clone()));
        results
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self
            .conditions()
            .iter()
            .map(|condition| condition.name)
            .collect();
        f.debug_struct("Readiness")
            .field("conditions", &names)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[tokio::test]
    async fn a_closed_gate_makes_unready_and_is_named() {
        let readiness = Readiness::new();
        let tree = readiness.gate("tree");
        let report = readiness.report().await;
        assert_eq!(report.status, Status::Unready);
        assert_eq!(
            report.to_json(),
            "{\"status\":\"unready\",\"failing\":[\"tree\"]}\n"
        );
        tree.open();
        assert_eq!(readiness.report().await.status, Status::Ready);
    }

    #[tokio::test]
    async fn an_advisory_gate_only_degrades() {
        let readiness = Readiness::new();
        let broker = readiness.advisory_gate("broker");
        let report = readiness.report().await;
        assert_eq!(
            report,
            Report {
                status: Status::Degraded,
                failing: vec!["broker"]
            }
        );
        assert!(report.status.takes_work());
        broker.open();
        assert_eq!(readiness.report().await.status, Status::Ready);
        broker.close();
        assert_eq!(readiness.report().await.status, Status::Degraded);
    }

    #[tokio::test]
    async fn draining_wins_over_everything() {
        let readiness = Readiness::new();
        readiness.drain();
        assert_eq!(readiness.report().await.status, Status::Draining);
        assert!(!Status::Draining.takes_work());
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_hangs_counts_as_failed_within_the_deadline() {
        let readiness = Readiness::new();
        readiness.check("database", std::future::pending);
        let begun = Instant::now();
        let report = readiness.report().await;
        assert_eq!(report.failing, vec!["database"]);
        assert_eq!(begun.elapsed(), CHECK_DEADLINE);
    }

    #[tokio::test(start_paused = true)]
    async fn probes_share_one_evaluation_for_its_lifetime() {
        let readiness = Readiness::new();
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = runs.clone();
        readiness.check("database", move || {
            counted.fetch_add(1, Ordering::SeqCst);
            std::future::ready(true)
        });
        for _ in 0..5 {
            assert_eq!(readiness.report().await.status, Status::Ready);
        }
        assert_eq!(runs.load(Ordering::SeqCst), 1);
        tokio::time::advance(REPORT_LIFETIME).await;
        readiness.report().await;
        assert_eq!(runs.load(Ordering::SeqCst), 2);
    }
}
