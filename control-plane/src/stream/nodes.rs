//! The data planes that are known: who, from where, since when, and how far each is.
//!
//! A plain value, as it is at one moment: [`Registry`](super::Registry) keeps it up to date.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;
use sluice_proto::Problem;
use tokio::time::Instant;

use crate::publication::Publication;
use crate::stream::refusal::Refusal;

/// A data-plane process. Two serve one node during a hand-over.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Process {
    /// The Kubernetes node, as the data plane says.
    pub node: String,
    /// The process on it.
    pub instance: String,
}

/// How a data-plane process is.
#[derive(Clone, Debug)]
pub struct NodeStatus {
    /// Its version; empty if it does not say.
    pub build_version: String,
    /// From where it is, or was, connected.
    pub peer: SocketAddr,
    /// Since when it is, or was, connected.
    pub connected_since: Timestamp,
    /// Since when it is not connected any more; `None` while it is.
    pub disconnected: Option<Disconnected>,
    /// The highest generation that this control plane has told a data plane on its node of.
    pub told_generation: u64,
    /// The highest generation that it is known to have applied, but for what it refused; 0 if none.
    pub acked_generation: u64,
    /// What it refuses of what is published, sorted by key.
    pub refused: Vec<Refusal>,
    /// Where it is in its life, as it reported.
    pub state: NodeState,
    /// What it says is wrong on the node.
    pub problems: Vec<Problem>,
    // Which stream says so: a data plane may come back before its old stream is known to be dead.
    pub(crate) stream: u64,
}

/// When a data plane went away.
#[derive(Clone, Copy, Debug)]
pub struct Disconnected {
    /// For people.
    pub since: Timestamp,
    pub(crate) at: Instant,
}

/// Where a data plane is in its life.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum NodeState {
    /// It has not said.
    #[default]
    Unknown,
    /// It has no listener open yet.
    Starting,
    /// It serves.
    Serving,
    /// It was told to stop and finishes what is in flight.
    Draining,
    /// Another process of its node accepts.
    HandedOver,
}

/// The data planes that are known.
///
/// One that went away stays known for an hour, so that "live on 2 of 3 nodes" shows a crash; it is forgotten earlier
/// once another process serves its node, or if more than a thousand have gone.
#[derive(Clone, Debug, Default)]
pub struct Nodes {
    pub(crate) processes: BTreeMap<Process, NodeStatus>,
}

/// On how many nodes a generation is live.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Liveness {
    /// On so many.
    pub live: usize,
    /// Of so many that are known.
    pub total: usize,
    /// How many of those that are live refuse a part of it.
    pub refusing: usize,
}

/// A problem, on one node.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct NodeProblem {
    /// The node.
    pub node: String,
    /// What.
    pub problem: Problem,
}

impl NodeStatus {
    /// Returns whether it is connected and has applied this generation.
    #[must_use]
    pub fn has_live(&self, generation: u64) -> bool {
        self.disconnected.is_none() && self.acked_generation == generation
    }
}

impl Nodes {
    /// Returns those known, sorted by node, then instance.
    pub fn iter(&self) -> impl Iterator<Item = (&Process, &NodeStatus)> {
        let now = Instant::now();
        self.processes
            .iter()
            .filter(move |(_, status)| !status.is_forgotten(now))
    }

    /// Returns on how many nodes this generation is live: on a node with two processes, it must be live on both, unless
    /// one is draining.
    #[must_use]
    pub fn liveness(&self, generation: u64) -> Liveness {
        let mut nodes: BTreeMap<&str, Vec<&NodeStatus>> = BTreeMap::new();
        for (process, status) in self.iter() {
            nodes.entry(&process.node).or_default().push(status);
        }
        let mut liveness = Liveness {
            total: nodes.len(),
            ..Liveness::default()
        };
        for processes in nodes.values() {
            let mut serving = (processes.iter())
                .filter(|status| {
                    status.disconnected.is_none() && status.state != NodeState::Draining
                })
                .peekable();
            if serving.peek().is_some() && serving.all(|status| status.has_live(generation)) {
                liveness.live += 1;
                let refuses = processes.iter().any(|status| !status.refused.is_empty());
                liveness.refusing += usize::from(refuses);
            }
        }
        liveness
    }

    /// Returns what the data planes refuse, as problems of the objects that it comes from: the same on several nodes is
    /// one problem.
    #[must_use]
    pub fn refusals(&self, publication: &Publication) -> BTreeSet<Problem> {
        let refused = self.iter().flat_map(|(_, status)| &status.refused);
        refused
            .map(|refusal| refusal.problem(publication))
            .collect()
    }

    /// Returns what is wrong on which node: what it reports, and what it refuses.
    #[must_use]
    pub fn problems(&self, publication: &Publication) -> BTreeSet<NodeProblem> {
        let on_node = |(process, status): (&Process, &NodeStatus)| {
            let refused = status.refused.iter();
            let refused = refused.map(|refusal| refusal.problem(publication));
            let node = process.node.clone();
            let all = status.problems.iter().cloned().chain(refused);
            all.map(move |problem| NodeProblem {
                node: node.clone(),
                problem,
            })
            .collect::<Vec<_>>()
        };
        self.iter().flat_map(on_node).collect()
    }
}

impl NodeStatus {
    pub(crate) fn is_forgotten(&self, now: Instant) -> bool {
        self.disconnected
            .is_some_and(|gone| now.saturating_duration_since(gone.at) > REMEMBERED)
    }
}

const REMEMBERED: Duration = Duration::from_secs(3600);
