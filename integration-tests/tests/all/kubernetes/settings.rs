//! Settings as objects: of the whole edge and of classes, side by side on the same nodes; a definition that is installed
//! while Sluice runs, or may not be read; what the API server refuses, and what is reported when it does not.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use http::HeaderValue;
use sluice_integration_tests::client::{Answer, Connection, get};
use sluice_integration_tests::programs::repository;
use sluice_integration_tests::system::{System, ingress};
use sluice_integration_tests::wait;

use super::shop;

#[test]
fn classes_have_settings_of_their_own_as_soon_as_there_are_any() {
    let mut system = System::start().unwrap();
    let outcome = system.run(async |system| {
        let _pods = shop(system, "shop", &["api"], 2).await?;
        // Without the definition everything is served but what refers to it: Settings that are not there might name Policies.
        let cluster = system.cluster();
        cluster.kubectl(&["delete", "crd", DEFINITION])?;
        system.kill_control_plane()?;
        system.start_control_plane().await?;
        let cluster = system.cluster();
        cluster.apply(CLASS)?;
        cluster.apply(&ingress("shop", "public", "public.example.com", "api"))?;
        let inside = ingress("shop", "inside", "inside.example.com", "api");
        cluster.apply(&inside.replace("ingressClassName: sluice", "ingressClassName: internal"))?;
        system
            .wait_until_served("public.example.com", "/", "api-")
            .await?;
        wait_until_client_is("public.example.com", false).await?;
        system
            .wait_until_refused("inside.example.com", "/", 503)
            .await?;
        system
            .wait_for_event("default", "internal", "SettingsMissing")
            .await?;

        // It is installed, and seen without a restart.
        let file = repository().join("manifests/base/settings-crd.yaml");
        let file = file.to_str().context("a path in UTF-8")?;
        cluster.kubectl(&["apply", "--filename", file])?;
        cluster.kubectl(&["wait", "--for=condition=Established", "crd", DEFINITION])?;
        cluster.apply(&settings(
            "internal",
            "trustedProxies: { ranges: [0.0.0.0/0] }",
        ))?;
        wait_until_client_is("inside.example.com", true).await?;
        wait_until_client_is("public.example.com", false).await?;
        system
            .wait_for_event("default", "internal", "Resolved")
            .await?;

        // A change, and the edge's own.
        cluster.apply(&settings("internal", "trustedProxies: { ranges: [] }"))?;
        cluster.apply(&settings("edge", "trustedProxies: { ranges: [0.0.0.0/0] }"))?;
        wait_until_client_is("inside.example.com", false).await?;
        wait_until_client_is("public.example.com", true).await?;

        broken_fields(system).await?;

        // With the definition go the objects.
        cluster.kubectl(&["delete", "crd", DEFINITION])?;
        wait_until_client_is("public.example.com", false).await?;
        system
            .wait_until_refused("inside.example.com", "/", 503)
            .await
    });
    outcome.unwrap();
}

/// What the API server cannot see is reported, and costs that field alone.
async fn broken_fields(system: &System) -> anyhow::Result<()> {
    let cluster = system.cluster();
    let broken =
        "trustedProxies: { ranges: [0.0.0.0/0], sets: [fastly] }\n  limits: { connections: 1 }";
    cluster.apply(&settings("internal", broken))?;
    for reason in ["TrustedSetUnknown", "SettingsFieldIgnored"] {
        let event = system.wait_for_event("default", "internal", reason).await?;
        ensure!(
            event.to_lowercase().contains("settings/internal"),
            "{event}"
        );
    }
    let broken = "trustedProxies: { ranges: [0.0.0.0/0] }\n  status: { addresses: [Edge_1] }";
    cluster.apply(&settings("edge", broken))?;
    let event = system
        .wait_for_event("default", "edge", "SettingsFieldInvalid")
        .await?;
    ensure!(event.contains("Edge_1"), "{event}");
    wait_until_client_is("inside.example.com", true).await?;
    wait_until_client_is("public.example.com", true).await
}

#[test]
fn settings_that_may_not_be_read_hold_nothing_up_and_are_reported() {
    let mut system = System::start().unwrap();
    let outcome = system.run(async |system| {
        let _pods = shop(system, "shop", &["api"], 1).await?;
        let cluster = system.cluster();
        let role = cluster.kubectl(&["get", "clusterrole", ROLE, "--output=json"])?;
        let mut role: serde_json::Value = serde_json::from_str(&role)?;
        let rules = role["rules"].as_array_mut().context("rules")?;
        rules.retain(|rule| rule["apiGroups"][0] != "ingress.sluice.dev");
        cluster.apply(&role.to_string())?;
        system.kill_control_plane()?;
        system.start_control_plane().await?;
        let cluster = system.cluster();
        cluster.apply(&ingress("shop", "public", "public.example.com", "api"))?;
        cluster.apply(&settings("edge", "trustedProxies: { ranges: [0.0.0.0/0] }"))?;
        system
            .wait_until_served("public.example.com", "/", "api-")
            .await?;
        let introspection = system.introspection()?;
        wait::until("the problem", LIMIT, async || {
            let problems = introspection.problems("").await?.problems;
            let is_it = |code: &str, field: &str| code == "WatchForbidden" && field == "Settings";
            ensure!(
                problems
                    .iter()
                    .any(|problem| is_it(&problem.code, &problem.field)),
                "{problems:#?}"
            );
            Ok::<_, anyhow::Error>(())
        })
        .await?;
        wait_until_client_is("public.example.com", false).await?;
        let manifests = repository().join("manifests");
        let manifests = manifests.to_str().context("a path in UTF-8")?;
        cluster.kubectl(&["apply", "--kustomize", manifests])?;
        wait_until_client_is("public.example.com", true).await
    });
    outcome.unwrap();
}

#[test]
fn the_api_server_refuses_what_settings_cannot_be() {
    let mut system = System::start().unwrap();
    let outcome = system.run(async |system| {
        let cluster = system.cluster();
        cluster.kubectl(&["wait", "--for=condition=Established", "crd", DEFINITION])?;
        for (spec, reason) in REFUSED {
            let Err(refused) = cluster.apply(&settings("refused", spec)) else {
                anyhow::bail!("{spec} is taken");
            };
            let refused = format!("{refused:#}");
            ensure!(refused.contains(reason), "{spec}: {refused}");
        }
        cluster.apply(&settings("taken", TAKEN))?;
        cluster.apply(&settings("empty", "{}"))?;
        let documents = std::fs::read_to_string(repository().join("docs/settings.md"))?;
        let examples = documents.split("```yaml\n").skip(1);
        let examples: Vec<_> = examples
            .filter_map(|rest| Some(rest.split_once("```")?.0))
            .collect();
        ensure!(examples.len() >= 3, "{examples:?}");
        for example in examples {
            cluster.apply(example)?;
        }
        let explained = cluster.kubectl(&["explain", "settings.spec.timeouts.connect"])?;
        ensure!(explained.contains("Default: 2s"), "{explained}");
        Ok(())
    });
    outcome.unwrap();
}

fn settings(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: ingress.sluice.dev/v1alpha1\nkind: Settings\nmetadata: {{ name: {name} }}\nspec:\n  {spec}\n"
    )
}

/// Waits until backends of a host are told by every node that the client is whom the request names, or that it is not.
async fn wait_until_client_is(host: &str, named: bool) -> anyhow::Result<()> {
    let what = format!("the client of {host} to be believed: {named}");
    wait::until(&what, LIMIT, async || {
        for node in 0..System::NODES {
            let seen = claim(node, host).await?.seen()?;
            let real = &seen.headers["x-real-ip"];
            ensure!((real == &[CLAIMED]) == named, "node {node}: {real:?}");
        }
        Ok::<_, anyhow::Error>(())
    })
    .await
}

/// Asks a node for a host, and claims to ask for somebody else.
async fn claim(node: usize, host: &str) -> anyhow::Result<Answer> {
    let destination = System::destination(node, host, "/");
    let mut request = get(&destination, true)?;
    request
        .headers_mut()
        .insert("x-forwarded-for", HeaderValue::from_static(CLAIMED));
    Ok(Connection::open(&destination).await?.send(request).await?)
}

const DEFINITION: &str = "settings.ingress.sluice.dev";
const ROLE: &str = "sluice-control-plane";
const CLAIMED: &str = "203.0.113.7";
const CLASS: &str = "
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: internal }
spec:
  controller: ingress.sluice.dev/controller
  parameters: { apiGroup: ingress.sluice.dev, kind: Settings, name: internal }
";
/// What a spec cannot be, and a part of what the API server says of it.
const REFUSED: [(&str, &str); 17] = [
    ("timeouts: { connect: 5 }", "must be of type string"),
    ("timeouts: { connect: 5 seconds }", "should match"),
    ("timeouts: { drain: 721h }", "must be in 1ms to 720h"),
    ("timeouts: { drain: 0s }", "must be in 1ms to 720h"),
    ("timeouts: { conect: 5s }", "unknown field"),
    ("limits: { headerBytes: 0 }", "greater than or equal to 1"),
    (
        "limits: { headerCount: 16385 }",
        "less than or equal to 16384",
    ),
    ("listeners: []", "at least 1 items"),
    ("listeners: [{ name: a, port: 80 }]", "protocol: Required"),
    (
        "listeners: [{ name: a, port: 80, protocol: TCP }]",
        "supported values",
    ),
    (
        "listeners: [{ name: a, port: 80, protocol: HTTP }, { name: b, port: 80, protocol: HTTP }]",
        "the same port on the same address",
    ),
    (
        "listeners: [{ name: a, port: 80, protocol: HTTP }, { name: a, port: 81, protocol: HTTP }]",
        "Duplicate value",
    ),
    (
        "listeners: [{ name: a, port: 80, protocol: HTTP, address: here }]",
        "should match",
    ),
    ("trustedProxies: { ranges: [10.0.0.0/33] }", "should match"),
    (
        "trustedProxies: { clientAddressHeader: no header }",
        "should match",
    ),
    ("tls: { minimumVersion: TLS1.1 }", "supported values"),
    (
        "proxySets: { No_Name: { ranges: [] } }",
        "the name of a set must be",
    ),
];
const TAKEN: &str = "
  listeners:
    - { name: a, port: 80, protocol: HTTP, address: '::1' }
    - { name: b, port: 80, protocol: HTTP, address: '::2' }
    - { name: c, port: 443, protocol: HTTPS }
  ingress: { controllers: [a], allowExternalName: true, hostsAcrossNamespaces: false }
  defaultCertificate: { namespace: edge, secretName: fallback }
  missingCertificate: RefuseHandshake
  tls: { minimumVersion: TLS1.3 }
  trustedProxies: { ranges: [10.0.0.0/8, '2001:db8::/32'], sets: [cloudflare, office], clientAddressHeader: X-Real-IP }
  proxySets: { office: { date: '2026-01-31', ranges: [192.0.2.0/24] } }
  timeouts: { connect: 250ms, drain: 720h }
  limits: { headerBytes: 16777216, connections: 4294967295 }
  accessLog: { enabled: true }
  metrics: { allowedRanges: [192.168.0.0/16] }
  status: { publish: false, addresses: [192.0.2.1, edge.example.com] }
";
const LIMIT: Duration = Duration::from_secs(30);
