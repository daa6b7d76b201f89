//! The first user's Middlewares, written for Traefik, are attached to their two Ingresses: each does what its name says, to
//! who comes through Cloudflare and to who does not, and nothing that a stranger says changes that.

use std::net::Ipv4Addr;

use anyhow::{Context as _, ensure};
use http::{HeaderName, HeaderValue, StatusCode};
use sluice_integration_tests::client::{Answer, Connection, get};
use sluice_integration_tests::wait;

use crate::run::LIMIT;
use crate::stage::{ALL_NODES, Stage};
use crate::table::Row;
use crate::traffic::{http, root};

pub(crate) fn run(stage: &mut Stage, row: &mut Row) -> anyhow::Result<()> {
    let outside = stage.nodes.outside();
    outside.configure(&[format!("address replace {CLOUDFLARE}/32 dev eth0")])?;
    for node in ALL_NODES {
        let route = ["ip", "route", "replace", CLOUDFLARES, "via", OUTSIDE];
        stage.nodes.node(node).run(&route)?;
    }
    stage.nodes.cluster().apply(DEFINITION)?;
    stage.kubectl("wait --for=condition=Established crd/middlewares.traefik.io --timeout=60s")?;
    stage.nodes.cluster().apply(OBJECTS)?;
    attach(stage, "honeydue-api", &BOTH)?;
    attach(
        stage,
        "honeydue-admin",
        &[&BOTH[..], &["admin-auth"]].concat(),
    )?;
    stage.outside(async |stage| {
        for node in ALL_NODES {
            wait_until_guarded(node).await?;
            headers_and_redirects(node).await?;
            strangers(node).await?;
            credentials(node).await?;
        }
        let (passed, refused) = rate_limit(0).await?;
        row.note(format_args!(
            "{passed} of one client passed, then {refused} × 429"
        ));
        the_log_names_the_peer(stage)?;
        without_its_secret(stage).await
    })?;
    detach(stage)?;
    stage.outside(async |stage| stage.wait_until_served(&ALL_NODES).await)
}

fn attach(stage: &Stage, ingress: &str, middlewares: &[&str]) -> anyhow::Result<()> {
    let named: Vec<_> = middlewares
        .iter()
        .map(|name| format!("honeydue-{name}@kubernetescrd"))
        .collect();
    let list = named.join(",");
    stage.kubectl(&format!(
        "annotate ingress {ingress} --namespace=honeydue --overwrite {ANNOTATION}={list}"
    ))?;
    Ok(())
}

fn detach(stage: &Stage) -> anyhow::Result<()> {
    for command in [
        &format!("annotate ingress honeydue-api honeydue-admin --namespace=honeydue {ANNOTATION}-"),
        "delete crd middlewares.traefik.io",
        "delete settings.ingress.sluice.dev edge",
    ] {
        stage.kubectl(command)?;
    }
    Ok(())
}

async fn wait_until_guarded(node: usize) -> anyhow::Result<()> {
    let what = format!("the Middlewares to be live on node-{}", node + 1);
    wait::until(&what, LIMIT, async || {
        for host in [API, ADMIN] {
            let answer = ask(STRANGER, node, host, &[]).await?;
            ensure!(answer.status == 403, "{host} answers {}", answer.status);
        }
        anyhow::Ok(())
    })
    .await
}

/// Through Cloudflare, which ends TLS and speaks plain HTTP to the node ("Flexible").
async fn headers_and_redirects(node: usize) -> anyhow::Result<()> {
    let by_https = [
        ("x-forwarded-proto", "https"),
        ("cf-connecting-ip", "198.51.100.7"),
    ];
    let answer = ask(CLOUDFLARE, node, API, &by_https).await?;
    is(&answer, 200, "through Cloudflare, by https")?;
    for (name, value) in SECURITY_HEADERS {
        ensure!(
            answer.header(name) == value,
            "{name}: {:?}",
            answer.header(name)
        );
    }
    let seen = answer.seen().context("the backend's answer")?;
    let forwarded = seen
        .headers
        .iter()
        .find(|(name, _)| *name == "x-forwarded-for");
    let forwarded = forwarded.map(|(_, values)| values.join(", "));
    ensure!(
        forwarded.as_deref() == Some("198.51.100.7, 173.245.48.10"),
        "the backend sees {forwarded:?}"
    );
    let by_http = [
        ("x-forwarded-proto", "http"),
        ("cf-connecting-ip", "198.51.100.7"),
    ];
    let answer = ask(CLOUDFLARE, node, API, &by_http).await?;
    is(&answer, 301, "through Cloudflare, by http")?;
    // Where it leads, Cloudflare comes back with https: there is no loop.
    let location = answer.header("location");
    ensure!(
        location == "https://api.myhoneydue.com/",
        "it leads to {location}"
    );
    Ok(())
}

/// Whatever a stranger says, it is a stranger.
async fn strangers(node: usize) -> anyhow::Result<()> {
    for spoofed in [
        ("x-forwarded-for", "173.245.48.10"),
        ("cf-connecting-ip", "173.245.48.10"),
        ("x_forwarded_for", "173.245.48.10"),
        ("connection", "x-forwarded-for"),
        ("x-forwarded-proto", "https"),
    ] {
        let answer = ask(STRANGER, node, API, &[spoofed]).await?;
        is(
            &answer,
            403,
            &format!("a stranger with {}: {}", spoofed.0, spoofed.1),
        )?;
    }
    Ok(())
}

async fn credentials(node: usize) -> anyhow::Result<()> {
    let answer = ask(CLOUDFLARE, node, ADMIN, &[HTTPS]).await?;
    is(&answer, 401, "the admin host without a password")?;
    ensure!(answer.header("www-authenticate") == "Basic realm=\"traefik\"");
    let answer = ask(CLOUDFLARE, node, ADMIN, &[HTTPS, WRONG]).await?;
    is(&answer, 401, "the admin host with a wrong password")?;
    let answer = ask(CLOUDFLARE, node, ADMIN, &[HTTPS, RIGHT]).await?;
    is(&answer, 200, "the admin host with the right password")
}

/// Returns how many requests of one client passed before one did not, and how many of the next ones did not.
async fn rate_limit(node: usize) -> anyhow::Result<(usize, usize)> {
    let client = [HTTPS, ("cf-connecting-ip", "198.51.100.8")];
    let mut passed = 0;
    while ask(CLOUDFLARE, node, API, &client).await?.status == 200 {
        passed += 1;
        ensure!(
            passed < 1_000,
            "{passed} requests of one client have passed"
        );
    }
    ensure!(passed >= 200, "only {passed} requests have passed");
    let mut refused = 0;
    for spoofed in ["203.0.113.1", "203.0.113.2", "203.0.113.3"] {
        let headers = [client[0], client[1], ("x-forwarded-for", spoofed)];
        let answer = ask(CLOUDFLARE, node, API, &headers).await?;
        // One may have been refilled meanwhile.
        refused += usize::from(answer.status == 429);
    }
    ensure!(refused >= 2, "{refused} of 3 further requests are refused");
    let other = [HTTPS, ("cf-connecting-ip", "198.51.100.9")];
    let answer = ask(CLOUDFLARE, node, API, &other).await?;
    is(&answer, 200, "another client")?;
    Ok((passed, refused))
}

fn the_log_names_the_peer(stage: &Stage) -> anyhow::Result<()> {
    let pods = stage.pods("sluice-data-plane")?;
    let pod = pods.first().context("there is no data plane")?;
    let log = stage.kubectl(&format!(
        "logs {} --namespace=sluice-data-plane --tail=-1",
        pod.name
    ))?;
    let refused = log
        .lines()
        .filter(|line| line.contains("\"error\":\"address_denied\""));
    let mut count = 0;
    for line in refused {
        ensure!(line.contains("\"client\":\"10.200.0.100\""), "{line}");
        count += 1;
    }
    ensure!(count > 0, "the access log names no refused request");
    Ok(())
}

async fn without_its_secret(stage: &Stage) -> anyhow::Result<()> {
    stage.kubectl("delete secret admin-auth --namespace=honeydue")?;
    wait_for(ADMIN, 503).await?;
    let answer = ask(CLOUDFLARE, 0, API, &[HTTPS]).await?;
    is(&answer, 200, "the other host without the Secret")?;
    stage.nodes.cluster().apply(DEFINITION)?;
    wait_for(ADMIN, 200).await
}

async fn wait_for(host: &str, status: u16) -> anyhow::Result<()> {
    for node in ALL_NODES {
        let what = format!("{host} to answer {status} on node-{}", node + 1);
        wait::until(&what, LIMIT, async || {
            let answer = ask(CLOUDFLARE, node, host, &[HTTPS, RIGHT]).await?;
            is(&answer, status, host)
        })
        .await?;
    }
    Ok(())
}

async fn ask(
    from: Ipv4Addr,
    node: usize,
    host: &str,
    headers: &[(&'static str, &'static str)],
) -> anyhow::Result<Answer> {
    let destination = root(http(node), None, host);
    let mut request = get(&destination, true)?;
    for (name, value) in headers {
        let name = HeaderName::from_static(name);
        request
            .headers_mut()
            .append(name, HeaderValue::from_static(value));
    }
    let mut connection = Connection::open_from(from, &destination).await?;
    Ok(connection.send(request).await?)
}

fn is(answer: &Answer, status: u16, what: &str) -> anyhow::Result<()> {
    let expected = StatusCode::from_u16(status)?;
    ensure!(answer.status == expected, "{what}: {}", answer.status);
    Ok(())
}

const ANNOTATION: &str = "traefik.ingress.kubernetes.io/router.middlewares";
const BOTH: [&str; 4] = ["cloudflare-only", "https", "security-headers", "rate-limit"];
const API: &str = "api.myhoneydue.com";
const ADMIN: &str = "admin.myhoneydue.com";
const HTTPS: (&str, &str) = ("x-forwarded-proto", "https");
const RIGHT: (&str, &str) = ("authorization", "Basic YWRtaW46Y29ycmVjdC1ob3JzZQ==");
const WRONG: (&str, &str) = ("authorization", "Basic YWRtaW46d3Jvbmc=");
const SECURITY_HEADERS: [(&str, &str); 5] = [
    (
        "strict-transport-security",
        "max-age=31536000; includeSubDomains",
    ),
    ("x-frame-options", "DENY"),
    ("x-content-type-options", "nosniff"),
    ("content-security-policy", "default-src 'self'"),
    ("referrer-policy", "strict-origin-when-cross-origin"),
];

/// An address of Cloudflare's, in the ranges that Sluice knows.
const CLOUDFLARE: Ipv4Addr = Ipv4Addr::new(173, 245, 48, 10);
const CLOUDFLARES: &str = "173.245.48.0/20";
/// The address of clients that do not come through Cloudflare.
const STRANGER: Ipv4Addr = Ipv4Addr::new(10, 200, 0, 100);
const OUTSIDE: &str = "10.200.0.100";

const DEFINITION: &str = include_str!("middlewares.yaml");
const OBJECTS: &str = include_str!("middlewares-objects.yaml");
