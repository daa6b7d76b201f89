//! Broken objects among good ones, as the API server takes them. What it does not take reaches Sluice through files
//! only, and is in `demo`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rustls::ClientConfig;
use sluice_integration_tests::certificates::{Authority, tls_secret};
use sluice_integration_tests::client::{Destination, fetch};
use sluice_integration_tests::load::Load;
use sluice_integration_tests::system::{System, ingress, require_backend, service, tls_ingress};
use sluice_integration_tests::wait;
use sluice_proto::wire;

use super::shop;

#[test]
fn each_costs_its_own_host_and_path_and_is_named() {
    let mut system = System::start().unwrap();
    let report = system
        .run(async |system| {
            let _pods = shop(system, "shop", &["api"], 2).await?;
            system
                .cluster()
                .apply(&ingress("shop", "good", "good.example.com", "api"))?;
            system
                .wait_until_served("good.example.com", "/", "api-")
                .await?;
            let load = Load::new(System::targets("good.example.com", "api-")).start();
            system.cluster().apply(&all_broken())?;
            for (name, part) in BROKEN {
                let host = format!("{name}.example.com");
                system
                    .wait_until_refused(&host, "/", 503)
                    .await
                    .with_context(|| name.to_owned())?;
                require_named(system, name, part)
                    .await
                    .with_context(|| name.to_owned())?;
            }
            system.wait_until_live().await?;

            // One broken path of a host: the others of that very host serve.
            system.cluster().apply(PARTLY)?;
            system
                .wait_until_served("partly.example.com", "/", "api-")
                .await?;
            system
                .wait_until_refused("partly.example.com", "/broken/deeper", 503)
                .await?;
            system
                .wait_until_served("partly.example.com", "/brokenness", "api-")
                .await?;

            // Mended, it serves, and nothing is left to say.
            let mended = service("shop", "absent") + "---" + &slice_of("absent");
            system.cluster().apply(&mended)?;
            system
                .wait_until_served("missing-service.example.com", "/", "api-")
                .await?;
            wait_until_unnamed(system, "missing-service").await?;
            load.wait_for_more(50).await?;
            Ok(load.stop().await)
        })
        .unwrap();
    println!("{report}");
    report.require_no_failure(200).unwrap();
}

#[test]
fn a_certificate_outlives_its_secret() {
    let authority = Authority::create().unwrap();
    let issued = authority.issue(&["secure.example.com"]).unwrap();
    let client = authority.trusting_client(&["http/1.1"]).unwrap();
    let mut system = System::start().unwrap();
    let outcome = system.run(async |system| {
        let _pods = shop(system, "shop", &["api"], 2).await?;
        system
            .cluster()
            .apply(&issued.secret("shop", "certificate"))?;
        system.cluster().apply(&tls_ingress(
            "shop",
            "secure",
            "secure.example.com",
            "api",
            "certificate",
        ))?;
        system
            .wait_until_served("secure.example.com", "/", "api-")
            .await?;
        let served = async || require_certificate(&client, &issued.fingerprint).await;
        wait::until("the certificate", LIMIT, served).await?;

        system
            .cluster()
            .kubectl(&["delete", "secret", "certificate", "--namespace=shop"])?;
        require_named(system, "secure", "certificate").await?;
        system.wait_until_live().await?;
        served().await?;
        // Malformed instead of gone is the same.
        system.cluster().apply(&tls_secret(
            "shop",
            "certificate",
            "no certificate",
            "no key",
        ))?;
        require_named(system, "secure", "certificate").await?;
        system.wait_until_live().await?;
        served().await?;
        // Every node says that it serves what nobody stands behind any more.
        let introspection = system.introspection()?;
        wait::until("the nodes to say so", LIMIT, async || {
            let problems = introspection.problems("").await?.node_problems;
            let about = problems
                .iter()
                .filter(|problem| format!("{problem:?}").contains("shop/certificate"))
                .count();
            ensure!(about == System::NODES, "{problems:#?}");
            Ok::<_, anyhow::Error>(())
        })
        .await
    });
    outcome.unwrap();
}

#[test]
fn a_namespace_whose_secrets_may_not_be_read_is_named_with_the_command_that_grants_it() {
    let authority = Authority::create().unwrap();
    let issued = authority.issue(&["secure.example.com"]).unwrap();
    let mut system = System::start().unwrap();
    let outcome = system.run(async |system| {
        let _pods = shop(system, "shop", &["api"], 2).await?;
        system.cluster().kubectl(&[
            "delete",
            "rolebinding",
            "sluice-secret-reader",
            "--namespace=shop",
        ])?;
        system
            .cluster()
            .apply(&issued.secret("shop", "certificate"))?;
        system.cluster().apply(&tls_ingress(
            "shop",
            "secure",
            "secure.example.com",
            "api",
            "certificate",
        ))?;
        system
            .cluster()
            .apply(&ingress("shop", "plain", "plain.example.com", "api"))?;
        system
            .wait_until_served("plain.example.com", "/", "api-")
            .await?;
        system
            .wait_until_refused("secure.example.com", "/", 503)
            .await?;
        let introspection = system.introspection()?;
        let command = wait::until("the command that grants it", LIMIT, async || {
            let problems = introspection.problems("shop").await?.problems;
            let about = problems.iter().find(|problem| about(problem, "secure"));
            let remedy = about
                .map(|problem| problem.remedy.clone())
                .unwrap_or_default();
            let command = remedy
                .find("kubectl create rolebinding")
                .map(|start| remedy[start..].to_owned());
            command.with_context(|| format!("{problems:#?}"))
        })
        .await?;
        // As a person would copy it: the words of the command, and no punctuation of the sentence around it.
        let words: Vec<&str> = command.split_whitespace().skip(1).collect();
        let words: Vec<&str> = words
            .iter()
            .map(|word| word.trim_matches(['`', '.', ';', '"']))
            .collect();
        println!("kubectl {}", words.join(" "));
        system.cluster().kubectl(&words)?;
        system
            .wait_until_served("secure.example.com", "/", "api-")
            .await
    });
    outcome.unwrap();
}

/// Every node serves it.
async fn require_certificate(client: &Arc<ClientConfig>, fingerprint: &str) -> anyhow::Result<()> {
    for node in 0..System::NODES {
        let destination = Destination {
            address: System::https(node),
            tls: Some(Arc::clone(client)),
            host: "secure.example.com".to_owned(),
            path: "/".to_owned(),
        };
        let answer = fetch(&destination).await?;
        require_backend(&answer, "api-")?;
        ensure!(
            answer.certificate.as_deref() == Some(fingerprint),
            "another certificate"
        );
    }
    Ok(())
}

/// Introspection and an Event name the object, the field and the remedy; an explanation says that it is this.
async fn require_named(system: &System, ingress: &str, part: &str) -> anyhow::Result<()> {
    let introspection = system.introspection()?;
    let problem = wait::until(&format!("a problem that names {part}"), LIMIT, async || {
        let listed = introspection.problems("shop").await?.problems;
        let found = listed
            .iter()
            .find(|problem| about(problem, ingress) && problem.message.contains(part));
        found.cloned().with_context(|| format!("{listed:#?}"))
    })
    .await?;
    ensure!(
        !problem.field.is_empty() && !problem.remedy.is_empty(),
        "{problem:?}"
    );
    let event = system
        .wait_for_event("shop", ingress, &problem.code)
        .await?;
    ensure!(
        event.contains(part) && event.contains("Warning"),
        "the Event says: {event}"
    );
    Ok(())
}

async fn wait_until_unnamed(system: &System, ingress: &str) -> anyhow::Result<()> {
    let introspection = system.introspection()?;
    wait::until(&format!("no problem of {ingress}"), LIMIT, async || {
        let listed = introspection.problems("shop").await?.problems;
        ensure!(
            !listed.iter().any(|problem| about(problem, ingress)),
            "{listed:#?}"
        );
        Ok::<_, anyhow::Error>(())
    })
    .await
}

fn about(problem: &wire::Problem, ingress: &str) -> bool {
    problem
        .object
        .as_ref()
        .is_some_and(|object| object.kind == "Ingress" && object.name == ingress)
}

/// The Ingresses of `BROKEN`, and what makes them broken.
fn all_broken() -> String {
    let host = |name: &str| format!("{name}.example.com");
    let numbered =
        |name: &str| ingress("shop", name, &host(name), "api").replace("number: 80", "number: 81");
    let named =
        |name: &str| ingress("shop", name, &host(name), "api").replace("number: 80", "name: web");
    let tls = |name: &str, secret| tls_ingress("shop", name, &host(name), "api", secret);
    [
        ingress(
            "shop",
            "missing-service",
            &host("missing-service"),
            "absent",
        ),
        numbered("missing-port"),
        named("missing-named-port"),
        tls("missing-secret", "nowhere"),
        tls_secret("shop", "garbled", "no certificate", "no key"),
        tls("malformed-secret", "garbled"),
        tls_secret("shop", "opaque", "", "")
            .replace("type: kubernetes.io/tls", "type: Opaque")
            .replace("tls.", "other."),
        tls("secret-without-certificate", "opaque"),
    ]
    .join("---\n")
}

/// Two ready pods of another Service.
fn slice_of(service: &str) -> String {
    use sluice_integration_tests::namespace::Namespace;
    use sluice_integration_tests::system::{EndpointState, endpoint_slice};
    let pods = [1, 2].map(|index| (Namespace::pod(1, index), EndpointState::Ready));
    endpoint_slice("shop", service, &pods)
}

/// The Ingresses that are broken, and what a problem of each must name.
const BROKEN: [(&str, &str); 6] = [
    ("missing-service", "absent"),
    ("missing-port", "81"),
    ("missing-named-port", "web"),
    ("missing-secret", "nowhere"),
    ("malformed-secret", "garbled"),
    ("secret-without-certificate", "opaque"),
];

const PARTLY: &str = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: partly, namespace: shop }
spec:
  ingressClassName: sluice
  rules:
    - host: partly.example.com
      http:
        paths:
          - { path: /, pathType: Prefix, backend: { service: { name: api, port: { number: 80 } } } }
          - { path: /broken, pathType: Prefix, backend: { service: { name: missing, port: { number: 80 } } } }
";

const LIMIT: Duration = Duration::from_secs(30);
