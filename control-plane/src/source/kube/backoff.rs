//! How long a watcher waits after each failure.

use std::time::Duration;

use kube::runtime::utils::{Backoff, ResetTimerBackoff};

/// Doubles from a fifth of a second to one: an API server that returns is to be noticed within two seconds, and a
/// handful of watchers is no load; and it differs from watcher to watcher, so that they do not come all at once.
pub(crate) fn backoff() -> ResetTimerBackoff<Doubling> {
    ResetTimerBackoff::new(Doubling { last: None }, CALM)
}

#[derive(Debug)]
pub(crate) struct Doubling {
    last: Option<Duration>,
}

impl Iterator for Doubling {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let next = self.last.map_or(FIRST, |last| (last * 2).min(LONGEST));
        self.last = Some(next);
        Some(next.mul_f32(1.0 - fastrand::f32() / 2.0))
    }
}

impl Backoff for Doubling {
    fn reset(&mut self) {
        self.last = None;
    }
}

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(1);
/// After so long without a failure the next one counts as the first. (A watcher says that it starts a list before the
/// list has succeeded, so success alone proves nothing.)
const CALM: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_longest_and_starts_over_when_reset() {
        let mut backoff = Doubling { last: None };
        let waits: Vec<_> = backoff.by_ref().take(10).collect();
        assert!(waits[0] <= FIRST && waits[0] >= FIRST / 2, "{waits:?}");
        assert!(waits[9] <= LONGEST && waits[9] >= LONGEST / 2, "{waits:?}");
        backoff.reset();
        assert!(backoff.next().is_some_and(|wait| wait <= FIRST));
    }
}
