//! Says when a change of an Ingress is live: applied by every node that is connected.
//!
//! It does not tell anybody. Endpoints come and go without a word, and so does what was there when this replica began.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::unfold;
use sluice_proto::{Kind, ObjectReference};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;

use crate::metrics::Metrics;
use crate::reconcile::arrivals::Arrived;
use crate::stream::{NodeState, Nodes};

/// An Ingress whose last change is live.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Live {
    /// Which.
    pub ingress: ObjectReference,
    /// On how many nodes, and how long it took.
    pub note: String,
}

/// Returns what becomes live of what arrives from here on.
pub fn lives(
    arrived: broadcast::Receiver<Arc<Arrived>>,
    nodes: watch::Receiver<Nodes>,
    metrics: Arc<Metrics>,
) -> impl Stream<Item = Vec<Live>> {
    let start = (arrived, nodes, metrics, Tracker::default());
    unfold(
        start,
        async |(mut arrived, mut nodes, metrics, mut tracker)| {
            loop {
                tokio::select! {
                    change = arrived.recv() => match change {
                        Ok(change) => tracker.arrived(change),
                        Err(RecvError::Lagged(_)) => continue,
                        Err(RecvError::Closed) => return None,
                    },
                    changed = nodes.changed() => changed.ok()?,
                }
                let done = tracker.look(&nodes.borrow_and_update(), Instant::now());
                for (took, _) in &done {
                    metrics.became_live(*took);
                }
                let lives: Vec<_> = done.into_iter().flat_map(|(_, lives)| lives).collect();
                if !lives.is_empty() {
                    return Some((lives, (arrived, nodes, metrics, tracker)));
                }
            }
        },
    )
}

/// Changes that are not live yet, by generation.
#[derive(Debug, Default)]
struct Tracker {
    pending: VecDeque<Arc<Arrived>>,
}

impl Tracker {
    fn arrived(&mut self, change: Arc<Arrived>) {
        if self.pending.len() >= MOST_PENDING {
            self.pending.pop_front();
        }
        self.pending.push_back(change);
    }

    /// Returns the changes that every connected node has now, with the time that each took and its Ingresses.
    fn look(&mut self, nodes: &Nodes, now: Instant) -> Vec<(Duration, Vec<Live>)> {
        self.pending
            .retain(|change| now.saturating_duration_since(change.since) < FORGET);
        let following = nodes.iter().filter(|(_, status)| {
            status.disconnected.is_none() && status.state != NodeState::Draining
        });
        // Without a node nothing is live.
        let Some(applied) = following.map(|(_, status)| status.acked_generation).min() else {
            return Vec::new();
        };
        let mut done = Vec::new();
        while let Some(change) = self
            .pending
            .front()
            .filter(|change| change.generation <= applied)
        {
            let took = now.saturating_duration_since(change.since);
            done.push((took, became_live(change, nodes, now)));
            self.pending.pop_front();
        }
        done
    }
}

/// Returns the Ingresses of a change that every connected node has.
fn became_live(change: &Arrived, nodes: &Nodes, now: Instant) -> Vec<Live> {
    let reach = reach(nodes, change.generation);
    let ingresses = change.ingresses.iter();
    ingresses
        .filter(|(ingress, _)| !is_refused(ingress, nodes))
        .map(|(ingress, since)| {
            let took = text(now.saturating_duration_since(*since));
            Live {
                ingress: ingress.clone(),
                note: format!("live on {reach} after {took}"),
            }
        })
        .collect()
}

/// Returns in words which nodes have this generation or a later one.
fn reach(nodes: &Nodes, generation: u64) -> String {
    let mut names: Vec<(&str, bool)> = Vec::new();
    for (process, status) in nodes.iter() {
        let has = status.disconnected.is_none() && status.acked_generation >= generation;
        match names.last_mut() {
            // They are sorted by node.
            Some((name, had)) if *name == process.node => *had |= has,
            _ => names.push((&process.node, has)),
        }
    }
    let lacking = names.iter().filter(|(_, has)| !has);
    let lacking: Vec<_> = lacking.map(|(name, _)| *name).collect();
    let (live, total) = (names.len() - lacking.len(), names.len());
    let without = match lacking.get(..MOST_NAMED.min(lacking.len())) {
        None | Some([]) => String::new(),
        Some(named) => format!(
            " (not on {}{}: not connected)",
            named.join(", "),
            if named.len() < lacking.len() {
                " and others"
            } else {
                ""
            }
        ),
    };
    format!("{live} of {total} nodes{without}")
}

/// Returns whether a node refuses a route of this Ingress: that is told as a problem.
fn is_refused(ingress: &ObjectReference, nodes: &Nodes) -> bool {
    let prefix = format!("{}/{} ", ingress.namespace, ingress.name);
    let mut refused = nodes.iter().flat_map(|(_, status)| &status.refused);
    refused.any(|refused| refused.key.kind == Kind::Route && refused.key.name.starts_with(&prefix))
}

fn text(took: Duration) -> String {
    if took < Duration::from_secs(10) {
        format!("{} ms", took.as_millis())
    } else {
        format!("{} s", took.as_secs())
    }
}

/// Of a hundred nodes that are away, an Event does not name all.
const MOST_NAMED: usize = 5;
const MOST_PENDING: usize = 256;
/// What took so long is no longer news.
const FORGET: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::SocketAddr;

    use jiff::Timestamp;

    use super::*;
    use crate::stream::{Disconnected, NodeStatus, Process};

    fn nodes(all: &[(&str, &str, bool, NodeState, u64)]) -> Nodes {
        let mut nodes = Nodes::default();
        for (node, instance, is_connected, state, acked_generation) in all {
            let process = Process {
                node: (*node).to_owned(),
                instance: (*instance).to_owned(),
            };
            let status = NodeStatus {
                build_version: String::new(),
                peer: SocketAddr::from(([127, 0, 0, 1], 1)),
                connected_since: Timestamp::UNIX_EPOCH,
                disconnected: (!is_connected).then(|| Disconnected {
                    since: Timestamp::UNIX_EPOCH,
                    at: Instant::now(),
                }),
                told_generation: *acked_generation,
                acked_generation: *acked_generation,
                refused: Vec::new(),
                state: *state,
                problems: Vec::new(),
                stream: 0,
            };
            nodes.processes.insert(process, status);
        }
        nodes
    }

    fn arrived(generation: u64, ingress: &str, since: Instant) -> Arc<Arrived> {
        let ingress = ObjectReference {
            kind: "Ingress".to_owned(),
            namespace: "shop".to_owned(),
            name: ingress.to_owned(),
        };
        Arc::new(Arrived {
            generation,
            since,
            ingresses: BTreeMap::from([(ingress, since)]),
        })
    }

    use NodeState::{Draining, Serving};

    #[test]
    fn a_change_is_live_once_every_connected_node_has_it() {
        let start = Instant::now();
        let now = start + Duration::from_millis(35);
        let mut tracker = Tracker::default();
        tracker.arrived(arrived(7, "web", start));
        tracker.arrived(arrived(9, "api", start));
        assert_eq!(tracker.look(&nodes(&[]), now), [], "nobody has it");
        let some = nodes(&[("a", "1", true, Serving, 7), ("b", "1", true, Serving, 6)]);
        assert_eq!(tracker.look(&some, now), []);
        // One that drains is not waited for, nor is one that is gone; a later generation has it as well.
        let all = nodes(&[
            ("a", "1", true, Draining, 5),
            ("a", "2", true, Serving, 8),
            ("b", "1", true, Serving, 7),
            ("c", "1", false, Serving, 6),
        ]);
        let done = tracker.look(&all, now);
        let [(took, lives)] = &done[..] else {
            unreachable!("one is live: {done:?}")
        };
        assert_eq!(*took, Duration::from_millis(35));
        assert_eq!(lives[0].ingress.name, "web");
        assert_eq!(
            lives[0].note,
            "live on 2 of 3 nodes (not on c: not connected) after 35 ms"
        );
        assert_eq!(tracker.look(&all, now), [], "it is told once");
    }

    #[test]
    fn what_is_never_live_is_forgotten() {
        let start = Instant::now();
        let mut tracker = Tracker::default();
        for generation in 0..1000 {
            tracker.arrived(arrived(generation, "web", start));
        }
        assert_eq!(tracker.pending.len(), MOST_PENDING);
        tracker.look(&nodes(&[]), start + FORGET);
        assert!(tracker.pending.is_empty());
    }
}
