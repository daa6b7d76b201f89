//! Body limits: what says that it is too large is refused at once, what does not is cut where it becomes so.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{HeaderValue, Response};
use http_body_util::BodyExt;
use sluice_proto::BackendProtocol::{H2c, Http1};
use sluice_proto::BodyLimit;

use super::*;

fn limit(request: u64, response: u64) -> [PolicyAction; 1] {
    [PolicyAction::BodyLimit(BodyLimit {
        request_bytes: NonZeroU64::new(request),
        response_bytes: NonZeroU64::new(response),
    })]
}

/// A backend that takes whole bodies, says how long they were, and counts the bytes of all that it was sent.
async fn swallowing() -> (Backend, Arc<AtomicUsize>) {
    let read = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&read);
    let backend = Backend::start(move |request| {
        let counted = Arc::clone(&counted);
        async move {
            let mut body = request.into_body();
            let mut length = 0;
            while let Some(Ok(frame)) = body.frame().await {
                let count = frame.data_ref().map_or(0, bytes::Bytes::len);
                counted.fetch_add(count, Ordering::SeqCst);
                length += count;
            }
            text(length.to_string())
        }
    })
    .await;
    (backend, read)
}

#[tokio::test]
async fn a_request_that_says_that_it_is_too_large_never_reaches_the_backend() {
    let (backend, _) = swallowing().await;
    let edge = guarding(Http1, [backend.address], limit(10, 0));
    for mut client in clients(&edge).await {
        let request = asking(&client, "POST").body(full("12345678901")).unwrap();
        let answer = client.ask(request).await;
        assert_eq!(answer.status, 413);
        assert_eq!(answer.proxy_error(), "http_request_error");
    }
    assert_eq!(backend.connections(), 0);
    let line = edge
        .line(|line| line["error"] == "request_body_too_large")
        .await;
    assert_eq!(line["policy"], "Middleware shop/p spec.p0");
    for mut client in clients(&edge).await {
        let request = asking(&client, "POST").body(full("1234567890")).unwrap();
        assert_eq!(client.ask(request).await.body, "10");
    }
}

#[tokio::test]
async fn a_request_of_no_announced_length_is_cut_where_it_is_too_large() {
    for protocol in [Http1, H2c] {
        let (backend, read) = swallowing().await;
        let edge = guarding(protocol, [backend.address], limit(10, 0));
        for mut client in clients(&edge).await {
            for (body, status, said) in [
                (["12345", "67890"], 200, "10"),
                (["12345", "678901"], 413, ""),
            ] {
                let before = read.load(Ordering::SeqCst);
                let request = asking(&client, "POST").body(pieces(body)).unwrap();
                let answer = client.ask(request).await;
                assert_eq!(answer.status, status, "{protocol:?} {body:?}");
                assert!(answer.body.starts_with(said), "{}", answer.body);
                let sent = read.load(Ordering::SeqCst) - before;
                assert!(sent <= 10, "{sent} bytes reached the backend");
                if status == 413 {
                    // It may have closed the client's connection over what it did not read.
                    break;
                }
            }
        }
        // What was cut left no connection behind on which the rest would be taken for a request.
        let mut client = Client::http1(edge.http()).await;
        let request = asking(&client, "POST").body(full("1")).unwrap();
        assert_eq!(client.ask(request).await.body, "1");
    }
}

#[tokio::test]
async fn the_connection_of_a_request_that_was_cut_is_closed() {
    let (backend, _) = swallowing().await;
    let edge = guarding(Http1, [backend.address], limit(10, 0));
    for round in 1..=3 {
        let mut client = Client::http1(edge.http()).await;
        let body = pieces(["12345", "678901"]);
        let request = asking(&client, "POST").body(body).unwrap();
        assert_eq!(client.ask(request).await.status, 413);
        assert_eq!(backend.connections(), round);
    }
}

#[tokio::test]
async fn a_limited_request_is_streamed_and_its_answer_ends_with_it_if_it_has_begun() {
    let echo = Backend::start(|request| async move {
        let (frames, body) = channel();
        let mut asked = request.into_body();
        tokio::spawn(async move {
            while let Some(Ok(frame)) = asked.frame().await {
                if frames.send(Ok(frame)).await.is_err() {
                    return;
                }
            }
            // Only the end of the connection ends it.
            frames.closed().await;
        });
        Response::new(body)
    })
    .await;
    for protocol in [Http1, H2c] {
        let edge = guarding(protocol, [echo.address], limit(10, 0));
        for mut client in clients(&edge).await {
            let (frames, body) = channel();
            let request = asking(&client, "POST").body(body).unwrap();
            push(&frames, "12345").await;
            let response = client.send(request).await.unwrap();
            assert_eq!(response.status(), 200);
            let mut body = response.into_body();
            let first = within("the first piece", body.frame()).await;
            assert_eq!(first.unwrap().unwrap().into_data().unwrap(), "12345");
            push(&frames, "678901").await;
            let rest = within("the cut", body.collect()).await;
            assert!(rest.is_err(), "{protocol:?} {rest:?}");
        }
    }
}

/// A backend whose answer to each request is so long, and says so or not.
async fn answering(length: usize, is_announced: bool) -> Backend {
    Backend::start(move |_| async move {
        let body = "x".repeat(length);
        Response::new(if is_announced {
            full(body)
        } else {
            let (first, second) = body.split_at(length / 2);
            pieces([first.to_owned(), second.to_owned()])
        })
    })
    .await
}

#[tokio::test]
async fn an_answer_that_says_that_it_is_too_large_is_replaced_and_its_connection_closed() {
    for protocol in [Http1, H2c] {
        let web = answering(100_001, true).await;
        let edge = guarding(protocol, [web.address], limit(0, 100_000));
        for (round, mut client) in (1..).zip(clients(&edge).await) {
            let request = asking(&client, "GET").body(empty()).unwrap();
            let answer = client.ask(request).await;
            assert_eq!(answer.status, 500);
            assert_eq!(answer.proxy_error(), "http_response_body_size");
            assert!(!answer.body.contains("xxx"), "{}", answer.body);
            if protocol == Http1 {
                assert_eq!(web.connections(), round);
            }
        }
        let line = edge
            .line(|line| line["error"] == "response_body_too_large")
            .await;
        assert_eq!(line["policy"], "Middleware shop/p spec.p0");
        assert_eq!(line["status"], 500);
        // There is no body in the answer to HEAD.
        let mut client = Client::http1(edge.http()).await;
        let request = asking(&client, "HEAD").body(empty()).unwrap();
        let answer = client.ask(request).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-length"), "100001");
    }
}

#[tokio::test]
async fn an_answer_of_no_announced_length_is_cut_short() {
    let web = answering(100_001, false).await;
    let edge = guarding(Http1, [web.address], limit(0, 100_000));
    for mut client in clients(&edge).await {
        let request = asking(&client, "GET").body(empty()).unwrap();
        let response = client.send(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let cut = within("the cut", response.into_body().collect()).await;
        assert!(cut.is_err(), "{cut:?}");
    }
    edge.line(|line| line["error"] == "response_body_too_large")
        .await;
    assert_eq!(web.connections(), 2);
}

#[tokio::test]
async fn an_answer_at_the_limit_passes_and_its_connection_is_used_again() {
    for is_announced in [true, false] {
        let web = answering(100_000, is_announced).await;
        let edge = guarding(Http1, [web.address], limit(0, 100_000));
        let mut client = Client::http1(edge.http()).await;
        for _ in 0..3 {
            let answer = client.get("shop.example", "/").await;
            assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 100_000));
        }
        assert_eq!(web.connections(), 1);
    }
}

#[tokio::test]
async fn answers_of_sluice_itself_are_not_limited_but_carry_what_outer_policies_add() {
    let outer = responses(vec![set("x-outer", "1")]);
    let edge = guarding(Http1, [], [outer].into_iter().chain(limit(0, 1)));
    let answer = get(edge.http(), "shop.example", "/").await;
    assert_eq!(answer.status, 503);
    let web = answering(2, true).await;
    let outer = responses(vec![set("x-outer", "1")]);
    let edge = guarding(Http1, [web.address], [outer].into_iter().chain(limit(0, 1)));
    let answer = get(edge.http(), "shop.example", "/").await;
    assert_eq!(answer.status, 500);
    assert_eq!(
        answer.headers.get("x-outer"),
        Some(&HeaderValue::from_static("1"))
    );
}
