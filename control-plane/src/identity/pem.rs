//! A certificate with its key, read from and written as PEM.
//!
//! It does not know what the certificate is for: [`authority`](super::authority) and [`leaf`](super::leaf) do.

use std::sync::Arc;

use jiff::Timestamp;
use rcgen::KeyPair;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::identity::error::IdentityError;
use crate::identity::folder::{Folder, Lock};

/// Where a certificate and its key are, and what they are called for people.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Files {
    pub(crate) what: &'static str,
    pub(crate) certificate: &'static str,
    pub(crate) key: &'static str,
}

/// A certificate.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    pub(crate) der: CertificateDer<'static>,
    pub(crate) lifetime: Lifetime,
}

/// From when to when a certificate is valid.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Lifetime {
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
}

/// What the files of a certificate and its key hold.
pub(crate) struct Found {
    pub(crate) certificate: Option<Certificate>,
    pub(crate) key: Option<KeyPair>,
}

impl Files {
    pub(crate) fn read(self, folder: &Folder) -> Result<Found, IdentityError> {
        // The key is written first: whoever sees the certificate sees its key.
        let certificate = folder.read(self.certificate)?;
        let key = folder.read(self.key)?;
        let certificate = certificate
            .map(|pem| Certificate::parse(&pem).map_err(|r| folder.malformed(self.certificate, r)));
        let key = key.map(|pem| {
            KeyPair::from_pem(&pem).map_err(|error| folder.malformed(self.key, key_reason(&error)))
        });
        Ok(Found {
            certificate: certificate.transpose()?,
            key: key.transpose()?,
        })
    }

    pub(crate) fn write(
        self,
        lock: &Lock,
        certificate: &rcgen::Certificate,
        key: &KeyPair,
    ) -> Result<(), IdentityError> {
        lock.write(self.key, &key.serialize_pem())?;
        lock.write(self.certificate, &certificate.pem())
    }
}

impl Certificate {
    fn parse(pem: &str) -> Result<Self, String> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|error| format!("it holds no PEM certificate ({error})"))?;
        Self::of(der).map_err(|error| format!("its certificate cannot be read ({error})"))
    }

    /// Returns the certificate of these bytes.
    pub(crate) fn of(der: CertificateDer<'static>) -> Result<Self, x509_parser::error::X509Error> {
        let lifetime = {
            let parsed = parse(&der)?;
            let validity = parsed.validity();
            let time = |time: x509_parser::time::ASN1Time| {
                Timestamp::from_second(time.timestamp())
                    .map_err(|_| x509_parser::error::X509Error::InvalidDate)
            };
            Lifetime {
                not_before: time(validity.not_before)?,
                not_after: time(validity.not_after)?,
            }
        };
        Ok(Self { der, lifetime })
    }

    pub(crate) fn has_key(&self, key: &KeyPair) -> bool {
        let parsed = parse(&self.der);
        parsed.is_ok_and(|parsed| *parsed.public_key().raw == *subject_public_key_info(key))
    }

    pub(crate) fn is_authority(&self) -> bool {
        parse(&self.der).is_ok_and(|parsed| parsed.is_ca())
    }
}

impl Lifetime {
    /// Returns whether it is time for a new certificate: "renewed long before it ends", in the last third of its life.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        let life = self.not_after.as_second() - self.not_before.as_second();
        self.not_after.as_second() - now.as_second() < life / 3 || now < self.not_before
    }
}

/// Returns the key as TLS wants it.
pub(crate) fn private_key(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::Pkcs8(key.serialize_der().into())
}

/// Returns the cryptography that all of TLS is done with.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, x509_parser::error::X509Error> {
    let (_, parsed) = X509Certificate::from_der(der).map_err(|error| match error {
        x509_parser::nom::Err::Error(error) | x509_parser::nom::Err::Failure(error) => error,
        x509_parser::nom::Err::Incomplete(_) => x509_parser::error::X509Error::InvalidCertificate,
    })?;
    Ok(parsed)
}

fn subject_public_key_info(key: &KeyPair) -> Vec<u8> {
    use rcgen::PublicKeyData;
    key.subject_public_key_info()
}

fn key_reason(error: &rcgen::Error) -> String {
    format!("it holds no private key that can be used ({error})")
}
