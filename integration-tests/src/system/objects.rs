//! The YAML of the objects that scenarios apply, as a user or a controller of Kubernetes would write them.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use super::Pods;

/// What an EndpointSlice says about a pod.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EndpointState {
    /// It runs.
    Ready,
    /// It has not become ready yet.
    NotReady,
    /// It was told to end, and still answers.
    Terminating,
    /// It was told to end, and no longer answers.
    Ending,
}

/// A namespace whose Secrets the control plane may read, as manifests/secret-reader.yaml tells people to grant it.
#[must_use]
pub fn granted_namespace(namespace: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Namespace
metadata: {{ name: {namespace} }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{ name: sluice-secret-reader, namespace: {namespace} }}
roleRef: {{ apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: sluice-secret-reader }}
subjects: [{{ kind: ServiceAccount, name: sluice-control-plane, namespace: sluice-system }}]
"
    )
}

/// An Ingress of the class `sluice` that sends all of a host to port 80 of a Service.
#[must_use]
pub fn ingress(namespace: &str, name: &str, host: &str, service: &str) -> String {
    format!(
        "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{ name: {name}, namespace: {namespace} }}
spec:
  ingressClassName: sluice
  rules:
    - host: {host}
      http:
        paths:
          - {{ path: /, pathType: Prefix, backend: {{ service: {{ name: {service}, port: {{ number: 80 }} }} }} }}
"
    )
}

/// The same, with the certificate of a Secret.
#[must_use]
pub fn tls_ingress(namespace: &str, name: &str, host: &str, service: &str, secret: &str) -> String {
    let tls = format!("  tls: [{{ hosts: [{host}], secretName: {secret} }}]\n");
    ingress(namespace, name, host, service) + &tls
}

/// A Service of port 80, whose pods listen on [`Pods::PORT`].
#[must_use]
pub fn service(namespace: &str, name: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Service
metadata: {{ name: {name}, namespace: {namespace} }}
spec: {{ ports: [{{ name: http, port: 80, targetPort: {} }}] }}
",
        Pods::PORT
    )
}

/// The EndpointSlice of a Service, as the controller of Kubernetes would write it.
#[must_use]
pub fn endpoint_slice(
    namespace: &str,
    service: &str,
    pods: &[(Ipv4Addr, EndpointState)],
) -> String {
    let mut yaml = format!(
        "
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{ name: {service}-1, namespace: {namespace}, labels: {{ kubernetes.io/service-name: {service} }} }}
addressType: IPv4
ports: [{{ name: http, port: {}, protocol: TCP }}]
endpoints:
",
        Pods::PORT
    );
    for (ip, state) in pods {
        let ready = *state == EndpointState::Ready;
        let serving = matches!(state, EndpointState::Ready | EndpointState::Terminating);
        let terminating = matches!(state, EndpointState::Terminating | EndpointState::Ending);
        // Writing into a string cannot fail.
        let _ = writeln!(
            yaml,
            "  - addresses: [{ip}]\n    conditions: {{ ready: {ready}, serving: {serving}, terminating: {terminating} }}"
        );
    }
    if pods.is_empty() {
        yaml.replace("endpoints:\n", "endpoints: []\n")
    } else {
        yaml
    }
}
