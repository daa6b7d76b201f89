//! The tasks of the program, each with a name.
//!
//! It does not restart any: see `app.rs` for why.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use anyhow::anyhow;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::timeout;

/// The tasks of the program. Dropped, all are aborted.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    /// They finish what they are at when the program ends.
    servers: JoinSet<anyhow::Result<()>>,
    others: JoinSet<anyhow::Result<()>>,
    names: HashMap<Id, &'static str>,
}

impl Tasks {
    /// Runs a task that should never end, and is aborted at the end.
    pub(crate) fn spawn(
        &mut self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        self.add(name, async {
            task.await;
            Ok(())
        });
    }

    /// Runs a task that only an error ends, and that is aborted at the end.
    pub(crate) fn spawn_fallible<E: std::error::Error + Send + Sync + 'static>(
        &mut self,
        name: &'static str,
        task: impl Future<Output = Result<Infallible, E>> + Send + 'static,
    ) {
        self.add(name, async {
            match task.await {
                Ok(never) => match never {},
                Err(error) => Err(error.into()),
            }
        });
    }

    /// Runs a task that is given a moment at the end.
    pub(crate) fn spawn_server<E: std::error::Error + Send + Sync + 'static>(
        &mut self,
        name: &'static str,
        task: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        let id = self.servers.spawn(async { Ok(task.await?) }).id();
        self.names.insert(id, name);
    }

    /// Waits until a task ends, which none should.
    pub(crate) async fn first_to_end(&mut self) -> anyhow::Error {
        let ended = tokio::select! {
            Some(ended) = self.servers.join_next_with_id() => ended,
            Some(ended) = self.others.join_next_with_id() => ended,
            else => return anyhow!("there is no task"),
        };
        let (id, result) = outcome(ended);
        let name = self.names.get(&id).copied().unwrap_or("a task");
        match result {
            Ok(()) => anyhow!("{name} ended unexpectedly"),
            Err(error) => error.context(format!("{name} ended unexpectedly")),
        }
    }

    /// Waits a moment for the servers, which were told to end, and aborts the rest.
    pub(crate) async fn end(self) {
        self.end_within(GRACE).await;
    }

    fn add(
        &mut self,
        name: &'static str,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        let id = self.others.spawn(task).id();
        self.names.insert(id, name);
    }

    async fn end_within(mut self, grace: Duration) {
        let served = async {
            while let Some(ended) = self.servers.join_next_with_id().await {
                let (id, result) = outcome(ended);
                if let Err(error) = result {
                    let name = self.names.get(&id).copied().unwrap_or("a task");
                    tracing::warn!("{name}: {error:#}");
                }
            }
        };
        if timeout(grace, served).await.is_err() {
            tracing::warn!("some connections did not end in time and are cut");
        }
        self.servers.shutdown().await;
        self.others.shutdown().await;
    }
}

fn outcome(ended: Result<(Id, anyhow::Result<()>), JoinError>) -> (Id, anyhow::Result<()>) {
    match ended {
        Ok(ended) => ended,
        Err(error) => (error.id(), Err(error.into())),
    }
}

/// Longer than the servers take by themselves.
const GRACE: Duration = Duration::from_secs(8);

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the disk is full")]
    struct Full;

    #[tokio::test]
    async fn who_ended_and_why_is_named() {
        let mut tasks = Tasks::default();
        tasks.spawn_fallible(
            "a watch",
            std::future::pending::<Result<Infallible, Full>>(),
        );
        tasks.spawn_fallible("the writer", async { Err(Full) });
        let error = format!("{:#}", tasks.first_to_end().await);
        assert_eq!(error, "the writer ended unexpectedly: the disk is full");
    }

    #[tokio::test]
    async fn a_panic_is_named_too() {
        let mut tasks = Tasks::default();
        tasks.spawn("the thinker", async { panic!("no idea") });
        let error = format!("{:#}", tasks.first_to_end().await);
        assert!(
            error.starts_with("the thinker ended unexpectedly"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn the_end_does_not_wait_for_ever() {
        let mut tasks = Tasks::default();
        tasks.spawn_server("a server", std::future::pending::<Result<(), Full>>());
        tasks.spawn_fallible(
            "a watch",
            std::future::pending::<Result<Infallible, Full>>(),
        );
        let end = tasks.end_within(Duration::from_millis(10));
        let ended = timeout(Duration::from_secs(10), end).await;
        assert!(ended.is_ok(), "it waits for a server that does not end");
    }
}
