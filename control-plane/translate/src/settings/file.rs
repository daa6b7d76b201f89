//! The settings file as it is written, and its way to [`EdgeSettings`].
//!
//! Every range is checked while it is read, so that the error knows the line; the limits are those of the data planes.

use serde::Deserialize;
use serde_saphyr::Spanned;
use sluice_proto::{AccessLog, Limits, MissingCertificate, Settings, Timeouts};

use crate::settings::listeners::{ListenerFile, check};
use crate::settings::value::{Controllers, Header, Number, PublishedAddress, Range, Text, Timeout};
use crate::settings::{
    EdgeSettings, IngressSettings, SecretReference, SettingsError, StatusSettings,
};
use crate::yaml;

/// Parses the text of a settings file.
pub(super) fn parse(text: &str) -> Result<EdgeSettings, SettingsError> {
    let (file, _) = yaml::read::<Option<File>>(text).map_err(|unreadable| SettingsError {
        line: unreadable.line,
        // What knows its line is wrapped, and the wrapper calls its content "value".
        field: unreadable.field.replace(".value", ""),
        reason: unreadable.reason,
    })?;
    let file = file.unwrap_or_default();
    let default = EdgeSettings::default();
    let trusted_proxies = file.trusted_proxies.unwrap_or_default();
    Ok(EdgeSettings {
        listeners: match file.listeners {
            Some(listeners) => check(listeners)?,
            None => default.listeners,
        },
        ingress: file.ingress.unwrap_or_default().into_settings(),
        default_certificate: file.default_certificate.map(|secret| SecretReference {
            namespace: secret.namespace.0,
            name: secret.secret_name.0,
        }),
        status: file.status.unwrap_or_default().into_settings(),
        edge: Settings {
            trusted_ranges: trusted_proxies
                .ranges
                .unwrap_or_default()
                .into_iter()
                .map(|range| range.0)
                .collect(),
            client_address_header: (trusted_proxies.client_address_header)
                .map_or(default.edge.client_address_header, |header| header.0),
            timeouts: file.timeouts.unwrap_or_default().into_timeouts(),
            limits: file.limits.unwrap_or_default().into_limits(),
            access_log: AccessLog {
                enabled: file.access_log.unwrap_or_default().enabled,
            },
            missing_certificate: match file.missing_certificate {
                MissingCertificateFile::DefaultCertificate => {
                    MissingCertificate::DefaultCertificate
                }
                MissingCertificateFile::RefuseHandshake => MissingCertificate::RefuseHandshake,
            },
            metrics_ranges: (file.metrics.unwrap_or_default().allowed_ranges)
                .unwrap_or_default()
                .into_iter()
                .map(|range| range.0)
                .collect(),
        },
    })
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct File {
    listeners: Option<Spanned<Vec<Spanned<ListenerFile>>>>,
    ingress: Option<IngressFile>,
    default_certificate: Option<SecretFile>,
    trusted_proxies: Option<TrustedProxiesFile>,
    timeouts: Option<TimeoutsFile>,
    limits: Option<LimitsFile>,
    access_log: Option<AccessLogFile>,
    missing_certificate: MissingCertificateFile,
    metrics: Option<MetricsFile>,
    status: Option<StatusFile>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct IngressFile {
    controllers: Option<Controllers>,
    allow_external_name: Option<bool>,
    hosts_across_namespaces: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SecretFile {
    namespace: Text,
    secret_name: Text,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct TrustedProxiesFile {
    ranges: Option<Vec<Range>>,
    client_address_header: Option<Header>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct TimeoutsFile {
    connect: Option<Timeout>,
    request_headers: Option<Timeout>,
    client_idle: Option<Timeout>,
    request_body_idle: Option<Timeout>,
    response_headers: Option<Timeout>,
    response_body_idle: Option<Timeout>,
    endpoint_idle: Option<Timeout>,
    upgrade_idle: Option<Timeout>,
    drain: Option<Timeout>,
    endpoints_stale: Option<Timeout>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct LimitsFile {
    header_bytes: Option<Number<{ 16 << 20 }>>,
    header_count: Option<Number<16_384>>,
    connections: Option<Number<{ u32::MAX }>>,
    concurrent_streams: Option<Number<{ u32::MAX }>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct AccessLogFile {
    enabled: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct MetricsFile {
    allowed_ranges: Option<Vec<Range>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct StatusFile {
    publish: Option<bool>,
    addresses: Option<Vec<PublishedAddress>>,
}

#[derive(Clone, Copy, Default, Deserialize)]
enum MissingCertificateFile {
    #[default]
    DefaultCertificate,
    RefuseHandshake,
}

impl IngressFile {
    fn into_settings(self) -> IngressSettings {
        let default = IngressSettings::default();
        IngressSettings {
            controllers: self
                .controllers
                .map_or(default.controllers, |controllers| controllers.0),
            allow_external_name: self
                .allow_external_name
                .unwrap_or(default.allow_external_name),
            hosts_across_namespaces: (self.hosts_across_namespaces)
                .unwrap_or(default.hosts_across_namespaces),
        }
    }
}

impl StatusFile {
    fn into_settings(self) -> StatusSettings {
        let default = StatusSettings::default();
        let addresses = self.addresses.unwrap_or_default().into_iter();
        StatusSettings {
            publish: self.publish.unwrap_or(default.publish),
            addresses: addresses.map(|address| address.0).collect(),
        }
    }
}

impl TimeoutsFile {
    fn into_timeouts(self) -> Timeouts {
        let default = Timeouts::default();
        let or = |timeout: Option<Timeout>, default| timeout.map_or(default, |timeout| timeout.0);
        Timeouts {
            connect: or(self.connect, default.connect),
            request_headers: or(self.request_headers, default.request_headers),
            client_idle: or(self.client_idle, default.client_idle),
            request_body_idle: or(self.request_body_idle, default.request_body_idle),
            response_headers: or(self.response_headers, default.response_headers),
            response_body_idle: or(self.response_body_idle, default.response_body_idle),
            endpoint_idle: or(self.endpoint_idle, default.endpoint_idle),
            upgrade_idle: or(self.upgrade_idle, default.upgrade_idle),
            drain: or(self.drain, default.drain),
            endpoints_stale: or(self.endpoints_stale, default.endpoints_stale),
        }
    }
}

impl LimitsFile {
    fn into_limits(self) -> Limits {
        let default = Limits::default();
        Limits {
            header_bytes: self
                .header_bytes
                .map_or(default.header_bytes, |number| number.0),
            header_count: self
                .header_count
                .map_or(default.header_count, |number| number.0),
            connections: self
                .connections
                .map_or(default.connections, |number| number.0),
            concurrent_streams: (self.concurrent_streams)
                .map_or(default.concurrent_streams, |number| number.0),
        }
    }
}
