//! Kubernetes objects for the tests, as YAML.

/// The class that all of them are of.
pub(crate) const CLASS: &str = "\
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: sluice}
spec: {controller: ingress.sluice.dev/controller}
---
";

/// Returns an Ingress in the namespace `shop` that sends a host and path to a Service's port 80.
pub(crate) fn ingress(name: &str, host: &str, path: &str, service: &str) -> String {
    format!(
        "\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: {name}, namespace: shop}}
spec:
  ingressClassName: sluice
  rules:
    - host: '{host}'
      http:
        paths:
          - path: {path}
            pathType: Prefix
            backend: {{service: {{name: {service}, port: {{number: 80}}}}}}
---
"
    )
}

/// Returns an Ingress in the namespace `shop` whose host has the certificate of this Secret.
pub(crate) fn tls_ingress(name: &str, host: &str, service: &str, secret: &str) -> String {
    let ingress = ingress(name, host, "/", service);
    let tls = format!("  tls: [{{hosts: ['{host}'], secretName: {secret}}}]\n---\n");
    format!("{}{tls}", ingress.trim_end_matches("---\n"))
}

/// Returns a Service in the namespace `shop`, and its pods with these addresses and conditions.
pub(crate) fn service(name: &str, endpoints: &[(&str, &str)]) -> String {
    let endpoints: String = endpoints
        .iter()
        .map(|(address, conditions)| {
            format!("  - {{addresses: [{address}], conditions: {{{conditions}}}}}\n")
        })
        .collect();
    let endpoints = match endpoints.as_str() {
        "" => "endpoints: []\n".to_owned(),
        endpoints => format!("endpoints:\n{endpoints}"),
    };
    format!(
        "\
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: shop}}
spec: {{clusterIP: 10.96.0.1, ports: [{{name: http, port: 80}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-1, namespace: shop, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
ports: [{{name: http, port: 8080}}]
{endpoints}---
"
    )
}

/// Returns a Secret in the namespace `shop` with this certificate and key.
pub(crate) fn secret(name: &str, certificate: &str, key: &str) -> String {
    let indented = |pem: &str| {
        pem.lines()
            .map(|line| format!("    {line}\n"))
            .collect::<String>()
    };
    format!(
        "\
apiVersion: v1
kind: Secret
metadata: {{name: {name}, namespace: shop}}
type: kubernetes.io/tls
stringData:
  tls.crt: |
{}  tls.key: |
{}---
",
        indented(certificate),
        indented(key)
    )
}

/// Returns the class, one Service with one pod, and an Ingress for each of these hosts.
pub(crate) fn hosts(hosts: &[&str]) -> String {
    let mut yaml = format!("{CLASS}{}", service("web", &[("10.0.0.1", READY)]));
    for host in hosts {
        yaml += &ingress(&host.replace(['.', '*'], "-"), host, "/", "web");
    }
    yaml
}

/// The conditions of a pod that should get requests.
pub(crate) const READY: &str = "ready: true, serving: true, terminating: false";
/// The conditions of a pod that ends.
pub(crate) const TERMINATING: &str = "ready: false, serving: true, terminating: true";
