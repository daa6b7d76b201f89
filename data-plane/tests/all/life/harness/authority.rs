//! A certificate authority of the test's own, and what it gives to both planes.

use std::fs;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tonic::transport::{Certificate, Identity, ServerTlsConfig};

/// What signs the certificates of both planes.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    installation: String,
    seal_key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let key = KeyPair::generate().unwrap();
        Self {
            issuer: CertifiedIssuer::self_signed(params, key).unwrap(),
            // Its own, so that the data planes of two sites do not meet: all are on one machine.
            installation: hex(16),
            seal_key: hex(32),
        }
    }

    /// Returns the TLS of a control plane: only data planes of this authority come in.
    pub(crate) fn server(&self) -> ServerTlsConfig {
        self.server_named("control-plane.sluice.internal")
    }

    /// Returns the TLS of a server of this name; only data planes of this authority come in.
    pub(crate) fn server_named(&self, name: &str) -> ServerTlsConfig {
        let (certificate, key) = self.issue(name);
        ServerTlsConfig::new()
            .identity(Identity::from_pem(certificate, key))
            .client_ca_root(Certificate::from_pem(self.issuer.pem()))
    }

    /// Writes what a data plane of this authority mounts.
    pub(crate) fn write(&self, folder: &Path) {
        let (certificate, key) = self.issue("data-plane.sluice.internal");
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("ca.crt"), self.issuer.pem()).unwrap();
        fs::write(folder.join("tls.crt"), certificate).unwrap();
        fs::write(folder.join("tls.key"), key).unwrap();
        fs::write(folder.join("installation.id"), &self.installation).unwrap();
        fs::write(folder.join("seal.key"), &self.seal_key).unwrap();
    }

    fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

fn hex(bytes: usize) -> String {
    (0..bytes)
        .map(|_| format!("{:02x}", fastrand::u8(..)))
        .collect()
}
