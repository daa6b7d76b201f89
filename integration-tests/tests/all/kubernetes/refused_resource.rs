//! A resource that translation cannot know to be bad, and that the data planes cannot accept: a certificate with
//! another's key.

use std::time::Duration;

use anyhow::Context as _;
use sluice_integration_tests::certificates::{Authority, tls_secret};
use sluice_integration_tests::client::{Destination, fetch};
use sluice_integration_tests::system::{System, ingress, require_backend, tls_ingress};
use sluice_integration_tests::wait;
use sluice_proto::wire;

use super::shop;

#[test]
fn it_is_refused_alone_and_named_and_the_rest_is_applied() {
    let authority = Authority::create().unwrap();
    let [one, other] = [(); 2].map(|()| authority.issue(&["bad.example.com"]).unwrap());
    let client = authority.trusting_client(&["http/1.1"]).unwrap();
    let mismatched = tls_secret("shop", "mismatched", &one.certificate, &other.key);
    let mut system = System::start().unwrap();
    let outcome = system.run(async |system| {
        let _pods = shop(system, "shop", &["api"], 2).await?;
        let bad = tls_ingress("shop", "bad", "bad.example.com", "api", "mismatched");
        let good = ingress("shop", "good", "good.example.com", "api");
        system
            .cluster()
            .apply(&format!("{mismatched}---\n{bad}---\n{good}"))?;

        system
            .wait_until_served("good.example.com", "/", "api-")
            .await?;
        system
            .wait_until_refused("bad.example.com", "/", 503)
            .await?;
        wait_until_named(system, System::NODES).await?;
        let problem = node_problem(system).await?;
        let (code, object) = (&problem.code, problem.object.clone().unwrap_or_default());
        assert!(
            problem.message.contains("private key") && problem.remedy.contains("tls.key"),
            "{problem:#?}"
        );
        assert_eq!(problem.field, "data");
        assert_eq!(
            (object.kind.as_str(), object.name.as_str()),
            ("Secret", "mismatched")
        );
        println!(
            "{}",
            system.wait_for_event("shop", &object.name, code).await?
        );

        // Mended, it is accepted, and nothing is left to complain about.
        system.cluster().apply(&one.secret("shop", "mismatched"))?;
        system
            .wait_until_served("bad.example.com", "/", "api-")
            .await?;
        wait_until_named(system, 0).await?;

        // Broken again, the last good one stays in use: whoever is served is served on.
        system.cluster().apply(&mismatched)?;
        wait_until_named(system, System::NODES).await?;
        for node in 0..System::NODES {
            let destination = Destination {
                address: System::https(node),
                tls: Some(client.clone()),
                host: "bad.example.com".to_owned(),
                path: "/".to_owned(),
            };
            let answer = fetch(&destination).await?;
            require_backend(&answer, "api-")?;
            assert_eq!(answer.certificate.as_ref(), Some(&one.fingerprint));
        }
        Ok(())
    });
    outcome.unwrap();
}

/// What all nodes say is wrong with the Secret.
async fn node_problem(system: &System) -> anyhow::Result<wire::Problem> {
    let listed = system.introspection()?.problems("shop").await?;
    let of_nodes: Vec<_> = listed
        .node_problems
        .iter()
        .filter_map(|node| node.problem.clone())
        .collect();
    anyhow::ensure!(of_nodes.len() == System::NODES, "{listed:#?}");
    let first = of_nodes.first().cloned().context("no problem")?;
    anyhow::ensure!(
        of_nodes.iter().all(|problem| *problem == first),
        "{listed:#?}"
    );
    Ok(first)
}

/// Waits until so many nodes say that they have refused the certificate, and nothing else.
async fn wait_until_named(system: &System, nodes: usize) -> anyhow::Result<()> {
    let introspection = system.introspection()?;
    wait::until(
        &format!("{nodes} nodes to have refused it"),
        Duration::from_secs(30),
        async || {
            let listed = introspection.nodes().await?;
            let refused: Vec<_> = listed.nodes.iter().flat_map(|node| &node.refused).collect();
            let named = refused.iter().all(|refused| {
                (refused.kind.as_str(), refused.name.as_str()) == ("certificate", "shop/mismatched")
                    && !refused.reason.is_empty()
            });
            anyhow::ensure!(refused.len() == nodes && named, "{refused:?}");
            Ok::<_, anyhow::Error>(())
        },
    )
    .await
}
