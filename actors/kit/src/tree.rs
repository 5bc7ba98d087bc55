//! Supervision, declared like an OTP child spec.
//!
//! A [`Tree`] starts its children in order and stops them in reverse. A crashed child is respawned after a backoff behind the same
//! [`Mailbox`]; more crashes than the intensity allows end the tree, and the process that owns it exits so that the platform restarts it.
//! Only panics and errors are crashes. A lost database or broker is a state that an actor answers from, so it never counts.

mod inspect;
mod observe;
mod render;
mod spec;
mod supervisor;
mod task_child;
mod window;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ractor::ActorRef;
use tokio::sync::watch;

use crate::actor::SpawnError;
use crate::reply::{Answer, Reply};
pub use inspect::ChildView;
pub(crate) use inspect::Family;
pub use render::picture_in;
pub use spec::{ChildSpec, Restart};
use supervisor::{Launch, Supervisor, SupervisorMsg};
pub use window::TreeWindow;

/// How long one child may take to stop. A child's own bounds are shorter; past this it is killed.
const CHILD_STOP_DEADLINE: Duration = Duration::from_secs(8);

/// What a child is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildState {
    /// It handles messages.
    Running,
    /// It crashed and waits out its backoff.
    Restarting,
    /// It ended and stays so.
    Stopped,
}

impl ChildState {
    /// The state as a word for people and other processes: `running`, `restarting`, `stopped`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Stopped => "stopped",
        }
    }
}

/// A child as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildInfo {
    /// Its name in the tree.
    pub name: &'static str,
    /// What it is doing.
    pub state: ChildState,
    /// How often it was started again.
    pub restarts: u32,
    /// Places taken in its mailbox.
    pub depth: usize,
    /// Places in its mailbox.
    pub capacity: usize,
}

/// More crashes than `crashes` within `within` end the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intensity {
    /// Crashes that are put up with.
    pub crashes: usize,
    /// The window in which they count.
    pub within: Duration,
}

impl Intensity {
    /// Records a crash at `now` (time since any fixed moment) and tells whether it is one too many.
    fn exceeded_by(self, crashes: &mut VecDeque<Duration>, now: Duration) -> bool {
        crashes.push_back(now);
        while crashes
            .front()
            .is_some_and(|first| now.saturating_sub(*first) > self.within)
        {
            crashes.pop_front();
        }
        crashes.len() > self.crashes
    }
}

/// A supervision tree before it runs.
#[derive(Debug)]
pub struct Tree {
    name: &'static str,
    intensity: Intensity,
    children: Vec<ChildSpec>,
    window: TreeWindow,
}

impl Tree {
    /// A tree without children, with an intensity of 5 crashes in 60 s.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            intensity: Intensity {
                crashes: 5,
                within: Duration::from_secs(60),
            },
            children: Vec::new(),
            window: TreeWindow::default(),
        }
    }

    /// Shows the tree in a window that one of its children holds.
    #[must_use]
    pub fn seen_through(mut self, window: &TreeWindow) -> Self {
        self.window = window.clone();
        self
    }

    /// How many crashes the tree puts up with.
    #[must_use]
    pub fn intensity(mut self, crashes: usize, within: Duration) -> Self {
        self.intensity = Intensity { crashes, within };
        self
    }

    /// Adds a child. Children start in the order in which they are added.
    #[must_use]
    pub fn child(mut self, child: ChildSpec) -> Self {
        self.children.push(child);
        self
    }

    /// Starts every child in order.
    ///
    /// # Errors
    /// [`SpawnError`] of the first child that did not start; those before it are stopped again.
    pub async fn start(self) -> Result<RunningTree, SpawnError> {
        let name = self.name;
        let (failed, failure) = watch::channel(None);
        let shared = Arc::new(Shared {
            name,
            intensity: self.intensity,
            states: Mutex::new(vec![(ChildState::Stopped, 0); self.children.len()]),
            specs: self.children,
        });
        self.window.open(&shared);
        observe::observe(&shared);
        let launch = Launch {
            shared: Arc::clone(&shared),
            failed,
        };
        let (supervisor, _) = ractor::Actor::spawn(None, Supervisor, launch)
            .await
            .map_err(|error| SpawnError {
                name: name.to_owned(),
                reason: error.to_string(),
            })?;
        Ok(RunningTree {
            supervisor,
            shared,
            failure,
        })
    }
}

/// What the supervisor and the tree's owner both see.
struct Shared {
    name: &'static str,
    intensity: Intensity,
    specs: Vec<ChildSpec>,
    states: Mutex<Vec<(ChildState, u32)>>,
}

impl Shared {
    fn set(&self, child: usize, state: ChildState, restarted: bool) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = states.get_mut(child) {
            slot.0 = state;
            slot.1 += u32::from(restarted);
        }
    }

    fn children(&self) -> Vec<ChildInfo> {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        self.specs
            .iter()
            .zip(states.iter())
            .map(|(spec, (state, restarts))| {
                let (depth, capacity) = spec.seen.places();
                ChildInfo {
                    name: spec.name,
                    state: *state,
                    restarts: *restarts,
                    depth,
                    capacity,
                }
            })
            .collect()
    }
}

/// A view of a running tree that may be shared: for health checks and the console.
#[derive(Clone)]
pub struct TreeView(Arc<Shared>);

impl fmt::Debug for TreeView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TreeView").field(&self.0.name).finish()
    }
}

impl TreeView {
    /// The children as they are.
    #[must_use]
    pub fn children(&self) -> Vec<ChildInfo> {
        self.0.children()
    }

    /// Every actor as it is, dynamic children behind the child that made them (the oldest hundred of each).
    #[must_use]
    pub fn inspect(&self) -> Vec<ChildView> {
        self.0.inspect()
    }

    /// The tree's name: its service.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// Whether every child runs.
    #[must_use]
    pub fn all_running(&self) -> bool {
        self.children()
            .iter()
            .all(|child| child.state == ChildState::Running)
    }
}

/// A tree that runs. Stop it with [`RunningTree::stop`]: dropping it leaves the actors running.
pub struct RunningTree {
    supervisor: ActorRef<SupervisorMsg>,
    shared: Arc<Shared>,
    failure: watch::Receiver<Option<String>>,
}

impl fmt::Debug for RunningTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningTree")
            .field("name", &self.shared.name)
            .finish_non_exhaustive()
    }
}

impl RunningTree {
    /// Draws the tree from the children that run, in the form that each service's `tree.rs` opens with.
    #[must_use]
    pub fn render(&self) -> String {
        render::render(&self.shared)
    }

    /// A shareable view.
    #[must_use]
    pub fn view(&self) -> TreeView {
        TreeView(Arc::clone(&self.shared))
    }

    /// The children as they are.
    #[must_use]
    pub fn children(&self) -> Vec<ChildInfo> {
        self.shared.children()
    }

    /// Every actor as it is: see [`TreeView::inspect`].
    #[must_use]
    pub fn inspect(&self) -> Vec<ChildView> {
        self.shared.inspect()
    }

    /// Waits until the tree has given up, and tells why. Pending as long as it runs.
    pub async fn failed(&self) -> String {
        let mut failure = self.failure.clone();
        // Taken out of the guard at once: a guard held across an await would bind this future to its thread.
        let seen = failure
            .wait_for(Option::is_some)
            .await
            .map(|reason| reason.clone());
        let reason = seen.unwrap_or_else(|_| self.failure.borrow().clone());
        match reason {
            Some(reason) => reason,
            None => std::future::pending().await,
        }
    }

    /// Stops the children in reverse order, each within its own bound, all within `deadline`.
    pub async fn stop(self, deadline: Duration) {
        let (reply, stopped): (Reply<()>, Answer<()>) = Reply::channel();
        // An error means that the tree has already ended.
        if self
            .supervisor
            .send_message(SupervisorMsg::Stop(reply))
            .is_ok()
            && tokio::time::timeout(deadline, stopped).await.is_err()
        {
            tracing::warn!(tree = self.shared.name, "the tree did not stop in time");
            self.supervisor.kill();
        }
    }
}

#[cfg(test)]
mod tests;
