//! The identity in two Secrets: what only control planes have, and what data planes mount.
//!
//! It does not know what is in them. A Secret is replaced only as it was read (by its `resourceVersion`), so of several
//! control planes that write at once one succeeds, and the others begin anew with what it wrote. The Secret of the control
//! plane is written first: all that is derived from it can be derived again, if the second write does not come to pass.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ObjectMeta, PostParams};
use tokio::time::{sleep, timeout};

use crate::identity::content::{CONTROL_PLANE, Change, Content, DATA_PLANE, NAMES, Place};
use crate::identity::error::IdentityError;

/// Both Secrets.
#[derive(Clone, Debug)]
pub(super) struct Secrets {
    control_plane: Part,
    data_plane: Part,
}

/// One Secret.
#[derive(Clone, Debug)]
struct Part {
    api: Api<Secret>,
    namespace: String,
    name: &'static str,
    /// What the names of its files begin with.
    folder: &'static str,
    description: &'static str,
}

/// What became of a write.
enum Outcome {
    Written,
    /// Somebody else has written since it was read.
    Overtaken,
}

impl Secrets {
    pub(super) fn new(client: kube::Client, namespace: &str, data_plane_namespace: &str) -> Self {
        let part = |namespace: &str, name, folder, description| Part {
            api: Api::namespaced(client.clone(), namespace),
            namespace: namespace.to_owned(),
            name,
            folder,
            description,
        };
        Self {
            control_plane: part(
                namespace,
                CONTROL_PLANE_SECRET,
                CONTROL_PLANE,
                "The certificate authority of Sluice's control plane, and the certificates that it serves with. Only the \
                 control plane needs it.",
            ),
            data_plane: part(
                data_plane_namespace,
                DATA_PLANE_SECRET,
                DATA_PLANE,
                "What Sluice's data planes prove themselves with to the control plane, whom they trust, and what they \
                 seal their copies on disk with. The control plane keeps it current.",
            ),
        }
    }

    /// See [`Store::settle`](super::Store::settle).
    pub(super) async fn settle<T>(
        &self,
        step: impl Fn(&mut Content) -> Result<T, IdentityError>,
    ) -> Result<T, IdentityError> {
        for _ in 0..MOST_TRIES {
            // The one that is written last is read first: if the other one changes after that, whoever changes it writes this
            // one, too, and either they or we are overtaken.
            let data_plane = self.data_plane.read().await?;
            let control_plane = self.control_plane.read().await?;
            let mut content = self.content(&control_plane, &data_plane);
            let done = step(&mut content)?;
            let changes = content.changes();
            if let Outcome::Written = self.control_plane.write(control_plane, changes).await?
                && let Outcome::Written = self.data_plane.write(data_plane, changes).await?
            {
                content.tell();
                return Ok(done);
            }
            // The others that were overtaken, too, must not come back at the same moment.
            sleep(BETWEEN_TRIES.mul_f64(fastrand::f64())).await;
        }
        Err(IdentityError::Contended)
    }

    fn content(&self, control_plane: &Option<Secret>, data_plane: &Option<Secret>) -> Content {
        let mut files = BTreeMap::new();
        for (part, secret) in [
            (&self.control_plane, control_plane),
            (&self.data_plane, data_plane),
        ] {
            let data = secret.as_ref().and_then(|secret| secret.data.as_ref());
            for name in NAMES {
                let value = part.key(name).and_then(|key| data?.get(key));
                files.extend(value.map(|value| (name, value.0.clone())));
            }
        }
        let place = Place::Secrets {
            control_plane: self.control_plane.to_string(),
            data_plane: self.data_plane.to_string(),
        };
        Content::new(place, files)
    }
}

impl Part {
    /// Returns the key of a file, if it is in this Secret.
    fn key<'a>(&self, name: &'a str) -> Option<&'a str> {
        name.strip_prefix(self.folder)?.strip_prefix('/')
    }

    async fn read(&self) -> Result<Option<Secret>, IdentityError> {
        self.ask("read", self.api.get_opt(self.name)).await
    }

    async fn write(
        &self,
        found: Option<Secret>,
        changes: &[Change],
    ) -> Result<Outcome, IdentityError> {
        let changes = changes.iter();
        let changes: Vec<_> = changes
            .filter_map(|change| Some((self.key(change.name)?, &change.content)))
            .collect();
        if changes.is_empty() {
            return Ok(Outcome::Written);
        }
        let is_there = found.is_some();
        let mut secret = self.described(found.unwrap_or_default());
        let data = secret.data.get_or_insert_default();
        for (key, content) in changes {
            match content {
                Some(content) => {
                    data.insert(key.to_owned(), ByteString(content.clone().into_bytes()));
                }
                None => {
                    data.remove(key);
                }
            }
        }
        let params = PostParams::default();
        let written = if is_there {
            let replacing = self.api.replace(self.name, &params, &secret);
            self.ask("replace", replacing).await
        } else {
            self.ask("create", self.api.create(&params, &secret)).await
        };
        match written {
            Ok(_) => Ok(Outcome::Written),
            // It was made, changed, or removed by somebody else.
            Err(IdentityError::ApiServer {
                source: kube::Error::Api(status),
                ..
            }) if status.code == 409 || (is_there && status.code == 404) => Ok(Outcome::Overtaken),
            Err(error) => Err(error),
        }
    }

    /// Adds what tells people what it is.
    fn described(&self, mut secret: Secret) -> Secret {
        let metadata: &mut ObjectMeta = &mut secret.metadata;
        metadata.name.get_or_insert_with(|| self.name.to_owned());
        let labels = metadata.labels.get_or_insert_default();
        labels.insert("app.kubernetes.io/name".to_owned(), "sluice".to_owned());
        let annotations = metadata.annotations.get_or_insert_default();
        annotations.insert(
            "kubernetes.io/description".to_owned(),
            self.description.to_owned(),
        );
        secret
    }

    async fn ask<T>(
        &self,
        what: &'static str,
        asking: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, IdentityError> {
        match timeout(PATIENCE, asking).await {
            Ok(answer) => answer.map_err(|source| IdentityError::ApiServer {
                what,
                secret: self.to_string(),
                source,
            }),
            Err(elapsed) => Err(IdentityError::ApiServerSilent {
                what,
                secret: self.to_string(),
                source: elapsed,
            }),
        }
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

const CONTROL_PLANE_SECRET: &str = "sluice-control-plane-identity";
const DATA_PLANE_SECRET: &str = "sluice-data-plane-identity";
const PATIENCE: Duration = Duration::from_secs(10);
/// Each time somebody else has made progress, and there is little to do.
const MOST_TRIES: usize = 20;
const BETWEEN_TRIES: Duration = Duration::from_millis(200);
