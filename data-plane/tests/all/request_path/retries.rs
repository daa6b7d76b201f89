//! When a request is sent again, and when it must not be.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Method, Request, Response, StatusCode};
use sluice_proto::BackendProtocol;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::harness::*;

#[tokio::test]
async fn a_connect_failure_moves_to_another_endpoint() {
    let web = Backend::saying("web").await;
    let mut resources = vec![route("shop.example", "/", "web")];
    resources.extend(service("web", [closed_port().await, web.address]));
    let mut edge = TestEdge::serving(resources);
    edge.settings(|settings| settings.access_log.enabled = true);
    let mut client = Client::http1(edge.http()).await;
    for _ in 0..20 {
        let request = Request::post("/").header("host", "shop.example");
        let answer = client
            .ask(request.body(full("not idempotent")).unwrap())
            .await;
        assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "web"));
    }
    let line = edge.line(|line| line["tries"] == 2).await;
    assert_eq!(line["endpoint"], web.address.to_string());
    assert!(edge.metric("sluice_upstream_connect_errors_total", "shop/web:80") >= 1.0);
    assert!(edge.metric("sluice_upstream_retries_total", "shop/web:80") >= 1.0);
}

// A pod that ends closes what waits for requests, perhaps just when one is written.
#[tokio::test]
async fn while_endpoints_change_what_is_not_idempotent_takes_a_new_connection() {
    let web = Backend::saying("web").await;
    let gone = Backend::saying("gone").await;
    let mut resources = vec![route("shop.example", "/", "web")];
    resources.extend(service("web", [web.address]));
    let mut edge = TestEdge::serving(resources);
    let mut client = Client::http1(edge.http()).await;
    let mut connections_after = async |method: Method| {
        let request = Request::builder().method(method).uri("/");
        let request = request.header("host", "shop.example").body(full("x"));
        assert_eq!(client.ask(request.unwrap()).await.body, "web");
        web.connections()
    };
    for method in [Method::POST, Method::POST, Method::GET, Method::PUT] {
        assert_eq!(connections_after(method.clone()).await, 1, "{method}");
    }
    edge.apply([endpoints("web", [web.address, gone.address])]);
    edge.apply([endpoints("web", [web.address])]);
    for (method, connections) in [
        (Method::GET, 1),
        (Method::POST, 2),
        (Method::PUT, 2),
        (Method::PATCH, 3),
    ] {
        let opened = connections_after(method.clone()).await;
        assert_eq!(opened, connections, "{method}");
    }
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_reached_is_left_out_after_a_while() {
    let web = Backend::saying("web").await;
    let mut resources = vec![route("shop.example", "/", "web")];
    resources.extend(service("web", [closed_port().await, web.address]));
    let edge = TestEdge::serving(resources);
    let mut client = Client::http1(edge.http()).await;
    for _ in 0..200 {
        assert_eq!(client.get("shop.example", "/").await.body, "web");
    }
    assert_eq!(
        edge.metric("sluice_endpoint_ejections_total", "shop/web:80"),
        1.0
    );
    let errors = edge.metric("sluice_upstream_connect_errors_total", "shop/web:80");
    assert!(
        errors <= 5.0,
        "{errors} connects to an endpoint that is out"
    );
}

#[tokio::test]
async fn the_only_endpoint_is_never_left_out() {
    let address = closed_port().await;
    let mut resources = vec![route("shop.example", "/", "web")];
    resources.extend(service("web", [address]));
    let edge = TestEdge::serving(resources);
    for _ in 0..10 {
        assert_eq!(
            get(edge.http(), "shop.example", "/").await.status,
            StatusCode::BAD_GATEWAY
        );
    }
    assert_eq!(edge.metric("sluice_endpoint_ejections_total", ""), 0.0);
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let answering = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        answer_one(&mut stream).await;
        stream
    });
    assert_eq!(
        get(edge.http(), "shop.example", "/").await.status,
        StatusCode::OK
    );
    answering.await.unwrap();
}

// Reads one request without a body, or with one of 4 bytes, and answers it.
async fn answer_one(stream: &mut TcpStream) {
    read_one(stream).await;
    stream
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .await
        .unwrap();
}

async fn read_one(stream: &mut TcpStream) -> bool {
    let mut request = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        let text = String::from_utf8_lossy(&request).to_ascii_lowercase();
        if let Some(head) = text.find("\r\n\r\n") {
            let body = if text.contains("content-length: 4") {
                4
            } else {
                0
            };
            if request.len() >= head + 4 + body {
                return true;
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return false,
            Ok(count) => request.extend_from_slice(&buffer[..count]),
        }
    }
}

/// A backend that answers the first request of each connection and closes at the second, after it has read it: the race
/// between a client that reuses a connection and a server that has had enough of it. Returns what it has read, too.
async fn closing_at_the_second() -> (Backend, Arc<AtomicUsize>) {
    let read = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&read);
    let backend = Backend::raw(move |mut stream| {
        let counted = Arc::clone(&counted);
        async move {
            answer_one(&mut stream).await;
            counted.fetch_add(1, Ordering::SeqCst);
            if read_one(&mut stream).await {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        }
    })
    .await;
    (backend, read)
}

async fn ask(client: &mut Client, method: Method, body: &'static str) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri("/")
        .header("host", "shop.example");
    client.ask(request.body(full(body)).unwrap()).await
}

#[tokio::test]
async fn a_reused_connection_that_closes_is_replaced_for_what_is_idempotent() {
    let (backend, read) = closing_at_the_second().await;
    let mut resources = vec![route("shop.example", "/", "web")];
    resources.extend(service("web", [backend.address]));
    let edge = TestEdge::serving(resources);
    let mut client = Client::http1(edge.http()).await;
    for (round, method) in [Method::GET, Method::DELETE, Method::OPTIONS, Method::GET]
        .into_iter()
        .enumerate()
    {
        let answer = ask(&mut client, method.clone(), "").await;
        assert_eq!(answer.status, StatusCode::OK, "{method} {answer:?}");
        assert_eq!(backend.connections(), round + 1);
    }
    // All but the first were read twice: on the old connection, and on a new one.
    assert_eq!(read.load(Ordering::SeqCst), 7);
}

#[tokio::test]
async fn what_is_not_idempotent_is_never_sent_twice() {
    let (backend, read) = closing_at_the_second().await;
    let mut resources = vec![route("shop.example", "/", "web")];
    resources.extend(service("web", [backend.address]));
    let edge = TestEdge::serving(resources);
    for body in ["", "body"] {
        let mut client = Client::http1(edge.http()).await;
        let before = read.load(Ordering::SeqCst);
        assert_eq!(
            ask(&mut client, Method::POST, body).await.status,
            StatusCode::OK
        );
        let answer = ask(&mut client, Method::POST, body).await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
        assert_eq!(answer.proxy_error(), "connection_terminated");
        assert_eq!(read.load(Ordering::SeqCst) - before, 2, "{body:?}");
    }
}

#[tokio::test]
async fn a_body_of_which_something_was_sent_is_not_sent_again() {
    let (backend, read) = closing_at_the_second().await;
    let mut resources = vec![route("shop.example", "/", "web")];
    resources.extend(service("web", [backend.address]));
    let edge = TestEdge::serving(resources);
    let mut client = Client::http1(edge.http()).await;
    assert_eq!(
        ask(&mut client, Method::PUT, "body").await.status,
        StatusCode::OK
    );
    assert_eq!(
        ask(&mut client, Method::PUT, "body").await.status,
        StatusCode::BAD_GATEWAY
    );
    assert_eq!(read.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_connection_that_closed_while_idle_costs_no_request() {
    let backend = Backend::raw(|mut stream| async move { answer_one(&mut stream).await }).await;
    let mut resources = vec![route("shop.example", "/", "web")];
    resources.extend(service("web", [backend.address]));
    let edge = TestEdge::serving(resources);
    let mut client = Client::http1(edge.http()).await;
    for _ in 0..50 {
        let answer = ask(&mut client, Method::GET, "").await;
        assert_eq!(answer.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_new_connection_that_closes_is_a_bad_gateway_at_once() {
    let backend = Backend::raw(|mut stream| async move {
        read_one(&mut stream).await;
    })
    .await;
    let mut resources = vec![route("shop.example", "/", "web")];
    resources.extend(service("web", [backend.address]));
    let edge = TestEdge::serving(resources);
    let answer = get(edge.http(), "shop.example", "/").await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert_eq!(backend.connections(), 1);
}

#[tokio::test]
async fn nonsense_from_a_backend_is_a_bad_gateway() {
    let backend = Backend::raw(|mut stream| async move {
        read_one(&mut stream).await;
        let _ = stream.write_all(b"220 mail.example ESMTP\r\n").await;
    })
    .await;
    let mut resources = vec![route("shop.example", "/", "web")];
    resources.extend(service("web", [backend.address]));
    let edge = TestEdge::serving(resources);
    let answer = get(edge.http(), "shop.example", "/").await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert_eq!(answer.proxy_error(), "http_protocol_error");
}

#[tokio::test]
async fn requests_share_one_http2_connection_and_survive_its_end() {
    let backend = Backend::saying("web").await;
    let address = backend.address;
    let edge = TestEdge::serving([
        route("shop.example", "/", "web"),
        self::backend("web", BackendProtocol::H2c),
        endpoints("web", [address]),
    ]);
    let mut client = Client::http2(edge.http()).await;
    for _ in 0..20 {
        assert_eq!(client.get("shop.example", "/").await.body, "web");
    }
    assert_eq!(backend.connections(), 1);
    drop(backend);
    eventually("the backend is gone", async || {
        client.get("shop.example", "/").await.status == StatusCode::BAD_GATEWAY
    })
    .await;
}

#[tokio::test]
async fn idle_connections_are_closed_in_time() {
    let (closed, mut closes) = tokio::sync::mpsc::channel(1);
    let backend = Backend::raw(move |mut stream| {
        let closed = closed.clone();
        async move {
            answer_one(&mut stream).await;
            assert!(!read_one(&mut stream).await);
            closed.send(()).await.unwrap();
        }
    })
    .await;
    let mut resources = vec![route("shop.example", "/", "web")];
    resources.extend(service("web", [backend.address]));
    let mut edge = TestEdge::serving(resources);
    edge.settings(|settings| {
        settings.timeouts.endpoint_idle = std::time::Duration::from_millis(50)
    });
    assert_eq!(
        get(edge.http(), "shop.example", "/").await.status,
        StatusCode::OK
    );
    within("the end of the idle connection", closes.recv()).await;
}

/// What a backend does with all but the first request of an HTTP/2 connection.
#[derive(Clone, Copy)]
enum Second {
    Close,
    Refuse,
}

/// A backend of HTTP/2 that answers the first request of each connection. Returns how many it has read, too.
async fn answering_once(second: Second) -> (Backend, Arc<AtomicUsize>) {
    let read = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&read);
    let backend = Backend::raw(move |stream| {
        let counted = Arc::clone(&counted);
        async move {
            let mut connection = h2::server::handshake(stream).await.unwrap();
            let mut answered = false;
            while let Some(Ok((_request, mut respond))) = connection.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                match second {
                    _ if !answered => drop(respond.send_response(Response::new(()), true).unwrap()),
                    Second::Close => return,
                    Second::Refuse => {
                        respond.send_reset(h2::Reason::REFUSED_STREAM);
                        connection.graceful_shutdown();
                    }
                }
                answered = true;
            }
        }
    })
    .await;
    (backend, read)
}

#[tokio::test]
async fn over_http2_only_what_was_not_processed_is_sent_again_if_it_is_not_idempotent() {
    for (second, method, status, reads) in [
        (Second::Close, Method::POST, 502, 2),
        (Second::Close, Method::GET, 200, 3),
        (Second::Refuse, Method::POST, 200, 3),
    ] {
        let (backend, read) = answering_once(second).await;
        let edge = TestEdge::serving([
            route("shop.example", "/", "web"),
            self::backend("web", BackendProtocol::H2c),
            endpoints("web", [backend.address]),
        ]);
        let mut client = Client::http1(edge.http()).await;
        assert_eq!(
            ask(&mut client, method.clone(), "").await.status,
            StatusCode::OK
        );
        let answer = ask(&mut client, method.clone(), "").await;
        assert_eq!(answer.status.as_u16(), status, "{method} {answer:?}");
        assert_eq!(read.load(Ordering::SeqCst), reads, "{method}");
    }
}
