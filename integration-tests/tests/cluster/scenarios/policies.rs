//! Policies of Sluice's own: clients come back to their pod though nodes' data planes and other pods restart, a canary gets
//! its part, and who has no certificate does not pass.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use http::HeaderValue;
use http::header::COOKIE;
use rustls::ClientConfig;
use sluice_integration_tests::certificates::{Authority, Issued};
use sluice_integration_tests::client::{Answer, Connection, get};
use sluice_integration_tests::wait;

use crate::run::LIMIT;
use crate::stage::{ALL_NODES, Stage};
use crate::table::Row;
use crate::traffic::{http, https, root};

pub(crate) fn run(stage: &mut Stage, row: &mut Row) -> anyhow::Result<()> {
    let secrets = [
        stage
            .authority
            .issue(&[MUTUAL])?
            .secret(NAMESPACE, "mutual"),
        stage.authority.secret(NAMESPACE, "clients"),
    ];
    stage.nodes.cluster().apply(&secrets.join("---\n"))?;
    stage.nodes.cluster().apply(OBJECTS)?;
    stage.outside(async |stage| {
        sticky(stage, row).await?;
        for percent in [1, 10, 50] {
            canary(stage, percent, row).await?;
        }
        certificates(stage).await
    })?;
    stage.kubectl("delete ingress sticky canary mutual --namespace=honeydue")?;
    stage.kubectl("delete policy sticky --namespace=honeydue")?;
    stage.kubectl("delete secret clients mutual --namespace=honeydue")?;
    Ok(())
}

/// Cookies, and the pods that they name.
type Sessions = BTreeMap<String, String>;

async fn sticky(stage: &Stage, row: &mut Row) -> anyhow::Result<()> {
    wait_until_live(STICKY, |answer| {
        ensure!(
            !answer.header("set-cookie").is_empty(),
            "there is no cookie"
        );
        Ok(())
    })
    .await?;
    let mut sessions = Sessions::new();
    for client in 0..CLIENTS {
        let answer = ask(client % ALL_NODES.len(), STICKY, None).await?;
        let (cookie, pod) = session(&answer)?;
        sessions.insert(cookie, pod);
    }
    come_back(&sessions).await?;
    stage
        .restart("sluice-data-plane", "daemonset/sluice-data-plane")
        .await?;
    come_back(&sessions).await?;

    let ended = sessions.values().next().context("there is no session")?;
    let ended = ended.clone();
    stage.kubectl(&format!(
        "delete pod {} --namespace={NAMESPACE}",
        pod_name(&ended)
    ))?;
    stage
        .wait_until_rolled_out(NAMESPACE, "deployment/api")
        .await?;
    let (moved, stayed): (Sessions, Sessions) =
        (sessions.into_iter()).partition(|(_, pod)| *pod == ended);
    come_back(&stayed).await?;
    let mut anew = Sessions::new();
    for cookie in moved.keys() {
        let answer = ask(0, STICKY, Some(cookie)).await?;
        let (cookie, pod) = session(&answer)?;
        ensure!(pod != ended, "{ended} is gone, and answers");
        anew.insert(cookie, pod);
    }
    come_back(&anew).await?;
    row.note(format_args!(
        "{} sessions stayed with their pods, {} moved with one cookie",
        stayed.len(),
        moved.len()
    ));
    Ok(())
}

/// Whatever node they come to, clients come back to their pods.
async fn come_back(sessions: &Sessions) -> anyhow::Result<()> {
    for (cookie, pod) in sessions {
        for node in ALL_NODES {
            let answer = ask(node, STICKY, Some(cookie)).await?;
            let backend = answer.backend();
            ensure!(
                backend == Some(pod),
                "through node-{}, {cookie} leads to {backend:?} ({}), not to {pod}",
                node + 1,
                answer.status
            );
        }
    }
    Ok(())
}

fn session(answer: &Answer) -> anyhow::Result<(String, String)> {
    let cookie = answer.header("set-cookie").split(';').next();
    let cookie = cookie.filter(|cookie| cookie.starts_with("pod="));
    let cookie = cookie.with_context(|| format!("{} without a cookie", answer.status))?;
    let pod = answer.backend().context("the proxy itself answers")?;
    Ok((cookie.to_owned(), pod.to_owned()))
}

/// The echo server calls itself `api-` and the name of its pod.
fn pod_name(backend: &str) -> &str {
    backend.strip_prefix("api-").unwrap_or(backend)
}

async fn canary(stage: &Stage, percent: u32, row: &mut Row) -> anyhow::Result<()> {
    let part = percent.to_string();
    stage.nodes.cluster().kubectl(&[
        "annotate",
        "ingress",
        "canary",
        "--namespace=honeydue",
        "--overwrite",
        &format!("ingress.sluice.dev/canary=admin:3000 {part}%"),
        &format!("ingress.sluice.dev/response-headers=X-Part: {part}"),
    ])?;
    wait_until_live(CANARY, |answer| {
        let found = answer.header("x-part");
        ensure!(found == part, "its part is {found:?}");
        Ok(())
    })
    .await?;
    let mut of_canary = 0;
    for request in 0..REQUESTS {
        let answer = ask(request % ALL_NODES.len(), CANARY, None).await?;
        let backend = answer.backend().context("the proxy itself answers")?;
        of_canary += usize::from(backend.starts_with("admin-"));
    }
    let (all, probability) = (REQUESTS as f64, f64::from(percent) / 100.0);
    let expected = all * probability;
    // Five standard deviations of a binomial distribution: once in a million runs it is another by chance.
    let bound = 5.0 * (expected * (1.0 - probability)).sqrt();
    row.note(format_args!(
        "{of_canary} of {REQUESTS} to a canary of {percent} %"
    ));
    row.requests += REQUESTS;
    ensure!(
        (of_canary as f64 - expected).abs() <= bound,
        "{of_canary} of {REQUESTS} requests at {percent} %: {expected} ± {bound:.0} were to be"
    );
    Ok(())
}

async fn certificates(stage: &Stage) -> anyhow::Result<()> {
    let client = |own: Option<&Issued>| {
        let versions = rustls::DEFAULT_VERSIONS;
        stage.authority.client(&["http/1.1"], versions, own)
    };
    let nobody = client(None)?;
    let known = client(Some(&stage.authority.issue(&["client.test"])?))?;
    let stranger = client(Some(&Authority::create()?.issue(&["client.test"])?))?;
    for (who, tls, status) in [
        ("who has a certificate", &known, 200),
        ("who has none", &nobody, 403),
        ("who has another one", &stranger, 403),
        ("who has a certificate, again", &known, 200),
    ] {
        for node in ALL_NODES {
            let what = format!("{who} to get {status} from node-{}", node + 1);
            wait::until(&what, LIMIT, async || {
                let answer = ask_by_tls(node, tls).await?;
                ensure!(answer.status == status, "{}", answer.status);
                anyhow::Ok(())
            })
            .await?;
        }
    }
    let refused = ask_by_tls(0, &nobody).await?;
    let words = String::from_utf8_lossy(&refused.body);
    ensure!(words.contains("client certificate"), "it only says {words}");
    Ok(())
}

async fn wait_until_live(
    host: &str,
    judge: impl Fn(&Answer) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for node in ALL_NODES {
        let what = format!("the policies of {host} on node-{}", node + 1);
        wait::until(&what, LIMIT, async || judge(&ask(node, host, None).await?)).await?;
    }
    Ok(())
}

async fn ask(node: usize, host: &str, cookie: Option<&str>) -> anyhow::Result<Answer> {
    let destination = root(http(node), None, host);
    let mut request = get(&destination, true)?;
    if let Some(cookie) = cookie {
        let cookie = HeaderValue::try_from(cookie)?;
        request.headers_mut().insert(COOKIE, cookie);
    }
    Ok(Connection::open(&destination).await?.send(request).await?)
}

async fn ask_by_tls(node: usize, client: &Arc<ClientConfig>) -> anyhow::Result<Answer> {
    let destination = root(https(node), Some(client), MUTUAL);
    let request = get(&destination, true)?;
    Ok(Connection::open(&destination).await?.send(request).await?)
}

const NAMESPACE: &str = "honeydue";
const STICKY: &str = "sticky.myhoneydue.com";
const CANARY: &str = "canary.myhoneydue.com";
const MUTUAL: &str = "mutual.myhoneydue.com";
const CLIENTS: usize = 30;
const REQUESTS: usize = 3_000;
const OBJECTS: &str = include_str!("policies.yaml");
