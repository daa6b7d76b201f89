//! Clients that never stop: each request on a connection of its own, and whatever goes wrong with one is kept.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::eventually;

/// Clients that ask until they are told to end.
pub(crate) struct Load {
    clients: JoinSet<Vec<String>>,
    answered: Arc<AtomicUsize>,
    stop: watch::Sender<bool>,
}

impl Load {
    /// Starts a few clients of `shop.example` at this address.
    pub(crate) fn start(address: SocketAddr) -> Self {
        let (stop, stopped) = watch::channel(false);
        let answered = Arc::new(AtomicUsize::new(0));
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let (stopped, answered) = (stopped.clone(), Arc::clone(&answered));
            clients.spawn(async move {
                let mut failures = Vec::new();
                while !*stopped.borrow() {
                    match fetch(address).await {
                        Ok(_) => _ = answered.fetch_add(1, Ordering::SeqCst),
                        Err(failure) => failures.push(failure),
                    }
                }
                failures
            });
        }
        Self {
            clients,
            answered,
            stop,
        }
    }

    /// Waits until so many more requests have been answered.
    pub(crate) async fn more(&self, count: usize) {
        let goal = self.answered.load(Ordering::SeqCst) + count;
        eventually("requests answered", async || {
            self.answered.load(Ordering::SeqCst) >= goal
        })
        .await;
    }

    /// Ends it; returns how many requests were answered, and what went wrong with the others.
    pub(crate) async fn end(self) -> (usize, Vec<String>) {
        self.stop.send_replace(true);
        let failures = self.clients.join_all().await;
        (self.answered.load(Ordering::SeqCst), failures.concat())
    }
}

/// Gets `shop.example/` on a new connection; returns the whole answer, or what went wrong.
pub(crate) async fn fetch(address: SocketAddr) -> Result<String, String> {
    let exchange = async {
        let mut stream = TcpStream::connect(address)
            .await
            .map_err(|error| format!("connect: {error}"))?;
        let request = b"GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n";
        stream
            .write_all(request)
            .await
            .map_err(|error| format!("write: {error}"))?;
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .await
            .map_err(|error| format!("read: {error}"))?;
        if answer.starts_with("HTTP/1.1 200 ") {
            Ok(answer)
        } else {
            Err(format!("answer: {answer:?}"))
        }
    };
    let in_time = timeout(PATIENCE, exchange).await;
    in_time.unwrap_or_else(|_| Err("no answer in time".to_owned()))
}

const CLIENTS: usize = 4;
const PATIENCE: Duration = Duration::from_secs(10);
