//! A TLS Secret replaced while clients shake hands.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use sluice_integration_tests::certificates::{Authority, Issued};
use sluice_integration_tests::client::{Destination, fetch};
use sluice_integration_tests::load::{Connections, Load, Outcome, Report, Target};
use sluice_integration_tests::system::{System, require_backend, tls_ingress};
use sluice_integration_tests::wait;

use super::shop;

#[test]
fn no_handshake_fails_and_the_new_certificate_comes_within_a_second() {
    let authority = Authority::create().unwrap();
    let [old, new] = [(); 2].map(|()| authority.issue(&[HOST]).unwrap());
    let client = authority.trusting_client(&["http/1.1"]).unwrap();
    let mut system = System::start().unwrap();
    let (report, replaced) = system
        .run(async |system| {
            let _pods = shop(system, "shop", &["api"], 2).await?;
            system.cluster().apply(&old.secret("shop", "certificate"))?;
            system
                .cluster()
                .apply(&tls_ingress("shop", "api", HOST, "api", "certificate"))?;
            for node in 0..System::NODES {
                let destination = destination(node, &client);
                let what = format!("the certificate on node-{}", node + 1);
                wait::until(&what, LIMIT, async || {
                    require_backend(&fetch(&destination).await?, "api-")
                })
                .await?;
            }
            let targets = (0..System::NODES)
                .map(|node| Target {
                    destination: destination(node, &client),
                    others: Vec::new(),
                    backend: "api-".to_owned(),
                })
                .collect();
            let load = Load::new(targets)
                .per_second(150)
                .connections(Connections::New)
                .start();
            load.wait_for_more(150).await?;
            system.cluster().apply(&new.secret("shop", "certificate"))?;
            let replaced = load.elapsed();
            load.wait_for_more(400).await?;
            Ok((load.stop().await, replaced))
        })
        .unwrap();
    println!("{report}");
    report.require_no_failure(500).unwrap();
    for node in 0..System::NODES {
        require_no_way_back(&report, node, &old, &new);
    }
    let late = report
        .outcomes()
        .iter()
        .filter(|outcome| outcome.at > replaced + SECOND);
    let late: Vec<&str> = late
        .map(|outcome| certificate(outcome, &old, &new))
        .collect();
    assert!(
        late.len() > 50 && late.iter().all(|certificate| *certificate == "new"),
        "{late:?}"
    );
}

/// Clients of a node get the old certificate, and from some moment on the new one.
fn require_no_way_back(report: &Report, node: usize, old: &Issued, new: &Issued) {
    let through = || {
        report
            .outcomes()
            .iter()
            .filter(|outcome| outcome.address == System::https(node))
    };
    let got = |wanted| through().filter(move |outcome| certificate(outcome, old, new) == wanted);
    let first_new = got("new")
        .map(|outcome| outcome.at + outcome.latency)
        .min()
        .expect("it comes");
    assert!(got("old").count() > 0 && got("neither").count() + got("none").count() == 0);
    let back: Vec<_> = got("old")
        .filter(|outcome| outcome.at > first_new)
        .collect();
    assert!(
        back.is_empty(),
        "through node-{}, after {first_new:?}: {back:?}",
        node + 1
    );
}

fn certificate(outcome: &Outcome, old: &Issued, new: &Issued) -> &'static str {
    match outcome
        .result
        .as_ref()
        .ok()
        .and_then(|answer| answer.certificate.as_ref())
    {
        Some(fingerprint) if *fingerprint == old.fingerprint => "old",
        Some(fingerprint) if *fingerprint == new.fingerprint => "new",
        Some(_) => "neither",
        None => "none",
    }
}

fn destination(node: usize, client: &Arc<ClientConfig>) -> Destination {
    Destination {
        address: System::https(node),
        tls: Some(Arc::clone(client)),
        host: HOST.to_owned(),
        path: "/".to_owned(),
    }
}

const HOST: &str = "secure.example.com";
const SECOND: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(30);
