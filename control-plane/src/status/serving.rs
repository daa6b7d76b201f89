//! Decides which nodes count as serving: no I/O, and no clock.
//!
//! A node counts once a process of it serves. It counts on while nobody can say that it does not: a hand-over, a stream
//! that broke or a control plane that was away withdraws nothing. It stops to count when its last process drained, when
//! Kubernetes says for a minute that it is not ready, or when it is gone. The last address is never withdrawn: a client
//! that finds nobody is no better off than one that finds nothing.
//!
//! A new leader that does not see a node which its predecessor counted cannot tell one that is cut off and serves from one
//! that was taken away while nobody led: it believes the status for an hour.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sluice_translate::StatusAddress;
use tokio::time::Instant;

use crate::status::board::{Board, NodeFacts, Ownership};
use crate::stream::{NodeState, NodeStatus, Nodes};

/// Which nodes count.
#[derive(Debug)]
pub(super) struct Serving {
    /// Until when what stands in the status of Ingresses is believed, whatever processes say.
    inherits_until: Instant,
    /// Until when it is believed of nodes that no process of is seen.
    believes_until: Instant,
    nodes: BTreeMap<String, Node>,
    /// The addresses of those that count; what they were last while none does.
    addresses: BTreeSet<StatusAddress>,
    due: Option<Instant>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// Whether a process of it was seen to serve and not to stop since.
    serves: bool,
    /// Whether a leader before this one had it.
    is_inherited: bool,
    /// Since when none of its processes accepts, and when that counts.
    stops: Option<(Evidence, Instant)>,
    /// When it counts that it is not ready.
    unready: Option<Instant>,
}

/// What the processes of a node say together: the first of these that holds for one.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Evidence {
    /// One accepts.
    Serves,
    /// One that did was lost from sight: it may serve on.
    Lost,
    /// One starts, and none is left that served.
    Starts,
    /// All were told to stop.
    Drained,
}

impl Serving {
    /// Returns which nodes count for a leader that begins: those that the status of our Ingresses names.
    pub(super) fn new(now: Instant, board: &Board) -> Self {
        let ours = board.ingresses().values();
        let ours = ours.filter(|facts| facts.ownership == Ownership::Ours);
        let written: BTreeSet<_> = ours.flat_map(|facts| &facts.addresses).collect();
        let inherited = board.nodes().iter().filter(|(_, facts)| {
            let mut published = facts.published();
            published.any(|address| written.contains(&address))
        });
        let node = Node {
            is_inherited: true,
            ..Node::default()
        };
        Self {
            inherits_until: now + INHERIT,
            believes_until: now + BELIEVE,
            nodes: inherited
                .map(|(name, _)| (name.clone(), node.clone()))
                .collect(),
            addresses: BTreeSet::new(),
            due: None,
        }
    }

    /// Takes in how everything is now.
    pub(super) fn look(&mut self, now: Instant, board: &Board, processes: &Nodes) {
        let mut by_node: BTreeMap<&str, Vec<&NodeStatus>> = BTreeMap::new();
        for (process, status) in processes.iter() {
            by_node.entry(&process.node).or_default().push(status);
        }
        for name in by_node.keys() {
            self.nodes.entry((*name).to_owned()).or_default();
        }
        self.nodes.retain(|name, _| {
            board.nodes().contains_key(name) || by_node.contains_key(name.as_str())
        });
        let begins = now < self.inherits_until;
        let mut counted = BTreeSet::new();
        self.due = begins.then_some(self.inherits_until);
        for (name, node) in &mut self.nodes {
            node.is_inherited &= now < self.believes_until;
            let evidence = by_node.get(name.as_str()).map(|all| evidence(all));
            node.look(now, evidence, board.nodes().get(name));
            if !begins {
                node.settle(now);
            }
            if let Some(facts) = board.nodes().get(name).filter(|_| node.counts(now, begins)) {
                counted.extend(facts.published());
            }
            let belief_ends = Some(self.believes_until).filter(|_| node.is_inherited);
            let due = node.due().into_iter().chain(belief_ends);
            let due = due.filter(|due| *due > now).min();
            self.due = self.due.into_iter().chain(due).min();
        }
        if !counted.is_empty() {
            self.addresses = counted;
        }
    }

    /// Returns the addresses of the nodes that count; `None` if there never was one.
    pub(super) fn addresses(&self) -> Option<&BTreeSet<StatusAddress>> {
        Some(&self.addresses).filter(|addresses| !addresses.is_empty())
    }

    /// Returns when to look again, if nothing changes before.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }
}

impl Node {
    fn look(&mut self, now: Instant, evidence: Option<Evidence>, facts: Option<&NodeFacts>) {
        self.unready = match facts {
            Some(facts) if !facts.is_ready => self.unready.or(Some(now + UNREADY)),
            _ => None,
        };
        let patience = match evidence {
            // Nobody was ever seen, or not for an hour.
            None => return,
            Some(Evidence::Serves) => {
                self.serves = true;
                self.stops = None;
                return;
            }
            Some(Evidence::Lost) => {
                self.stops = None;
                return;
            }
            Some(Evidence::Starts) => START,
            Some(Evidence::Drained) => DRAIN,
        };
        match (self.stops, evidence) {
            (Some((before, _)), Some(evidence)) if before == evidence => {}
            (_, Some(evidence)) => self.stops = Some((evidence, now + patience)),
            (_, None) => {}
        }
    }

    /// Takes in that what it waited for has come: whoever drained is not taken for serving when its stream ends later.
    fn settle(&mut self, now: Instant) {
        if self.stops.is_some_and(|(_, when)| when <= now) {
            self.serves = false;
            self.is_inherited = false;
        }
    }

    fn counts(&self, now: Instant, begins: bool) -> bool {
        let is_unready = !begins && self.unready.is_some_and(|when| when <= now);
        (self.serves || self.is_inherited) && !is_unready
    }

    fn due(&self) -> Option<Instant> {
        let stops = self.stops.map(|(_, when)| when);
        stops.into_iter().chain(self.unready).min()
    }
}

fn evidence(processes: &[&NodeStatus]) -> Evidence {
    let each = processes.iter().map(|status| {
        let is_connected = status.disconnected.is_none();
        match status.state {
            NodeState::Serving | NodeState::HandedOver if is_connected => Evidence::Serves,
            NodeState::Serving | NodeState::HandedOver => Evidence::Lost,
            NodeState::Starting | NodeState::Unknown => Evidence::Starts,
            NodeState::Draining => Evidence::Drained,
        }
    });
    each.min().unwrap_or(Evidence::Lost)
}

/// A new leader sees all data planes by then that can reach it.
const INHERIT: Duration = Duration::from_secs(60);
const BELIEVE: Duration = Duration::from_secs(3600);
/// Kubernetes moves pods away after five minutes; a client that meets a dead node is to be spared earlier.
const UNREADY: Duration = Duration::from_secs(60);
/// The next process of a node connects by then, if there is to be one.
const DRAIN: Duration = Duration::from_secs(5);
/// A process that has not opened a listener by then does not start, it fails.
const START: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
