//! The data planes as introspection shows them.

use jiff::Timestamp;
use sluice_proto::wire;

use crate::leadership::Leadership;
use crate::publication::Publication;
use crate::stream::{Liveness, NodeProblem, NodeState, NodeStatus, Nodes, Process, Refusal};

/// Returns the data planes and how far they are.
pub(super) fn nodes(
    nodes: &Nodes,
    publication: &Publication,
    leadership: &Leadership,
) -> wire::ListNodesResponse {
    let generation = publication.generation;
    let liveness = nodes.liveness(generation);
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    wire::ListNodesResponse {
        summary: summary(generation, liveness, leadership),
        generation,
        live: count(liveness.live),
        total: count(liveness.total),
        nodes: nodes.iter().map(|node| shown(node, generation)).collect(),
    }
}

/// Returns what is wrong on nodes, if the objects are in this namespace; with an empty one, all of it.
pub(super) fn problems(
    nodes: &Nodes,
    publication: &Publication,
    namespace: &str,
) -> Vec<wire::NodeProblem> {
    let problems = nodes.problems(publication).into_iter();
    problems
        .filter(|found| namespace.is_empty() || found.problem.object.namespace == namespace)
        .map(|NodeProblem { node, problem }| wire::NodeProblem {
            node,
            problem: Some((&problem).into()),
        })
        .collect()
}

fn summary(generation: u64, liveness: Liveness, leadership: &Leadership) -> String {
    let Liveness {
        live,
        total,
        refusing,
    } = liveness;
    let mut summary = format!("generation {generation} is live on {live} of {total} nodes");
    if let Leadership::Following(leader) = leadership {
        summary += &format!(" that are here; {} leads and has the others", leader.holder);
    }
    match refusing {
        0 => summary,
        refusing => format!("{summary}; {refusing} of them refused a part of it"),
    }
}

fn shown((process, status): (&Process, &NodeStatus), generation: u64) -> wire::Node {
    let state = match status.state {
        NodeState::Unknown => wire::report::State::Unspecified,
        NodeState::Starting => wire::report::State::Starting,
        NodeState::Serving => wire::report::State::Serving,
        NodeState::Draining => wire::report::State::Draining,
        NodeState::HandedOver => wire::report::State::HandedOver,
    };
    wire::Node {
        name: process.node.clone(),
        instance: process.instance.clone(),
        build_version: status.build_version.clone(),
        peer: status.peer.to_string(),
        connected_since: seconds(status.connected_since),
        acked_generation: status.acked_generation,
        live: status.has_live(generation),
        state: state.into(),
        refused: status.refused.iter().map(refused).collect(),
        problems: status.problems.iter().map(Into::into).collect(),
        disconnected_since: (status.disconnected)
            .map_or_else(String::new, |gone| seconds(gone.since)),
    }
}

fn refused(refusal: &Refusal) -> wire::RefusedResource {
    wire::RefusedResource {
        kind: refusal.key.kind.to_string(),
        name: refusal.key.name.to_string(),
        version: refusal.version.to_string(),
        reason: refusal.reason.clone(),
    }
}

// RFC 3339, without fractions.
fn seconds(time: Timestamp) -> String {
    format!("{time:.0}")
}
