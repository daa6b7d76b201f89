//! A cluster's certificate authority: it signs for the API server and for its users. It has nothing
//! to do with the authority that Sluice's control plane makes for its own stream.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

/// The authority and the folder of what it has signed.
#[derive(Debug)]
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: PathBuf,
    folder: PathBuf,
}

/// The files of a certificate and its key, both PEM.
#[derive(Debug)]
pub(super) struct Credentials {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// The files of a key pair, both PEM.
#[derive(Debug)]
pub(super) struct KeyFiles {
    pub(super) private: PathBuf,
    pub(super) public: PathBuf,
}

impl Authority {
    pub(super) fn create(folder: PathBuf) -> anyhow::Result<Self> {
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let mut parameters = named("kubernetes");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let key = KeyPair::generate()?;
        let certificate = folder.join("authority.crt");
        write(&certificate, &parameters.self_signed(&key)?.pem())?;
        Ok(Self {
            issuer: Issuer::new(parameters, key),
            certificate,
            folder,
        })
    }

    /// The authority's own certificate.
    pub(super) fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// Signs for a server that is known by these names and addresses.
    pub(super) fn serving_certificate(
        &self,
        name: &str,
        hosts: &[&str],
        addresses: &[Ipv4Addr],
    ) -> anyhow::Result<Credentials> {
        let mut parameters = named(name);
        for host in hosts {
            parameters
                .subject_alt_names
                .push(SanType::DnsName((*host).try_into()?));
        }
        parameters.subject_alt_names.extend(
            addresses
                .iter()
                .map(|address| SanType::IpAddress((*address).into())),
        );
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(name, parameters)
    }

    /// Signs for a user: "the common name of the subject" is the user's name, an "organization" a
    /// group.
    pub(super) fn client_certificate(
        &self,
        user: &str,
        group: Option<&str>,
    ) -> anyhow::Result<Credentials> {
        let mut parameters = named(user);
        if let Some(group) = group {
            parameters
                .distinguished_name
                .push(DnType::OrganizationName, group);
        }
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(user, parameters)
    }

    /// Makes a key pair with no certificate, as for signing the tokens of service accounts.
    pub(super) fn key_pair(&self, name: &str) -> anyhow::Result<KeyFiles> {
        let pair = KeyPair::generate()?;
        let files = KeyFiles {
            private: self.file(name, "key"),
            public: self.file(name, "pub"),
        };
        write(&files.private, &pair.serialize_pem())?;
        write(&files.public, &pair.public_key_pem())?;
        Ok(files)
    }

    /// A file for `name`, which may be a user's and hold slashes or colons.
    pub(super) fn file(&self, name: &str, extension: &str) -> PathBuf {
        let plain = |letter: char| {
            if letter.is_ascii_alphanumeric() {
                letter
            } else {
                '-'
            }
        };
        self.folder
            .join(name.chars().map(plain).collect::<String>())
            .with_extension(extension)
    }

    fn sign(&self, name: &str, parameters: CertificateParams) -> anyhow::Result<Credentials> {
        let key = KeyPair::generate()?;
        let certificate = parameters.signed_by(&key, &self.issuer)?;
        let files = Credentials {
            certificate: self.file(name, "crt"),
            key: self.file(name, "key"),
        };
        write(&files.certificate, &certificate.pem())?;
        write(&files.key, &key.serialize_pem())?;
        Ok(files)
    }
}

/// Writes a file that only its owner can read.
pub(super) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let context = || format!("cannot write {}", path.display());
    let mut file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(context)?;
    file.write_all(text.as_bytes()).with_context(context)
}

fn named(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters
}
