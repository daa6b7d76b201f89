//! How this data plane is: what its probes ask and the control plane is told.
//!
//! It knows nothing of sockets and streams; those ask it.

use std::sync::Arc;

use sluice_proto::Problem;
use tokio::sync::watch;

use crate::edge::Edge;

/// How this data plane is.
pub(crate) struct Health {
    pub(crate) edge: Arc<Edge>,
    /// Why the snapshot is not on disk, if it is not.
    pub(crate) disk_copy: watch::Receiver<Option<Problem>>,
}

/// Where a data plane is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum State {
    /// Not all listeners are open yet.
    Starting,
    /// It serves.
    Serving,
    /// It was told to stop.
    Draining,
}

impl Health {
    /// Returns where it is in its life.
    pub(crate) fn state(&self) -> State {
        let status = self.edge.status();
        match (status.draining, status.serving) {
            (true, _) => State::Draining,
            (false, true) => State::Serving,
            (false, false) => State::Starting,
        }
    }

    /// Returns what is wrong on this node.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut problems = self.edge.problems();
        problems.extend(self.disk_copy.borrow().clone());
        problems.sort();
        problems
    }
}
