//! A listener that closes: whoever has connected is served, and whoever has not is refused. Nobody is reset.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_resets_nobody_who_has_connected() {
    for _ in 0..ROUNDS {
        let (_backend, edge) = quick().await;
        let clients = clients(edge.http());
        eventually("clients are there", async || {
            edge.edge.status().connections > 0
        })
        .await;
        edge.edge.drain(Duration::from_secs(1)).await;
        assert_eq!(lost(clients).await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_is_removed_resets_nobody_who_has_connected() {
    for _ in 0..ROUNDS {
        let (_backend, mut edge) = quick().await;
        let [http, _] = listeners();
        let clients = clients(edge.http());
        eventually("clients are there", async || {
            edge.edge.status().connections > 0
        })
        .await;
        edge.remove(&http);
        assert_eq!(lost(clients).await, Vec::<String>::new());
    }
}

// Who comes while a listener closes is not answered at all, sends its first packet again after a second, and is refused then.
#[tokio::test(flavor = "multi_thread")]
async fn who_comes_while_a_listener_closes_is_refused_a_second_later() {
    for removed in [true, false] {
        eventually("a connection that was kept out", async || {
            let (_backend, mut edge) = quick().await;
            let address = edge.http();
            let [http, _] = listeners();
            let draining = async {
                if removed {
                    edge.remove(&http);
                } else {
                    edge.edge.drain(Duration::from_secs(5)).await;
                }
            };
            tokio::join!(draining, refused_late(address)).1
        })
        .await;
    }
}

/// Connects again and again until it is refused, and returns whether that took so long that its first packet was dropped.
async fn refused_late(address: SocketAddr) -> bool {
    let mut start = Instant::now();
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
        start = Instant::now();
    }
    start.elapsed() > Duration::from_millis(500)
}

async fn quick() -> (Backend, TestEdge) {
    let backend = Backend::saying("quick").await;
    let mut resources = vec![route("shop.example", "/", "web")];
    resources.extend(service("web", [backend.address]));
    let edge = TestEdge::serving(resources);
    (backend, edge)
}

/// Starts clients that connect again and again until they cannot. Each returns what went wrong after it had connected.
fn clients(address: SocketAddr) -> JoinSet<Option<String>> {
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(async move {
            loop {
                let connected = timeout(PATIENCE, TcpStream::connect(address)).await;
                // Refused, or nobody answers.
                let Ok(Ok(stream)) = connected else {
                    return None;
                };
                if let Err(lost) = exchange(stream).await {
                    return Some(lost);
                }
            }
        });
    }
    clients
}

async fn exchange(mut stream: TcpStream) -> Result<(), String> {
    let request = b"GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n";
    let mut answer = String::new();
    let exchanging = async {
        stream.write_all(request).await?;
        stream.read_to_string(&mut answer).await
    };
    match timeout(PATIENCE, exchanging).await {
        Ok(Ok(_)) if answer.ends_with("quick") => Ok(()),
        ended => Err(format!("{ended:?} after {answer:?}")),
    }
}

async fn lost(clients: JoinSet<Option<String>>) -> Vec<String> {
    let ended = within("the last of the clients", clients.join_all()).await;
    ended.into_iter().flatten().collect()
}

const ROUNDS: usize = 6;
const CLIENTS: usize = 32;
const PATIENCE: Duration = Duration::from_secs(5);
