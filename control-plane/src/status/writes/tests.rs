//! Plain tests of what is written when: no API server, no clock.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use sluice_translate::{EdgeSettings, Objects, parse_objects};

use super::*;
use crate::status::board::Fact;

/// Ingresses as a test changes them.
struct Ingresses {
    board: Board,
    objects: Objects,
    versions: u32,
}

impl Ingresses {
    fn new() -> Self {
        let mut ingresses = Self {
            board: Board::default(),
            objects: Objects::default(),
            versions: 0,
        };
        let settings = EdgeSettings::default();
        let _ = ingresses.objects.follow_settings(&settings);
        let class = "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: sluice}\nspec: {controller: \
                     ingress.sluice.dev/controller}\n";
        ingresses.take_in(class);
        ingresses
    }

    fn take_in(&mut self, yaml: &str) {
        let parsed = parse_objects(yaml);
        assert_eq!(parsed.problems, []);
        let facts = parsed.objects.iter().filter_map(Fact::of).collect();
        for object in parsed.objects {
            let _ = self.objects.apply(object);
        }
        self.board.take_in(facts, &[], &self.objects);
    }

    fn put(&mut self, name: &str, class: &str, addresses: &[&str]) {
        self.versions += 1;
        let addresses: Vec<_> = addresses.iter().map(|ip| format!("{{ip: {ip}}}")).collect();
        self.take_in(&format!(
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {name}, namespace: shop, resourceVersion: \
             '{}'}}\nspec: {{ingressClassName: {class}}}\nstatus: {{loadBalancer: {{ingress: [{}]}}}}\n",
            self.versions,
            addresses.join(", ")
        ));
    }
}

fn set(addresses: &[&str]) -> BTreeSet<StatusAddress> {
    let addresses = addresses.iter();
    addresses
        .map(|ip| StatusAddress::Ip(ip.parse().unwrap()))
        .collect()
}

fn write(next: Next) -> Write {
    match next {
        Next::Write(write) => write,
        Next::Wait(until) => panic!("it waits until {until:?}"),
    }
}

const IPS: &[&str] = &["10.0.0.1", "10.0.0.2"];

#[test]
fn what_is_wrong_and_ours_is_written_once() {
    let now = Instant::now();
    let mut ingresses = Ingresses::new();
    ingresses.put("right", "sluice", &["10.0.0.2", "10.0.0.1"]);
    ingresses.put("theirs", "other", &[]);
    ingresses.put("wrong", "sluice", &["192.0.2.1"]);
    let mut writes = Writes::new(now);
    assert_eq!(writes.next(&ingresses.board, None, now), Next::Wait(None));
    let first = write(writes.next(&ingresses.board, Some(&set(IPS)), now));
    assert_eq!((&*first.name.1, &*first.version), ("wrong", "3"));
    assert_eq!(first.addresses, set(IPS));
    writes.written(first, StatusOutcome::Written, now);
    // Its own change has not come back yet.
    let until = Next::Wait(Some(now + LONG));
    assert_eq!(writes.next(&ingresses.board, Some(&set(IPS)), now), until);
    ingresses.put("wrong", "sluice", IPS);
    assert_eq!(
        writes.next(&ingresses.board, Some(&set(IPS)), now),
        Next::Wait(None)
    );
    // Somebody else writes over it.
    ingresses.put("wrong", "sluice", &["192.0.2.1"]);
    write(writes.next(&ingresses.board, Some(&set(IPS)), now));
}

#[test]
fn what_left_is_cleared_only_if_it_still_says_what_we_wrote() {
    let now = Instant::now();
    let mut ingresses = Ingresses::new();
    let mut writes = Writes::new(now);
    for (name, addresses) in [("a", IPS), ("b", &["192.0.2.1"]), ("c", &[])] {
        ingresses.put(name, "sluice", addresses);
        ingresses.put(name, "other", addresses);
    }
    ingresses.put("d", "sluice", IPS);
    ingresses.put("d", "other", &["192.0.2.1"]);
    let cleared = write(writes.next(&ingresses.board, Some(&set(IPS)), now));
    assert_eq!((&*cleared.name.1, cleared.addresses.len()), ("a", 0));
    writes.written(cleared, StatusOutcome::Cleared, now);
    ingresses.put("a", "other", &[]);
    assert_eq!(
        writes.next(&ingresses.board, Some(&set(IPS)), now),
        Next::Wait(None)
    );
}

#[test]
fn there_are_so_many_writes_a_second() {
    let start = Instant::now();
    let mut ingresses = Ingresses::new();
    for number in 0..200 {
        ingresses.put(&format!("i{number}"), "sluice", &[]);
    }
    let mut writes = Writes::new(start);
    let mut now = start;
    let mut written = 0;
    while now <= start + Duration::from_secs(1) {
        match writes.next(&ingresses.board, Some(&set(IPS)), now) {
            Next::Write(write) => {
                written += 1;
                writes.written(write, StatusOutcome::Written, now);
            }
            Next::Wait(until) => now = until.unwrap(),
        }
    }
    assert!((69..=71).contains(&written), "{written}");
}

#[test]
fn a_failure_is_tried_again_and_keeps_no_other_waiting() {
    let now = Instant::now();
    let mut ingresses = Ingresses::new();
    ingresses.put("a", "sluice", &[]);
    ingresses.put("b", "sluice", &[]);
    let board = &ingresses.board;
    let ips = set(IPS);
    let mut writes = Writes::new(now);
    let first = write(writes.next(board, Some(&ips), now));
    writes.written(first, StatusOutcome::Failed, now);
    assert_eq!(
        writes.next(board, Some(&ips), now),
        Next::Wait(Some(now + FAILED))
    );
    let now = now + FAILED;
    let second = write(writes.next(board, Some(&ips), now));
    assert_eq!(second.name.1, "b");
    writes.written(second, StatusOutcome::Conflict, now);
    assert_eq!(
        writes.next(board, Some(&ips), now),
        Next::Wait(Some(now + CONFLICT))
    );
    let now = now + CONFLICT;
    let again = write(writes.next(board, Some(&ips), now));
    assert_eq!(again.name.1, "b");
    writes.written(again, StatusOutcome::Forbidden, now);
    assert_eq!(
        writes.next(board, Some(&ips), now + LONG - FAILED),
        Next::Wait(Some(now + LONG))
    );
    assert_eq!(
        write(writes.next(board, Some(&ips), now + LONG)).name.1,
        "a"
    );
}
