//! `ipAllowList`, and `ipWhiteList` as it was called before.

use serde::Deserialize;
use sluice_proto::{AddressFilter, PolicyAction, SourceBy};

use crate::traefik::kept::{Meaning, Spec, Wrong};
use crate::traefik::kinds::source::IpStrategy;
use crate::traefik::value::Range;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct IpAllowListSpec {
    source_range: Vec<Range>,
    ip_strategy: Option<IpStrategy>,
    reject_status_code: u16,
}

pub(super) fn ip_allow_list(spec: &mut Spec<'_>) -> Result<Meaning, Wrong> {
    let read: IpAllowListSpec = spec.read()?;
    if read.source_range.is_empty() {
        return Err(Wrong::new("sourceRange", "it is empty"));
    }
    let status = match read.reject_status_code {
        0 => AddressFilter::FORBIDDEN,
        status if (400..=599).contains(&status) => status,
        status => {
            let reason = format!("{status} is not in 400 to 599");
            return Err(Wrong::new("rejectStatusCode", reason));
        }
    };
    let mut allowed: Vec<_> = read.source_range.into_iter().map(|range| range.0).collect();
    allowed.sort();
    allowed.dedup();
    Ok(spec.means(PolicyAction::AddressFilter(AddressFilter {
        allowed,
        denied: Vec::new(),
        source: read
            .ip_strategy
            .unwrap_or_default()
            .source(SourceBy::Peer)?,
        status,
    })))
}
