//! TLS towards a server behind the edge: which certificate it has to show, and which one it is shown.

use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rustls::client::WantsClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use sluice_proto::{BackendProtocol, UpstreamTls};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::proxy::respond::Cause;
use crate::serving::provider;
use crate::tls::ALPN_HTTP2;

/// How a server is spoken to by TLS. `Debug` does not show the key.
#[derive(Clone)]
pub(crate) struct ServerTls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

/// Why no server can be spoken to like this: whoever wrote it is at fault.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnusableTls {
    #[error("{0:?} cannot be the name of a certificate")]
    Name(String),
    #[error("the certificate of an authority cannot be read")]
    Authority(#[source] Error),
    #[error("the private key cannot be read")]
    Key,
    #[error("the certificate and the private key that servers are shown cannot be used")]
    Pair(#[source] Error),
    #[error("TLS cannot be set up; this build is broken")]
    Provider(#[source] Error),
}

impl ServerTls {
    /// Makes ready what servers on this host are spoken to with, by this protocol.
    pub(crate) fn new(
        tls: &UpstreamTls,
        host: &str,
        protocol: BackendProtocol,
    ) -> Result<Self, UnusableTls> {
        let name = tls.server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| UnusableTls::Name(name.to_owned()))?;
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(UnusableTls::Provider)?;
        let builder = if tls.insecure {
            let any = Arc::new(AnyCertificate(provider()));
            builder.dangerous().with_custom_certificate_verifier(any)
        } else {
            builder.with_root_certificates(authorities(tls)?)
        };
        let mut config = with_own_certificate(builder, tls)?;
        config.alpn_protocols = match protocol {
            BackendProtocol::Http1 => vec![b"http/1.1".to_vec()],
            BackendProtocol::H2c => vec![ALPN_HTTP2.to_vec()],
        };
        Ok(Self {
            config: Arc::new(config),
            name,
        })
    }

    /// Shakes hands over `stream`, within `limit`.
    pub(super) async fn connect(
        &self,
        stream: TcpStream,
        limit: Duration,
    ) -> Result<TlsStream<TcpStream>, Cause> {
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let handshake = connector.connect(self.name.clone(), stream);
        let shaken = timeout(limit, handshake).await;
        let shaken = shaken.map_err(|_| Cause::ConnectTimeout)?;
        shaken.map_err(|error| {
            tracing::debug!(%error, "a TLS handshake with a server has failed");
            Cause::TlsFailed
        })
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

fn authorities(tls: &UpstreamTls) -> Result<Arc<RootCertStore>, UnusableTls> {
    // Compiled in: the image has no file of them.
    static PUBLIC: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| {
        let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
        Arc::new(RootCertStore::from_iter(roots))
    });
    if tls.authorities.is_empty() {
        return Ok(Arc::clone(&PUBLIC));
    }
    let mut roots = RootCertStore::empty();
    for der in &tls.authorities {
        let certificate = CertificateDer::from(der.to_vec());
        roots.add(certificate).map_err(UnusableTls::Authority)?;
    }
    Ok(Arc::new(roots))
}

fn with_own_certificate(
    builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    tls: &UpstreamTls,
) -> Result<ClientConfig, UnusableTls> {
    if tls.chain.is_empty() {
        return Ok(builder.with_no_client_auth());
    }
    let key = PrivateKeyDer::try_from(tls.private_key.to_vec()).map_err(|_| UnusableTls::Key)?;
    let chain = tls.chain.iter();
    let chain = chain.map(|der| CertificateDer::from(der.to_vec()));
    let chain = chain.collect();
    (builder.with_client_auth_cert(chain, key)).map_err(UnusableTls::Pair)
}

/// Accepts any certificate, if only the server has its key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
