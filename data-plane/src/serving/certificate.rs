//! Certificates as they are served: loaded, checked against their keys, and found by the name that a client asks for.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sluice_proto::{
    Certificate, CertificateMaterial, CertificateName, Entry, Host, HostPattern,
    MissingCertificate, Problem, Settings, TlsVersion,
};

/// A certificate that can be served.
#[derive(Debug)]
pub(crate) struct LoadedCertificate {
    key: Arc<CertifiedKey>,
    pub(crate) not_after_unix_s: i64,
}

/// Why a certificate cannot be served: the Secret is at fault.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnusableCertificate {
    #[error("the certificate cannot be read; put a PEM chain with the leaf first into tls.crt")]
    Chain(#[source] Error),
    #[error(
        "the private key cannot be read; put an unencrypted PKCS #8, PKCS #1 or SEC 1 key into tls.key"
    )]
    KeyEncoding,
    #[error("the private key cannot be used; RSA (2048 bits or more), ECDSA and Ed25519 keys can")]
    Key(#[source] Error),
    #[error(
        "the private key does not belong to the certificate; tls.crt and tls.key must be of one pair, the leaf first"
    )]
    Mismatch,
}

impl LoadedCertificate {
    fn load(material: &CertificateMaterial) -> Result<Self, UnusableCertificate> {
        let key = PrivateKeyDer::try_from(material.private_key.to_vec())
            .map_err(|_| UnusableCertificate::KeyEncoding)?;
        let key = provider()
            .key_provider
            .load_private_key(key)
            .map_err(UnusableCertificate::Key)?;
        let chain = material.chain.iter();
        let chain = chain
            .map(|der| CertificateDer::from(der.to_vec()))
            .collect();
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(Self {
                key: Arc::new(certified),
                not_after_unix_s: material.not_after_unix_s,
            }),
            Err(Error::InconsistentKeys(_)) => Err(UnusableCertificate::Mismatch),
            Err(error) => Err(UnusableCertificate::Chain(error)),
        }
    }
}

/// Returns the cryptography that all of TLS is done with.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    use std::sync::LazyLock;
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));
    Arc::clone(&PROVIDER)
}

/// All certificates accepted, and those kept beyond their Secret.
#[derive(Default)]
pub(crate) struct Certificates {
    by_name: BTreeMap<Arc<str>, State>,
}

struct State {
    current: Result<Arc<LoadedCertificate>, Problem>,
    kept: Option<Kept>,
}

impl State {
    fn served(&self) -> Option<(&Arc<LoadedCertificate>, bool)> {
        match &self.current {
            Ok(certificate) => Some((certificate, false)),
            Err(_) => self.kept.as_ref().map(|kept| (&kept.certificate, true)),
        }
    }
}

struct Kept {
    // As it came, for the disk.
    entry: Arc<Entry>,
    certificate: Arc<LoadedCertificate>,
}

impl Certificates {
    /// Takes in a certificate; `earlier` is the entry of this name that it replaces.
    ///
    /// Without a material, an earlier one that is still valid is kept: whoever deletes a Secret by mistake does not take
    /// his hosts away.
    pub(crate) fn insert(
        &mut self,
        certificate: Certificate,
        earlier: Option<Arc<Entry>>,
        now_unix_s: i64,
    ) -> Result<(), UnusableCertificate> {
        let state = match certificate.content {
            Ok(material) => State {
                current: Ok(Arc::new(LoadedCertificate::load(&material)?)),
                kept: None,
            },
            Err(problem) => State {
                kept: match self.by_name.remove(&**certificate.name.as_arc()) {
                    Some(State {
                        current: Ok(certificate),
                        ..
                    }) => earlier.map(|entry| Kept { entry, certificate }),
                    Some(State { kept, .. }) => kept,
                    None => None,
                }
                .filter(|kept| now_unix_s <= kept.certificate.not_after_unix_s),
                current: Err(problem),
            },
        };
        self.by_name
            .insert(Arc::clone(certificate.name.as_arc()), state);
        Ok(())
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.by_name.remove(name);
    }

    /// Returns the certificate to serve under this name, and whether it is kept beyond its Secret.
    pub(crate) fn served(&self, name: &CertificateName) -> Option<(&Arc<LoadedCertificate>, bool)> {
        self.by_name.get(&**name.as_arc())?.served()
    }

    /// Returns all that are served: their names and when they end.
    pub(crate) fn expiries(&self) -> impl Iterator<Item = (&str, i64)> {
        self.by_name.iter().filter_map(|(name, state)| {
            let (certificate, _) = state.served()?;
            Some((&**name, certificate.not_after_unix_s))
        })
    }

    /// Returns those kept beyond their Secret: the name, the entry as it came, why it is kept and when it ends.
    pub(crate) fn kept(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Entry>, &Problem, i64)> {
        self.by_name.iter().filter_map(|(name, state)| {
            let (Err(problem), Some(kept)) = (&state.current, &state.kept) else {
                return None;
            };
            let ends = kept.certificate.not_after_unix_s;
            Some((name, &kept.entry, problem, ends))
        })
    }

    /// Returns what TLS clients of a host get, for which these settings hold.
    pub(crate) fn of(&self, host: &Host, settings: &Settings) -> HostTls {
        let own = host.certificate.as_ref().and_then(|name| self.key(name));
        match own {
            Some(own) => HostTls {
                certificate: Some(own),
                minimum: settings.tls_minimum_version,
                asking: None,
            },
            None => self.of_others(settings),
        }
    }

    /// Returns what TLS clients get of hosts that have no certificate of their own.
    pub(crate) fn of_others(&self, settings: &Settings) -> HostTls {
        HostTls {
            certificate: match settings.missing_certificate {
                MissingCertificate::DefaultCertificate => self.key(&settings.default_certificate),
                MissingCertificate::RefuseHandshake => None,
            },
            minimum: settings.tls_minimum_version,
            asking: None,
        }
    }

    fn key(&self, name: &CertificateName) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.served(name)?.0.key))
    }
}

/// What TLS clients of a host get.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostTls {
    /// `None` for a refused handshake.
    pub(crate) certificate: Option<Arc<CertifiedKey>>,
    /// The lowest version that is spoken.
    pub(crate) minimum: TlsVersion,
    /// How clients are spoken to that are asked for a certificate of their own.
    pub(crate) asking: Option<Arc<ServerConfig>>,
}

/// What a TLS client gets.
#[derive(Clone, Default)]
pub(crate) struct CertificateTable {
    exact: HashMap<Arc<str>, HostTls>,
    wildcard: HashMap<Arc<str>, HostTls>,
    any: Option<HostTls>,
    others: HostTls,
}

impl CertificateTable {
    /// Has all clients get the same.
    pub(crate) fn new(others: HostTls) -> Self {
        Self {
            others,
            ..Self::default()
        }
    }

    /// Has clients of this host get this.
    pub(crate) fn insert(&mut self, host: &HostPattern, tls: HostTls) {
        match host {
            HostPattern::Exact(name) => drop(self.exact.insert(Arc::clone(name), tls)),
            HostPattern::Wildcard(parent) => drop(self.wildcard.insert(Arc::clone(parent), tls)),
            HostPattern::Any => self.any = Some(tls),
        }
    }

    /// Forgets this host.
    pub(crate) fn remove(&mut self, host: &HostPattern) {
        match host {
            HostPattern::Exact(name) => drop(self.exact.remove(name)),
            HostPattern::Wildcard(parent) => drop(self.wildcard.remove(parent)),
            HostPattern::Any => self.any = None,
        }
    }

    /// Returns what a client gets that asks for this name (in lower case), or for none.
    pub(crate) fn lookup(&self, name: Option<&str>) -> &HostTls {
        let own = name.and_then(|name| {
            let wildcard = || self.wildcard.get(name.split_once('.')?.1);
            self.exact.get(name).or_else(wildcard)
        });
        own.or(self.any.as_ref()).unwrap_or(&self.others)
    }
}
