//! The endpoints of one port of one Service: all its EndpointSlices, merged.
//!
//! It does not know routes, so that pods may come and go without a route being looked at.

use std::net::{IpAddr, SocketAddr};

use k8s_openapi::api::discovery::v1::{EndpointConditions, EndpointPort, EndpointSlice};
use sluice_proto::{Endpoint, EndpointState, Endpoints, ObjectReference};

use crate::backends::ServedPort;
use crate::object;
use crate::objects::Objects;
use crate::problem::{Fault, ProblemCode, Problems};

/// Returns the endpoints of this port.
pub(crate) fn endpoints(
    objects: &Objects,
    namespace: &str,
    service: &str,
    port: &ServedPort,
    problems: &mut Problems,
) -> Endpoints {
    if let Some(address) = port.native {
        return Endpoints {
            backend: port.backend.clone(),
            endpoints: vec![Endpoint {
                address,
                state: EndpointState::Ready,
                node: None,
                zone: None,
            }],
        };
    }
    let mut found = Vec::new();
    let mut unready = false;
    let mut other_port = false;
    for slice in objects.slices_of(namespace, service) {
        if !matches!(slice.address_type.as_str(), "IPv4" | "IPv6") {
            report_unsupported(slice, problems);
            continue;
        }
        let Some(number) = port_in(slice, port) else {
            other_port |= !slice.endpoints.is_empty();
            continue;
        };
        for (index, endpoint) in slice.endpoints.iter().enumerate() {
            let Some(state) = state(endpoint.conditions.as_ref()) else {
                unready = true;
                continue;
            };
            // "These are all assumed to be fungible and clients may choose to only use the first element."
            let written = endpoint.addresses.first().map_or("", String::as_str);
            match usable(written) {
                Ok(address) => found.push(Endpoint {
                    address: SocketAddr::new(address, number),
                    state,
                    node: known(endpoint.node_name.as_deref()),
                    zone: known(endpoint.zone.as_deref()),
                }),
                Err(reason) => report_address(slice, index, written, reason, problems),
            }
        }
    }
    // An endpoint may be in two slices for a moment while it moves: ready counts.
    found.sort();
    found.dedup_by_key(|endpoint| endpoint.address);
    if found.is_empty() {
        let reason = reason(objects, namespace, service, (unready, other_port));
        report_none(namespace, service, port, reason, problems);
    }
    Endpoints {
        backend: port.backend.clone(),
        endpoints: found,
    }
}

/// Returns the number that the slice has for the Service's port: "the name of this port must match" the Service's.
fn port_in(slice: &EndpointSlice, port: &ServedPort) -> Option<u16> {
    let is_meant = |candidate: &&EndpointPort| {
        candidate.name.as_deref().unwrap_or_default() == port.name
            && candidate.protocol.as_deref().unwrap_or("TCP") == "TCP"
    };
    let found = slice.ports.iter().flatten().find(is_meant)?;
    match found.port {
        Some(number) => u16::try_from(number).ok().filter(|number| *number != 0),
        // "If this is not specified, ports are not restricted": the Service says where.
        None => port.target,
    }
}

/// Returns what an endpoint is good for, if anything.
fn state(conditions: Option<&EndpointConditions>) -> Option<EndpointState> {
    let default = EndpointConditions::default();
    let conditions = conditions.unwrap_or(&default);
    // "A nil value should be interpreted as `true`" for ready and serving, "as `false`" for terminating.
    if conditions.ready.unwrap_or(true) {
        Some(EndpointState::Ready)
    } else if conditions.serving.unwrap_or(true) && conditions.terminating.unwrap_or(false) {
        Some(EndpointState::Terminating)
    } else {
        None
    }
}

/// Returns the address, if a connection to it can reach a pod. An API server refuses loopback and link-local ones;
/// without an API server they are what a user runs on the own machine.
fn usable(written: &str) -> Result<IpAddr, &'static str> {
    match written.parse::<IpAddr>() {
        Err(_) => Err("is no IP address"),
        Ok(address) if address.is_unspecified() => Err("is no address of anybody"),
        Ok(address) if address.is_multicast() => Err("is a multicast address"),
        Ok(address) => Ok(address),
    }
}

fn known(name: Option<&str>) -> Option<std::sync::Arc<str>> {
    name.filter(|name| !name.is_empty()).map(Into::into)
}

fn report_unsupported(slice: &EndpointSlice, problems: &mut Problems) {
    let fault = Fault::new(
        ProblemCode::EndpointSliceUnsupported,
        format!(
            "its addressType {:?} is not supported; it is passed over",
            slice.address_type
        ),
        "Use an EndpointSlice of IPv4 or IPv6 addresses, or a Service of type ExternalName",
    );
    problems.add(fault.at(&object::reference(slice, &slice.metadata), "addressType"));
}

fn report_address(
    slice: &EndpointSlice,
    index: usize,
    written: &str,
    reason: &str,
    problems: &mut Problems,
) {
    let fault = Fault::new(
        ProblemCode::EndpointAddressInvalid,
        format!("{written:?} {reason}; the endpoint is passed over"),
        "Correct the address",
    );
    let field = format!("endpoints[{index}].addresses[0]");
    problems.add(fault.at(&object::reference(slice, &slice.metadata), field));
}

/// Returns why nobody serves a port, and what helps.
fn reason(
    objects: &Objects,
    namespace: &str,
    service: &str,
    (unready, other_port): (bool, bool),
) -> (&'static str, &'static str) {
    let service = objects.service(namespace, service);
    let selector = service.and_then(|service| service.spec.as_ref()?.selector.as_ref());
    if unready {
        (
            "none of its endpoints is ready",
            "See why its pods are not ready: kubectl describe pod",
        )
    } else if other_port {
        (
            "its EndpointSlices do not have this port",
            "Give the port of the EndpointSlices the name of the Service's port",
        )
    } else if selector.is_some_and(|selector| !selector.is_empty()) {
        (
            "its selector selects no pod",
            "Start a pod that the selector selects, or correct the selector",
        )
    } else {
        (
            "it has no selector, and no EndpointSlice of its own",
            "Give it a selector, or an EndpointSlice with the label kubernetes.io/service-name",
        )
    }
}

fn report_none(
    namespace: &str,
    service: &str,
    port: &ServedPort,
    (reason, remedy): (&str, &str),
    problems: &mut Problems,
) {
    let object = ObjectReference {
        kind: "Service".to_owned(),
        namespace: namespace.to_owned(),
        name: service.to_owned(),
    };
    let fault = Fault::new(
        ProblemCode::NoEndpoints,
        format!(
            "nobody serves {} ({reason}); routes to it answer 503 meanwhile",
            port.backend.service_port()
        ),
        remedy,
    );
    problems.add(fault.at(&object, "spec.selector"));
}
