//! Turns what a path names, a Service and one of its ports, into a backend.
//!
//! It does not find endpoints (`endpoints.rs`). Every backend is made once, however many paths name it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::api::networking::v1::{IngressBackend, IngressServiceBackend, ServiceBackendPort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use sluice_proto::{
    Backend, BackendName, BackendProtocol, BackendTarget, Problem, Route, RouteAction,
};

use crate::annotations;
use crate::external_name;
use crate::object;
use crate::objects::Objects;
use crate::problem::{Fault, ProblemCode, Problems};

/// The backends that routes name.
pub(crate) struct Backends<'a> {
    objects: &'a Objects,
    allow_external_name: bool,
    made: BTreeMap<BackendName, Backend>,
    services: Services,
}

/// The ports of each Service (namespace, name) that routes name and that has endpoints.
pub(crate) type Services = BTreeMap<(String, String), Vec<ServedPort>>;

/// A port of a Service that a route names, as its EndpointSlices know it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ServedPort {
    pub(crate) backend: BackendName,
    /// The name of the Service's port; empty for none. The slices' ports have the same.
    pub(crate) name: String,
    /// Where a pod listens if its slice does not say.
    pub(crate) target: Option<u16>,
}

/// Why a path has no backend.
#[derive(Debug)]
pub(crate) enum NoBackend {
    /// The Ingress is at fault: in this field below its backend.
    Ingress(&'static str, Fault),
    /// Another object is, and that is reported already.
    Reported(Box<Problem>),
}

impl<'a> Backends<'a> {
    pub(crate) const fn new(objects: &'a Objects, allow_external_name: bool) -> Self {
        Self {
            objects,
            allow_external_name,
            made: BTreeMap::new(),
            services: BTreeMap::new(),
        }
    }

    /// Returns the name of the backend that this is in this namespace.
    pub(crate) fn resolve(
        &mut self,
        namespace: &str,
        backend: &IngressBackend,
        problems: &mut Problems,
    ) -> Result<BackendName, NoBackend> {
        let named = named_service(backend)?;
        let service = self.objects.service(namespace, &named.name);
        let service = service.ok_or_else(|| service_missing(namespace, &named.name))?;
        let judgement = annotations::judge(
            service.metadata.annotations.as_ref(),
            &object::reference(service, &service.metadata),
            problems,
        );
        if let Some(problem) = judgement.unavailable {
            return Err(NoBackend::Reported(Box::new(problem)));
        }
        let default = ServiceSpec::default();
        let spec = service.spec.as_ref().unwrap_or(&default);
        let is_external = spec.type_.as_deref() == Some("ExternalName");
        let port = chosen_port(named, spec, is_external)?;
        let number = port_number(port.port).ok_or_else(|| port_missing(named, spec))?;
        let name = BackendName::of_service(namespace, &named.name, number);
        if self.made.contains_key(&name) {
            return Ok(name);
        }
        let protocol = protocol(named, &port)?;
        let target = if is_external {
            self.external_name(named, spec, number)?
        } else {
            self.serve(namespace, &named.name, &port, number, name.clone());
            BackendTarget::Endpoints {
                cluster_addresses: cluster_addresses(service, spec, number, problems),
            }
        };
        let backend = Backend {
            name: name.clone(),
            protocol,
            target,
        };
        self.made.insert(name.clone(), backend);
        Ok(name)
    }

    /// Returns those that a route names after all, and where their endpoints come from.
    pub(crate) fn into_parts(
        mut self,
        routes: &[Route],
    ) -> (BTreeMap<BackendName, Backend>, Services) {
        let named: BTreeSet<_> = routes.iter().flat_map(backends_of).collect();
        self.made.retain(|name, _| named.contains(name));
        for ports in self.services.values_mut() {
            ports.retain(|port| named.contains(&port.backend));
        }
        self.services.retain(|_, ports| !ports.is_empty());
        (self.made, self.services)
    }

    fn external_name(
        &self,
        named: &IngressServiceBackend,
        spec: &ServiceSpec,
        port: u16,
    ) -> Result<BackendTarget, NoBackend> {
        if !self.allow_external_name {
            return Err(NoBackend::Ingress(
                "service.name",
                Fault::new(
                    ProblemCode::ExternalNameForbidden,
                    format!(
                        "the Service {} is of type ExternalName, which is off; the path answers 503",
                        named.name
                    ),
                    "Set ingress.allowExternalName in the settings file if everybody who may write a Service may \
                     also choose what the edge connects to",
                ),
            ));
        }
        let written = spec.external_name.as_deref().unwrap_or_default();
        match external_name::check(written) {
            Ok(name) => Ok(BackendTarget::ExternalName { name, port }),
            Err(reason) => Err(NoBackend::Ingress(
                "service.name",
                Fault::new(
                    ProblemCode::ExternalNameUnsafe,
                    format!(
                        "the externalName {written:?} of the Service {} {reason}; the path answers 503",
                        named.name
                    ),
                    "Name a public DNS name there, or use a Service with a selector or an EndpointSlice of its own",
                ),
            )),
        }
    }

    fn serve(
        &mut self,
        namespace: &str,
        service: &str,
        port: &ServicePort,
        number: u16,
        backend: BackendName,
    ) {
        let key = (namespace.to_owned(), service.to_owned());
        self.services.entry(key).or_default().push(ServedPort {
            backend,
            name: port.name.clone().unwrap_or_default(),
            target: match &port.target_port {
                None => Some(number),
                Some(IntOrString::Int(target)) => port_number(*target),
                // Each pod may have another number for it: only the slices know.
                Some(IntOrString::String(_)) => None,
            },
        });
    }
}

fn backends_of(route: &Route) -> impl Iterator<Item = &BackendName> {
    let backends = match &route.action {
        RouteAction::Backends(backends) => backends.as_slice(),
        RouteAction::Unavailable(_) => &[],
    };
    backends.iter().map(|weighted| &weighted.backend)
}

fn named_service(backend: &IngressBackend) -> Result<&IngressServiceBackend, NoBackend> {
    match (&backend.service, &backend.resource) {
        (Some(service), None) if !service.name.is_empty() => Ok(service),
        (None, Some(resource)) => Err(NoBackend::Ingress(
            "resource",
            Fault::new(
                ProblemCode::ResourceBackendUnsupported,
                format!(
                    "a {} as a backend is not supported; the path answers 503",
                    resource.kind
                ),
                "Name a Service",
            ),
        )),
        _ => Err(NoBackend::Ingress(
            "service",
            Fault::new(
                ProblemCode::BackendInvalid,
                "the backend names no Service, or one beside a resource; the path answers 503",
                "Name one Service and one of its ports",
            ),
        )),
    }
}

fn service_missing(namespace: &str, name: &str) -> NoBackend {
    NoBackend::Ingress(
        "service.name",
        Fault::new(
            ProblemCode::ServiceMissing,
            format!("there is no Service {namespace}/{name}; the path answers 503"),
            "Create the Service, or correct its name",
        ),
    )
}

/// Returns the port of the Service that the path names.
fn chosen_port(
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
    let candidates = spec.ports.iter().flatten();
    // The same number may be open for UDP, too (HTTP/3).
    let tcp =
        candidates.filter(|candidate| candidate.protocol.as_deref().unwrap_or("TCP") == "TCP");
    match (tcp.clone().find(matches), port.number) {
        (Some(port), _) => Ok(port.clone()),
        // "port: may be omitted" for a Service that is just another name.
        (None, Some(number)) if is_external && spec.ports.as_ref().is_none_or(Vec::is_empty) => {
            Ok(ServicePort {
                port: number,
                ..ServicePort::default()
            })
        }
        (None, _) => Err(port_missing(named, spec)),
    }
}

fn port_missing(named: &IngressServiceBackend, spec: &ServiceSpec) -> NoBackend {
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

/// Returns what the endpoints speak. "Kubernetes-defined prefixed names: `kubernetes.io/h2c`: HTTP/2 prior knowledge
/// over cleartext"; `h2c` and `grpc` were in use before.
fn protocol(
    named: &IngressServiceBackend,
    port: &ServicePort,
) -> Result<BackendProtocol, NoBackend> {
    match port.app_protocol.as_deref() {
        Some("kubernetes.io/h2c" | "h2c" | "grpc") => Ok(BackendProtocol::H2c),
        Some(protocol @ ("https" | "wss" | "grpcs" | "kubernetes.io/wss")) => {
            Err(NoBackend::Ingress(
                "service.port",
                Fault::new(
                    ProblemCode::ProtocolUnsupported,
                    format!(
                        "port {} of the Service {} has the appProtocol {protocol}, but TLS to endpoints is not supported \
                     yet; the path answers 503",
                        port.port, named.name
                    ),
                    "Use a port that speaks HTTP in clear",
                ),
            ))
        }
        _ => Ok(BackendProtocol::Http1),
    }
}

/// Returns the Service's own addresses; none for a headless one.
fn cluster_addresses(
    service: &Service,
    spec: &ServiceSpec,
    port: u16,
    problems: &mut Problems,
) -> Vec<SocketAddr> {
    let several = spec
        .cluster_ips
        .as_ref()
        .filter(|several| !several.is_empty());
    let written: Vec<&String> = match several {
        Some(several) => several.iter().collect(),
        None => spec.cluster_ip.iter().collect(),
    };
    let mut addresses = Vec::new();
    for address in written
        .into_iter()
        .filter(|address| !matches!(address.as_str(), "" | "None"))
    {
        match address.parse::<IpAddr>() {
            Ok(address) => addresses.push(SocketAddr::new(address, port)),
            Err(_) => {
                let fault = Fault::new(
                    ProblemCode::ServiceAddressInvalid,
                    format!(
                        "{address:?} is no IP address; it cannot stand in for endpoints that are stale"
                    ),
                    "Leave the field to Kubernetes",
                );
                let object = object::reference(service, &service.metadata);
                problems.add(fault.at(&object, "spec.clusterIPs"));
            }
        }
    }
    addresses.sort();
    addresses.dedup();
    addresses
}

fn port_number(number: i32) -> Option<u16> {
    u16::try_from(number).ok().filter(|number| *number != 0)
}
