//! Addresses that a name which a user wrote may not resolve to: in the node's network namespace they are doors into the
//! node, or into the cloud's metadata.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Returns whether nothing may be sent to this address on behalf of a user.
pub(super) fn is_prohibited(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let special = match address {
        IpAddr::V4(address) => is_special_v4(address),
        IpAddr::V6(address) => is_special_v6(address),
    };
    special || is_of_this_node(address)
}

fn is_special_v4(address: Ipv4Addr) -> bool {
    // "This network" (0.0.0.0/8) reaches the host itself on Linux.
    address.octets()[0] == 0
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
}

fn is_special_v6(address: Ipv6Addr) -> bool {
    address.is_unspecified()
        || address.is_loopback()
        || address.is_unicast_link_local()
        || address.is_multicast()
        || address == AWS_METADATA
        // An IPv4 address in an IPv6 one (NAT64, RFC 6052).
        || address.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0]
            && is_special_v4(Ipv4Addr::from_bits(address.to_bits() as u32))
}

// The kernel sends what is for the node itself from that very address. Connecting a datagram socket sends nothing.
fn is_of_this_node(address: IpAddr) -> bool {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let source = || {
        let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
        socket.connect(SocketAddr::new(address, DISCARD))?;
        socket.local_addr()
    };
    // An address without a route cannot be reached either way.
    source().is_ok_and(|source| source.ip() == address)
}

const AWS_METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
const DISCARD: u16 = 9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doors_into_the_node_are_shut() {
        for address in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "169.254.1.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "ff02::1",
            "fd00:ec2::254",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
        ] {
            assert!(is_prohibited(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn other_addresses_are_not() {
        for address in [
            "192.0.2.1",
            "10.255.255.1",
            "2001:db8::1",
            "64:ff9b::c000:201",
        ] {
            assert!(!is_prohibited(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn the_nodes_own_addresses_are_shut() {
        // Whatever address this machine sends from is one of its own.
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        if socket.connect("192.0.2.1:9").is_ok() {
            let own = socket.local_addr().unwrap().ip();
            assert!(is_prohibited(own), "{own}");
        }
        assert!(is_of_this_node("127.0.0.1".parse().unwrap()));
    }
}
