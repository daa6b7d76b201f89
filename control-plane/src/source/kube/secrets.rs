//! Watches Secrets in exactly those namespaces in which one is referred to, and keeps only those.
//!
//! It does not watch Secrets of the whole cluster: that right would reveal all of them. Where RBAC forbids even the
//! namespace, it says so and asks again from time to time, so that a grant is picked up.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::pin::pin;

use futures_util::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::api::Api;
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use sluice_translate::Object;
use tokio::sync::{mpsc, watch};
use tokio_util::task::AbortOnDropHandle;

use crate::kinds::SECRET;
use crate::source::kube::api_server::{Failure, classify};
use crate::source::kube::backoff::backoff;
use crate::source::kube::kept::Kept;
use crate::source::kube::watch::{Refusals, Watching, config};
use crate::source::{Batch, SecretAccess, SecretNames, SourceError};

/// Watches what `wanted` says, for ever.
pub(crate) async fn watch_secrets(
    watching: Watching,
    mut wanted: watch::Receiver<SecretNames>,
) -> Result<Infallible, SourceError> {
    let (sender, mut said) = mpsc::channel(QUEUE);
    let mut secrets = Secrets {
        watching,
        said: sender,
        namespaces: BTreeMap::new(),
        turn: 0,
    };
    loop {
        tokio::select! {
            changed = wanted.changed() => {
                changed.map_err(|_| SourceError::Closed)?;
                let wanted = wanted.borrow_and_update().clone();
                secrets.follow(&wanted).await?;
            }
            // `secrets` holds a sender, so this never ends.
            Some(said) = said.recv() => secrets.take_in(said).await?,
        }
    }
}

struct Secrets {
    watching: Watching,
    said: mpsc::Sender<Said>,
    namespaces: BTreeMap<String, Namespace>,
    turn: u64,
}

/// One namespace with a watcher.
struct Namespace {
    names: BTreeSet<String>,
    kept: Kept<Secret>,
    access: Access,
    /// Which of the watchers that it has had is the current one: what others left in the queue does not count.
    turn: u64,
    _watcher: AbortOnDropHandle<()>,
}

/// What is known about the right to read the Secrets of a namespace.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Access {
    /// Nothing yet.
    Unknown,
    /// They were read.
    Allowed,
    /// They were read, and the last time it was forbidden.
    Doubtful,
    /// It is forbidden.
    Denied,
}

impl Access {
    /// Returns what is known after one more refusal. An API server that starts refuses everything until it has read its
    /// RBAC objects: what was allowed before must be refused twice.
    const fn refused(self) -> Self {
        match self {
            Self::Allowed => Self::Doubtful,
            Self::Unknown | Self::Doubtful | Self::Denied => Self::Denied,
        }
    }
}

/// What the watcher of a namespace says.
struct Said {
    namespace: String,
    turn: u64,
    event: Result<Event<Secret>, watcher::Error>,
}

impl Secrets {
    /// Starts, restarts and stops watchers, so that there is one for each namespace in `wanted`.
    async fn follow(&mut self, wanted: &SecretNames) -> Result<(), SourceError> {
        let mut by_namespace: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for (namespace, name) in wanted {
            let names = by_namespace.entry(namespace).or_default();
            names.insert(name.clone());
        }
        let mut removed = Vec::new();
        self.namespaces.retain(|name, namespace| {
            let keep = by_namespace.contains_key(name.as_str());
            if !keep {
                removed.extend(namespace.kept.retain(|_| false));
            }
            keep
        });
        for (name, names) in by_namespace {
            let old = self.namespaces.remove(name);
            let mut kept = Kept::new(Object::Secret);
            let mut access = Access::Unknown;
            let mut same = None;
            if let Some(mut namespace) = old {
                removed.extend(namespace.kept.retain(|name| names.contains(name)));
                if names.is_subset(&namespace.names) {
                    namespace.names.clone_from(&names);
                    same = Some(namespace);
                } else {
                    // The watcher has passed over the new names: it lists anew, and what was sent stays meanwhile.
                    kept = namespace.kept;
                    if namespace.access != Access::Denied {
                        access = namespace.access;
                    }
                }
            }
            let namespace = match same {
                Some(namespace) => namespace,
                None => self.start(name, names, kept, access),
            };
            self.namespaces.insert(name.to_owned(), namespace);
        }
        if removed.is_empty() {
            return Ok(());
        }
        let batch = Batch {
            removed,
            ..Batch::default()
        };
        self.watching.send(batch).await
    }

    fn start(
        &mut self,
        name: &str,
        names: BTreeSet<String>,
        kept: Kept<Secret>,
        access: Access,
    ) -> Namespace {
        self.turn += 1;
        let api = Api::namespaced(self.watching.client.clone(), name);
        let task = watch_namespace(api, name.to_owned(), self.turn, self.said.clone());
        Namespace {
            names,
            kept,
            access,
            turn: self.turn,
            _watcher: AbortOnDropHandle::new(tokio::spawn(task)),
        }
    }

    async fn take_in(&mut self, said: Said) -> Result<(), SourceError> {
        let Some(namespace) = self.namespaces.get_mut(&said.namespace) else {
            return Ok(());
        };
        if namespace.turn != said.turn {
            return Ok(());
        }
        let event = match said.event {
            Ok(event) => event,
            Err(error) => {
                let failure = self.watching.api_server.failed(SECRET, &error).await?;
                if failure != Failure::Forbidden {
                    return Ok(());
                }
                let before = namespace.access;
                namespace.access = before.refused();
                if namespace.access == before || namespace.access != Access::Denied {
                    return Ok(());
                }
                let batch = Batch {
                    removed: namespace.kept.retain(|_| false),
                    secrets: vec![SecretAccess::Denied {
                        namespace: said.namespace,
                    }],
                    ..Batch::default()
                };
                return self.watching.send(batch).await;
            }
        };
        let done = matches!(event, Event::InitDone);
        let names = &namespace.names;
        let Some(mut batch) = namespace.kept.take_in(event, |name| names.contains(name)) else {
            return Ok(());
        };
        if done {
            namespace.access = Access::Allowed;
            batch.secrets.push(SecretAccess::Known {
                namespace: said.namespace,
                names: names.clone(),
            });
        }
        self.watching.send(batch).await
    }
}

async fn watch_namespace(api: Api<Secret>, namespace: String, turn: u64, said: mpsc::Sender<Said>) {
    let mut refusals = Refusals::default();
    loop {
        let mut events = pin!(watcher(api.clone(), config()).backoff(backoff()));
        while let Some(event) = events.next().await {
            let failure = event.as_ref().err().map(classify);
            let said_something = !matches!(event, Ok(Event::Init));
            let said_now = Said {
                namespace: namespace.clone(),
                turn,
                event,
            };
            if said.send(said_now).await.is_err() {
                return;
            }
            if failure == Some(Failure::Forbidden) {
                break;
            }
            if failure.is_none() && said_something {
                refusals = Refusals::default();
            }
        }
        tokio::time::sleep(refusals.wait()).await;
    }
}

const QUEUE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_allowed_is_denied_only_by_a_second_refusal() {
        assert_eq!(Access::Unknown.refused(), Access::Denied);
        assert_eq!(Access::Allowed.refused(), Access::Doubtful);
        assert_eq!(Access::Doubtful.refused(), Access::Denied);
    }
}
