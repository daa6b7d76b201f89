//! The identity in Secrets of a real API server: several control planes with no more than their rights make one, renew it
//! while they run, and wait for an API server that is away.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::ClientConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use sluice_integration_tests::kubernetes::Cluster;
use sluice_integration_tests::namespace::Namespace;
use sluice_integration_tests::process::{Process, Program};
use sluice_integration_tests::programs::Programs;
use sluice_integration_tests::wait;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

#[test]
fn three_control_planes_agree_and_follow_renewals_without_a_restart() {
    let site = site();
    let cluster = &site.cluster;
    let outcome = cluster.namespace().run(async || {
        let mut replicas = Vec::new();
        for replica in 0..3 {
            replicas.push(control_plane(&site, replica)?.start()?);
        }
        let mut before = BTreeMap::new();
        for (replica, process) in replicas.iter_mut().enumerate() {
            process
                .wait_until("its stream", LIMIT, async || {
                    before = mount(cluster)?;
                    greeted(stream(replica), &before).await
                })
                .await?;
        }
        require_no_more_rights(&site)?;
        let first = kept(cluster)?;
        let after = renew_authority(&site, &mut replicas).await?;
        let certified = renew_the_rest(&site, &after)?;

        // What there is is used again, and nothing is written.
        let versions = versions(cluster)?;
        replicas[0].stop(LIMIT)?;
        replicas[0] = control_plane(&site, 0)?.start()?;
        let greeting = async || greeted(stream(0), &certified).await;
        replicas[0]
            .wait_until("its stream", LIMIT, greeting)
            .await?;
        ensure!(versions == self::versions(cluster)?, "it wrote");

        let mut secrets: Vec<_> = [first, before, after, certified, kept(cluster)?].into();
        secrets
            .iter_mut()
            .for_each(|secret| secret.retain(|key, _| key.contains(".key")));
        for replica in &replicas {
            require_no_key(&replica.log()?, &secrets)?;
        }
        Ok(())
    });
    outcome.unwrap();
}

/// Has another authority take over, and returns what data planes mount afterwards.
async fn renew_authority(site: &Site, replicas: &mut [Process]) -> anyhow::Result<Mounted> {
    let said = renew(site, &["authority", "--overlap=8s"])?;
    ensure!(said.contains("trusted beside the one of now"), "{said}");
    let between = mount(&site.cluster)?;
    ensure!(certificates(&between["ca.crt"])? == 2, "both are trusted");
    let after = wait::until("the take-over", LIMIT, async || {
        let now = mount(&site.cluster)?;
        ensure!(
            now["tls.crt"] != between["tls.crt"],
            "the first still signs"
        );
        Ok::<_, anyhow::Error>(now)
    })
    .await?;
    let trusting_only_the_new = with(&after, "ca.crt", &kept(&site.cluster)?["ca.crt"]);
    for (replica, process) in replicas.iter_mut().enumerate() {
        let what = "it to show what the next authority signed";
        process
            .wait_until(what, LIMIT, async || {
                greeted(stream(replica), &trusting_only_the_new).await
            })
            .await?;
        // A data plane that the kubelet has not brought the last change to, and one that has it all.
        for mount in [&between, &after] {
            greeted(stream(replica), mount).await?;
        }
    }
    Ok(after)
}

/// Has the seal key and the certificates made anew, and returns what data planes mount afterwards.
fn renew_the_rest(site: &Site, before: &Mounted) -> anyhow::Result<Mounted> {
    let said = renew(site, &["seal"])?;
    ensure!(said.contains("seal key is made anew"), "{said}");
    let sealed = mount(&site.cluster)?;
    ensure!(
        sealed["seal.key.previous"] == before["seal.key"],
        "it rotates"
    );
    renew(site, &["certificates"])?;
    let certified = mount(&site.cluster)?;
    ensure!(certified["tls.crt"] != before["tls.crt"], "it is made anew");
    Ok(certified)
}

#[test]
fn an_api_server_that_is_away_or_forbids_it_is_waited_for() {
    let mut site = site();
    site.cluster
        .kubectl(&[
            "delete",
            "rolebinding",
            "sluice-control-plane",
            "--namespace=sluice-data-plane",
        ])
        .unwrap();
    site.cluster.kill_api_server().unwrap();
    let mut process = control_plane(&site, 0).unwrap().start().unwrap();
    let says = async |process: &Process, what: &str| {
        let log = process.log()?;
        ensure!(
            log.contains("no identity yet; waiting") && log.contains(what),
            "{log}"
        );
        // Whoever restarts it now would not help.
        let health = http(METRICS, "/healthz").await?;
        ensure!(health.starts_with("HTTP/1.1 200"), "{health}");
        let ready = http(METRICS, "/readyz").await?;
        ensure!(ready.starts_with("HTTP/1.1 503"), "{ready}");
        Ok::<_, anyhow::Error>(())
    };
    let waits = |cluster: &Cluster, process: &Process, what: &str| {
        cluster
            .namespace()
            .run(async || wait::until(what, LIMIT, async || says(process, what).await).await)
    };
    waits(
        &site.cluster,
        &process,
        "cannot read Secret sluice-data-plane/sluice-data-plane-identity",
    )
    .unwrap();
    site.cluster.restart_api_server().unwrap();
    waits(
        &site.cluster,
        &process,
        "grant the control plane the rights",
    )
    .unwrap();
    install(&site.cluster);
    let served = site.cluster.namespace().run(async || {
        process
            .wait_until("its stream", LIMIT, async || {
                greeted(stream(0), &mount(&site.cluster)?).await
            })
            .await
    });
    served.unwrap();
}

#[test]
fn a_malformed_secret_is_named_and_left_alone() {
    let site = site();
    let cluster = &site.cluster;
    cluster
        .kubectl(&[
            "create",
            "secret",
            "generic",
            "sluice-control-plane-identity",
            "--namespace=sluice-system",
            "--from-literal=ca.crt=nonsense",
        ])
        .unwrap();
    let versions = versions(cluster).unwrap();
    let mut process = control_plane(&site, 0).unwrap().start().unwrap();
    let ended = process.wait(LIMIT).unwrap().expect("it ends");
    assert_eq!(ended.code(), Some(1));
    let log = process.log().unwrap();
    let expected = "key ca.crt of Secret sluice-system/sluice-control-plane-identity";
    assert!(
        log.contains(expected) && log.contains("restore it"),
        "{log}"
    );
    assert_eq!(self::versions(cluster).unwrap(), versions);
}

/// What a Secret holds, as files.
type Mounted = BTreeMap<String, String>;

/// A cluster, and the control plane's credentials in it.
struct Site {
    cluster: Cluster,
    kubeconfig: PathBuf,
}

fn site() -> Site {
    let cluster = Cluster::start().unwrap();
    install(&cluster);
    let user = cluster.kubeconfig_for(SERVICE_ACCOUNT, Some("system:serviceaccounts"));
    Site {
        kubeconfig: user.unwrap(),
        cluster,
    }
}

fn install(cluster: &Cluster) {
    let manifests = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests");
    cluster
        .kubectl(&["apply", "--kustomize", manifests])
        .unwrap();
}

fn program(site: &Site, name: &str) -> anyhow::Result<Program> {
    let programs = Programs::built_once()?;
    let namespace = site.cluster.namespace();
    Ok(
        Program::new(name, &programs.control_plane, &namespace.logs())
            .inside(namespace)
            .env("KUBECONFIG", &site.kubeconfig)
            .env("SLUICE_NAMESPACE", "sluice-system")
            .env("SLUICE_DATA_PLANE_NAMESPACE", "sluice-data-plane"),
    )
}

fn control_plane(site: &Site, replica: usize) -> anyhow::Result<Program> {
    let port = 8450 + 10 * replica;
    Ok(program(site, &format!("control-plane-{replica}"))?
        .arg(format!("--stream-address={}", stream(replica)))
        .arg(format!("--introspection-address=127.0.0.1:{}", port + 1))
        .arg(format!("--metrics-address=127.0.0.1:{}", port + 2))
        // A key would be shown here, if anywhere.
        .arg("--log=debug,hyper=info,h2=info,tower=info,rustls=info"))
}

fn renew(site: &Site, words: &[&str]) -> anyhow::Result<String> {
    let mut process = program(site, &format!("renew-{}", words[0]))?
        .arg("renew")
        .args(words)
        .start()?;
    let ended = process.wait(LIMIT)?.context("it does not end")?;
    ensure!(ended.success(), "{ended}: {}", process.last_lines());
    process.log()
}

/// What a kubelet would mount.
fn mount(cluster: &Cluster) -> anyhow::Result<Mounted> {
    secret(cluster, "sluice-data-plane", "sluice-data-plane-identity")
}

/// What only control planes have.
fn kept(cluster: &Cluster) -> anyhow::Result<Mounted> {
    secret(cluster, "sluice-system", "sluice-control-plane-identity")
}

fn secret(cluster: &Cluster, namespace: &str, name: &str) -> anyhow::Result<Mounted> {
    let namespace = format!("--namespace={namespace}");
    let printed = cluster.kubectl(&["get", "secret", name, &namespace, "--output=json"])?;
    let secret: serde_json::Value = serde_json::from_str(&printed)?;
    ensure!(
        secret["metadata"]["labels"]["app.kubernetes.io/name"] == "sluice"
            && secret["metadata"]["annotations"]["kubernetes.io/description"].is_string(),
        "it says what it is: {}",
        secret["metadata"]
    );
    let data = secret["data"].as_object().context("it has no data")?;
    data.iter()
        .map(|(key, value)| {
            let bytes = STANDARD.decode(value.as_str().unwrap_or_default())?;
            Ok((key.clone(), String::from_utf8(bytes)?))
        })
        .collect()
}

fn versions(cluster: &Cluster) -> anyhow::Result<String> {
    cluster.kubectl(&[
        "get",
        "secrets",
        "--all-namespaces",
        "--output=custom-columns=NAME:.metadata.name,VERSION:.metadata.resourceVersion",
    ])
}

fn require_no_more_rights(site: &Site) -> anyhow::Result<()> {
    for words in [
        &["get", "secrets", "--namespace=sluice-system"][..],
        &["get", "secret", "other", "--namespace=sluice-system"],
    ] {
        let refused = site.cluster.kubectl_as(&site.kubeconfig, words);
        let error = refused
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        ensure!(error.contains("Forbidden"), "{words:?}: {error:?}");
    }
    Ok(())
}

/// Fails unless the stream there and a data plane with this mount take each other for what they are.
async fn greeted(address: SocketAddr, mount: &Mounted) -> anyhow::Result<()> {
    let mut roots = rustls::RootCertStore::empty();
    for trusted in CertificateDer::pem_slice_iter(mount["ca.crt"].as_bytes()) {
        roots.add(trusted?)?;
    }
    let leaf = CertificateDer::from_pem_slice(mount["tls.crt"].as_bytes())?;
    let key = PrivateKeyDer::from_pem_slice(mount["tls.key"].as_bytes())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![leaf], key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    let name = ServerName::try_from("control-plane.sluice.internal")?;
    let stream = TcpStream::connect(address).await?;
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
    // The server says something only to whom it has accepted.
    connecting.await?.read_u8().await?;
    Ok(())
}

async fn http(address: SocketAddr, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

fn certificates(pem: &str) -> anyhow::Result<usize> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    Ok(all?.len())
}

fn with(mount: &Mounted, key: &str, content: &str) -> Mounted {
    let mut mount = mount.clone();
    mount.insert(key.to_owned(), content.to_owned());
    mount
}

/// The end of a key is its secret part; its beginning says only which kind it is.
fn require_no_key(shown: &str, secrets: &[Mounted]) -> anyhow::Result<()> {
    let mut keys = 0;
    for (name, text) in secrets.iter().flatten() {
        let body: String = text
            .lines()
            .filter(|line| !line.starts_with("-----"))
            .collect();
        let secret = &body[body.len() / 2..body.len() - 8];
        ensure!(secret.len() > 16, "{name} holds no key");
        ensure!(!shown.contains(secret), "{name} is shown");
        keys += 1;
    }
    ensure!(keys > 10, "there were only {keys} keys to look for");
    Ok(())
}

fn stream(replica: usize) -> SocketAddr {
    let port = u16::try_from(8450 + 10 * replica).unwrap_or_default();
    SocketAddr::new(Namespace::CONTROL.into(), port)
}

const METRICS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8452);
const SERVICE_ACCOUNT: &str = "system:serviceaccount:sluice-system:sluice-control-plane";
const LIMIT: Duration = Duration::from_secs(60);
