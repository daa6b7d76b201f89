//! A connection that has changed its protocol: bytes both ways, until both sides have ended or neither sends any more.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};
use tokio::time::{Instant, sleep_until};

use crate::proxy::exchange::Exchange;
use crate::proxy::upstream::Lease;

/// Connects both sides as soon as they are free. The exchange ends with the tunnel.
pub(super) fn spawn(
    client: OnUpgrade,
    endpoint: OnUpgrade,
    lease: Lease,
    idle: Duration,
    exchange: Box<Exchange>,
) {
    drop(tokio::task::spawn_local(async move {
        let mut exchange = exchange;
        match tokio::try_join!(client, endpoint) {
            Ok((client, endpoint)) => {
                let moved = Rc::new(Cell::new(Instant::now()));
                let mut client = Noted::new(TokioIo::new(client), &moved);
                let mut endpoint = Noted::new(TokioIo::new(endpoint), &moved);
                tokio::select! {
                    copied = copy_bidirectional(&mut client, &mut endpoint) => {
                        if let Ok((_, sent)) = copied {
                            exchange.sent(usize::try_from(sent).unwrap_or(usize::MAX));
                        }
                    }
                    () = idle_for(&moved, idle) => {}
                }
            }
            Err(error) => tracing::debug!(%error, "a connection could not change its protocol"),
        }
        drop(lease);
        drop(exchange);
    }));
}

async fn idle_for(moved: &Cell<Instant>, idle: Duration) {
    loop {
        let due = moved.get() + idle;
        if due <= Instant::now() {
            return;
        }
        sleep_until(due).await;
    }
}

/// Notes when bytes come.
struct Noted<I> {
    inner: I,
    moved: Rc<Cell<Instant>>,
}

impl<I> Noted<I> {
    fn new(inner: I, moved: &Rc<Cell<Instant>>) -> Self {
        Self {
            inner,
            moved: Rc::clone(moved),
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Noted<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if polled.is_ready() {
            self.moved.set(Instant::now());
        }
        polled
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Noted<I> {
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
}
