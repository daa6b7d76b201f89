//! Concurrency limits: how many requests of a source are in progress at once on this node.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderMap;

use crate::policy::InvalidPolicy;
use crate::policy::passage::Asked;
use crate::policy::source::{Key, Source};
use crate::proxy::Cause;

/// A concurrency limit, and what is in progress.
pub(super) struct ConcurrencyLimit {
    source: Source,
    most: u32,
    in_progress: Arc<InProgress>,
}

/// A place among the requests in progress. Dropping it gives it back.
pub(crate) struct Permit {
    key: Key,
    in_progress: Arc<InProgress>,
}

// No more entries than requests in progress.
#[derive(Default)]
struct InProgress(Mutex<HashMap<Key, u32>>);

impl ConcurrencyLimit {
    pub(super) fn new(
        limit: &sluice_proto::ConcurrencyLimit,
        earlier: Option<&Self>,
    ) -> Result<Self, InvalidPolicy> {
        let in_progress = earlier.map(|earlier| Arc::clone(&earlier.in_progress));
        Ok(Self {
            source: Source::new(&limit.source)?,
            most: limit.requests.get(),
            in_progress: in_progress.unwrap_or_default(),
        })
    }

    /// Returns a place for this request, until its response has ended.
    pub(super) fn admit(&self, asked: &Asked<'_>, headers: &HeaderMap) -> Result<Permit, Cause> {
        let key = self.source.key(asked, headers);
        if !self.in_progress.begin(key, self.most) {
            return Err(Cause::ConcurrencyReached);
        }
        Ok(Permit {
            key,
            in_progress: Arc::clone(&self.in_progress),
        })
    }
}

impl InProgress {
    fn begin(&self, key: Key, most: u32) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key).or_default();
        let fits = *count < most;
        if fits {
            *count += 1;
        }
        fits
    }

    fn end(&self, key: Key) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get_mut(&key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(counts.remove(&key)),
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.in_progress.end(self.key);
    }
}
