//! What a Node says about addresses: where it is, and where its pods are.
//!
//! It does not decide who serves there, nor whether the node is well.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use k8s_openapi::api::core::v1::Node;

/// Returns the ranges of a node's own addresses and of its pods. What is no address or range is passed over: the API
/// server checks them, and a host name is nobody's source address.
pub(crate) fn ranges(node: &Node) -> BTreeSet<IpNet> {
    let addresses = node
        .status
        .iter()
        .flat_map(|status| status.addresses.iter());
    let own = addresses
        .flatten()
        .filter(|address| OWN.contains(&address.type_.as_str()))
        .filter_map(|address| address.address.parse::<IpAddr>().ok())
        .map(IpNet::from);
    let spec = node.spec.iter();
    // "podCIDRs ... the 0th entry must match the podCIDR field": an old API server has only the latter.
    let pods = spec.flat_map(|spec| spec.pod_cidrs.iter().flatten().chain(&spec.pod_cidr));
    let pods = pods.filter_map(|range| range.parse::<IpNet>().ok());
    own.chain(pods.map(|range| range.trunc())).collect()
}

const OWN: [&str; 2] = ["InternalIP", "ExternalIP"];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use k8s_openapi::api::core::v1::{NodeAddress, NodeSpec, NodeStatus};

    use super::*;

    #[test]
    fn addresses_and_pods_count_and_names_do_not() {
        let address = |type_: &str, address: &str| NodeAddress {
            type_: type_.to_owned(),
            address: address.to_owned(),
        };
        let node = Node {
            spec: Some(NodeSpec {
                pod_cidr: Some("10.244.1.0/24".to_owned()),
                pod_cidrs: Some(vec!["10.244.1.0/24".to_owned(), "fd00::1/64".to_owned()]),
                ..NodeSpec::default()
            }),
            status: Some(NodeStatus {
                addresses: Some(vec![
                    address("InternalIP", "10.0.0.1"),
                    address("ExternalIP", "2001:db8::1"),
                    address("Hostname", "10.9.9.9"),
                    address("InternalIP", "not an address"),
                ]),
                ..NodeStatus::default()
            }),
            ..Node::default()
        };
        let expected = [
            "10.0.0.1/32",
            "10.244.1.0/24",
            "2001:db8::1/128",
            "fd00::/64",
        ];
        let expected: BTreeSet<IpNet> = expected
            .iter()
            .map(|range| range.parse().unwrap())
            .collect();
        assert_eq!(ranges(&node), expected);
        assert_eq!(ranges(&Node::default()), BTreeSet::new());
    }
}
