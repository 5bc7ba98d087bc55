//! CPU time of processes, from `/proc`.

use std::time::Duration;

/// Linux reports CPU time to user space in hundredths of a second, whatever its own clock is.
const TICK: Duration = Duration::from_millis(10);

/// CPU time by process name.
#[derive(Debug, Clone, Default)]
pub(super) struct CpuTimes(Vec<(String, Duration)>);

impl CpuTimes {
    pub(super) fn add(&mut self, name: &str, time: Duration) {
        self.0.push((name.to_owned(), time));
    }

    /// What was used since an earlier reading of the same processes.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        let before = |name: &str| {
            earlier
                .0
                .iter()
                .find(|(earlier, _)| earlier == name)
                .map_or(Duration::ZERO, |(_, time)| *time)
        };
        Self(
            self.0
                .iter()
                .map(|(name, time)| (name.clone(), time.saturating_sub(before(name))))
                .collect(),
        )
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Duration)> {
        self.0.iter().map(|(name, time)| (name.as_str(), *time))
    }
}

/// User and system time of a process, all threads.
pub(super) fn of_process(pid: u32) -> Duration {
    stat(pid).map_or(Duration::ZERO, |stat| stat.own)
}

/// A process with its children, those that ended included.
pub(super) fn of_family(pid: u32) -> Duration {
    let Some(parent) = stat(pid) else {
        return Duration::ZERO;
    };
    let children =
        std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let living: Duration = children
        .split_whitespace()
        .filter_map(|child| child.parse().ok())
        .map(of_process)
        .sum();
    parent.own + parent.reaped + living
}

struct Stat {
    own: Duration,
    reaped: Duration,
}

fn stat(pid: u32) -> Option<Stat> {
    parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse(stat: &str) -> Option<Stat> {
    // The second field is the name in parentheses and may contain spaces and parentheses; the twelfth after it is utime.
    const UTIME: usize = 11;
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks: Vec<u32> = fields
        .split_whitespace()
        .skip(UTIME)
        .take(4)
        .map(str::parse)
        .collect::<Result<_, _>>()
        .ok()?;
    let [user, system, user_reaped, system_reaped] = ticks.try_into().ok()?;
    Some(Stat {
        own: TICK * (user + system),
        reaped: TICK * (user_reaped + system_reaped),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_times_behind_an_awkward_name() {
        let line = "42 (a ) b) S 1 42 42 0 -1 4194560 1 2 3 4 150 50 700 300 20 0 1 0 1 1 1";
        let stat = parse(line).unwrap();
        assert_eq!(stat.own, Duration::from_secs(2));
        assert_eq!(stat.reaped, Duration::from_secs(10));
    }

    #[test]
    fn counts_what_was_used_between_two_readings() {
        let mut before = CpuTimes::default();
        before.add("orders", Duration::from_millis(100));
        let mut after = CpuTimes::default();
        after.add("orders", Duration::from_millis(350));
        let used: Vec<_> = after.since(&before).0;
        assert_eq!(used, [("orders".to_owned(), Duration::from_millis(250))]);
    }
}
