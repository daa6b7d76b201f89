//! What of a request a policy counts by, or compares.

use ipnet::IpNet;

use crate::error::InvalidResource;
use crate::settings::ranges;
use crate::wire;

/// What of a request is counted by, or compared.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Source {
    /// What it is.
    pub by: SourceBy,
    /// How many bits of an IPv6 address count, 1 to 128; `None` for all.
    pub ipv6_prefix: Option<u8>,
}

/// What a [`Source`] is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum SourceBy {
    /// The client's address, as the settings have it determined.
    #[default]
    Client,
    /// The address that the connection comes from.
    Peer,
    /// The address of a trusted peer's `X-Forwarded-For` at this place from the right, counted from 1.
    ForwardedDepth(u32),
    /// The rightmost address of a trusted peer's `X-Forwarded-For` outside these ranges.
    ForwardedExcept(Vec<IpNet>),
    /// The value of this request header.
    Header(String),
    /// The host that is asked for.
    Host,
}

impl From<SourceBy> for Source {
    fn from(by: SourceBy) -> Self {
        Self {
            by,
            ipv6_prefix: None,
        }
    }
}

impl TryFrom<Option<wire::Source>> for Source {
    type Error = InvalidResource;

    fn try_from(message: Option<wire::Source>) -> Result<Self, InvalidResource> {
        use wire::source::By;
        let message = message.unwrap_or_default();
        let by = match message.by {
            None | Some(By::Client(_)) => SourceBy::Client,
            Some(By::Peer(_)) => SourceBy::Peer,
            Some(By::Host(_)) => SourceBy::Host,
            Some(By::Header(name)) => SourceBy::Header(name),
            Some(By::ForwardedFor(forwarded)) if forwarded.depth > 0 => {
                SourceBy::ForwardedDepth(forwarded.depth)
            }
            Some(By::ForwardedFor(forwarded)) => {
                SourceBy::ForwardedExcept(ranges("source.excluded", &forwarded.excluded)?)
            }
        };
        let ipv6_prefix = match message.ipv6_prefix {
            0 => None,
            bits => match u8::try_from(bits) {
                Ok(bits) if bits <= 128 => Some(bits),
                _ => {
                    return Err(InvalidResource::Range {
                        field: "source.ipv6_prefix",
                        value: u64::from(bits),
                        range: "0 to 128",
                    });
                }
            },
        };
        Ok(Self { by, ipv6_prefix })
    }
}

impl From<&Source> for wire::Source {
    fn from(source: &Source) -> Self {
        use wire::source::{By, Client, ForwardedFor, Peer, RequestHost};
        let by = match &source.by {
            SourceBy::Client => By::Client(Client {}),
            SourceBy::Peer => By::Peer(Peer {}),
            SourceBy::Host => By::Host(RequestHost {}),
            SourceBy::Header(name) => By::Header(name.clone()),
            SourceBy::ForwardedDepth(depth) => By::ForwardedFor(ForwardedFor {
                depth: *depth,
                excluded: Vec::new(),
            }),
            SourceBy::ForwardedExcept(excluded) => By::ForwardedFor(ForwardedFor {
                depth: 0,
                excluded: excluded.iter().map(ToString::to_string).collect(),
            }),
        };
        Self {
            by: Some(by),
            ipv6_prefix: source.ipv6_prefix.map_or(0, u32::from),
        }
    }
}
