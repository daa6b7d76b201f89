//! Certificates and TLS clients.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
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
        Self::over(address, name, Arc::new(config(alpn, None, ALL_VERSIONS))).await
    }

    /// The same, by a client that knows no newer version than TLS 1.2.
    pub(crate) async fn connect_with_tls12(
        address: SocketAddr,
        name: &str,
    ) -> std::io::Result<Self> {
        let config = config(&[], None, &[&rustls::version::TLS12]);
        Self::over(address, name, Arc::new(config)).await
    }

    /// The same, by one that has a certificate to show.
    pub(crate) async fn connect_as(
        address: SocketAddr,
        name: &str,
        identity: &Identity,
    ) -> std::io::Result<Self> {
        let config = config(&[], Some(identity), ALL_VERSIONS);
        Self::over(address, name, Arc::new(config)).await
    }

    /// Connects with this configuration, whose sessions may be resumed.
    pub(crate) async fn over(
        address: SocketAddr,
        name: &str,
        config: Arc<ClientConfig>,
    ) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let connector = TlsConnector::from(config);
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

/// How a client speaks TLS that accepts any certificate, and shows one if it has one.
pub(crate) fn config(
    alpn: &[&str],
    identity: Option<&Identity>,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)));
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let key = PrivateKeyDer::try_from(identity.key.clone()).unwrap();
            let chain = vec![CertificateDer::from(identity.leaf.clone())];
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

pub(crate) const ALL_VERSIONS: &[&SupportedProtocolVersion] = rustls::DEFAULT_VERSIONS;

/// A certificate that a client shows, and its key.
pub(crate) struct Identity {
    pub(crate) leaf: Vec<u8>,
    key: Vec<u8>,
}

/// An authority of clients.
pub(crate) struct Authority {
    certificate: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().der().to_vec();
        Self {
            certificate,
            issuer: Issuer::new(params, key),
        }
    }

    pub(crate) fn der(&self) -> Bytes {
        Bytes::from(self.certificate.clone())
    }

    /// Returns a certificate for a client of this name.
    pub(crate) fn issue(&self, name: &str) -> Identity {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity {
            leaf: certificate.der().to_vec(),
            key: key.serialize_der(),
        }
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
