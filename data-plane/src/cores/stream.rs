//! A client's bytes, with a note of when some came: how a connection that waits for a request is told from one that
//! waits for the rest of one.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use crate::clock::uptime_ms;

/// What a connection's client does. Shared with its stream, which hyper wants to be `Send`.
#[derive(Debug)]
pub(super) struct Activity {
    in_flight: AtomicU32,
    since_ms: AtomicU64,
    reading_head: AtomicBool,
    // Since when the client has taken nothing of what is to be written; 0 if it takes.
    stalled_ms: AtomicU64,
    // A part of a request's body has not been read.
    unread: AtomicBool,
}

/// What a client lets its connection wait for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Waiting {
    /// A request's header section, of which it has sent a part; or the first one.
    Head,
    /// It to take what is written.
    Reader,
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
            stalled_ms: AtomicU64::new(0),
            unread: AtomicBool::new(false),
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

    /// Notes whether the client still has to send a part of a body.
    pub(super) fn set_unread(&self, unread: bool) {
        self.unread.store(unread, Ordering::Relaxed);
    }

    /// Notes that whatever comes now need not be a request: HTTP/2 sends other frames, too.
    pub(super) fn stop_reading_head(&self) {
        self.reading_head.store(false, Ordering::Relaxed);
    }

    /// Returns what it waits for and since when; `None` while a request is answered and the client takes the answer.
    pub(super) fn waiting(&self) -> Option<(Waiting, u64)> {
        let stalled_ms = self.stalled_ms.load(Ordering::Relaxed);
        if stalled_ms > 0 {
            return Some((Waiting::Reader, stalled_ms));
        }
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

    // Whether the client is in the middle of something.
    fn is_sending(&self) -> bool {
        self.unread.load(Ordering::Relaxed) || self.reading_head.load(Ordering::Relaxed)
    }

    // A response's body is not asked for its next piece while the client takes none, so its own timeout does not run.
    fn wrote<T>(&self, written: &Poll<T>) {
        if written.is_ready() {
            self.stalled_ms.store(0, Ordering::Relaxed);
        } else if self.stalled_ms.load(Ordering::Relaxed) == 0 {
            self.stalled_ms.store(uptime_ms().max(1), Ordering::Relaxed);
        }
    }

    fn received(&self) {
        let waits = self.in_flight.load(Ordering::Relaxed) == 0;
        if waits && !self.reading_head.swap(true, Ordering::Relaxed) {
            self.since_ms.store(uptime_ms(), Ordering::Relaxed);
        }
    }
}

/// A stream that notes when bytes come while no request is answered, and that is closed in stages.
#[derive(Debug)]
pub(super) struct Watched<I> {
    inner: I,
    activity: Arc<Activity>,
    ended: bool,
    linger: Option<Pin<Box<Sleep>>>,
    // How many more bytes of a header section are read to be dropped; a body has only the time.
    linger_bytes: usize,
}

impl<I> Watched<I> {
    pub(super) const fn new(inner: I, activity: Arc<Activity>) -> Self {
        Self {
            inner,
            activity,
            ended: false,
            linger: None,
            linger_bytes: LINGER_HEAD_BYTES,
        }
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
        } else if polled.is_ready() {
            self.ended = true;
        }
        polled
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.activity.wrote(&written);
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    // RFC 9112, section 9.6: "If a server performs an immediate close of a TCP connection, there is a significant risk
    // that the client will not be able to read the last HTTP response. [...] To avoid the TCP reset problem, servers
    // typically close a connection in stages." What the client was about to send is read and dropped for a while.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.linger.is_none() {
            ready!(Pin::new(&mut self.inner).poll_shutdown(cx))?;
            if self.ended || !self.activity.is_sending() {
                return Poll::Ready(Ok(()));
            }
            self.linger = Some(Box::pin(sleep(LINGER)));
        }
        let mut dropped = [0; 4096];
        while !self.ended {
            let mut buffer = ReadBuf::new(&mut dropped);
            match Pin::new(&mut self.inner).poll_read(cx, &mut buffer) {
                Poll::Ready(read) => {
                    let count = buffer.filled().len();
                    self.ended = read.is_err() || count == 0;
                    // A header section without an end is no mistake of somebody who wants to know.
                    if !self.activity.unread.load(Ordering::Relaxed) {
                        self.linger_bytes = self.linger_bytes.saturating_sub(count);
                        self.ended |= self.linger_bytes == 0;
                    }
                }
                Poll::Pending => break,
            }
        }
        let ended = self.ended;
        match &mut self.linger {
            Some(linger) if !ended => linger.as_mut().poll(cx).map(Ok),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.activity.wrote(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

const LINGER: Duration = Duration::from_secs(2);
const LINGER_HEAD_BYTES: usize = 4 << 20;
