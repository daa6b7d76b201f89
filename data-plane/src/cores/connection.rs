//! One connection of a client, as its core and its requests see it: what it waits for, and what it is told to do.

use std::cell::{Cell, OnceCell, RefCell};
use std::future::{Future, poll_fn};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::HeaderValue;
use sluice_proto::{ListenerProtocol, Timeouts};

use crate::clock::uptime_ms;
use crate::cores::client_chain::ClientChain;
use crate::cores::stream::{Activity, Waiting};
use crate::cores::{Core, Counted, Phase};
use crate::listener::OpenedBy;
use crate::memory::Pressure;
use crate::proxy;

/// A connection of a client, as its requests and its core see it.
pub(crate) struct ClientConnection {
    pub(super) id: u64,
    /// Who opened it.
    pub(crate) peer: IpAddr,
    /// The same, as a header's value.
    pub(crate) peer_text: HeaderValue,
    pub(crate) listener: Arc<OpenedBy>,
    pub(super) activity: Arc<Activity>,
    pub(super) http2: Cell<bool>,
    /// What it was asked for in its handshake; unset if it was not asked.
    pub(crate) client_certificate: OnceCell<ClientChain>,
    command: Cell<Option<Command>>,
    waker: RefCell<Option<Waker>>,
    // Bodies of responses over HTTP/2, of which one may be stuck while others go on.
    pieces: RefCell<Vec<Rc<PieceSent>>>,
    _counted: Counted,
}

/// How a request came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

/// What a core tells a connection to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Command {
    /// Answer what is in flight and close.
    Finish,
    /// Close: the client has let it wait too long.
    Abort,
}

/// Since when a piece of a response's body waits to be followed by the next: a client that takes none lets it wait.
#[derive(Debug, Default)]
pub(crate) struct PieceSent {
    // 0 while the endpoint is waited for.
    since_ms: Cell<u64>,
}

impl PieceSent {
    /// Notes that the client has taken the last piece.
    pub(crate) fn taken(&self) {
        self.since_ms.set(0);
    }

    /// Notes that the client has another piece to take.
    pub(crate) fn sent(&self) {
        self.since_ms.set(uptime_ms().max(1));
    }

    fn waits(&self, now_ms: u64, patience: Duration) -> bool {
        let since_ms = self.since_ms.get();
        since_ms > 0 && Duration::from_millis(now_ms.saturating_sub(since_ms)) > patience
    }
}

/// Counts one request of a connection until its response has ended.
pub(crate) struct RequestInFlight {
    core: Rc<Core>,
    connection: Rc<ClientConnection>,
}

impl Scheme {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

impl ClientConnection {
    pub(super) fn new(peer: SocketAddr, listener: Arc<OpenedBy>, counted: Counted) -> Rc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let peer = peer.ip().to_canonical();
        Rc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            peer,
            peer_text: proxy::address_value(peer),
            listener,
            activity: Arc::new(Activity::new()),
            http2: Cell::new(false),
            client_certificate: OnceCell::new(),
            command: Cell::new(None),
            waker: RefCell::new(None),
            pieces: RefCell::default(),
            _counted: counted,
        })
    }

    pub(crate) fn scheme(&self) -> Scheme {
        match self.listener.protocol {
            ListenerProtocol::Http => Scheme::Http,
            ListenerProtocol::Https => Scheme::Https,
        }
    }

    /// Notes whether the client still has to send a part of a body: if the connection is closed now, it is closed in
    /// stages.
    pub(crate) fn set_unread(&self, unread: bool) {
        // With HTTP/2 a stream is closed, not the connection.
        self.activity.set_unread(unread && !self.http2.get());
    }

    /// Has it take no other requests than those that have come: with HTTP/2, by GOAWAY.
    pub(crate) fn finish(&self) {
        self.command(Command::Finish);
    }

    pub(super) fn is_http2(&self) -> bool {
        self.http2.get()
    }

    /// Returns what notes how the body of one response is taken; `None` over HTTP/1.1, where the connection knows.
    pub(crate) fn follow_body(&self) -> Option<Rc<PieceSent>> {
        if !self.http2.get() {
            return None;
        }
        let mut pieces = self.pieces.borrow_mut();
        if pieces.len() == pieces.capacity() {
            pieces.retain(|piece| Rc::strong_count(piece) > 1);
        }
        let piece = Rc::new(PieceSent::default());
        pieces.push(Rc::clone(&piece));
        Some(piece)
    }

    /// Tells it what to do. Returns whether that is news.
    pub(super) fn command(&self, command: Command) -> bool {
        // An abort is not taken back.
        let told = self.command.get();
        if told != Some(Command::Abort) {
            self.command.set(Some(command));
        }
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
        told != self.command.get()
    }

    /// Returns what to do if the client has let it wait too long.
    pub(super) fn overdue(&self, now_ms: u64, timeouts: &Timeouts) -> Option<Command> {
        self.overdue_with(now_ms, timeouts, |usual| usual)
    }

    /// Returns what to do if the client has let it wait too long for how short memory is.
    pub(super) fn overdue_under(
        &self,
        pressure: Pressure,
        now_ms: u64,
        timeouts: &Timeouts,
    ) -> Option<Command> {
        if pressure == Pressure::None {
            return None;
        }
        let patience = pressure.patience(timeouts.response_body_idle);
        let pieces = self.pieces.borrow();
        if pieces.iter().any(|piece| piece.waits(now_ms, patience)) {
            return Some(Command::Abort);
        }
        self.overdue_with(now_ms, timeouts, |usual| pressure.patience(usual))
    }

    fn overdue_with(
        &self,
        now_ms: u64,
        timeouts: &Timeouts,
        patience: impl Fn(Duration) -> Duration,
    ) -> Option<Command> {
        let (waiting, since_ms) = self.activity.waiting()?;
        let waited = Duration::from_millis(now_ms.saturating_sub(since_ms));
        let (usual, command) = match waiting {
            Waiting::Head => (timeouts.request_headers, Command::Abort),
            Waiting::Reader => (timeouts.response_body_idle, Command::Abort),
            Waiting::Request => (timeouts.client_idle, Command::Finish),
        };
        (waited > patience(usual)).then_some(command)
    }

    /// Polls `work` until it ends or the core says to end it. `finish` is told to finish, and returns whether that is
    /// all there is to do.
    pub(super) async fn drive<F: Future>(
        &self,
        mut work: Pin<&mut F>,
        finish: impl Fn(Pin<&mut F>) -> bool,
    ) -> Driven<F::Output> {
        poll_fn(|cx| {
            self.wake_with(cx);
            match self.command.take() {
                Some(Command::Abort) => return Poll::Ready(Driven::Aborted),
                Some(Command::Finish) if finish(work.as_mut()) => {
                    return Poll::Ready(Driven::Finished);
                }
                Some(Command::Finish) | None => {}
            }
            work.as_mut().poll(cx).map(Driven::Ended)
        })
        .await
    }

    fn wake_with(&self, cx: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        match &mut *waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => *waker = Some(cx.waker().clone()),
        }
    }
}

/// How driven work came to its end.
pub(super) enum Driven<T> {
    /// By itself.
    Ended(T),
    /// It was told to finish, and had nothing to finish.
    Finished,
    /// It was told to stop at once.
    Aborted,
}

impl RequestInFlight {
    pub(crate) fn begin(core: &Rc<Core>, connection: &Rc<ClientConnection>) -> Self {
        core.counters.in_flight.fetch_add(1, Ordering::Relaxed);
        connection.activity.request_began();
        Self {
            core: Rc::clone(core),
            connection: Rc::clone(connection),
        }
    }

    pub(crate) const fn core(&self) -> &Rc<Core> {
        &self.core
    }

    pub(crate) const fn connection(&self) -> &Rc<ClientConnection> {
        &self.connection
    }
}

impl Drop for RequestInFlight {
    fn drop(&mut self) {
        self.core.counters.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.connection.activity.request_ended();
        // Too late for GOAWAY or `Connection: close`, and idle from now on.
        if self.core.phase() == Phase::Closing {
            self.connection.command(Command::Finish);
        }
    }
}
