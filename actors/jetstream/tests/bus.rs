//! Publisher and consumer against a real NATS server, each test with its own, which it may stop, wipe and freeze.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::allow_attributes,
    reason = "tests fail by panicking"
)]

mod support;

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::jetstream::consumer::PullConsumer;
use bytes::Bytes;
use devstack::Signal;
use jetstream::{
    BusState, ConsumerSpec, DeadLetterReason, InboundEvent, Incoming, JetStreamPublisher,
    OutboundEvent, Outcome, PublishFailure, Published, headers,
};
use uuid::Uuid;

use support::{Consumer, PATIENCE, Publisher, Server, consumer, event, stream, until};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// What the server still has to do for the consumer: (delivered and unanswered, not delivered).
async fn left_over(server: &Server) -> (usize, u64) {
    let context = server.operator().await;
    let consumer: PullConsumer = context
        .get_consumer_from_stream("payments", "ORDERS")
        .await
        .unwrap();
    let info = consumer.get_info().await.unwrap();
    (info.num_ack_pending, info.num_pending)
}

async fn nothing_left_over(server: &Server) {
    until("the server has nothing left over", async || {
        (left_over(server).await == (0, 0)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_event_arrives_as_it_was_published() {
    let server = Server::start().await;
    let connection = server.connect().await;
    let publisher = Publisher::start(&connection).await;
    let mut consumer = Consumer::start(&connection, consumer()).await;

    let sent = OutboundEvent {
        traceparent: Some(TRACE.to_owned()),
        ..event(1)
    };
    assert_eq!(
        publisher.publish(sent).await,
        Published { duplicate: false }
    );

    let Incoming {
        event: arrived,
        reply,
    } = consumer.next().await;
    assert_eq!(
        arrived,
        InboundEvent {
            subject: "orders.created".to_owned(),
            event_id: Uuid::from_u128(1),
            schema_version: 1,
            aggregate_seq: 3,
            traceparent: Some(TRACE.to_owned()),
            payload: Bytes::from_static(b"payload 1"),
            delivered: 1,
        }
    );
    assert_eq!(
        left_over(&server).await,
        (1, 0),
        "not acknowledged before the answer"
    );
    reply.send(Outcome::Done);
    nothing_left_over(&server).await;
    assert_eq!(connection.state(), BusState::Connected);
}

#[tokio::test]
async fn a_repeated_message_id_is_stored_once_and_a_replay_needs_a_new_one() {
    let server = Server::start().await;
    let connection = server.connect().await;
    let publisher = Publisher::start(&connection).await;
    let mut consumer = Consumer::start(&connection, consumer()).await;

    assert_eq!(
        publisher.publish(event(1)).await,
        Published { duplicate: false }
    );
    assert_eq!(
        publisher.try_publish(event(1)).await,
        Ok(Published { duplicate: true })
    );
    let replay = OutboundEvent {
        message_id: Uuid::from_u128(99),
        ..event(1)
    };
    assert_eq!(
        publisher.try_publish(replay).await,
        Ok(Published { duplicate: false })
    );
    publisher.publish(event(2)).await;

    // The repeat was not stored, the replay was: the same event id twice, then the last one.
    assert_eq!(
        [
            consumer.take().await,
            consumer.take().await,
            consumer.take().await
        ],
        [1, 1, 2]
    );
    nothing_left_over(&server).await;
}

#[tokio::test]
async fn an_event_wanted_later_is_delivered_again() {
    let server = Server::start().await;
    let connection = server.connect().await;
    let publisher = Publisher::start(&connection).await;
    let mut consumer = Consumer::start(&connection, consumer()).await;
    publisher.publish(event(1)).await;

    for delivered in 1..=3 {
        let Incoming { event, reply } = consumer.next().await;
        assert_eq!(event.delivered, delivered);
        reply.send(if delivered < 3 {
            Outcome::RetryLater
        } else {
            Outcome::Ignored
        });
    }
    nothing_left_over(&server).await;
    assert_eq!(consumer.status().await.postponed, 2);
}

#[tokio::test]
async fn more_events_than_the_window_are_all_acknowledged() {
    let server = Server::start().await;
    let connection = server.connect().await;
    let publisher = Publisher::start(&connection).await;
    publisher.publish(event(1)).await;

    let publishes = (2..=200).map(|n| publisher.try_publish(event(n)));
    let published = futures::future::join_all(publishes).await;
    assert_eq!(published, vec![Ok(Published { duplicate: false }); 199]);

    let mut consumer = Consumer::start(&connection, consumer()).await;
    let mut arrived = Vec::new();
    for _ in 0..200 {
        arrived.push(consumer.take().await);
    }
    arrived.sort_unstable();
    assert_eq!(arrived, (1..=200).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_wrong_with_the_event_itself_is_refused() {
    let server = Server::start().await;
    let connection = server.connect().await;
    let publisher = Publisher::start(&connection).await;
    publisher.publish(event(1)).await;

    let foreign = OutboundEvent {
        subject: "payments.succeeded".to_owned(),
        ..event(2)
    };
    let huge = OutboundEvent {
        payload: Bytes::from(vec![0; 2 << 20]),
        ..event(3)
    };
    for bad in [foreign, huge] {
        let refused = publisher.try_publish(bad).await;
        assert!(
            matches!(refused, Err(PublishFailure::Refused(_))),
            "{refused:?}"
        );
    }
    assert_eq!(connection.state(), BusState::Connected);
}

#[tokio::test]
async fn a_server_that_comes_later_is_no_error() {
    let mut server = Server::absent().await;
    let connection = server.connect().await;
    let publisher = Publisher::start(&connection).await;
    let mut consumer = Consumer::start(&connection, consumer()).await;
    let answer = publisher.try_publish(event(1)).await;
    assert!(
        matches!(answer, Err(PublishFailure::Unavailable(_))),
        "{answer:?}"
    );
    assert_eq!(connection.state(), BusState::Disconnected);
    assert!(!consumer.status().await.subscribed);

    server.nats.start().await.unwrap();
    publisher.publish(event(1)).await;
    assert_eq!(consumer.take().await, 1);
    assert_eq!(connection.state(), BusState::Connected);
}

#[tokio::test]
async fn a_consumer_waits_for_a_stream_that_another_service_creates() {
    let server = Server::start().await;
    let connection = server.connect().await;
    let mut consumer = Consumer::start(&connection, consumer()).await;
    connection.connected().await;
    assert!(!consumer.status().await.subscribed);
    let publisher = Publisher::start(&connection).await;
    publisher.publish(event(1)).await;
    assert_eq!(consumer.take().await, 1);
}

#[tokio::test]
async fn a_restarted_server_is_served_again() {
    let mut server = Server::start().await;
    let connection = server.connect().await;
    let publisher = Publisher::start(&connection).await;
    let mut consumer = Consumer::start(&connection, consumer()).await;
    publisher.publish(event(1)).await;
    assert_eq!(consumer.take().await, 1);
    publisher.publish(event(2)).await;
    let held = consumer.next().await;

    server.nats.stop().await.unwrap();
    until("the loss is noticed", async || {
        (connection.state() == BusState::Disconnected).then_some(())
    })
    .await;
    let answer = publisher.try_publish(event(3)).await;
    assert!(
        matches!(answer, Err(PublishFailure::Unavailable(_))),
        "{answer:?}"
    );
    // Answered while the bus is away: the acknowledgement may be lost, the event then comes again.
    held.reply.send(Outcome::Done);

    server.nats.start().await.unwrap();
    publisher.publish(event(3)).await;
    while consumer.take().await != 3 {}
    assert!(consumer.status().await.sessions >= 2);
}

#[tokio::test]
async fn a_server_that_lost_its_store_gets_stream_and_consumer_again() {
    let mut server = Server::start().await;
    let connection = server.connect().await;
    let publisher = Publisher::start(&connection).await;
    let mut consumer = Consumer::start(&connection, consumer()).await;
    publisher.publish(event(1)).await;
    assert_eq!(consumer.take().await, 1);

    server.nats.wipe().await.unwrap();
    publisher.publish(event(2)).await;
    assert_eq!(consumer.take().await, 2);
}

#[tokio::test]
async fn a_stream_deleted_under_way_is_created_again() {
    let server = Server::start().await;
    let connection = server.connect().await;
    let publisher = Publisher::start(&connection).await;
    let mut consumer = Consumer::start(&connection, consumer()).await;
    publisher.publish(event(1)).await;
    assert_eq!(consumer.take().await, 1);

    server
        .operator()
        .await
        .delete_stream("ORDERS")
        .await
        .unwrap();
    let answer = publisher.try_publish(event(2)).await;
    assert!(
        matches!(answer, Err(PublishFailure::Unavailable(_))),
        "{answer:?}"
    );
    publisher.publish(event(2)).await;
    assert_eq!(consumer.take().await, 2);
}

#[tokio::test]
async fn a_deleted_consumer_is_created_again_and_loses_nothing() {
    let server = Server::start().await;
    let connection = server.connect().await;
    let publisher = Publisher::start(&connection).await;
    let mut consumer = Consumer::start(&connection, consumer()).await;
    publisher.publish(event(1)).await;
    let unanswered = consumer.next().await;

    let context = server.operator().await;
    context
        .delete_consumer_from_stream("payments", "ORDERS")
        .await
        .unwrap();
    publisher.publish(event(2)).await;
    // The new one starts from the beginning: what was not answered comes again, and so may what was.
    assert_eq!([consumer.take().await, consumer.take().await], [1, 2]);
    drop(unanswered);
    nothing_left_over(&server).await;
}

#[tokio::test]
async fn a_frozen_server_is_reported_as_stalled_until_it_answers() {
    let server = Server::start().await;
    let connection = server.connect().await;
    let publisher = JetStreamPublisher::new(connection.clone(), stream())
        .ack_deadline(Duration::from_millis(50));
    let publisher = Publisher::of(publisher).await;
    publisher.publish(event(1)).await;

    server.nats.signal(Signal::Stop).unwrap();
    // The signal takes effect in its own time; from then on every publish is met by silence.
    until("it is stalled", async || {
        let _silence = publisher.try_publish(event(2)).await;
        (connection.state() == BusState::Stalled).then_some(())
    })
    .await;
    let answer = publisher.try_publish(event(3)).await;
    assert!(
        matches!(answer, Err(PublishFailure::Unavailable(_))),
        "{answer:?}"
    );

    server.nats.signal(Signal::Cont).unwrap();
    publisher.publish(event(4)).await;
    until("it is connected", async || {
        (connection.state() == BusState::Connected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_missing_heartbeat_makes_the_subscription_again() {
    let server = Server::start().await;
    let connection = server.connect().await;
    let publisher = Publisher::start(&connection).await;
    let spec = ConsumerSpec {
        heartbeat: Duration::from_millis(100),
        ..consumer()
    };
    let mut consumer = Consumer::start(&connection, spec).await;
    publisher.publish(event(1)).await;
    assert_eq!(consumer.take().await, 1);

    // Connected all the time, as far as the connection knows.
    server.nats.signal(Signal::Stop).unwrap();
    consumer
        .until("the silence is noticed", |status| !status.subscribed)
        .await;
    assert_eq!(connection.state(), BusState::Connected);
    server.nats.signal(Signal::Cont).unwrap();

    publisher.publish(event(2)).await;
    assert_eq!(consumer.take().await, 2);
    assert!(consumer.status().await.sessions >= 2);
}

#[tokio::test]
async fn poison_goes_to_the_dead_letters_and_its_neighbours_go_on() {
    let server = Server::start().await;
    let connection = server.connect().await;
    let publisher = Publisher::start(&connection).await;
    publisher.publish(event(1)).await;
    publisher
        .publish(OutboundEvent {
            schema_version: 9,
            ..event(2)
        })
        .await;
    publisher
        .publish(OutboundEvent {
            payload: Bytes::from(vec![7; 100]),
            ..event(3)
        })
        .await;
    publisher.publish(event(4)).await;
    publisher.publish(event(5)).await;
    // From somebody who does not know our headers.
    let context = server.operator().await;
    context
        .publish("orders.created", "hello".into())
        .await
        .unwrap()
        .await
        .unwrap();

    let spec = ConsumerSpec {
        payload_bytes_max: 64,
        ..consumer()
    };
    let mut consumer = Consumer::start(&connection, spec).await;
    for _ in 0..3 {
        let Incoming { event, reply } = consumer.next().await;
        reply.send(match event.event_id.as_u128() {
            4 => Outcome::Poison("cannot be decoded".to_owned()),
            _ => Outcome::Done,
        });
    }
    let status = consumer
        .until("all have ended", |status| {
            status.acked + status.dead_letters == 6
        })
        .await;
    assert_eq!(
        (status.acked, status.dead_letters, status.in_hand),
        (2, 4, 0)
    );
    nothing_left_over(&server).await;

    let letters = consumer.letters.committed.lock().unwrap().clone();
    let by_id: HashMap<Option<Uuid>, _> = letters
        .iter()
        .map(|letter| (letter.event_id, letter))
        .collect();
    let of = |n: u128| by_id[&Some(Uuid::from_u128(n))];
    assert_eq!(of(2).reason, DeadLetterReason::UnknownSchemaVersion(9));
    assert_eq!(of(2).schema_version, Some(9));
    assert_eq!(of(3).reason, DeadLetterReason::Oversize);
    assert_eq!((of(3).payload.len(), of(3).payload_bytes), (64, 100));
    assert_eq!(
        of(4).reason,
        DeadLetterReason::Poison("cannot be decoded".to_owned())
    );
    assert_eq!(of(4).payload, b"payload 4");
    assert_eq!(
        (
            of(4).stream.as_str(),
            of(4).consumer.as_str(),
            of(4).delivered
        ),
        ("ORDERS", "payments", 1)
    );
    assert_eq!(
        by_id[&None].reason,
        DeadLetterReason::BadHeader(headers::EVENT_ID)
    );
    assert_eq!(by_id[&None].payload, b"hello");
}

#[tokio::test]
async fn an_event_is_kept_until_its_dead_letter_is_committed() {
    let server = Server::start().await;
    let connection = server.connect().await;
    let publisher = Publisher::start(&connection).await;
    let consumer = Consumer::start(&connection, consumer()).await;
    consumer.letters.failures.store(2, Ordering::Relaxed);
    publisher
        .publish(OutboundEvent {
            schema_version: 9,
            ..event(1)
        })
        .await;

    let status = consumer
        .until("the letter is committed", |status| status.dead_letters == 1)
        .await;
    assert_eq!(status.postponed, 2);
    let letters = consumer.letters.committed.lock().unwrap().clone();
    assert_eq!((letters.len(), letters[0].delivered), (1, 3));
    nothing_left_over(&server).await;
}

#[tokio::test]
async fn an_event_that_kills_its_handler_is_found_out_and_its_neighbours_are_not_blamed() {
    let server = Server::start().await;
    let connection = server.connect().await;
    let publisher = Publisher::start(&connection).await;
    for n in 1..=4 {
        publisher.publish(event(n)).await;
    }
    let spec = ConsumerSpec {
        handler_deaths_max: 3,
        ..consumer()
    };
    let mut consumer = Consumer::start(&connection, spec).await;

    // The handler dies with all four in hand; later only event 3 kills it.
    let crowd = [
        consumer.next().await,
        consumer.next().await,
        consumer.next().await,
        consumer.next().await,
    ];
    drop(crowd);
    consumer
        .until("all four were lost", |status| status.postponed >= 4)
        .await;
    // While one suspect is in hand the three others are sent back, each at least once.
    let alone = consumer.batches.next().await;
    consumer
        .until("the others came and went", |status| {
            status.postponed >= 4 + 3
        })
        .await;
    assert_eq!(consumer.status().await.in_hand, 1);
    assert!(consumer.batches.try_next().is_none());
    for Incoming { reply, .. } in alone {
        reply.send(Outcome::RetryLater);
    }
    let mut deliveries = HashMap::new();
    for _ in 0..5 {
        let batch = consumer.batches.next().await;
        assert_eq!(batch.len(), 1, "a suspect is handed over alone");
        for Incoming { event, reply } in batch {
            let n = event.event_id.as_u128();
            *deliveries.entry(n).or_insert(0) += 1;
            if n == 3 {
                drop(reply);
            } else {
                reply.send(Outcome::Done);
            }
        }
    }
    assert_eq!(deliveries, HashMap::from([(1, 1), (2, 1), (3, 2), (4, 1)]));
    consumer
        .until("all have ended", |status| {
            status.acked == 3 && status.dead_letters == 1
        })
        .await;
    assert_eq!(
        consumer.letters.reasons(),
        [(Uuid::from_u128(3), "handler_died")]
    );
    nothing_left_over(&server).await;
}

#[tokio::test]
async fn no_more_is_fetched_than_fits_in_the_hand() {
    let server = Server::start().await;
    let connection = server.connect().await;
    let publisher = Publisher::start(&connection).await;
    for n in 1..=50 {
        publisher.publish(event(n)).await;
    }
    let spec = ConsumerSpec {
        prefetch: 4,
        in_hand_max: 8,
        ..consumer()
    };
    let mut consumer = Consumer::start(&connection, spec).await;
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(consumer.next().await);
    }
    let status = consumer.status().await;
    assert!((8..12).contains(&status.in_hand), "{status:?}");
    assert!(left_over(&server).await.0 <= 16, "in hand and prefetched");
    for Incoming { reply, .. } in held {
        reply.send(Outcome::Done);
    }
    for _ in 8..50 {
        consumer.take().await;
    }
    nothing_left_over(&server).await;
}

#[tokio::test]
async fn a_stopping_consumer_finishes_what_is_in_hand_and_leaves_the_rest_to_others() {
    let server = Server::start().await;
    let connection = server.connect().await;
    let publisher = Publisher::start(&connection).await;
    for n in 1..=6 {
        publisher.publish(event(n)).await;
    }
    // An hour: nothing comes again because somebody waited too long.
    let spec = ConsumerSpec {
        ack_wait: Duration::from_secs(3_600),
        prefetch: 2,
        in_hand_max: 2,
        ..consumer()
    };
    let mut first = Consumer::start(&connection, spec.clone()).await;
    let held = [first.next().await, first.next().await];
    until("two more are prefetched", async || {
        (left_over(&server).await.0 == 4).then_some(())
    })
    .await;

    let stopping = first.actor.stop();
    let answering = async {
        // A second replica gets what was prefetched, and never what the first still has in hand.
        let mut second = Consumer::start(&connection, spec).await;
        let mut taken = Vec::new();
        for _ in 0..4 {
            taken.push(second.take().await);
        }
        taken.sort_unstable();
        assert_eq!(taken, [3, 4, 5, 6]);
        for Incoming { reply, .. } in held {
            reply.send(Outcome::Done);
        }
    };
    tokio::join!(stopping, answering);
    nothing_left_over(&server).await;
}

#[tokio::test]
async fn two_replicas_share_a_durable_consumer() {
    let server = Server::start().await;
    let connection = server.connect().await;
    let publisher = Publisher::start(&connection).await;
    publisher.publish(event(1)).await;
    let spec = ConsumerSpec {
        prefetch: 2,
        in_hand_max: 2,
        ..consumer()
    };
    let mut first = Consumer::start(&connection, spec.clone()).await;
    let mut second = Consumer::start(&connection, spec).await;
    first
        .until("the first is subscribed", |status| status.subscribed)
        .await;
    second
        .until("the second is subscribed", |status| status.subscribed)
        .await;
    for n in 2..=40 {
        publisher.publish(event(n)).await;
    }
    let mut seen = Vec::new();
    while seen.len() < 40 {
        seen.push(tokio::select! {
            n = first.take() => n,
            n = second.take() => n,
        });
    }
    seen.sort_unstable();
    assert_eq!(seen, (1..=40).collect::<Vec<_>>());
    nothing_left_over(&server).await;
    assert!(first.status().await.acked > 0 && second.status().await.acked > 0);
}

#[tokio::test]
async fn hints_reach_listeners_also_after_a_restart() {
    let mut server = Server::start().await;
    let connection = server.connect().await;
    let mut hints = connection.hints("hint.orders").await.unwrap();
    for round in ["before", "after"] {
        // A hint may be lost: said again until it is heard.
        let hearing = async {
            loop {
                connection.hint("hint.orders", Bytes::from(round));
                let heard = tokio::time::timeout(Duration::from_millis(20), hints.next()).await;
                if heard.is_ok_and(|hint| hint.unwrap() == round) {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, hearing).await.unwrap();
        server.nats.restart().await.unwrap();
    }
    server.nats.stop().await.unwrap();
    until("the loss is noticed", async || {
        (connection.state() == BusState::Disconnected).then_some(())
    })
    .await;
    assert!(!connection.hint("hint.orders", Bytes::new()));
}
