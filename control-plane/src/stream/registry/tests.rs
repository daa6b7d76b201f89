//! Tests of what the registry remembers, and for how long.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use sluice_proto::Version;

use super::*;

fn introduction(node: &str, instance: &str) -> Introduction {
    Introduction {
        node: node.to_owned(),
        instance: instance.to_owned(),
        build_version: String::new(),
        digest: Version::of(b""),
        generation: 0,
        leader_unreachable: false,
    }
}

fn connect(registry: &Registry, node: &str, instance: &str) -> Connected {
    let peer = SocketAddr::from(([127, 0, 0, 1], 1));
    registry.connect(&introduction(node, instance), peer)
}

fn told(connected: &Connected, generation: u64) {
    connected.update(|status| {
        status.told_generation = generation;
        true
    });
}

fn known(registry: &Registry) -> Vec<(String, bool)> {
    let nodes = registry.subscribe();
    let nodes = nodes.borrow();
    let known = nodes.iter();
    known
        .map(|(process, status)| {
            let name = format!("{}/{}", process.node, process.instance);
            (name, status.disconnected.is_none())
        })
        .collect()
}

fn expect(registry: &Registry, expected: &[(&str, bool)]) {
    let expected = expected.iter().map(|(name, is)| ((*name).to_owned(), *is));
    assert_eq!(known(registry), expected.collect::<Vec<_>>());
}

#[test]
fn the_end_of_an_old_stream_does_not_end_a_newer_one() {
    let registry = Registry::new();
    let old = connect(&registry, "a", "1");
    let new = connect(&registry, "a", "1");
    told(&old, 7);
    assert!(
        !registry.has_told("a", 7),
        "the old stream says nothing more"
    );
    drop(old);
    expect(&registry, &[("a/1", true)]);
    drop(new);
    expect(&registry, &[("a/1", false)]);
}

#[test]
fn a_process_that_serves_the_node_replaces_one_that_went() {
    let registry = Registry::new();
    let first = connect(&registry, "a", "1");
    told(&first, 7);
    drop(first);
    expect(&registry, &[("a/1", false)]);
    let second = connect(&registry, "a", "2");
    expect(&registry, &[("a/2", true)]);
    assert!(
        registry.has_told("a", 7),
        "what a node was told is remembered"
    );
    assert!(!registry.has_told("a", 8) && !registry.has_told("b", 7));

    let third = connect(&registry, "a", "3");
    drop(second);
    expect(&registry, &[("a/3", true)]);
    drop(third);
    expect(&registry, &[("a/3", false)]);
}

#[test]
fn who_went_is_forgotten_after_an_hour() {
    let registry = Registry::new();
    drop(connect(&registry, "a", "1"));
    let _here = connect(&registry, "b", "1");
    registry.shared.nodes.send_modify(|nodes| {
        let soon = Instant::now() + Duration::from_secs(3590);
        forget(&mut nodes.processes, soon);
        assert_eq!(nodes.processes.len(), 2);
        let later = Instant::now() + Duration::from_secs(3610);
        forget(&mut nodes.processes, later);
    });
    expect(&registry, &[("b/1", true)]);
}

#[test]
fn made_up_names_do_not_fill_the_memory() {
    let registry = Registry::new();
    let here = connect(&registry, "here", "1");
    for number in 0..MOST_DISCONNECTED + 50 {
        drop(connect(&registry, &format!("{number:05}"), "1"));
    }
    let known = known(&registry);
    assert_eq!(known.len(), MOST_DISCONNECTED + 1);
    assert_eq!(known[0].0, "00050/1", "the longest away went first");
    drop(here);
}

#[test]
fn a_report_is_kept_in_order_and_in_bounds() {
    let registry = Registry::new();
    let connected = connect(&registry, "a", "1");
    let problem = |number: usize| wire::Problem {
        code: format!("C{number:05}"),
        ..wire::Problem::default()
    };
    let mut problems: Vec<_> = (0..2 * MOST_PROBLEMS).rev().map(problem).collect();
    problems.push(problem(0));
    connected.reported(wire::Report {
        state: wire::report::State::Serving.into(),
        problems,
    });
    let nodes = registry.subscribe();
    let nodes = nodes.borrow();
    let (_, status) = nodes.iter().next().unwrap();
    assert_eq!(status.state, NodeState::Serving);
    assert_eq!(status.problems.len(), MOST_PROBLEMS);
    assert_eq!(status.problems[0].code, "C00000");
    assert_eq!(status.problems[1].code, "C00001");
}
