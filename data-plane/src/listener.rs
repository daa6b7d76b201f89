//! Listeners: one listening socket each, whose connections one acceptor thread hands to the least busy core.
//!
//! (SO_REUSEPORT would spread a few busy connections unevenly, and would let any process of the same user share the
//! port.)

mod accept;
mod bind;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use arc_swap::ArcSwap;
use sluice_proto::{Listener, ListenerProtocol};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{oneshot, watch};
use tokio::time::interval;

use crate::cores::{CoreLoad, Intake, Shared, TICK};
use crate::listener::accept::{Cores, accept};

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

/// A listener that is open. Dropping it closes it, once what waits in its queue has been accepted: a socket that closes
/// drops its queue.
pub(crate) struct OpenListener {
    /// What it was opened for.
    pub(crate) listener: Listener,
    /// Where it is bound.
    pub(crate) address: SocketAddr,
    opened_by: Arc<ArcSwap<OpenedBy>>,
    stop: watch::Sender<bool>,
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

    /// Opens a listener, at `address` if it is given instead of its own.
    ///
    /// # Errors
    ///
    /// If the socket cannot be bound.
    pub(crate) fn open(
        &self,
        listener: &Listener,
        address: Option<SocketAddr>,
    ) -> io::Result<OpenListener> {
        let socket = bind::bind(listener, address)?;
        let address = socket.local_addr()?;
        let opened_by = Arc::new(ArcSwap::from_pointee(OpenedBy::of(listener)));
        let (stop, stopped) = watch::channel(false);
        let task = self.runtime.spawn(accept(
            socket,
            Arc::clone(&opened_by),
            Arc::clone(&self.cores),
            stopped,
        ));
        Ok(OpenListener {
            listener: listener.clone(),
            address,
            opened_by,
            stop,
            task,
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

    /// Closes it and waits until it is closed.
    pub(crate) async fn close(mut self) {
        self.stop.send_replace(true);
        // It cannot fail but by a panic, which the runtime has reported.
        let _ = (&mut self.task).await;
    }
}

impl Drop for OpenListener {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}
