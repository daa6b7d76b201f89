//! What of a request a limit counts by, or an allow-list compares: `sourceCriterion` and `ipStrategy`.

use serde::Deserialize;
use sluice_proto::{Source, SourceBy};

use crate::traefik::kept::Wrong;
use crate::traefik::value::{HeaderName, Range};

/// "All fields are mutually exclusive."
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct SourceCriterion {
    ip_strategy: Option<IpStrategy>,
    request_header_name: Option<String>,
    request_host: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct IpStrategy {
    depth: u32,
    #[serde(rename = "excludedIPs")]
    excluded_ips: Vec<Range>,
    #[serde(rename = "ipv6Subnet")]
    ipv6_subnet: Option<i64>,
}

impl SourceCriterion {
    /// Returns the source; `default` if nothing is said, and the client where Traefik takes the peer.
    pub(super) fn source(self, default: SourceBy) -> Result<Source, Wrong> {
        let header = self.request_header_name.filter(|name| !name.is_empty());
        match (self.ip_strategy, header, self.request_host) {
            (None, None, false) => Ok(default.into()),
            (Some(strategy), None, false) => strategy.source(SourceBy::Client),
            (None, Some(name), false) => {
                let name = serde_json::from_value::<HeaderName>(name.into());
                let name = name.map_err(|error| Wrong::new("requestHeaderName", error.to_string()));
                Ok(SourceBy::Header(name?.0).into())
            }
            (None, None, true) => Ok(SourceBy::Host.into()),
            _ => Err(Wrong::new(
                "",
                "only one of ipStrategy, requestHeaderName and requestHost may be said",
            )),
        }
        .map_err(|wrong| wrong.below("sourceCriterion"))
    }
}

impl IpStrategy {
    /// Returns the source; `default` if nothing is said.
    pub(super) fn source(self, default: SourceBy) -> Result<Source, Wrong> {
        let ipv6_prefix = match self.ipv6_subnet {
            None => None,
            Some(bits) => {
                let prefix = u8::try_from(bits)
                    .ok()
                    .filter(|bits| (1..=128).contains(bits));
                let out = || {
                    Wrong::new(
                        "ipStrategy.ipv6Subnet",
                        format!("{bits} is not in 1 to 128"),
                    )
                };
                Some(prefix.ok_or_else(out)?)
            }
        };
        // "Depth override the ExcludedIPs."
        let by = if self.depth > 0 {
            SourceBy::ForwardedDepth(self.depth)
        } else if self.excluded_ips.is_empty() {
            default
        } else {
            let mut excluded: Vec<_> = self.excluded_ips.into_iter().map(|range| range.0).collect();
            excluded.sort();
            excluded.dedup();
            SourceBy::ForwardedExcept(excluded)
        };
        Ok(Source { by, ipv6_prefix })
    }
}
