//! Which listeners are open, which should be, and why the others are not.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use sluice_proto::{Listener, ObjectReference, Problem};
use tokio::time::sleep;

use crate::cores::CoreLoad;
use crate::edge;
use crate::listener::{Acceptor, OpenListener};

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
    closed: bool,
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
        if !state.closed {
            state.wanted = Some(wanted.clone());
            self.reconcile(&mut state);
        }
    }

    /// Returns whether there is a snapshot, and all of its listeners are open.
    pub(super) fn all_open(&self) -> bool {
        let state = self.state();
        state.wanted.is_some() && state.failed.is_empty()
    }

    pub(super) fn open(&self) -> Vec<edge::OpenListener> {
        let state = self.state();
        let open = state.open.iter().map(|(name, open)| edge::OpenListener {
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

    /// Closes all listeners for good, once what waits in their queues is accepted.
    pub(super) async fn close(&self) {
        let open = self.take();
        for listener in open.into_values() {
            listener.close().await;
        }
    }

    /// Closes all listeners for good, without waiting, and ends the acceptor.
    pub(super) fn stop(&self) {
        drop(self.take());
        self.acceptor.stop();
    }

    fn take(&self) -> BTreeMap<Arc<str>, OpenListener> {
        let mut state = self.state();
        state.closed = true;
        state.wanted = None;
        state.failed.clear();
        std::mem::take(&mut state.open)
    }

    fn reconcile(&self, state: &mut State) {
        let State {
            wanted: Some(wanted),
            open,
            failed,
            closed: false,
        } = state
        else {
            return;
        };
        open.retain(|name, open| {
            let same_place = |listener: &Listener| {
                (listener.address, listener.port) == (open.listener.address, open.listener.port)
            };
            wanted.get(name).is_some_and(same_place)
        });
        failed.clear();
        for (name, listener) in wanted {
            if let Some(open) = open.get_mut(name) {
                open.change(listener);
                continue;
            }
            let address = self.addresses.get(&**name).copied();
            match self.acceptor.open(listener, address) {
                Ok(listener) => {
                    tracing::info!(listener = %name, address = %listener.address, "listening");
                    open.insert(Arc::clone(name), listener);
                }
                Err(error) => {
                    let problem = self.problem(listener, address, &error);
                    failed.insert(Arc::clone(name), problem);
                }
            }
        }
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

// What holds a port may let it go.
async fn retry(listeners: Weak<Listeners>) {
    loop {
        sleep(RETRY).await;
        let Some(listeners) = listeners.upgrade() else {
            return;
        };
        let mut state = listeners.state();
        if !state.failed.is_empty() {
            listeners.reconcile(&mut state);
        }
    }
}

const RETRY: Duration = Duration::from_secs(1);
