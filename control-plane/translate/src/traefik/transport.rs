//! How endpoints of a Service are spoken to by TLS: `service.serversscheme`, and the ServersTransport that
//! `service.serverstransport` names.
//!
//! One that cannot be had makes the routes to the Service answer 503: what is behind it must not be spoken to otherwise than
//! its author meant.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::ServicePort;
use serde::Deserialize;
use serde_json::Value;
use sluice_proto::{HostPattern, ObjectReference, Problem, UpstreamTls};

use crate::duty::Duty;
use crate::needs::{NamedSecret, NamedSecrets, Needs};
use crate::objects::Objects;
use crate::problem::Problems;
use crate::traefik::annotations::{Annotations, Scheme, scheme, transports};
use crate::traefik::kept::{Kept, Spec, Wrong};
use crate::traefik::named::follow;
use crate::traefik::objects::ServersTransport;

/// What a ServersTransport means.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Transport(Needs<UpstreamTls>);

impl Transport {
    /// Reads what a ServersTransport says.
    pub(super) fn read(spec: &mut Spec<'_>) -> Result<Self, Wrong> {
        let read: TransportSpec = spec.read()?;
        if !read.peer_cert_uri.is_empty() {
            return Err(Wrong::unsupported("peerCertURI", "names that are URIs"));
        }
        if !read.spiffe.is_null() {
            return Err(Wrong::unsupported("spiffe", "SPIFFE"));
        }
        if !read.forwarding_timeouts.is_null() {
            spec.differs(
                "forwardingTimeouts",
                "the timeouts of the edge hold",
                "Set timeouts in the settings",
            );
        }
        if read.certificates_secrets.len() > 1 {
            spec.differs(
                "certificatesSecrets",
                "the first certificate is shown to every server",
                "Name one Secret",
            );
        }
        Ok(Self(Needs {
            incomplete: UpstreamTls {
                server_name: server_name(&read.server_name)?,
                insecure: read.insecure_skip_verify,
                ..UpstreamTls::default()
            },
            secrets: NamedSecrets {
                authorities: authorities(&read, spec)?,
                certificate: (read.certificates_secrets.into_iter().next())
                    .map(|secret| spec.secret("certificatesSecrets[0]", secret)),
                ..NamedSecrets::default()
            },
        }))
    }

    /// Returns the names of the Secrets that it needs.
    pub(super) fn secrets(&self) -> Vec<&str> {
        self.0.secrets()
    }
}

impl Kept<Transport> {
    pub(crate) fn of_transport(object: ObjectReference, transport: &ServersTransport) -> Self {
        let field = "spec".to_owned();
        Self::read(
            object,
            Duty::Protects,
            field,
            &transport.spec,
            Transport::read,
        )
    }
}

/// Returns how the endpoints of a Service are spoken to by TLS, `None` for in clear; or why the routes to it answer 503.
pub(crate) fn upstream_tls(
    objects: &Objects,
    annotations: Option<&Annotations>,
    service: &ObjectReference,
    port: &ServicePort,
    problems: &mut Problems,
) -> Result<Option<UpstreamTls>, Box<Problem>> {
    let transport = match transports(annotations).next() {
        Some(named) => Some(follow(
            objects,
            named,
            service,
            problems,
            |Transport(needs), reader| needs.complete(reader),
        )?),
        None => None,
    };
    let is_tls = match scheme(annotations) {
        Some(scheme) => scheme == Scheme::Https,
        // Traefik guesses so; without a ServersTransport it is not said that TLS is meant.
        None => transport.is_some() && is_https(port),
    };
    Ok(is_tls.then(|| {
        let mut tls = transport.unwrap_or_default();
        let own = || format!("{}.{}.svc", service.name, service.namespace);
        tls.server_name.get_or_insert_with(own);
        tls
    }))
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct TransportSpec {
    server_name: String,
    insecure_skip_verify: bool,
    #[serde(rename = "rootCAs")]
    root_cas: Vec<RootCa>,
    #[serde(rename = "rootCAsSecrets")]
    root_cas_secrets: Vec<String>,
    certificates_secrets: Vec<String>,
    forwarding_timeouts: Value,
    #[serde(rename = "peerCertURI")]
    peer_cert_uri: String,
    spiffe: Value,
    // Connections are Sluice's own matter.
    #[serde(rename = "disableHTTP2")]
    _disable_http2: Value,
    #[serde(rename = "maxIdleConnsPerHost")]
    _max_idle_conns_per_host: Value,
}

/// "If both a Secret and a ConfigMap reference are defined, the Secret reference takes precedence."
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RootCa {
    secret: Option<String>,
    config_map: Option<String>,
}

/// Returns the Secrets with certificates of authorities.
fn authorities(read: &TransportSpec, spec: &Spec<'_>) -> Result<Vec<NamedSecret>, Wrong> {
    let mut named = Vec::new();
    for (index, root) in read.root_cas.iter().enumerate() {
        let field = format!("rootCAs[{index}]");
        match (&root.secret, &root.config_map) {
            (Some(secret), _) if !secret.is_empty() => {
                named.push(spec.secret(&format!("{field}.secret"), secret.clone()));
            }
            (_, Some(_)) => {
                let field = format!("{field}.configMap");
                return Err(Wrong::unsupported(field, "ConfigMaps with certificates"));
            }
            _ => return Err(Wrong::new(field, "it names no Secret")),
        }
    }
    for (index, secret) in read.root_cas_secrets.iter().enumerate() {
        named.push(spec.secret(&format!("rootCAsSecrets[{index}]"), secret.clone()));
    }
    Ok(named)
}

fn server_name(name: &str) -> Result<Option<String>, Wrong> {
    let is_name = matches!(HostPattern::parse(name), Ok(HostPattern::Exact(_)));
    match name {
        "" => Ok(None),
        name if is_name || name.parse::<IpAddr>().is_ok() => Ok(Some(name.to_owned())),
        name => Err(Wrong::new("serverName", format!("{name:?} is no DNS name"))),
    }
}

fn is_https(port: &ServicePort) -> bool {
    let name = port.name.as_deref().unwrap_or_default();
    port.port == 443 || name.starts_with("https")
}
