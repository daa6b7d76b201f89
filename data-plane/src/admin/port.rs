//! The port for metrics: one a node, so it moves with the hand-over between two processes of the node.
//!
//! What is answered there, it does not know; who may ask, `access.rs` does.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use sluice_proto::{ObjectReference, Problem};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::listener::{is_at, listen};

/// The port for metrics of one process.
#[derive(Debug)]
pub(crate) struct MetricsPort {
    address: SocketAddr,
    node: String,
    state: watch::Sender<State>,
    problem: watch::Sender<Option<Problem>>,
}

#[derive(Clone, Debug)]
enum State {
    // Another process may hand it over.
    Held,
    // To be bound.
    Wanted,
    Open(Arc<TcpListener>),
    // Another process accepts.
    HandedOver(Arc<TcpListener>),
    Closed,
}

impl MetricsPort {
    pub(crate) fn new(address: SocketAddr, node: String) -> Self {
        Self {
            address,
            node,
            state: watch::Sender::new(State::Held),
            problem: watch::Sender::new(None),
        }
    }

    /// Binds it now.
    ///
    /// # Errors
    ///
    /// If somebody else holds it, or it is not an address of this machine.
    pub(crate) fn bind(&self) -> io::Result<()> {
        self.open(listen(self.address)?);
        Ok(())
    }

    /// Binds it as soon as that can be.
    pub(crate) fn release(&self) {
        self.state.send_if_modified(|state| match state {
            State::Held => {
                *state = State::Wanted;
                true
            }
            _ => false,
        });
    }

    /// Takes it from another process, if it is the one that is wanted.
    pub(crate) fn take_over(&self, socket: TcpListener) -> Option<SocketAddr> {
        let bound = socket
            .local_addr()
            .ok()
            .filter(|bound| is_at(*bound, self.address))?;
        if matches!(*self.state.borrow(), State::Open(_) | State::Closed) {
            return None;
        }
        self.open(socket);
        Some(bound)
    }

    /// Returns a copy of its socket, for another process.
    pub(crate) fn give(&self) -> Option<TcpListener> {
        match &*self.state.borrow() {
            State::Open(socket) => socket.try_clone().ok(),
            _ => None,
        }
    }

    /// Leaves it to the other process, if that has taken it.
    pub(crate) fn stop_accepting(&self, taken: &[SocketAddr]) {
        if taken.iter().any(|taken| is_at(*taken, self.address)) {
            self.state.send_if_modified(|state| match state {
                State::Open(socket) => {
                    *state = State::HandedOver(Arc::clone(socket));
                    true
                }
                _ => false,
            });
        }
    }

    /// Accepts again: the other process is gone.
    pub(crate) fn accept_again(&self) {
        self.state.send_if_modified(|state| match state {
            State::HandedOver(socket) => {
                *state = State::Open(Arc::clone(socket));
                true
            }
            _ => false,
        });
    }

    /// Closes it, if another process has it.
    pub(crate) fn let_go(&self) {
        self.state.send_if_modified(|state| match state {
            State::HandedOver(_) => {
                *state = State::Closed;
                true
            }
            _ => false,
        });
    }

    /// Returns why it is not open.
    pub(crate) fn problem(&self) -> Option<Problem> {
        self.problem.borrow().clone()
    }

    /// Returns the socket to accept on, once there is one: binds it, again and again, if it is to be bound.
    pub(super) async fn opened(&self) -> Arc<TcpListener> {
        let mut state = self.state.subscribe();
        loop {
            let now = state.borrow_and_update().clone();
            match now {
                State::Open(socket) => return socket,
                State::Wanted => {
                    if let Err(error) = self.bind() {
                        self.note(&error);
                        tokio::select! {
                            _ = state.changed() => {}
                            () = sleep(RETRY) => {}
                        }
                    }
                }
                State::Held | State::HandedOver(_) | State::Closed => {
                    // Its sender is here.
                    let _ = state.changed().await;
                }
            }
        }
    }

    /// Returns once it is not to be accepted on any more.
    pub(super) async fn left(&self) {
        let mut state = self.state.subscribe();
        let _ = state
            .wait_for(|state| !matches!(state, State::Open(_)))
            .await;
    }

    fn open(&self, socket: TcpListener) {
        tracing::info!(address = %self.address, "listening for metrics");
        self.problem.send_replace(None);
        self.state.send_replace(State::Open(Arc::new(socket)));
    }

    fn note(&self, error: &io::Error) {
        let problem = Problem {
            object: ObjectReference {
                kind: "Node".to_owned(),
                namespace: String::new(),
                name: self.node.clone(),
            },
            field: String::new(),
            code: "MetricsNotOpen".to_owned(),
            message: format!(
                "node {} cannot listen on {} for metrics: {error}; they are not to be had over the network",
                self.node, self.address
            ),
            remedy: "Stop the program that holds the port on this node, or give another --metrics-address.".to_owned(),
        };
        if self.problem.send_replace(Some(problem)).is_none() {
            tracing::warn!(address = %self.address, %error, "cannot listen for metrics; it is tried again");
        }
    }
}

const RETRY: Duration = Duration::from_secs(1);
