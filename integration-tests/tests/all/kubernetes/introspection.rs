//! Looking inside with the real grpcurl, and what a stranger sees of the stream: nothing.

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use sluice_integration_tests::certificates::Authority;
use sluice_integration_tests::process::Program;
use sluice_integration_tests::system::{System, tls_ingress};
use sluice_proto::wire::snapshot_stream_client::SnapshotStreamClient;
use sluice_proto::{Snapshot, wire};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use super::shop;

#[test]
fn grpcurl_shows_the_system_with_no_proto_file() {
    let mut system = System::start().unwrap();
    let authority = Authority::create().unwrap();
    let issued = authority.issue(&["api.example.com"]).unwrap();
    let outcome = system.run(async |system| {
        let _pods = shop(system, "shop", &["api"], 2).await?;
        system
            .cluster()
            .apply(&issued.secret("shop", "certificate"))?;
        system.cluster().apply(&tls_ingress(
            "shop",
            "api",
            "api.example.com",
            "api",
            "certificate",
        ))?;
        system
            .wait_until_served("api.example.com", "/", "api-")
            .await?;
        system.wait_until_live().await?;

        require_reflection(system)?;
        let nodes = grpcurl(system, &["sluice.v1.Introspection/ListNodes"])?;
        let nodes: serde_json::Value = serde_json::from_str(&nodes)?;
        let generation = nodes["generation"].as_str().unwrap_or_default();
        let summary = format!("generation {generation} is live on 3 of 3 nodes");
        ensure!(
            nodes["summary"] == summary.as_str() && generation != "0",
            "{nodes:#}"
        );
        ensure!(
            nodes["nodes"]
                .as_array()
                .is_some_and(|nodes| nodes.len() == 3),
            "{nodes:#}"
        );

        let explained = grpcurl_with(
            system,
            r#"{"url": "https://api.example.com/x"}"#,
            "sluice.v1.Introspection/Explain",
        )?;
        for part in ["shop/api", "10.244.1.1", "10.244.1.2", "shop/certificate"] {
            ensure!(explained.contains(part), "no {part} in {explained}");
        }
        let health = grpcurl(system, &["grpc.health.v1.Health/Check"])?;
        ensure!(health.contains("SERVING"), "{health}");

        let snapshot = grpcurl(system, &["sluice.v1.Introspection/GetSnapshot"])?;
        ensure!(
            snapshot.contains("\"route\"") && snapshot.contains("shop/certificate"),
            "{snapshot}"
        );
        require_no_key(&snapshot, &issued.key)
    });
    outcome.unwrap();
}

#[test]
fn a_data_plane_without_a_valid_certificate_gets_nothing() {
    let mut system = System::start().unwrap();
    let outcome = system.run(async |system| {
        let identity = system.plan().data_plane_identity();
        let good = Identity::from_pem(
            std::fs::read(identity.join("tls.crt"))?,
            std::fs::read(identity.join("tls.key"))?,
        );
        let stranger = Authority::create()?.issue(&["data-plane"])?;
        let stranger = Identity::from_pem(stranger.certificate, stranger.key);

        // The same question with the right certificate is answered, so it is the certificate that decides.
        let answered = hello(&identity, Some(good)).await;
        ensure!(answered.is_ok(), "{answered:?}");
        for (who, identity_of) in [("nobody", None), ("a stranger", Some(stranger))] {
            let answered = hello(&identity, identity_of).await;
            ensure!(answered.is_err(), "{who} was told {answered:?}");
        }
        require_stranger_never_serves(system, &identity).await
    });
    outcome.unwrap();
}

/// The services and a method, described by the server itself.
fn require_reflection(system: &System) -> anyhow::Result<()> {
    let services = grpcurl(system, &["list"])?;
    for service in [
        "sluice.v1.Introspection",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
    ] {
        ensure!(
            services.lines().any(|line| line == service),
            "no {service} in {services}"
        );
    }
    let described = grpcurl(system, &["describe", "sluice.v1.Introspection.Explain"])?;
    ensure!(described.contains("ExplainRequest"), "{described}");
    Ok(())
}

/// A real data plane whose certificate another authority has signed never opens a listener, and is no node.
async fn require_stranger_never_serves(system: &System, identity: &Path) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    for file in ["installation.id", "ca.crt", "seal.key"] {
        std::fs::copy(identity.join(file), folder.path().join(file))?;
    }
    let issued = Authority::create()?.issue(&["data-plane"])?;
    std::fs::write(folder.path().join("tls.crt"), issued.certificate)?;
    std::fs::write(folder.path().join("tls.key"), issued.key)?;
    let program = Program::new(
        "stranger",
        &system.plan().programs().data_plane,
        folder.path(),
    )
    .inside(system.cluster().namespace())
    .arg("--node=stranger")
    .arg(format!("--control-plane={}", System::stream()))
    .arg("--identity-dir")
    .arg(folder.path())
    .arg("--state-dir")
    .arg(folder.path().join("state"))
    .arg("--listen=http=10.200.0.1:80")
    .arg("--listen=https=10.200.0.1:443");
    let mut process = program.start()?;
    // It has been refused when it says so; it is not told more on the next try.
    process
        .wait_until("the stranger to be refused", LIMIT, async || {
            let log = std::fs::read_to_string(folder.path().join("stranger.log"))?.to_lowercase();
            ensure!(
                log.contains("certificate") || log.contains("alert"),
                "{log}"
            );
            Ok::<_, anyhow::Error>(())
        })
        .await?;
    ensure!(
        tokio::net::TcpStream::connect("10.200.0.1:80")
            .await
            .is_err(),
        "a stranger serves"
    );
    let nodes = system.nodes().await?;
    ensure!(
        nodes.nodes.iter().all(|node| node.name != "stranger"),
        "{nodes:?}"
    );
    process.stop(LIMIT)?;
    Ok(())
}

/// Says Hello as a new node, and returns the first that it is told.
async fn hello(
    identity_dir: &Path,
    identity: Option<Identity>,
) -> anyhow::Result<wire::ControlPlaneMessage> {
    let mut tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(std::fs::read(
            identity_dir.join("ca.crt"),
        )?))
        .domain_name("control-plane.sluice.internal");
    if let Some(identity) = identity {
        tls = tls.identity(identity);
    }
    let endpoint = Endpoint::from_shared(format!("https://{}", System::stream()))?;
    let channel: Channel = endpoint.tls_config(tls)?.timeout(LIMIT).connect().await?;
    let hello = wire::Hello {
        node: "asker".to_owned(),
        instance: "asker-1".to_owned(),
        // Of nothing: it says what a new node would.
        digest: Bytes::copy_from_slice(Snapshot::default().digest().as_bytes()),
        ..wire::Hello::default()
    };
    let message = wire::DataPlaneMessage {
        message: Some(wire::data_plane_message::Message::Hello(hello)),
    };
    let mut stream = SnapshotStreamClient::new(channel)
        .sync(futures_util::StreamExt::chain(
            futures_util::stream::iter([message]),
            futures_util::stream::pending(),
        ))
        .await?
        .into_inner();
    stream
        .message()
        .await?
        .ok_or_else(|| anyhow::anyhow!("the stream ended"))
}

/// No part of a private key, in any of the forms in which it could be printed.
fn require_no_key(shown: &str, key: &str) -> anyhow::Result<()> {
    let body: String = key
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    let der = STANDARD.decode(&body)?;
    let hexadecimal: String = der.iter().map(|byte| format!("{byte:02x}")).collect();
    // The end of a key is its secret part; its beginning says only which kind it is.
    for form in [
        &body[body.len() / 2..body.len() - 8],
        &hexadecimal[hexadecimal.len() / 2..],
    ] {
        ensure!(!shown.contains(form), "a private key is shown");
    }
    ensure!(
        !shown.to_lowercase().contains("privatekey"),
        "a private key's field is shown: {shown}"
    );
    Ok(())
}

fn grpcurl(system: &System, words: &[&str]) -> anyhow::Result<String> {
    let mut arguments = vec!["-plaintext", "127.0.0.1:8444"];
    arguments.extend(words);
    run_grpcurl(system, &arguments)
}

fn grpcurl_with(system: &System, message: &str, method: &str) -> anyhow::Result<String> {
    run_grpcurl(
        system,
        &["-plaintext", "-d", message, "127.0.0.1:8444", method],
    )
}

fn run_grpcurl(system: &System, arguments: &[&str]) -> anyhow::Result<String> {
    let logs = tempfile::tempdir()?;
    let program = Program::new(
        "grpcurl",
        system.cluster().tools().program("grpcurl")?,
        logs.path(),
    );
    let mut process = program
        .inside(system.cluster().namespace())
        .args(arguments.iter().copied())
        .start()?;
    let ended = process.wait(LIMIT)?;
    let said = process.log()?;
    ensure!(
        ended.is_some_and(|status| status.success()),
        "grpcurl {arguments:?}: {said}"
    );
    Ok(said)
}

const LIMIT: Duration = Duration::from_secs(30);
