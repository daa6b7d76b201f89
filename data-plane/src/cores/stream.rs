//! A client's bytes, with a note of when some came: how a connection that waits for a request is told from one that
//! waits for the rest of one.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::clock::uptime_ms;

/// What a connection's client does. Shared with its stream, which hyper wants to be `Send`.
#[derive(Debug)]
pub(super) struct Activity {
    in_flight: AtomicU32,
    since_ms: AtomicU64,
    reading_head: AtomicBool,
}

/// What a client lets its connection wait for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Waiting {
    /// A request's header section, of which it has sent a part; or the first one.
    Head,
    /// A request.
    Request,
}

impl Activity {
    /// Returns that of a new connection, whose first request is awaited.
    pub(super) fn new() -> Self {
        Self {
            in_flight: AtomicU32::new(0),
            since_ms: AtomicU64::new(uptime_ms()),
            reading_head: AtomicBool::new(true),
        }
    }

    pub(super) fn request_began(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.reading_head.store(false, Ordering::Relaxed);
    }

    pub(super) fn request_ended(&self) {
        if self.in_flight.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.since_ms.store(uptime_ms(), Ordering::Relaxed);
        }
    }

    /// Notes that whatever comes now need not be a request: HTTP/2 sends other frames, too.
    pub(super) fn stop_reading_head(&self) {
        self.reading_head.store(false, Ordering::Relaxed);
    }

    /// Returns what it waits for and since when; `None` while a request is answered.
    pub(super) fn waiting(&self) -> Option<(Waiting, u64)> {
        if self.in_flight.load(Ordering::Relaxed) > 0 {
            return None;
        }
        let waiting = if self.reading_head.load(Ordering::Relaxed) {
            Waiting::Head
        } else {
            Waiting::Request
        };
        Some((waiting, self.since_ms.load(Ordering::Relaxed)))
    }

    fn received(&self) {
        let waits = self.in_flight.load(Ordering::Relaxed) == 0;
        if waits && !self.reading_head.swap(true, Ordering::Relaxed) {
            self.since_ms.store(uptime_ms(), Ordering::Relaxed);
        }
    }
}

/// A stream that notes when bytes come while no request is answered.
#[derive(Debug)]
pub(super) struct Watched<I> {
    inner: I,
    activity: Arc<Activity>,
}

impl<I> Watched<I> {
    pub(super) const fn new(inner: I, activity: Arc<Activity>) -> Self {
        Self { inner, activity }
    }
}

impl Watched<TcpStream> {
    /// Reads without taking anything out.
    pub(super) async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.peek(buffer).await
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Watched<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.activity.received();
        }
        polled
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Watched<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
