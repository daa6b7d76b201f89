//! Upgrades (WebSocket): after a 101 the bytes pass both ways.

use std::time::Duration;

use http::{HeaderValue, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::harness::*;

/// A backend that changes to a protocol in which everything comes back in upper case.
async fn shouting() -> Backend {
    Backend::start(|mut request| async move {
        let headers = request.headers();
        let wants = headers
            .get("upgrade")
            .is_some_and(|upgrade| upgrade == "websocket")
            && headers
                .get("connection")
                .is_some_and(|connection| connection == "upgrade");
        if !wants || request.uri().path() == "/refused" {
            return text("no upgrade");
        }
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut stream = TokioIo::new(upgrade.await.unwrap());
            let mut buffer = [0; 64];
            loop {
                match stream.read(&mut buffer).await {
                    Ok(0) | Err(_) => return,
                    Ok(count) => {
                        let shouted = buffer[..count].to_ascii_uppercase();
                        stream.write_all(&shouted).await.unwrap();
                    }
                }
            }
        });
        let mut response = Response::new(empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert("connection", HeaderValue::from_static("Upgrade"));
        headers.insert("upgrade", HeaderValue::from_static("websocket"));
        headers.insert(
            "sec-websocket-accept",
            HeaderValue::from_static("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        );
        response
    })
    .await
}

async fn upgrading() -> (TestEdge, Backend) {
    let shouting = shouting().await;
    let mut resources = vec![route("shop.example", "/", "chat")];
    resources.extend(service("chat", [shouting.address]));
    (TestEdge::serving(resources), shouting)
}

const HANDSHAKE: &str = "GET /chat HTTP/1.1\r\nHost: shop.example\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

#[tokio::test]
async fn bytes_pass_both_ways_after_a_101() {
    let (mut edge, _backend) = upgrading().await;
    edge.settings(|settings| settings.access_log.enabled = true);
    let mut stream = Stream::connect(edge.http()).await;
    // The first bytes of the new protocol come along with the request.
    stream.send(format!("{HANDSHAKE}early")).await;
    let head = stream.read_until("\r\n\r\n").await.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    for header in [
        "connection: upgrade\r\n",
        "upgrade: websocket\r\n",
        "sec-websocket-accept: s3pp",
    ] {
        assert!(head.contains(header), "{header} in {head}");
    }
    assert_eq!(stream.read_until("EARLY").await, "EARLY");
    for word in ["hello", "again"] {
        stream.send(word).await;
        assert_eq!(
            stream.read_exactly(word.len()).await,
            word.to_uppercase().as_bytes()
        );
    }
    assert_eq!(edge.metric("sluice_requests_in_flight", ""), 1.0);
    assert_eq!(edge.metric("sluice_connections_open", ""), 1.0);
    drop(stream);
    let line = edge.line(|line| line["status"] == 101).await;
    assert_eq!(line["bytes_sent"], 15);
    eventually("no connection left", async || {
        edge.metric("sluice_connections_open", "") == 0.0
    })
    .await;
}

#[tokio::test]
async fn a_backend_may_refuse_to_upgrade() {
    let (edge, _backend) = upgrading().await;
    let answer = raw(
        edge.http(),
        HANDSHAKE
            .replace("/chat", "/refused")
            .replace("keep-alive", "close"),
    )
    .await;
    assert!(
        answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("no upgrade"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_tunnel_on_which_nobody_speaks_is_closed() {
    let (mut edge, _backend) = upgrading().await;
    edge.settings(|settings| settings.timeouts.upgrade_idle = Duration::from_millis(50));
    let mut stream = Stream::connect(edge.http()).await;
    stream.send(HANDSHAKE).await;
    stream.read_until("\r\n\r\n").await;
    assert_eq!(stream.rest().await, "");
}

#[tokio::test]
async fn a_101_that_nobody_asked_for_is_a_bad_gateway() {
    let backend = Backend::raw(|mut stream| async move {
        let mut buffer = [0; 1024];
        let _ = stream.read(&mut buffer).await;
        let _ = stream
            .write_all(
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
            )
            .await;
        let _ = stream.read(&mut buffer).await;
    })
    .await;
    let mut resources = vec![route("shop.example", "/", "odd")];
    resources.extend(service("odd", [backend.address]));
    let edge = TestEdge::serving(resources);
    let answer = get(edge.http(), "shop.example", "/").await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert_eq!(answer.proxy_error(), "http_upgrade_failed");
}
