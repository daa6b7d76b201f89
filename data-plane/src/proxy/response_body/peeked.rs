//! A body of which the first pieces were looked at before the client got the header section.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::task::yield_now;

use crate::proxy::response_body::{Content, Polled, ResponseCutShort};

/// A body, and the pieces of it that have come.
pub(super) struct Peeked {
    pieces: VecDeque<Result<Frame<Bytes>, ResponseCutShort>>,
    content: Content,
    // Nothing comes after the pieces.
    ended: bool,
}

impl Peeked {
    pub(super) const fn new(content: Content) -> Self {
        Self {
            pieces: VecDeque::new(),
            content,
            ended: false,
        }
    }

    /// Returns whether it ends before so many bytes, as far as what is there tells: it waits for nothing but a turn of the
    /// core, in which the endpoint's connection reads on.
    pub(super) async fn ends_within(&mut self, bytes: u64) -> bool {
        let mut length = 0;
        while length < bytes {
            let piece = match self.poll_now().await {
                Poll::Pending => {
                    yield_now().await;
                    self.poll_now().await
                }
                ready => ready,
            };
            match piece {
                Poll::Pending => return false,
                Poll::Ready(None) => {
                    self.ended = true;
                    return true;
                }
                Poll::Ready(Some(piece)) => {
                    self.ended = piece.is_err();
                    if let Ok(data) = piece.as_ref().map(Frame::data_ref) {
                        length += data.map_or(0, Bytes::len) as u64;
                    }
                    self.pieces.push_back(piece);
                    if self.ended {
                        return false;
                    }
                }
            }
        }
        false
    }

    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Polled {
        match self.pieces.pop_front() {
            Some(piece) => Poll::Ready(Some(piece)),
            None if self.ended => Poll::Ready(None),
            None => self.content.poll_frame(cx),
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.pieces.is_empty() && (self.ended || self.content.is_end_stream())
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        if self.pieces.is_empty() {
            return self.content.size_hint();
        }
        SizeHint::default()
    }

    pub(super) fn is_unfinished(&self) -> bool {
        !self.pieces.is_empty() || self.content.is_unfinished()
    }

    async fn poll_now(&mut self) -> Polled {
        poll_fn(|cx| Poll::Ready(self.content.poll_frame(cx))).await
    }
}
