//! One connection of a client, as its core and its requests see it: what it waits for, and what it is told to do.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::HeaderValue;
use sluice_proto::{ListenerProtocol, Timeouts};

use crate::cores::stream::{Activity, Waiting};
use crate::cores::{Core, Counted, Phase};
use crate::listener::OpenedBy;
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
    command: Cell<Option<Command>>,
    waker: RefCell<Option<Waker>>,
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
            command: Cell::new(None),
            waker: RefCell::new(None),
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

    pub(super) fn is_http2(&self) -> bool {
        self.http2.get()
    }

    pub(super) fn command(&self, command: Command) {
        // An abort is not taken back.
        if self.command.get() != Some(Command::Abort) {
            self.command.set(Some(command));
        }
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Returns what to do if the client has let it wait too long.
    pub(super) fn overdue(&self, now_ms: u64, timeouts: &Timeouts) -> Option<Command> {
        let (waiting, since_ms) = self.activity.waiting()?;
        let waited = Duration::from_millis(now_ms.saturating_sub(since_ms));
        match waiting {
            Waiting::Head => (waited > timeouts.request_headers).then_some(Command::Abort),
            Waiting::Reader => (waited > timeouts.response_body_idle).then_some(Command::Abort),
            Waiting::Request => (waited > timeouts.client_idle).then_some(Command::Finish),
        }
    }

    /// Polls `work` until it ends or the core says to end it. `finish` is told to finish, and returns whether that is
    /// all there is to do.
    pub(super) async fn drive<F: Future>(
        &self,
        work: F,
        finish: impl Fn(Pin<&mut F>) -> bool,
    ) -> Driven<F::Output> {
        let mut work = pin!(work);
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
