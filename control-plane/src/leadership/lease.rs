//! Reads and writes the Lease of the control plane.
//!
//! It decides nothing. A write goes through only if nobody wrote since the read: the API server compares the versions.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Api, PostParams};
use tokio::time::timeout;

use crate::leadership::LEASE;
use crate::leadership::election::{Claim, Record};

/// The Lease, in the API server.
pub(super) struct LeaseFile {
    api: Api<Lease>,
    namespace: String,
}

/// Why the Lease cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeaseError {
    /// The API server refuses, or is away.
    #[error("the API server does not give or take it")]
    Api(#[source] kube::Error),
    /// RBAC forbids it.
    #[error(
        "it is forbidden; apply the Role and RoleBinding named sluice-control-plane of the manifests"
    )]
    Forbidden(#[source] kube::Error),
    /// The API server did not answer.
    #[error("the API server does not answer")]
    Late,
}

impl LeaseFile {
    pub(super) fn new(client: kube::Client, namespace: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
        }
    }

    /// Returns the Lease, if there is one.
    pub(super) async fn read(&self) -> Result<Option<Lease>, LeaseError> {
        self.api.get_opt(LEASE).await.map_err(LeaseError::of)
    }

    /// Writes this claim over the Lease that was found. Returns whether nobody was faster.
    pub(super) async fn write(
        &self,
        found: Option<Lease>,
        claim: &Claim,
    ) -> Result<bool, LeaseError> {
        let is_new = found.is_none();
        let lease = claimed(
            found.unwrap_or_default(),
            claim,
            MicroTime(Timestamp::now()),
        );
        let parameters = PostParams::default();
        let written = if is_new {
            self.api.create(&parameters, &lease).await
        } else {
            self.api.replace(LEASE, &parameters, &lease).await
        };
        match written {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.code == CONFLICT => Ok(false),
            Err(error) => Err(LeaseError::of(error)),
        }
    }

    /// Gives up the Lease, if this replica still holds it.
    pub(super) async fn release(&self, identity: &str) -> Result<(), LeaseError> {
        let release = async {
            let Some(mut lease) = self.read().await? else {
                return Ok(());
            };
            if record(&lease).holder != identity {
                return Ok(());
            }
            lease.spec.get_or_insert_default().holder_identity = Some(String::new());
            let parameters = PostParams::default();
            match self.api.replace(LEASE, &parameters, &lease).await {
                // Whoever was faster has taken it.
                Err(kube::Error::Api(status)) if status.code == CONFLICT => Ok(()),
                released => released.map(drop).map_err(LeaseError::of),
            }
        };
        timeout(RELEASE, release)
            .await
            .unwrap_or(Err(LeaseError::Late))
    }
}

impl fmt::Display for LeaseFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{LEASE}", self.namespace)
    }
}

impl LeaseError {
    /// Returns the error and its cause in one line.
    pub(super) fn line(&self) -> String {
        match self {
            Self::Api(source) | Self::Forbidden(source) => format!("{self}: {source}"),
            Self::Late => self.to_string(),
        }
    }

    fn of(error: kube::Error) -> Self {
        match &error {
            kube::Error::Api(status) if status.is_forbidden() => Self::Forbidden(error),
            _ => Self::Api(error),
        }
    }
}

/// Returns what a Lease says.
pub(super) fn record(lease: &Lease) -> Record {
    let spec = lease.spec.clone().unwrap_or_default();
    let seconds = spec.lease_duration_seconds.unwrap_or_default();
    let annotations = lease.metadata.annotations.as_ref();
    Record {
        version: lease.metadata.resource_version.clone().unwrap_or_default(),
        holder: spec.holder_identity.unwrap_or_default(),
        address: annotations.and_then(|annotations| annotations.get(ADDRESS).cloned()),
        lasts: Duration::from_secs(u64::try_from(seconds).unwrap_or_default()),
    }
}

fn claimed(mut lease: Lease, claim: &Claim, now: MicroTime) -> Lease {
    let annotations = lease.metadata.annotations.get_or_insert_default();
    match &claim.address {
        Some(address) => annotations.insert(ADDRESS.to_owned(), address.clone()),
        None => annotations.remove(ADDRESS),
    };
    lease.metadata = ObjectMeta {
        name: Some(LEASE.to_owned()),
        ..lease.metadata
    };
    let spec = lease.spec.take().unwrap_or_default();
    let transitions = spec.lease_transitions;
    lease.spec = Some(LeaseSpec {
        holder_identity: Some(claim.holder.clone()),
        lease_duration_seconds: i32::try_from(claim.lasts.as_secs()).ok(),
        acquire_time: if claim.taken {
            Some(now.clone())
        } else {
            spec.acquire_time
        },
        lease_transitions: match transitions {
            Some(transitions) if claim.taken => Some(transitions.saturating_add(1)),
            None => Some(0),
            same => same,
        },
        renew_time: Some(now),
        preferred_holder: None,
        strategy: None,
    });
    lease
}

const ADDRESS: &str = "ingress.sluice.dev/stream-address";
const CONFLICT: u16 = 409;
/// The process is about to end.
const RELEASE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_reads_as_it_was_written() {
        let mut claim = Claim {
            holder: "a".to_owned(),
            address: Some("10.0.0.1:8443".to_owned()),
            lasts: Duration::from_secs(15),
            taken: true,
        };
        let first = MicroTime(Timestamp::UNIX_EPOCH);
        let lease = claimed(Lease::default(), &claim, first.clone());
        let read = record(&lease);
        assert_eq!(
            (read.holder, read.address),
            (claim.holder.clone(), claim.address.clone())
        );
        assert_eq!(read.lasts, claim.lasts);

        claim.taken = false;
        claim.address = None;
        let later = MicroTime(Timestamp::MAX);
        let renewed = claimed(lease, &claim, later.clone());
        assert_eq!(record(&renewed).address, None);
        let spec = renewed.spec.clone().unwrap_or_default();
        assert_eq!(
            (spec.acquire_time, spec.renew_time),
            (Some(first), Some(later.clone()))
        );
        assert_eq!(spec.lease_transitions, Some(0));

        claim.taken = true;
        let spec = claimed(renewed, &claim, later.clone())
            .spec
            .unwrap_or_default();
        assert_eq!(
            (spec.acquire_time, spec.lease_transitions),
            (Some(later), Some(1))
        );
    }
}
