//! The pods that the Deployment and the DaemonSet would make: that Kubernetes lets them in, and that each namespace is as
//! strict as it can be.

use serde_json::{Value, json};
use sluice_integration_tests::kubernetes::Cluster;

use super::{apply, manifests};

#[test]
fn the_control_plane_is_let_in_under_the_strictest_profile() {
    let cluster = Cluster::start().unwrap();
    apply(&cluster, &manifests());
    let control_plane = pod(&cluster, "deployment", "sluice-system", |_| ());
    cluster.apply(&control_plane).unwrap();
    let insecure = pod(&cluster, "deployment", "sluice-system", |spec| {
        spec["containers"][0]["securityContext"] = json!({});
    });
    refused(&cluster, &insecure.replace("-pod", "-insecure"));
}

#[test]
fn the_data_plane_needs_an_exception_for_the_host_network_alone() {
    let cluster = Cluster::start().unwrap();
    apply(&cluster, &manifests());
    let data_plane = pod(&cluster, "daemonset", "sluice-data-plane", |_| ());
    cluster.apply(&data_plane).unwrap();
    let label = "pod-security.kubernetes.io/enforce=restricted";
    let namespace = "namespace/sluice-data-plane";
    cluster
        .kubectl(&["label", "--overwrite", namespace, label])
        .unwrap();
    let message = refused(&cluster, &data_plane.replace("-pod", "-other"));
    let violations = message.split("restricted:latest\": ").nth(1);
    assert_eq!(
        violations,
        Some("host namespaces (hostNetwork=true)"),
        "{message}"
    );
}

#[test]
fn the_scheduler_may_put_a_new_data_plane_beside_the_old_one() {
    let cluster = Cluster::start().unwrap();
    apply(&cluster, &manifests());
    // "API defaulting fills hostPort from containerPort under hostNetwork", and a port of the node is one pod's alone.
    let fields = "jsonpath={.spec.template.spec.containers[*].ports} {.spec.updateStrategy}";
    let data_plane = ["get", "daemonset", "sluice-data-plane", "--output", fields];
    let told = cluster
        .kubectl(&[&data_plane[..], &["--namespace=sluice-data-plane"]].concat())
        .unwrap();
    assert_eq!(
        told,
        r#" {"rollingUpdate":{"maxSurge":1,"maxUnavailable":0},"type":"RollingUpdate"}"#
    );
}

#[test]
fn a_data_plane_may_use_the_memory_of_all_connections_that_it_takes() {
    let cluster = Cluster::start().unwrap();
    apply(&cluster, &manifests());
    let fields = "jsonpath={.spec.template.spec.containers[0].resources.limits.memory}";
    let data_plane = ["get", "daemonset", "sluice-data-plane", "--output", fields];
    let told = cluster
        .kubectl(&[&data_plane[..], &["--namespace=sluice-data-plane"]].concat())
        .unwrap();
    let limit = told.strip_suffix("Gi").unwrap().parse::<u64>().unwrap() << 20;
    let connections = u64::from(sluice_proto::Settings::default().limits.connections);
    // In KiB, as docs/sizing.md has them: of an idle TLS connection, and of 10,000 Ingresses while they are replaced.
    assert!(connections * 31 + 2 * (65 << 10) < limit, "{connections}");
}

/// A pod of the template of Sluice's workload of this kind.
fn pod(cluster: &Cluster, kind: &str, namespace: &str, change: impl FnOnce(&mut Value)) -> String {
    let selector = "--selector=app.kubernetes.io/name=sluice";
    let namespaced = format!("--namespace={namespace}");
    let asked = ["get", kind, selector, &namespaced, "--output=json"];
    let list: Value = serde_json::from_str(&cluster.kubectl(&asked).unwrap()).unwrap();
    let template = &list["items"][0]["spec"]["template"];
    let mut spec = template["spec"].clone();
    change(&mut spec);
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": format!("{kind}-pod"),
            "namespace": namespace,
            "labels": template["metadata"]["labels"],
        },
        "spec": spec,
    })
    .to_string()
}

/// Applies what Pod Security must not let in, and returns what it says.
fn refused(cluster: &Cluster, pod: &str) -> String {
    let error = cluster.apply(pod).unwrap_err().to_string();
    assert!(error.contains("violates PodSecurity"), "{error}");
    error
}
