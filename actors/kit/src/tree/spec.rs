//! Child specs.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use ractor::ActorCell;

use super::inspect::Family;
use super::task_child::TaskChild;
use crate::StopSignal;
use crate::actor::{Actor, ActorError, SpawnError, spawn_shell};
use crate::backoff::Backoff;
use crate::mailbox::{Mailbox, Seen};

/// Delay before a crashed child is started again: short enough that callers' deadlines outlive one crash, and capped so that a child
/// that cannot start does not fill the log.
const RESTART_BACKOFF: Backoff = Backoff {
    base: Duration::from_millis(50),
    cap: Duration::from_secs(5),
};

/// When a child is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// Whenever it ends.
    Permanent,
    /// When it crashed.
    Transient,
    /// Never.
    Temporary,
}

type Spawn =
    Box<dyn Fn(ActorCell) -> BoxFuture<'static, Result<ActorCell, SpawnError>> + Send + Sync>;

/// One child: its name and purpose as the picture shows them, how it is built, and when it is built again.
pub struct ChildSpec {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) dynamic: Option<(&'static str, &'static str)>,
    pub(super) restart: Restart,
    pub(super) backoff: Backoff,
    pub(super) spawn: Spawn,
    pub(super) seen: Arc<dyn Seen>,
    pub(super) family: Arc<Family>,
}

impl fmt::Debug for ChildSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildSpec")
            .field("name", &self.name)
            .field("restart", &self.restart)
            .finish_non_exhaustive()
    }
}

impl ChildSpec {
    /// A Permanent child served at `mailbox`. `build` makes a fresh actor for the start and for each restart.
    pub fn new<A: Actor>(
        name: &'static str,
        about: &'static str,
        mailbox: &Mailbox<A::Msg>,
        build: impl Fn() -> A + Send + Sync + 'static,
    ) -> Self {
        let bound = mailbox.clone();
        let family = Arc::<Family>::default();
        let own = Arc::clone(&family);
        Self {
            name,
            about,
            dynamic: None,
            restart: Restart::Permanent,
            backoff: RESTART_BACKOFF,
            spawn: Box::new(move |supervisor| {
                let actor = build();
                let mailbox = bound.clone();
                let family = Arc::clone(&own);
                async move {
                    family.clear();
                    spawn_shell(actor, name, &mailbox, Some(supervisor), Some(family)).await
                }
                .boxed()
            }),
            seen: mailbox.seen(),
            family,
        }
    }

    /// A Permanent child that runs a task, such as a server, until it is told to stop. An `Err` is a crash.
    pub fn task<F, T>(name: &'static str, about: &'static str, run: F) -> Self
    where
        F: Fn(StopSignal) -> T + Send + Sync + Clone + 'static,
        T: Future<Output = Result<(), ActorError>> + Send + 'static,
    {
        let mailbox = Mailbox::new(name, 1);
        Self::new(name, about, &mailbox, move || TaskChild::new(run.clone()))
    }

    /// When it is started again.
    #[must_use]
    pub fn restart(mut self, restart: Restart) -> Self {
        self.restart = restart;
        self
    }

    /// How long to wait before it is started again.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Declares the kind of children that this child makes itself, for the picture.
    #[must_use]
    pub fn dynamic(mut self, name: &'static str, about: &'static str) -> Self {
        self.dynamic = Some((name, about));
        self
    }
}
