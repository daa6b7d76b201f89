//! `ip-allow-list.yaml`.

use super::super::request::{Peer, get};
use super::super::row::{Row, row};

#[rustfmt::skip]
pub(super) fn rows() -> Vec<Row> {
    let depth_one = |clients: &str| get("allow-depth-one.test/").forwarded_for(clients);
    let depth_two = |clients: &str| get("allow-depth-two.test/").forwarded_for(clients);
    let excluded = |clients: &str| get("allow-excluded.test/").forwarded_for(clients);
    vec![
        row("one address: its own", get("allow-one.test/")),
        row("one address: another", get("allow-one.test/").from(Peer::OtherStranger)),
        row("one address: another that pretends", get("allow-one.test/").from(Peer::OtherStranger).header("X-Forwarded-For", "10.244.210.1")),
        row("one address: through a proxy", get("allow-one.test/").forwarded_for("10.244.210.1")),
        row("a range: inside", get("allow-range.test/").from(Peer::OtherStranger)),
        row("a range: outside", get("allow-range.test/").from(Peer::Proxy)),
        row("rejectStatusCode 418", get("allow-teapot.test/")),
        row("rejectStatusCode 404", get("allow-hidden.test/")).unserved(),
        row("depth 1: inside", depth_one("203.0.113.7")).differs("real-ip-is-the-client"),
        row("depth 1: outside", depth_one("198.51.100.7")),
        row("depth 1: what stands left does not help", depth_one("203.0.113.7, 198.51.100.7")),
        row("depth 1: a stranger's X-Forwarded-For", get("allow-depth-one.test/").header("X-Forwarded-For", "203.0.113.7")),
        row("depth 1: none", get("allow-depth-one.test/").from(Peer::Proxy)),
        row("depth 2: inside", depth_two("203.0.113.7, 198.51.100.7")).differs("trusted-entries-only"),
        row("depth 2: outside", depth_two("198.51.100.7, 203.0.113.7")),
        row("depth 2: too few", depth_two("203.0.113.7")),
        row("excludedIPs: inside", excluded("203.0.113.7, 192.0.2.1")).differs("trusted-entries-only"),
        row("excludedIPs: outside", excluded("198.51.100.7, 192.0.2.1")),
        row("excludedIPs: only excluded ones", excluded("192.0.2.2, 192.0.2.1")),
        row("nobody allowed", get("allow-nobody.test/")).unserved().differs("broken-route-is-unavailable"),
        row("no address at all", get("allow-garbage.test/")).unserved().differs("broken-route-is-unavailable"),
        row("IPv6: inside", get("allow-ipv6.test/").forwarded_for("2001:db8::7")).differs("real-ip-is-the-client"),
        row("IPv6: outside", get("allow-ipv6.test/").forwarded_for("2001:db9::7")),
    ]
}
