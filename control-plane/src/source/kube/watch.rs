//! Watches one kind of object in the whole cluster and sends what changes.
//!
//! It does not hold objects, only their names (`kept.rs`).

use std::convert::Infallible;
use std::fmt::Debug;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use kube::Resource;
use kube::api::Api;
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use serde::de::DeserializeOwned;
use sluice_translate::Object;
use tokio::sync::mpsc;

use crate::kinds::NODE;
use crate::source::kube::api_server::{ApiServer, Failure};
use crate::source::kube::backoff::backoff;
use crate::source::kube::kept::Kept;
use crate::source::{Batch, SourceError};

/// What a watcher of any kind needs.
#[derive(Clone)]
pub(crate) struct Watching {
    pub(crate) client: kube::Client,
    pub(crate) api_server: Arc<ApiServer>,
    pub(crate) batches: mpsc::Sender<Batch>,
    /// How many kinds were not listed yet.
    pub(crate) unlisted: Arc<AtomicUsize>,
}

/// Watches one kind, for ever.
pub(crate) async fn watch<K>(
    watching: Watching,
    kind: &'static str,
    into_object: fn(K) -> Object,
) -> Result<Infallible, SourceError>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let api: Api<K> = Api::all(watching.client.clone());
    let mut kept = Kept::new(into_object);
    let mut listed = false;
    let mut forbidden = Forbidden::default();
    loop {
        let mut events = pin!(watcher(api.clone(), config()).backoff(backoff()));
        while let Some(event) = events.next().await {
            let event = match event {
                Ok(event) => event,
                Err(error) => match watching.api_server.failed(kind, &error).await? {
                    Failure::Passing => continue,
                    Failure::Forbidden => {
                        // Without Nodes there is no status, and nobody new may read metrics; routes need none of it.
                        if kind == NODE && !std::mem::replace(&mut listed, true) {
                            watching.listed().await?;
                        }
                        break;
                    }
                },
            };
            if !matches!(event, Event::Init) {
                watching.api_server.answered(kind).await?;
                forbidden = Forbidden::default();
            }
            let done = matches!(event, Event::InitDone);
            if let Some(batch) = kept.take_in(event, |_| true) {
                watching.send(batch).await?;
            }
            if done && !listed {
                listed = true;
                watching.listed().await?;
            }
        }
        tokio::time::sleep(forbidden.wait()).await;
    }
}

impl Watching {
    pub(crate) async fn send(&self, batch: Batch) -> Result<(), SourceError> {
        let sent = self.batches.send(batch).await;
        sent.map_err(|_| SourceError::Closed)
    }

    /// Notes that one more kind was listed. The last says so: everybody's objects are in the queue before it.
    async fn listed(&self) -> Result<(), SourceError> {
        if self.unlisted.fetch_sub(1, Ordering::AcqRel) > 1 {
            return Ok(());
        }
        self.send(Batch {
            synced: true,
            ..Batch::default()
        })
        .await
    }
}

/// Returns how to watch. The API server ends each watch after the timeout; the client waits five seconds more and then
/// takes the connection for dead, so this bounds how long a silent loss of the API server goes unnoticed.
pub(crate) fn config() -> watcher::Config {
    watcher::Config::default().timeout(TIMEOUT_SECONDS)
}

/// How long a watcher waits that was forbidden to watch: an API server that starts forbids everything until it has read
/// its RBAC objects, so the first times are short.
#[derive(Default)]
pub(crate) struct Forbidden {
    last: Option<Duration>,
}

impl Forbidden {
    pub(crate) fn wait(&mut self) -> Duration {
        let next = self
            .last
            .map_or(FORBIDDEN_FIRST, |last| (last * 2).min(FORBIDDEN));
        self.last = Some(next);
        next
    }
}

const FORBIDDEN_FIRST: Duration = Duration::from_millis(250);
/// A grant is picked up by then.
const FORBIDDEN: Duration = Duration::from_secs(5);
const TIMEOUT_SECONDS: u32 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_doubted_soon_at_first_and_then_less_often() {
        let mut forbidden = Forbidden::default();
        let first = [forbidden.wait(), forbidden.wait(), forbidden.wait()];
        assert!(
            first.iter().sum::<Duration>() < Duration::from_secs(2),
            "{first:?}"
        );
        assert_eq!((0..9).map(|_| forbidden.wait()).max(), Some(FORBIDDEN));
    }
}
