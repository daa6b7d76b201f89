//! Listeners: one listening socket each, whose connections one acceptor thread hands to the least busy core.
//!
//! (SO_REUSEPORT would spread a few busy connections unevenly, and would let any process of the same user share the
//! port.)

mod accept;
mod bind;
mod close;

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use arc_swap::ArcSwap;
use sluice_proto::{Listener, ListenerProtocol};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::time::interval;

use crate::cores::{CoreLoad, Intake, Shared, TICK};
use crate::listener::accept::{Cores, accept};
pub(crate) use crate::listener::bind::listen;

/// What a connection needs to know of the listener that accepted it.
#[derive(Debug)]
pub(crate) struct OpenedBy {
    /// The port that users know it by, wherever it is bound.
    pub(crate) port: u16,
    pub(crate) protocol: ListenerProtocol,
}

impl OpenedBy {
    const fn of(listener: &Listener) -> Self {
        Self {
            port: listener.port,
            protocol: listener.protocol,
        }
    }
}

/// A listener that is open. Dropping it closes it at once, with whatever is in its queue.
pub(crate) struct OpenListener {
    /// What it was opened for.
    pub(crate) listener: Listener,
    /// Where it is bound.
    pub(crate) address: SocketAddr,
    socket: TcpListener,
    opened_by: Arc<ArcSwap<OpenedBy>>,
    accepting: Option<Accepting>,
}

// Dropping it stops it.
struct Accepting {
    _stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

/// The thread that accepts for all listeners.
pub(crate) struct Acceptor {
    runtime: Handle,
    load: Arc<CoreLoad>,
    cores: Arc<Cores>,
    thread: Mutex<Option<(oneshot::Sender<()>, JoinHandle<()>)>>,
}

impl Acceptor {
    /// Starts the thread.
    pub(crate) fn start(cores: Vec<Intake>, shared: Arc<Shared>) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let load = Arc::new(CoreLoad::default());
        load.beat();
        let beats = Arc::clone(&load);
        let (stop, mut stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name(Self::THREAD.to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    let mut tick = interval(TICK);
                    loop {
                        tokio::select! {
                            _ = tick.tick() => beats.beat(),
                            _ = &mut stopped => return,
                        }
                    }
                });
            })?;
        Ok(Self {
            runtime: handle,
            load,
            cores: Arc::new(Cores::new(cores, shared)),
            thread: Mutex::new(Some((stop, thread))),
        })
    }

    /// Opens a listener on `socket`, or on one that is bound at `address` or, without that, at its own.
    ///
    /// # Errors
    ///
    /// If the socket cannot be bound.
    pub(crate) fn open(
        &self,
        listener: &Listener,
        address: Option<SocketAddr>,
        socket: Option<TcpListener>,
    ) -> io::Result<OpenListener> {
        let socket = match socket {
            Some(socket) => socket,
            None => listen(place(listener, address))?,
        };
        let mut open = OpenListener {
            listener: listener.clone(),
            address: socket.local_addr()?,
            socket,
            opened_by: Arc::new(ArcSwap::from_pointee(OpenedBy::of(listener))),
            accepting: None,
        };
        self.accept(&mut open)?;
        Ok(open)
    }

    /// Accepts the connections of this listener, if that is not done already.
    pub(crate) fn accept(&self, open: &mut OpenListener) -> io::Result<()> {
        if open.accepting.is_some() {
            return Ok(());
        }
        let (stop, stopped) = oneshot::channel::<()>();
        let socket = open.socket.try_clone()?;
        let (opened_by, cores) = (Arc::clone(&open.opened_by), Arc::clone(&self.cores));
        let task = self.runtime.spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            accept(socket, &opened_by, &cores, stopped).await;
        });
        open.accepting = Some(Accepting { _stop: stop, task });
        Ok(())
    }

    /// Closes a listener for good, so that no connection is lost that a client has opened, as far as that can be while the
    /// socket is `shared` with another process; the return value ends with it.
    pub(crate) fn close(
        &self,
        mut open: OpenListener,
        shared: bool,
    ) -> tokio::task::JoinHandle<()> {
        let accepting = open.accepting.take();
        let cores = Arc::clone(&self.cores);
        self.runtime.spawn(async move {
            if let Some(Accepting { _stop: stop, task }) = accepting {
                drop(stop);
                // It cannot fail but by a panic, which the runtime has reported.
                let _ = task.await;
            }
            close::close(open.socket, &open.opened_by, &cores, shared).await;
        })
    }

    /// How it shows that it is alive.
    pub(crate) const fn load(&self) -> &Arc<CoreLoad> {
        &self.load
    }

    /// Does this on the acceptor's thread.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.runtime.spawn(work));
    }

    /// Ends the thread, and waits for it unless it is this one.
    pub(crate) fn stop(&self) {
        let taken = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some((stop, thread)) = taken else {
            return;
        };
        drop(stop);
        if thread.thread().id() != thread::current().id() && thread.join().is_err() {
            tracing::error!("the acceptor's thread panicked");
        }
    }

    pub(crate) const THREAD: &'static str = "acceptor";
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.stop();
    }
}

impl OpenListener {
    /// Takes over what has changed but for the place: connections accepted from now on are served so.
    pub(crate) fn change(&mut self, listener: &Listener) {
        if self.listener != *listener {
            self.listener = listener.clone();
            self.opened_by.store(Arc::new(OpenedBy::of(listener)));
        }
    }

    /// Stops accepting. The socket stays open and what waits in its queue stays there: another process accepts it.
    pub(crate) fn stop_accepting(&mut self) {
        self.accepting = None;
    }

    pub(crate) const fn is_accepting(&self) -> bool {
        self.accepting.is_some()
    }

    /// Returns a copy of its socket, for another process.
    pub(crate) fn socket(&self) -> io::Result<TcpListener> {
        self.socket.try_clone()
    }
}

/// Returns whether a listener that wants to be at `address`, or at its own, is at home on a socket that is bound here.
pub(crate) fn fits(bound: SocketAddr, listener: &Listener, address: Option<SocketAddr>) -> bool {
    is_at(bound, place(listener, address))
}

fn place(listener: &Listener, address: Option<SocketAddr>) -> SocketAddr {
    const EVERYWHERE: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let own = SocketAddr::new(listener.address.unwrap_or(EVERYWHERE), listener.port);
    address.unwrap_or(own)
}

/// Returns whether a socket that is bound there is one that [`listen`] makes for this address.
pub(crate) fn is_at(bound: SocketAddr, address: SocketAddr) -> bool {
    let is_everywhere = address.ip() == Ipv6Addr::UNSPECIFIED
        && bound.ip().is_unspecified()
        && bound.port() == address.port();
    bound == address || is_everywhere
}
