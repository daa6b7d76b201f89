//! The first user's two Ingresses, as they are, applied with kubectl.

use std::collections::BTreeSet;

use sluice_integration_tests::client::fetch;
use sluice_integration_tests::system::{Pods, System, endpoint_slice, granted_namespace};

use super::ready;

#[test]
fn each_host_answers_from_the_right_service_through_each_data_plane() {
    let mut system = System::start().unwrap();
    let served = system.run(async |system| {
        let pods = Pods::of(system);
        let api = pods.start_all(system, "api", 3, (1, 1)).await?;
        let admin = pods.start_all(system, "admin", 1, (2, 1)).await?;
        system
            .wait_until_refused("api.myhoneydue.com", "/", 404)
            .await?;

        system.cluster().apply(&granted_namespace("honeydue"))?;
        system.cluster().apply(SERVICES)?;
        system
            .cluster()
            .apply(&endpoint_slice("honeydue", "api", &ready(&api)))?;
        system
            .cluster()
            .apply(&endpoint_slice("honeydue", "admin", &ready(&admin)))?;
        system.cluster().apply(INGRESSES)?;
        for (host, backend) in HOSTS {
            system.wait_until_served(host, "/", backend).await?;
            system
                .wait_until_served(host, "/any/path?and=query", backend)
                .await?;
        }
        system
            .wait_until_refused("nobody.myhoneydue.com", "/", 404)
            .await?;
        system.wait_until_live().await?;

        for node in 0..System::NODES {
            let answer = fetch(&System::destination(node, "myhoneydue.com", "/a?b=c")).await?;
            let seen = answer.seen()?;
            assert_eq!(
                (seen.host.as_str(), seen.path.as_str(), seen.query.as_str()),
                ("myhoneydue.com", "/a", "b=c")
            );
            assert_eq!(seen.headers["x-forwarded-proto"], ["http"]);
            require_all_replicas(node).await?;
        }
        Ok(())
    });
    served.unwrap();
}

#[test]
fn nothing_answers_before_there_is_a_snapshot() {
    // A system that is up has listeners; that there was none before is shown where the control plane is killed. Here:
    // with no Ingress at all there is a snapshot, and every host is answered 404 with the reason.
    let mut system = System::start().unwrap();
    let answered = system.run(async |system| {
        system
            .wait_until_refused("api.myhoneydue.com", "/", 404)
            .await?;
        let answer = fetch(&System::destination(0, "api.myhoneydue.com", "/")).await?;
        assert!(
            answer.header("proxy-status").contains("sluice"),
            "{:?}",
            answer.headers
        );
        Ok(())
    });
    answered.unwrap();
}

/// Every replica takes its share of 60 requests.
async fn require_all_replicas(node: usize) -> anyhow::Result<()> {
    let mut seen = BTreeSet::new();
    for _ in 0..60 {
        let answer = fetch(&System::destination(node, "api.myhoneydue.com", "/")).await?;
        seen.insert(answer.backend().unwrap_or("the proxy itself").to_owned());
    }
    assert_eq!(
        seen,
        BTreeSet::from(["api-1", "api-2", "api-3"].map(str::to_owned)),
        "node-{}",
        node + 1
    );
    Ok(())
}

const SERVICES: &str = include_str!("../../../../examples/honeydue/services.yaml");
const INGRESSES: &str = include_str!("../../../../examples/honeydue/ingresses.yaml");
const HOSTS: [(&str, &str); 3] = [
    ("api.myhoneydue.com", "api-"),
    ("myhoneydue.com", "api-"),
    ("admin.myhoneydue.com", "admin-"),
];
