//! What an endpoint sends: watched for pauses. When it has come whole, the endpoint's connection goes back to its pool.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::{Body, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::proxy::response_body::{Polled, ResponseCutShort};
use crate::proxy::upstream::Lease;

/// What an endpoint sends.
pub(super) struct Streamed {
    incoming: Incoming,
    // `None` once the body has come whole.
    lease: Option<Lease>,
    idle: Duration,
    // When it must have ended, however it comes.
    due: Option<Instant>,
    // Since when the next piece is awaited.
    waiting: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Streamed {
    pub(super) fn new(
        incoming: Incoming,
        lease: Lease,
        idle: Duration,
        due: Option<Instant>,
    ) -> Self {
        let mut streamed = Self {
            incoming,
            lease: Some(lease),
            idle,
            due,
            waiting: None,
            timer: None,
        };
        if streamed.incoming.is_end_stream() {
            streamed.complete();
        }
        streamed
    }

    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Polled {
        if self.due.is_some_and(|due| Instant::now() >= due) {
            return Poll::Ready(Some(Err(ResponseCutShort::Overdue)));
        }
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(frame) => {
                self.waiting = None;
                if frame.is_none() || self.incoming.is_end_stream() {
                    self.complete();
                }
                Poll::Ready(frame.map(|frame| frame.map_err(ResponseCutShort::Incomplete)))
            }
            Poll::Pending => self.poll_timer(cx),
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }

    pub(super) const fn is_unfinished(&self) -> bool {
        self.lease.is_some()
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Polled {
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
