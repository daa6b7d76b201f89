//! Which names a Service of type ExternalName may stand for, as far as the name itself tells.
//!
//! It does not resolve anything: a data plane checks the addresses after every resolution. A data plane runs in the
//! network of its node, so whatever it may connect to is a door into the node and the cluster.

use std::net::IpAddr;
use std::sync::Arc;

use sluice_proto::HostPattern;

/// Returns the name in lower case, or why it must not be used: what it "is".
pub(crate) fn check(written: &str) -> Result<Arc<str>, &'static str> {
    if written.parse::<IpAddr>().is_ok() {
        return Err(IS_ADDRESS);
    }
    let Ok(HostPattern::Exact(name)) = HostPattern::parse(written) else {
        return Err("is no DNS name");
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    // "If the last label is a number (0x7f, 1), the name is an IPv4 address" for resolvers and the URL standard alike.
    if is_number(last) {
        return Err(IS_ADDRESS);
    }
    if METADATA.contains(&&*name) {
        return Err("is a name of a cloud's metadata service");
    }
    if last == "localhost" {
        return Err("is the node itself");
    }
    if !name.contains('.') {
        return Err(
            "has one label only, so the cluster's DNS completes it to a name inside the cluster",
        );
    }
    if INTERNAL.contains(&last) {
        return Err("is a name inside the cluster or its local network");
    }
    Ok(name)
}

fn is_number(label: &str) -> bool {
    let hexadecimal = label
        .strip_prefix("0x")
        .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    hexadecimal || label.bytes().all(|byte| byte.is_ascii_digit())
}

const IS_ADDRESS: &str = "is an IP address";

/// Last labels: `cluster.local` and multicast DNS, short names of Services, reverse lookups.
const INTERNAL: [&str; 4] = ["arpa", "local", "localdomain", "svc"];

const METADATA: [&str; 5] = [
    "instance-data.ec2.internal",
    "metadata.azure.internal",
    "metadata.goog",
    "metadata.google.internal",
    "metadata.tencentyun.com",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_outside_are_taken() {
        for name in [
            "example.com",
            "Example.COM.",
            "a.b.example.org",
            "xn--bcher-kva.example",
        ] {
            assert!(check(name).is_ok(), "{name}");
        }
        assert_eq!(check("Example.COM."), Ok("example.com".into()));
    }

    #[test]
    fn doors_into_the_node_and_the_cluster_are_refused() {
        for name in [
            "",
            "*",
            "*.example.com",
            "a b",
            "127.0.0.1",
            "::1",
            "[::1]",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0177.0.0.1",
            "10.0.0.1.",
            "localhost",
            "LOCALHOST.",
            "a.localhost",
            "kubernetes",
            "api.default.svc",
            "kubernetes.default.svc.cluster.local",
            "printer.local",
            "metadata.google.internal",
            "metadata",
            "1.0.0.127.in-addr.arpa",
            "a.local.",
        ] {
            assert!(check(name).is_err(), "{name}");
        }
    }
}
