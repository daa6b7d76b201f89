//! A client's body on its way to an endpoint: streamed, watched for pauses and size, and read once more for another try
//! while that is possible: nothing was taken of it, or what was taken is kept.

mod kept;
mod received;

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::cores::ClientConnection;
use crate::proxy::body::kept::length;
use crate::proxy::respond::Cause;

pub(super) use crate::proxy::body::received::{BodyFailure, ReceivedBody};

/// A client's body, as it is sent to an endpoint.
pub(crate) enum RequestBody {
    /// None.
    Empty,
    /// As it comes.
    Streamed(Reading),
}

/// One reading of what comes of a client's body, from its beginning.
pub(crate) struct Reading {
    received: Rc<ReceivedBody>,
    // 0 until it begins.
    number: u32,
    bytes: u64,
    trailers: bool,
}

/// Why a client's body cannot be read before it is sent on.
#[derive(Debug)]
pub(crate) enum NotKept {
    TooLarge,
    Failed(Cause),
}

/// Returns a request once more, for another try, if its body can still be had.
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
        let received = ReceivedBody::new(incoming, connection, idle);
        Self::Streamed(Reading::of(&Rc::new(received)))
    }

    /// Lets it be so many bytes long; more is a failure of the client's.
    pub(crate) fn limit(&self, most: u64) {
        if let Self::Streamed(reading) = self {
            reading.received.limit(most);
        }
    }

    /// Keeps what is taken of it, so that another try can have it, unless it is more than so many bytes.
    pub(crate) fn keep(&self, most: u64) {
        if let Self::Streamed(reading) = self {
            reading.received.keep(most);
        }
    }

    /// Reads it whole and keeps it, so that it can be sent more than once, if it is no longer than so many bytes.
    pub(crate) async fn read(&mut self, most: u64) -> Result<(), NotKept> {
        let Self::Streamed(reading) = self else {
            return Ok(());
        };
        let received = Rc::clone(&reading.received);
        received.keep(most);
        while self.size_hint().lower() <= most {
            let Some(frame) = poll_fn(|cx| Pin::new(&mut *self).poll_frame(cx)).await else {
                *self = self.again().ok_or(NotKept::TooLarge)?;
                return Ok(());
            };
            frame.map_err(|failure| NotKept::Failed(failure.cause()))?;
            if received.bytes() > most {
                break;
            }
        }
        Err(NotKept::TooLarge)
    }

    /// Has nobody else read it from now on: a connection that was given up may not have noticed yet.
    pub(super) fn begin(&mut self) {
        if let Self::Streamed(reading) = self {
            reading.number = reading.received.begin();
        }
    }

    /// Returns what has come, if there is a body.
    pub(super) fn received(&self) -> Option<&Rc<ReceivedBody>> {
        match self {
            Self::Empty => None,
            Self::Streamed(reading) => Some(&reading.received),
        }
    }

    /// Returns the same body from its beginning, for another try, if it can still be had.
    pub(crate) fn again(&self) -> Option<Self> {
        match self {
            Self::Empty => Some(Self::Empty),
            Self::Streamed(reading) => {
                let received = &reading.received;
                received
                    .is_whole()
                    .then(|| Self::Streamed(Reading::of(received)))
            }
        }
    }
}

impl Reading {
    fn of(received: &Rc<ReceivedBody>) -> Self {
        Self {
            received: Rc::clone(received),
            number: 0,
            bytes: 0,
            trailers: false,
        }
    }

    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFailure>>> {
        let received = &self.received;
        if !received.is_current(self.number) {
            return Poll::Ready(Some(Err(BodyFailure::ReadAnew)));
        }
        let polled = match received.kept(self.bytes, self.trailers) {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => received.poll_frame(cx),
        };
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.trailers |= frame.is_trailers();
            self.bytes += length(frame);
        }
        polled
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
            Self::Streamed(reading) => reading.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Streamed(reading) => {
                let received = &reading.received;
                let kept = received.kept(reading.bytes, reading.trailers);
                received.has_ended() && kept.is_none()
            }
        }
    }

    // What has come and was not read this time is kept.
    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Streamed(reading) => {
                let received = &reading.received;
                let kept = received.bytes() - reading.bytes;
                let to_come = if received.has_ended() {
                    SizeHint::with_exact(0)
                } else {
                    received.size_hint()
                };
                let mut whole = SizeHint::new();
                whole.set_lower(kept + to_come.lower());
                // Beside a length, HTTP/1.1 has no place for trailers.
                let upper = to_come.upper().filter(|_| !received.keeps_trailers());
                if let Some(upper) = upper {
                    whole.set_upper(kept + upper);
                }
                whole
            }
        }
    }
}
