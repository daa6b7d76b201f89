//! How long requests wait for a backend whose endpoints cannot be reached.
//!
//! All its pods may have been replaced a moment ago, and that takes a moment to be known: here a few milliseconds, behind
//! the Service's address up to a second (kube-proxy rewrites its rules once a second at most). A request that fails for
//! that failed for nothing. An outage is another matter: once it has lasted, or too many wait already, nobody waits.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use crate::clock::uptime_ms;

/// Of one backend.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    // Since when nobody could be reached; 0 if somebody could.
    since_ms: AtomicU64,
    waiting: AtomicU32,
    news: Notify,
}

impl Patience {
    /// Notes that somebody could be reached.
    pub(crate) fn reached(&self) {
        // Most calls find 0: reading leaves the cache line shared between the cores.
        if self.since_ms.load(Ordering::Relaxed) != 0 {
            self.since_ms.store(0, Ordering::Relaxed);
        }
    }

    /// Notes that the endpoints may be others now.
    pub(crate) fn news(&self) {
        self.reached();
        self.news.notify_waiters();
    }

    /// Waits before everybody is asked again for the `round`th time; returns whether that makes sense.
    pub(crate) async fn wait(&self, round: u32) -> bool {
        if round >= ROUNDS || self.is_outage(uptime_ms()) {
            return false;
        }
        let Some(_place) = self.take_place() else {
            return false;
        };
        tokio::select! {
            () = self.news.notified() => {}
            // What changed before this call is not notified, so the first rounds are short.
            () = sleep(delay(round)) => {}
        }
        true
    }

    fn is_outage(&self, now_ms: u64) -> bool {
        let now_ms = now_ms.max(1);
        let since_ms = &self.since_ms;
        match since_ms.compare_exchange(0, now_ms, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => false,
            Err(since_ms) => now_ms.saturating_sub(since_ms) >= OUTAGE_AFTER_MS,
        }
    }

    fn take_place(&self) -> Option<Place<'_>> {
        let place = Place(&self.waiting);
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        (before < MOST_WAITING).then_some(place)
    }
}

struct Place<'a>(&'a AtomicU32);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn delay(round: u32) -> Duration {
    FIRST * 2_u32.pow(round)
}

const FIRST: Duration = Duration::from_millis(25);
// 1.6 s in all.
const ROUNDS: u32 = 6;
const OUTAGE_AFTER_MS: u64 = 5_000;
const MOST_WAITING: u32 = 1024;

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_request_waits_longer_than_kube_proxy_takes() {
        let all: Duration = (0..ROUNDS).map(delay).sum();
        assert_eq!(all, Duration::from_millis(1575));
    }

    #[tokio::test]
    async fn after_the_last_round_nobody_waits() {
        assert!(!Patience::default().wait(ROUNDS).await);
    }

    #[tokio::test]
    async fn news_end_the_wait() {
        let patience = Patience::default();
        let mut wait = pin!(patience.wait(ROUNDS - 1));
        assert_eq!(wait.as_mut().now_or_never(), None);
        patience.news();
        assert_eq!(wait.now_or_never(), Some(true));
    }

    #[test]
    fn what_lasts_is_an_outage_until_somebody_can_be_reached_or_there_are_news() {
        let patience = Patience::default();
        assert!(!patience.is_outage(1_000));
        assert!(!patience.is_outage(1_000 + OUTAGE_AFTER_MS - 1));
        assert!(patience.is_outage(1_000 + OUTAGE_AFTER_MS));
        patience.reached();
        assert!(!patience.is_outage(20_000));
        assert!(patience.is_outage(20_000 + OUTAGE_AFTER_MS));
        patience.news();
        assert!(!patience.is_outage(40_000));
    }

    #[tokio::test]
    async fn no_more_wait_than_there_are_places_for() {
        let patience = Patience::default();
        let mut waiting = Vec::new();
        for _ in 0..MOST_WAITING {
            let mut wait = Box::pin(patience.wait(0));
            assert_eq!(wait.as_mut().now_or_never(), None);
            waiting.push(wait);
        }
        assert!(!patience.wait(0).await);
        drop(waiting);
        assert!(patience.wait(0).await);
    }
}
