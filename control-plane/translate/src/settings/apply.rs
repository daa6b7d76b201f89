//! What settings say, put over what holds without them, field by field.

use sluice_proto::{AccessLog, Limits, MissingCertificate, Settings, Timeouts, TlsVersion};

use crate::settings::spec::{
    IngressSpec, LimitsSpec, MissingCertificateSpec, ProxySetSpec, SettingsSpec, StatusSpec,
    TimeoutsSpec, TlsVersionSpec, TrustedProxiesSpec,
};
use crate::settings::value::{Number, Range, Timeout};
use crate::settings::{
    EdgeSettings, IngressSettings, PolicyReference, ProxySet, SecretReference, StatusSettings,
};

impl SettingsSpec {
    /// Has what it says hold in place of what did.
    pub(super) fn apply(self, to: &mut EdgeSettings) {
        if let Some(listeners) = self.listeners {
            to.listeners = listeners.0;
        }
        if let Some(secret) = self.default_certificate {
            to.default_certificate = Some(SecretReference {
                namespace: secret.namespace.0,
                name: secret.secret_name.0,
            });
        }
        if let Some(missing) = self.missing_certificate {
            to.edge.missing_certificate = match missing {
                MissingCertificateSpec::DefaultCertificate => {
                    MissingCertificate::DefaultCertificate
                }
                MissingCertificateSpec::RefuseHandshake => MissingCertificate::RefuseHandshake,
            };
        }
        if let Some(version) = self.tls.unwrap_or_default().minimum_version {
            to.edge.tls_minimum_version = match version {
                TlsVersionSpec::Tls12 => TlsVersion::Tls12,
                TlsVersionSpec::Tls13 => TlsVersion::Tls13,
            };
        }
        for (name, set) in self.proxy_sets.unwrap_or_default() {
            to.proxy_sets.insert(name.0, set.into_set());
        }
        if let Some(policies) = self.policies {
            let policies = policies.into_iter().map(|policy| PolicyReference {
                namespace: policy.namespace.0,
                name: policy.name.0,
            });
            to.policies = policies.collect();
        }
        if let Some(enabled) = self.access_log.unwrap_or_default().enabled {
            to.edge.access_log = AccessLog { enabled };
        }
        if let Some(allowed) = self.metrics.unwrap_or_default().allowed_ranges {
            to.edge.metrics_ranges = ranges(allowed);
        }
        self.ingress.unwrap_or_default().apply(&mut to.ingress);
        self.trusted_proxies.unwrap_or_default().apply(to);
        self.timeouts
            .unwrap_or_default()
            .apply(&mut to.edge.timeouts);
        self.limits.unwrap_or_default().apply(&mut to.edge.limits);
        self.status.unwrap_or_default().apply(&mut to.status);
    }
}

impl IngressSpec {
    fn apply(self, to: &mut IngressSettings) {
        if let Some(controllers) = self.controllers {
            to.controllers = controllers.0;
        }
        put(&mut to.allow_external_name, self.allow_external_name);
        put(
            &mut to.hosts_across_namespaces,
            self.hosts_across_namespaces,
        );
    }
}

impl TrustedProxiesSpec {
    // Whoever is trusted by one and writes the header of another could be made to say what a client made up.
    fn apply(self, to: &mut EdgeSettings) {
        let header = self.client_address_header.map(|header| header.0);
        if self.ranges.is_none() && self.sets.is_none() {
            return put(&mut to.edge.client_address_header, header);
        }
        to.edge.trusted_ranges = ranges(self.ranges.unwrap_or_default());
        to.trusted_sets = (self.sets.unwrap_or_default().into_iter())
            .map(|name| name.0)
            .collect();
        to.edge.client_address_header =
            header.unwrap_or_else(|| Settings::default().client_address_header);
    }
}

impl ProxySetSpec {
    fn into_set(self) -> ProxySet {
        ProxySet {
            date: self.date.map(|date| date.0).unwrap_or_default(),
            ranges: ranges(self.ranges.unwrap_or_default()),
        }
    }
}

impl TimeoutsSpec {
    fn apply(self, to: &mut Timeouts) {
        let Self {
            connect,
            request_headers,
            client_idle,
            request_body_idle,
            response_headers,
            response_body_idle,
            endpoint_idle,
            upgrade_idle,
            drain,
            endpoints_stale,
        } = self;
        for (to, from) in [
            (&mut to.connect, connect),
            (&mut to.request_headers, request_headers),
            (&mut to.client_idle, client_idle),
            (&mut to.request_body_idle, request_body_idle),
            (&mut to.response_headers, response_headers),
            (&mut to.response_body_idle, response_body_idle),
            (&mut to.endpoint_idle, endpoint_idle),
            (&mut to.upgrade_idle, upgrade_idle),
            (&mut to.drain, drain),
            (&mut to.endpoints_stale, endpoints_stale),
        ] {
            put(to, from.map(|Timeout(duration)| duration));
        }
    }
}

impl LimitsSpec {
    fn apply(self, to: &mut Limits) {
        put(&mut to.header_bytes, self.header_bytes.map(number));
        put(&mut to.header_count, self.header_count.map(number));
        put(&mut to.connections, self.connections.map(number));
        put(
            &mut to.concurrent_streams,
            self.concurrent_streams.map(number),
        );
    }
}

impl StatusSpec {
    fn apply(self, to: &mut StatusSettings) {
        put(&mut to.publish, self.publish);
        if let Some(addresses) = self.addresses {
            to.addresses = addresses.into_iter().map(|address| address.0).collect();
        }
    }
}

fn put<T>(to: &mut T, from: Option<T>) {
    if let Some(from) = from {
        *to = from;
    }
}

fn number<const MOST: u32>(number: Number<MOST>) -> u32 {
    number.0
}

fn ranges(ranges: Vec<Range>) -> Vec<ipnet::IpNet> {
    ranges.into_iter().map(|range| range.0).collect()
}
