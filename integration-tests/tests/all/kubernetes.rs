//! What Sluice promises beside a real Kubernetes, one promise a file: a real API server, one control plane or two, three
//! data planes, and pods on addresses of their own.

mod bad_input;
mod broken_objects;
mod certificate_rotation;
mod change_under_load;
mod control_plane_killed;
mod identity;
mod introspection;
mod leadership;
mod manifests;
mod mutual_tls;
mod policies;
mod refused_resource;
mod rolling_backend;
mod settings;
mod traefik;
mod two_ingresses;

use std::net::Ipv4Addr;
use std::time::Duration;

use sluice_integration_tests::system::{
    EndpointState, Pod, Pods, System, endpoint_slice, granted_namespace, service,
};

/// A namespace with one Service of each name, each with `replicas` ready pods named `SERVICE-N`. The pods are ended when
/// they are dropped.
async fn shop(
    system: &System,
    namespace: &str,
    services: &[&str],
    replicas: u8,
) -> anyhow::Result<Vec<Pod>> {
    let mut yaml = granted_namespace(namespace);
    let mut all = Vec::new();
    for (service_name, node) in services.iter().zip(1..) {
        let pods = Pods::of(system)
            .start_all(system, service_name, replicas, (node, 1))
            .await?;
        let service = service(namespace, service_name);
        yaml += &format!(
            "---\n{service}---\n{}",
            endpoint_slice(namespace, service_name, &ready(&pods))
        );
        all.extend(pods);
    }
    system.cluster().apply(&yaml)?;
    Ok(all)
}

/// These pods, ready.
fn ready(pods: &[Pod]) -> Vec<(Ipv4Addr, EndpointState)> {
    pods.iter()
        .map(|pod| (pod.ip, EndpointState::Ready))
        .collect()
}

/// A Policy of the namespace `shop`.
fn policy(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: ingress.sluice.dev/v1alpha1\nkind: Policy\nmetadata: {{ name: {name}, namespace: shop }}\n\
         spec:\n  {spec}\n"
    )
}

/// An Ingress of the namespace `shop` with annotations of Sluice's own.
fn annotated(ingress: &str, annotations: &[&str]) -> String {
    let annotations: Vec<_> = annotations
        .iter()
        .map(|annotation| format!("ingress.sluice.dev/{annotation}"))
        .collect();
    let namespace = "namespace: shop";
    let all = format!("{namespace}, annotations: {{ {} }}", annotations.join(", "));
    ingress.replacen(namespace, &all, 1)
}

const LIMIT: Duration = Duration::from_secs(30);
