//! The edge: the running request path of one node. What the sync tells it to serve goes in at [`Edge::apply`]; clients
//! come in through its listeners.
//!
//! It does not speak to the control plane, write to disk or answer probes: those call it, from a runtime of their own.

mod drain;
mod hand_over;
mod listeners;
mod start;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use sluice_proto::{Difference, Problem, Refusal, ResourceKey, Settings, Snapshot};

use crate::access_log::Writer;
use crate::clock::unix_s;
use crate::cores::{CoreHandle, Phase, Shared};
use crate::edge::listeners::Listeners;
use crate::memory::Pressure;
use crate::metrics::Metrics;
use crate::serving::{Accepted, Applied, Served};

/// What an edge is started with: what the control plane does not say.
pub struct EdgeConfig {
    /// The Kubernetes node's name: endpoints on it come first.
    pub node: String,
    /// How many cores serve.
    pub cores: NonZeroUsize,
    /// How many connections of clients this process can serve, whatever the settings allow, and how many it can have to
    /// endpoints.
    pub most_connections: usize,
    /// Where to bind listeners, by name, instead of at the address that the control plane sends; port 0 takes a free one.
    pub listen: BTreeMap<String, SocketAddr>,
    /// Addresses of this node that names which users write may resolve to; all others of the node are refused.
    pub reachable: Vec<IpNet>,
    /// Where the lines of the access log go.
    pub access_log: Box<dyn io::Write + Send>,
}

/// Why an edge cannot be started: this machine is at fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EdgeError {
    /// A thread cannot be started.
    #[error(
        "the thread {name} cannot be started; raise the limit of tasks (ulimit -u, or the pod's pids limit)"
    )]
    Thread {
        /// The thread.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// TLS cannot be set up, which no input causes.
    #[error("TLS cannot be set up; this build is broken")]
    Tls(#[source] rustls::Error),
}

/// The running request path: cores, acceptor, listeners, and what is served. Dropping it ends all of them at once.
pub struct Edge {
    // The order is the order in which they end: nothing is accepted for a core that is gone, nor logged for nobody.
    listeners: Arc<Listeners>,
    cores: Vec<CoreHandle>,
    writer: Option<Writer>,
    shared: Arc<Shared>,
    metrics: Arc<Metrics>,
    state: Mutex<State>,
}

// What one call of `apply` leaves for the next.
struct State {
    accepted: Accepted,
    refused: BTreeSet<(String, String)>,
    // Values that were served before, until no core uses them any more: they are freed here, not on a core.
    retired: Vec<Arc<Served>>,
}

impl Edge {
    /// Serves what this difference makes of what is held. Resources that cannot be accepted are refused alone: their
    /// last good versions stay. The first call opens the listeners, later ones open and close them as they change.
    ///
    /// Takes as long as building the tables does: not to be called on a core.
    pub fn apply(&self, difference: Difference) -> Vec<Refusal> {
        let mut state = self.state();
        for key in changed(&difference) {
            state
                .refused
                .remove(&(key.kind.to_string(), key.name.to_string()));
        }
        let applied = state.accepted.apply(difference, unix_s());
        self.publish(&mut state, applied)
    }

    /// Serves what an earlier process held: what its [`Self::snapshot`] and [`Self::kept`] were.
    pub fn restore(&self, kept: &Snapshot, snapshot: &Snapshot) -> Vec<Refusal> {
        let mut state = self.state();
        let applied = state.accepted.restore(kept, snapshot, unix_s());
        self.publish(&mut state, applied)
    }

    /// Returns what is held: the resources accepted.
    pub fn snapshot(&self) -> Snapshot {
        self.state().accepted.snapshot().clone()
    }

    /// Returns the earlier versions of certificates that are served although the snapshot says that they are
    /// unavailable. They belong to no generation; a disk copy keeps them beside the snapshot.
    pub fn kept(&self) -> Snapshot {
        self.state().accepted.kept()
    }

    /// Has connections give way that wait for their clients, as far as memory is short.
    pub(crate) fn memory_is(&self, pressure: Pressure) {
        self.shared.pressure.store(pressure);
    }

    /// Returns the settings in force.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(self.state().accepted.settings())
    }

    /// Returns what is wrong on this node: listeners that cannot be bound, certificates kept beyond their Secret.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = self.state().accepted.problems();
        problems.extend(self.listeners.problems());
        problems.sort();
        problems
    }

    /// Returns why listeners are not open that should be.
    pub(crate) fn listener_problems(&self) -> Vec<Problem> {
        self.listeners.problems()
    }

    /// Says whether endpoints may be somebody else's by now: backends are then reached through their Service.
    pub fn set_endpoints_stale(&self, stale: bool) {
        self.shared.endpoints_stale.store(stale, Ordering::Relaxed);
    }

    /// Says whether nobody knows endpoints to be current: a backend with one that cannot be reached is then reached through
    /// its Service.
    pub fn set_endpoints_unsure(&self, unsure: bool) {
        self.shared
            .endpoints_unsure
            .store(unsure, Ordering::Relaxed);
    }

    /// Returns what is open and whether it serves.
    pub fn status(&self) -> EdgeStatus {
        EdgeStatus {
            serving: self.listeners.all_open(),
            draining: *self.shared.phase.borrow() != Phase::Serving,
            listeners: self.listeners.open(),
            connections: self.connections(),
        }
    }

    /// Returns how long ago the slowest of the cores and the acceptor showed that it is alive; they do so several times
    /// a second.
    pub fn heartbeat(&self) -> Duration {
        let cores = self.cores.iter().map(|core| &core.intake.load);
        let loads = cores.chain([self.listeners.load()]);
        loads
            .map(|load| load.since_beat())
            .max()
            .unwrap_or_default()
    }

    fn connections(&self) -> usize {
        self.cores
            .iter()
            .map(|core| core.intake.load.connections())
            .sum()
    }

    fn publish(&self, state: &mut State, applied: Applied) -> Vec<Refusal> {
        if applied.rebuild {
            let served = Arc::new(state.accepted.build());
            state.retired.push(self.shared.served.swap(served));
        }
        state.accepted.empty(&applied.emptied);
        state.retired.retain(|served| Arc::strong_count(served) > 1);
        self.listeners.set(state.accepted.listeners());
        for refusal in &applied.refused {
            let key = (refusal.kind.clone(), refusal.name.clone());
            state.refused.insert(key);
        }
        self.metrics.set_resources_refused(state.refused.len());
        applied.refused
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn changed(difference: &Difference) -> impl Iterator<Item = &ResourceKey> {
    let upserted = difference.upserted.iter().map(|(key, _)| key);
    difference.removed.iter().chain(upserted)
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.shared.phase.send_replace(Phase::Stopped);
        self.listeners.stop();
        for core in self.cores.drain(..) {
            core.join();
        }
        if let Some(writer) = self.writer.take() {
            writer.join();
        }
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
