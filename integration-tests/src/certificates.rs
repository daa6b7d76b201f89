//! Certificates for the hosts of scenarios: an authority that clients trust, and what it issues as the PEM
//! that a TLS Secret holds. The authorities of the cluster and of Sluice's stream are others.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// An authority for servers.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

impl Authority {
    /// Makes one, with a key of its own.
    pub fn create() -> anyhow::Result<Self> {
        let mut parameters = CertificateParams::default();
        parameters
            .distinguished_name
            .push(DnType::CommonName, "the scenario's authority");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        let certificate = parameters.self_signed(&key)?.der().clone();
        Ok(Self {
            issuer: Issuer::new(parameters, key),
            certificate,
        })
    }

    /// Issues a certificate for these names, with a new key.
    pub fn issue(&self, names: &[&str]) -> anyhow::Result<Issued> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(names)?.signed_by(&key, &self.issuer)?;
        Ok(Issued {
            fingerprint: fingerprint(certificate.der()),
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }

    /// What a client needs that trusts this authority and nobody else; it offers these protocols by ALPN.
    pub fn trusting_client(&self, alpn: &[&str]) -> anyhow::Result<Arc<ClientConfig>> {
        self.client(alpn, rustls::DEFAULT_VERSIONS, None)
    }

    /// The same with these versions of TLS alone, and a certificate of the client's own where there is one.
    pub fn client(
        &self,
        alpn: &[&str],
        versions: &[&'static SupportedProtocolVersion],
        own: Option<&Issued>,
    ) -> anyhow::Result<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone())?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .context("no usable TLS version")?
            .with_root_certificates(roots);
        let mut config = match own {
            Some(own) => config.with_client_auth_cert(own.chain()?, own.private_key()?)?,
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = alpn
            .iter()
            .map(|protocol| protocol.as_bytes().to_vec())
            .collect();
        Ok(Arc::new(config))
    }

    /// The Secret by which others trust it.
    #[must_use]
    pub fn secret(&self, namespace: &str, name: &str) -> String {
        let pem = self.certificate_pem();
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{ name: {name}, namespace: {namespace} }}\ndata:\n  ca.crt: {}\n",
            STANDARD.encode(pem)
        )
    }

    fn certificate_pem(&self) -> String {
        let text = STANDARD.encode(&self.certificate);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    }
}

/// What a server needs that has the chain and the key of a PEM file.
pub fn server(file: &Path) -> anyhow::Result<ServerConfig> {
    let place = || format!("no chain and key in {}", file.display());
    let chain = CertificateDer::pem_file_iter(file).with_context(place)?;
    let chain = chain.collect::<Result<Vec<_>, _>>().with_context(place)?;
    let key = PrivateKeyDer::from_pem_file(file).with_context(place)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("no usable TLS version")?;
    let config = config.with_no_client_auth().with_single_cert(chain, key);
    config.with_context(place)
}

/// A certificate with its key.
#[derive(Clone, Debug)]
pub struct Issued {
    /// PEM.
    pub certificate: String,
    /// PEM.
    pub key: String,
    /// As [`fingerprint`] makes it.
    pub fingerprint: String,
}

impl Issued {
    /// The Secret that holds it.
    #[must_use]
    pub fn secret(&self, namespace: &str, name: &str) -> String {
        tls_secret(namespace, name, &self.certificate, &self.key)
    }

    fn chain(&self) -> anyhow::Result<Vec<CertificateDer<'static>>> {
        let chain = CertificateDer::pem_slice_iter(self.certificate.as_bytes());
        Ok(chain.collect::<Result<_, _>>()?)
    }

    fn private_key(&self) -> anyhow::Result<PrivateKeyDer<'static>> {
        Ok(PrivateKeyDer::from_pem_slice(self.key.as_bytes())?)
    }
}

/// A TLS Secret of a certificate and a key, which need not belong together or be any such thing.
#[must_use]
pub fn tls_secret(namespace: &str, name: &str, certificate: &str, key: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{ name: {name}, namespace: {namespace} }}\ntype: kubernetes.io/tls\n\
         data:\n  tls.crt: {}\n  tls.key: {}\n",
        STANDARD.encode(certificate),
        STANDARD.encode(key)
    )
}

/// What tells one certificate from another, short enough for a failure's message.
#[must_use]
pub fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    blake3::hash(certificate).to_hex()[..16].to_owned()
}
