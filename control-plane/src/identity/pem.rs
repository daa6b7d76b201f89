//! A certificate with its key, read from and written as PEM.
//!
//! It does not know what the certificate is for: [`authority`](super::authority) and [`leaf`](super::leaf) do.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use rcgen::{KeyPair, PublicKeyData as _};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::identity::content::Content;
use crate::identity::error::IdentityError;

/// Where a certificate and its key are, and what they are called for people.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
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

impl Pair {
    pub(crate) fn read(self, content: &Content) -> Result<Found, IdentityError> {
        let certificate = content.read(self.certificate)?.map(|pem| {
            Certificate::parse(&pem).map_err(|reason| content.malformed(self.certificate, reason))
        });
        let key = content.read(self.key)?.map(|pem| {
            KeyPair::from_pem(&pem).map_err(|error| content.malformed(self.key, key_reason(&error)))
        });
        Ok(Found {
            certificate: certificate.transpose()?,
            key: key.transpose()?,
        })
    }

    /// Writes the key first: whoever sees the certificate sees its key.
    pub(crate) fn write(
        self,
        content: &mut Content,
        certificate: &rcgen::Certificate,
        key: &KeyPair,
    ) {
        content.write(self.key, key.serialize_pem());
        content.write(self.certificate, certificate.pem());
    }

    pub(crate) fn remove(self, content: &mut Content) {
        content.remove(self.certificate);
        content.remove(self.key);
    }
}

impl Certificate {
    fn parse(pem: &str) -> Result<Self, String> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(pem_reason)?;
        Self::of(der).map_err(|error| format!("its certificate cannot be read ({error})"))
    }

    /// Returns all certificates of this text.
    pub(crate) fn parse_all(pem: &str) -> Result<Vec<Self>, String> {
        CertificateDer::pem_slice_iter(pem.as_bytes())
            .map(|der| {
                Self::of(der.map_err(pem_reason)?)
                    .map_err(|error| format!("a certificate in it cannot be read ({error})"))
            })
            .collect()
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

    pub(crate) fn to_pem(&self) -> String {
        let encoded = BASE64_STANDARD.encode(&self.der);
        let mut lines = vec![BEGIN];
        let mut rest = &*encoded;
        while !rest.is_empty() {
            // Base64 is ASCII: it may be split anywhere.
            let (line, more) = rest.split_at(rest.len().min(LINE));
            lines.push(line);
            rest = more;
        }
        lines.push(END);
        lines.join("\n") + "\n"
    }

    pub(crate) fn has_key(&self, key: &KeyPair) -> bool {
        let parsed = parse(&self.der);
        parsed.is_ok_and(|parsed| *parsed.public_key().raw == *key.subject_public_key_info())
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

fn pem_reason(error: rustls_pki_types::pem::Error) -> String {
    format!("it holds no PEM certificate ({error})")
}

fn key_reason(error: &rcgen::Error) -> String {
    format!("it holds no private key that can be used ({error})")
}

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";
/// "Generators MUST wrap the base64-encoded lines so that each line consists of exactly 64 characters except for the final
/// line" (RFC 7468, section 2).
const LINE: usize = 64;
