//! Accepts connections and hands each to the least busy core.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::sleep;

use crate::cores::{Accepted, Intake, Shared};
use crate::listener::OpenedBy;
use crate::memory::Pressure;

/// The cores that connections are handed to.
pub(super) struct Cores {
    intakes: Vec<Intake>,
    shared: Arc<Shared>,
    next: AtomicUsize,
}

impl Cores {
    pub(super) const fn new(intakes: Vec<Intake>, shared: Arc<Shared>) -> Self {
        Self {
            intakes,
            shared,
            next: AtomicUsize::new(0),
        }
    }

    // The least busy one; among equals the next in turn.
    fn least_busy(&self) -> Option<&Intake> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.intakes.len().max(1);
        let (before, from) = self.intakes.split_at(turn);
        let in_turn = from.iter().chain(before);
        in_turn.min_by_key(|intake| intake.load.connections())
    }

    fn connections(&self) -> usize {
        self.intakes
            .iter()
            .map(|intake| intake.load.connections())
            .sum()
    }

    async fn hand_over(&self, stream: TcpStream, peer: SocketAddr, listener: Arc<OpenedBy>) {
        let Some(intake) = self.least_busy() else {
            return;
        };
        let allowed = self.shared.served.load().edge.settings.limits.connections as usize;
        if self.connections() >= allowed.min(self.shared.most_connections)
            || self.shared.pressure.load() == Pressure::Scarce
        {
            intake.counters.over_limit.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let accepted = Accepted {
            stream,
            peer,
            listener,
            counted: intake.count(&self.shared),
        };
        // Waits if even the least busy core has not got round to what it was handed: the kernel's queue is next.
        if intake.accepted.send(accepted).await.is_err() {
            tracing::debug!("a connection came after the cores had stopped");
        }
    }
}

/// Accepts until `stopped`. What waits in the queue then is left there: another process may accept it.
pub(super) async fn accept(
    socket: TcpListener,
    opened_by: &ArcSwap<OpenedBy>,
    cores: &Cores,
    stopped: impl Future<Output = ()>,
) {
    let socket = match tokio::net::TcpListener::from_std(socket) {
        Ok(socket) => socket,
        Err(error) => {
            tracing::error!(%error, "a listener cannot be watched; its connections are refused");
            return;
        }
    };
    let mut stopped = pin!(stopped);
    let mut pause = SHORTEST_PAUSE;
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted.and_then(|(stream, peer)| Ok((stream.into_std()?, peer))),
            () = &mut stopped => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                pause = SHORTEST_PAUSE;
                cores.hand_over(stream, peer, opened_by.load_full()).await;
            }
            Err(error) if is_of_the_connection(&error) => {}
            Err(error) => {
                // Out of descriptors or memory: asking again at once would burn the thread and change nothing.
                tracing::warn!(%error, ?pause, "no connection can be accepted; raise the limit of open files");
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Accepts what waits in the queue now.
pub(super) async fn accept_waiting(
    socket: &TcpListener,
    opened_by: &ArcSwap<OpenedBy>,
    cores: &Cores,
) {
    while let Ok((stream, peer)) = socket.accept() {
        if stream.set_nonblocking(true).is_err() {
            continue;
        }
        cores.hand_over(stream, peer, opened_by.load_full()).await;
    }
}

// accept(2): "Linux accept() […] passes already-pending network errors on the new socket as an error code".
fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted,
        NetworkDown, NetworkUnreachable, TimedOut, WouldBlock,
    };
    matches!(
        error.kind(),
        ConnectionAborted
            | ConnectionRefused
            | ConnectionReset
            | HostUnreachable
            | Interrupted
            | NetworkDown
            | NetworkUnreachable
            | TimedOut
            | WouldBlock
    )
}

const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
