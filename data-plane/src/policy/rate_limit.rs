//! Rate limits: a token bucket for each source, exact over all cores of this node, bounded in memory.
//!
//! A bucket is one number: the time at which it will be full again (the generic cell rate algorithm). Taking a token moves
//! it, so no lock is held and nothing is lost between cores.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::HeaderMap;
use quick_cache::sync::Cache;
use tokio::time::sleep;

use crate::clock::uptime;
use crate::policy::InvalidPolicy;
use crate::policy::passage::Asked;
use crate::policy::source::{Key, Source};
use crate::proxy::Cause;

/// A rate limit, and what it has counted.
pub(super) struct RateLimit {
    source: Source,
    rate: Rate,
    buckets: Arc<Buckets>,
}

#[derive(Clone, Copy)]
struct Rate {
    // Between two requests that may go on for ever.
    interval_ns: u64,
    // How far ahead of that whoever was quiet may be.
    tolerance_ns: u64,
    // How long a request may wait for its token.
    delay_ns: u64,
}

// When each bucket is full again, in nanoseconds of this process. Those that nobody asks of are forgotten first.
type Buckets = Cache<Key, Arc<AtomicU64>>;

impl RateLimit {
    pub(super) fn new(
        limit: &sluice_proto::RateLimit,
        earlier: Option<&Self>,
    ) -> Result<Self, InvalidPolicy> {
        let buckets = earlier.map(|earlier| Arc::clone(&earlier.buckets));
        Ok(Self {
            source: Source::new(&limit.source)?,
            rate: Rate::of(limit),
            buckets: buckets.unwrap_or_else(|| Arc::new(Cache::new(MOST_BUCKETS))),
        })
    }

    /// Takes a token, and waits for it if it comes soon.
    pub(super) async fn admit(&self, asked: &Asked<'_>, headers: &HeaderMap) -> Result<(), Cause> {
        let key = self.source.key(asked, headers);
        let bucket = self.bucket(key);
        match self.rate.take(&bucket, nanoseconds(uptime())) {
            Ok(0) => Ok(()),
            Ok(wait_ns) => {
                sleep(Duration::from_nanos(wait_ns)).await;
                Ok(())
            }
            Err(wait_ns) => Err(Cause::RateLimited(Duration::from_nanos(wait_ns))),
        }
    }

    fn bucket(&self, key: Key) -> Arc<AtomicU64> {
        if let Some(bucket) = self.buckets.get(&key) {
            return bucket;
        }
        // Two cores that meet here must count in the same bucket.
        let made = (self.buckets).get_or_insert_with(&key, || Ok::<_, Never>(Arc::default()));
        made.unwrap_or_else(|never| match never {})
    }
}

enum Never {}

impl Rate {
    fn of(limit: &sluice_proto::RateLimit) -> Self {
        let interval_ns = (nanoseconds(limit.period) / limit.requests).max(1);
        Self {
            interval_ns,
            tolerance_ns: interval_ns.saturating_mul(limit.burst.get() - 1),
            delay_ns: nanoseconds(limit.delay),
        }
    }

    /// Takes a token at this time. Returns how long to wait for it; as the error, after which time there would be one that
    /// nobody has taken.
    fn take(self, full_at_ns: &AtomicU64, now_ns: u64) -> Result<u64, u64> {
        let mut full_at = full_at_ns.load(Ordering::Relaxed);
        loop {
            let wait = full_at.saturating_sub(now_ns.saturating_add(self.tolerance_ns));
            if wait > self.delay_ns {
                return Err(wait);
            }
            let next = full_at.max(now_ns).saturating_add(self.interval_ns);
            let swapped = full_at_ns.compare_exchange_weak(
                full_at,
                next,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            match swapped {
                Ok(_) => return Ok(wait),
                Err(current) => full_at = current,
            }
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Of one policy: about 8 MiB.
const MOST_BUCKETS: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn rate(requests: u64, burst: u64, delay_ns: u64) -> Rate {
        let interval_ns = SECOND / requests;
        Rate {
            interval_ns,
            tolerance_ns: interval_ns * (burst - 1),
            delay_ns,
        }
    }

    #[test]
    fn a_burst_passes_at_once_and_then_one_each_interval() {
        let (rate, bucket) = (rate(10, 3, 0), AtomicU64::new(0));
        let now = 100 * SECOND;
        for _ in 0..3 {
            assert_eq!(rate.take(&bucket, now), Ok(0));
        }
        assert_eq!(rate.take(&bucket, now), Err(SECOND / 10));
        assert_eq!(rate.take(&bucket, now + SECOND / 10), Ok(0));
        assert_eq!(rate.take(&bucket, now + SECOND / 10), Err(SECOND / 10));
        // Full again: no more than a burst is saved.
        let later = now + 100 * SECOND;
        let passed = (0..10).filter(|_| rate.take(&bucket, later).is_ok());
        assert_eq!(passed.count(), 3);
    }

    #[test]
    fn whoever_is_early_by_less_than_the_delay_waits() {
        let (rate, bucket) = (rate(10, 1, SECOND / 20), AtomicU64::new(0));
        let now = 100 * SECOND;
        assert_eq!(rate.take(&bucket, now), Ok(0));
        assert_eq!(rate.take(&bucket, now), Err(SECOND / 10));
        let soon = now + SECOND * 6 / 100;
        assert_eq!(rate.take(&bucket, soon), Ok(SECOND * 4 / 100));
    }
}
