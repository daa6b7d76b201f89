//! What is known about the API server itself: whether it answers, and what it forbids.
//!
//! It does not watch anything. Five watchers fail at once when the API server goes away: here that becomes one line in
//! the log, one problem and one metric, until it answers again.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::api::{Api, DynamicObject, ListParams};
use kube::core::Status;
use kube::runtime::watcher;
use sluice_proto::{ObjectReference, Problem};
use tokio::sync::{Notify, mpsc};

use crate::kinds;
use crate::metrics::Metrics;
use crate::source::{Batch, SOURCE, SourceError};

/// The API server, as the watchers found it.
pub(crate) struct ApiServer {
    client: kube::Client,
    batches: mpsc::Sender<Batch>,
    metrics: Arc<Metrics>,
    problems: Mutex<BTreeMap<&'static str, Problem>>,
    /// The kinds whose watchers failed since they were asked for.
    doubted: Mutex<BTreeSet<&'static str>>,
    doubt: Notify,
}

/// What a failure means for the watcher that met it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Failure {
    /// It will pass: go on with the same watcher.
    Passing,
    /// The watcher may not: start over after a while.
    Forbidden,
    /// There is no such kind, which need not be there: start over after a while.
    Unknown,
}

impl ApiServer {
    pub(crate) fn new(
        client: kube::Client,
        batches: mpsc::Sender<Batch>,
        metrics: Arc<Metrics>,
    ) -> Self {
        metrics.api_server_is_reachable(true);
        Self {
            client,
            batches,
            metrics,
            problems: Mutex::default(),
            doubted: Mutex::default(),
            doubt: Notify::new(),
        }
    }

    /// Takes in that a watcher of `kind` failed.
    pub(crate) async fn failed(
        &self,
        kind: &'static str,
        error: &watcher::Error,
    ) -> Result<Failure, SourceError> {
        self.metrics.watch_failed(kind);
        let failure = match classify(error) {
            Failure::Unknown if !kinds::is_optional(kind) => Failure::Passing,
            failure => failure,
        };
        tracing::debug!(kind, error = describe(error), "a watch failed");
        match failure {
            // Most API servers know no optional kind, and that is nothing to report: whoever refers to it is told.
            Failure::Unknown => {}
            Failure::Forbidden if kind == kinds::SECRET => {}
            Failure::Forbidden => self.add(kind, forbidden(kind, error)).await?,
            Failure::Passing if is_expired(error) => {}
            Failure::Passing => {
                self.doubted().insert(kind);
                self.doubt.notify_one();
            }
        }
        Ok(failure)
    }

    /// Takes in that a watcher of `kind` got something.
    pub(crate) async fn answered(&self, kind: &'static str) -> Result<(), SourceError> {
        self.remove(kind).await
    }

    /// Asks the API server itself for each kind whose watcher has failed, until it answers. One lost connection is
    /// nothing to report; and a watcher that resumes says nothing until something changes.
    pub(crate) async fn probe(&self) -> Result<Infallible, SourceError> {
        loop {
            self.doubt.notified().await;
            let doubted = std::mem::take(&mut *self.doubted());
            for kind in doubted {
                while let Err(reason) = self.ask(kind).await {
                    self.metrics.api_server_is_reachable(false);
                    self.add(UNREACHABLE, unreachable(kind, &reason)).await?;
                    tokio::time::sleep(PROBE).await;
                }
            }
            self.metrics.api_server_is_reachable(true);
            self.remove(UNREACHABLE).await?;
        }
    }

    /// Returns whether the API server answers, or why not. That something is forbidden is an answer.
    async fn ask(&self, kind: &str) -> Result<(), String> {
        // Secrets of the whole cluster would be forbidden, whatever the API server is up to.
        let asked = if kind == kinds::SECRET {
            kinds::INGRESS_CLASS
        } else {
            kind
        };
        let Some(resource) = kinds::resource(asked) else {
            return Ok(());
        };
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource);
        let one = ListParams::default().limit(1);
        match tokio::time::timeout(PATIENCE, api.list_metadata(&one)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(kube::Error::Api(status))) if [401, 403].contains(&status.code) => Ok(()),
            Ok(Err(kube::Error::Api(status))) if status.code == 404 && kinds::is_optional(kind) => {
                Ok(())
            }
            Ok(Err(error)) => Err(describe(&watcher::Error::InitialListFailed(error))),
            Err(_) => Err(format!("no answer within {PATIENCE:?}")),
        }
    }

    fn doubted(&self) -> MutexGuard<'_, BTreeSet<&'static str>> {
        self.doubted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn add(&self, key: &'static str, problem: Problem) -> Result<(), SourceError> {
        let all = {
            let mut problems = self.lock();
            if problems.contains_key(key) {
                return Ok(());
            }
            tracing::warn!(code = problem.code, "{}", problem.message);
            problems.insert(key, problem);
            problems.values().cloned().collect()
        };
        self.send(all).await
    }

    async fn remove(&self, key: &'static str) -> Result<(), SourceError> {
        let all = {
            let mut problems = self.lock();
            let Some(problem) = problems.remove(key) else {
                return Ok(());
            };
            tracing::info!(
                code = problem.code,
                kind = problem.field,
                "no longer: watching goes on"
            );
            problems.values().cloned().collect()
        };
        self.send(all).await
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Problem>> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send(&self, problems: Vec<Problem>) -> Result<(), SourceError> {
        let batch = Batch {
            problems: Some(problems),
            ..Batch::default()
        };
        let sent = self.batches.send(batch).await;
        sent.map_err(|_| SourceError::Closed)
    }
}

/// Returns what a failure means.
pub(crate) fn classify(error: &watcher::Error) -> Failure {
    match status(error).map(|status| status.code) {
        Some(401 | 403) => Failure::Forbidden,
        Some(404) => Failure::Unknown,
        _ => Failure::Passing,
    }
}

/// The watch fell behind: the watcher lists anew by itself, and nothing is wrong.
fn is_expired(error: &watcher::Error) -> bool {
    status(error).is_some_and(|status| status.code == 410)
}

/// Returns what the API server answered, if it did.
fn status(error: &watcher::Error) -> Option<&Status> {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => Some(status),
        _ => None,
    }
}

fn unreachable(kind: &str, reason: &str) -> Problem {
    Problem {
        object: this_source(),
        field: String::new(),
        code: "ApiServerUnreachable".to_owned(),
        message: format!(
            "the Kubernetes API server does not answer as it should when asked for {kind} ({reason}): what is known goes on being served, and \
             nothing new is seen"
        ),
        remedy: "Look whether the API server runs and can be reached from the control plane"
            .to_owned(),
    }
}

fn forbidden(kind: &'static str, error: &watcher::Error) -> Problem {
    Problem {
        object: this_source(),
        field: kind.to_owned(),
        code: "WatchForbidden".to_owned(),
        message: format!(
            "the control plane may not list and watch objects of kind {kind} ({}): changes of them are not seen",
            describe(error)
        ),
        remedy: "Apply the ClusterRole and ClusterRoleBinding named sluice-control-plane of the manifests"
            .to_owned(),
    }
}

fn this_source() -> ObjectReference {
    ObjectReference {
        kind: SOURCE.to_owned(),
        namespace: String::new(),
        name: "kube".to_owned(),
    }
}

/// Returns a failure and its causes in one line. kube's own errors repeat some of theirs.
fn describe(error: &watcher::Error) -> String {
    if let Some(status) = status(error) {
        return format!("{} {}: {}", status.code, status.reason, status.message);
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

const UNREACHABLE: &str = "unreachable";
const PROBE: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u16) -> watcher::Error {
        let status = Status {
            code,
            message: "because".to_owned(),
            ..Status::default()
        };
        watcher::Error::InitialListFailed(kube::Error::Api(Box::new(status)))
    }

    #[test]
    fn only_a_refusal_makes_a_watcher_start_over() {
        assert_eq!(classify(&refused(403)), Failure::Forbidden);
        assert_eq!(classify(&refused(401)), Failure::Forbidden);
        assert_eq!(classify(&refused(404)), Failure::Unknown);
        assert_eq!(classify(&refused(500)), Failure::Passing);
        assert_eq!(
            classify(&watcher::Error::NoResourceVersion),
            Failure::Passing
        );
        let expired = watcher::Error::WatchError(Box::new(Status {
            code: 410,
            ..Status::default()
        }));
        assert!(is_expired(&expired) && classify(&expired) == Failure::Passing);
    }

    #[test]
    fn a_problem_says_what_the_api_server_said_and_what_it_costs() {
        let problem = forbidden("Ingress", &refused(403));
        assert!(problem.message.contains("Ingress") && problem.message.contains("because"));
        let problem = unreachable("Ingress", &describe(&refused(500)));
        assert!(problem.message.contains("goes on being served"));
        assert_eq!(problem.message.matches("because").count(), 1, "{problem}");
    }
}
