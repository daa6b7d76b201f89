//! TLS towards clients: the same for all listeners. Certificates, and the versions that are spoken, come from what is
//! served.

use std::cell::OnceCell;
use std::sync::Arc;
use std::{fmt, io};

use arc_swap::ArcSwap;
use rustls::server::{Acceptor, ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{Error, ServerConfig, SupportedProtocolVersion};
use sluice_proto::TlsVersion;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use crate::cores::{ClientChain, Shared};
use crate::metrics::HandshakeFailure;
use crate::serving::{HostTls, Served, provider};

mod asking;

pub(crate) use crate::tls::asking::asking;

/// How clients are spoken to: one configuration for each lowest version, so that no session of one is resumed in another.
pub(crate) struct ClientTls {
    from_tls12: Arc<ServerConfig>,
    from_tls13: Arc<ServerConfig>,
}

impl ClientTls {
    /// Returns how clients are spoken to: HTTP/2 before HTTP/1.1.
    ///
    /// # Errors
    ///
    /// If the provider's cipher suites do not fit the versions, which is this program's fault.
    pub(crate) fn new(served: &Arc<ArcSwap<Served>>) -> Result<Self, Error> {
        Ok(Self {
            from_tls12: server_config(served, TlsVersion::Tls12)?,
            from_tls13: server_config(served, TlsVersion::Tls13)?,
        })
    }

    fn from(&self, minimum: TlsVersion) -> Arc<ServerConfig> {
        Arc::clone(match minimum {
            TlsVersion::Tls12 => &self.from_tls12,
            TlsVersion::Tls13 => &self.from_tls13,
        })
    }
}

fn server_config(
    served: &Arc<ArcSwap<Served>>,
    minimum: TlsVersion,
) -> Result<Arc<ServerConfig>, Error> {
    let served = Arc::clone(served);
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions(minimum))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Resolver { served }));
    config.alpn_protocols = alpn();
    Ok(Arc::new(config))
}

fn versions(minimum: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    match minimum {
        TlsVersion::Tls12 => &FROM_TLS12,
        TlsVersion::Tls13 => &FROM_TLS13,
    }
}

fn alpn() -> Vec<Vec<u8>> {
    vec![ALPN_HTTP2.to_vec(), b"http/1.1".to_vec()]
}

/// Shakes hands with a client, and notes which certificate it has shown, if it was asked for one.
///
/// RFC 6066, section 3: "If the server understood the ClientHello extension but does not recognize the server name, the
/// server SHOULD take one of two actions: either abort the handshake by sending a fatal-level unrecognized_name(112)
/// alert or continue the handshake." Settings say which; rustls has another alert for it, so it is sent from here.
pub(crate) async fn accept(
    stream: TcpStream,
    shared: &Shared,
    shown: &OnceCell<ClientChain>,
) -> Result<TlsStream<TcpStream>, HandshakeFailure> {
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream)
        .await
        .map_err(|error| failure(&error))?;
    let name = server_name(&start.client_hello());
    let host = host(&shared.served, name.as_deref());
    if host.certificate.is_none() {
        let mut stream = start.io;
        // The client may have gone: there is nobody to tell then.
        let _ = stream.write_all(&UNRECOGNIZED_NAME).await;
        let _ = stream.shutdown().await;
        return Err(HandshakeFailure::NoCertificate);
    }
    let Some(asking) = host.asking else {
        let handshake = start.into_stream(shared.tls.from(host.minimum));
        return handshake.await.map_err(|error| failure(&error));
    };
    let handshake = start.into_stream(asking);
    let stream = handshake.await.map_err(|error| failure(&error))?;
    let certificates = stream.get_ref().1.peer_certificates();
    let name = name.unwrap_or_default();
    let _ = shown.set(ClientChain::new(name, certificates.unwrap_or_default()));
    Ok(stream)
}

fn failure(error: &io::Error) -> HandshakeFailure {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(Error::AlertReceived(_)) => HandshakeFailure::Alert,
        Some(_) => HandshakeFailure::Protocol,
        None => HandshakeFailure::Closed,
    }
}

// In lower case and without a final dot, as hosts are compared.
fn server_name(hello: &ClientHello<'_>) -> Option<String> {
    let mut name = hello.server_name()?.to_ascii_lowercase();
    if name.ends_with('.') {
        name.pop();
    }
    Some(name)
}

fn host(served: &ArcSwap<Served>, name: Option<&str>) -> HostTls {
    served.load().certificates.lookup(name).clone()
}

struct Resolver {
    served: Arc<ArcSwap<Served>>,
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        host(&self.served, server_name(&hello).as_deref()).certificate
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

static FROM_TLS12: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
static FROM_TLS13: [&SupportedProtocolVersion; 1] = [&TLS13];
/// HTTP/2 in ALPN.
pub(crate) const ALPN_HTTP2: &[u8] = b"h2";
// A record of type alert (21), for TLS 1.2 as all records of a first flight: fatal (2), unrecognized_name (112).
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];
