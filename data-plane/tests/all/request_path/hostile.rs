//! What strangers send: too much, too slowly, or nonsense.

use std::time::Duration;

use http::{Request, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::harness::*;

async fn edge() -> (TestEdge, Backend) {
    let web = Backend::saying("web").await;
    let mut resources = vec![route("shop.example", "/", "web")];
    resources.extend(service("web", [web.address]));
    (TestEdge::serving(resources), web)
}

#[tokio::test]
async fn a_header_of_100_megabytes_is_answered_431_and_closed_without_being_kept() {
    let (mut edge, _web) = edge().await;
    edge.settings(|settings| settings.access_log.enabled = true);
    let stream = TcpStream::connect(edge.http()).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let head = b"GET / HTTP/1.1\r\nHost: shop.example\r\nX-Large: ";
    writing.write_all(head).await.unwrap();
    let before = resident_bytes();
    let sending = tokio::spawn(async move {
        let piece = vec![b'a'; 64 * 1024];
        let mut sent = 0;
        while sent < 100 << 20 && writing.write_all(&piece).await.is_ok() {
            sent += piece.len();
        }
        // The client keeps its side open: the edge has to end it.
        writing
    });
    let mut answer = [0; 12];
    within("an answer", reading.read_exact(&mut answer))
        .await
        .unwrap();
    assert_eq!(&answer, b"HTTP/1.1 431");
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes are kept");
    drop(within("the end of sending", sending).await.unwrap());
    let line = edge.line(|_| true).await;
    assert_eq!(
        (&line["status"], &line["error"]),
        (&431.into(), &"request_too_large".into())
    );
    assert_eq!(
        edge.metric("sluice_client_protocol_errors_total", "too_large"),
        1.0
    );
    eventually("it is closed", async || edge.edge.status().connections == 0).await;
    assert_eq!(get(edge.http(), "shop.example", "/").await.body, "web");
}

#[tokio::test]
async fn a_client_that_sends_a_body_nobody_wants_still_reads_why() {
    let edge = TestEdge::serving([]);
    let stream = TcpStream::connect(edge.http()).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let head = "POST / HTTP/1.1\r\nHost: nobody.example\r\nContent-Length: 50000000\r\n\r\n";
    writing.write_all(head.as_bytes()).await.unwrap();
    // All of it is sent before the answer is looked at.
    let sent = writing.write_all(&vec![b'a'; 50_000_000]).await;
    assert!(sent.is_ok(), "{sent:?}");
    let mut answer = String::new();
    within("the answer", reading.read_to_string(&mut answer))
        .await
        .unwrap();
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[tokio::test]
async fn too_large_a_header_section_is_answered_431() {
    let (mut edge, _web) = edge().await;
    edge.settings(|settings| settings.limits.header_bytes = 10_000);
    let large = "a".repeat(11_000);
    let request = format!("GET / HTTP/1.1\r\nHost: shop.example\r\nX-Large: {large}\r\n\r\n");
    let answer = raw(edge.http(), request).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let fits = format!(
        "GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\nX-Large: {}\r\n\r\n",
        &large[..9_000]
    );
    assert!(raw(edge.http(), fits).await.starts_with("HTTP/1.1 200 "));

    let mut client = Client::http2(edge.http()).await;
    let request = Request::get("http://shop.example/").header("x-large", &large);
    let refused = client.send(request.body(empty()).unwrap()).await;
    let status = refused.map(|response| response.status());
    assert!(
        matches!(status, Ok(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)),
        "{status:?}"
    );
}

#[tokio::test]
async fn too_many_header_fields_are_answered_431() {
    let (mut edge, _web) = edge().await;
    edge.settings(|settings| settings.limits.header_count = 20);
    for (count, status) in [(18, 200), (40, 431)] {
        let fields: String = (0..count).map(|at| format!("X-{at}: 1\r\n")).collect();
        let request =
            format!("GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n{fields}\r\n");
        let answer = raw(edge.http(), request).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{count}: {answer}"
        );

        let mut client = Client::http2(edge.http()).await;
        let mut request = Request::get("http://shop.example/");
        for at in 0..count {
            request = request.header(format!("x-{at}"), "1");
        }
        let answer = client.ask(request.body(empty()).unwrap()).await;
        assert_eq!(answer.status.as_u16(), status, "{count}");
    }
}

#[tokio::test]
async fn broken_framing_is_answered_400_and_never_reaches_a_backend() {
    let (edge, web) = edge().await;
    for broken in [
        "GARBAGE\r\n\r\n",
        "GET / HTTP/9.9\r\nHost: shop.example\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        "GET / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: -1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: gzip\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: shop.example\r\nX Y: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: shop.example\r\n folded: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : shop.example\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: shop.example\r\nX: \0\r\n\r\n",
        "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\r\n\r\n",
    ] {
        let answer = raw(edge.http(), broken).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{broken:?}: {answer}");
    }
    assert_eq!(web.connections(), 0);
    eventually("they are counted", async || {
        edge.metric("sluice_client_protocol_errors_total", "malformed") == 10.0
    })
    .await;
}

#[tokio::test]
async fn a_length_beside_chunks_does_not_smuggle_a_request() {
    let (read, mut reads) = tokio::sync::mpsc::channel(4);
    let backend = Backend::raw(move |mut stream| {
        let read = read.clone();
        async move {
            let mut buffer = vec![0; 4096];
            let mut all = String::new();
            while !all.ends_with("0\r\n\r\n") {
                let count = stream.read(&mut buffer).await.unwrap();
                assert!(count > 0);
                all.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
            }
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                .await;
            read.send(all).await.unwrap();
        }
    })
    .await;
    let mut resources = vec![route("shop.example", "/", "web")];
    resources.extend(service("web", [backend.address]));
    let edge = TestEdge::serving(resources);
    let smuggling = "POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n\
                     1\r\nx\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: shop.example\r\n\r\n";
    let answer = raw(edge.http(), smuggling).await;
    assert_eq!(
        answer.matches("HTTP/1.1 ").count(),
        1,
        "the connection closes after one answer: {answer}"
    );
    let seen = within("the request", reads.recv())
        .await
        .unwrap()
        .to_ascii_lowercase();
    assert!(
        seen.contains("transfer-encoding: chunked") && !seen.contains("content-length"),
        "{seen}"
    );
    assert!(!seen.contains("smuggled"), "{seen}");
}

#[tokio::test]
async fn a_slow_header_section_is_cut_off_and_an_idle_connection_later() {
    let (mut edge, _web) = edge().await;
    edge.settings(|settings| {
        settings.timeouts.request_headers = Duration::from_millis(200);
        settings.timeouts.client_idle = Duration::from_secs(3600);
    });
    let slow = Stream::connect(edge.http()).await;
    let mut dribbling = Stream::connect(edge.http()).await;
    dribbling.send("GET / HTTP/1.1\r\nHost: ").await;
    let mut second = Stream::connect(edge.http()).await;
    second
        .send("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
        .await;
    second.read_until("web").await;
    let mut idle = Stream::connect(edge.http()).await;
    idle.send("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
        .await;
    idle.read_until("web").await;
    second.send("GET / HT").await;
    for stream in [slow, dribbling, second] {
        assert_eq!(stream.rest().await, "");
    }
    eventually("they are counted", async || {
        edge.metric("sluice_client_protocol_errors_total", "header_timeout") == 3.0
    })
    .await;
    idle.send("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
        .await;
    idle.read_until("web").await;
    edge.settings(|settings| settings.timeouts.client_idle = Duration::from_millis(200));
    assert_eq!(idle.rest().await, "");
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_cut_off_and_its_endpoint_with_it() {
    let endless = Backend::raw(|mut stream| async move {
        let head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
        let mut written = stream.write_all(head).await;
        while written.is_ok() {
            written = stream.write_all(&[b'x'; 65536]).await;
        }
    })
    .await;
    let mut resources = vec![route("shop.example", "/", "web")];
    resources.extend(service("web", [endless.address]));
    let mut edge = TestEdge::serving(resources);
    edge.settings(|settings| {
        settings.timeouts.response_body_idle = Duration::from_millis(300);
    });
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut client = socket.connect(edge.http()).await.unwrap();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
        .await
        .unwrap();
    eventually("its request is answered", async || {
        edge.edge.status().connections == 1
    })
    .await;
    eventually("it is cut off", async || {
        edge.edge.status().connections == 0
    })
    .await;
}

#[tokio::test]
async fn a_client_cannot_open_more_connections_to_endpoints_than_there_are_places() {
    let slow = Backend::start(|request| async move {
        if request.uri().path() == "/slow" {
            std::future::pending::<()>().await;
        }
        text("web")
    })
    .await;
    let mut edge = TestEdge::with_connections(8);
    let mut resources = vec![route("shop.example", "/", "web")];
    resources.extend(service("web", [slow.address]));
    assert_eq!(edge.apply(listeners().into_iter().chain(resources)), []);
    let mut client = Client::http2(edge.http()).await;
    let Client::Http2(sender) = &client else {
        unreachable!("it speaks HTTP/2");
    };
    let mut waiting = Vec::new();
    for _ in 0..8 {
        let mut client = Client::Http2(sender.clone());
        waiting.push(tokio::spawn(async move {
            client.get("shop.example", "/slow").await
        }));
    }
    eventually("all places are taken", async || slow.connections() >= 8).await;
    let answer = client.get("shop.example", "/").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.proxy_error(), "connection_limit_reached");
    waiting.pop().unwrap().abort();
    eventually("a place is free again", async || {
        client.get("shop.example", "/").await.body == "web"
    })
    .await;
}

#[tokio::test]
async fn connections_over_the_limit_are_closed_at_once() {
    let (mut edge, _web) = edge().await;
    edge.settings(|settings| settings.limits.connections = 2);
    let mut held = [
        Client::http1(edge.http()).await,
        Client::http1(edge.http()).await,
    ];
    for client in &mut held {
        assert_eq!(client.get("shop.example", "/").await.body, "web");
    }
    assert_eq!(
        raw(edge.http(), "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n").await,
        ""
    );
    assert_eq!(edge.metric("sluice_connections_over_limit_total", ""), 1.0);
    assert_eq!(edge.metric("sluice_connections_open", ""), 2.0);
    drop(held);
    eventually("there is room again", async || {
        edge.edge.status().connections == 0
    })
    .await;
    assert_eq!(get(edge.http(), "shop.example", "/").await.body, "web");
}
