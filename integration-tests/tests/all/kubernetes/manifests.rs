//! The manifests, as a real API server takes them: every way to install is accepted, and accepted again changes nothing;
//! the pods pass Pod Security; the rights are those that are needed; and nothing is left. What the pods then do needs
//! nodes, which there are none of here.

mod installation;
mod pods;
mod programs;
mod rights;

use std::path::{Path, PathBuf};

use self::installation::Installation;
use sluice_integration_tests::kubernetes::Cluster;

#[test]
fn every_way_to_install_is_accepted_and_repeated_changes_nothing() {
    let cluster = with_foreign_kinds();
    for installation in Installation::all(cluster.namespace().folder()).unwrap() {
        let applied = apply(&cluster, installation.folder());
        for object in installation.expected() {
            assert!(applied.contains(object), "{object} is not in:\n{applied}");
        }
        let versions = versions(&cluster, &installation);
        let again = apply(&cluster, installation.folder());
        assert_eq!(versions, self::versions(&cluster, &installation));
        let changed: Vec<_> = (again.lines())
            .filter(|line| !line.ends_with(" unchanged"))
            // kubectl sends its selector each time, whether it changes or not.
            .filter(|line| !line.starts_with("poddisruptionbudget.policy/"))
            .collect();
        assert!(
            changed.is_empty() && !again.is_empty(),
            "{installation:?} changes {changed:#?}"
        );
    }
}

#[test]
fn nothing_is_left_of_an_installation() {
    let cluster = with_foreign_kinds();
    let everything = Installation::everything(cluster.namespace().folder()).unwrap();
    apply(&cluster, everything.folder());
    assert_eq!(cluster_wide(&cluster), EVERYTHING_CLUSTER_WIDE);
    let folder = text(everything.folder());
    // No controller empties the namespaces here, so waiting for their end would be for ever.
    cluster
        .kubectl(&["delete", "--wait=false", "--kustomize", folder])
        .unwrap();
    assert_eq!(cluster_wide(&cluster), "");
    let fields = "jsonpath={range .items[*]}{.metadata.name} {.status.phase}\n{end}";
    let namespaces = cluster
        .kubectl(&["get", "namespaces", OURS, "--output", fields])
        .unwrap();
    assert_eq!(
        namespaces,
        "sluice-data-plane Terminating\nsluice-system Terminating\n"
    );
    let configs = [
        "get",
        "helmchartconfigs",
        "--all-namespaces",
        "--output=name",
    ];
    assert_eq!(cluster.kubectl(&configs).unwrap(), "");
}

/// `kubectl apply -k`, in which not even a warning is fine.
fn apply(cluster: &Cluster, folder: &Path) -> String {
    let arguments = ["apply", "--validate=strict", "--warnings-as-errors"];
    cluster
        .kubectl(&[&arguments[..], &["--kustomize", text(folder)]].concat())
        .unwrap()
}

/// Each object of an installation, with the number that every change of it gives it.
fn versions(cluster: &Cluster, installation: &Installation) -> String {
    let each = "{.kind} {.metadata.name} {.metadata.resourceVersion}{'\\n'}";
    let fields = format!("jsonpath={{range .items[*]}}{each}{{end}}");
    let folder = text(installation.folder());
    cluster
        .kubectl(&["get", "--kustomize", folder, "--output", &fields])
        .unwrap()
}

/// What of Sluice's lies in no namespace, but for the namespaces.
fn cluster_wide(cluster: &Cluster) -> String {
    let kinds = "clusterroles,clusterrolebindings,ingressclasses,customresourcedefinitions";
    cluster
        .kubectl(&["get", kinds, OURS, "--output=name"])
        .unwrap()
}

/// A cluster that knows the kinds of others that are optional in an installation: with names, and any content.
fn with_foreign_kinds() -> Cluster {
    let cluster = Cluster::start().unwrap();
    for (plural, kind, group, version) in [
        ("podmonitors", "PodMonitor", "monitoring.coreos.com", "v1"),
        (
            "helmchartconfigs",
            "HelmChartConfig",
            "helm.cattle.io",
            "v1",
        ),
    ] {
        let singular = kind.to_lowercase();
        let name = format!("{plural}.{group}");
        let definition = format!(
            "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{ name: {name} }}
spec:
  group: {group}
  scope: Namespaced
  names: {{ plural: {plural}, singular: {singular}, kind: {kind}, listKind: {kind}List }}
  versions:
    - name: {version}
      served: true
      storage: true
      schema:
        openAPIV3Schema: {{ type: object, x-kubernetes-preserve-unknown-fields: true }}
"
        );
        cluster.apply(&definition).unwrap();
        cluster
            .kubectl(&["wait", "--for=condition=Established", "crd", &name])
            .unwrap();
    }
    cluster
}

fn manifests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests")
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

const OURS: &str = "--selector=app.kubernetes.io/part-of=sluice";
const EVERYTHING_CLUSTER_WIDE: &str = "\
clusterrole.rbac.authorization.k8s.io/sluice-control-plane
clusterrole.rbac.authorization.k8s.io/sluice-secret-reader
clusterrolebinding.rbac.authorization.k8s.io/sluice-control-plane
clusterrolebinding.rbac.authorization.k8s.io/sluice-secret-reader
ingressclass.networking.k8s.io/sluice
customresourcedefinition.apiextensions.k8s.io/policies.ingress.sluice.dev
customresourcedefinition.apiextensions.k8s.io/settings.ingress.sluice.dev
";
