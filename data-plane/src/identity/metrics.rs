//! What Prometheus reads of the identity: from when to when its certificates are valid.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use crate::identity::CertificateLifetime;
use crate::metrics::Metrics;

/// The identity's metrics.
#[derive(Clone, Debug, Default)]
pub(super) struct IdentityMetrics {
    not_before: Family<CertificateLabel, Gauge>,
    not_after: Family<CertificateLabel, Gauge>,
}

impl IdentityMetrics {
    /// Returns them, to be encoded with these others.
    pub(super) fn register(metrics: &Metrics) -> Self {
        let own = Self::default();
        metrics.extend(|registry| {
            registry.register(
                "identity_certificate_not_before_timestamp_seconds",
                "When the certificate that the control plane is shown, and the authority, begin, in seconds since 1970",
                own.not_before.clone(),
            );
            registry.register(
                "identity_certificate_not_after_timestamp_seconds",
                "When the certificate that the control plane is shown, and the authority, end, in seconds since 1970",
                own.not_after.clone(),
            );
        });
        own
    }

    pub(super) fn set(&self, lifetimes: &[CertificateLifetime]) {
        for lifetime in lifetimes {
            let certificate = lifetime.name;
            let label = CertificateLabel { certificate };
            let not_before = self.not_before.get_or_create(&label);
            not_before.set(lifetime.not_before_unix_s);
            let not_after = self.not_after.get_or_create(&label);
            not_after.set(lifetime.not_after_unix_s);
        }
    }
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct CertificateLabel {
    certificate: &'static str,
}
