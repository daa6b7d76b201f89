//! Which listeners are open, which should be, and why the others are not.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use sluice_proto::{Listener, ObjectReference, Problem};
use tokio::time::sleep;

use crate::cores::CoreLoad;
use crate::edge;
use crate::listener::{self, Acceptor, OpenListener};

/// The listeners of an edge.
pub(super) struct Listeners {
    acceptor: Acceptor,
    node: String,
    addresses: BTreeMap<String, SocketAddr>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    // `None` before the first snapshot, and again once they are closed.
    wanted: Option<BTreeMap<Arc<str>, Listener>>,
    open: BTreeMap<Arc<str>, OpenListener>,
    failed: BTreeMap<Arc<str>, Problem>,
    mode: Mode,
    // Processes that have copies of the sockets, for all that is known.
    sharers: usize,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Mode {
    // What is wanted is opened.
    #[default]
    Open,
    // Another process is about to take over: this one opens nothing that the other would then find taken.
    Giving,
    // Not yet: another process may hand over what is wanted.
    Held,
    // Another process accepts on some of the sockets; nothing else is opened.
    HandedOver,
    // For good.
    Closed,
}

impl Listeners {
    pub(super) fn new(
        acceptor: Acceptor,
        node: String,
        addresses: BTreeMap<String, SocketAddr>,
    ) -> Arc<Self> {
        let listeners = Arc::new(Self {
            acceptor,
            node,
            addresses,
            state: Mutex::default(),
        });
        let retried = Arc::downgrade(&listeners);
        listeners.acceptor.spawn(retry(retried));
        listeners
    }

    /// Opens and closes listeners until these are open.
    pub(super) fn set(&self, wanted: &BTreeMap<Arc<str>, Listener>) {
        let mut state = self.state();
        if state.mode != Mode::Closed {
            state.wanted = Some(wanted.clone());
            self.reconcile(&mut state, Vec::new());
        }
    }

    /// Opens none until [`Self::release`] or [`Self::take_over`].
    pub(super) fn hold(&self) {
        let mut state = self.state();
        if state.mode == Mode::Open && state.open.is_empty() {
            state.mode = Mode::Held;
        }
    }

    /// Opens what is wanted.
    pub(super) fn release(&self) {
        self.take_over(Vec::new());
    }

    /// Opens what is wanted, on these sockets of another process where they fit; closes the others of them. Returns where
    /// those are that were taken.
    pub(super) fn take_over(&self, handed: Vec<TcpListener>) -> Vec<SocketAddr> {
        let mut state = self.state();
        if state.mode == Mode::Closed {
            return Vec::new();
        }
        if !handed.is_empty() {
            state.sharers += 1;
        }
        let addresses: Vec<_> = handed
            .iter()
            .filter_map(|socket| socket.local_addr().ok())
            .collect();
        state.mode = Mode::Open;
        self.reconcile(&mut state, handed);
        let is_open =
            |address: &SocketAddr| state.open.values().any(|open| open.address == *address);
        addresses.into_iter().filter(is_open).collect()
    }

    /// Returns copies of the open sockets, for another process. No other is opened until that one serves or is gone.
    pub(super) fn give(&self) -> io::Result<Vec<TcpListener>> {
        let mut state = self.state();
        if state.mode == Mode::Open {
            state.mode = Mode::Giving;
        }
        state.sharers += 1;
        state.open.values().map(OpenListener::socket).collect()
    }

    /// Stops accepting on the sockets that another process has taken, which are at these addresses.
    pub(super) fn stop_accepting(&self, taken: &[SocketAddr]) {
        let mut state = self.state();
        if state.mode == Mode::Closed {
            return;
        }
        state.mode = Mode::HandedOver;
        state.failed.clear();
        for open in state.open.values_mut() {
            if taken.contains(&open.address) {
                open.stop_accepting();
            }
        }
    }

    /// Accepts again: the other process is gone.
    pub(super) fn accept_again(&self) {
        let mut state = self.state();
        if matches!(state.mode, Mode::Giving | Mode::HandedOver) {
            state.mode = Mode::Open;
            self.reconcile(&mut state, Vec::new());
        }
    }

    /// Notes that another process has closed its copies of the sockets.
    pub(super) fn unshared(&self) {
        let mut state = self.state();
        state.sharers = state.sharers.saturating_sub(1);
    }

    /// Returns whether there is a snapshot, and all of its listeners are open, here or in the process that they were handed
    /// over to.
    pub(super) fn all_open(&self) -> bool {
        let state = self.state();
        state.wanted.is_some() && state.failed.is_empty() && state.mode != Mode::Held
    }

    pub(super) fn open(&self) -> Vec<edge::OpenListener> {
        let state = self.state();
        let accepting = state.open.iter().filter(|(_, open)| open.is_accepting());
        let open = accepting.map(|(name, open)| edge::OpenListener {
            name: name.to_string(),
            address: open.address,
        });
        open.collect()
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        self.state().failed.values().cloned().collect()
    }

    pub(super) const fn load(&self) -> &Arc<CoreLoad> {
        self.acceptor.load()
    }

    /// Closes all listeners for good. What clients have opened is accepted before, but for what another process accepts.
    pub(super) async fn close(&self) {
        let (open, shared) = {
            let mut state = self.state();
            let shared = state.sharers > 0;
            (take(&mut state), shared)
        };
        let accepting = open.into_values().filter(OpenListener::is_accepting);
        let closing: Vec<_> = accepting
            .map(|open| self.acceptor.close(open, shared))
            .collect();
        for closed in closing {
            // It cannot fail but by a panic, which the runtime has reported.
            let _ = closed.await;
        }
    }

    /// Closes all listeners for good, without waiting, and ends the acceptor.
    pub(super) fn stop(&self) {
        drop(take(&mut self.state()));
        self.acceptor.stop();
    }

    fn reconcile(&self, state: &mut State, mut handed: Vec<TcpListener>) {
        let shared = state.sharers > 0;
        let State {
            wanted: Some(wanted),
            open,
            failed,
            mode,
            ..
        } = state
        else {
            return;
        };
        handed.extend(self.close_removed(wanted, open, shared));
        // What is not tried now has failed for the same reason still.
        failed.retain(|name, _| *mode == Mode::Giving && wanted.contains_key(name));
        for (name, listener) in wanted {
            let address = self.addresses.get(&**name).copied();
            let opened = match (open.get_mut(name), *mode) {
                (Some(open), Mode::Open | Mode::Giving) => {
                    open.change(listener);
                    self.acceptor.accept(open)
                }
                (Some(open), _) => {
                    open.change(listener);
                    Ok(())
                }
                (None, Mode::Open) => {
                    let socket = take_fitting(&mut handed, listener, address);
                    self.acceptor.open(listener, address, socket).map(|listener| {
                        tracing::info!(listener = %name, address = %listener.address, "listening");
                        open.insert(Arc::clone(name), listener);
                    })
                }
                (None, Mode::Giving | Mode::Held | Mode::HandedOver | Mode::Closed) => Ok(()),
            };
            if let Err(error) = opened {
                let problem = self.problem(listener, address, &error);
                failed.insert(Arc::clone(name), problem);
            }
        }
    }

    // Returns the sockets that another listener wants: only its name has changed, and whoever waits in the queue need not
    // notice.
    fn close_removed(
        &self,
        wanted: &BTreeMap<Arc<str>, Listener>,
        open: &mut BTreeMap<Arc<str>, OpenListener>,
        shared: bool,
    ) -> Vec<TcpListener> {
        let removed = open.extract_if(.., |name, open| {
            let same_place = |listener: &Listener| {
                (listener.address, listener.port) == (open.listener.address, open.listener.port)
            };
            !wanted.get(name).is_some_and(same_place)
        });
        let removed: Vec<_> = removed.map(|(_, open)| open).collect();
        let mut kept = Vec::new();
        // A port that nobody accepts at must not look open: what another process has taken is closed here at once, and it
        // closes its own copy.
        for removed in removed.into_iter().filter(OpenListener::is_accepting) {
            let mut new = wanted.iter().filter(|(name, _)| !open.contains_key(*name));
            let is_wanted = new.any(|(name, listener)| {
                listener::fits(
                    removed.address,
                    listener,
                    self.addresses.get(&**name).copied(),
                )
            });
            match removed.socket() {
                Ok(socket) if is_wanted => kept.push(socket),
                _ => drop(self.acceptor.close(removed, shared)),
            }
        }
        kept
    }

    fn problem(
        &self,
        listener: &Listener,
        address: Option<SocketAddr>,
        error: &io::Error,
    ) -> Problem {
        let at = match (address, listener.address) {
            (Some(address), _) => address.to_string(),
            (None, Some(ip)) => SocketAddr::new(ip, listener.port).to_string(),
            (None, None) => format!("port {}", listener.port),
        };
        let remedy = match error.kind() {
            io::ErrorKind::AddrInUse => {
                "Stop the program that holds the port on this node, or give the listener another one."
            }
            io::ErrorKind::PermissionDenied => {
                "Ports below 1024 need the capability NET_BIND_SERVICE: add it to the container, and to the executable \
                 as a file capability (the image has it), or give the listener another port."
            }
            io::ErrorKind::AddrNotAvailable => {
                "The node does not have this address: leave it out to listen on all of them."
            }
            _ => "See the error.",
        };
        Problem {
            object: ObjectReference {
                kind: "Listener".to_owned(),
                namespace: String::new(),
                name: listener.name.to_string(),
            },
            field: "port".to_owned(),
            code: "ListenerNotOpen".to_owned(),
            message: format!(
                "node {} cannot listen at {at}: {error}; nothing is served there",
                self.node
            ),
            remedy: remedy.to_owned(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take(state: &mut State) -> BTreeMap<Arc<str>, OpenListener> {
    state.mode = Mode::Closed;
    state.wanted = None;
    state.failed.clear();
    std::mem::take(&mut state.open)
}

fn take_fitting(
    handed: &mut Vec<TcpListener>,
    listener: &Listener,
    address: Option<SocketAddr>,
) -> Option<TcpListener> {
    let is_fitting = |socket: &TcpListener| {
        let bound = socket.local_addr();
        bound.is_ok_and(|bound| listener::fits(bound, listener, address))
    };
    let at = handed.iter().position(is_fitting)?;
    Some(handed.swap_remove(at))
}

// What holds a port may let it go.
async fn retry(listeners: Weak<Listeners>) {
    loop {
        sleep(RETRY).await;
        let Some(listeners) = listeners.upgrade() else {
            return;
        };
        let mut state = listeners.state();
        if !state.failed.is_empty() {
            listeners.reconcile(&mut state, Vec::new());
        }
    }
}

const RETRY: Duration = Duration::from_secs(1);
