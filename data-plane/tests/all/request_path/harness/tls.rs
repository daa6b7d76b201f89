//! Certificates and TLS clients.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use rcgen::{CertificateParams, KeyPair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sluice_proto::CertificateMaterial;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::within;

/// A self-signed certificate and its key.
pub(crate) struct Pair {
    name: String,
    leaf: Bytes,
    key: Bytes,
}

impl Pair {
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self {
            name: name.to_owned(),
            leaf: Bytes::copy_from_slice(certificate.der()),
            key: Bytes::from(key.serialize_der()),
        }
    }

    pub(crate) fn leaf(&self) -> Bytes {
        self.leaf.clone()
    }

    pub(crate) fn material(&self, not_after_unix_s: i64) -> CertificateMaterial {
        CertificateMaterial {
            chain: vec![self.leaf.clone()],
            private_key: self.key.clone(),
            names: vec![self.name.clone()],
            not_before_unix_s: 0,
            not_after_unix_s,
        }
    }
}

/// A TLS connection of a client that accepts any certificate: the tests look at what it is.
pub(crate) struct Tls {
    pub(crate) stream: TlsStream<TcpStream>,
}

impl Tls {
    /// Connects and asks for this name, or for none if it is an address.
    pub(crate) async fn connect(
        address: SocketAddr,
        name: &str,
        alpn: &[&str],
    ) -> std::io::Result<Self> {
        Self::connect_with(address, name, alpn, rustls::DEFAULT_VERSIONS).await
    }

    /// The same, by a client that knows no newer version than TLS 1.2.
    pub(crate) async fn connect_with_tls12(
        address: SocketAddr,
        name: &str,
    ) -> std::io::Result<Self> {
        Self::connect_with(address, name, &[], &[&rustls::version::TLS12]).await
    }

    async fn connect_with(
        address: SocketAddr,
        name: &str,
        alpn: &[&str],
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> std::io::Result<Self> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let stream = within("a handshake", connector.connect(name, stream)).await?;
        Ok(Self { stream })
    }

    /// Returns the certificate that the other side has shown.
    pub(crate) fn leaf(&self) -> Bytes {
        let chain = self.stream.get_ref().1.peer_certificates().unwrap();
        Bytes::copy_from_slice(&chain[0])
    }

    pub(crate) fn alpn(&self) -> Option<&[u8]> {
        self.stream.get_ref().1.alpn_protocol()
    }
}

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
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
