//! A target's connections that are kept open, and the one retry that a client may make.

use std::io;
use std::sync::{Mutex, PoisonError};

use super::Target;
use crate::client::{Answer, ClientError, Connection, get};

pub(super) struct Pool {
    target: Target,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    pub(super) fn new(target: Target) -> Self {
        Self {
            target,
            idle: Mutex::new(Vec::new()),
        }
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// Sends the request over a connection of its own.
    pub(super) async fn over_new(&self) -> Result<Answer, String> {
        let mut connection = self.open().await.map_err(|error| error.chain())?;
        let request = get(&self.target.destination, true).map_err(|error| error.to_string())?;
        connection
            .send(request)
            .await
            .map_err(|error| error.chain())
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
        connection.send(get(&self.target.destination, false)?).await
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
