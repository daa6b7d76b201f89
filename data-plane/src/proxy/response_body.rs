//! The body of a response on its way to a client: streamed, and changed on the way as policies say. When it has ended, the
//! request is counted and logged.

mod compressed;
mod encoder;
mod limited;
mod peeked;
mod streamed;

use std::io;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use sluice_proto::Encoding;
use tokio::task::yield_now;

use crate::cores::PieceSent;
use crate::proxy::exchange::Exchange;
use crate::proxy::respond::Cause;
use crate::proxy::response_body::compressed::Compressed;
use crate::proxy::response_body::encoder::Encoder;
use crate::proxy::response_body::limited::Limited;
use crate::proxy::response_body::peeked::Peeked;
use crate::proxy::response_body::streamed::Streamed;
use crate::proxy::upstream::Lease;

/// The body of a response.
pub(crate) struct ResponseBody {
    content: Content,
    // `None` once the connection has changed its protocol: the tunnel has it then.
    exchange: Option<Box<Exchange>>,
    // How the client takes it.
    taken: Option<Rc<PieceSent>>,
}

/// What a body is made of, the endpoint's innermost.
enum Content {
    Own(Option<Bytes>),
    Streamed(Box<Streamed>),
    Limited(Box<Limited>),
    Peeked(Box<Peeked>),
    Compressed(Box<Compressed>),
}

/// Why the body of a response did not come whole: the endpoint is at fault. The client's connection is closed then, for
/// nothing else says that something is missing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResponseCutShort {
    #[error("the endpoint ended the response before it was whole")]
    Incomplete(#[source] hyper::Error),
    #[error("the endpoint paused the response for too long")]
    Timeout,
    #[error("the response took longer than its route allows")]
    Overdue,
    #[error("the response is larger than its route allows")]
    TooLarge,
    #[error("the response could not be compressed")]
    Compression(#[source] io::Error),
}

type Polled = Poll<Option<Result<Frame<Bytes>, ResponseCutShort>>>;

impl ResponseBody {
    /// Returns the body of an answer of Sluice's own.
    pub(super) fn own(text: Bytes, mut exchange: Box<Exchange>, status: StatusCode) -> Self {
        exchange.answered(status);
        Self {
            content: Content::Own(Some(text).filter(|text| !text.is_empty())),
            exchange: Some(exchange),
            taken: None,
        }
    }

    /// Returns the body of a response after which another protocol is spoken.
    pub(super) const fn none() -> Self {
        Self {
            content: Content::Own(None),
            exchange: None,
            taken: None,
        }
    }

    /// Returns the body that an endpoint sends, which may pause for `idle`.
    pub(super) fn streamed(
        incoming: Incoming,
        lease: Lease,
        idle: Duration,
        mut exchange: Box<Exchange>,
        status: StatusCode,
    ) -> Self {
        exchange.answered(status);
        Self {
            content: Content::Streamed(Box::new(Streamed::new(
                incoming,
                lease,
                idle,
                exchange.due(),
            ))),
            taken: exchange.connection().follow_body(),
            exchange: Some(exchange),
        }
    }

    /// Drops what an endpoint sends. If all of it is there already and is not much, its connection can be used again; else
    /// it is closed.
    pub(super) async fn discard(incoming: Incoming, lease: Lease, idle: Duration) {
        let content = Content::Streamed(Box::new(Streamed::new(incoming, lease, idle, None)));
        if Peeked::new(content).ends_within(MOST_DISCARDED).await {
            // The connection ends with the request in a turn of its own.
            yield_now().await;
        }
    }

    /// Returns whether it is an answer of Sluice's own, or there is none.
    pub(crate) const fn is_own(&self) -> bool {
        matches!(self.content, Content::Own(_))
    }

    /// Cuts it short where it is longer than so many bytes.
    pub(crate) fn limit(&mut self, most: u64) {
        self.wrap(|content| Content::Limited(Box::new(Limited::new(content, most))));
    }

    /// Returns whether it ends before so many bytes, as far as what is there already tells.
    pub(crate) async fn ends_within(&mut self, bytes: u64) -> bool {
        let mut peeked = Peeked::new(self.take_content());
        let ends = peeked.ends_within(bytes).await;
        self.content = Content::Peeked(Box::new(peeked));
        ends
    }

    /// Compresses it; returns whether it could.
    pub(crate) fn compress(&mut self, encoding: Encoding) -> bool {
        let Ok(encoder) = Encoder::new(encoding) else {
            return false;
        };
        self.wrap(|content| Content::Compressed(Box::new(Compressed::new(content, encoder))));
        true
    }

    /// Returns the exchange, whose response will be another one.
    pub(super) const fn take_exchange(&mut self) -> Option<Box<Exchange>> {
        self.exchange.take()
    }

    fn wrap(&mut self, wrapped: impl FnOnce(Content) -> Content) {
        self.content = wrapped(self.take_content());
    }

    const fn take_content(&mut self) -> Content {
        mem::replace(&mut self.content, Content::Own(None))
    }
}

impl Content {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Polled {
        match self {
            Self::Own(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::Streamed(streamed) => streamed.poll_frame(cx),
            Self::Limited(limited) => limited.poll_frame(cx),
            Self::Peeked(peeked) => peeked.poll_frame(cx),
            Self::Compressed(compressed) => compressed.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(text) => text.is_none(),
            Self::Streamed(streamed) => streamed.is_end_stream(),
            Self::Limited(limited) => limited.is_end_stream(),
            Self::Peeked(peeked) => peeked.is_end_stream(),
            Self::Compressed(compressed) => compressed.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(text) => {
                SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64))
            }
            Self::Streamed(streamed) => streamed.size_hint(),
            Self::Limited(limited) => limited.size_hint(),
            Self::Peeked(peeked) => peeked.size_hint(),
            Self::Compressed(_) => SizeHint::default(),
        }
    }

    /// Returns whether the client has not been given all of it.
    fn is_unfinished(&self) -> bool {
        match self {
            Self::Own(_) => false,
            Self::Streamed(streamed) => streamed.is_unfinished(),
            Self::Limited(limited) => limited.is_unfinished(),
            Self::Peeked(peeked) => peeked.is_unfinished(),
            Self::Compressed(compressed) => !compressed.is_end_stream(),
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = ResponseCutShort;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        if let Some(taken) = &self.taken {
            taken.taken();
        }
        let polled = self.content.poll_frame(cx);
        if let (Poll::Ready(Some(_)), Some(taken)) = (&polled, &self.taken) {
            taken.sent();
        }
        if let (Poll::Ready(Some(piece)), Some(exchange)) = (&polled, &mut self.exchange) {
            match piece {
                Ok(frame) => exchange.sent(frame.data_ref().map_or(0, Bytes::len)),
                Err(ResponseCutShort::Overdue) => exchange.fail(Cause::RequestTimeout),
                Err(ResponseCutShort::TooLarge) => exchange.fail(Cause::ResponseBodyTooLarge),
                Err(_) => exchange.cut_short(),
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.content.size_hint()
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        // The client went away.
        if let (true, Some(exchange)) = (self.content.is_unfinished(), &mut self.exchange) {
            exchange.cut_short();
        }
    }
}

const MOST_DISCARDED: u64 = 64 << 10;
