//! One certificate authority of our own: a certificate, and the key that it signs with.
//!
//! It does not decide what it issues (see [`leaf`](super::leaf)), nor when another takes its place (see
//! [`succession`](super::succession)).

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData as _, SerialNumber,
};
use rustls::RootCertStore;

use crate::identity::content::Content;
use crate::identity::error::IdentityError;
use crate::identity::pem::{Certificate, Pair};

/// What signs certificates.
pub(crate) struct Authority {
    pub(crate) certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Returns the authority of this certificate, which has this key.
    pub(crate) fn of(certificate: Certificate, key: KeyPair) -> Result<Self, IdentityError> {
        Ok(Self {
            issuer: Issuer::from_ca_cert_der(&certificate.der, key).map_err(make_error)?,
            certificate,
        })
    }

    /// Makes an authority with this key and writes it.
    ///
    /// Its name is that of its key: of several that are trusted, the one that signed a certificate is found by its name, and
    /// what was issued stays good if the certificate of the same key is made again.
    pub(crate) fn make(
        pair: Pair,
        key: KeyPair,
        content: &mut Content,
        now: Timestamp,
    ) -> Result<Self, IdentityError> {
        let mut params = params(&name(&key), now, LIFE)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(make_error)?;
        pair.write(content, &certificate, &key);
        Ok(Self {
            certificate: Certificate::of(certificate.der().clone())
                .map_err(|error| content.malformed(pair.certificate, error))?,
            issuer: Issuer::new(params, key),
        })
    }

    /// Returns what it signs with.
    pub(crate) const fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.issuer
    }
}

/// Returns what trusts these authorities and nobody else.
pub(crate) fn roots<'a>(
    trusted: impl IntoIterator<Item = &'a Certificate>,
) -> Result<Arc<RootCertStore>, IdentityError> {
    let mut roots = RootCertStore::empty();
    for certificate in trusted {
        let der = certificate.der.clone();
        roots.add(der).map_err(IdentityError::Tls)?;
    }
    Ok(Arc::new(roots))
}

/// Returns what every certificate of ours begins with: its subject, its life from now on, and a serial number of its own.
pub(crate) fn params(
    common_name: &str,
    now: Timestamp,
    life: Duration,
) -> Result<CertificateParams, IdentityError> {
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, ORGANIZATION);
    subject.push(DnType::CommonName, common_name);
    params.distinguished_name = subject;
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let since_epoch = Duration::from_secs(now.as_second().try_into().unwrap_or_default());
    params.not_before = epoch + since_epoch.saturating_sub(CLOCK_SKEW);
    params.not_after = epoch + since_epoch + life;
    params.serial_number = Some(serial_number()?);
    Ok(params)
}

fn name(key: &KeyPair) -> String {
    let digest = digest(&SHA256, &key.subject_public_key_info());
    let short = digest.as_ref().iter().take(NAME_BYTES);
    let short: String = short.map(|byte| format!("{byte:02x}")).collect();
    format!("sluice authority {short}")
}

fn serial_number() -> Result<SerialNumber, IdentityError> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| IdentityError::Random)?;
    // A positive number, not 0.
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

pub(crate) fn make_error(source: rcgen::Error) -> IdentityError {
    let what = "authority";
    IdentityError::Make { what, source }
}

const ORGANIZATION: &str = "sluice";
const NAME_BYTES: usize = 8;
const LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// The clocks of nodes may be behind ours.
const CLOCK_SKEW: Duration = Duration::from_secs(3600);
