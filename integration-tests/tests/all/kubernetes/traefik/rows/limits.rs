//! `rate-limit.yaml` and `in-flight-req.yaml`. A bucket is used by one row only.

use super::super::request::{Peer, get};
use super::super::row::{Row, row};

pub(super) fn rate() -> Vec<Row> {
    [buckets(), sources()].concat()
}

#[rustfmt::skip]
fn buckets() -> Vec<Row> {
    vec![
        row("burst 3: five requests", get("rate-burst.test/")).times(5),
        row("burst 1 by default", get("rate-default.test/")).times(3),
        row("average 0: no limit", get("rate-none.test/")).times(5),
        row("average 1000: twenty requests", get("rate-fast.test/")).times(20),
        row("two paths of one Ingress", get("rate-paths.test/one")).differs("rate-limits-are-shared").times(2).then(get("rate-paths.test/two")).times(2),
        row("two Ingresses with one Middleware", get("rate-shared-a.test/")).differs("rate-limits-are-shared").times(2).then(get("rate-shared-b.test/")).times(2),
    ]
}

#[rustfmt::skip]
fn sources() -> Vec<Row> {
    let by = |client: &str| get("rate-depth.test/").forwarded_for(client);
    let two = |clients: &str| get("rate-depth-two.test/").forwarded_for(clients);
    let too_few = |clients: &str| get("rate-too-few.test/").forwarded_for(clients);
    let excluded = |clients: &str| get("rate-excluded.test/").forwarded_for(clients);
    let key = |value: &str| get("rate-header.test/").header("X-Key", value);
    let subnet = |client: &str| get("rate-subnet.test/").forwarded_for(client);
    vec![
        row("by peer: two of them", get("rate-peers.test/")).times(2).then(get("rate-peers.test/").from(Peer::OtherStranger)).times(2),
        row("by peer: a stranger's X-Forwarded-For does not help", get("rate-untrusted.test/").header("X-Forwarded-For", "203.0.113.1")).then(get("rate-untrusted.test/").header("X-Forwarded-For", "203.0.113.2")),
        row("by peer: through a proxy, two clients", get("rate-through-proxy.test/").forwarded_for("203.0.113.1")).differs("limits-count-the-client").differs("real-ip-is-the-client").then(get("rate-through-proxy.test/").forwarded_for("203.0.113.2")),
        row("depth 1: two clients", by("203.0.113.1")).differs("real-ip-is-the-client").times(2).then(by("203.0.113.2")).times(2),
        row("depth 1: what stands left does not help", by("198.51.100.1, 203.0.113.3")).differs("forwarded-for-begins-with-the-client").differs("real-ip-is-the-client").then(by("198.51.100.2, 203.0.113.3")),
        row("depth 2: the second from the right", two("203.0.113.1, 192.0.2.1")).differs("trusted-entries-only").differs("forwarded-for-begins-with-the-client").differs("real-ip-is-the-client").then(two("203.0.113.1, 192.0.2.2")).then(two("203.0.113.2, 192.0.2.1")),
        row("depth 2: too few", too_few("192.0.2.1")).differs("real-ip-is-the-client").then(too_few("192.0.2.2")),
        row("excludedIPs", excluded("203.0.113.1, 192.0.2.1")).differs("trusted-entries-only").differs("forwarded-for-begins-with-the-client").differs("real-ip-is-the-client").then(excluded("203.0.113.1, 192.0.2.2")).then(excluded("203.0.113.2, 192.0.2.1")),
        row("by header: two values", key("a")).times(2).then(key("b")).times(2),
        row("by header: without it", get("rate-header.test/")).times(2),
        row("by host: two hosts", get("rate-host-a.test/")).times(2).then(get("rate-host-b.test/")).times(2),
        row("IPv6 by subnet", subnet("2001:db8::1")).differs("real-ip-is-the-client").then(subnet("2001:db8::2")).then(subnet("2001:db8:0:1::1")),
    ]
}

#[rustfmt::skip]
pub(super) fn in_flight() -> Vec<Row> {
    let slow = "in-flight-one.test/?hold";
    let two = "in-flight-two.test/?hold";
    let by_peer = "in-flight-by-peer.test/?hold";
    let by_header = "in-flight-by-header.test/?hold";
    let key = |value: &str| get(by_header).header("X-Key", value);
    vec![
        row("amount 1: three at once", get(slow)).times(3).at_once(),
        row("amount 1: three one after the other", get("in-flight-one.test/")).times(3),
        row("amount 1: two peers at once", get(slow)).then(get(slow).from(Peer::OtherStranger)).at_once(),
        row("amount 2: four at once", get(two)).times(4).at_once(),
        row("by client: two at once of each", get(by_peer).forwarded_for("203.0.113.1")).times(2).then(get(by_peer).forwarded_for("203.0.113.2")).times(2).at_once(),
        row("by header: two at once of each", key("a")).times(2).then(key("b")).times(2).at_once(),
    ]
}
