//! The access log: one JSON line for each request, written when its response has ended.
//!
//! A core collects lines and hands them on in pieces; one thread writes. If it cannot keep up, lines are dropped and
//! counted: no core ever waits for a disk or a pipe.

use std::cell::{Cell, RefCell};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use jiff::Timestamp;
use serde::Serialize;

use crate::metrics::CoreCounters;

/// What is logged of one request. Names of objects are here and never in a response: strangers read those.
#[derive(Serialize)]
pub(crate) struct Line<'a> {
    /// When the response ended, RFC 3339.
    pub(crate) time: String,
    pub(crate) request_id: &'a str,
    /// Who the client is, by the settings.
    pub(crate) client: String,
    /// Who opened the connection.
    pub(crate) peer: String,
    pub(crate) method: &'a str,
    pub(crate) scheme: &'a str,
    pub(crate) host: &'a str,
    /// Without the query, which may hold what nobody should read.
    pub(crate) path: &'a str,
    pub(crate) protocol: &'a str,
    /// 499 if the client went away before there was one.
    pub(crate) status: u16,
    pub(crate) bytes_received: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) duration_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ingress: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) route: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// The policy that answered instead of the backend.
    pub(crate) policy: Option<&'a str>,
    /// The user's name, where a policy has asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) backend: Option<&'a str>,
    /// The endpoint tried last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint: Option<String>,
    /// How many endpoints were tried.
    pub(crate) tries: u32,
    /// From the request's header section to the response's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) upstream_headers_ms: Option<f64>,
    /// What went wrong, if something did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<&'a str>,
    /// The code of the problem that made it so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user_agent: Option<&'a str>,
}

impl<'a> Line<'a> {
    /// Returns the line of a request that could not be read: nothing is known of it but who sent it.
    pub(crate) fn unread(peer: &'a str, scheme: &'a str, status: u16, error: &'a str) -> Self {
        Self {
            time: now(),
            request_id: "",
            client: peer.to_owned(),
            peer: peer.to_owned(),
            method: "",
            scheme,
            host: "",
            path: "",
            protocol: "HTTP/1.1",
            status,
            bytes_received: 0,
            bytes_sent: 0,
            duration_ms: 0.0,
            namespace: None,
            ingress: None,
            route: None,
            policy: None,
            user: None,
            backend: None,
            endpoint: None,
            tries: 0,
            upstream_headers_ms: None,
            error: Some(error),
            problem: None,
            user_agent: None,
        }
    }
}

/// Returns the time as lines have it.
pub(crate) fn now() -> String {
    format!("{:.3}", Timestamp::now())
}

/// The thread that writes, and the way to it.
pub(crate) struct Writer {
    thread: JoinHandle<()>,
    sender: SyncSender<Vec<u8>>,
}

/// The lines of one core.
pub(crate) struct Lines {
    buffer: RefCell<Vec<u8>>,
    count: Cell<u64>,
    sender: SyncSender<Vec<u8>>,
    counters: Arc<CoreCounters>,
}

impl Writer {
    /// Starts the thread.
    pub(crate) fn start(to: Box<dyn Write + Send>) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(PIECES_WAITING);
        let thread = thread::Builder::new()
            .name(Self::THREAD.to_owned())
            .spawn(move || write(to, &receiver))?;
        Ok(Self { thread, sender })
    }

    /// Returns the lines of a new core.
    pub(crate) fn lines(&self, counters: Arc<CoreCounters>) -> Lines {
        Lines {
            buffer: RefCell::default(),
            count: Cell::new(0),
            sender: self.sender.clone(),
            counters,
        }
    }

    /// Waits until everything is written. All [`Lines`] are gone before.
    pub(crate) fn join(self) {
        drop(self.sender);
        if self.thread.join().is_err() {
            tracing::error!("the thread of the access log panicked");
        }
    }

    pub(crate) const THREAD: &'static str = "access-log";
}

impl Lines {
    /// Adds a line.
    pub(crate) fn push(&self, line: &Line<'_>) {
        let mut buffer = self.buffer.borrow_mut();
        let start = buffer.len();
        if serde_json::to_writer(&mut *buffer, line).is_err() {
            buffer.truncate(start);
            self.counters
                .log_lines_dropped
                .fetch_add(1, Ordering::Relaxed);
            return;
        }
        buffer.push(b'\n');
        self.count.set(self.count.get() + 1);
        if buffer.len() >= PIECE_BYTES {
            drop(buffer);
            self.flush();
        }
    }

    /// Hands on what has come together.
    pub(crate) fn flush(&self) {
        if self.count.get() == 0 {
            return;
        }
        let piece = self.buffer.take();
        let count = self.count.take();
        if self.sender.try_send(piece).is_err() {
            self.counters
                .log_lines_dropped
                .fetch_add(count, Ordering::Relaxed);
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.flush();
    }
}

fn write(mut to: Box<dyn Write + Send>, pieces: &Receiver<Vec<u8>>) {
    let mut failing = false;
    for piece in pieces {
        let written = to.write_all(&piece).and_then(|()| to.flush());
        if let Err(error) = &written
            && !failing
        {
            tracing::error!(%error, "the access log cannot be written; lines are lost until it can");
        }
        failing = written.is_err();
    }
}

const PIECE_BYTES: usize = 16 * 1024;
const PIECES_WAITING: usize = 256;
