//! The identity in use: certificates are renewed without a restart.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sluice_control_plane::identity::renewal::Renewal;
use sluice_control_plane::identity::{SERVER_NAME, Store};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::data_plane::DataPlane;
use crate::objects::hosts;
use crate::running::Running;
use crate::wait::{soon, until};

#[tokio::test]
async fn a_renewed_certificate_is_used_without_a_restart() {
    let running = Running::with(&hosts(&["a.example"])).await;
    let mut before = DataPlane::connect(&running, "node-a").await;
    before.sync_to(1).await;
    let first = shown(&running).await;
    assert_eq!(shown(&running).await, first);

    let folder = running.identity_folder().join("control-plane");
    fs::remove_file(folder.join("tls.crt")).unwrap();
    running.identity.refresh().await.unwrap();
    let second = shown(&running).await;
    assert_ne!(second, first);
    assert_eq!(second, certificate(&folder));

    // Who was connected stays so, and gets what changes.
    running.publish(&hosts(&["b.example"]));
    before.sync_to(2).await;
    let mut after = DataPlane::connect(&running, "node-b").await;
    after.sync_to(2).await;
    running.live(2, 2).await;
}

#[tokio::test]
async fn who_came_with_a_certificate_that_is_distrusted_is_cut_off() {
    let running = Running::with(&hosts(&["a.example"])).await;
    let mut thief = DataPlane::connect(&running, "node-thief").await;
    thief.sync_to(1).await;
    let store = Store::folder(running.identity_folder());
    let renewal = Renewal::Authority {
        overlap: Duration::from_secs(1),
        distrusts: true,
    };
    renewal.begin(&store).await.unwrap();
    let signed = certificate(&running.data_plane_folder());
    until("data planes have another certificate", async || {
        running.identity.refresh().await.unwrap();
        (certificate(&running.data_plane_folder()) != signed).then_some(())
    })
    .await;
    // Whoever came with the new one stays.
    let mut honest = DataPlane::connect(&running, "node-a").await;
    honest.sync_to(1).await;
    until("the authorities before are trusted no more", async || {
        running.identity.refresh().await.unwrap();
        let bundle = fs::read_to_string(running.data_plane_folder().join("ca.crt")).unwrap();
        (bundle.matches("BEGIN").count() == 1).then_some(())
    })
    .await;
    thief.ends().await;
    running.publish(&hosts(&["b.example"]));
    honest.sync_to(2).await;
}

#[tokio::test]
async fn a_renewal_that_fails_leaves_the_old_certificate_in_use() {
    let running = Running::with(&hosts(&["a.example"])).await;
    let first = shown(&running).await;
    let file = running.identity_folder().join("control-plane/tls.key");
    fs::write(file, "nonsense").unwrap();
    let error = running.identity.refresh().await.unwrap_err().to_string();
    assert!(error.contains("control-plane/tls.key"), "{error}");
    assert_eq!(shown(&running).await, first);
}

/// Returns the certificate that the stream's server shows.
async fn shown(running: &Running) -> Vec<u8> {
    let folder = running.data_plane_folder();
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(folder.join("ca.crt")).unwrap())
        .unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("tls.key")).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate(&folder).into()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(running.stream).await.unwrap();
    let name = ServerName::try_from(SERVER_NAME).unwrap();
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let stream = soon("the handshake", connecting).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

fn certificate(folder: &Path) -> Vec<u8> {
    CertificateDer::from_pem_file(folder.join("tls.crt"))
        .unwrap()
        .to_vec()
}
