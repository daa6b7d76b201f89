//! WebSockets that come and go under a load: each lives for a while, says something and hears it back again and again,
//! and ends by itself. One that ends before is cut, and that is a failure.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

/// WebSockets that are open at once.
#[derive(Clone, Debug)]
pub struct WebSockets {
    /// The proxies, taken in turn.
    pub addresses: Vec<SocketAddr>,
    /// The host that they ask for.
    pub host: String,
    /// How many are open at once.
    pub at_once: usize,
    /// How long each lives.
    pub life: Duration,
}

/// What became of them.
#[derive(Clone, Debug, Default)]
pub struct WebSocketReport {
    /// How many lived to their end.
    pub ended: usize,
    /// Why the others did not.
    pub cut: Vec<String>,
}

/// WebSockets under way. Dropping it aborts them.
#[derive(Debug)]
pub struct RunningWebSockets {
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
    report: Arc<Mutex<WebSocketReport>>,
}

impl WebSockets {
    /// Opens them, one after the other. Must be called on a runtime.
    #[must_use]
    pub fn start(self) -> RunningWebSockets {
        let (stop, stopped) = watch::channel(false);
        let report = Arc::<Mutex<WebSocketReport>>::default();
        let started = Instant::now();
        let mut tasks = JoinSet::new();
        for place in 0..self.at_once {
            let (sockets, report, stopped) = (self.clone(), Arc::clone(&report), stopped.clone());
            tasks.spawn(async move {
                // Not all at once, so that at any time some are young and some are old.
                sleep(self.life.mul_f64(place as f64 / self.at_once as f64)).await;
                let mut turn = place;
                while !*stopped.borrow() {
                    let address = sockets.addresses[turn % sockets.addresses.len()];
                    let lived = one(address, &sockets.host, sockets.life).await;
                    let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
                    match lived {
                        Ok(()) => report.ended += 1,
                        Err(why) => {
                            let at = started.elapsed();
                            report.cut.push(format!("at {at:.1?} via {address}: {why}"));
                        }
                    }
                    turn += 1;
                }
            });
        }
        RunningWebSockets {
            tasks,
            stop,
            report,
        }
    }
}

impl RunningWebSockets {
    /// Lets those that are open live to their end, opens no more, and returns what became of all.
    pub async fn stop(mut self) -> WebSocketReport {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
        self.report
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

async fn one(address: SocketAddr, host: &str, life: Duration) -> Result<(), String> {
    let open = timeout(LIMIT, open(address, host)).await;
    let mut socket = open.map_err(|_| "no answer to the handshake".to_owned())??;
    let end = Instant::now() + life;
    let mut number = 0_u32;
    while Instant::now() < end {
        number += 1;
        exchange(&mut socket, &number.to_string()).await?;
        sleep(BETWEEN_MESSAGES).await;
    }
    socket.close(None).await.map_err(|error| error.to_string())
}

async fn open(address: SocketAddr, host: &str) -> Result<WebSocketStream<TcpStream>, String> {
    let stream = TcpStream::connect(address)
        .await
        .map_err(|error| format!("cannot connect: {error}"))?;
    client_async(format!("ws://{host}/socket"), stream)
        .await
        .map(|(socket, _)| socket)
        .map_err(|error| format!("the handshake failed: {error}"))
}

async fn exchange(socket: &mut WebSocketStream<TcpStream>, text: &str) -> Result<(), String> {
    socket
        .send(Message::text(text))
        .await
        .map_err(|error| format!("cut before message {text}: {error}"))?;
    match timeout(LIMIT, socket.next()).await {
        Ok(Some(Ok(Message::Text(heard)))) if heard.as_str() == text => Ok(()),
        Ok(Some(Ok(other))) => Err(format!("message {text} came back as {other:?}")),
        Ok(Some(Err(error))) => Err(format!("cut after message {text}: {error}")),
        Ok(None) => Err(format!("closed after message {text}")),
        Err(_) => Err(format!("message {text} did not come back")),
    }
}

const BETWEEN_MESSAGES: Duration = Duration::from_millis(250);
const LIMIT: Duration = Duration::from_secs(10);
