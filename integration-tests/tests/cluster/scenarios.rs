//! What happens to the cluster, one file each, in the order in which it is run.

mod api_server_outage;
mod backend_rollout;
mod control_plane_outage;
mod credentials;
mod fresh_node;
mod install;
mod middlewares;
mod node_reboot;
mod node_removal;
mod partition;
mod policies;
mod removal;
mod renewals;
mod rollout;
mod slow_readers;
mod socket_thief;

use crate::stage::Stage;
use crate::table::Row;

/// Something that happens, and what is promised about it.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) event: &'static str,
    /// Whether it is of the short set.
    pub(crate) short: bool,
    pub(crate) run: fn(&mut Stage, &mut Row) -> anyhow::Result<()>,
}

/// The one that all others need.
pub(crate) const FIRST: &str = "install";

/// In their order.
pub(crate) const ALL: [Scenario; 17] = [
    Scenario {
        name: FIRST,
        event: "kubectl apply -k manifests, twice; the Ingresses are served by three nodes, over TLS, too",
        short: true,
        run: install::run,
    },
    Scenario {
        name: "middlewares",
        event: "the first user's Middlewares of Traefik are attached to their Ingresses",
        short: true,
        run: middlewares::run,
    },
    Scenario {
        name: "policies",
        event: "sticky sessions while data planes and a pod restart; canaries of 1, 10 and 50 %; client certificates",
        short: true,
        run: policies::run,
    },
    Scenario {
        name: "rollout",
        event: "the data plane is rolled out anew, under load",
        short: true,
        run: rollout::run,
    },
    Scenario {
        name: "control-plane-outage",
        event: "the control plane is gone for a while; a data plane restarts meanwhile",
        short: true,
        run: control_plane_outage::run,
    },
    Scenario {
        name: "node-reboot",
        event: "a node reboots while the control plane is gone",
        short: true,
        run: node_reboot::run,
    },
    Scenario {
        name: "backend-rollout",
        event: "a backend without a preStop hook is rolled out anew, under load",
        short: true,
        run: backend_rollout::run,
    },
    Scenario {
        name: "backend-rollout-alone",
        event: "the same while the control plane is gone",
        short: false,
        run: backend_rollout::without_control_plane,
    },
    Scenario {
        name: "socket-thief",
        event: "another process of a node asks for the listening sockets",
        short: true,
        run: socket_thief::run,
    },
    Scenario {
        name: "slow-readers",
        event: "one client asks a node for much, thousands of times, and reads nothing",
        short: false,
        run: slow_readers::run,
    },
    Scenario {
        name: "api-server-outage",
        event: "the API server is gone for a while, and comes back with changes waiting",
        short: false,
        run: api_server_outage::run,
    },
    Scenario {
        name: "fresh-node",
        event: "a machine that was never there joins while the control plane is away",
        short: false,
        run: fresh_node::run,
    },
    Scenario {
        name: "partition",
        event: "a node is cut off from the control plane: packets dropped, then half-open",
        short: false,
        run: partition::run,
    },
    Scenario {
        name: "node-removal",
        event: "a node is drained and taken away",
        short: false,
        run: node_removal::run,
    },
    Scenario {
        name: "renewals",
        event: "authority and certificates are renewed ten times, the seal key twice",
        short: false,
        run: renewals::run,
    },
    Scenario {
        name: "credentials",
        event: "what a data-plane pod knows, and what the API server tells it",
        short: false,
        run: credentials::run,
    },
    Scenario {
        name: "removal",
        event: "kubectl delete -k manifests, and the installation again",
        short: false,
        run: removal::run,
    },
];
