//! An open-loop load: requests leave at their times whether or not earlier ones have been answered, and every
//! outcome is kept. Half of them are POSTs, which a proxy must not send twice. It is for finding the one request in thousands that fails, not for measuring speed.
//!
//! It runs wherever it is started: on loopback, or inside a namespace ([`crate::namespace::Namespace::run`]).

mod pool;
mod report;
mod web_sockets;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use self::pool::Pool;
pub use self::report::{Outcome, Report, Summary};
pub use self::web_sockets::{RunningWebSockets, WebSocketReport, WebSockets};
use crate::client::{Answer, Destination};

/// Where a part of the load goes, and who has to answer.
#[derive(Clone, Debug)]
pub struct Target {
    /// The request.
    pub destination: Destination,
    /// Where else it goes if that address refuses the connection, as the clients of a name with several addresses do;
    /// in this order.
    pub others: Vec<SocketAddr>,
    /// What the name of the backend that answers starts with.
    pub backend: String,
}

/// Which connections the requests use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Connections {
    /// Each its own.
    New,
    /// Every other one its own; the rest those that are kept open.
    Mixed,
}

/// A load that has not started.
#[derive(Clone, Debug)]
pub struct Load {
    targets: Vec<Target>,
    per_second: u32,
    connections: Connections,
    at_most: usize,
}

impl Load {
    /// Requests to these targets in turn: 200 a second over mixed connections, and 60,000 at most.
    #[must_use]
    pub fn new(targets: Vec<Target>) -> Self {
        Self {
            targets,
            per_second: 200,
            connections: Connections::Mixed,
            at_most: 60_000,
        }
    }

    /// Sets how many requests leave in a second.
    #[must_use]
    pub fn per_second(mut self, requests: u32) -> Self {
        self.per_second = requests;
        self
    }

    /// Sets which connections they use.
    #[must_use]
    pub fn connections(mut self, connections: Connections) -> Self {
        self.connections = connections;
        self
    }

    /// Sets after how many requests it ends by itself.
    #[must_use]
    pub fn at_most(mut self, requests: usize) -> Self {
        self.at_most = requests;
        self
    }

    /// Starts it. Must be called on a runtime.
    #[must_use]
    pub fn start(self) -> RunningLoad {
        let (stop, stopped) = watch::channel(false);
        let outcomes = Arc::new(Mutex::new(Vec::new()));
        let started = Instant::now();
        let task = tokio::spawn(send_all(self, started, Arc::clone(&outcomes), stopped));
        RunningLoad {
            task,
            stop,
            outcomes,
            started,
        }
    }
}

/// A load under way. Dropping it aborts it.
#[derive(Debug)]
pub struct RunningLoad {
    task: JoinHandle<()>,
    stop: watch::Sender<bool>,
    outcomes: Arc<Mutex<Vec<Outcome>>>,
    started: Instant,
}

impl RunningLoad {
    /// How long it has been under way, on the clock of [`Outcome::at`].
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// What has come back so far.
    #[must_use]
    pub fn so_far(&self) -> Report {
        Report::new(
            self.outcomes
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        )
    }

    /// Waits until `more` further outcomes are there: a level that shows that the load went on for a while.
    pub async fn wait_for_more(&self, more: usize) -> anyhow::Result<()> {
        let enough = self.count() + more;
        let limit = Duration::from_secs(60);
        crate::wait::until("the load to go on", limit, async || {
            let count = self.count();
            if count >= enough {
                Ok(())
            } else {
                Err(format!("{count} of {enough} outcomes"))
            }
        })
        .await
    }

    /// Stops it, waits for what is in flight, and returns everything that happened.
    pub async fn stop(mut self) -> Report {
        self.stop.send_replace(true);
        // It can only have panicked, which then shows in what is missing.
        let _ = (&mut self.task).await;
        self.so_far()
    }

    fn count(&self) -> usize {
        self.outcomes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }
}

impl Drop for RunningLoad {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn send_all(
    load: Load,
    started: Instant,
    outcomes: Arc<Mutex<Vec<Outcome>>>,
    mut stopped: watch::Receiver<bool>,
) {
    let record = move |outcome| {
        outcomes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(outcome)
    };
    let pools: Vec<Arc<Pool>> = load
        .targets
        .iter()
        .map(|target| Arc::new(Pool::new(target.clone())))
        .collect();
    let in_flight = Arc::new(Semaphore::new(IN_FLIGHT));
    let mut requests = JoinSet::new();
    let mut times = interval(Duration::from_secs(1) / load.per_second);
    // What is late is sent at once, so that a stall of this very program does not thin the load out.
    times.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for number in 0..load.at_most {
        tokio::select! {
            _ = times.tick() => {}
            _ = stopped.wait_for(|stopped| *stopped) => break,
        }
        while requests.try_join_next().is_some() {}
        // Over all targets before changing the kind of connection, so that each target gets both kinds.
        let pool = Arc::clone(&pools[number % pools.len()]);
        let kept_alive = load.connections == Connections::Mixed && (number / pools.len()) % 2 == 1;
        let mut outcome = Outcome::new(number, pool.target(), kept_alive, started.elapsed());
        let Ok(permit) = Arc::clone(&in_flight).try_acquire_owned() else {
            outcome.result = Err(format!(
                "not sent: {IN_FLIGHT} requests are waiting for their answers"
            ));
            record(outcome);
            continue;
        };
        let record = record.clone();
        requests.spawn(async move {
            let sent = Instant::now();
            let exchange = if kept_alive {
                timeout(LIMIT, pool.over_kept_alive()).await
            } else {
                timeout(LIMIT, pool.over_new()).await
            };
            outcome.latency = sent.elapsed();
            let exchange = exchange.unwrap_or_else(|_| Err(format!("no answer within {LIMIT:?}")));
            outcome.result = exchange.map(|answer: Answer| (&answer).into());
            record(outcome);
            drop(permit);
        });
    }
    while requests.join_next().await.is_some() {}
}

/// More than leave while one answer may take its time, at 100 a second; what a real disaster piles up beyond that is
/// counted as failed and not sent.
const IN_FLIGHT: usize = 1024;
/// For one request.
const LIMIT: Duration = Duration::from_secs(10);
