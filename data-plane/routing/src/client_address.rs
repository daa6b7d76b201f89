//! Who the client is: the TCP peer, or whom trusted proxies before it name in a header.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

/// Whose word counts, and in which header.
#[derive(Clone, Debug, Default)]
pub struct TrustedPeers {
    ranges: Vec<IpNet>,
    header: ClientAddressHeader,
}

/// How a trusted peer names the client.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum ClientAddressHeader {
    /// `X-Forwarded-For`: every proxy appends its peer, so what a client made up is on the left and is never reached.
    #[default]
    ForwardedFor,
    /// A header with one address, in lower case, such as `cf-connecting-ip`.
    Single(String),
}

/// Who a request is from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientAddress {
    /// The client.
    pub address: IpAddr,
    /// Whether the peer may say things about the request.
    pub peer_is_trusted: bool,
    /// The trusted proxies between the client and the peer, in the order in which the request went through them, and the
    /// peer itself; empty if the peer is the client.
    pub proxies: Vec<IpAddr>,
}

impl TrustedPeers {
    /// Returns what these ranges and this header (its name in lower case) say.
    #[must_use]
    pub fn new(ranges: Vec<IpNet>, header: &str) -> Self {
        let header = match header {
            "x-forwarded-for" => ClientAddressHeader::ForwardedFor,
            single => ClientAddressHeader::Single(single.to_owned()),
        };
        Self { ranges, header }
    }

    /// Returns the name of the header, in lower case.
    #[must_use]
    pub fn header_name(&self) -> &str {
        match &self.header {
            ClientAddressHeader::ForwardedFor => "x-forwarded-for",
            ClientAddressHeader::Single(name) => name,
        }
    }

    /// Returns whether this address is in a trusted range.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.ranges.iter().any(|range| range.contains(&address))
    }

    /// Returns who the client is of a request from `peer` with these values of the header, in their order.
    ///
    /// What does not parse is not trusted, nor is anything left of it: the client is then the last proxy that was
    /// reached.
    #[must_use]
    pub fn client<'a>(
        &self,
        peer: IpAddr,
        values: impl DoubleEndedIterator<Item = &'a [u8]>,
    ) -> ClientAddress {
        let peer = peer.to_canonical();
        if !self.contains(peer) {
            return ClientAddress {
                address: peer,
                peer_is_trusted: false,
                proxies: Vec::new(),
            };
        }
        let (address, proxies) = match self.header {
            ClientAddressHeader::ForwardedFor => self.count_from_the_right(peer, values),
            ClientAddressHeader::Single(_) => match single(values) {
                Some(client) if client != peer => (client, vec![peer]),
                _ => (peer, Vec::new()),
            },
        };
        ClientAddress {
            address,
            peer_is_trusted: true,
            proxies,
        }
    }

    fn count_from_the_right<'a>(
        &self,
        peer: IpAddr,
        values: impl DoubleEndedIterator<Item = &'a [u8]>,
    ) -> (IpAddr, Vec<IpAddr>) {
        let mut client = peer;
        let mut proxies = Vec::new();
        for item in values
            .rev()
            .flat_map(|value| value.rsplit(|byte| *byte == b','))
        {
            let Some(address) = parse(item) else {
                break;
            };
            proxies.push(client);
            client = address;
            if !self.contains(address) {
                break;
            }
        }
        proxies.reverse();
        (client, proxies)
    }
}

fn single<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Option<IpAddr> {
    let value = values.next()?;
    // Twice the header is two opinions: whoever added the second is not known.
    values.next().is_none().then(|| parse(value))?
}

// An address, with a port if a proxy adds one ("[2001:db8::1]:4711"; "192.0.2.1:4711").
fn parse(item: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(item).ok()?.trim_matches([' ', '\t']);
    let bare = text.parse::<IpAddr>().ok();
    let with_port = || Some(text.parse::<SocketAddr>().ok()?.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    Some(bare.or_else(with_port).or_else(bracketed)?.to_canonical())
}

#[cfg(test)]
mod tests;
