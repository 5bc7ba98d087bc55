//! Streams and durable consumers as this house wants them: plain values, created whenever they are missing.

use std::time::Duration;

/// A stream a service owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamSpec {
    /// Name, for example `ORDERS`.
    pub name: String,
    /// Its subjects, for example `orders.*`.
    pub subjects: Vec<String>,
    /// Events older than this are dropped by the server, delivered or not. Tombstones in the databases must live longer.
    pub max_age: Duration,
    /// Events beyond this size are dropped, oldest first: a dead consumer must not stop the publisher, and a lost event is
    /// healed by the saga's deadline.
    pub bytes_max: i64,
    /// A message id is remembered for this long; publishes repeated inside it are stored once.
    pub duplicate_window: Duration,
    /// Copies in a cluster of servers. A stream that operators gave more keeps them.
    pub replicas: usize,
}

impl StreamSpec {
    /// A stream with the house's retention: 7 days (a long weekend with a dead consumer loses nothing), 1 GiB (at 500 bytes an
    /// event about two million), duplicates known for 2 minutes (longer than any publish retry of one lease), one replica.
    pub fn new(
        name: impl Into<String>,
        subjects: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        Self {
            name: name.into(),
            subjects: subjects.into_iter().map(Into::into).collect(),
            max_age: Duration::from_secs(7 * 24 * 3600),
            bytes_max: 1 << 30,
            duplicate_window: Duration::from_secs(120),
            replicas: 1,
        }
    }

    /// The same with so many copies.
    #[must_use]
    pub fn replicated(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    /// Whether the stream takes events of this subject.
    #[must_use]
    pub fn takes(&self, subject: &str) -> bool {
        self.subjects
            .iter()
            .any(|pattern| matches(pattern, subject))
    }
}

/// The subject under which a stream's reader publishes an event to itself once more: `replay.<reader>.<subject>`. Only that reader may publish
/// there, and only its consumer takes it for the event: nobody has to be allowed to speak as another service in order to repeat its events.
#[must_use]
pub fn replay_subject(reader: &str, subject: &str) -> String {
    format!("replay.{reader}.{subject}")
}

/// What [`replay_subject`] was made of, for its reader; every other subject as it is.
pub(crate) fn original_subject<'s>(reader: &str, subject: &'s str) -> &'s str {
    let replayed = subject.strip_prefix("replay.");
    replayed
        .and_then(|rest| rest.strip_prefix(reader)?.strip_prefix('.'))
        .unwrap_or(subject)
}

/// NATS' wildcards: `*` stands for one token, `>` at the end for one or more.
fn matches(pattern: &str, subject: &str) -> bool {
    let mut tokens = subject.split('.');
    for wanted in pattern.split('.') {
        match (wanted, tokens.next()) {
            (">", Some(_)) => return true,
            ("*", Some(token)) if !token.is_empty() => {}
            (wanted, Some(token)) if wanted == token => {}
            _ => return false,
        }
    }
    tokens.next().is_none()
}

/// A durable pull consumer; all replicas of a service bind the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerSpec {
    /// Stream it reads. The stream belongs to another service: while it is missing the consumer waits for it.
    pub stream: String,
    /// Durable name, for example `orders`.
    pub durable: String,
    /// Subjects it wants; empty means all of the stream.
    pub filter_subjects: Vec<String>,
    /// Schema versions its handler can read; any other goes to the dead letters.
    pub schema_versions: Vec<i32>,
    /// The server delivers an event again when this passed without a sign of life. Twice the slowest transaction at least;
    /// progress is reported every half of it.
    pub ack_wait: Duration,
    /// Unacknowledged events over all replicas. The server stops delivering *silently* beyond it, so it stands well
    /// above replicas × (`prefetch` + `in_hand_max`).
    pub ack_pending_max: i64,
    /// Events asked for at a time; also the largest batch handed over, one database batch of the writer behind it.
    pub prefetch: usize,
    /// Events handed over and not answered: fetching pauses beyond it.
    pub in_hand_max: usize,
    /// Larger payloads go to the dead letters; of those the first so many bytes are kept.
    pub payload_bytes_max: usize,
    /// So many deaths of a handler with one event in hand make it a dead letter.
    pub handler_deaths_max: u32,
    /// The server says it lives this often; two missed ones rebuild the subscription.
    pub heartbeat: Duration,
    /// A stopping consumer waits so long for the events in hand; what is left is delivered again elsewhere.
    pub drain_timeout: Duration,
}

impl ConsumerSpec {
    /// A consumer with the house's numbers: prefetch 256, in hand up to 512, 8,192 unacknowledged (ten replicas), 30 s to
    /// acknowledge, 64 KiB payloads (the largest request body), dead letter after 5 deaths, heartbeat every 5 s, 5 s to drain.
    pub fn new(stream: impl Into<String>, durable: impl Into<String>) -> Self {
        Self {
            stream: stream.into(),
            durable: durable.into(),
            filter_subjects: Vec::new(),
            schema_versions: vec![1],
            ack_wait: Duration::from_secs(30),
            ack_pending_max: 8_192,
            prefetch: 256,
            in_hand_max: 512,
            payload_bytes_max: 64 * 1024,
            handler_deaths_max: 5,
            heartbeat: Duration::from_secs(5),
            drain_timeout: Duration::from_secs(5),
        }
    }

    /// Reads only these subjects.
    #[must_use]
    pub fn subjects(mut self, subjects: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.filter_subjects = subjects.into_iter().map(Into::into).collect();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_takes_what_its_subjects_say() {
        let stream = StreamSpec::new("S", ["orders.*", "audit.>", "exact"]);
        for subject in ["orders.created", "audit.a", "audit.a.b", "exact"] {
            assert!(stream.takes(subject), "{subject}");
        }
        for subject in [
            "orders",
            "orders.",
            "orders.a.b",
            "audit",
            "exact.a",
            "hint.orders",
            "",
        ] {
            assert!(!stream.takes(subject), "{subject}");
        }
    }

    #[test]
    fn only_its_reader_takes_a_replay_for_the_event() {
        let replayed = replay_subject("payments", "orders.created");
        assert_eq!(replayed, "replay.payments.orders.created");
        assert_eq!(original_subject("payments", &replayed), "orders.created");
        for (reader, subject) in [
            ("orders", "replay.payments.orders.created"),
            ("pay", "replay.payments.orders.created"),
            ("payments", "orders.created"),
            ("payments", "replay.payments"),
        ] {
            assert_eq!(original_subject(reader, subject), subject);
        }
    }

    #[test]
    fn unacknowledged_events_of_ten_replicas_do_not_stall_a_consumer() {
        let spec = ConsumerSpec::new("S", "c");
        let replica = i64::try_from(spec.prefetch + spec.in_hand_max).unwrap();
        assert!(spec.ack_pending_max > 10 * replica);
    }
}
