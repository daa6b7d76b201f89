//! A client of one node that asks for one host again and again, over one connection.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::sleep;

use crate::client::{Answer, Connection, Destination, get};

/// It opens another connection only when the proxy has closed the one before.
pub(super) struct Asking {
    connection: Connection,
    destination: Destination,
}

impl Asking {
    pub(super) async fn start(node: SocketAddr, host: &str) -> anyhow::Result<Self> {
        let destination = Destination {
            address: node,
            tls: None,
            host: host.to_owned(),
            path: "/".to_owned(),
        };
        Ok(Self {
            connection: Connection::open(&destination).await?,
            destination,
        })
    }

    pub(super) async fn ask(&mut self) -> anyhow::Result<Answer> {
        if !self.connection.is_open() {
            self.connection = Connection::open(&self.destination).await?;
        }
        Ok(self.connection.send(get(&self.destination, false)?).await?)
    }
}

/// Waits before the next request: for short beside what is measured, and long enough to leave the machine to the programs.
pub(super) async fn pause() {
    sleep(Duration::from_millis(2)).await;
}

/// How long anything may take that is waited for by asking.
pub(super) const LIMIT: Duration = Duration::from_secs(60);
