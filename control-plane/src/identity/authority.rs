//! The control plane's own certificate authority: found in the identity folder, or made.
//!
//! It does not decide what it issues; see [`leaf`](super::leaf).

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SerialNumber,
};
use rustls::RootCertStore;

use crate::identity::error::IdentityError;
use crate::identity::folder::{Folder, Lock};
use crate::identity::pem::{Certificate, Files};
use crate::identity::{Step, Stop};

/// What signs the certificates of both planes.
pub(crate) struct Authority {
    pub(crate) certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Returns the authority of the folder; with the lock, makes or renews it.
    ///
    /// It is renewed with the same key and name: certificates of before are still good for whoever trusts the new one, and
    /// new ones for whoever still trusts the old one.
    pub(crate) fn establish(folder: &Folder, lock: Option<&Lock>, now: Timestamp) -> Step<Self> {
        let found = FILES.read(folder)?;
        match (found.certificate, found.key) {
            (None, None) => {
                let key = KeyPair::generate().map_err(make_error)?;
                Self::issue(folder, lock.ok_or(Stop::NeedsLock)?, key, now)
            }
            (Some(_), None) => Err(Stop::Failed(IdentityError::AuthorityKeyMissing {
                path: folder.path(FILES.key),
            })),
            (None, Some(key)) => Self::issue(folder, lock.ok_or(Stop::NeedsLock)?, key, now),
            (Some(certificate), Some(key)) => {
                if !certificate.has_key(&key) {
                    let reason = "it does not belong to the certificate in ca.crt beside it";
                    return Err(folder.malformed(FILES.key, reason).into());
                }
                if !certificate.is_authority() {
                    let reason = "its certificate is not that of an authority";
                    return Err(folder.malformed(FILES.certificate, reason).into());
                }
                if certificate.lifetime.is_due(now) {
                    return Self::issue(folder, lock.ok_or(Stop::NeedsLock)?, key, now);
                }
                Ok(Self {
                    issuer: Issuer::from_ca_cert_der(&certificate.der, key).map_err(make_error)?,
                    certificate,
                })
            }
        }
    }

    /// Returns what it signs with.
    pub(crate) const fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.issuer
    }

    /// Returns what trusts it and nobody else.
    pub(crate) fn roots(&self) -> Result<Arc<RootCertStore>, IdentityError> {
        let mut roots = RootCertStore::empty();
        roots
            .add(self.certificate.der.clone())
            .map_err(IdentityError::Tls)?;
        Ok(Arc::new(roots))
    }

    fn issue(folder: &Folder, lock: &Lock, key: KeyPair, now: Timestamp) -> Step<Self> {
        let mut params = params(NAME, now, LIFE)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(make_error)?;
        FILES.write(lock, &certificate, &key)?;
        tracing::info!(file = %folder.path(FILES.certificate).display(), "made the certificate of the authority");
        Ok(Self {
            certificate: Certificate::of(certificate.der().clone())
                .map_err(|error| folder.malformed(FILES.certificate, error))?,
            issuer: Issuer::new(params, key),
        })
    }
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

fn serial_number() -> Result<SerialNumber, IdentityError> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| IdentityError::Random)?;
    // A positive number, not 0.
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

fn make_error(source: rcgen::Error) -> IdentityError {
    IdentityError::Make {
        what: FILES.what,
        source,
    }
}

pub(crate) const FILES: Files = Files {
    what: "authority",
    certificate: "control-plane/ca.crt",
    key: "control-plane/ca.key",
};
const ORGANIZATION: &str = "sluice";
const NAME: &str = "sluice authority";
const LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// The clocks of nodes may be behind ours.
const CLOCK_SKEW: Duration = Duration::from_secs(3600);
