//! What an actor can rely on when it asks, and what no message leaves behind.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::allow_attributes,
    reason = "tests fail by panicking"
)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_kit::probe::{probe, settle, start};
use actor_kit::{
    Actor, ActorError, AskError, Ctx, Generation, Mailbox, Reply, TaskPanicked, Timer, TraceContext,
};

const DEADLINE: Duration = Duration::from_secs(1);

/// Asks a callee whatever it is told to and keeps what comes back.
struct Asker {
    callee: Mailbox<Reply<u32>>,
    heard: Arc<Mutex<Vec<Heard>>>,
    timer: Timer,
}

#[derive(Debug, Clone, PartialEq)]
enum Heard {
    Answer(Result<u32, AskError>),
    Task(Result<u32, TaskPanicked>),
    Timer(u32),
    Trace(Option<String>),
}

enum AskerMsg {
    Ask,
    Run(bool),
    Arm(u32),
    Cancel,
    Elapsed(Generation, u32),
    Heard(Heard),
}

impl Actor for Asker {
    type Msg = AskerMsg;

    fn order_of(&self, _: &AskerMsg) -> Option<i64> {
        Some(17)
    }

    async fn handle(&mut self, ctx: &Ctx<Self>, message: AskerMsg) -> Result<(), ActorError> {
        match message {
            AskerMsg::Ask => ctx.ask_then(
                &self.callee,
                DEADLINE,
                |reply| reply,
                |answer| AskerMsg::Heard(Heard::Answer(answer)),
            ),
            AskerMsg::Run(panics) => ctx.spawn_then(
                async move {
                    assert!(!panics, "planted");
                    7
                },
                |outcome| AskerMsg::Heard(Heard::Task(outcome)),
            ),
            AskerMsg::Arm(tag) => self.timer.arm(ctx, DEADLINE, move |generation| {
                AskerMsg::Elapsed(generation, tag)
            }),
            AskerMsg::Cancel => self.timer.cancel(),
            AskerMsg::Elapsed(generation, tag) => {
                if self.timer.is_current(generation) {
                    self.heard.lock().unwrap().push(Heard::Timer(tag));
                }
            }
            AskerMsg::Heard(heard) => {
                let mut all = self.heard.lock().unwrap();
                all.push(heard);
                if let Some(traceparent) = ctx.context().traceparent() {
                    all.push(Heard::Trace(Some(traceparent)));
                }
            }
        }
        Ok(())
    }
}

type Heards = Arc<Mutex<Vec<Heard>>>;

async fn asker(
    callee: &Mailbox<Reply<u32>>,
) -> (Mailbox<AskerMsg>, Heards, actor_kit::probe::Alone) {
    let heard = Heards::default();
    let actor = Asker {
        callee: callee.clone(),
        heard: Arc::clone(&heard),
        timer: Timer::default(),
    };
    let (mailbox, alive) = start("asker", 64, actor).await.unwrap();
    (mailbox, heard, alive)
}

async fn settled(heard: &Heards) -> Vec<Heard> {
    tokio::time::sleep(DEADLINE * 2).await;
    settle().await;
    heard.lock().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_one_message() {
    let (callee, mut probe) = probe(4);
    let (asker, heard, _alive) = asker(&callee).await;
    asker.try_send(AskerMsg::Ask).unwrap();
    probe.next().await.send(42);
    assert_eq!(settled(&heard).await, [Heard::Answer(Ok(42))]);
}

#[tokio::test(start_paused = true)]
async fn a_callee_that_is_gone_is_one_message() {
    let nobody = Mailbox::new("nobody", 4);
    let (asker, heard, _alive) = asker(&nobody).await;
    asker.try_send(AskerMsg::Ask).unwrap();
    assert_eq!(settled(&heard).await, [Heard::Answer(Err(AskError::Gone))]);
    assert_eq!(nobody.depth(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_reply_port_is_one_message() {
    let (callee, mut probe) = probe(4);
    let (asker, heard, _alive) = asker(&callee).await;
    asker.try_send(AskerMsg::Ask).unwrap();
    drop(probe.next().await);
    assert_eq!(settled(&heard).await, [Heard::Answer(Err(AskError::Gone))]);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_is_one_message_and_the_late_answer_none() {
    let (callee, mut probe) = probe(4);
    let (asker, heard, _alive) = asker(&callee).await;
    asker.try_send(AskerMsg::Ask).unwrap();
    let late = probe.next().await;
    assert_eq!(
        settled(&heard).await,
        [Heard::Answer(Err(AskError::Timeout))]
    );
    late.send(42);
    assert_eq!(settled(&heard).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_full_mailbox_is_one_message_and_no_growth() {
    let (callee, _probe) = probe(2);
    let (asker, heard, _alive) = asker(&callee).await;
    for _ in 0..5 {
        asker.try_send(AskerMsg::Ask).unwrap();
    }
    settle().await;
    assert_eq!(
        *heard.lock().unwrap(),
        vec![Heard::Answer(Err(AskError::Full)); 3],
        "refused at once"
    );
    assert_eq!(callee.depth(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_task_beside_the_actor_ends_in_one_message_even_when_it_panics() {
    let (callee, _probe) = probe(2);
    let (asker, heard, alive) = asker(&callee).await;
    asker.try_send(AskerMsg::Run(false)).unwrap();
    asker.try_send(AskerMsg::Run(true)).unwrap();
    assert_eq!(
        settled(&heard).await,
        [Heard::Task(Ok(7)), Heard::Task(Err(TaskPanicked))]
    );
    assert!(alive.is_running());
}

#[tokio::test(start_paused = true)]
async fn only_the_last_arming_of_a_timer_counts() {
    let (callee, _probe) = probe(2);
    let (asker, heard, _alive) = asker(&callee).await;
    asker.try_send(AskerMsg::Arm(1)).unwrap();
    settle().await;
    tokio::time::advance(DEADLINE / 2).await;
    asker.try_send(AskerMsg::Arm(2)).unwrap();
    assert_eq!(settled(&heard).await, [Heard::Timer(2)]);
    asker.try_send(AskerMsg::Arm(3)).unwrap();
    asker.try_send(AskerMsg::Cancel).unwrap();
    assert_eq!(settled(&heard).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_timer_that_fired_before_it_was_rearmed_is_ignored() {
    let (callee, _probe) = probe(2);
    let (asker, heard, _alive) = asker(&callee).await;
    asker.try_send(AskerMsg::Arm(1)).unwrap();
    settle().await;
    // Both are queued before the actor runs again: the elapsed message of the first arming, then the second arming.
    asker.try_send(AskerMsg::Arm(2)).unwrap();
    tokio::time::advance(DEADLINE).await;
    assert_eq!(settled(&heard).await, [Heard::Timer(2)]);
}

#[tokio::test(start_paused = true)]
async fn a_full_mailbox_refuses_and_hands_the_message_back() {
    let (mailbox, mut probe) = probe::<u32>(1);
    mailbox.try_send(1).unwrap();
    let refused = mailbox.try_send(2).unwrap_err();
    assert_eq!(refused.into_message(), 2);
    assert_eq!(probe.next().await, 1);
    mailbox.try_send(3).unwrap();
    assert_eq!(probe.next().await, 3);
    probe.expect_none().await;
}

mod traces {
    use super::*;
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
    use tracing_subscriber::filter::{LevelFilter, Targets};
    use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};

    #[tokio::test(start_paused = true)]
    async fn no_span_outlives_its_message_and_the_context_travels() {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(exporter.clone())
            .build();
        // ractor's own spans are filtered out, as the services do.
        let layer = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("test"))
            .with_filter(
                Targets::new()
                    .with_default(LevelFilter::INFO)
                    .with_target("ractor", LevelFilter::OFF),
            );
        let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
        let (callee, mut probe) = probe(4);
        let (asker, heard, _alive) = asker(&callee).await;
        let parent = TraceContext::from_traceparent(
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )
        .unwrap();

        asker.try_send_with(AskerMsg::Ask, parent.clone()).unwrap();
        let (reply, _place, asked) = probe.next_envelope().await;
        settle().await;
        let spans = exporter.get_finished_spans().unwrap();
        assert_eq!(spans.len(), 1, "the span of the message ended with it");
        assert_eq!(asked.trace_id(), parent.trace_id());
        assert_eq!(
            asked.traceparent().unwrap().split('-').nth(2),
            Some(spans[0].span_context.span_id().to_string().as_str()),
            "the callee continues under the asker's span"
        );

        reply.send(1);
        let heard = settled(&heard).await;
        assert_eq!(heard[0], Heard::Answer(Ok(1)));
        assert!(
            matches!(&heard[1], Heard::Trace(Some(trace)) if trace.contains("0af7651916cd43dd8448eb211c80319c")),
            "the answer belongs to the same trace"
        );
        assert_eq!(exporter.get_finished_spans().unwrap().len(), 2);
    }
}
