//! Settings: what holds for the whole edge, or for the routes of one IngressClass.

use std::time::Duration;

use ipnet::IpNet;

use crate::certificate::CertificateName;
use crate::error::InvalidResource;
use crate::settings_name::SettingsName;
use crate::wire;

/// What holds for the whole edge, or for the routes of one IngressClass.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Whose they are.
    pub name: SettingsName,
    /// Ranges whose peers may say who the client is.
    pub trusted_ranges: Vec<IpNet>,
    /// The request header, in lower case, that a trusted peer names the client in.
    pub client_address_header: String,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// How much a stranger may send.
    pub limits: Limits,
    /// What is logged of each request.
    pub access_log: AccessLog,
    /// What a TLS client gets whose host has no certificate.
    pub missing_certificate: MissingCertificate,
    /// Ranges whose peers may read the metrics of a data plane.
    pub metrics_ranges: Vec<IpNet>,
    /// The certificate that hosts without one of their own get.
    pub default_certificate: CertificateName,
    /// The lowest version of TLS that is spoken with clients.
    pub tls_minimum_version: TlsVersion,
    /// The named sets that the trusted ranges have the ranges of, for people.
    pub trusted_sets: Vec<TrustedSet>,
}

/// A named set of ranges, as it stood on a day.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TrustedSet {
    /// Its name.
    pub name: String,
    /// The day, such as `2023-09-28`; empty if nobody says.
    pub date: String,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum TlsVersion {
    /// TLS 1.2.
    #[default]
    Tls12,
    /// TLS 1.3.
    Tls13,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: SettingsName::EDGE,
            trusted_ranges: Vec::new(),
            client_address_header: "x-forwarded-for".to_owned(),
            timeouts: Timeouts::default(),
            limits: Limits::default(),
            access_log: AccessLog::default(),
            missing_certificate: MissingCertificate::DefaultCertificate,
            metrics_ranges: Vec::new(),
            default_certificate: CertificateName::default_certificate(),
            tls_minimum_version: TlsVersion::default(),
            trusted_sets: Vec::new(),
        }
    }
}

/// How long things may take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timeouts {
    /// To open a connection to an endpoint, each try.
    pub connect: Duration,
    /// For a client to send its TLS hello, and then the header section of a request.
    pub request_headers: Duration,
    /// A connection of a client without a request.
    pub client_idle: Duration,
    /// Between two pieces of a request's body.
    pub request_body_idle: Duration,
    /// From the request sent to the header section of the endpoint's response.
    pub response_headers: Duration,
    /// Between two pieces of a response's body.
    pub response_body_idle: Duration,
    /// A pooled connection to an endpoint without a request.
    pub endpoint_idle: Duration,
    /// An upgraded connection on which neither side sends.
    pub upgrade_idle: Duration,
    /// What is in flight when a data plane is told to stop.
    pub drain: Duration,
    /// Without the control plane, until endpoints count as stale.
    pub endpoints_stale: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            request_headers: Duration::from_secs(15),
            client_idle: Duration::from_secs(180),
            request_body_idle: Duration::from_secs(60),
            response_headers: Duration::from_secs(60),
            response_body_idle: Duration::from_secs(300),
            endpoint_idle: Duration::from_secs(30),
            upgrade_idle: Duration::from_secs(3600),
            drain: Duration::from_secs(25),
            endpoints_stale: Duration::from_secs(30),
        }
    }
}

/// How much a stranger may send.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Bytes of a request's header section.
    pub header_bytes: u32,
    /// Header fields of a request.
    pub header_count: u32,
    /// Connections of clients to one data plane.
    pub connections: u32,
    /// Requests at once on one HTTP/2 connection.
    pub concurrent_streams: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_bytes: 65_536,
            header_count: 128,
            // 744 MiB at the 31 KiB of an idle TLS connection: they fit into the memory that the DaemonSet may use.
            connections: 24_576,
            concurrent_streams: 128,
        }
    }
}

/// What is logged of each request.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct AccessLog {
    /// Whether one JSON line is written for each request.
    pub enabled: bool,
}

/// What a TLS client gets whose host has no certificate.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum MissingCertificate {
    /// The default certificate.
    #[default]
    DefaultCertificate,
    /// A refused handshake.
    RefuseHandshake,
}

impl Settings {
    pub(crate) fn parse(name: &str, message: wire::Settings) -> Result<Self, InvalidResource> {
        let default = Self::default();
        let header = message.client_address_header.to_ascii_lowercase();
        Ok(Self {
            name: SettingsName::parse(name),
            trusted_ranges: ranges("trusted_ranges", &message.trusted_ranges)?,
            client_address_header: if header.is_empty() {
                default.client_address_header
            } else {
                header
            },
            timeouts: timeouts(message.timeouts.unwrap_or_default())?,
            limits: limits(message.limits.unwrap_or_default())?,
            access_log: AccessLog {
                enabled: message.access_log.unwrap_or_default().enabled,
            },
            missing_certificate: missing_certificate(message.missing_certificate)?,
            metrics_ranges: ranges("metrics_ranges", &message.metrics_ranges)?,
            default_certificate: CertificateName::non_empty(&message.default_certificate)
                .unwrap_or(default.default_certificate),
            tls_minimum_version: TlsVersion::parse(message.tls_minimum_version)?,
            trusted_sets: (message.trusted_sets.into_iter())
                .map(|set| TrustedSet {
                    name: set.name,
                    date: set.date,
                })
                .collect(),
        })
    }
}

impl TlsVersion {
    pub(crate) fn parse(value: i32) -> Result<Self, InvalidResource> {
        use wire::settings::TlsVersion as Wire;
        let known = Wire::try_from(value).map_err(|_| InvalidResource::UnknownValue {
            field: "tls_minimum_version",
            value,
        })?;
        Ok(match known {
            Wire::Tls12 => Self::Tls12,
            Wire::Tls13 => Self::Tls13,
        })
    }

    pub(crate) fn to_wire(self) -> i32 {
        match self {
            Self::Tls12 => wire::settings::TlsVersion::Tls12.into(),
            Self::Tls13 => wire::settings::TlsVersion::Tls13.into(),
        }
    }
}

impl From<&Settings> for wire::Settings {
    fn from(settings: &Settings) -> Self {
        let missing_certificate = match settings.missing_certificate {
            MissingCertificate::DefaultCertificate => {
                wire::settings::MissingCertificate::DefaultCertificate
            }
            MissingCertificate::RefuseHandshake => {
                wire::settings::MissingCertificate::RefuseHandshake
            }
        };
        Self {
            trusted_ranges: texts(&settings.trusted_ranges),
            client_address_header: settings.client_address_header.clone(),
            timeouts: Some((&settings.timeouts).into()),
            limits: Some((&settings.limits).into()),
            access_log: Some(wire::AccessLog {
                enabled: settings.access_log.enabled,
            }),
            missing_certificate: missing_certificate.into(),
            metrics_ranges: texts(&settings.metrics_ranges),
            default_certificate: settings.default_certificate.to_string(),
            tls_minimum_version: settings.tls_minimum_version.to_wire(),
            trusted_sets: (settings.trusted_sets.iter())
                .map(|set| wire::TrustedSet {
                    name: set.name.clone(),
                    date: set.date.clone(),
                })
                .collect(),
        }
    }
}

impl From<&Timeouts> for wire::Timeouts {
    fn from(timeouts: &Timeouts) -> Self {
        let ms = |duration| Some(milliseconds(duration));
        Self {
            connect_ms: ms(timeouts.connect),
            request_headers_ms: ms(timeouts.request_headers),
            client_idle_ms: ms(timeouts.client_idle),
            request_body_idle_ms: ms(timeouts.request_body_idle),
            response_headers_ms: ms(timeouts.response_headers),
            response_body_idle_ms: ms(timeouts.response_body_idle),
            endpoint_idle_ms: ms(timeouts.endpoint_idle),
            upgrade_idle_ms: ms(timeouts.upgrade_idle),
            drain_ms: ms(timeouts.drain),
            endpoints_stale_ms: ms(timeouts.endpoints_stale),
        }
    }
}

impl From<&Limits> for wire::Limits {
    fn from(limits: &Limits) -> Self {
        Self {
            header_bytes: Some(limits.header_bytes),
            header_count: Some(limits.header_count),
            connections: Some(limits.connections),
            concurrent_streams: Some(limits.concurrent_streams),
        }
    }
}

/// Returns the CIDR ranges, or the error that names `field`.
pub(crate) fn ranges(
    field: &'static str,
    values: &[String],
) -> Result<Vec<IpNet>, InvalidResource> {
    let range = |value: &String| {
        let parsed = value.parse();
        parsed.map_err(|source| InvalidResource::AddressRange {
            field,
            value: value.clone(),
            source,
        })
    };
    values.iter().map(range).collect()
}

/// Returns so many milliseconds, or the error that names `field`.
pub(crate) fn timeout(field: &'static str, ms: u64) -> Result<Duration, InvalidResource> {
    if (1..=MAX_TIMEOUT_MS).contains(&ms) {
        Ok(Duration::from_millis(ms))
    } else {
        Err(InvalidResource::Range {
            field,
            value: ms,
            range: "1 ms to 30 days",
        })
    }
}

pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn missing_certificate(value: i32) -> Result<MissingCertificate, InvalidResource> {
    use wire::settings::MissingCertificate as Wire;
    let known = Wire::try_from(value).map_err(|_| InvalidResource::UnknownValue {
        field: "missing_certificate",
        value,
    })?;
    Ok(match known {
        Wire::DefaultCertificate => MissingCertificate::DefaultCertificate,
        Wire::RefuseHandshake => MissingCertificate::RefuseHandshake,
    })
}

fn texts(ranges: &[IpNet]) -> Vec<String> {
    ranges.iter().map(ToString::to_string).collect()
}

fn timeouts(message: wire::Timeouts) -> Result<Timeouts, InvalidResource> {
    let default = Timeouts::default();
    let ms = |field, value: Option<u64>, default| {
        value.map_or(Ok(default), |value| timeout(field, value))
    };
    Ok(Timeouts {
        connect: ms("connect_ms", message.connect_ms, default.connect)?,
        request_headers: ms(
            "request_headers_ms",
            message.request_headers_ms,
            default.request_headers,
        )?,
        client_idle: ms(
            "client_idle_ms",
            message.client_idle_ms,
            default.client_idle,
        )?,
        request_body_idle: ms(
            "request_body_idle_ms",
            message.request_body_idle_ms,
            default.request_body_idle,
        )?,
        response_headers: ms(
            "response_headers_ms",
            message.response_headers_ms,
            default.response_headers,
        )?,
        response_body_idle: ms(
            "response_body_idle_ms",
            message.response_body_idle_ms,
            default.response_body_idle,
        )?,
        endpoint_idle: ms(
            "endpoint_idle_ms",
            message.endpoint_idle_ms,
            default.endpoint_idle,
        )?,
        upgrade_idle: ms(
            "upgrade_idle_ms",
            message.upgrade_idle_ms,
            default.upgrade_idle,
        )?,
        drain: ms("drain_ms", message.drain_ms, default.drain)?,
        endpoints_stale: ms(
            "endpoints_stale_ms",
            message.endpoints_stale_ms,
            default.endpoints_stale,
        )?,
    })
}

fn limits(message: wire::Limits) -> Result<Limits, InvalidResource> {
    let default = Limits::default();
    let number = |field, value: Option<u32>, default, (most, range)| match value {
        None => Ok(default),
        Some(value) if (1..=most).contains(&value) => Ok(value),
        Some(value) => Err(InvalidResource::Range {
            field,
            value: u64::from(value),
            range,
        }),
    };
    Ok(Limits {
        header_bytes: number(
            "header_bytes",
            message.header_bytes,
            default.header_bytes,
            MAX_HEADER_BYTES,
        )?,
        header_count: number(
            "header_count",
            message.header_count,
            default.header_count,
            MAX_HEADER_COUNT,
        )?,
        connections: number("connections", message.connections, default.connections, ANY)?,
        concurrent_streams: number(
            "concurrent_streams",
            message.concurrent_streams,
            default.concurrent_streams,
            ANY,
        )?,
    })
}

const MAX_TIMEOUT_MS: u64 = 30 * 24 * 3_600_000;
const MAX_HEADER_BYTES: (u32, &str) = (16 << 20, "1 to 16777216");
const MAX_HEADER_COUNT: (u32, &str) = (16_384, "1 to 16384");
const ANY: (u32, &str) = (u32::MAX, "1 to 4294967295");
