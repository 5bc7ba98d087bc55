//! A child that runs a task instead of handling messages: servers.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::StopSignal;
use crate::actor::{Actor, ActorError, Ctx, without_text};

/// How long the task may take to end once it was told to; then it is aborted.
const TASK_STOP_DEADLINE: Duration = Duration::from_secs(6);

/// Runs `run(stop)` once; its end is the child's end.
pub(super) struct TaskChild<F> {
    run: F,
    stop: StopSignal,
    task: Option<JoinHandle<Result<(), ActorError>>>,
}

/// The task has ended; how, its handle tells.
pub(super) struct Ended;

impl<F> TaskChild<F> {
    pub(super) fn new(run: F) -> Self {
        Self {
            run,
            stop: StopSignal::new(),
            task: None,
        }
    }
}

impl<F, T> Actor for TaskChild<F>
where
    F: Fn(StopSignal) -> T + Send + 'static,
    T: Future<Output = Result<(), ActorError>> + Send + 'static,
{
    type Msg = Ended;

    async fn started(&mut self, ctx: &Ctx<Self>) -> Result<(), ActorError> {
        /// Tells of the task's end, a panic included.
        struct Guard<D: FnOnce()>(Option<D>);
        impl<D: FnOnce()> Drop for Guard<D> {
            fn drop(&mut self) {
                if let Some(tell) = self.0.take() {
                    tell();
                }
            }
        }
        let me = ctx.me();
        let task = (self.run)(self.stop.clone());
        self.task = Some(tokio::spawn(async move {
            let _guard = Guard(Some(move || me.send(Ended)));
            task.await
        }));
        Ok(())
    }

    async fn handle(&mut self, ctx: &Ctx<Self>, _: Ended) -> Result<(), ActorError> {
        if let Some(task) = self.task.take() {
            task.await.map_err(without_text)??;
        }
        ctx.stop();
        Ok(())
    }

    async fn stopping(&mut self, ctx: &Ctx<Self>) {
        self.stop.cancel();
        let Some(mut task) = self.task.take() else {
            return;
        };
        match tokio::time::timeout(TASK_STOP_DEADLINE, &mut task).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => {
                tracing::warn!(task = ctx.name(), %error, "task ended with an error while stopping");
            }
            Ok(Err(error)) => {
                let error = without_text(error);
                tracing::warn!(task = ctx.name(), %error, "task had no end of its own while stopping");
            }
            Err(_) => {
                tracing::warn!(task = ctx.name(), "task aborted: it did not stop in time");
                task.abort();
            }
        }
    }
}

impl<F> Drop for TaskChild<F> {
    fn drop(&mut self) {
        // After a crash or kill `stopping` has not run: the task must not outlive its child.
        self.stop.cancel();
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
