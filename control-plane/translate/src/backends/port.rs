//! Which port of a Service a path names, and what its endpoints speak.
//!
//! It does not know the endpoints themselves.

use k8s_openapi::api::core::v1::{ServicePort, ServiceSpec};
use k8s_openapi::api::networking::v1::{IngressServiceBackend, ServiceBackendPort};
use sluice_proto::BackendProtocol;

use crate::backends::NoBackend;
use crate::problem::{Fault, ProblemCode};

/// Returns the port of the Service that the path names.
pub(super) fn chosen(
    named: &IngressServiceBackend,
    spec: &ServiceSpec,
    is_external: bool,
) -> Result<ServicePort, NoBackend> {
    let port = named.port.clone().unwrap_or_default();
    let matches = |candidate: &&ServicePort| match &port {
        ServiceBackendPort {
            name: Some(name),
            number: None,
        } => candidate.name.as_ref() == Some(name),
        ServiceBackendPort { number, .. } => Some(candidate.port) == *number,
    };
    if port.name.is_some() == port.number.is_some() {
        return Err(NoBackend::Ingress(
            "service.port",
            Fault::new(
                ProblemCode::BackendInvalid,
                "the backend names its port not at all or twice; the path answers 503",
                "Set either number or name of the port",
            ),
        ));
    }
    match (tcp_ports(spec).find(matches), port.number) {
        (Some(port), _) => Ok(port.clone()),
        // "port: may be omitted" for a Service that is just another name.
        (None, Some(number)) if is_external && spec.ports.as_ref().is_none_or(Vec::is_empty) => {
            Ok(ServicePort {
                port: number,
                ..ServicePort::default()
            })
        }
        (None, _) => Err(missing(named, spec)),
    }
}

/// Returns the ports of a Service that requests can be sent to: the same number may be open for UDP, too (HTTP/3).
pub(crate) fn tcp_ports(spec: &ServiceSpec) -> impl Iterator<Item = &ServicePort> {
    let ports = spec.ports.iter().flatten();
    ports.filter(|port| port.protocol.as_deref().unwrap_or("TCP") == "TCP")
}

pub(super) fn missing(named: &IngressServiceBackend, spec: &ServiceSpec) -> NoBackend {
    let port = named.port.clone().unwrap_or_default();
    let (field, port) = match (port.name, port.number) {
        (Some(name), _) => ("service.port.name", format!("named {name:?}")),
        (None, number) => (
            "service.port.number",
            number.unwrap_or_default().to_string(),
        ),
    };
    let ports = spec.ports.iter().flatten().map(|port| {
        let name = port
            .name
            .as_ref()
            .map_or_else(String::new, |name| format!(" ({name})"));
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        format!("{}/{protocol}{name}", port.port)
    });
    let ports: Vec<_> = ports.collect();
    let remedy = if ports.is_empty() {
        "Give the Service a port".to_owned()
    } else {
        format!("Name one that it has: {}", ports.join(", "))
    };
    NoBackend::Ingress(
        field,
        Fault::new(
            ProblemCode::ServicePortMissing,
            format!(
                "the Service {} has no TCP port {port}; the path answers 503",
                named.name
            ),
            remedy,
        ),
    )
}

/// Returns what the endpoints speak, by TLS or in clear. "Kubernetes-defined prefixed names: `kubernetes.io/h2c`: HTTP/2 prior
/// knowledge over cleartext"; the others were in use before.
pub(super) fn protocol(
    named: &IngressServiceBackend,
    port: &ServicePort,
    by_tls: bool,
) -> Result<BackendProtocol, NoBackend> {
    let name = port.app_protocol.as_deref().unwrap_or_default();
    if matches!(name, "https" | "wss" | "grpcs" | "kubernetes.io/wss") && !by_tls {
        return Err(NoBackend::Ingress(
            "service.port",
            Fault::new(
                ProblemCode::UpstreamTlsMissing,
                format!(
                    "port {} of the Service {} has the appProtocol {name}, but nothing says which certificate its \
                     endpoints must show; the path answers 503",
                    port.port, named.name
                ),
                "Say it by upstreamTls in a Policy, or by the annotation ingress.sluice.dev/upstream-tls",
            ),
        ));
    }
    Ok(match name {
        "kubernetes.io/h2c" | "h2c" | "grpc" | "grpcs" => BackendProtocol::H2c,
        _ => BackendProtocol::Http1,
    })
}

/// Returns the number, if it is that of a port.
pub(super) fn number(number: i32) -> Option<u16> {
    u16::try_from(number).ok().filter(|number| *number != 0)
}
