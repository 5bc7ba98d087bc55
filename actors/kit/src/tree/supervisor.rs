//! The actor that starts, restarts and stops the children of one tree.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ractor::{ActorCell, ActorRef, SupervisionEvent};
use tokio::sync::watch;
use tokio::time::Instant;

use super::{CHILD_STOP_DEADLINE, ChildState, Restart, Shared};
use crate::actor::{ActorError, Exit};
use crate::reply::Reply;

pub(super) struct Supervisor;

pub(super) enum SupervisorMsg {
    /// The backoff of a child is over.
    Respawn(usize),
    /// Stop everything in reverse order, then answer.
    Stop(Reply<()>),
}

pub(super) struct Launch {
    pub(super) shared: Arc<Shared>,
    pub(super) failed: watch::Sender<Option<String>>,
}

pub(super) struct State {
    shared: Arc<Shared>,
    failed: watch::Sender<Option<String>>,
    began: Instant,
    crashes: VecDeque<Duration>,
    children: Vec<Child>,
}

#[derive(Default)]
struct Child {
    cell: Option<ActorCell>,
    /// When it was last started.
    since: Duration,
    /// Ends in a row without a long life in between: the exponent of its backoff.
    attempts: u32,
}

impl ractor::Actor for Supervisor {
    type Msg = SupervisorMsg;
    type State = State;
    type Arguments = Launch;

    async fn pre_start(
        &self,
        myself: ActorRef<SupervisorMsg>,
        launch: Launch,
    ) -> Result<State, ActorError> {
        let mut state = State {
            children: launch
                .shared
                .specs
                .iter()
                .map(|_| Child::default())
                .collect(),
            shared: launch.shared,
            failed: launch.failed,
            began: Instant::now(),
            crashes: VecDeque::new(),
        };
        for index in 0..state.children.len() {
            if let Err(error) = state.spawn(&myself, index).await {
                state.stop_children().await;
                return Err(error);
            }
        }
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<SupervisorMsg>,
        message: SupervisorMsg,
        state: &mut State,
    ) -> Result<(), ActorError> {
        match message {
            SupervisorMsg::Respawn(index) => state.on_respawn(&myself, index).await,
            SupervisorMsg::Stop(reply) => {
                state.stop_children().await;
                reply.send(());
                myself.stop(None);
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<SupervisorMsg>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorError> {
        match event {
            SupervisionEvent::ActorTerminated(cell, _, _) => {
                state.on_exit(&myself, &cell, Exit::Normal).await;
            }
            SupervisionEvent::ActorFailed(cell, error) => {
                state
                    .on_exit(&myself, &cell, Exit::Crashed(error.to_string()))
                    .await;
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }
}

impl State {
    async fn spawn(
        &mut self,
        myself: &ActorRef<SupervisorMsg>,
        index: usize,
    ) -> Result<(), ActorError> {
        let shared = Arc::clone(&self.shared);
        let (Some(spec), Some(child)) = (shared.specs.get(index), self.children.get_mut(index))
        else {
            return Ok(());
        };
        let cell = (spec.spawn)(myself.get_cell()).await?;
        child.cell = Some(cell);
        child.since = self.began.elapsed();
        self.shared.set(index, ChildState::Running, false);
        Ok(())
    }

    async fn on_exit(&mut self, myself: &ActorRef<SupervisorMsg>, cell: &ActorCell, exit: Exit) {
        let Some(index) = self.children.iter().position(|child| {
            child
                .cell
                .as_ref()
                .is_some_and(|mine| mine.get_id() == cell.get_id())
        }) else {
            return;
        };
        if let Some(child) = self.children.get_mut(index) {
            child.cell = None;
        }
        let restart = self
            .shared
            .specs
            .get(index)
            .map_or(Restart::Temporary, |spec| spec.restart);
        let again = match (&exit, restart) {
            (_, Restart::Temporary) | (Exit::Normal, Restart::Transient) => false,
            (_, Restart::Permanent) | (Exit::Crashed(_), Restart::Transient) => true,
        };
        if let Exit::Crashed(error) = &exit {
            self.on_crash(myself, index, error).await;
        }
        if again {
            self.respawn_later(myself, index);
        } else {
            self.shared.set(index, ChildState::Stopped, false);
        }
    }

    /// Counts a crash; past the intensity everything stops.
    async fn on_crash(&mut self, myself: &ActorRef<SupervisorMsg>, index: usize, error: &str) {
        let name = self.shared.specs.get(index).map_or("?", |spec| spec.name);
        tracing::error!(
            tree = self.shared.name,
            child = name,
            error,
            "child crashed"
        );
        let now = self.began.elapsed();
        let intensity = self.shared.intensity;
        if !intensity.exceeded_by(&mut self.crashes, now) {
            return;
        }
        let reason = format!(
            "more than {} crashes in {} s; the last was {name}: {error}",
            intensity.crashes,
            intensity.within.as_secs()
        );
        tracing::error!(tree = self.shared.name, reason, "the tree gives up");
        self.stop_children().await;
        self.failed.send_replace(Some(reason));
        myself.stop(None);
    }

    fn respawn_later(&mut self, myself: &ActorRef<SupervisorMsg>, index: usize) {
        let (Some(spec), Some(child)) =
            (self.shared.specs.get(index), self.children.get_mut(index))
        else {
            return;
        };
        let lived = self.began.elapsed().saturating_sub(child.since);
        if lived > spec.backoff.cap {
            child.attempts = 0;
        }
        let delay = spec.backoff.jittered(child.attempts);
        child.attempts += 1;
        self.shared.set(index, ChildState::Restarting, false);
        // The message meets a stopped supervisor when the tree ends first.
        drop(myself.send_after(delay, move || SupervisorMsg::Respawn(index)));
    }

    async fn on_respawn(&mut self, myself: &ActorRef<SupervisorMsg>, index: usize) {
        match self.spawn(myself, index).await {
            Ok(()) => self.shared.set(index, ChildState::Running, true),
            // A `?` here would end the supervisor; a child that cannot start is a crash like any other.
            Err(error) => {
                self.on_crash(myself, index, &error.to_string()).await;
                self.respawn_later(myself, index);
            }
        }
    }

    async fn stop_children(&mut self) {
        for (index, child) in self.children.iter_mut().enumerate().rev() {
            if let Some(cell) = child.cell.take() {
                let stopped = cell.stop_and_wait(None, Some(CHILD_STOP_DEADLINE)).await;
                if stopped.is_err() && cell.get_status() != ractor::ActorStatus::Stopped {
                    tracing::warn!(
                        tree = self.shared.name,
                        index,
                        "child killed: it did not stop"
                    );
                    cell.kill();
                }
            }
            self.shared.set(index, ChildState::Stopped, false);
        }
    }
}
