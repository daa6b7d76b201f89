//! Keeps up to date which data planes are known and how far each is.
//!
//! It decides nothing about what is sent: a [`Session`] does. Whoever waits for a data plane
//! waits on [`Registry::subscribe`], for a level and not for an edge.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use sluice_proto::{Problem, wire};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::stream::hello::Introduction;
use crate::stream::nodes::{Disconnected, NodeState, NodeStatus, Nodes, Process};
use crate::stream::refusal::Refusal;
use crate::stream::session::Session;

/// Which data planes are known. Cloning is cheap: all clones are the same registry.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    nodes: watch::Sender<Nodes>,
    streams: AtomicU64,
}

/// A connected data plane's place in the registry; dropped, it is disconnected.
#[derive(Debug)]
pub(crate) struct Connected {
    registry: Registry,
    process: Process,
    stream: u64,
}

impl Registry {
    /// Returns one that knows no data plane.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the data planes that are known, now and as they change.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Nodes> {
        self.shared.nodes.subscribe()
    }

    /// Returns whether this very process has told a data plane on this node of a generation as high as this.
    pub(crate) fn has_told(&self, node: &str, generation: u64) -> bool {
        let nodes = self.shared.nodes.borrow();
        let mut processes = nodes.processes.iter();
        processes
            .any(|(process, status)| process.node == node && status.told_generation >= generation)
    }

    /// Takes in a data plane that connected.
    pub(crate) fn connect(&self, introduction: &Introduction, peer: SocketAddr) -> Connected {
        let process = Process {
            node: introduction.node.clone(),
            instance: introduction.instance.clone(),
        };
        let stream = self.shared.streams.fetch_add(1, Ordering::Relaxed);
        let mut status = NodeStatus {
            build_version: introduction.build_version.clone(),
            peer,
            connected_since: Timestamp::now(),
            disconnected: None,
            told_generation: 0,
            acked_generation: 0,
            refused: Vec::new(),
            state: NodeState::Unknown,
            problems: Vec::new(),
            stream,
        };
        self.shared.nodes.send_modify(|nodes| {
            let same_node = nodes.processes.iter();
            let same_node = same_node.filter(|(other, _)| other.node == process.node);
            let told = same_node.map(|(_, status)| status.told_generation);
            status.told_generation = told.max().unwrap_or_default();
            nodes.processes.retain(|other, status| {
                other.node != process.node || status.disconnected.is_none()
            });
            nodes.processes.insert(process.clone(), status);
            forget(&mut nodes.processes, Instant::now());
        });
        Connected {
            registry: self.clone(),
            process,
            stream,
        }
    }
}

impl Connected {
    /// Returns the node's name.
    pub(crate) fn node(&self) -> &str {
        &self.process.node
    }

    /// Takes in how far the session is.
    pub(crate) fn progressed(&self, session: &Session) {
        let progress = session.progress();
        let refused = session.refused().iter();
        let refused: Vec<_> = refused
            .map(|(key, refused)| Refusal {
                key: key.clone(),
                version: refused.version,
                reason: refused.reason.clone(),
            })
            .collect();
        self.update(|status| {
            let told = status.told_generation.max(progress.told);
            let changed = status.told_generation != told
                || status.acked_generation != progress.acked
                || status.refused != refused;
            status.told_generation = told;
            status.acked_generation = progress.acked;
            status.refused = refused;
            changed
        });
    }

    /// Takes in how the data plane says it is.
    pub(crate) fn reported(&self, report: wire::Report) {
        let state = match report.state() {
            wire::report::State::Unspecified => NodeState::Unknown,
            wire::report::State::Starting => NodeState::Starting,
            wire::report::State::Serving => NodeState::Serving,
            wire::report::State::Draining => NodeState::Draining,
            wire::report::State::HandedOver => NodeState::HandedOver,
        };
        let mut problems: Vec<Problem> = report.problems.into_iter().map(Into::into).collect();
        problems.sort_unstable();
        problems.dedup();
        problems.truncate(MOST_PROBLEMS);
        self.update(|status| {
            let changed = status.state != state || status.problems != problems;
            status.state = state;
            status.problems = problems;
            changed
        });
    }

    /// Forgets the data plane, which goes to another replica.
    pub(crate) fn sent_away(self) {
        self.registry.shared.nodes.send_if_modified(|nodes| {
            let status = nodes.processes.get(&self.process);
            let is_ours = status.is_some_and(|status| status.stream == self.stream);
            if is_ours {
                nodes.processes.remove(&self.process);
            }
            is_ours
        });
    }

    fn update(&self, change: impl FnOnce(&mut NodeStatus) -> bool) {
        self.registry.shared.nodes.send_if_modified(|nodes| {
            let status = nodes.processes.get_mut(&self.process);
            // Else the same data plane has another stream by now.
            let status = status.filter(|status| status.stream == self.stream);
            status.is_some_and(change)
        });
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.update(|status| {
            status.disconnected = Some(Disconnected {
                since: Timestamp::now(),
                at: Instant::now(),
            });
            true
        });
        self.registry.shared.nodes.send_if_modified(|nodes| {
            let before = nodes.processes.len();
            let is_served = nodes.processes.iter().any(|(other, status)| {
                other.node == self.process.node && status.disconnected.is_none()
            });
            if is_served {
                nodes.processes.retain(|other, status| {
                    other.node != self.process.node || status.disconnected.is_none()
                });
            }
            forget(&mut nodes.processes, Instant::now());
            nodes.processes.len() != before
        });
    }
}

/// Forgets who has been away too long, and of too many the longest away.
fn forget(processes: &mut BTreeMap<Process, NodeStatus>, now: Instant) {
    processes.retain(|_, status| !status.is_forgotten(now));
    let mut gone: Vec<_> = (processes.iter())
        .filter_map(|(process, status)| Some((status.disconnected?.at, process.clone())))
        .collect();
    let surplus = gone.len().saturating_sub(MOST_DISCONNECTED);
    gone.sort_unstable();
    for (_, process) in gone.into_iter().take(surplus) {
        processes.remove(&process);
    }
}

/// Names are self-asserted: without a bound, one holder of a certificate could fill the memory with them.
const MOST_DISCONNECTED: usize = 1000;
const MOST_PROBLEMS: usize = 1000;

#[cfg(test)]
mod tests;
