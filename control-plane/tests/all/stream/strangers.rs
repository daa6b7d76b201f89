//! Whoever has no certificate of our authority gets nothing, and garbage disturbs nobody.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use sluice_control_plane::identity::{Identity, SERVER_NAME, Store};
use sluice_proto::wire::snapshot_stream_client::SnapshotStreamClient;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tonic::transport::{Certificate, Channel, ClientTlsConfig};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use crate::data_plane::{DataPlane, endpoint};
use crate::objects::hosts;
use crate::running::Running;
use crate::wait::soon;

#[tokio::test]
async fn without_a_certificate_there_is_nothing() {
    let running = Running::with(&hosts(&["a.example"])).await;
    let authority = fs::read(running.data_plane_folder().join("ca.crt")).unwrap();
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(&authority))
        .domain_name(SERVER_NAME);
    let endpoint = Channel::from_shared(format!("https://{}", running.stream)).unwrap();
    assert!(gets_nothing(endpoint.tls_config(tls).unwrap()).await);

    // In TLS 1.3 a client may speak before it is refused: even then it is not answered.
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(&authority).unwrap())
        .unwrap();
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(running.stream).await.unwrap();
    let name = ServerName::try_from(SERVER_NAME).unwrap();
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let mut stream = soon("the handshake", connecting).await.unwrap();
    let _ = stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await;
    let mut answer = Vec::new();
    let ended = soon("it is refused", stream.read_to_end(&mut answer)).await;
    assert!(answer.is_empty(), "{answer:?}");
    let error = ended.unwrap_err().to_string();
    assert!(error.contains("CertificateRequired"), "{error}");
    assert_eq!(running.registry.subscribe().borrow().iter().count(), 0);
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_none() {
    let running = Running::with(&hosts(&["a.example"])).await;
    let other = tempfile::tempdir().unwrap();
    Identity::open(Store::folder(other.path())).await.unwrap();
    // It trusts us, but we do not trust it.
    let forged = tempfile::tempdir().unwrap();
    let copy = |from: std::path::PathBuf, name: &str| fs::copy(from, forged.path().join(name));
    copy(running.data_plane_folder().join("ca.crt"), "ca.crt").unwrap();
    for name in ["tls.crt", "tls.key"] {
        copy(other.path().join("data-plane").join(name), name).unwrap();
    }
    assert!(gets_nothing(endpoint(running.stream, forged.path())).await);

    // Nor is the certificate of our own server that of a data plane.
    for name in ["tls.crt", "tls.key"] {
        copy(
            running.identity_folder().join("control-plane").join(name),
            name,
        )
        .unwrap();
    }
    assert!(gets_nothing(endpoint(running.stream, forged.path())).await);
    assert_eq!(running.registry.subscribe().borrow().iter().count(), 0);
}

#[tokio::test]
async fn garbage_is_logged_once_with_the_peer_and_nothing_else() {
    let log = Log::default();
    let _logged =
        tracing::subscriber::set_default(tracing_subscriber::registry().with(log.clone()));
    let running = Running::with(&hosts(&["a.example"])).await;
    let garbage: [&[u8]; 4] = [
        b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        &[0xff; 4096],
        b"\x16\x03\x01\x40\x00\x01nonsense in a TLS record, and more of it",
    ];
    let mut peers = Vec::new();
    for garbage in garbage {
        let mut stream = TcpStream::connect(running.stream).await.unwrap();
        peers.push(stream.local_addr().unwrap());
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // Whether the end or a reset comes first is the kernel's choice.
        let _: io::Result<_> = soon("it is closed", stream.read_to_end(&mut answer)).await;
        // A TLS alert is all that there is to say.
        assert!(answer.is_empty() || answer[0] == 21, "{answer:?}");
    }
    let mut data_plane = DataPlane::connect(&running, "node-a").await;
    data_plane.sync_to(1).await;

    for peer in peers {
        let about = log.about(peer);
        assert_eq!(about.len(), 1, "{peer}: {about:?}");
    }
    let loud = log.louder_than(Level::INFO);
    assert!(loud.is_empty(), "{loud:?}");
}

async fn gets_nothing(endpoint: tonic::transport::Endpoint) -> bool {
    let Ok(channel) = soon("it is refused", endpoint.connect()).await else {
        return true;
    };
    let mut client = SnapshotStreamClient::new(channel);
    let (_says, said) = tokio::sync::mpsc::channel(1);
    let said = tokio_stream::wrappers::ReceiverStream::new(said);
    soon("it is refused", client.sync(said)).await.is_err()
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// What was logged by the program itself.
#[derive(Clone, Default)]
struct Log {
    lines: Arc<Mutex<Vec<(Level, String)>>>,
}

impl Log {
    fn about(&self, peer: SocketAddr) -> Vec<String> {
        let peer = peer.to_string();
        let lines = self.lines.lock().unwrap();
        let about = lines.iter().filter(|(_, line)| line.contains(&peer));
        about.map(|(_, line)| line.clone()).collect()
    }

    fn louder_than(&self, level: Level) -> Vec<String> {
        let lines = self.lines.lock().unwrap();
        let louder = lines.iter().filter(|(other, _)| *other < level);
        louder.map(|(_, line)| line.clone()).collect()
    }
}

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = *event.metadata().level();
        if level > Level::DEBUG || !event.metadata().target().starts_with("sluice") {
            return;
        }
        let mut line = String::new();
        event.record(
            &mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
                line += &format!("{field}={value:?} ");
            },
        );
        self.lines.lock().unwrap().push((level, line));
    }
}
