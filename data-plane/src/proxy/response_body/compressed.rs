//! A body that is compressed piece by piece, on the core that has the connection (`encoder.rs` says why).
//!
//! What has come goes to the client as soon as nothing more is there: no event of a stream waits for the next one.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::Frame;

use crate::proxy::response_body::encoder::Encoder;
use crate::proxy::response_body::{Content, Polled, ResponseCutShort};

/// A body and what compresses it.
pub(super) struct Compressed {
    content: Content,
    // `None` once the body has ended.
    encoder: Option<Encoder>,
    // Of the last piece, what is not compressed yet.
    input: Bytes,
    // Something was taken in and has not come out yet.
    dirty: bool,
    // The endpoint's connection was given a turn of the core to bring more.
    turned: bool,
    // How much was compressed since others had a turn.
    worked: usize,
    // What comes after all data.
    trailers: Option<Frame<Bytes>>,
}

impl Compressed {
    pub(super) const fn new(content: Content, encoder: Encoder) -> Self {
        Self {
            content,
            encoder: Some(encoder),
            input: Bytes::new(),
            dirty: false,
            turned: false,
            worked: 0,
            trailers: None,
        }
    }

    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Polled {
        loop {
            if self.encoder.is_none() {
                return Poll::Ready(self.trailers.take().map(Ok));
            }
            if self.worked >= MOST_WORK {
                self.worked = 0;
                return turn(cx);
            }
            let output = if self.input.is_empty() {
                ready!(self.poll_input(cx))
            } else {
                self.compress()
            };
            match output {
                Ok(output) if output.is_empty() => {}
                Ok(output) => return Poll::Ready(Some(Ok(Frame::data(output)))),
                Err(error) => {
                    self.encoder = None;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }

    pub(super) const fn is_end_stream(&self) -> bool {
        self.encoder.is_none() && self.trailers.is_none()
    }

    // Returns what has come out because of what has come, or has not.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, ResponseCutShort>> {
        if self.content.is_end_stream() {
            return Poll::Ready(self.finish());
        }
        let Poll::Ready(piece) = self.content.poll_frame(cx) else {
            if !self.dirty {
                return Poll::Pending;
            }
            if !self.turned {
                self.turned = true;
                return turn(cx);
            }
            return Poll::Ready(self.flush());
        };
        self.turned = false;
        Poll::Ready(match piece.transpose() {
            Ok(Some(frame)) => match frame.into_data() {
                Ok(data) => {
                    self.input = data;
                    Ok(Bytes::new())
                }
                Err(trailers) => {
                    self.trailers = Some(trailers);
                    self.finish()
                }
            },
            Ok(None) => self.finish(),
            Err(error) => Err(error),
        })
    }

    fn compress(&mut self) -> Result<Bytes, ResponseCutShort> {
        let piece = self.input.split_to(self.input.len().min(MOST_AT_ONCE));
        self.worked += piece.len();
        self.dirty = true;
        self.encode(|encoder| {
            encoder.write(&piece)?;
            // What has come out by itself waits until it is worth a frame.
            Ok(encoder.len() >= MOST_AT_ONCE)
        })
    }

    fn flush(&mut self) -> Result<Bytes, ResponseCutShort> {
        (self.dirty, self.worked) = (false, 0);
        self.encode(|encoder| encoder.flush().map(|()| true))
    }

    fn finish(&mut self) -> Result<Bytes, ResponseCutShort> {
        let finished = self.encoder.take().map(Encoder::finish);
        let output = finished
            .transpose()
            .map_err(ResponseCutShort::Compression)?;
        Ok(output.unwrap_or_default())
    }

    // Returns what has come out, if `step` says that it is to be taken.
    fn encode(
        &mut self,
        step: impl FnOnce(&mut Encoder) -> io::Result<bool>,
    ) -> Result<Bytes, ResponseCutShort> {
        let Some(encoder) = &mut self.encoder else {
            return Ok(Bytes::new());
        };
        let take = step(encoder).map_err(ResponseCutShort::Compression)?;
        Ok(if take { encoder.take() } else { Bytes::new() })
    }
}

// Has everybody else on the core have a turn before this goes on.
fn turn<T>(cx: &Context<'_>) -> Poll<T> {
    cx.waker().wake_by_ref();
    Poll::Pending
}

const MOST_AT_ONCE: usize = 16 << 10;
const MOST_WORK: usize = 64 << 10;
