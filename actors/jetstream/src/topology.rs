//! Makes streams and durable consumers exist as their specs say.
//!
//! Called at the start, after every reconnect and whenever one turned out to be missing. Creating what is there is a
//! success, so replicas do it at the same time without harm.

use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy, pull};
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::{
    Config as StreamConfig, ConsumerErrorKind, DiscardPolicy, StorageType,
};
use async_nats::jetstream::{Context, ErrorCode};
use tracing::{info, warn};

use crate::{ConsumerSpec, StreamSpec};

/// Why a stream or a consumer is not there; every one is tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnsureError {
    /// The stream belongs to another service that has not created it yet.
    #[error("stream {0} is missing")]
    StreamMissing(String),
    /// JetStream did not answer or refused; the text is for the log.
    #[error("{0}")]
    Unavailable(String),
}

fn unavailable(error: impl std::fmt::Display) -> EnsureError {
    EnsureError::Unavailable(error.to_string())
}

/// Creates the stream when it is missing and brings an existing one up to date.
pub(crate) async fn ensure_stream(context: &Context, spec: &StreamSpec) -> Result<(), EnsureError> {
    match context.get_stream(&spec.name).await {
        Ok(stream) => {
            let present = &stream.cached_info().config;
            let wanted = apply(spec, present.clone());
            if *present != wanted
                && let Err(error) = context.update_stream(&wanted).await
            {
                // It is there and takes events: an old shape is better than none.
                warn!(stream = spec.name, %error, "the stream keeps its present configuration");
            }
            Ok(())
        }
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(refusal)
                if refusal.error_code() == ErrorCode::STREAM_NOT_FOUND =>
            {
                let wanted = apply(
                    spec,
                    StreamConfig {
                        name: spec.name.clone(),
                        ..StreamConfig::default()
                    },
                );
                context.create_stream(wanted).await.map_err(unavailable)?;
                info!(stream = spec.name, "created the stream");
                Ok(())
            }
            _ => Err(unavailable(error)),
        },
    }
}

/// The stream's configuration with all that the spec fixes; the rest stays as operators left it.
fn apply(spec: &StreamSpec, present: StreamConfig) -> StreamConfig {
    StreamConfig {
        subjects: spec.subjects.clone(),
        max_age: spec.max_age,
        max_bytes: spec.bytes_max,
        discard: DiscardPolicy::Old,
        storage: StorageType::File,
        // Never fewer: a forgotten setting must not take copies away from a stream that operators raised.
        num_replicas: spec.replicas.max(present.num_replicas),
        duplicate_window: spec.duplicate_window,
        ..present
    }
}

/// Creates or updates the durable consumer.
pub(crate) async fn ensure_consumer(
    context: &Context,
    spec: &ConsumerSpec,
) -> Result<Consumer<pull::Config>, EnsureError> {
    let created = context
        .create_consumer_on_stream(consumer_config(spec), &spec.stream)
        .await;
    let error = match created {
        Ok(consumer) => return Ok(consumer),
        Err(error) => error,
    };
    match error.kind() {
        ConsumerErrorKind::JetStream(refusal)
            if refusal.error_code() == ErrorCode::STREAM_NOT_FOUND =>
        {
            Err(EnsureError::StreamMissing(spec.stream.clone()))
        }
        // One with other immutable settings is there: it delivers, which is better than nothing.
        ConsumerErrorKind::JetStream(refusal) if refusal.code() == 400 => {
            warn!(stream = spec.stream, consumer = spec.durable, %refusal, "the consumer keeps its present configuration");
            context
                .get_consumer_from_stream(&spec.durable, &spec.stream)
                .await
                .map_err(unavailable)
        }
        _ => Err(unavailable(error)),
    }
}

fn consumer_config(spec: &ConsumerSpec) -> pull::Config {
    let (filter_subject, filter_subjects) = match spec.filter_subjects.as_slice() {
        // Servers before 2.10 know only the single one.
        [single] => (single.clone(), Vec::new()),
        several => (String::new(), several.to_vec()),
    };
    pull::Config {
        durable_name: Some(spec.durable.clone()),
        // A consumer created late, or again, still sees everything the stream holds.
        deliver_policy: DeliverPolicy::All,
        ack_policy: AckPolicy::Explicit,
        ack_wait: spec.ack_wait,
        // A reached maximum looks like an empty queue. Giving up is ours to do, with a dead letter.
        max_deliver: -1,
        max_ack_pending: spec.ack_pending_max,
        filter_subject,
        filter_subjects,
        ..pull::Config::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replicas(wanted: usize, present: usize) -> usize {
        let spec = StreamSpec::new("ORDERS", ["orders.*"]).replicated(wanted);
        let present = StreamConfig {
            num_replicas: present,
            ..StreamConfig::default()
        };
        apply(&spec, present).num_replicas
    }

    #[test]
    fn a_stream_gets_the_copies_that_are_asked_for_and_never_loses_any() {
        // One that is made from nothing, one that is raised, one that operators raised.
        assert_eq!((replicas(1, 0), replicas(3, 0)), (1, 3));
        assert_eq!(replicas(3, 1), 3);
        assert_eq!(replicas(1, 3), 3);
    }

    #[test]
    fn what_the_spec_does_not_fix_stays_as_operators_left_it() {
        let present = StreamConfig {
            description: Some("ours".to_owned()),
            max_bytes: 7,
            ..StreamConfig::default()
        };
        let applied = apply(&StreamSpec::new("ORDERS", ["orders.*"]), present);
        assert_eq!(applied.description.as_deref(), Some("ours"));
        assert_eq!(applied.max_bytes, 1 << 30);
    }
}
