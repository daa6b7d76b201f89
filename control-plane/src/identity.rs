//! Who the planes are to each other: a certificate authority of our own and what it issues, in one folder.
//!
//! ```text
//! control-plane/ca.crt ca.key             the authority
//! control-plane/tls.crt tls.key           the stream's server
//! control-plane/default.crt default.key   what hosts without a certificate get
//! data-plane/ca.crt                       a copy: what data planes trust
//! data-plane/tls.crt tls.key              what proves that somebody is a data plane
//! data-plane/seal.key                     what data planes derive the keys of their disk copies from
//! ```
//!
//! What is missing is made, what is good is used again, and what is in the last third of its life is renewed, at the start
//! and once a day. A file that is there and cannot be read is an error that names it: it may be a mistake that somebody
//! wants to mend, and an authority made anew would lock out every data plane. The folder is only written to if something
//! is to be made, so it may be mounted read-only once it is complete. Nothing here ever shows a key.

mod authority;
mod error;
mod folder;
mod leaf;
mod pem;
mod seal;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use jiff::Timestamp;
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use sluice_proto::CertificateMaterial;
use tokio::time::{MissedTickBehavior, interval};

pub use crate::identity::error::IdentityError;
pub use crate::identity::leaf::SERVER_NAME;

use crate::identity::authority::Authority;
use crate::identity::folder::{Folder, Lock};
use crate::identity::leaf::{Leaf, Role};

/// Who the control plane is, and whom it takes for a data plane.
pub struct Identity {
    folder: Folder,
    current: ArcSwap<Current>,
}

/// From when to when a certificate of ours is valid.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CertificateLifetime {
    /// `authority`, `control-plane`, `data-plane` or `default`.
    pub name: &'static str,
    /// From then.
    pub not_before: Timestamp,
    /// Until then.
    pub not_after: Timestamp,
}

struct Current {
    server_config: Arc<ServerConfig>,
    default_certificate: CertificateMaterial,
    lifetimes: [CertificateLifetime; 4],
}

/// What a step of establishing the identity returns.
type Step<T> = Result<T, Stop>;

/// Why a step stopped.
enum Stop {
    /// Something is to be written: begin again with the lock, for somebody else may have written it meanwhile.
    NeedsLock,
    /// It cannot be done.
    Failed(IdentityError),
}

impl Identity {
    /// Returns the identity in this folder, which is made and filled as far as it is not there. Reads and writes files,
    /// and waits for another control plane that is writing in the same folder.
    ///
    /// # Errors
    ///
    /// If a file is malformed, or cannot be read or written; the error names it.
    pub fn open(folder: &Path) -> Result<Self, IdentityError> {
        let folder = Folder::new(folder);
        let current = settle(&folder, Timestamp::now())?;
        Ok(Self {
            folder,
            current: ArcSwap::from_pointee(current),
        })
    }

    /// Returns what the stream's server shakes hands with now: it proves who we are, and takes nobody without a certificate
    /// of our authority.
    #[must_use]
    pub fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.load().server_config)
    }

    /// Returns the certificate for hosts that have none.
    #[must_use]
    pub fn default_certificate(&self) -> CertificateMaterial {
        self.current.load().default_certificate.clone()
    }

    /// Returns from when to when each certificate is valid, for metrics.
    #[must_use]
    pub fn lifetimes(&self) -> [CertificateLifetime; 4] {
        self.current.load().lifetimes
    }

    /// Reads the folder again, renews what is due, and uses what is there from now on. If that fails, what there was goes
    /// on being used.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn renew(&self) -> Result<(), IdentityError> {
        self.renew_at(Timestamp::now())
    }

    /// Renews once a day what is due. Never returns; drop the future to end it.
    pub async fn keep_renewing(self: Arc<Self>) {
        let mut days = interval(DAY);
        days.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick comes at once, and what was opened is fresh.
        days.tick().await;
        loop {
            days.tick().await;
            let identity = Arc::clone(&self);
            match tokio::task::spawn_blocking(move || identity.renew()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "cannot renew certificates; the old ones stay in use");
                }
                Err(error) => tracing::error!(%error, "the renewal of certificates broke off"),
            }
        }
    }

    fn renew_at(&self, now: Timestamp) -> Result<(), IdentityError> {
        self.current.store(Arc::new(settle(&self.folder, now)?));
        Ok(())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl From<IdentityError> for Stop {
    fn from(error: IdentityError) -> Self {
        Self::Failed(error)
    }
}

fn settle(folder: &Folder, now: Timestamp) -> Result<Current, IdentityError> {
    let mut lock = None;
    loop {
        match establish(folder, lock.as_ref(), now) {
            Ok(current) => return Ok(current),
            Err(Stop::NeedsLock) => lock = Some(folder.lock()?),
            Err(Stop::Failed(error)) => return Err(error),
        }
    }
}

fn establish(folder: &Folder, lock: Option<&Lock>, now: Timestamp) -> Step<Current> {
    let authority = Authority::establish(folder, lock, now)?;
    let leaf = |role| Leaf::establish(role, &authority, folder, lock, now);
    let control_plane = leaf(Role::ControlPlane)?;
    let data_plane = leaf(Role::DataPlane)?;
    let default = leaf(Role::Default)?;
    copy_authority(folder, lock)?;
    seal::establish(folder, lock)?;
    let lifetime = |name, certificate: &pem::Certificate| CertificateLifetime {
        name,
        not_before: certificate.lifetime.not_before,
        not_after: certificate.lifetime.not_after,
    };
    Ok(Current {
        lifetimes: [
            lifetime(authority::FILES.what, &authority.certificate),
            lifetime(Role::ControlPlane.files().what, &control_plane.certificate),
            lifetime(Role::DataPlane.files().what, &data_plane.certificate),
            lifetime(Role::Default.files().what, &default.certificate),
        ],
        server_config: server_config(&authority, &control_plane)?,
        default_certificate: material(&default),
    })
}

/// Gives data planes the authority's certificate.
fn copy_authority(folder: &Folder, lock: Option<&Lock>) -> Step<()> {
    let original = folder.read(authority::FILES.certificate)?;
    let copy = folder.read(DATA_PLANE_AUTHORITY)?;
    if original != copy {
        let original = original.unwrap_or_default();
        lock.ok_or(Stop::NeedsLock)?
            .write(DATA_PLANE_AUTHORITY, &original)?;
    }
    Ok(())
}

fn server_config(authority: &Authority, leaf: &Leaf) -> Result<Arc<ServerConfig>, IdentityError> {
    let verifier = WebPkiClientVerifier::builder_with_provider(authority.roots()?, pem::provider());
    let verifier = verifier.build().map_err(IdentityError::Verifier)?;
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

const DATA_PLANE_AUTHORITY: &str = "data-plane/ca.crt";
const DAY: Duration = Duration::from_secs(24 * 3600);

#[cfg(test)]
mod tests;
