//! A target's connections that are kept open, and the one retry that a client may make.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use super::Target;
use crate::client::{Answer, ClientError, Connection, get, post};

pub(super) struct Pool {
    target: Target,
    sent: AtomicUsize,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    pub(super) fn new(target: Target) -> Self {
        Self {
            target,
            sent: AtomicUsize::new(0),
            idle: Mutex::new(Vec::new()),
        }
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// Sends the request over a connection of its own.
    pub(super) async fn over_new(&self) -> Result<Answer, String> {
        let mut connection = self.open().await.map_err(|error| error.chain())?;
        let request = self.request(true).map_err(|error| error.to_string())?;
        let answer = connection.send(request).await;
        answer.map_err(|error| error.chain())
    }

    /// Sends the request over an idle connection if there is one, and keeps the connection.
    ///
    /// A server may close an idle connection at any time, so every client sends again what it sent on one that
    /// closed before any byte of an answer ([`Connection::may_send_again`]). Nothing else is sent again.
    pub(super) async fn over_kept_alive(&self) -> Result<Answer, String> {
        while let Some(mut connection) = self.take_idle() {
            let before = connection.received();
            match self.exchange(&mut connection).await {
                Ok(answer) => {
                    self.keep(connection, &answer);
                    return Ok(answer);
                }
                Err(error) if connection.may_send_again(before, &error) => {}
                Err(error) => return Err(error.chain()),
            }
        }
        let mut connection = self.open().await.map_err(|error| error.chain())?;
        let answer = self
            .exchange(&mut connection)
            .await
            .map_err(|error| error.chain())?;
        self.keep(connection, &answer);
        Ok(answer)
    }

    /// Opens a connection to the target, or to the first of the others if it is refused.
    async fn open(&self) -> Result<Connection, ClientError> {
        let mut destination = self.target.destination.clone();
        let mut others = self.target.others.iter();
        loop {
            match Connection::open(&destination).await {
                Err(ClientError::Connect(error))
                    if error.kind() == io::ErrorKind::ConnectionRefused =>
                {
                    let Some(&other) = others.next() else {
                        return Err(ClientError::Connect(error));
                    };
                    destination.address = other;
                }
                opened => return opened,
            }
        }
    }

    async fn exchange(&self, connection: &mut Connection) -> Result<Answer, ClientError> {
        connection.send(self.request(false)?).await
    }

    // Both kinds of connections come in turn, so two in a row are of each method.
    fn request(&self, last: bool) -> http::Result<Request<Full<Bytes>>> {
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        if (number / 2).is_multiple_of(2) {
            get(&self.target.destination, last)
        } else {
            post(&self.target.destination, last)
        }
    }

    fn take_idle(&self) -> Option<Connection> {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
    }

    fn keep(&self, connection: Connection, answer: &Answer) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if !answer.header("connection").eq_ignore_ascii_case("close")
            && connection.is_open()
            && idle.len() < KEPT
        {
            idle.push(connection);
        }
    }
}

/// As many as a busy client of one host would hold.
const KEPT: usize = 32;
