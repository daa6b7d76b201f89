//! What has come of a client's body, for whoever sends it to an endpoint.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::cores::ClientConnection;
use crate::proxy::body::kept::{Kept, length};
use crate::proxy::respond::Cause;

/// What has come of a client's body.
pub(crate) struct ReceivedBody {
    incoming: RefCell<Incoming>,
    bytes: Cell<u64>,
    most_bytes: Cell<u64>,
    taken: Cell<bool>,
    // What was taken, as long as all of it is kept.
    kept: RefCell<Option<Kept>>,
    // The number of the last reading, and who does it.
    reading: Cell<u32>,
    reader: RefCell<Option<Waker>>,
    ended: Cell<bool>,
    waiting: Cell<bool>,
    failure: Cell<Option<BodyFailure>>,
    idle: Duration,
    timer: RefCell<Option<Pin<Box<Sleep>>>>,
    last_piece: Cell<Instant>,
    connection: Rc<ClientConnection>,
}

/// Why a client's body did not come whole: the client is at fault, apart from the last.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum BodyFailure {
    #[error("the client's body is incomplete")]
    Incomplete,
    #[error("the client's body did not come in time")]
    Timeout,
    #[error("the client's body is too large")]
    TooLarge,
    #[error("the client's body is sent elsewhere by now")]
    ReadAnew,
}

impl BodyFailure {
    /// Returns what the client is answered.
    pub(in crate::proxy) const fn cause(self) -> Cause {
        match self {
            Self::Incomplete => Cause::RequestBodyIncomplete,
            Self::Timeout => Cause::RequestBodyTimeout,
            Self::TooLarge => Cause::RequestBodyTooLarge,
            Self::ReadAnew => Cause::ConnectionClosed,
        }
    }
}

impl ReceivedBody {
    pub(super) fn new(
        incoming: Incoming,
        connection: &Rc<ClientConnection>,
        idle: Duration,
    ) -> Self {
        Self {
            incoming: RefCell::new(incoming),
            bytes: Cell::new(0),
            most_bytes: Cell::new(u64::MAX),
            taken: Cell::new(false),
            kept: RefCell::new(None),
            reading: Cell::new(0),
            reader: RefCell::new(None),
            ended: Cell::new(false),
            waiting: Cell::new(false),
            failure: Cell::new(None),
            idle,
            timer: RefCell::new(None),
            last_piece: Cell::new(Instant::now()),
            connection: Rc::clone(connection),
        }
    }

    pub(super) fn limit(&self, most: u64) {
        self.most_bytes.set(most.min(self.most_bytes.get()));
    }

    pub(super) fn keep(&self, most: u64) {
        // One that says that it is too large would be kept in vain until it is.
        if self.size_hint().lower() <= most && !self.taken.get() {
            *self.kept.borrow_mut() = Some(Kept::new(most));
        }
    }

    pub(in crate::proxy) fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    pub(in crate::proxy) fn failure(&self) -> Option<BodyFailure> {
        self.failure.get()
    }

    /// Returns whether the client owes the next piece.
    pub(in crate::proxy) fn is_waiting(&self) -> bool {
        self.waiting.get()
    }

    /// Returns when the last piece came.
    pub(in crate::proxy) fn last_piece(&self) -> Instant {
        self.last_piece.get()
    }

    /// Returns whether it can be read from its beginning.
    pub(super) fn is_whole(&self) -> bool {
        self.failure.get().is_none() && (!self.taken.get() || self.kept.borrow().is_some())
    }

    /// Begins another reading, which ends all earlier ones, and returns its number. Whoever waits for the next piece
    /// would not notice otherwise, and keep its connection.
    pub(super) fn begin(&self) -> u32 {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        self.reading.set(self.reading.get() + 1);
        self.reading.get()
    }

    pub(super) fn is_current(&self, reading: u32) -> bool {
        self.reading.get() == reading
    }

    /// Returns what has come before, after so many bytes and perhaps the trailers.
    pub(super) fn kept(&self, bytes: u64, trailers_read: bool) -> Option<Frame<Bytes>> {
        self.kept.borrow().as_ref()?.after(bytes, trailers_read)
    }

    pub(super) fn keeps_trailers(&self) -> bool {
        self.kept.borrow().as_ref().is_some_and(Kept::has_trailers)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.get() || self.incoming.borrow().is_end_stream()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.incoming.borrow().size_hint()
    }

    /// Takes the next piece from the client.
    pub(super) fn poll_frame(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFailure>>> {
        if self.ended.get() {
            return Poll::Ready(None);
        }
        let mut incoming = self.incoming.borrow_mut();
        let Poll::Ready(frame) = Pin::new(&mut *incoming).poll_frame(cx) else {
            let mut reader = self.reader.borrow_mut();
            let waker = cx.waker();
            reader
                .get_or_insert_with(|| waker.clone())
                .clone_from(waker);
            return self.poll_timer(cx);
        };
        if frame.is_none() || incoming.is_end_stream() {
            self.connection.set_unread(false);
        }
        self.waiting.set(false);
        self.taken.set(true);
        self.last_piece.set(Instant::now());
        Poll::Ready(match frame {
            Some(Ok(frame)) => Some(self.take(frame)),
            Some(Err(_)) => Some(Err(self.fail(BodyFailure::Incomplete))),
            None => {
                self.ended.set(true);
                None
            }
        })
    }

    fn take(&self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, BodyFailure> {
        self.bytes.set(self.bytes.get() + length(&frame));
        if self.bytes.get() > self.most_bytes.get() {
            return Err(self.fail(BodyFailure::TooLarge));
        }
        self.kept.borrow_mut().take_if(|kept| !kept.push(&frame));
        Ok(frame)
    }

    fn fail(&self, failure: BodyFailure) -> BodyFailure {
        self.failure.set(Some(failure));
        failure
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
                return Poll::Ready(Some(Err(self.fail(BodyFailure::Timeout))));
            }
            timer.as_mut().reset(due);
        }
        Poll::Pending
    }
}
