//! The end of an edge: what is in flight is finished.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, StatusCode};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::harness::*;

/// A backend that answers once it is told to.
async fn held() -> (Backend, Arc<Notify>, TestEdge) {
    let go = Arc::new(Notify::new());
    let told = Arc::clone(&go);
    let backend = Backend::start(move |_| {
        let told = Arc::clone(&told);
        async move {
            told.notified().await;
            text("finished")
        }
    })
    .await;
    let quick = Backend::saying("quick").await;
    let mut resources = vec![
        route("slow.example", "/", "slow"),
        route("quick.example", "/", "quick"),
    ];
    resources.extend(service("slow", [backend.address]));
    resources.extend(service("quick", [quick.address]));
    let edge = TestEdge::serving(resources);
    // It lives as long as the test.
    std::mem::forget(quick);
    (backend, go, edge)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_flight_is_finished_and_then_it_is_over_at_once() {
    let (backend, go, mut edge) = held().await;
    let address = edge.http();
    let mut in_flight = Vec::new();
    for mut client in [Client::http1(address).await, Client::http2(address).await] {
        in_flight.push(tokio::spawn(async move {
            client.get("slow.example", "/").await
        }));
    }
    eventually("the requests are at the backend", async || {
        backend.connections() == 2
    })
    .await;
    let draining = Arc::clone(&edge.edge);
    let start = Instant::now();
    let drain = tokio::spawn(async move { draining.drain(Duration::from_secs(600)).await });
    eventually("it drains", async || edge.edge.status().draining).await;
    // Who comes now is still served, and told to go elsewhere.
    let late = get(address, "quick.example", "/").await;
    assert_eq!(
        (late.status, late.header("connection")),
        (StatusCode::OK, "close")
    );
    let mut late = Client::http2(address).await;
    // Whatever it was told meanwhile, it has come to ask for something.
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(late.get("quick.example", "/").await.body, "quick");
    eventually("it is told to go elsewhere", async || late.is_closed()).await;
    assert!(!drain.is_finished());
    go.notify_one();
    go.notify_one();
    eventually("both are told", async || {
        go.notify_one();
        in_flight.iter().all(tokio::task::JoinHandle::is_finished)
    })
    .await;
    for answer in in_flight {
        let answer = answer.await.unwrap();
        assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "finished"));
    }
    within("the end of the drain", drain).await.unwrap();
    assert!(
        start.elapsed() < Duration::from_secs(100),
        "it did not wait for its whole time"
    );
    assert!(
        tokio::net::TcpStream::connect(address).await.is_err(),
        "nobody listens any more"
    );
    edge.apply([route("new.example", "/", "quick")]);
    let status = edge.edge.status();
    assert!(status.listeners.is_empty() && !status.serving, "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_clients_are_told_to_go_and_idle_ones_end() {
    let (_backend, _go, edge) = held().await;
    let mut client = Client::http2(edge.http()).await;
    assert_eq!(client.get("quick.example", "/").await.body, "quick");
    let draining = Arc::clone(&edge.edge);
    let drain = tokio::spawn(async move { draining.drain(Duration::from_secs(600)).await });
    eventually("GOAWAY has come", async || client.is_closed()).await;
    within("the end of the drain", drain).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_is_closed_only_at_the_end_and_a_hung_request_does_not_hold_it_up() {
    let (backend, _go, edge) = held().await;
    let mut idle = Client::http1(edge.http()).await;
    assert_eq!(idle.get("quick.example", "/").await.body, "quick");
    let mut hung = Client::http1(edge.http()).await;
    let hanging = tokio::spawn(async move {
        let request = Request::get("/").header("host", "slow.example");
        hung.send(request.body(empty()).unwrap()).await.is_err()
    });
    eventually("the request is at the backend", async || {
        backend.connections() == 1
    })
    .await;
    let draining = Arc::clone(&edge.edge);
    let grace = Duration::from_secs(2);
    let drain = tokio::spawn(async move {
        let start = Instant::now();
        draining.drain(grace).await;
        start.elapsed()
    });
    eventually("it drains", async || edge.edge.status().draining).await;
    // The first request after the word to go is answered: the client may have been sending it just then.
    let answer = idle.get("quick.example", "/").await;
    assert_eq!(
        (&*answer.body, answer.header("connection")),
        ("quick", "close")
    );
    let took = within("the end of the drain", drain).await.unwrap();
    assert!(took >= grace && took < grace * 4, "{took:?}");
    assert!(within("the hung request", hanging).await.unwrap());
}
