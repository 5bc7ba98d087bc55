//! Up, gone, back: what a row of answers and silences says about a process.

/// What is known about whether a process is there. Times are milliseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Presence {
    /// It answered the last time.
    pub up: bool,
    /// It answered at least once.
    pub known: bool,
    /// Since when it is as it is.
    pub since_ms: u64,
    /// When the process that answered last began; another value means another process.
    started_ms: Option<u64>,
    /// Processes that followed one another while somebody looked.
    pub restarts: u32,
    /// How long it was gone the last time.
    pub was_gone_ms: Option<u64>,
    /// Why it does not answer.
    pub reason: String,
}

impl Presence {
    /// It answered as the process that began at `started_ms`.
    pub(super) fn answered(&mut self, started_ms: u64, now_ms: u64) {
        let is_another = self.started_ms.is_some_and(|known| known != started_ms);
        if is_another {
            self.restarts += 1;
        }
        if self.known && (!self.up || is_another) {
            // One that died and came back between two looks was gone for less than a look.
            self.was_gone_ms = Some(if self.up {
                0
            } else {
                now_ms.saturating_sub(self.since_ms)
            });
        }
        if !self.up || is_another {
            self.since_ms = now_ms;
        }
        self.up = true;
        self.known = true;
        self.started_ms = Some(started_ms);
        self.reason.clear();
    }

    /// It did not answer.
    pub(super) fn silent(&mut self, reason: &str, now_ms: u64) {
        if self.up || self.since_ms == 0 {
            self.since_ms = now_ms;
        }
        self.up = false;
        reason.clone_into(&mut self.reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_process_is_gone_and_then_back() {
        let mut presence = Presence::default();
        presence.answered(1, 1_000);
        presence.silent("connection refused", 5_000);
        presence.silent("connection refused", 6_000);
        assert!(!presence.up);
        assert_eq!((presence.since_ms, presence.restarts), (5_000, 0));

        presence.answered(2, 7_500);
        assert!(presence.up && presence.reason.is_empty());
        assert_eq!((presence.since_ms, presence.restarts), (7_500, 1));
        assert_eq!(presence.was_gone_ms, Some(2_500));
    }

    #[test]
    fn a_process_that_only_did_not_answer_was_not_restarted() {
        let mut presence = Presence::default();
        presence.answered(1, 1_000);
        presence.silent("deadline", 2_000);
        presence.answered(1, 3_000);
        assert_eq!((presence.restarts, presence.was_gone_ms), (0, Some(1_000)));
    }

    #[test]
    fn a_death_between_two_looks_is_seen_by_its_successor() {
        let mut presence = Presence::default();
        presence.answered(1, 1_000);
        presence.answered(2, 2_000);
        assert_eq!((presence.restarts, presence.since_ms), (1, 2_000));
    }

    #[test]
    fn one_that_never_answered_is_not_a_death() {
        let mut presence = Presence::default();
        presence.silent("connection refused", 1_000);
        presence.answered(1, 2_000);
        assert_eq!((presence.restarts, presence.was_gone_ms), (0, None));
    }
}
