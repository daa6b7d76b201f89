//! The body of a response on its way to a client: streamed, watched for pauses. When it has ended, the endpoint's
//! connection goes back to its pool and the request is counted and logged.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::cores::PieceSent;
use crate::proxy::exchange::Exchange;
use crate::proxy::respond::Cause;
use crate::proxy::upstream::Lease;

/// The body of a response.
pub(crate) struct ResponseBody {
    content: Content,
    // `None` once the connection has changed its protocol: the tunnel has it then.
    exchange: Option<Box<Exchange>>,
}

enum Content {
    Own(Option<Bytes>),
    Streamed(Streamed),
}

struct Streamed {
    incoming: Incoming,
    // `None` once the body has come whole.
    lease: Option<Lease>,
    idle: Duration,
    // When it must have ended, however it comes.
    due: Option<Instant>,
    // Since when the next piece is awaited.
    waiting: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    // How the client takes it.
    taken: Option<Rc<PieceSent>>,
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
}

impl ResponseBody {
    /// Returns the body of an answer of Sluice's own.
    pub(super) fn own(text: Bytes, mut exchange: Box<Exchange>, status: StatusCode) -> Self {
        exchange.answered(status);
        Self {
            content: Content::Own(Some(text).filter(|text| !text.is_empty())),
            exchange: Some(exchange),
        }
    }

    /// Returns the body of a response after which another protocol is spoken.
    pub(super) const fn none() -> Self {
        Self {
            content: Content::Own(None),
            exchange: None,
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
        let mut streamed = Streamed {
            incoming,
            lease: Some(lease),
            idle,
            due: exchange.due(),
            waiting: None,
            timer: None,
            taken: exchange.connection().follow_body(),
        };
        if streamed.incoming.is_end_stream() {
            streamed.complete();
        }
        Self {
            content: Content::Streamed(streamed),
            exchange: Some(exchange),
        }
    }
}

impl Streamed {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ResponseCutShort>>> {
        if let Some(taken) = &self.taken {
            taken.taken();
        }
        if self.due.is_some_and(|due| Instant::now() >= due) {
            return Poll::Ready(Some(Err(ResponseCutShort::Overdue)));
        }
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(frame) => {
                self.waiting = None;
                if let (Some(taken), Some(_)) = (&self.taken, &frame) {
                    taken.sent();
                }
                if frame.is_none() || self.incoming.is_end_stream() {
                    self.complete();
                }
                Poll::Ready(frame.map(|frame| frame.map_err(ResponseCutShort::Incomplete)))
            }
            Poll::Pending => self.poll_timer(cx),
        }
    }

    fn poll_timer<T>(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, ResponseCutShort>>> {
        let idle = *self.waiting.get_or_insert_with(Instant::now) + self.idle;
        let due = self.due.map_or(idle, |due| due.min(idle));
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        // Moved only when it fires: most pieces come long before.
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= due {
                let why = if due < idle {
                    ResponseCutShort::Overdue
                } else {
                    ResponseCutShort::Timeout
                };
                return Poll::Ready(Some(Err(why)));
            }
            timer.as_mut().reset(due);
        }
        Poll::Pending
    }

    fn complete(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = ResponseCutShort;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ResponseCutShort>>> {
        let polled = match &mut self.content {
            Content::Own(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Content::Streamed(streamed) => streamed.poll_frame(cx),
        };
        if let (Poll::Ready(Some(piece)), Some(exchange)) = (&polled, &mut self.exchange) {
            match piece {
                Ok(frame) => exchange.sent(frame.data_ref().map_or(0, Bytes::len)),
                Err(ResponseCutShort::Overdue) => exchange.fail(Cause::RequestTimeout),
                Err(_) => exchange.cut_short(),
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Own(text) => text.is_none(),
            Content::Streamed(streamed) => streamed.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Own(text) => {
                SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64))
            }
            Content::Streamed(streamed) => streamed.incoming.size_hint(),
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        // The client went away.
        if let (Content::Streamed(Streamed { lease: Some(_), .. }), Some(exchange)) =
            (&self.content, &mut self.exchange)
        {
            exchange.cut_short();
        }
    }
}
