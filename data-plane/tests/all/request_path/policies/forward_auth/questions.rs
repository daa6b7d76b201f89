//! What the service is asked.

use std::convert::Infallible;

use http::Request;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::*;

// What strangers write to look like somebody else, or as if they asked for something else.
const SPOOFED: [(&str, &str); 9] = [
    ("x-forwarded-for", "192.0.2.1"),
    ("x-forwarded-method", "OPTIONS"),
    ("x-forwarded-uri", "/public"),
    ("x_forwarded_uri", "/public"),
    ("x-forwarded-host", "public.example"),
    ("x-forwarded-proto", "https"),
    ("x-real-ip", "192.0.2.1"),
    ("forwarded", "for=192.0.2.1"),
    ("connection", "x-forwarded-uri, x-forwarded-for, keep-alive"),
];

#[tokio::test]
async fn it_learns_who_asks_for_what_and_not_what_strangers_write() {
    let decider = Decider::nodding().await;
    let guarded = Guarded::by([decider.policy(|_| {})]).await;
    let mut headers = SPOOFED.to_vec();
    headers.push(("authorization", "Bearer token"));
    assert_eq!(guarded.ask("PUT", "/a?b=c", &headers).await.status, 200);
    let question = decider.last();
    assert_eq!(question.line, "GET /verify?by=sluice");
    let service = decider.service.address.to_string();
    for (name, value) in [
        ("host", &*service),
        ("authorization", "Bearer token"),
        ("x-forwarded-method", "PUT"),
        ("x-forwarded-uri", "/a?b=c"),
        ("x-forwarded-host", "shop.example"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-port", "80"),
        ("x-real-ip", "127.0.0.1"),
        ("x_forwarded_uri", ""),
        ("forwarded", ""),
        ("connection", ""),
    ] {
        assert_eq!(question.header(name), value, "{name}");
        assert!(question.headers.get_all(name).iter().count() <= 1, "{name}");
    }
    // A trusted peer says who the client is, and not what it asks for.
    let guarded = guarded.trusting();
    guarded.ask("PUT", "/a?b=c", &SPOOFED[..8]).await;
    let question = decider.last();
    for (name, value) in [
        ("x-forwarded-for", "192.0.2.1, 127.0.0.1"),
        ("x-forwarded-host", "public.example"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-method", "PUT"),
        ("x-forwarded-uri", "/a?b=c"),
    ] {
        assert_eq!(question.header(name), value, "{name}");
    }
}

#[tokio::test]
async fn only_listed_headers_go_along_where_some_are_listed() {
    let decider = Decider::nodding().await;
    let list = |auth: &mut ForwardAuth| {
        auth.request_headers = names(&["Authorization", "X-Forwarded-For"]);
    };
    let guarded = Guarded::by([decider.policy(list)]).await;
    let mut headers = SPOOFED.to_vec();
    headers.extend([("authorization", "Bearer token"), ("cookie", "secret=1")]);
    assert_eq!(guarded.get("/a", &headers).await.status, 200);
    let mut names: Vec<_> = decider
        .last()
        .headers
        .keys()
        .map(ToString::to_string)
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "authorization",
            "host",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-method",
            "x-forwarded-port",
            "x-forwarded-proto",
            "x-forwarded-uri",
        ]
    );
}

#[tokio::test]
async fn what_is_between_two_neighbours_does_not_go_along() {
    let decider = Decider::nodding().await;
    let guarded = Guarded::by([decider.policy(|_| {})]).await;
    let headers = [
        ("connection", "upgrade, x-listed"),
        ("upgrade", "websocket"),
        ("x-listed", "1"),
        ("te", "trailers"),
        ("proxy-authorization", "Basic eA=="),
        ("x-end-to-end", "1"),
    ];
    assert_eq!(guarded.get("/", &headers).await.status, 200);
    let question = decider.last();
    assert_eq!(question.header("x-end-to-end"), "1");
    for (name, _) in &headers[..5] {
        assert_eq!(question.header(name), "", "{name}");
    }
}

#[tokio::test]
async fn it_is_asked_by_the_requests_own_method_where_the_policy_says_so() {
    let decider = Decider::nodding().await;
    let guarded = Guarded::by([decider.policy(|auth| auth.keep_method = true)]).await;
    for method in ["GET", "HEAD", "POST", "PURGE"] {
        assert_eq!(guarded.ask(method, "/", &[]).await.status, 200, "{method}");
        assert_eq!(decider.last().line, format!("{method} /verify?by=sluice"));
    }
}

fn chunked(pieces: &[&'static str]) -> Body {
    let pieces: Vec<_> = (pieces.iter())
        .map(|piece| Ok::<_, Infallible>(Frame::data(Bytes::from_static(piece.as_bytes()))))
        .collect();
    StreamBody::new(tokio_stream::iter(pieces)).boxed()
}

/// A backend that says what body it was sent.
async fn swallowing() -> Backend {
    Backend::start(|request| async {
        let length = request.headers().get("content-length").cloned();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        text(format!("{length:?} {}", String::from_utf8_lossy(&body)))
    })
    .await
}

#[tokio::test]
async fn it_gets_the_body_where_the_policy_says_so_and_the_backend_does_too() {
    let decider = Decider::nodding().await;
    let policy = decider.policy(|auth| auth.body_bytes = Some(10));
    let guarded = Guarded::before(swallowing().await, [policy]);
    let address = guarded.edge.http();
    let post = || Request::post("/").header("host", "shop.example");
    for body in [full("0123456789"), chunked(&["01234", "56789"])] {
        let answer = send(address, post().body(body).unwrap()).await;
        assert_eq!(
            (answer.status.as_u16(), &*answer.body),
            (200, "Some(\"10\") 0123456789")
        );
        let question = decider.last();
        assert_eq!(question.body, "0123456789");
        assert_eq!(question.header("content-length"), "10");
    }
    for body in [full("0123456789x"), chunked(&["01234", "56789", "x"])] {
        let answer = send(address, post().body(body).unwrap()).await;
        assert_eq!(answer.status, 401);
        assert!(decider.asked.lock().unwrap().is_empty());
    }
    guarded.line("auth_body_too_large").await;
    let mut client = Client::http2(address).await;
    for (body, status) in [("0123456789", 200), ("0123456789x", 401)] {
        let request = Request::post("http://shop.example/");
        let answer = client.ask(request.body(full(body)).unwrap()).await;
        assert_eq!(answer.status, status);
    }
    assert_eq!(decider.last().body, "0123456789");
    // What is announced to be too long is not waited for.
    let mut stream = Stream::connect(address).await;
    stream
        .send("POST / HTTP/1.1\r\nhost: shop.example\r\ncontent-length: 11\r\n\r\n")
        .await;
    let head = stream.read_until("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
    // Nothing is something, too.
    let answer = send(address, post().body(empty()).unwrap()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(decider.last().body, "");
}

#[tokio::test]
async fn a_body_that_was_kept_keeps_its_trailers() {
    let echo = Backend::start(|request| async {
        let body = request.into_body().collect().await.unwrap();
        text(format!("{:?}", body.trailers()))
    })
    .await;
    let decider = Decider::nodding().await;
    let policy = decider.policy(|auth| auth.body_bytes = Some(10));
    let guarded = Guarded::before(echo, [policy]);
    let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), "1".parse().unwrap())]);
    let frames = [
        Frame::data(Bytes::from_static(b"body")),
        Frame::trailers(trailers),
    ];
    let body = StreamBody::new(tokio_stream::iter(frames.map(Ok::<_, Infallible>)));
    let request = Request::post("http://shop.example/").header("trailer", "x-sum");
    let mut client = Client::http2(guarded.edge.http()).await;
    let answer = client.ask(request.body(body.boxed()).unwrap()).await;
    assert_eq!(answer.body, "Some({\"x-sum\": \"1\"})");
}

#[tokio::test]
async fn a_body_is_streamed_past_it_otherwise() {
    let decider = Decider::nodding().await;
    let echo = Backend::start(|request| async {
        Response::new(
            request
                .into_body()
                .map_err(|error| panic!("{error}"))
                .boxed(),
        )
    })
    .await;
    let guarded = Guarded::before(echo, [decider.policy(|_| {})]);
    let (frames, receiver) = mpsc::channel(1);
    let body = StreamBody::new(ReceiverStream::new(receiver)).boxed();
    let request = Request::post("/").header("host", "shop.example");
    let piece = || Ok(Frame::data(Bytes::from_static(b"piece")));
    frames.send(piece()).await.unwrap();
    let mut client = Client::http1(guarded.edge.http()).await;
    let response = client.send(request.body(body).unwrap()).await.unwrap();
    let mut echoed = response.into_body();
    for _ in 0..3 {
        let frame = within("a piece", echoed.frame()).await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "piece");
        frames.send(piece()).await.unwrap();
    }
    let question = decider.last();
    assert_eq!(question.body, "");
    assert_eq!(question.header("transfer-encoding"), "");
    let request = Request::post("/").header("host", "shop.example");
    let answer = send(guarded.edge.http(), request.body(full("whole")).unwrap()).await;
    assert_eq!(answer.body, "whole");
    assert_eq!(decider.last().header("content-length"), "");
}
