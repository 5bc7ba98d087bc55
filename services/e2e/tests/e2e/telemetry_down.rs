//! A collector that is gone, slow or hangs costs telemetry and nothing else.

use std::time::{Duration, Instant};

use shopapi_telemetry::testing::{Manner, Receiver};

use crate::traced::until;
use crate::world::World;

/// Orders measured for each state of the collector.
const ORDERS: usize = 30;
/// Medians on a loaded machine differ; a request that waits for an export would take its timeout of seconds.
const FACTOR: u32 = 4;
const SLACK: Duration = Duration::from_millis(150);
/// The promise: whatever the collector does, a service stops in so long.
const STOP_MAX: Duration = Duration::from_secs(5);
/// A service's start on a loaded machine.
const READY_MAX: Duration = Duration::from_secs(20);

async fn median(world: &World) -> Duration {
    let mut took = Vec::new();
    for _ in 0..ORDERS {
        let began = Instant::now();
        let order = world.order("PLENTY", 1, "tok_ok").await;
        assert_eq!(order.status, 201, "{order:?}");
        took.push(began.elapsed());
    }
    took.sort();
    took[ORDERS / 2]
}

#[tokio::test]
async fn whatever_the_collector_does_orders_take_as_long_and_services_stop_in_time() {
    let receiver = Receiver::start(Manner::Prompt).await.unwrap();
    let endpoint = receiver.endpoint();
    let env = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
        // Full at once when nothing leaves.
        ("OTEL_BSP_MAX_QUEUE_SIZE", "64"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "300"),
    ];
    let mut world = World::start_with(&env).await;
    median(&world).await;
    let prompt = median(&world).await;
    receiver.behave(Manner::Slow(Duration::from_secs(2)));
    let slow = median(&world).await;
    receiver.behave(Manner::Hanging);
    let hanging = median(&world).await;
    let exports = receiver.exports();
    assert!(exports > 0);
    let bound = prompt * FACTOR + SLACK;
    assert!(slow < bound, "slow {slow:?}, prompt {prompt:?}");
    assert!(hanging < bound, "hanging {hanging:?}, prompt {prompt:?}");

    // It hangs still: what is left cannot be delivered, and nobody waits for it.
    let began = Instant::now();
    let inventory = world.service("inventory");
    inventory.stop().await;
    let took = began.elapsed();
    assert!(took < STOP_MAX, "{took:?}");
    inventory.start().await;
    inventory.ready(READY_MAX).await.unwrap();

    receiver.behave(Manner::Prompt);
    until("what was lost is counted", async || {
        receiver.sum("telemetry_dropped", &[("signal", "traces")]) > 0.0
    })
    .await;

    drop(receiver);
    let gone = median(&world).await;
    assert!(gone < bound, "gone {gone:?}, prompt {prompt:?}");
    println!(
        "median of an order: prompt {prompt:?}, slow {slow:?}, hanging {hanging:?}, gone {gone:?}"
    );
    world.stack.stop(&devstack::Silent).await.unwrap();
}
