//! TLS that Policies ask for, on both sides of the edge: clients show a certificate, and so do endpoints.

use std::fs;
use std::sync::Arc;

use anyhow::{Context, ensure};
use http::{HeaderValue, StatusCode};
use rustls::ClientConfig;
use sluice_integration_tests::certificates::{Authority, Issued};
use sluice_integration_tests::client::{Answer, Connection, Destination, get};
use sluice_integration_tests::system::{
    Pods, System, endpoint_slice, granted_namespace, service, tls_ingress,
};
use sluice_integration_tests::wait;

use super::{LIMIT, annotated, policy, ready};

#[test]
fn clients_and_endpoints_show_the_certificates_that_policies_ask_for() {
    let authority = Authority::create().unwrap();
    let clients = Clients::of(&authority).unwrap();
    let mut system = System::start().unwrap();
    let outcome = system.run(async |system| {
        let issued = authority.issue(&["api.shop.svc"])?;
        let file = system.cluster().namespace().folder().join("endpoint.pem");
        fs::write(&file, issued.certificate + &issued.key)?;
        let pods = Pods::of(system).with_certificate(&file);
        let pods = pods.start_all(system, "api", 1, (1, 1)).await?;
        let cluster = system.cluster();
        let objects = [
            granted_namespace("shop"),
            service("shop", "api"),
            endpoint_slice("shop", "api", &ready(&pods)),
            authority.secret("shop", "trusted"),
            Authority::create()?.secret("shop", "strangers"),
            authority.issue(&[HOST])?.secret("shop", "certificate"),
        ];
        cluster.apply(&objects.join("---\n"))?;

        let plain = tls_ingress("shop", "web", HOST, "api", "certificate");
        endpoints(system, &clients, &plain).await?;
        required_and_optional(system, &clients, &plain).await
    });
    outcome.unwrap();
}

/// In clear endpoints do not understand a word, and only those of the right authority are spoken to.
async fn endpoints(system: &System, clients: &Clients, plain: &str) -> anyhow::Result<()> {
    let cluster = system.cluster();
    cluster.apply(plain)?;
    clients.wait_until(&clients.without, BAD_GATEWAY).await?;
    cluster.apply(&annotated(plain, &["upstream-tls: strangers"]))?;
    clients.wait_until(&clients.without, BAD_GATEWAY).await?;
    cluster.apply(&annotated(plain, &["upstream-tls: trusted"]))?;
    clients.wait_until(&clients.without, StatusCode::OK).await?;
    let seen = clients.ask(0, &clients.without).await?.seen()?;
    ensure!(seen.tls.as_deref() == Some("api.shop.svc"), "{seen:?}");
    Ok(())
}

/// Certificates are required, optional, and at last without the authorities that they must come from.
async fn required_and_optional(
    system: &System,
    clients: &Clients,
    plain: &str,
) -> anyhow::Result<()> {
    let cluster = system.cluster();
    cluster.apply(&policy("tls", "upstreamTls: { caSecret: trusted }"))?;
    cluster.apply(&policy(
        "clients",
        "clientCertificates: { caSecret: trusted, forward: true }",
    ))?;
    cluster.apply(&annotated(plain, &["policies: 'tls, clients'"]))?;
    for who in [&clients.without, &clients.stranger] {
        clients.wait_until(who, StatusCode::FORBIDDEN).await?;
    }
    clients.wait_until(&clients.known, StatusCode::OK).await?;
    let seen = clients.ask(0, &clients.known).await?.seen()?;
    let shown = seen.headers.get(SHOWN).context("nobody is forwarded")?;
    ensure!(*shown == [clients.known_as.as_str()], "{shown:?}");
    cluster.apply(&policy(
        "clients",
        "clientCertificates: { caSecret: trusted, optional: true }",
    ))?;
    clients.wait_until(&clients.without, StatusCode::OK).await?;
    clients
        .wait_until(&clients.stranger, StatusCode::FORBIDDEN)
        .await?;
    // What a client made up goes nowhere.
    let seen = clients.ask(0, &clients.without).await?.seen()?;
    ensure!(!seen.headers.contains_key(SHOWN), "{seen:?}");
    cluster.kubectl(&["delete", "secret", "trusted", "--namespace=shop"])?;
    clients
        .wait_until(&clients.known, StatusCode::SERVICE_UNAVAILABLE)
        .await?;
    let event = system
        .wait_for_event("shop", "clients", "SecretMissing")
        .await?;
    ensure!(event.to_lowercase().contains("policy/clients"), "{event}");
    Ok(())
}

/// Who asks, by what they show.
struct Clients {
    without: Arc<ClientConfig>,
    known: Arc<ClientConfig>,
    stranger: Arc<ClientConfig>,
    /// What the backend should read of the known one.
    known_as: String,
}

impl Clients {
    fn of(authority: &Authority) -> anyhow::Result<Self> {
        let client =
            |own: Option<&Issued>| authority.client(&["http/1.1"], rustls::DEFAULT_VERSIONS, own);
        let known = authority.issue(&["client.example.com"])?;
        let stranger = Authority::create()?.issue(&["client.example.com"])?;
        let base64 = known.certificate.lines();
        let base64: String = base64.filter(|line| !line.starts_with("-----")).collect();
        Ok(Self {
            without: client(None)?,
            known: client(Some(&known))?,
            stranger: client(Some(&stranger))?,
            known_as: base64
                .replace('+', "%2B")
                .replace('/', "%2F")
                .replace('=', "%3D"),
        })
    }

    async fn wait_until(&self, who: &Arc<ClientConfig>, status: StatusCode) -> anyhow::Result<()> {
        for node in 0..System::NODES {
            let what = format!("{status} from node-{}", node + 1);
            wait::until(&what, LIMIT, async || {
                let answer = self.ask(node, who).await?;
                let body = String::from_utf8_lossy(&answer.body);
                ensure!(answer.status == status, "{}: {body}", answer.status);
                Ok::<_, anyhow::Error>(())
            })
            .await?;
        }
        Ok(())
    }

    /// Asks on a connection of its own, and makes a certificate up.
    async fn ask(&self, node: usize, who: &Arc<ClientConfig>) -> anyhow::Result<Answer> {
        let destination = Destination {
            address: System::https(node),
            tls: Some(Arc::clone(who)),
            host: HOST.to_owned(),
            path: "/".to_owned(),
        };
        let mut request = get(&destination, true)?;
        let made_up = HeaderValue::from_static("made-up");
        request.headers_mut().insert(SHOWN, made_up);
        Ok(Connection::open(&destination).await?.send(request).await?)
    }
}

const HOST: &str = "mutual.example.com";
const SHOWN: &str = "x-forwarded-tls-client-cert";
const BAD_GATEWAY: StatusCode = StatusCode::BAD_GATEWAY;
