//! The `ractor` actor around one [`Actor`]. A panic of the latter is an error here: ractor would hand its text on to whoever logs the crash.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use ractor::{ActorCell, ActorRef, SupervisionEvent};
use tracing::Span;

use super::{Actor, ActorError, ChildId, Ctx, Exit, SpawnError, contained};
use crate::mailbox::{Envelope, Mailbox, Target};
use crate::trace::TraceContext;
use crate::tree::Family;

/// How long a stopping actor waits for its dynamic children; a handler takes milliseconds, so five seconds mean that one hangs.
const CHILDREN_STOP_DEADLINE: Duration = Duration::from_secs(5);

/// Starts `actor` under `supervisor` and binds `mailbox` to it.
pub(crate) async fn spawn_shell<A: Actor>(
    actor: A,
    name: &str,
    mailbox: &Mailbox<A::Msg>,
    supervisor: Option<ActorCell>,
    family: Option<Arc<Family>>,
) -> Result<ActorCell, SpawnError> {
    let launch = Launch {
        actor,
        name: name.to_owned(),
        mailbox: mailbox.clone(),
        family,
    };
    // ractor's names are global to the process, so actors stay unnamed there.
    let spawned = match supervisor {
        Some(supervisor) => {
            ractor::Actor::spawn_linked(None, Shell(PhantomData), launch, supervisor).await
        }
        None => ractor::Actor::spawn(None, Shell(PhantomData), launch).await,
    };
    spawned
        .map(|(actor, _)| actor.get_cell())
        .map_err(|error| SpawnError {
            name: name.to_owned(),
            reason: error.to_string(),
        })
}

/// The `ractor` actor around one [`Actor`].
struct Shell<A>(PhantomData<fn() -> A>);

struct Launch<A: Actor> {
    actor: A,
    name: String,
    mailbox: Mailbox<A::Msg>,
    family: Option<Arc<Family>>,
}

struct Running<A: Actor> {
    actor: A,
    ctx: Ctx<A>,
}

impl<A: Actor> ractor::Actor for Shell<A> {
    type Msg = Envelope<A::Msg>;
    type State = Running<A>;
    type Arguments = Launch<A>;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        launch: Launch<A>,
    ) -> Result<Running<A>, ActorError> {
        let mut running = Running {
            actor: launch.actor,
            ctx: Ctx::new(
                launch.name,
                myself.clone(),
                launch.mailbox.seen(),
                launch.family,
            ),
        };
        let Running { actor, ctx } = &mut running;
        contained(async { actor.started(ctx).await }).await??;
        launch.mailbox.bind(Target::Actor(myself));
        Ok(running)
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        envelope: Envelope<A::Msg>,
        running: &mut Running<A>,
    ) -> Result<(), ActorError> {
        let Envelope {
            message,
            permit,
            trace,
        } = envelope;
        let order_id = running.actor.order_of(&message);
        let (span, trace) = message_span(running, &message, order_id, trace);
        let Running { actor, ctx } = running;
        ctx.enter(permit, trace.clone());
        let handled = async { actor.handle(ctx, message).await };
        let result = match order_id {
            Some(_) => contained(trace.scope(span, order_id, handled)).await,
            None => contained(handled).await,
        };
        ctx.leave();
        result?
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        running: &mut Running<A>,
    ) -> Result<(), ActorError> {
        let (child, exit) = match event {
            SupervisionEvent::ActorTerminated(cell, _, _) => (cell.get_id(), Exit::Normal),
            SupervisionEvent::ActorFailed(cell, error) => {
                (cell.get_id(), Exit::Crashed(error.to_string()))
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {
                return Ok(());
            }
        };
        let Running { actor, ctx } = running;
        ctx.forget_child(child);
        contained(async { actor.child_exited(ctx, ChildId(child), exit).await }).await?
    }

    async fn post_stop(
        &self,
        myself: ActorRef<Self::Msg>,
        running: &mut Running<A>,
    ) -> Result<(), ActorError> {
        // ractor kills the children of a stopped parent without their post_stop unless they are stopped first.
        myself
            .stop_children_and_wait(None, Some(CHILDREN_STOP_DEADLINE))
            .await;
        let Running { actor, ctx } = running;
        Ok(contained(async { actor.stopping(ctx).await }).await?)
    }
}

/// The span of one message, and the context under which its handler's own questions run. Untraced messages and those that are about no
/// single order have no span.
fn message_span<A: Actor>(
    running: &Running<A>,
    message: &A::Msg,
    order_id: Option<i64>,
    trace: TraceContext,
) -> (Span, TraceContext) {
    let Some(order_id) = order_id.filter(|_| trace.is_valid()) else {
        return (Span::none(), trace);
    };
    trace.child(|| {
        let name = running.ctx.name();
        // `saga/17` is one of many: the name of its kind names the span.
        let kind = name.split('/').next().unwrap_or(name);
        tracing::info_span!(
            "actor",
            otel.name = format_args!("actor {kind}"),
            actor.name = name,
            actor.message = A::message_name(message),
            order.id = order_id,
        )
    })
}
