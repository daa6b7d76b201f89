//! A client's body on its way to an endpoint: streamed, watched for pauses, and given back while nothing was taken of it.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::cores::ClientConnection;

/// A client's body, as it is sent to an endpoint.
pub(crate) enum RequestBody {
    /// None.
    Empty,
    /// As it comes. Shared, so that another try can have it while nothing was taken of it.
    Streamed(Rc<ReceivedBody>),
}

/// What has come of a client's body.
pub(crate) struct ReceivedBody {
    incoming: RefCell<Incoming>,
    bytes: Cell<u64>,
    taken: Cell<bool>,
    waiting: Cell<bool>,
    failure: Cell<Option<BodyFailure>>,
    idle: Duration,
    timer: RefCell<Option<Pin<Box<Sleep>>>>,
    last_piece: Cell<Instant>,
    connection: Rc<ClientConnection>,
}

/// Why a client's body did not come whole: the client is at fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum BodyFailure {
    #[error("the client's body is incomplete")]
    Incomplete,
    #[error("the client's body did not come in time")]
    Timeout,
}

impl RequestBody {
    /// Returns the body that `incoming` is, which comes over `connection` and may pause for `idle`.
    pub(super) fn new(
        incoming: Incoming,
        connection: &Rc<ClientConnection>,
        idle: Duration,
    ) -> Self {
        if incoming.is_end_stream() {
            return Self::Empty;
        }
        Self::Streamed(Rc::new(ReceivedBody {
            incoming: RefCell::new(incoming),
            bytes: Cell::new(0),
            taken: Cell::new(false),
            waiting: Cell::new(false),
            failure: Cell::new(None),
            idle,
            timer: RefCell::new(None),
            last_piece: Cell::new(Instant::now()),
            connection: Rc::clone(connection),
        }))
    }

    /// Returns what has come, if there is a body.
    pub(super) fn received(&self) -> Option<&Rc<ReceivedBody>> {
        match self {
            Self::Empty => None,
            Self::Streamed(received) => Some(received),
        }
    }

    /// Returns the same body once more, for another try, if nothing was taken of it.
    pub(super) fn again(&self) -> Option<Self> {
        match self {
            Self::Empty => Some(Self::Empty),
            Self::Streamed(received) => {
                (!received.taken.get()).then(|| Self::Streamed(Rc::clone(received)))
            }
        }
    }
}

impl ReceivedBody {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    pub(super) fn failure(&self) -> Option<BodyFailure> {
        self.failure.get()
    }

    /// Returns whether the client owes the next piece.
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.get()
    }

    /// Returns when the last piece came.
    pub(super) fn last_piece(&self) -> Instant {
        self.last_piece.get()
    }

    fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFailure>>> {
        let mut incoming = self.incoming.borrow_mut();
        match Pin::new(&mut *incoming).poll_frame(cx) {
            Poll::Ready(frame) => {
                if frame.is_none() || incoming.is_end_stream() {
                    self.connection.set_unread(false);
                }
                self.waiting.set(false);
                self.taken.set(true);
                self.last_piece.set(Instant::now());
                match &frame {
                    Some(Ok(frame)) => {
                        let length = frame.data_ref().map_or(0, Bytes::len);
                        self.bytes.set(self.bytes.get() + length as u64);
                    }
                    Some(Err(_)) => self.failure.set(Some(BodyFailure::Incomplete)),
                    None => {}
                }
                Poll::Ready(frame.map(|frame| frame.map_err(|_| BodyFailure::Incomplete)))
            }
            Poll::Pending => self.poll_timer(cx),
        }
    }

    fn poll_timer<T>(&self, cx: &mut Context<'_>) -> Poll<Option<Result<T, BodyFailure>>> {
        if !self.waiting.replace(true) {
            self.last_piece.set(Instant::now());
        }
        let mut timer = self.timer.borrow_mut();
        let due = self.last_piece.get() + self.idle;
        let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        // Moved only when it fires: most pieces come long before.
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= due {
                self.failure.set(Some(BodyFailure::Timeout));
                return Poll::Ready(Some(Err(BodyFailure::Timeout)));
            }
            timer.as_mut().reset(due);
        }
        Poll::Pending
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyFailure;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFailure>>> {
        match &*self {
            Self::Empty => Poll::Ready(None),
            Self::Streamed(received) => received.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Streamed(received) => received.incoming.borrow().is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Streamed(received) => received.incoming.borrow().size_hint(),
        }
    }
}
