//! What of a request a policy counts by, or compares.
//!
//! What a client can make up counts only where its author chose it (a header, the host). An entry of `X-Forwarded-For`
//! counts up to the first address that is not a trusted proxy: what is left of it, strangers wrote.

use std::net::{IpAddr, Ipv6Addr};

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use sluice_proto::SourceBy;
use sluice_routing::ClientAddress;

use crate::policy::InvalidPolicy;
use crate::policy::header_rules::header_name;
use crate::policy::passage::Asked;

/// What of a request counts.
pub(super) struct Source {
    by: By,
    ipv6_mask: u128,
}

enum By {
    Client,
    Peer,
    ForwardedDepth(usize),
    ForwardedExcept(Vec<IpNet>),
    Header(HeaderName),
    Host,
}

/// Who shares a counter. Its size does not depend on what a client sends.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Key([u8; 16]);

impl Source {
    pub(super) fn new(source: &sluice_proto::Source) -> Result<Self, InvalidPolicy> {
        let by = match &source.by {
            SourceBy::Client => By::Client,
            SourceBy::Peer => By::Peer,
            SourceBy::Host => By::Host,
            SourceBy::Header(name) => By::Header(header_name(name)?),
            SourceBy::ForwardedExcept(excluded) => By::ForwardedExcept(excluded.clone()),
            SourceBy::ForwardedDepth(depth) => {
                By::ForwardedDepth(usize::try_from(*depth).unwrap_or(usize::MAX))
            }
        };
        let bits = u32::from(source.ipv6_prefix.unwrap_or(128).min(128));
        let ipv6_mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
        Ok(Self { by, ipv6_mask })
    }

    /// Returns the address that counts, if it is one and there is one.
    pub(super) fn address(&self, asked: &Asked<'_>) -> Option<IpAddr> {
        match &self.by {
            By::Client => Some(asked.client.address),
            By::Peer => Some(asked.peer),
            By::ForwardedDepth(depth) => forwarded(asked.client).nth(depth - 1),
            By::ForwardedExcept(excluded) => forwarded(asked.client)
                .find(|address| !excluded.iter().any(|range| range.contains(address))),
            By::Header(_) | By::Host => None,
        }
    }

    /// Returns who shares a counter with this request.
    pub(super) fn key(&self, asked: &Asked<'_>, headers: &HeaderMap) -> Key {
        match &self.by {
            By::Host => Key::of_text(asked.host.as_bytes()),
            By::Header(name) => {
                let value = headers.get(name).map_or(&[][..], |value| value.as_bytes());
                Key::of_text(value)
            }
            By::Client | By::Peer | By::ForwardedDepth(_) | By::ForwardedExcept(_) => {
                // Where nobody who is believed says more, the peer stands for whoever is behind it.
                let address = self.address(asked).unwrap_or(asked.peer);
                Key::of_address(address, self.ipv6_mask)
            }
        }
    }
}

impl Key {
    /// Returns that of an address, of which only these bits count if it is one of IPv6.
    pub(super) fn of_address(address: IpAddr, ipv6_mask: u128) -> Self {
        let bits = match address.to_canonical() {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & ipv6_mask),
        };
        Self(bits.octets())
    }

    fn of_text(text: &[u8]) -> Self {
        let mut key = [0; 16];
        blake3::Hasher::new()
            .update(text)
            .finalize_xof()
            .fill(&mut key);
        Self(key)
    }
}

// What a trusted peer's X-Forwarded-For says, from the right, as far as it can be believed.
fn forwarded(client: &ClientAddress) -> impl Iterator<Item = IpAddr> {
    let (proxies, is_forwarded) = match client.proxies.split_last() {
        Some((_peer, proxies)) => (proxies, true),
        None => (&[][..], false),
    };
    let proxies = proxies.iter().rev().copied();
    proxies.chain(is_forwarded.then_some(client.address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarded_addresses_count_from_the_right_up_to_the_client() {
        let address = |last| IpAddr::from([192, 0, 2, last]);
        let client = ClientAddress {
            address: address(1),
            peer_is_trusted: true,
            proxies: vec![address(2), address(3), address(4)],
        };
        let expected = vec![address(3), address(2), address(1)];
        assert_eq!(forwarded(&client).collect::<Vec<_>>(), expected);
        let alone = ClientAddress {
            address: address(1),
            peer_is_trusted: false,
            proxies: vec![],
        };
        assert_eq!(forwarded(&alone).count(), 0);
    }

    #[test]
    fn only_so_many_bits_of_an_ipv6_address_count() {
        let key = |text: &str, bits: u32| {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            Key::of_address(text.parse().unwrap(), mask)
        };
        assert_eq!(key("2001:db8::1", 64), key("2001:db8::2", 64));
        assert_ne!(key("2001:db8::1", 128), key("2001:db8::2", 128));
        assert_ne!(key("192.0.2.1", 64), key("192.0.2.2", 64));
        assert_eq!(key("::ffff:192.0.2.1", 1), key("192.0.2.1", 128));
    }
}
