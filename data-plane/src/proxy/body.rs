//! A client's body on its way to an endpoint: streamed, watched for pauses, and given back while nothing was taken of it;
//! or kept whole, where a policy has to read it first.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::cores::ClientConnection;
use crate::proxy::respond::Cause;

/// A client's body, as it is sent to an endpoint.
pub(crate) enum RequestBody {
    /// None.
    Empty,
    /// As it comes. Shared, so that another try can have it while nothing was taken of it.
    Streamed(Rc<ReceivedBody>),
    /// Whole, for it was kept until somebody else had read it.
    Kept(Kept),
}

/// A client's body that has come whole, and what is still to be sent of it.
pub(crate) struct Kept {
    whole: Rc<Whole>,
    data: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

struct Whole {
    data: Bytes,
    trailers: Option<HeaderMap>,
    received: Rc<ReceivedBody>,
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

/// Why a client's body cannot be kept.
#[derive(Debug)]
pub(crate) enum NotKept {
    TooLarge,
    Failed(Cause),
}

impl BodyFailure {
    /// Returns what the client is answered.
    pub(super) const fn cause(self) -> Cause {
        match self {
            Self::Incomplete => Cause::RequestBodyIncomplete,
            Self::Timeout => Cause::RequestBodyTimeout,
        }
    }
}

/// Returns a request once more, for another try, if nothing was taken of its body or it was kept.
pub(super) fn again(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    let mut copy = Request::new(request.body().again()?);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
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
            Self::Kept(kept) => Some(&kept.whole.received),
        }
    }

    /// Reads it whole, so that it can be sent more than once, if it is not longer than this.
    pub(crate) async fn keep(&mut self, most: u64) -> Result<(), NotKept> {
        if self.size_hint().lower() > most {
            return Err(NotKept::TooLarge);
        }
        let Self::Streamed(received) = self else {
            return Ok(());
        };
        let (mut data, mut trailers) = (BytesMut::new(), None);
        while let Some(frame) = poll_fn(|cx| received.poll_frame(cx)).await {
            let frame = frame.map_err(|failure| NotKept::Failed(failure.cause()))?;
            match frame.into_data() {
                Ok(piece) if (data.len() + piece.len()) as u64 > most => {
                    return Err(NotKept::TooLarge);
                }
                Ok(piece) => data.extend_from_slice(&piece),
                Err(frame) => trailers = frame.into_trailers().ok(),
            }
        }
        let whole = Whole {
            data: data.freeze(),
            trailers,
            received: Rc::clone(received),
        };
        *self = Self::Kept(Kept::of(&Rc::new(whole)));
        Ok(())
    }

    /// Returns the same body once more, for another try, if nothing was taken of it or it was kept.
    pub(crate) fn again(&self) -> Option<Self> {
        match self {
            Self::Empty => Some(Self::Empty),
            Self::Streamed(received) => {
                (!received.taken.get()).then(|| Self::Streamed(Rc::clone(received)))
            }
            Self::Kept(kept) => Some(Self::Kept(Kept::of(&kept.whole))),
        }
    }
}

impl Kept {
    fn of(whole: &Rc<Whole>) -> Self {
        Self {
            whole: Rc::clone(whole),
            data: Some(whole.data.clone()).filter(|data| !data.is_empty()),
            trailers: whole.trailers.clone(),
        }
    }

    fn frame(&mut self) -> Option<Frame<Bytes>> {
        let data = self.data.take().map(Frame::data);
        data.or_else(|| self.trailers.take().map(Frame::trailers))
    }

    // A body with a length has no place for trailers.
    fn size_hint(&self) -> SizeHint {
        match &self.trailers {
            None => SizeHint::with_exact(self.data.as_ref().map_or(0, Bytes::len) as u64),
            Some(_) => SizeHint::new(),
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
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFailure>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Streamed(received) => received.poll_frame(cx),
            Self::Kept(kept) => Poll::Ready(kept.frame().map(Ok)),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Streamed(received) => received.incoming.borrow().is_end_stream(),
            Self::Kept(kept) => kept.data.is_none() && kept.trailers.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Streamed(received) => received.incoming.borrow().size_hint(),
            Self::Kept(kept) => kept.size_hint(),
        }
    }
}
