//! Why there is no identity: which file, what is wrong with it, and what to do.

use std::io;
use std::path::PathBuf;

/// Why there is no identity: the folder's content is at fault, or the machine.
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
    /// A file does not hold what it should.
    #[error("{}: {reason}; restore the file, or remove it and it is made anew", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The authority's certificate is there without its key, so nothing more can be issued.
    #[error(
        "{} is missing beside the authority's certificate; restore it, or remove the whole identity folder to start a \
         new authority, which every data plane must then be given",
        path.display()
    )]
    AuthorityKeyMissing {
        /// The missing file.
        path: PathBuf,
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
    #[error("cannot set up TLS with the certificates of the identity folder")]
    Tls(#[source] rustls::Error),
    /// Our authority cannot be used to verify peers.
    #[error("cannot verify peers with the authority of the identity folder")]
    Verifier(#[source] rustls::server::VerifierBuilderError),
    /// The system has no random numbers.
    #[error("the system gives no random numbers")]
    Random,
}
