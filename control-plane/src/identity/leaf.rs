//! The certificates that the authority issues, and the default one: found among what is kept, or made.
//!
//! One that does not do what it is for (ended, of another authority, for another name) is made anew; a file that cannot be
//! read as a certificate or key at all is an error, for it may be somebody's mistake.

use std::time::Duration;

use jiff::Timestamp;
use rcgen::{ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, SanType};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::{ServerName, UnixTime};

use crate::identity::authority::{Authority, params, roots};
use crate::identity::content::Content;
use crate::identity::error::IdentityError;
use crate::identity::pem::{Certificate, Pair, provider};

/// A certificate and its key.
pub(crate) struct Leaf {
    pub(crate) certificate: Certificate,
    pub(crate) key: KeyPair,
}

/// What a certificate is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Role {
    /// The stream's server.
    ControlPlane,
    /// Every data plane: its client certificate.
    DataPlane,
    /// Hosts without a certificate of their own.
    Default,
}

impl Leaf {
    /// Returns the certificate for this role; makes or renews it if it is due, or if it is asked for.
    pub(crate) fn establish(
        role: Role,
        authority: &Authority,
        content: &mut Content,
        now: Timestamp,
        asked: bool,
    ) -> Result<Self, IdentityError> {
        let found = role.pair().read(content)?;
        let reason = match (found.certificate, found.key) {
            _ if asked => "it was asked for".to_owned(),
            (Some(certificate), Some(key)) => {
                match role.fault(&certificate, &key, authority, now)? {
                    None => return Ok(Self { certificate, key }),
                    Some(reason) => reason,
                }
            }
            _ => "there was none".to_owned(),
        };
        let leaf = Self::issue(role, authority, content, now)?;
        let place = content.place(role.pair().certificate);
        content.note(format!("made a certificate in {place}: {reason}"));
        Ok(leaf)
    }

    fn issue(
        role: Role,
        authority: &Authority,
        content: &mut Content,
        now: Timestamp,
    ) -> Result<Self, IdentityError> {
        let pair = role.pair();
        let make_error = |source| IdentityError::Make {
            what: pair.what,
            source,
        };
        let key = KeyPair::generate().map_err(make_error)?;
        let mut params = params(role.common_name(), now, role.life())?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match role {
            Role::ControlPlane | Role::Default => ExtendedKeyUsagePurpose::ServerAuth,
            Role::DataPlane => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        for name in role.names() {
            let name = (*name).try_into().map_err(make_error)?;
            params.subject_alt_names.push(SanType::DnsName(name));
        }
        let certificate = match role {
            Role::Default => params.self_signed(&key),
            Role::ControlPlane | Role::DataPlane => {
                params.use_authority_key_identifier_extension = true;
                params.signed_by(&key, authority.issuer())
            }
        };
        let certificate = certificate.map_err(make_error)?;
        pair.write(content, &certificate, &key);
        Ok(Self {
            certificate: Certificate::of(certificate.der().clone())
                .map_err(|error| content.malformed(pair.certificate, error))?,
            key,
        })
    }
}

impl Role {
    pub(crate) const fn pair(self) -> Pair {
        match self {
            Self::ControlPlane => Pair {
                what: "control-plane",
                certificate: "control-plane/tls.crt",
                key: "control-plane/tls.key",
            },
            Self::DataPlane => Pair {
                what: "data-plane",
                certificate: "data-plane/tls.crt",
                key: "data-plane/tls.key",
            },
            Self::Default => Pair {
                what: "default",
                certificate: "control-plane/default.crt",
                key: "control-plane/default.key",
            },
        }
    }

    /// The DNS names that it is for.
    pub(crate) const fn names(self) -> &'static [&'static str] {
        match self {
            Self::ControlPlane => &[SERVER_NAME, "localhost"],
            Self::DataPlane => &[],
            Self::Default => &["default.sluice.internal"],
        }
    }

    const fn common_name(self) -> &'static str {
        match self {
            Self::ControlPlane => "control-plane",
            Self::DataPlane => "data-plane",
            Self::Default => "sluice default certificate",
        }
    }

    const fn life(self) -> Duration {
        match self {
            Self::ControlPlane | Self::DataPlane => YEAR,
            // Nobody can trust it anyway.
            Self::Default => Duration::from_secs(10 * YEAR.as_secs()),
        }
    }

    /// Returns why the certificate must be made anew, if it must: what its peers would object to, or its age.
    fn fault(
        self,
        certificate: &Certificate,
        key: &KeyPair,
        authority: &Authority,
        now: Timestamp,
    ) -> Result<Option<String>, IdentityError> {
        if !certificate.has_key(key) {
            return Ok(Some("the key was that of another certificate".to_owned()));
        }
        if certificate.lifetime.is_due(now) {
            let ends = certificate.lifetime.not_after;
            return Ok(Some(format!("the one before ends at {ends}")));
        }
        let seconds = Duration::from_secs(now.as_second().try_into().unwrap_or_default());
        let now = UnixTime::since_unix_epoch(seconds);
        let leaf = &certificate.der;
        // The authority that signs, and no other: when another takes over, it issues everything anew.
        let roots = roots([&authority.certificate])?;
        let verified = match self {
            Self::Default => Ok(()),
            Self::ControlPlane => {
                let builder = WebPkiServerVerifier::builder_with_provider(roots, provider());
                let verifier = builder.build().map_err(IdentityError::Verifier)?;
                // Its labels are letters, so it is a server's name.
                ServerName::try_from(SERVER_NAME)
                    .map_err(|_| rustls::Error::UnsupportedNameType)
                    .and_then(|name| verifier.verify_server_cert(leaf, &[], &name, &[], now))
                    .map(|_| ())
            }
            Self::DataPlane => {
                let builder = WebPkiClientVerifier::builder_with_provider(roots, provider());
                let verifier = builder.build().map_err(IdentityError::Verifier)?;
                verifier.verify_client_cert(leaf, &[], now).map(|_| ())
            }
        };
        Ok(verified.err().map(|error| error.to_string()))
    }
}

/// The name in the certificate of the stream's server: data planes verify it, whatever address they dial.
pub const SERVER_NAME: &str = "control-plane.sluice.internal";
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
