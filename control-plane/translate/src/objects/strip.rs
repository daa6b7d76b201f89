//! What of an object is kept: what translation reads. So memory holds nothing else, and a change of anything else is no
//! change.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Service, ServiceSpec};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::objects::SERVICE_NAME_LABEL;
use crate::{annotations, class};

pub(crate) fn class(class: IngressClass) -> IngressClass {
    let mut metadata = metadata(&class.metadata);
    metadata.annotations = kept_annotations(class.metadata, class::is_read);
    IngressClass {
        metadata,
        spec: class.spec,
    }
}

pub(crate) fn ingress(ingress: Ingress) -> Ingress {
    let mut metadata = metadata(&ingress.metadata);
    metadata.annotations = kept_annotations(ingress.metadata, |key| {
        class::is_read(key) || annotations::is_read(key)
    });
    Ingress {
        metadata,
        spec: ingress.spec,
        status: None,
    }
}

pub(crate) fn service(service: Service) -> Service {
    let mut metadata = metadata(&service.metadata);
    metadata.creation_timestamp = None;
    metadata.annotations = kept_annotations(service.metadata, annotations::is_read);
    let spec = service.spec.map(|spec| ServiceSpec {
        cluster_ip: spec.cluster_ip,
        cluster_ips: spec.cluster_ips,
        external_name: spec.external_name,
        ports: spec.ports,
        selector: spec.selector,
        type_: spec.type_,
        ..ServiceSpec::default()
    });
    Service {
        metadata,
        spec,
        status: None,
    }
}

pub(crate) fn slice(slice: EndpointSlice) -> EndpointSlice {
    let mut metadata = metadata(&slice.metadata);
    metadata.creation_timestamp = None;
    metadata.labels = slice.metadata.labels.map(|mut labels| {
        labels.retain(|key, _| key == SERVICE_NAME_LABEL);
        labels
    });
    let endpoints = slice.endpoints.into_iter().map(|endpoint| Endpoint {
        addresses: endpoint.addresses,
        conditions: endpoint.conditions,
        node_name: endpoint.node_name,
        zone: endpoint.zone,
        ..Endpoint::default()
    });
    EndpointSlice {
        address_type: slice.address_type,
        endpoints: endpoints.collect(),
        metadata,
        ports: slice.ports,
    }
}

fn metadata(metadata: &ObjectMeta) -> ObjectMeta {
    ObjectMeta {
        creation_timestamp: metadata.creation_timestamp.clone(),
        name: metadata.name.clone(),
        namespace: metadata.namespace.clone(),
        ..ObjectMeta::default()
    }
}

fn kept_annotations(
    metadata: ObjectMeta,
    is_read: impl Fn(&str) -> bool,
) -> Option<BTreeMap<String, String>> {
    let mut annotations = metadata.annotations?;
    annotations.retain(|key, _| is_read(key));
    (!annotations.is_empty()).then_some(annotations)
}
