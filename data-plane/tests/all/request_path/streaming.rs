//! Bodies are streamed both ways, and pauses are limited.

use std::convert::Infallible;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use tokio::sync::mpsc;

use super::harness::*;

/// A backend that sends every piece back as it comes.
async fn echo() -> Backend {
    Backend::start(|request| async move {
        let body = request.into_body().map_err(|_| unreachable_error());
        Response::new(body.boxed())
    })
    .await
}

// The echo's own error type says that it cannot fail: a client that goes away ends the task.
fn unreachable_error() -> Infallible {
    panic!("the client went away")
}

async fn echoing() -> (TestEdge, Backend) {
    let echo = echo().await;
    let mut resources = vec![route("shop.example", "/", "echo")];
    resources.extend(service("echo", [echo.address]));
    (TestEdge::serving(resources), echo)
}

#[tokio::test]
async fn the_first_piece_comes_back_before_the_request_has_ended() {
    let (edge, _echo) = echoing().await;
    for mut client in [
        Client::http1(edge.http()).await,
        Client::http2(edge.http()).await,
    ] {
        let (frames, body) = channel();
        let request = match client {
            Client::Http1(_) => Request::post("/").header("host", "shop.example"),
            Client::Http2(_) => Request::post("http://shop.example/"),
        };
        let request = request.body(body).unwrap();
        push(&frames, "first").await;
        let mut response = client.send(request).await.unwrap().into_body();
        for piece in ["first", "second", "third"] {
            if piece != "first" {
                push(&frames, piece).await;
            }
            let frame = within(piece, response.frame()).await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), piece);
        }
        drop(frames);
        let rest = within("the end", response.collect()).await.unwrap();
        assert!(rest.to_bytes().is_empty());
    }
}

#[tokio::test]
async fn a_large_body_comes_whole() {
    let (edge, _echo) = echoing().await;
    let body: Vec<u8> = (0..8_000_000u32).map(|at| b'a' + (at % 23) as u8).collect();
    let request = Request::post("/").header("host", "shop.example");
    let answer = send(edge.http(), request.body(full(body.clone())).unwrap()).await;
    assert!(
        answer.body.as_bytes() == body,
        "{} bytes came",
        answer.body.len()
    );
}

#[tokio::test]
async fn a_request_body_that_pauses_for_too_long_is_answered_408() {
    let swallowing = Backend::start(|request| async move {
        let _ = request.into_body().collect().await;
        text("whole")
    })
    .await;
    let mut resources = vec![route("shop.example", "/", "slow")];
    resources.extend(service("slow", [swallowing.address]));
    let mut edge = TestEdge::serving(resources);
    edge.settings(|settings| settings.timeouts.request_body_idle = Duration::from_millis(50));
    let (frames, body) = channel();
    push(&frames, "first").await;
    let request = Request::post("/").header("host", "shop.example");
    let answer = send(edge.http(), request.body(body).unwrap()).await;
    assert_eq!(answer.status, StatusCode::REQUEST_TIMEOUT, "{answer:?}");
}

#[tokio::test]
async fn a_slow_client_is_not_the_backends_fault() {
    let (mut edge, _echo) = echoing().await;
    edge.settings(|settings| settings.timeouts.response_headers = Duration::from_millis(50));
    let whole = Backend::start(|request| async move {
        let body = request.into_body().collect().await.unwrap();
        text(body.to_bytes())
    })
    .await;
    edge.apply([endpoints("echo", [whole.address])]);
    let (frames, body) = channel();
    let request = Request::post("/")
        .header("host", "shop.example")
        .body(body)
        .unwrap();
    let asking = tokio::spawn(async move { send(edge.http(), request).await });
    for piece in ["a", "b", "c"] {
        push(&frames, piece).await;
        // Longer than the time for the header section of the response.
        tokio::time::sleep(Duration::from_millis(80)).await;
    }
    drop(frames);
    assert_eq!(asking.await.unwrap().body, "abc");
}

#[tokio::test]
async fn a_response_that_pauses_for_too_long_is_cut_short() {
    let stuck = Backend::start(|_| async {
        let (frames, body) = channel();
        push(&frames, "first").await;
        tokio::spawn(async move {
            frames.closed().await;
        });
        Response::new(body)
    })
    .await;
    let mut resources = vec![route("shop.example", "/", "stuck")];
    resources.extend(service("stuck", [stuck.address]));
    let mut edge = TestEdge::serving(resources);
    edge.settings(|settings| {
        settings.timeouts.response_body_idle = Duration::from_millis(50);
        settings.access_log.enabled = true;
    });
    let mut client = Client::http1(edge.http()).await;
    let request = Request::get("/")
        .header("host", "shop.example")
        .body(empty())
        .unwrap();
    let response = client.send(request).await.unwrap();
    // Chunked without its last chunk: nobody can take it for the whole.
    let cut = within("the cut", response.into_body().collect()).await;
    assert!(cut.is_err(), "{cut:?}");
    let line = edge.line(|_| true).await;
    assert_eq!(line["error"], "response_incomplete");
}

#[tokio::test]
async fn a_client_that_goes_away_ends_the_request_at_the_backend() {
    let (gone, mut went) = mpsc::channel::<()>(1);
    let stuck = Backend::start(move |_| {
        let gone = gone.clone();
        async move {
            let (frames, body) = channel();
            push(&frames, "first").await;
            tokio::spawn(async move {
                frames.closed().await;
                gone.send(()).await.unwrap();
            });
            Response::new(body)
        }
    })
    .await;
    let mut resources = vec![route("shop.example", "/", "stuck")];
    resources.extend(service("stuck", [stuck.address]));
    let edge = TestEdge::serving(resources);
    let mut client = Client::http1(edge.http()).await;
    let request = Request::get("/")
        .header("host", "shop.example")
        .body(empty())
        .unwrap();
    let response = client.send(request).await.unwrap();
    drop((response, client));
    within("the end of the request at the backend", went.recv()).await;
    eventually("no request in flight", async || {
        edge.metric("sluice_requests_in_flight", "") == 0.0
    })
    .await;
}
