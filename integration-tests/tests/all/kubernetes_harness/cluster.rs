//! The cluster is a real one: it stores, validates, authorizes, and survives its own crash.

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use kube::Api;
use kube::api::ListParams;
use sluice_integration_tests::kubernetes::Cluster;
use tokio::time::Instant;

use super::process::runs;

#[test]
fn what_kubectl_applies_a_client_lists() {
    let cluster = start();
    let printed = cluster.apply(SHOP).unwrap();
    for object in [
        "ingressclass.networking.k8s.io/sluice created",
        "ingress.networking.k8s.io/shop created",
        "service/shop created",
        "endpointslice.discovery.k8s.io/shop-1 created",
    ] {
        assert!(printed.contains(object), "{printed}");
    }
    cluster
        .namespace()
        .run(async || list_the_shop(&cluster).await)
        .unwrap();

    let printed = cluster.delete(SHOP).unwrap();
    assert!(
        printed.contains("ingress.networking.k8s.io \"shop\" deleted"),
        "{printed}"
    );
    assert_eq!(
        cluster
            .kubectl(&["get", "ingress", "--all-namespaces", "--output=name"])
            .unwrap(),
        ""
    );
}

#[test]
fn what_is_wrong_is_refused_with_the_reason() {
    let cluster = start();
    let error = cluster
        .apply(&SHOP.replace("path: /", "path: no-slash"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("must be an absolute path"), "{error}");
    let error = cluster
        .apply(&SHOP.replace("10.244.1.1", "127.0.0.1"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("may not be in the loopback range"),
        "{error}"
    );
}

#[test]
fn a_user_may_do_what_a_role_allows() {
    let cluster = start();
    let watcher = cluster
        .kubeconfig_for("sluice-control-plane", Some("sluice"))
        .unwrap();
    let services = ["get", "services", "--namespace=default", "--output=name"];
    let error = cluster
        .kubectl_as(&watcher, &services)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("Forbidden") && error.contains("User \"sluice-control-plane\""),
        "{error}"
    );

    cluster.apply(ROLE).unwrap();
    assert_eq!(
        cluster.kubectl_as(&watcher, &services).unwrap(),
        "service/kubernetes\n"
    );
    let error = cluster
        .kubectl_as(&watcher, &["get", "secrets"])
        .unwrap_err()
        .to_string();
    assert!(error.contains("Forbidden"), "{error}");
    let listed = cluster.namespace().run(async || {
        let client = cluster.client_as(&watcher).await?;
        Ok(Api::<Service>::default_namespaced(client)
            .list(&ListParams::default())
            .await?
            .items
            .len())
    });
    assert_eq!(listed.unwrap(), 1);
}

#[test]
fn the_api_server_comes_back_with_what_it_stored() {
    let mut cluster = start();
    cluster.apply(SHOP).unwrap();
    cluster.kill_api_server().unwrap();
    let error = cluster
        .kubectl(&["get", "ingress"])
        .unwrap_err()
        .to_string();
    assert!(error.contains("refused"), "{error}");
    cluster.restart_api_server().unwrap();
    let printed = cluster
        .kubectl(&["get", "ingress", "--output=name"])
        .unwrap();
    assert_eq!(printed, "ingress.networking.k8s.io/shop\n");
}

#[test]
fn dropping_leaves_nothing() {
    let cluster = start();
    let (path, folder) = (
        cluster.namespace().path(),
        cluster.namespace().folder().to_owned(),
    );
    let inside = std::process::Command::new("ip")
        .args(["netns", "pids", cluster.namespace().name()])
        .output()
        .unwrap();
    let inside: Vec<u32> = String::from_utf8(inside.stdout)
        .unwrap()
        .lines()
        .map(|id| id.parse().unwrap())
        .collect();
    assert_eq!(inside.len(), 2, "etcd and the API server");
    drop(cluster);
    assert!(!path.exists() && !folder.exists());
    assert!(!inside.into_iter().any(runs));
}

async fn list_the_shop(cluster: &Cluster) -> anyhow::Result<()> {
    let client = cluster.client().await?;
    let all = ListParams::default();
    let classes = Api::<IngressClass>::all(client.clone())
        .list(&all)
        .await?
        .items;
    assert_eq!(
        classes[0].spec.as_ref().unwrap().controller.as_deref(),
        Some("ingress.sluice.dev/controller")
    );
    let ingresses = Api::<Ingress>::all(client.clone()).list(&all).await?.items;
    assert_eq!(
        ingresses[0]
            .spec
            .as_ref()
            .unwrap()
            .ingress_class_name
            .as_deref(),
        Some("sluice")
    );
    let service = Api::<Service>::default_namespaced(client.clone())
        .get("shop")
        .await?;
    assert!(
        service
            .spec
            .unwrap()
            .cluster_ip
            .unwrap()
            .starts_with("10.96."),
        "the API server gives it one"
    );
    let slice = Api::<EndpointSlice>::default_namespaced(client)
        .get("shop-1")
        .await?;
    assert_eq!(slice.endpoints[0].addresses, ["10.244.1.1"]);
    Ok(())
}

fn start() -> Cluster {
    let started = Instant::now();
    let cluster = Cluster::start().unwrap();
    println!("a cluster was ready after {:?}", started.elapsed());
    cluster
}

const SHOP: &str = "
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: sluice }
spec: { controller: ingress.sluice.dev/controller }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: shop, namespace: default }
spec:
  ingressClassName: sluice
  rules:
    - host: shop.example.com
      http:
        paths:
          - path: /
            pathType: Prefix
            backend: { service: { name: shop, port: { name: http } } }
---
apiVersion: v1
kind: Service
metadata: { name: shop, namespace: default }
spec: { ports: [{ name: http, port: 80, targetPort: 8080 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: shop-1, namespace: default, labels: { kubernetes.io/service-name: shop } }
addressType: IPv4
ports: [{ name: http, port: 8080, protocol: TCP }]
endpoints: [{ addresses: [10.244.1.1], conditions: { ready: true } }]
";

const ROLE: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: services, namespace: default }
rules: [{ apiGroups: [''], resources: [services], verbs: [get, list, watch] }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: services, namespace: default }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: services }
subjects: [{ apiGroup: rbac.authorization.k8s.io, kind: Group, name: sluice }]
";
