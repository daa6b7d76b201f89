//! Why there is no identity: which file or Secret, what is wrong with it, and what to do.

use std::io;
use std::path::PathBuf;

use tokio::task::JoinError;
use tokio::time::error::Elapsed;

/// Why there is no identity: what is kept is at fault, or the machine, or the API server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// A file is there and cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file or folder is missing or to be renewed and cannot be written.
    #[error("cannot write {}; the identity folder must be writable, or hold everything that is needed", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The API server does not let a Secret be read or written, or cannot be reached.
    #[error("cannot {what} Secret {secret}{}", remedy(source))]
    ApiServer {
        /// What was tried.
        what: &'static str,
        /// Which, as `NAMESPACE/NAME`.
        secret: String,
        /// Why.
        #[source]
        source: kube::Error,
    },
    /// The API server does not answer.
    #[error("cannot {what} Secret {secret}: the API server does not answer")]
    ApiServerSilent {
        /// What was tried.
        what: &'static str,
        /// Which, as `NAMESPACE/NAME`.
        secret: String,
        /// How long it was waited for.
        #[source]
        source: Elapsed,
    },
    /// Others write all the time.
    #[error(
        "the Secrets of the identity were changed by somebody else each time they were to be written"
    )]
    Contended,
    /// A file, or a key of a Secret, does not hold what it should.
    #[error("{place}: {reason}; restore it, or remove it and it is made anew")]
    Malformed {
        /// Where.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The authority's certificate is there without its key, so nothing more can be issued.
    #[error(
        "{place} is missing beside the authority's certificate; restore it, or remove the whole identity to start a new \
         authority, which every data plane must then be given"
    )]
    AuthorityKeyMissing {
        /// What is missing.
        place: String,
    },
    /// A certificate cannot be made.
    #[error("cannot make {what}")]
    Make {
        /// Which.
        what: &'static str,
        /// Why.
        #[source]
        source: rcgen::Error,
    },
    /// TLS cannot be set up with what there is.
    #[error("cannot set up TLS with the certificates of the identity")]
    Tls(#[source] rustls::Error),
    /// Our authorities cannot be used to verify peers.
    #[error("cannot verify peers with the authorities of the identity")]
    Verifier(#[source] rustls::server::VerifierBuilderError),
    /// The system has no random numbers.
    #[error("the system gives no random numbers")]
    Random,
    /// The program's own fault, or it is ending.
    #[error("reading and writing the identity broke off")]
    Ended(#[source] JoinError),
}

impl IdentityError {
    /// Returns whether waiting may help: what is kept is not at fault, only the way to it.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::ApiServer { .. } | Self::ApiServerSilent { .. } | Self::Contended
        )
    }
}

fn remedy(error: &kube::Error) -> &'static str {
    match error {
        kube::Error::Api(status) if matches!(status.code, 401 | 403) => {
            "; grant the control plane the rights on it that its Role in manifests/ has"
        }
        kube::Error::Api(status) if status.code == 404 => {
            "; make its namespace, or name another with --namespace or --data-plane-namespace"
        }
        kube::Error::Api(status) if status.code == 422 => {
            "; it must not be immutable, and its type must be Opaque"
        }
        _ => "",
    }
}
