//! The seam between Kubernetes objects and everything else: a source sends what changes, in batches.
//!
//! It does not hold any object: the reconcile loop does. Two sources stand behind it, and nothing after it knows which:
//! [`kube`] watches an API server, [`files`] a folder of the same YAML.

pub mod files;
pub mod kube;

use std::collections::BTreeSet;
use std::convert::Infallible;

use futures_util::future::BoxFuture;
use sluice_proto::{ObjectReference, Problem};
use sluice_translate::Object;
use tokio::sync::{mpsc, watch};

/// A started source, as the reconcile loop sees it.
#[derive(Debug)]
pub struct Source {
    /// What changes, in order. It waits when nobody takes: nothing is lost.
    pub batches: mpsc::Receiver<Batch>,
    /// Where to say which Secrets are referred to. A source without this sends all that it has from the start.
    pub secrets: Option<watch::Sender<SecretNames>>,
}

/// The work of a source. Its owner polls it and drops it to stop it; it ends only when it cannot go on.
pub type SourceTask = BoxFuture<'static, Result<Infallible, SourceError>>;

/// Namespace and name of Secrets.
pub type SecretNames = BTreeSet<(String, String)>;

/// What changed at once.
#[derive(Debug, Default)]
pub struct Batch {
    /// New and changed objects.
    pub applied: Vec<Object>,
    /// Objects that are no more.
    pub removed: Vec<ObjectReference>,
    /// What became known about access to Secrets.
    pub secrets: Vec<SecretAccess>,
    /// What is wrong with the source itself: all of it, if it changed.
    pub problems: Option<Vec<Problem>>,
    /// Everything that there is, but for Secrets, has been sent now.
    pub synced: bool,
}

impl Batch {
    /// Returns whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.applied.is_empty()
            && self.removed.is_empty()
            && self.secrets.is_empty()
            && self.problems.is_none()
            && !self.synced
    }
}

/// What became known about access to the Secrets of a namespace.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SecretAccess {
    /// These were looked up: those that exist have been sent.
    Known {
        /// Where.
        namespace: String,
        /// Their names.
        names: BTreeSet<String>,
    },
    /// RBAC forbids reading them.
    Denied {
        /// Where.
        namespace: String,
    },
}

/// Why a source ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The program's own fault: who takes the batches is gone.
    #[error("nobody takes what the source sends")]
    Closed,
    /// The program's own fault: a part of the source ended.
    #[error("a part of the source ended")]
    Part(#[source] tokio::task::JoinError),
}

/// The kind of the object that a source's problem with itself is about.
pub(crate) const SOURCE: &str = "Source";
/// How many batches wait while a translation runs.
pub(crate) const QUEUE: usize = 256;
