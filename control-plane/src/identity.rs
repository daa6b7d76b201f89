//! Who the planes are to each other: a certificate authority of our own and what it issues, in one folder or two Secrets.
//!
//! ```text
//! control-plane/installation.id                 what tells this installation from another one
//! control-plane/ca.crt ca.key                   the authority that signs
//! control-plane/next-ca.crt .key .overlap       the one that will sign, if it is time for another
//! control-plane/next-ca.distrust                whether those before are not to be trusted then
//! control-plane/previous-ca.crt .until          those that signed before and are still trusted; until when
//! control-plane/tls.crt tls.key                 the stream's server
//! control-plane/default.crt default.key         what hosts without a certificate get
//! data-plane/installation.id                    the same
//! data-plane/ca.crt                             all that are trusted: what data planes need to know of the above
//! data-plane/next-ca.after                      when the next authority signs
//! data-plane/tls.crt tls.key                    what proves that somebody is a data plane
//! data-plane/seal.key seal.key.previous         what data planes derive the keys of their disk copies from
//! ```
//!
//! What is missing is made, what is good is used again, and what is in the last third of its life is renewed. A file that is
//! there and cannot be read is an error that names it: it may be a mistake that somebody wants to mend, and an authority made
//! anew would lock out every data plane. What somebody else writes (another replica, the command `renew`) is noticed within
//! seconds. All of it is decided by what is kept and the time: no control plane has a part of its own in it. Nothing here
//! ever shows a key.

mod authority;
mod content;
mod distrust;
mod error;
mod installation;
mod leaf;
mod pem;
pub(crate) mod place;
mod random;
pub mod renewal;
mod seal;
mod store;
mod succession;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use jiff::Timestamp;
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::{CertificateDer, UnixTime};
use sluice_proto::CertificateMaterial;
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

pub use crate::identity::error::IdentityError;
pub use crate::identity::leaf::SERVER_NAME;
pub use crate::identity::store::Store;

use crate::identity::content::Content;
use crate::identity::leaf::{Leaf, Role};
use crate::identity::succession::Authorities;

/// Who the control plane is, and whom it takes for a data plane.
pub struct Identity {
    store: Store,
    current: ArcSwap<Current>,
    default_certificate: watch::Sender<CertificateMaterial>,
    changed: Notify,
}

/// From when to when a certificate of ours is valid.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CertificateLifetime {
    /// `authority`, `next-authority`, `control-plane`, `data-plane` or `default`.
    pub name: &'static str,
    /// From then.
    pub not_before: Timestamp,
    /// Until then.
    pub not_after: Timestamp,
}

/// What is in use.
pub(crate) struct Current {
    authorities: Authorities,
    control_plane: Leaf,
    data_plane: Leaf,
    default: Leaf,
    client_verifier: Arc<dyn ClientCertVerifier>,
    server_config: Arc<ServerConfig>,
}

impl Identity {
    /// Returns the identity of this store, which is made and filled as far as it is not there.
    ///
    /// # Errors
    ///
    /// If something is malformed, or cannot be read or written; the error names it.
    pub async fn open(store: Store) -> Result<Self, IdentityError> {
        let current = settle(&store, Timestamp::now()).await?;
        Ok(Self {
            store,
            default_certificate: watch::Sender::new(material(&current.default)),
            current: ArcSwap::from_pointee(current),
            changed: Notify::new(),
        })
    }

    /// As [`Self::open`], but waits for an API server that is away or does not allow it yet.
    ///
    /// # Errors
    ///
    /// If waiting does not help.
    pub async fn open_when_possible(store: Store) -> Result<Self, IdentityError> {
        let mut told = Told::default();
        let mut wait = FIRST_WAIT;
        loop {
            match Self::open(store.clone()).await {
                Err(error) if error.may_pass() => {
                    told.tell(
                        &error,
                        "no identity yet; waiting, and nothing is served meanwhile",
                    );
                }
                opened => return opened,
            }
            sleep(wait.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            wait = (wait * 2).min(LOOK);
        }
    }

    /// Returns what the stream's server shakes hands with now: it proves who we are, and takes nobody without a certificate
    /// of an authority of ours.
    #[must_use]
    pub fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.load().server_config)
    }

    /// Waits until whom to trust may have changed.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Returns whether a stream that was opened with this certificate may go on: not if its authority was to be trusted no
    /// more. What became of it in any other way does not matter to a stream that is open.
    pub(crate) fn may_go_on(&self, certificate: &CertificateDer<'_>) -> bool {
        let current = self.current.load();
        let until = current.authorities.previous_until;
        if until.is_none_or(|until| Timestamp::now() < until) {
            return true;
        }
        let now = UnixTime::now();
        let verified = current
            .client_verifier
            .verify_client_cert(certificate, &[], now);
        verified.is_ok()
    }

    /// Returns the certificate for hosts that have none.
    #[must_use]
    pub fn default_certificate(&self) -> CertificateMaterial {
        self.default_certificate.borrow().clone()
    }

    /// Returns where the certificate for hosts that have none is, and tells when it becomes another.
    #[must_use]
    pub fn follow_default_certificate(&self) -> watch::Receiver<CertificateMaterial> {
        self.default_certificate.subscribe()
    }

    /// Returns from when to when each certificate is valid, for metrics.
    #[must_use]
    pub fn lifetimes(&self) -> Vec<CertificateLifetime> {
        self.current.load().lifetimes()
    }

    /// Reads what is kept again, renews what is due, and uses what is there from now on. If that fails, what there was goes
    /// on being used.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub async fn refresh(&self) -> Result<(), IdentityError> {
        self.refresh_at(Timestamp::now()).await
    }

    /// Refreshes every few seconds. Never returns; drop the future to end it.
    pub async fn keep_current(self: Arc<Self>) {
        let mut told = Told::default();
        loop {
            sleep(LOOK).await;
            match self.refresh().await {
                Ok(()) => told.is_over("the identity is current again"),
                Err(error) => {
                    told.tell(
                        &error,
                        "cannot renew the identity; what there was stays in use",
                    );
                }
            }
        }
    }

    async fn refresh_at(&self, now: Timestamp) -> Result<(), IdentityError> {
        let new = settle(&self.store, now).await?;
        let material = material(&new.default);
        let is_same = self.current.load().is_same(&new);
        self.current.store(Arc::new(new));
        if !is_same {
            tracing::info!("the identity changed: who connects from now on meets the new one");
            self.changed.notify_one();
        }
        self.default_certificate.send_if_modified(|current| {
            let changed = *current != material;
            *current = material;
            changed
        });
        Ok(())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

impl Current {
    /// Returns when the next authority signs, if one waits.
    pub(crate) fn next_authority_signs_after(&self) -> Option<Timestamp> {
        let next = self.authorities.next.as_ref();
        next.map(|next| next.signs_after)
    }

    /// Returns when the next step of a renewal is due that has begun.
    pub(crate) fn next_step(&self, now: Timestamp) -> Option<Timestamp> {
        let until = self.authorities.previous_until;
        self.next_authority_signs_after()
            .or_else(|| until.filter(|until| *until > now))
    }

    fn lifetimes(&self) -> Vec<CertificateLifetime> {
        let authorities = &self.authorities;
        let next = authorities.next.as_ref().map(|next| &next.certificate);
        let all = [
            (succession::CURRENT, Some(&authorities.current.certificate)),
            (succession::NEXT, next),
            (
                Role::ControlPlane.pair(),
                Some(&self.control_plane.certificate),
            ),
            (Role::DataPlane.pair(), Some(&self.data_plane.certificate)),
            (Role::Default.pair(), Some(&self.default.certificate)),
        ];
        let all = all.into_iter();
        all.filter_map(|(pair, certificate)| {
            let lifetime = certificate?.lifetime;
            Some(CertificateLifetime {
                name: pair.what,
                not_before: lifetime.not_before,
                not_after: lifetime.not_after,
            })
        })
        .collect()
    }

    /// Returns whether who connects notices no difference.
    fn is_same(&self, other: &Self) -> bool {
        let trusted = |current: &Self| -> Vec<_> {
            let trusted = current.authorities.trusted();
            trusted.map(|certificate| certificate.der.clone()).collect()
        };
        self.control_plane.certificate.der == other.control_plane.certificate.der
            && trusted(self) == trusted(other)
    }
}

/// What was told last, so that what goes on is told once.
#[derive(Default)]
struct Told(Option<String>);

impl Told {
    fn tell(&mut self, error: &IdentityError, what: &str) {
        let error = error as &dyn std::error::Error;
        let text = error.to_string();
        if self.0.as_ref() != Some(&text) {
            tracing::error!(error, "{what}");
            self.0 = Some(text);
        }
    }

    fn is_over(&mut self, what: &str) {
        if self.0.take().is_some() {
            tracing::info!("{what}");
        }
    }
}

async fn settle(store: &Store, now: Timestamp) -> Result<Current, IdentityError> {
    let step = move |content: &mut Content| establish(content, now, false);
    store.settle(step).await
}

/// Returns the identity that is there; makes what is missing, and renews what is due, or what is asked for.
pub(crate) fn establish(
    content: &mut Content,
    now: Timestamp,
    certificates_asked: bool,
) -> Result<Current, IdentityError> {
    let authorities = Authorities::establish(content, now)?;
    let signing = &authorities.current;
    let mut leaf = |role| Leaf::establish(role, signing, content, now, certificates_asked);
    let control_plane = leaf(Role::ControlPlane)?;
    let data_plane = leaf(Role::DataPlane)?;
    let default = leaf(Role::Default)?;
    seal::establish(content)?;
    installation::establish(content)?;
    let client_verifier = client_verifier(&authorities)?;
    Ok(Current {
        server_config: server_config(Arc::clone(&client_verifier), &control_plane)?,
        client_verifier,
        authorities,
        control_plane,
        data_plane,
        default,
    })
}

fn client_verifier(
    authorities: &Authorities,
) -> Result<Arc<dyn ClientCertVerifier>, IdentityError> {
    let roots = authority::roots(authorities.trusted())?;
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, pem::provider());
    verifier.build().map_err(IdentityError::Verifier)
}

fn server_config(
    verifier: Arc<dyn ClientCertVerifier>,
    leaf: &Leaf,
) -> Result<Arc<ServerConfig>, IdentityError> {
    let mut config = ServerConfig::builder_with_provider(pem::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(IdentityError::Tls)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![leaf.certificate.der.clone()],
            pem::private_key(&leaf.key),
        )
        .map_err(IdentityError::Tls)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    // A resumed session would skip the check of the client's certificate, and streams live long anyway.
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

fn material(leaf: &Leaf) -> CertificateMaterial {
    let certificate = &leaf.certificate;
    CertificateMaterial {
        chain: vec![Bytes::copy_from_slice(&certificate.der)],
        private_key: leaf.key.serialize_der().into(),
        names: (Role::Default.names().iter())
            .map(|name| (*name).to_owned())
            .collect(),
        not_before_unix_s: certificate.lifetime.not_before.as_second(),
        not_after_unix_s: certificate.lifetime.not_after.as_second(),
    }
}

/// How soon what others write is noticed.
const LOOK: Duration = Duration::from_secs(5);
const FIRST_WAIT: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests;
