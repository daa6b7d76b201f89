//! Retries that a user asks for: after what, how often, where to, and with which body.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use sluice_proto::BackendProtocol::{H2c, Http1};
use sluice_proto::Retry;
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use super::*;

const ANY_FAULT: RangeInclusive<u16> = 500..=599;

fn retry(attempts: u32) -> Retry {
    Retry {
        attempts: NonZeroU32::new(attempts).unwrap(),
        interval: Duration::ZERO,
        timeout: None,
        statuses: vec![ANY_FAULT],
        non_idempotent: false,
        on_network_errors: true,
        body_bytes: 100,
    }
}

fn retrying(addresses: impl IntoIterator<Item = SocketAddr>, retry: Retry) -> TestEdge {
    guarding(Http1, addresses, [PolicyAction::Retry(retry)])
}

/// A backend that has read so many requests to their end, and answers all but some of the first with their bodies.
struct Failing {
    backend: Backend,
    asked: Arc<AtomicUsize>,
}

impl Failing {
    /// Answers the first `times` requests with this status.
    async fn first(times: usize, status: u16) -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let backend = Backend::start(move |request| {
            let counted = Arc::clone(&counted);
            async move {
                let body = request.into_body().collect().await;
                let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
                let body = body.unwrap();
                let sum = body.trailers().and_then(|trailers| trailers.get("x-sum"));
                let sum = sum.map_or("", |sum| sum.to_str().unwrap()).to_owned();
                let said = String::from_utf8(body.to_bytes().to_vec()).unwrap();
                let mut response = text(format!("{number} {said}{sum}"));
                response
                    .headers_mut()
                    .insert("x-number", number.to_string().parse().unwrap());
                if number <= times {
                    *response.status_mut() = StatusCode::from_u16(status).unwrap();
                }
                response
            }
        })
        .await;
        Self { backend, asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn ask(edge: &TestEdge, method: &str, body: Body) -> Answer {
    let mut client = Client::http1(edge.http()).await;
    let request = asking(&client, method).body(body).unwrap();
    client.ask(request).await
}

#[tokio::test]
async fn a_failure_moves_to_a_different_endpoint() {
    let (bad, good) = (
        Failing::first(usize::MAX, 503).await,
        Failing::first(0, 0).await,
    );
    let addresses = [bad.backend.address, good.backend.address];
    let edge = retrying(addresses, retry(2));
    for round in 1..=20 {
        let answer = get(edge.http(), "shop.example", "/").await;
        assert_eq!(answer.status, 200);
        assert_eq!(good.asked(), round);
    }
    let line = edge.line(|line| line["tries"] == 2).await;
    assert_eq!(line["endpoint"], good.backend.address.to_string());
    assert_eq!(line["status"], 200);
    assert!(line["error"].is_null(), "{line}");
    let retries = edge.metric("sluice_upstream_retries_total", "shop/web:80");
    assert_eq!(retries, bad.asked() as f64);
}

#[tokio::test]
async fn who_has_failed_is_asked_again_only_when_all_have() {
    let all = [
        Failing::first(usize::MAX, 503).await,
        Failing::first(usize::MAX, 503).await,
        Failing::first(usize::MAX, 503).await,
    ];
    let edge = retrying(all.each_ref().map(|one| one.backend.address), retry(3));
    for round in 1..=10 {
        let answer = get(edge.http(), "shop.example", "/").await;
        assert_eq!(answer.status, 503);
        assert_eq!(all.each_ref().map(Failing::asked), [round; 3]);
    }
    // With more attempts than endpoints, never the same one twice in a row.
    let two = [&all[0], &all[1]];
    let edge = retrying(two.map(|one| one.backend.address), retry(4));
    let before = two.map(Failing::asked);
    for round in 1..=10 {
        get(edge.http(), "shop.example", "/").await;
        let asked = [0, 1].map(|one| two[one].asked() - before[one]);
        assert_eq!(asked, [2 * round; 2]);
    }
}

#[tokio::test]
async fn so_many_attempts_are_made_in_all_and_the_last_answer_is_the_clients() {
    for attempts in 1..=4 {
        let bad = Failing::first(usize::MAX, 502).await;
        let edge = retrying([bad.backend.address], retry(attempts));
        let answer = get(edge.http(), "shop.example", "/").await;
        assert_eq!(answer.status, 502);
        assert_eq!(answer.body, format!("{attempts} "));
        assert_eq!(answer.header("x-number"), attempts.to_string());
        assert_eq!(answer.header("proxy-status"), "");
        assert_eq!(bad.asked(), attempts as usize);
        let line = edge.line(|_| true).await;
        assert_eq!(line["tries"], attempts);
        let retries = edge.metric("sluice_upstream_retries_total", "shop/web:80");
        assert_eq!(retries, f64::from(attempts - 1));
        // Nothing was left unread, so all of it went over one connection.
        assert_eq!(bad.backend.connections(), 1);
    }
}

#[tokio::test]
async fn only_the_statuses_of_the_list_are_tried_again() {
    for (status, asked) in [(502, 1), (503, 2), (504, 2), (505, 1), (404, 1)] {
        let bad = Failing::first(1, status).await;
        let policy = Retry {
            statuses: vec![503..=504],
            ..retry(3)
        };
        let edge = retrying([bad.backend.address], policy);
        get(edge.http(), "shop.example", "/").await;
        assert_eq!(bad.asked(), asked, "{status}");
    }
}

#[tokio::test]
async fn what_is_not_idempotent_is_tried_again_only_where_that_does_no_harm() {
    for (method, non_idempotent, asked) in [
        ("POST", false, 1),
        ("PATCH", false, 1),
        ("PUT", false, 2),
        ("DELETE", false, 2),
        ("POST", true, 2),
    ] {
        let bad = Failing::first(1, 503).await;
        let policy = Retry {
            non_idempotent,
            ..retry(3)
        };
        let edge = retrying([bad.backend.address], policy);
        ask(&edge, method, full("body")).await;
        assert_eq!(bad.asked(), asked, "{method} {non_idempotent}");
    }
}

#[tokio::test]
async fn a_body_is_sent_again_whole() {
    for protocol in [Http1, H2c] {
        for is_announced in [true, false] {
            let bad = Failing::first(2, 503).await;
            let policy = PolicyAction::Retry(retry(3));
            let edge = guarding(protocol, [bad.backend.address], [policy]);
            for mut client in clients(&edge).await {
                bad.asked.store(0, Ordering::SeqCst);
                let body = if is_announced {
                    full("first second")
                } else {
                    pieces(["first", " ", "second"])
                };
                let request = asking(&client, "PUT").body(body).unwrap();
                let answer = client.ask(request).await;
                assert_eq!(
                    (answer.status.as_u16(), &*answer.body),
                    (200, "3 first second")
                );
            }
            let line = edge.line(|line| line["tries"] == 3).await;
            assert_eq!(line["bytes_received"], 12);
        }
    }
}

#[tokio::test]
async fn trailers_are_sent_again_too() {
    let bad = Failing::first(1, 503).await;
    let edge = guarding(H2c, [bad.backend.address], [PolicyAction::Retry(retry(2))]);
    let mut client = Client::http2(edge.http()).await;
    let trailers = http::HeaderMap::from_iter([("x-sum".parse().unwrap(), "42".parse().unwrap())]);
    let frames = [
        Ok(Frame::data("body".into())),
        Ok(Frame::trailers(trailers)),
    ];
    let body = StreamBody::new(tokio_stream::iter(frames)).boxed();
    let request = asking(&client, "PUT").body(body).unwrap();
    assert_eq!(client.ask(request).await.body, "2 body42");
}

#[tokio::test]
async fn a_body_that_is_too_large_to_keep_is_sent_once() {
    for (length, asked) in [(100, 2), (101, 1)] {
        for is_announced in [true, false] {
            let bad = Failing::first(1, 503).await;
            let edge = retrying([bad.backend.address], retry(3));
            let whole = "x".repeat(length);
            let (first, second) = whole.split_at(50);
            let body = if is_announced {
                full(whole.clone())
            } else {
                pieces([first.to_owned(), second.to_owned()])
            };
            let answer = ask(&edge, "PUT", body).await;
            let status = if asked == 2 { 200 } else { 503 };
            assert_eq!(answer.status, status, "{length} {is_announced}");
            assert_eq!(answer.body, format!("{asked} {whole}"));
            assert_eq!(bad.asked(), asked);
        }
    }
}

// The connection of the first attempt still sends the body when the second one begins.
#[tokio::test]
async fn a_body_that_is_still_coming_goes_to_who_is_asked_next() {
    for protocol in [Http1, H2c] {
        let hasty = Backend::start(|_| async {
            let mut response = text("not now");
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            response
        })
        .await;
        let (read, mut reads) = tokio::sync::mpsc::channel(4);
        let patient = Backend::start(move |request| {
            let read = read.clone();
            async move {
                let (mut body, mut whole) = (request.into_body(), Vec::new());
                while let Some(frame) = body.frame().await {
                    let piece = frame.unwrap().into_data().unwrap();
                    // HTTP/2 may say the end with one of no length.
                    if !piece.is_empty() {
                        read.send(()).await.unwrap();
                    }
                    whole.extend(piece);
                }
                text(whole)
            }
        })
        .await;
        let edge = guarding(
            protocol,
            [hasty.address, patient.address],
            [PolicyAction::Retry(retry(2))],
        );
        for mut client in clients(&edge).await {
            for _ in 0..10 {
                let (frames, body) = channel();
                let request = asking(&client, "PUT").body(body).unwrap();
                let asking = tokio::spawn(async move {
                    let answer = client.ask(request).await;
                    (client, answer)
                });
                push(&frames, "first ").await;
                within("the first piece", reads.recv()).await.unwrap();
                push(&frames, "second").await;
                within("the second piece", reads.recv()).await.unwrap();
                drop(frames);
                let answer;
                (client, answer) = asking.await.unwrap();
                assert_eq!(
                    (answer.status.as_u16(), &*answer.body),
                    (200, "first second")
                );
            }
        }
        assert!(hasty.connections() > 0, "{protocol:?}");
    }
}

#[tokio::test]
async fn who_has_failed_gets_no_more_of_a_body_that_is_still_coming() {
    for protocol in [Http1, H2c] {
        let (left, mut lefts) = tokio::sync::mpsc::channel(1);
        let asked = Arc::new(AtomicUsize::new(0));
        let hasty_once = Backend::start(move |request| {
            let (left, asked) = (left.clone(), Arc::clone(&asked));
            async move {
                let mut body = request.into_body();
                if asked.fetch_add(1, Ordering::SeqCst) > 0 {
                    return text(body.collect().await.unwrap().to_bytes());
                }
                tokio::spawn(async move {
                    while let Some(frame) = body.frame().await {
                        if frame.is_err() {
                            left.send(()).await.unwrap();
                        }
                    }
                });
                let mut response = text("not now");
                *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                response
            }
        })
        .await;
        let policy = PolicyAction::Retry(retry(2));
        let edge = guarding(protocol, [hasty_once.address], [policy]);
        let mut client = Client::http1(edge.http()).await;
        let (frames, body) = channel();
        let request = asking(&client, "PUT").body(body).unwrap();
        let asking = tokio::spawn(async move { client.ask(request).await });
        push(&frames, "first ").await;
        within("the end at who has failed", lefts.recv()).await;
        push(&frames, "second").await;
        drop(frames);
        assert_eq!(asking.await.unwrap().body, "first second");
    }
}

/// A backend that reads a request and says nothing more.
async fn closing() -> Backend {
    Backend::raw(|mut stream| async move {
        let _ = stream.read(&mut [0; 4096]).await;
    })
    .await
}

#[tokio::test]
async fn a_connection_that_closes_is_a_reason_if_the_policy_says_so() {
    let good = Failing::first(0, 0).await;
    for (method, on_network_errors, always) in [
        ("GET", true, true),
        ("GET", false, false),
        ("POST", true, false),
    ] {
        let closing = closing().await;
        let policy = Retry {
            on_network_errors,
            ..retry(2)
        };
        let edge = retrying([closing.address, good.backend.address], policy);
        let mut failures = 0;
        for _ in 0..40 {
            let answer = ask(&edge, method, empty()).await;
            failures += usize::from(answer.status != 200);
        }
        assert_eq!(failures == 0, always, "{method} {on_network_errors}");
        assert!(closing.connections() > 0);
    }
}

#[tokio::test]
async fn who_does_not_answer_in_time_is_a_reason_too() {
    let stuck = Backend::start(|_| std::future::pending()).await;
    let good = Failing::first(0, 0).await;
    let mut edge = retrying([stuck.address, good.backend.address], retry(2));
    edge.settings(|settings| settings.timeouts.response_headers = Duration::from_millis(50));
    for _ in 0..10 {
        let answer = get(edge.http(), "shop.example", "/").await;
        assert_eq!(answer.status, 200);
    }
    assert!(stuck.connections() > 0);
}

#[tokio::test]
async fn pauses_grow_and_no_attempt_begins_after_the_time_for_all() {
    let bad = Failing::first(usize::MAX, 503).await;
    let policy = Retry {
        interval: Duration::from_millis(80),
        ..retry(3)
    };
    let edge = retrying([bad.backend.address], policy.clone());
    let start = Instant::now();
    get(edge.http(), "shop.example", "/").await;
    // At least half of 80 and of 160.
    assert!(start.elapsed() >= Duration::from_millis(120));
    assert_eq!(bad.asked(), 3);
    let hours = Retry {
        interval: Duration::from_secs(7_200),
        timeout: Some(Duration::from_secs(1)),
        ..policy
    };
    let edge = retrying([bad.backend.address], hours);
    let answer = get(edge.http(), "shop.example", "/").await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (503, "4 "));
    assert_eq!(bad.asked(), 4);
}

#[tokio::test]
async fn an_answer_that_is_thrown_away_unread_leaves_no_connection_behind() {
    for protocol in [Http1, H2c] {
        let (gone, mut went) = tokio::sync::mpsc::channel(1);
        let endless = Backend::start(move |_| {
            let gone = gone.clone();
            async move {
                let (frames, body) = channel();
                push(&frames, "first").await;
                tokio::spawn(async move {
                    frames.closed().await;
                    gone.send(()).await.unwrap();
                });
                let mut response = Response::new(body);
                *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                response
            }
        })
        .await;
        let good = Failing::first(0, 0).await;
        let addresses = [endless.address, good.backend.address];
        let edge = guarding(protocol, addresses, [PolicyAction::Retry(retry(2))]);
        let mut client = Client::http1(edge.http()).await;
        while endless.connections() == 0 {
            let answer = client.get("shop.example", "/").await;
            assert_eq!(answer.status, 200);
        }
        within("the end of what was thrown away", went.recv()).await;
        eventually("no request in flight", async || {
            edge.metric("sluice_requests_in_flight", "") == 0.0
        })
        .await;
    }
}

#[tokio::test]
async fn without_the_policy_a_failure_is_the_clients() {
    let bad = Failing::first(1, 503).await;
    let edge = guarding(Http1, [bad.backend.address], []);
    assert_eq!(get(edge.http(), "shop.example", "/").await.status, 503);
    assert_eq!(bad.asked(), 1);
}
