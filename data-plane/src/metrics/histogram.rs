//! A histogram of durations that one thread writes and any thread reads, without a lock.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{MetricEncoder, NoLabelSet};

/// How many durations fell into which bucket.
#[derive(Debug, Default)]
pub(crate) struct Durations {
    buckets: [AtomicU64; BOUNDS_MS.len() + 1],
    sum_us: AtomicU64,
}

impl Durations {
    pub(crate) fn observe(&self, duration: Duration) {
        let ms = duration.as_millis();
        let bucket = BOUNDS_MS.iter().position(|bound| ms < u128::from(*bound));
        self.buckets[bucket.unwrap_or(BOUNDS_MS.len())].fetch_add(1, Ordering::Relaxed);
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// Adds what `all` hold and encodes it.
    pub(crate) fn encode<'a>(
        all: impl Iterator<Item = &'a Self>,
        mut encoder: MetricEncoder<'_>,
    ) -> fmt::Result {
        let mut counts = [0; BOUNDS_MS.len() + 1];
        let mut sum_us = 0;
        for durations in all {
            for (count, bucket) in counts.iter_mut().zip(&durations.buckets) {
                *count += bucket.load(Ordering::Relaxed);
            }
            sum_us += durations.sum_us.load(Ordering::Relaxed);
        }
        let bounds = BOUNDS_MS.iter().map(|ms| *ms as f64 / 1_000.0);
        let buckets: Vec<(f64, u64)> = bounds.chain([f64::MAX]).zip(counts).collect();
        let total = counts.iter().sum();
        encoder.encode_histogram::<NoLabelSet>(sum_us as f64 / 1_000_000.0, total, &buckets, None)
    }
}

const BOUNDS_MS: [u64; 12] = [
    1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000, 60_000,
];
