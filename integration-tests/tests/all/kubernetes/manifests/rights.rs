//! What the two ServiceAccounts may do, asked of the API server that decides it.

use anyhow::Context as _;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client};
use sluice_integration_tests::kubernetes::Cluster;

use super::{apply, manifests};

#[test]
fn each_plane_may_do_what_it_needs_and_no_more() {
    let cluster = Cluster::start().unwrap();
    apply(&cluster, &manifests());
    cluster
        .namespace()
        .run(async || {
            let client = cluster.client().await?;
            let mut wrong = Vec::new();
            for (subject, expected, rights) in TABLE {
                for right in *rights {
                    if may(&client, subject, right).await? != *expected {
                        wrong.push(format!("{subject} may {right:?} should be {expected}"));
                    }
                }
            }
            assert!(wrong.is_empty(), "{wrong:#?}");
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_grant_opens_the_secrets_of_its_namespace_alone() {
    let cluster = Cluster::start().unwrap();
    apply(&cluster, &manifests());
    // The very command that the manifests and the problem tell people to run.
    cluster.kubectl(&GRANT).unwrap();
    cluster
        .namespace()
        .run(async || {
            let client = cluster.client().await?;
            for verb in ["get", "list", "watch"] {
                assert!(
                    may(
                        &client,
                        CONTROL_PLANE,
                        &(verb, "", "secrets", "default", "")
                    )
                    .await?
                );
                let elsewhere = (verb, "", "secrets", "kube-system", "");
                assert!(!may(&client, CONTROL_PLANE, &elsewhere).await?);
            }
            let written = ("update", "", "secrets", "default", "");
            assert!(!may(&client, CONTROL_PLANE, &written).await?);
            Ok(())
        })
        .unwrap();
}

/// Asks whether a user may do something: verb, group, resource (with its subresource), namespace, name. An empty
/// namespace is all of them, an empty name is any.
async fn may(client: &Client, subject: &str, right: &Right) -> anyhow::Result<bool> {
    let (verb, group, resource, namespace, name) = *right;
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let text = |text: &str| Some(text.to_owned());
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: text(subject),
            groups: Some(vec!["system:serviceaccounts".to_owned()]),
            resource_attributes: Some(ResourceAttributes {
                verb: text(verb),
                group: text(group),
                resource: text(resource),
                subresource: text(subresource),
                namespace: text(namespace),
                name: text(name),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let reviewed = Api::all(client.clone())
        .create(&PostParams::default(), &review)
        .await?;
    let status = reviewed.status.context("a review without an answer")?;
    Ok(status.allowed)
}

type Right = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

const CONTROL_PLANE: &str = "system:serviceaccount:sluice-system:sluice-control-plane";
const DATA_PLANE: &str = "system:serviceaccount:sluice-data-plane:sluice-data-plane";
const SYSTEM: &str = "sluice-system";
const NODES: &str = "sluice-data-plane";
const LEASES: &str = "coordination.k8s.io";
const OWN_GROUP: &str = "ingress.sluice.dev";
const NETWORKING: &str = "networking.k8s.io";
const OWN_IDENTITY: &str = "sluice-control-plane-identity";
const THEIR_IDENTITY: &str = "sluice-data-plane-identity";
const GRANT: [&str; 6] = [
    "create",
    "rolebinding",
    "sluice-secret-reader",
    "--clusterrole=sluice-secret-reader",
    "--serviceaccount=sluice-system:sluice-control-plane",
    "--namespace=default",
];

const TABLE: &[(&str, bool, &[Right])] = &[
    (
        CONTROL_PLANE,
        true,
        &[
            ("list", NETWORKING, "ingresses", "", ""),
            ("watch", NETWORKING, "ingressclasses", "", ""),
            ("watch", "", "services", "", ""),
            ("watch", "discovery.k8s.io", "endpointslices", "", ""),
            ("watch", "", "nodes", "", ""),
            ("list", OWN_GROUP, "policies", "", ""),
            ("watch", OWN_GROUP, "policies", "", ""),
            ("list", OWN_GROUP, "settings", "", ""),
            ("watch", OWN_GROUP, "settings", "", ""),
            ("get", OWN_GROUP, "settings", "", "edge"),
            ("list", "traefik.io", "middlewares", "", ""),
            ("watch", "traefik.io", "middlewares", "", ""),
            ("list", "traefik.io", "serverstransports", "", ""),
            ("watch", "traefik.io", "serverstransports", "", ""),
            ("list", "traefik.io", "tlsoptions", "", ""),
            ("watch", "traefik.io", "tlsoptions", "", ""),
            ("patch", NETWORKING, "ingresses/status", "default", "any"),
            ("create", "events.k8s.io", "events", "default", ""),
            ("patch", "events.k8s.io", "events", "default", "any"),
            ("create", LEASES, "leases", SYSTEM, ""),
            ("update", LEASES, "leases", SYSTEM, "sluice-control-plane"),
            ("create", "", "secrets", SYSTEM, ""),
            ("create", "", "secrets", NODES, ""),
            ("get", "", "secrets", SYSTEM, OWN_IDENTITY),
            ("watch", "", "secrets", SYSTEM, OWN_IDENTITY),
            ("update", "", "secrets", SYSTEM, OWN_IDENTITY),
            ("watch", "", "secrets", NODES, THEIR_IDENTITY),
            ("update", "", "secrets", NODES, THEIR_IDENTITY),
        ],
    ),
    (
        CONTROL_PLANE,
        false,
        &[
            // Every credential of the cluster, and every other one of its own namespaces.
            ("list", "", "secrets", "", ""),
            ("get", "", "secrets", "default", "any"),
            ("create", "", "secrets", "default", ""),
            ("list", "", "secrets", SYSTEM, ""),
            ("get", "", "secrets", SYSTEM, "another"),
            ("get", "", "secrets", NODES, "another"),
            ("delete", "", "secrets", SYSTEM, OWN_IDENTITY),
            // What is the users'.
            ("update", NETWORKING, "ingresses", "default", "any"),
            ("delete", NETWORKING, "ingresses", "default", "any"),
            ("update", "", "services", "default", "any"),
            ("update", OWN_GROUP, "settings", "", "edge"),
            ("create", OWN_GROUP, "settings", "", ""),
            ("update", "traefik.io", "middlewares", "default", "any"),
            (
                "update",
                "traefik.io",
                "serverstransports",
                "default",
                "any",
            ),
            ("update", "traefik.io", "tlsoptions", "default", "any"),
            ("patch", "", "nodes", "", "any"),
            ("list", "", "pods", "", ""),
            ("create", "", "pods", SYSTEM, ""),
            ("create", "", "pods/exec", NODES, "any"),
            ("list", "", "configmaps", SYSTEM, ""),
            // Another's lease, and its own in another place.
            ("update", LEASES, "leases", SYSTEM, "another"),
            ("create", LEASES, "leases", "kube-system", ""),
            // What would give it more.
            ("create", "", "serviceaccounts/token", SYSTEM, "any"),
            (
                "create",
                "rbac.authorization.k8s.io",
                "rolebindings",
                "default",
                "",
            ),
            ("impersonate", "", "users", "", "any"),
            ("*", "*", "*", "", ""),
        ],
    ),
    (
        DATA_PLANE,
        false,
        &[
            ("get", "", "secrets", NODES, THEIR_IDENTITY),
            ("list", NETWORKING, "ingresses", "", ""),
            ("list", OWN_GROUP, "settings", "", ""),
            ("list", "", "endpoints", "", ""),
            ("list", "", "pods", NODES, ""),
            ("get", "", "nodes", "", "any"),
            ("create", "events.k8s.io", "events", NODES, ""),
        ],
    ),
];
