//! How this data plane is: what its probes ask and the control plane is told.
//!
//! It knows nothing of sockets and streams; those ask it.

use std::sync::Arc;

use sluice_proto::Problem;
use tokio::sync::watch;

use crate::admin::MetricsPort;
use crate::edge::Edge;
use crate::hand_over::{Part, Status};

/// How this data plane is.
pub(crate) struct Health {
    pub(crate) edge: Arc<Edge>,
    /// Why the snapshot is not on disk, if it is not.
    pub(crate) disk_copy: watch::Receiver<Option<Problem>>,
    /// That memory is short, if it is.
    pub(crate) memory: watch::Receiver<Option<Problem>>,
    /// Which part it has in a hand-over.
    pub(crate) hand_over: watch::Receiver<Status>,
    /// Its port for metrics, if it has one.
    pub(crate) metrics_port: Option<Arc<MetricsPort>>,
}

/// Where a data plane is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum State {
    /// Not all listeners are open yet.
    Starting,
    /// It serves.
    Serving,
    /// Another process of its node accepts on its listeners.
    HandedOver,
    /// It was told to stop.
    Draining,
}

impl Health {
    /// Returns where it is in its life.
    pub(crate) fn state(&self) -> State {
        let status = self.edge.status();
        let part = self.hand_over.borrow().part;
        let handed_over = matches!(part, Part::HandedOver | Part::LetGo);
        match (status.draining, status.serving) {
            (true, _) => State::Draining,
            (false, _) if handed_over => State::HandedOver,
            (false, true) => State::Serving,
            (false, false) => State::Starting,
        }
    }

    /// Returns what is wrong on this node.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut problems = self.edge.problems();
        problems.extend(self.disk_copy.borrow().clone());
        problems.extend(self.memory.borrow().clone());
        problems.extend(self.hand_over.borrow().problem.clone());
        problems.extend(self.metrics_port.as_ref().and_then(|port| port.problem()));
        problems.sort();
        problems
    }
}
