//! Who may read the metrics over the network. On the host network, a port is open to the world.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use sluice_proto::Settings;

/// Returns whether `peer` may read the metrics: the node itself, and the ranges of the settings. Without a snapshot there
/// are no settings, and only a peer on loopback may.
pub(super) fn may_read(peer: SocketAddr, settings: Option<&Settings>) -> bool {
    // A socket for both families shows an IPv4 peer as ::ffff:a.b.c.d.
    let address = peer.ip().to_canonical();
    if address.is_loopback() {
        return true;
    }
    settings.is_some_and(|settings| {
        let mut ranges = settings.metrics_ranges.iter();
        ranges.any(|range| range.contains(&address)) || is_of_this_node(peer)
    })
}

// The kernel answers from an address of its own, and for one of its own it is that very one. Nothing is sent.
fn is_of_this_node(peer: SocketAddr) -> bool {
    let mut target = peer;
    let address = peer.ip().to_canonical();
    target.set_ip(address);
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let source = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect(target)?;
        socket.local_addr()
    });
    source.is_ok_and(|source| source.ip() == address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(ranges: &[&str]) -> Settings {
        Settings {
            metrics_ranges: ranges.iter().map(|range| range.parse().unwrap()).collect(),
            ..Settings::default()
        }
    }

    fn peer(ip: &str) -> SocketAddr {
        SocketAddr::new(ip.parse().unwrap(), 4711)
    }

    #[test]
    fn loopback_may_always() {
        for ip in ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"] {
            assert!(may_read(peer(ip), None), "{ip}");
            assert!(may_read(peer(ip), Some(&settings(&[]))), "{ip}");
        }
    }

    #[test]
    fn others_may_by_the_settings_alone() {
        let settings = settings(&["192.0.2.0/24", "2001:db8:1::/48"]);
        for ip in ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8:1::7"] {
            assert!(may_read(peer(ip), Some(&settings)), "{ip}");
            assert!(!may_read(peer(ip), None), "{ip}");
        }
        for ip in ["198.51.100.1", "::ffff:198.51.100.1", "2001:db8:2::7"] {
            assert!(!may_read(peer(ip), Some(&settings)), "{ip}");
        }
    }

    #[test]
    fn an_address_of_the_node_is_known_and_another_is_not() {
        assert!(is_of_this_node(peer("127.0.0.1")));
        assert!(is_of_this_node(peer("::ffff:127.0.0.1")));
        assert!(!is_of_this_node(peer("192.0.2.1")));
        assert!(!is_of_this_node(peer("2001:db8::1")));
    }
}
