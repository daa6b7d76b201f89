//! Writes a translation for people to read: what differs from the defaults, and never a key.

use std::collections::BTreeSet;

use serde::Serialize;
use sluice_proto::{
    Backend, BackendTarget, Certificate, ClientCertificate, Endpoint, Host, Kind, Listener, Policy,
    PolicyAction, Problem, Resource, ResourceKey, Route, RouteAction, Settings, SettingsName,
    TlsVersion,
};
use sluice_translate::{DocumentProblem, EdgeSettings, Options, Translation};

pub(crate) fn render(
    translation: &Translation,
    options: &Options,
    secrets: &BTreeSet<(String, String)>,
    documents: &[DocumentProblem],
) -> String {
    let mut output = Output {
        secrets: secrets
            .iter()
            .map(|(namespace, name)| format!("{namespace}/{name}"))
            .collect(),
        documents: documents
            .iter()
            .cloned()
            .map(|problem| problem.in_file("in.yaml"))
            .map(Wrong::of)
            .collect(),
        problems: translation
            .problems
            .iter()
            .cloned()
            .map(Wrong::of)
            .collect(),
        ..Output::default()
    };
    let defaults = EdgeSettings::default();
    for resource in translation.resources.values() {
        match &**resource {
            Resource::Listener(listener) => {
                if !defaults.listeners.contains(listener) {
                    output.listeners.push(of_listener(listener));
                }
            }
            Resource::Settings(settings) => {
                let differences = differences(settings, translation);
                if !settings.name.is_edge() || !differences.is_empty() {
                    output.settings.push(OfSettings {
                        settings: settings.name.to_string(),
                        differences,
                    });
                }
            }
            Resource::Certificate(certificate) => {
                if certificate.content.as_ref() != Ok(&options.default_certificate) {
                    output.certificates.push(of_certificate(certificate));
                }
            }
            Resource::Host(host) => output.hosts.push(of_host(host)),
            Resource::Backend(backend) => output.backends.push(of_backend(backend)),
            Resource::Endpoints(endpoints) => output.endpoints.push(OfEndpoints {
                backend: endpoints.backend.to_string(),
                endpoints: endpoints.endpoints.iter().map(of_endpoint).collect(),
            }),
            Resource::Policy(policy) => output.policies.push(of_policy(policy)),
            Resource::Route(route) => output.routes.push(OfRoute::of(route)),
        }
    }
    serde_saphyr::to_string(&output).expect("the output can be written")
}

#[derive(Default, Serialize)]
struct Output {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    listeners: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    settings: Vec<OfSettings>,
    routes: Vec<OfRoute>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    policies: Vec<OfPolicy>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hosts: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    backends: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    endpoints: Vec<OfEndpoints>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    certificates: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    secrets: Vec<String>,
    problems: Vec<Wrong>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    documents: Vec<Wrong>,
}

/// What of settings differs: those of the edge from the defaults, those of a class from the edge's.
#[derive(Serialize)]
struct OfSettings {
    settings: String,
    differences: Vec<String>,
}

#[derive(Serialize)]
struct OfRoute {
    route: String,
    field: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    backends: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unavailable: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    policies: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sticky: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<String>,
}

#[derive(Serialize)]
struct OfPolicy {
    policy: String,
    does: String,
}

#[derive(Serialize)]
struct OfEndpoints {
    backend: String,
    endpoints: Vec<String>,
}

#[derive(Serialize)]
struct Wrong {
    object: String,
    field: String,
    code: String,
    message: String,
    remedy: String,
}

impl OfRoute {
    fn of(route: &Route) -> Self {
        let weighted = |weighted: &sluice_proto::WeightedBackend| {
            let mut text = weighted.backend.to_string();
            if weighted.weight != 1 {
                text.push_str(&format!(" (weight {})", weighted.weight));
            }
            for found in &weighted.matches {
                text.push_str(&format!(" {:?} {:?}", found.by, found.value));
            }
            text
        };
        let (backends, unavailable) = match &route.action {
            RouteAction::Backends(backends) => {
                let backends: Vec<_> = backends.iter().map(weighted).collect();
                (Some(backends.join(", ")), None)
            }
            RouteAction::Unavailable(problem) => (None, Some(problem.code.clone())),
        };
        Self {
            route: route.name.to_string(),
            field: route.field.clone(),
            backends,
            unavailable,
            certificate: route.certificate.as_ref().map(ToString::to_string),
            policies: route.policies.iter().map(ToString::to_string).collect(),
            sticky: (route.sticky.as_ref()).map(|sticky| format!("{sticky:?}")),
            priority: route.priority,
            settings: (!route.settings.is_edge()).then(|| route.settings.to_string()),
        }
    }
}

impl Wrong {
    fn of(problem: Problem) -> Self {
        Self {
            object: problem.object.to_string(),
            field: problem.field,
            code: problem.code,
            message: problem.message,
            remedy: problem.remedy,
        }
    }
}

fn of_listener(listener: &Listener) -> String {
    let address = listener
        .address
        .map_or_else(|| "*".to_owned(), |address| address.to_string());
    format!(
        "{} {:?} on {address} port {}",
        listener.name, listener.protocol, listener.port
    )
}

/// Hashes and keys are not shown: `Debug` leaves them out.
fn of_policy(policy: &Policy) -> OfPolicy {
    OfPolicy {
        policy: policy.name.to_string(),
        does: match &policy.action {
            PolicyAction::ClientCertificate(certificate) => of_client_certificate(certificate),
            action => format!("{action:?}"),
        },
    }
}

fn of_client_certificate(certificate: &ClientCertificate) -> String {
    let authorities = certificate.authorities.as_ref().map(Vec::len);
    format!(
        "ClientCertificate of {authorities:?} authorities, optional: {}",
        certificate.optional
    )
}

fn of_host(host: &Host) -> String {
    let mut text = host.pattern.to_string();
    if let Some(certificate) = &host.certificate {
        text.push_str(&format!(" with {certificate}"));
    }
    for policy in &host.client_certificates {
        text.push_str(&format!(" asking for {policy}"));
    }
    if host.tls_minimum_version > TlsVersion::Tls12 {
        text.push_str(" by TLS 1.3");
    }
    if !host.settings.is_edge() {
        text.push_str(&format!(" under {}", host.settings));
    }
    text
}

fn differences(settings: &Settings, translation: &Translation) -> Vec<String> {
    let edge = ResourceKey::new(Kind::Settings, SettingsName::EDGE.as_str());
    let mut from = match &*translation.resources[&edge] {
        Resource::Settings(edge) if !settings.name.is_edge() => (**edge).clone(),
        _ => Settings::default(),
    };
    if !settings.name.is_edge() {
        from.metrics_ranges.clear();
    }
    let fields = said(settings).into_iter().zip(said(&from));
    fields
        .filter(|(own, from)| own != from)
        .map(|(own, _)| own)
        .collect()
}

fn said(settings: &Settings) -> Vec<String> {
    let (timeouts, limits) = (&settings.timeouts, &settings.limits);
    vec![
        format!("trusted_ranges: {:?}", settings.trusted_ranges),
        format!("trusted_sets: {:?}", settings.trusted_sets),
        format!("client_address_header: {}", settings.client_address_header),
        format!("timeouts.connect: {:?}", timeouts.connect),
        format!("timeouts.request_headers: {:?}", timeouts.request_headers),
        format!("timeouts.client_idle: {:?}", timeouts.client_idle),
        format!(
            "timeouts.request_body_idle: {:?}",
            timeouts.request_body_idle
        ),
        format!("timeouts.response_headers: {:?}", timeouts.response_headers),
        format!(
            "timeouts.response_body_idle: {:?}",
            timeouts.response_body_idle
        ),
        format!("timeouts.endpoint_idle: {:?}", timeouts.endpoint_idle),
        format!("timeouts.upgrade_idle: {:?}", timeouts.upgrade_idle),
        format!("timeouts.drain: {:?}", timeouts.drain),
        format!("timeouts.endpoints_stale: {:?}", timeouts.endpoints_stale),
        format!("{limits:?}"),
        format!("access_log: {}", settings.access_log.enabled),
        format!("missing_certificate: {:?}", settings.missing_certificate),
        format!("metrics_ranges: {:?}", settings.metrics_ranges),
        format!("default_certificate: {}", settings.default_certificate),
        format!("tls_minimum_version: {:?}", settings.tls_minimum_version),
    ]
}

fn of_backend(backend: &Backend) -> String {
    let target = match &backend.target {
        BackendTarget::ExternalName { name, port } => format!("to the name {name} port {port}"),
        BackendTarget::Endpoints { cluster_addresses } if cluster_addresses.is_empty() => {
            "headless".to_owned()
        }
        BackendTarget::Endpoints { cluster_addresses } => {
            let addresses: Vec<_> = cluster_addresses.iter().map(ToString::to_string).collect();
            format!("of {}", addresses.join(", "))
        }
    };
    let mut text = format!("{} {:?} {target}", backend.name, backend.protocol);
    if let Some(tls) = &backend.tls {
        text.push_str(&format!(" by {tls:?}"));
    }
    if backend.own_host {
        text.push_str(" with their own host");
    }
    text
}

fn of_endpoint(endpoint: &Endpoint) -> String {
    let mut text = format!("{} {:?}", endpoint.address, endpoint.state);
    if let Some(node) = &endpoint.node {
        text.push_str(&format!(" on {node}"));
    }
    if let Some(zone) = &endpoint.zone {
        text.push_str(&format!(" in {zone}"));
    }
    text
}

fn of_certificate(certificate: &Certificate) -> String {
    match &certificate.content {
        Ok(material) => format!(
            "{} for {:?}, {} in the chain, until {}",
            certificate.name,
            material.names,
            material.chain.len(),
            material.not_after_unix_s
        ),
        Err(problem) => format!("{} unavailable: {}", certificate.name, problem.code),
    }
}
