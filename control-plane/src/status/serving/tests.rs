//! Plain tests of which nodes count: no socket, no clock.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

use jiff::Timestamp;
use sluice_translate::{EdgeSettings, Objects, parse_objects};

use super::*;
use crate::status::board::Fact;
use crate::stream::{Disconnected, Process};

const SECOND: Duration = Duration::from_secs(1);
const CLASS: &str = "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: sluice}\nspec: {controller: \
                     ingress.sluice.dev/controller}\n---\n";

/// Returns the board of these nodes (the last digit of the address, and whether it is ready) and of one Ingress with
/// these addresses.
fn board(nodes: &[(u8, bool)], written: &[&str]) -> Board {
    let mut yaml = CLASS.to_owned();
    for (number, ready) in nodes {
        let ready = if *ready { "True" } else { "False" };
        yaml += &format!(
            "apiVersion: v1\nkind: Node\nmetadata: {{name: node-{number}}}\nstatus:\n  addresses: [{{type: InternalIP, address: \
             10.0.0.{number}}}]\n  conditions: [{{type: Ready, status: '{ready}'}}]\n---\n"
        );
    }
    let written: Vec<_> = written.iter().map(|ip| format!("{{ip: {ip}}}")).collect();
    yaml += &format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: web, namespace: shop}}\nspec: {{ingressClassName: \
         sluice}}\nstatus: {{loadBalancer: {{ingress: [{}]}}}}\n",
        written.join(", ")
    );
    let parsed = parse_objects(&yaml);
    assert_eq!(parsed.problems, []);
    let facts = parsed.objects.iter().filter_map(Fact::of).collect();
    let mut objects = Objects::default();
    let settings = EdgeSettings::default();
    let _ = objects.follow_settings(&settings);
    for object in parsed.objects {
        let _ = objects.apply(object);
    }
    let mut board = Board::default();
    board.take_in(facts, &[], &objects);
    board
}

/// Returns processes of nodes: on which, whether connected, how it is.
fn processes(all: &[(u8, bool, NodeState)]) -> Nodes {
    let mut nodes = Nodes::default();
    for (index, (node, is_connected, state)) in all.iter().enumerate() {
        let process = Process {
            node: format!("node-{node}"),
            instance: index.to_string(),
        };
        let status = NodeStatus {
            build_version: String::new(),
            peer: SocketAddr::from(([127, 0, 0, 1], 1)),
            connected_since: Timestamp::UNIX_EPOCH,
            disconnected: (!is_connected).then(|| Disconnected {
                since: Timestamp::UNIX_EPOCH,
                at: Instant::now(),
            }),
            told_generation: 1,
            acked_generation: 1,
            refused: Vec::new(),
            state: *state,
            problems: Vec::new(),
            stream: 0,
        };
        nodes.processes.insert(process, status);
    }
    nodes
}

fn counted(serving: &Serving) -> Vec<String> {
    let addresses = serving.addresses().into_iter().flatten();
    addresses
        .map(|address| address.to_string().replace("10.0.0.", ""))
        .collect()
}

/// A leader that has led for long, and that saw these nodes serve.
struct Led {
    serving: Serving,
    now: Instant,
    board: Board,
}

impl Led {
    fn with(nodes: &[u8]) -> Self {
        let ready: Vec<_> = nodes.iter().map(|node| (*node, true)).collect();
        let board = board(&ready, &[]);
        let start = Instant::now();
        let mut serving = Serving::new(start, &board);
        let all: Vec<_> = nodes
            .iter()
            .map(|node| (*node, true, NodeState::Serving))
            .collect();
        let now = start + INHERIT;
        serving.look(now, &board, &processes(&all));
        Self {
            serving,
            now,
            board,
        }
    }

    fn after(&mut self, passed: Duration, all: &[(u8, bool, NodeState)]) -> Vec<String> {
        self.now += passed;
        self.serving.look(self.now, &self.board, &processes(all));
        counted(&self.serving)
    }
}

use NodeState::{Draining, HandedOver, Serving as Serves, Starting};

#[test]
fn a_node_counts_once_it_serves() {
    let start = Instant::now();
    let board = board(&[(1, true), (2, true)], &[]);
    let mut serving = Serving::new(start, &board);
    serving.look(start, &board, &processes(&[(1, true, Starting)]));
    assert_eq!(serving.addresses(), None);
    serving.look(
        start,
        &board,
        &processes(&[(1, true, Serves), (2, true, Starting), (9, true, Serves)]),
    );
    assert_eq!(
        counted(&serving),
        ["1"],
        "and one that Kubernetes does not know does not"
    );
}

#[test]
fn a_stream_that_broke_withdraws_nothing() {
    let mut led = Led::with(&[1, 2]);
    assert_eq!(
        led.after(SECOND, &[(1, true, Serves), (2, false, Serves)]),
        ["1", "2"]
    );
    assert_eq!(
        led.after(900 * SECOND, &[(1, true, Serves), (2, false, Serves)]),
        ["1", "2"]
    );
    assert_eq!(
        led.after(7200 * SECOND, &[(1, true, Serves)]),
        ["1", "2"],
        "it was forgotten"
    );
}

#[test]
fn a_rollout_withdraws_nothing() {
    let mut led = Led::with(&[1, 2]);
    for own in [
        &[(2, true, Serves), (2, true, Starting)][..],
        &[(2, true, HandedOver), (2, true, Serves)],
        &[(2, true, Draining), (2, true, Serves)],
        &[(2, false, Draining), (2, true, Serves)],
        &[(2, true, Serves)],
        // And without a surge: the next process starts after the last has ended.
        &[(2, true, Draining)],
    ] {
        let all = [own, &[(1, true, Serves)]].concat();
        assert_eq!(led.after(SECOND, &all), ["1", "2"], "{own:?}");
    }
    let all = [(1, true, Serves), (2, true, Starting)];
    assert_eq!(led.after(4 * SECOND, &all), ["1", "2"]);
    assert_eq!(led.after(50 * SECOND, &all), ["1", "2"]);
    assert_eq!(led.after(10 * SECOND, &all), ["1"], "it does not start");
    assert_eq!(
        led.after(SECOND, &[(1, true, Serves), (2, true, Serves)]),
        ["1", "2"]
    );
}

#[test]
fn a_node_that_drains_without_a_successor_is_withdrawn_for_good() {
    for is_connected in [true, false] {
        let mut led = Led::with(&[1, 2]);
        let all = [(1, true, Serves), (2, is_connected, Draining)];
        assert_eq!(led.after(SECOND, &all), ["1", "2"]);
        assert_eq!(led.serving.due(), Some(led.now + DRAIN));
        assert_eq!(led.after(DRAIN, &all), ["1"]);
        assert_eq!(led.after(7200 * SECOND, &[(1, true, Serves)]), ["1"]);
    }
}

#[test]
fn a_node_that_is_not_ready_for_a_minute_is_withdrawn_until_it_is() {
    let mut led = Led::with(&[1, 2]);
    let all = [(1, true, Serves), (2, false, Serves)];
    led.board = board(&[(1, true), (2, false)], &[]);
    assert_eq!(led.after(SECOND, &all), ["1", "2"]);
    assert_eq!(led.serving.due(), Some(led.now + UNREADY));
    assert_eq!(led.after(UNREADY - SECOND, &all), ["1", "2"]);
    assert_eq!(led.after(SECOND, &all), ["1"]);
    led.board = board(&[(1, true), (2, true)], &[]);
    assert_eq!(led.after(SECOND, &all), ["1", "2"]);
    // A moment's weakness does not count on.
    led.board = board(&[(1, true), (2, false)], &[]);
    assert_eq!(led.after(UNREADY - SECOND, &all), ["1", "2"]);
}

#[test]
fn a_node_that_is_gone_is_withdrawn() {
    let mut led = Led::with(&[1, 2]);
    led.board = board(&[(1, true)], &[]);
    let all = [(1, true, Serves), (2, true, Serves)];
    assert_eq!(led.after(Duration::ZERO, &all), ["1"]);
}

#[test]
fn the_last_address_is_never_withdrawn() {
    let mut led = Led::with(&[1, 2]);
    let all = [(1, true, Draining), (2, false, Draining)];
    led.after(SECOND, &all);
    assert_eq!(led.after(DRAIN, &all), ["1", "2"]);
    led.board = board(&[], &[]);
    assert_eq!(led.after(SECOND, &all), ["1", "2"]);
}

#[test]
fn a_new_leader_withdraws_nothing_for_a_minute() {
    let start = Instant::now();
    let nodes = [(1, true), (2, false), (3, true), (4, true)];
    // The last is no node's: another controller wrote it.
    let board = board(&nodes, &["10.0.0.1", "10.0.0.2", "10.0.0.3", "192.0.2.7"]);
    let mut serving = Serving::new(start, &board);
    let all = processes(&[(3, true, Draining), (4, true, Serves)]);
    serving.look(start, &board, &all);
    assert_eq!(counted(&serving), ["1", "2", "3", "4"]);
    serving.look(start + INHERIT - SECOND, &board, &all);
    assert_eq!(counted(&serving), ["1", "2", "3", "4"]);
    assert_eq!(serving.due(), Some(start + INHERIT));
    serving.look(start + INHERIT, &board, &all);
    assert_eq!(
        counted(&serving),
        ["1", "4"],
        "one drained, one is not ready"
    );
    assert_eq!(serving.due(), Some(start + BELIEVE));
    serving.look(start + BELIEVE - SECOND, &board, &all);
    assert_eq!(counted(&serving), ["1", "4"], "it may be cut off");
    serving.look(start + BELIEVE, &board, &all);
    assert_eq!(counted(&serving), ["4"]);
    assert_eq!(serving.due(), None);
}
