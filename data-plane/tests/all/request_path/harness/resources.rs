//! Resources as a control plane would send them. Everything is in the namespace `shop`.

use std::net::SocketAddr;
use std::sync::Arc;

use sluice_proto::{
    Backend, BackendName, BackendProtocol, BackendTarget, Endpoint, EndpointState, Endpoints,
    HostPattern, Listener, ListenerProtocol, ObjectReference, PathMatch, Problem, Resource, Route,
    RouteAction, SettingsName, WeightedBackend,
};

pub(crate) fn listeners() -> [Resource; 2] {
    [
        ("http", 80, ListenerProtocol::Http),
        ("https", 443, ListenerProtocol::Https),
    ]
    .map(|(name, port, protocol)| {
        Resource::Listener(Listener {
            name: name.into(),
            address: None,
            port,
            protocol,
        })
    })
}

pub(crate) fn name(service: &str) -> BackendName {
    BackendName::of_service("shop", service, 80)
}

/// The route of the Ingress `shop/web` from this host and prefix to this Service.
pub(crate) fn route(host: &str, prefix: &str, service: &str) -> Resource {
    route_to(host, prefix, &[(service, 1)])
}

pub(crate) fn route_to(host: &str, prefix: &str, services: &[(&str, u32)]) -> Resource {
    let backends = services.iter().map(|(service, weight)| WeightedBackend {
        matches: Vec::new(),
        backend: name(service),
        weight: *weight,
    });
    Resource::Route(Arc::new(plain_route(
        host,
        prefix,
        RouteAction::Backends(backends.collect()),
    )))
}

pub(crate) fn plain_route(host: &str, prefix: &str, action: RouteAction) -> Route {
    Route {
        name: format!("shop/web {host} {prefix}").into(),
        host: HostPattern::parse(host).unwrap(),
        path: PathMatch::prefix(prefix).unwrap(),
        ingress: ObjectReference {
            kind: "Ingress".to_owned(),
            namespace: "shop".to_owned(),
            name: "web".to_owned(),
        },
        field: "spec.rules[0].http.paths[0]".to_owned(),
        created_unix_s: 0,
        action,
        certificate: None,
        policies: Vec::new(),
        sticky: None,
        priority: None,
        settings: SettingsName::EDGE,
    }
}

pub(crate) fn problem(code: &str) -> Problem {
    Problem {
        object: ObjectReference {
            kind: "Secret".to_owned(),
            namespace: "shop".to_owned(),
            name: "tls".to_owned(),
        },
        field: String::new(),
        code: code.to_owned(),
        message: "It is broken".to_owned(),
        remedy: "Mend it".to_owned(),
    }
}

pub(crate) fn unavailable(host: &str, prefix: &str, code: &str) -> Resource {
    let action = RouteAction::Unavailable(problem(code));
    Resource::Route(Arc::new(plain_route(host, prefix, action)))
}

pub(crate) fn backend(service: &str, protocol: BackendProtocol) -> Resource {
    backend_with_cluster(service, protocol, vec![])
}

pub(crate) fn backend_with_cluster(
    service: &str,
    protocol: BackendProtocol,
    cluster_addresses: Vec<SocketAddr>,
) -> Resource {
    Resource::Backend(Backend {
        tls: None,
        own_host: false,
        name: name(service),
        protocol,
        target: BackendTarget::Endpoints { cluster_addresses },
    })
}

pub(crate) fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint {
        address,
        state: EndpointState::Ready,
        node: None,
        zone: None,
    }
}

pub(crate) fn endpoints(
    service: &str,
    addresses: impl IntoIterator<Item = SocketAddr>,
) -> Resource {
    Resource::Endpoints(Endpoints {
        backend: name(service),
        endpoints: addresses.into_iter().map(endpoint).collect(),
    })
}

/// A Service and where it is: HTTP/1.1.
pub(crate) fn service(
    service: &str,
    addresses: impl IntoIterator<Item = SocketAddr>,
) -> [Resource; 2] {
    [
        backend(service, BackendProtocol::Http1),
        endpoints(service, addresses),
    ]
}
