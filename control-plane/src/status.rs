//! Keeps `.status.loadBalancer` of our Ingresses: the addresses of the nodes that serve.
//!
//! It does not change what is served, and nothing that it writes is translated. Only the leader does this. `board.rs` has
//! the facts, `serving.rs` decides which nodes count, `writes.rs` what is written when, and `patch.rs` writes it.

pub mod board;
pub mod clear;
mod patch;
mod serving;
mod writes;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sluice_translate::StatusAddress;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::metrics::{Metrics, StatusOutcome};
use crate::publication::Publications;
use crate::status::board::Board;
use crate::status::patch::Patcher;
use crate::status::serving::Serving;
use crate::status::writes::{Next, Writes};
use crate::stream::Nodes;

/// What the work reads.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The Ingresses, the Nodes and the settings.
    pub board: watch::Receiver<Board>,
    /// The data planes.
    pub nodes: watch::Receiver<Nodes>,
    /// Before the first, the board is not complete.
    pub publications: Publications,
}

/// Writes the status of Ingresses for as long as it is polled, as a new leader does. Ends when nobody knows anything new
/// any more.
pub async fn keep(facts: Facts, client: kube::Client, metrics: Arc<Metrics>) {
    let Facts {
        mut board,
        mut nodes,
        mut publications,
    } = facts;
    if publications.wait_for(Option::is_some).await.is_err() {
        return;
    }
    let patcher = Patcher::new(client);
    let shown = Shown(Arc::clone(&metrics));
    let mut serving = Serving::new(Instant::now(), &board.borrow());
    let mut writes = Writes::new(Instant::now());
    let mut refused = false;
    loop {
        let now = Instant::now();
        let next = {
            let board = board.borrow_and_update();
            serving.look(now, &board, &nodes.borrow_and_update());
            let addresses = addresses(&board, &serving);
            shown.0.status_addresses(addresses.map_or(0, BTreeSet::len));
            writes.next(&board, addresses, now)
        };
        let until = match next {
            Next::Write(write) => {
                let outcome = patcher.write(&write).await;
                metrics.status_written(outcome);
                let is_refused = outcome == StatusOutcome::Forbidden;
                if !is_refused && refused {
                    tracing::info!("the status of Ingresses can be written again");
                }
                refused = is_refused;
                writes.written(write, outcome, Instant::now());
                continue;
            }
            Next::Wait(until) => until.into_iter().chain(serving.due()).min(),
        };
        let due = async {
            match until {
                Some(until) => sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        let known = tokio::select! {
            changed = board.changed() => changed,
            changed = nodes.changed() => changed,
            () = due => Ok(()),
        };
        if known.is_err() {
            return;
        }
        // Data planes say something with every change of a snapshot.
        sleep(REST).await;
    }
}

/// Returns what should stand in the status of every Ingress of ours; `None` if that is not known.
fn addresses<'a>(board: &'a Board, serving: &'a Serving) -> Option<&'a BTreeSet<StatusAddress>> {
    let settings = board.settings();
    if !settings.publish {
        None
    } else if settings.addresses.is_empty() {
        serving.addresses()
    } else {
        Some(&settings.addresses)
    }
}

/// How many addresses this replica publishes; dropped, it publishes none any more.
struct Shown(Arc<Metrics>);

impl Drop for Shown {
    fn drop(&mut self) {
        self.0.status_addresses(0);
    }
}

const REST: Duration = Duration::from_millis(100);
