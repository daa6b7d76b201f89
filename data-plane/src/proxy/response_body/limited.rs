//! A body that did not say how long it is, and is cut short where it is longer than a policy allows.

use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::SizeHint;

use crate::proxy::response_body::{Content, Polled, ResponseCutShort};

/// A body that may be so long.
pub(super) struct Limited {
    // `None` once it was cut short: the endpoint's connection is closed then.
    content: Option<Content>,
    left: u64,
}

impl Limited {
    pub(super) const fn new(content: Content, most: u64) -> Self {
        Self {
            content: Some(content),
            left: most,
        }
    }

    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Polled {
        let Some(content) = &mut self.content else {
            return Poll::Ready(None);
        };
        let polled = content.poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let length = frame.data_ref().map_or(0, Bytes::len) as u64;
            let Some(left) = self.left.checked_sub(length) else {
                self.content = None;
                return Poll::Ready(Some(Err(ResponseCutShort::TooLarge)));
            };
            self.left = left;
        }
        polled
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.content.as_ref().is_none_or(Content::is_end_stream)
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        (self.content.as_ref()).map_or_else(SizeHint::default, Content::size_hint)
    }

    pub(super) fn is_unfinished(&self) -> bool {
        self.content.as_ref().is_some_and(Content::is_unfinished)
    }
}
