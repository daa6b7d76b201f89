//! What others may know of the hand-over: probes, people, the control plane, Prometheus.

use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use sluice_proto::{ObjectReference, Problem};

use crate::metrics::Metrics;

/// How the hand-over is.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    /// Which part this process has.
    pub(crate) part: Part,
    /// Since when.
    pub(crate) since: Timestamp,
    /// Where processes of this node meet: an abstract unix socket.
    pub(crate) name: Option<String>,
    /// The other process of this node, if there is one.
    pub(crate) peer: Option<Peer>,
    /// What is wrong with it.
    pub(crate) problem: Option<Problem>,
    /// How many authenticated processes wait to take over.
    pub(crate) successors: usize,
}

/// Which part of a hand-over a process has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Part {
    /// It takes no part.
    Off,
    /// It has not met anybody yet, or nobody that proves who it is: it binds its own sockets.
    Alone,
    /// It is about to take over.
    TakingOver,
    /// A newer pod of this node serves: it waits.
    Standby,
    /// It has the sockets, and whoever comes next asks it.
    Holder,
    /// Another process accepts on its sockets.
    HandedOver,
    /// It was told to stop, and another process has its sockets alone.
    LetGo,
}

/// Another process of this node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Peer {
    pub(crate) instance: String,
    pub(crate) build_version: String,
}

impl Status {
    pub(crate) fn new(part: Part) -> Self {
        Self {
            part,
            since: Timestamp::now(),
            name: None,
            peer: None,
            problem: None,
            successors: 0,
        }
    }

    /// Notes that it has this part from now on, with this other process.
    pub(super) fn enter(&mut self, part: Part, peer: Option<Peer>) {
        if self.part != part {
            self.since = Timestamp::now();
        }
        self.part = part;
        self.peer = peer;
    }

    /// Returns why it does not serve, if the hand-over is why.
    pub(crate) fn waits_because(&self) -> Option<String> {
        let instance = self.peer.as_ref().map_or("?", |peer| &peer.instance);
        match self.part {
            Part::Standby => Some(format!(
                "standby: a newer data plane of this node serves (instance {instance}); this one takes over when that ends"
            )),
            Part::TakingOver => Some(format!(
                "taking over from the data plane that serves this node (instance {instance})"
            )),
            Part::Off | Part::Alone | Part::Holder | Part::HandedOver | Part::LetGo => None,
        }
    }
}

impl Part {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Alone => "alone",
            Self::TakingOver => "taking over",
            Self::Standby => "standby",
            Self::Holder => "holder",
            Self::HandedOver => "handed over",
            Self::LetGo => "let go",
        }
    }
}

/// Returns the problem of a name that a stranger holds.
pub(super) fn name_taken(node: &str, name: &str, why: &str) -> Problem {
    Problem {
        object: ObjectReference {
            kind: "Node".to_owned(),
            namespace: String::new(),
            name: node.to_owned(),
        },
        field: String::new(),
        code: "HandOverNameTaken".to_owned(),
        message: format!(
            "on node {node}, whoever listens at the abstract unix socket @{name} does not prove to be a data plane of this \
             installation: {why}; what is served is served, but the next update of the data plane on this node refuses \
             connections for a moment"
        ),
        remedy: format!(
            "Find the process with `ss -xlp | grep {name}` on the node and stop it, unless it is a data plane that hangs: \
             its liveness probe ends that."
        ),
    }
}

/// What Prometheus reads of the hand-over. Cloning is cheap: all clones are the same metrics.
#[derive(Clone, Debug, Default)]
pub(super) struct HandOverMetrics {
    /// How often this process gave its sockets to another that serves.
    pub(super) given: Counter,
    /// How often it took them from another.
    pub(super) taken: Counter,
    /// How many asked for them and did not prove who they are.
    pub(super) refused: Counter,
}

impl HandOverMetrics {
    pub(super) fn register(metrics: &Metrics) -> Self {
        let own = Self::default();
        metrics.extend(|registry| {
            for (name, help, counter) in [
                ("hand_overs_given", "Times that the listening sockets were given to another process of the node that serves", &own.given),
                ("hand_overs_taken", "Times that the listening sockets were taken from another process of the node", &own.taken),
                ("hand_over_peers_refused", "Connections to the hand-over's socket whose peer did not prove to be a data plane", &own.refused),
            ] {
                registry.register(name, help, counter.clone());
            }
        });
        own
    }
}
