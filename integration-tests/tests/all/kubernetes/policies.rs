//! Policies as objects and as annotations: what they do is live on every node, what is broken costs what it should and is
//! told; what the API server refuses; and that the examples of the documents are none of that.

use anyhow::ensure;
use http::StatusCode;
use sluice_integration_tests::client::{Connection, get};
use sluice_integration_tests::programs::repository;
use sluice_integration_tests::system::{System, ingress};
use sluice_integration_tests::wait;

use super::{LIMIT, annotated, policy, shop};

#[test]
fn policies_and_annotations_are_done_on_every_node() {
    let mut system = System::start().unwrap();
    let outcome = system.run(async |system| {
        let _pods = shop(system, "shop", &["api", "next"], 1).await?;
        let cluster = system.cluster();
        let plain = ingress("shop", "web", "web.example.com", "api");
        cluster.apply(&plain)?;
        system
            .wait_until_served("web.example.com", "/", "api-")
            .await?;

        // One that is not there might protect.
        cluster.apply(&annotated(&plain, &["policies: guard"]))?;
        wait_until_answered(StatusCode::SERVICE_UNAVAILABLE).await?;
        system
            .wait_for_event("shop", "web", "PolicyMissing")
            .await?;
        cluster.apply(&policy(
            "guard",
            "addresses: { deny: [0.0.0.0/0, \"::/0\"] }",
        ))?;
        wait_until_answered(StatusCode::FORBIDDEN).await?;
        cluster.apply(&policy(
            "guard",
            "redirect: { host: www.example.com, status: 308 }",
        ))?;
        wait_until_answered(StatusCode::PERMANENT_REDIRECT).await?;

        // What the API server cannot see.
        cluster.apply(&policy("guard", "basicAuth: { secret: users }"))?;
        wait_until_answered(StatusCode::SERVICE_UNAVAILABLE).await?;
        let event = system
            .wait_for_event("shop", "guard", "SecretMissing")
            .await?;
        ensure!(event.to_lowercase().contains("policy/guard"), "{event}");
        cluster.apply(USERS)?;
        wait_until_answered(StatusCode::UNAUTHORIZED).await?;

        // Annotations, and no Policy any more.
        cluster.apply(&annotated(&plain, &["canary: 'next:80 0'"]))?;
        wait_until_answered(StatusCode::OK).await?;
        cluster.apply(&annotated(&plain, &["canary: 'next:80 100'"]))?;
        system
            .wait_until_served("web.example.com", "/", "next-")
            .await?;
        cluster.apply(&annotated(&plain, &["allow: nobody"]))?;
        wait_until_answered(StatusCode::SERVICE_UNAVAILABLE).await?;
        system
            .wait_for_event("shop", "web", "AddressSetUnknown")
            .await?;
        cluster.apply(&annotated(
            &plain,
            &[
                "request-headers: 'X-Shop: open'",
                "security-headers: strict",
            ],
        ))?;
        wait_until_answered(StatusCode::OK).await
    });
    outcome.unwrap();
}

#[test]
fn the_api_server_refuses_what_policies_cannot_be_and_takes_the_examples() {
    let mut system = System::start().unwrap();
    let outcome = system.run(async |system| {
        let cluster = system.cluster();
        cluster.kubectl(&["wait", "--for=condition=Established", "crd", DEFINITION])?;
        cluster.kubectl(&["create", "namespace", "shop"])?;
        cluster.kubectl(&["create", "namespace", "platform"])?;
        for (spec, reason) in REFUSED {
            let Err(refused) = cluster.apply(&policy("refused", spec)) else {
                anyhow::bail!("{spec} is taken");
            };
            let refused = format!("{refused:#}");
            ensure!(refused.contains(reason), "{spec}: {refused}");
        }
        cluster.apply(&policy("empty", "{}"))?;
        let documents = std::fs::read_to_string(repository().join("docs/policies.md"))?;
        let examples = documents.split("```yaml\n").skip(1);
        let examples: Vec<_> = examples
            .filter_map(|rest| Some(rest.split_once("```")?.0))
            .collect();
        ensure!(examples.len() >= 12, "{examples:?}");
        for example in examples {
            cluster.apply(example)?;
        }
        let explained = cluster.kubectl(&["explain", "policies.spec.rateLimit.ipv6Prefix"])?;
        ensure!(explained.contains("Default: 64"), "{explained}");
        Ok(())
    });
    outcome.unwrap();
}

/// Waits until every node answers with this status.
async fn wait_until_answered(status: StatusCode) -> anyhow::Result<()> {
    wait::until(&format!("the answer {status}"), LIMIT, async || {
        for node in 0..System::NODES {
            let destination = System::destination(node, "web.example.com", "/");
            let request = get(&destination, true)?;
            let answer = Connection::open(&destination).await?.send(request).await?;
            ensure!(answer.status == status, "node {node}: {}", answer.status);
        }
        Ok::<_, anyhow::Error>(())
    })
    .await
}

const DEFINITION: &str = "policies.ingress.sluice.dev";
const USERS: &str = "
apiVersion: v1
kind: Secret
metadata: { name: users, namespace: shop }
stringData: { users: 'ada:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=' }
";
/// What a spec cannot be, and a part of what the API server says of it.
const REFUSED: [(&str, &str); 19] = [
    (
        "requestHeaders: { set: { \"X A\": b } }",
        "a name of a header must be a token",
    ),
    ("rateLimits: { requests: 1 }", "unknown field"),
    ("rateLimit: { period: 1m }", "requests: Required"),
    ("rateLimit: { requests: 0 }", "greater than or equal to 1"),
    ("rateLimit: { requests: 1, by: ip }", "should match"),
    ("requestBody: { limit: 10MB }", "should match"),
    ("clientCertificates: {}", "caSecret: Required"),
    (
        "upstreamTls: { caSecret: a, insecureSkipVerify: true }",
        "caSecret would mean nothing",
    ),
    ("addresses: { allow: [10.0.0.0/8/8] }", "should match"),
    (
        "forwardAuth: {}",
        "exactly one of url and service must be there",
    ),
    (
        "forwardAuth: { url: \"http://a\", service: { name: a, port: 80 } }",
        "exactly one of url and service must be there",
    ),
    (
        "cors: { credentials: true }",
        "one of origins and originPatterns",
    ),
    (
        "redirect: { regex: a }",
        "regex and replacement belong together",
    ),
    (
        "redirect: { regex: a, replacement: b, host: c }",
        "either regex, or some of scheme, host, port and path",
    ),
    ("redirect: { host: a, status: 200 }", "supported values"),
    (
        "rewrite: { path: /a, addPrefix: /b }",
        "exactly one of stripPrefix and addPrefix, path, and regex",
    ),
    ("securityHeaders: { preset: paranoid }", "supported values"),
    (
        "canary: { service: { name: a, port: 80 } }",
        "one of weight, header and cookie must be there",
    ),
    (
        "canary: { service: { name: a, port: 80 }, header: { name: A } }",
        "exactly one of value and pattern must be there",
    ),
];
