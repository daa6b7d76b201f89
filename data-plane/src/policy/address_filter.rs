//! Address filters: who may ask, by address.

use http::StatusCode;
use ipnet::IpNet;

use crate::policy::InvalidPolicy;
use crate::policy::passage::Asked;
use crate::policy::source::Source;
use crate::proxy::Cause;

/// An address filter.
pub(super) struct AddressFilter {
    allowed: Vec<IpNet>,
    denied: Vec<IpNet>,
    source: Source,
    status: StatusCode,
}

impl AddressFilter {
    pub(super) fn new(filter: &sluice_proto::AddressFilter) -> Result<Self, InvalidPolicy> {
        let status = StatusCode::from_u16(filter.status).ok();
        let status = status.filter(|status| status.is_client_error() || status.is_server_error());
        Ok(Self {
            allowed: filter.allowed.clone(),
            denied: filter.denied.clone(),
            source: Source::new(&filter.source)?,
            status: status.ok_or(InvalidPolicy::Status(filter.status))?,
        })
    }

    /// Lets welcome addresses pass. Where nobody can say which address it is, it is not welcome.
    pub(super) fn admit(&self, asked: &Asked<'_>) -> Result<(), Cause> {
        let address = self.source.address(asked);
        let is_welcome = address.is_some_and(|address| {
            let is_in = |ranges: &[IpNet]| ranges.iter().any(|range| range.contains(&address));
            !is_in(&self.denied) && (self.allowed.is_empty() || is_in(&self.allowed))
        });
        if is_welcome {
            Ok(())
        } else {
            Err(Cause::AddressDenied(self.status))
        }
    }
}
