//! Turns what a path names, a Service and one of its ports, into a backend.
//!
//! It does not find endpoints (`endpoints.rs`). Every backend is made once for an Ingress, however many paths name it, and
//! is the same for all Ingresses that name it.

mod port;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::api::networking::v1::{IngressBackend, IngressServiceBackend};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use sluice_proto::{
    Backend, BackendName, BackendProtocol, BackendTarget, ObjectReference, Policy, Problem, Route,
    RouteAction, Sticky, UpstreamTls,
};

use crate::annotations;
use crate::external_name;
use crate::object;
use crate::objects::{Name, Objects};
use crate::problem::{Fault, ProblemCode, Problems};
use crate::traefik::{self, Scheme};

pub(crate) use crate::backends::port::tcp_ports;

/// The backends that the paths of an Ingress name.
pub(crate) struct Backends<'a> {
    objects: &'a Objects,
    allow_external_name: bool,
    /// How endpoints are spoken to by TLS on behalf of the Ingress, whatever their Services say, and whose object says so.
    upstream_tls: Option<(ObjectReference, UpstreamTls)>,
    used: BTreeMap<BackendName, UsedBackend>,
}

/// A backend that a path names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct UsedBackend {
    pub(crate) backend: Backend,
    /// Of which Service (namespace, name) it takes which endpoints; `None` for a name outside of the cluster.
    pub(crate) served: Option<(Name, ServedPort)>,
}

/// What a path names.
pub(crate) struct Resolved {
    pub(crate) name: BackendName,
    /// What is done to the requests that it answers, in the order in which it is done.
    pub(crate) policies: Vec<Arc<Policy>>,
    /// How a client comes back to the endpoint that it was with.
    pub(crate) sticky: Option<Sticky>,
}

/// A port of a Service that a route names, as its EndpointSlices know it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ServedPort {
    pub(crate) backend: BackendName,
    /// The name of the Service's port; empty for none. The slices' ports have the same.
    pub(crate) name: String,
    /// Where a pod listens if its slice does not say.
    pub(crate) target: Option<u16>,
    /// The Service's own address, if that is spoken to instead of its endpoints.
    pub(crate) native: Option<SocketAddr>,
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
    pub(crate) const fn new(
        objects: &'a Objects,
        allow_external_name: bool,
        upstream_tls: Option<(ObjectReference, UpstreamTls)>,
    ) -> Self {
        Self {
            objects,
            allow_external_name,
            upstream_tls,
            used: BTreeMap::new(),
        }
    }

    /// Returns the backend that this is in this namespace.
    pub(crate) fn resolve(
        &mut self,
        namespace: &str,
        backend: &IngressBackend,
        problems: &mut Problems,
    ) -> Result<Resolved, NoBackend> {
        let named = named_service(backend)?;
        let service = self.objects.service(namespace, &named.name);
        let service = service.ok_or_else(|| service_missing(namespace, &named.name))?;
        let reference = object::reference(service, &service.metadata);
        let written = service.metadata.annotations.as_ref();
        let judgement = annotations::judge(self.objects, written, &reference, problems);
        if let Some(problem) = judgement.unavailable {
            return Err(NoBackend::Reported(Box::new(problem)));
        }
        let default = ServiceSpec::default();
        let spec = service.spec.as_ref().unwrap_or(&default);
        let is_external = spec.type_.as_deref() == Some("ExternalName");
        let port = port::chosen(named, spec, is_external)?;
        let number = port::number(port.port).ok_or_else(|| port::missing(named, spec))?;
        let mut name = BackendName::of_service(namespace, &named.name, number);
        if let Some((object, _)) = &self.upstream_tls {
            name = name.spoken_to_by(object);
        }
        let resolved = Resolved {
            name: name.clone(),
            policies: judgement.policies,
            sticky: traefik::sticky(written, &service_id(namespace, named), &reference, problems),
        };
        if self.used.contains_key(&name) {
            return Ok(resolved);
        }
        let tls = match &self.upstream_tls {
            Some((_, tls)) => Some(tls.clone()),
            None => traefik::upstream_tls(self.objects, written, &reference, &port, problems)
                .map_err(NoBackend::Reported)?,
        };
        let protocol = match traefik::scheme(written) {
            Some(Scheme::H2c) => BackendProtocol::H2c,
            Some(Scheme::Http | Scheme::Https) => BackendProtocol::Http1,
            None => port::protocol(named, &port, tls.is_some())?,
        };
        let (target, served) = if is_external {
            (self.external_name(named, spec, number)?, None)
        } else {
            let target = BackendTarget::Endpoints {
                cluster_addresses: cluster_addresses(service, spec, number, problems),
            };
            let key = (namespace.to_owned(), named.name.clone());
            let mut served = served(&port, number, name.clone());
            if let Some(key) = traefik::native(written) {
                served.native = native(spec, number, (&reference, key), problems);
            }
            (target, Some((key, served)))
        };
        let backend = Backend {
            tls,
            own_host: !traefik::passes_host(written),
            name: name.clone(),
            protocol,
            target,
        };
        self.used.insert(name, UsedBackend { backend, served });
        Ok(resolved)
    }

    /// Returns all of them.
    pub(crate) fn into_used(self) -> BTreeMap<BackendName, UsedBackend> {
        self.used
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
                    "Set ingress.allowExternalName in the settings if everybody who may write a Service may \
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
}

/// Returns how Traefik calls what a path names.
fn service_id(namespace: &str, named: &IngressServiceBackend) -> String {
    let port = named.port.clone().unwrap_or_default();
    let number = port.number.unwrap_or_default();
    let port = port.name.unwrap_or_else(|| number.to_string());
    traefik::service_id(namespace, &named.name, &port)
}

fn served(port: &ServicePort, number: u16, backend: BackendName) -> ServedPort {
    ServedPort {
        backend,
        name: port.name.clone().unwrap_or_default(),
        target: match &port.target_port {
            None => Some(number),
            Some(IntOrString::Int(target)) => port::number(*target),
            // Each pod may have another number for it: only the slices know.
            Some(IntOrString::String(_)) => None,
        },
        native: None,
    }
}

/// Returns the backends that a route names.
pub(crate) fn backends_of(route: &Route) -> impl Iterator<Item = &BackendName> {
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

/// Returns the Service's own address, which its annotation asks for.
fn native(
    spec: &ServiceSpec,
    port: u16,
    (service, annotation): (&ObjectReference, &str),
    problems: &mut Problems,
) -> Option<SocketAddr> {
    let address = spec.cluster_ip.as_deref().and_then(|own| own.parse().ok());
    if address.is_none() {
        let fault = Fault::new(
            ProblemCode::AnnotationMalformed,
            "it asks for the Service's own address, and there is none; its endpoints are spoken to",
            "Remove the annotation, or give the Service an address",
        );
        problems.add(fault.at(service, format!("metadata.annotations[{annotation}]")));
    }
    Some(SocketAddr::new(address?, port))
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

/// How the message ends of whoever is no backend.
pub(crate) const COST: &str = "; the path answers 503";
