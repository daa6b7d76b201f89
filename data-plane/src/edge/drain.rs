//! The end of an edge: what is in flight is finished, and nobody is turned away before he has to be.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::cores::Phase;
use crate::edge::Edge;

impl Edge {
    /// Stops: tells clients to go elsewhere, finishes what is in flight, stops accepting last. Returns when all
    /// connections have ended, or after `grace`.
    ///
    /// New connections are accepted while others go on, for half of the time at most: there may be nobody else to take
    /// them, and what comes late must still have time to end. A connection without a request stays open until the time is
    /// nearly over: closing it earlier races with the request that its client may be sending.
    pub async fn drain(&self, grace: Duration) {
        let start = Instant::now();
        self.shared.phase.send_replace(Phase::Draining);
        self.connections_end_by(start + grace / 2).await;
        self.listeners.close().await;
        let tail = (grace / 10).min(LONGEST_TAIL);
        self.connections_end_by(start + (grace - tail)).await;
        self.shared.phase.send_replace(Phase::Closing);
        self.connections_end_by(start + grace).await;
        self.shared.phase.send_replace(Phase::Stopped);
    }

    async fn connections_end_by(&self, deadline: Instant) {
        let all_ended = async {
            while self.connections() > 0 {
                self.shared.connection_ended.notified().await;
            }
        };
        // Whether they have ended or time has: both lead on.
        let _ = timeout_at(deadline, all_ended).await;
    }
}

const LONGEST_TAIL: Duration = Duration::from_secs(1);
