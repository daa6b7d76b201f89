//! Where the identity is kept: a folder, or two Secrets of Kubernetes.
//!
//! It does not know what the files mean. Both kinds keep one promise: of several control planes that establish the identity
//! at once, one writes, and the others begin anew with what it wrote.

mod folder;
mod secrets;

use std::path::Path;
use std::sync::Arc;

use crate::identity::content::Content;
use crate::identity::error::IdentityError;
use crate::identity::store::folder::Folder;
use crate::identity::store::secrets::Secrets;

/// Where the identity is kept.
#[derive(Clone, Debug)]
pub struct Store(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Folder(Folder),
    Secrets(Arc<Secrets>),
}

impl Store {
    /// Returns the one in this folder.
    #[must_use]
    pub fn folder(root: &Path) -> Self {
        Self(Kind::Folder(Folder::new(root)))
    }

    /// Returns the one in Secrets: what only control planes have is in the one namespace, what data planes mount in the
    /// other, which may be the same.
    #[must_use]
    pub fn secrets(client: kube::Client, namespace: &str, data_plane_namespace: &str) -> Self {
        let secrets = Secrets::new(client, namespace, data_plane_namespace);
        Self(Kind::Secrets(Arc::new(secrets)))
    }

    /// Takes a step from what is kept to what is to be kept, writes that, and returns what the step returned. If somebody
    /// else wrote meanwhile, the step is taken again.
    pub(crate) async fn settle<T: Send + 'static>(
        &self,
        step: impl Fn(&mut Content) -> Result<T, IdentityError> + Send + Sync + 'static,
    ) -> Result<T, IdentityError> {
        match &self.0 {
            Kind::Folder(folder) => {
                let folder = folder.clone();
                // It waits for a lock and writes files.
                let settling = tokio::task::spawn_blocking(move || folder.settle(step));
                settling.await.map_err(IdentityError::Ended)?
            }
            Kind::Secrets(secrets) => secrets.settle(step).await,
        }
    }
}
