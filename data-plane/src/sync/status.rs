//! What others may know of the stream: the admin socket shows it, and endpoints become stale by it.

use jiff::Timestamp;
use tokio::time::Instant;

/// How the stream is.
#[derive(Clone, Debug)]
pub(crate) struct SyncStatus {
    /// The number of the snapshot applied last, from disk or from the stream; 0 if none.
    pub(crate) generation: u64,
    /// How many deltas were applied: it changes with each.
    pub(crate) applied: u64,
    /// Whether there is a stream.
    pub(crate) link: Link,
}

/// Whether there is a stream.
#[derive(Clone, Debug)]
pub(crate) enum Link {
    /// There is, and what is held is what the control plane publishes, or is about to be.
    Up {
        since: Timestamp,
        /// To whom: the control plane may have sent it to another replica.
        address: String,
    },
    /// There is none.
    Down {
        since: Timestamp,
        /// The same, on the clock that endpoints become stale by.
        since_instant: Instant,
        /// Why, if it was tried.
        reason: Option<String>,
    },
}

impl SyncStatus {
    /// Returns how it is at the start of a process that holds this generation.
    pub(crate) fn at_start(generation: u64) -> Self {
        Self {
            generation,
            applied: 0,
            link: Link::down(None),
        }
    }
}

impl Link {
    pub(crate) fn up(address: String) -> Self {
        Self::Up {
            since: Timestamp::now(),
            address,
        }
    }

    pub(crate) fn down(reason: Option<String>) -> Self {
        Self::Down {
            since: Timestamp::now(),
            since_instant: Instant::now(),
            reason,
        }
    }

    /// Notes that there is no stream, since when there was none, for this reason.
    pub(crate) fn lose(&mut self, why: String) {
        match self {
            Self::Up { .. } => *self = Self::down(Some(why)),
            Self::Down { reason, .. } => *reason = Some(why),
        }
    }
}
