//! A service that is gone, slow or broken: nothing passes, and nobody else notices.

use std::future::pending;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;

use super::*;

const MOMENT: Duration = Duration::from_millis(50);

/// Asks with this policy, and expects that nothing passes and that the log calls it so.
async fn expect_closed(policy: PolicyAction, proxy_error: &str, error: &str) {
    let guarded = Guarded::by([policy]).await;
    for mut client in [
        Client::http1(guarded.edge.http()).await,
        Client::http2(guarded.edge.http()).await,
    ] {
        let answer = client.get("shop.example", "/").await;
        assert_eq!(answer.status, 503, "{error}");
        assert_eq!(answer.proxy_error(), proxy_error, "{error}");
        // Strangers read it.
        assert!(!format!("{answer:?}").contains("verify"), "{answer:?}");
    }
    let line = guarded.line(error).await;
    assert_eq!(line["policy"], "Middleware shop/p spec.p0");
    assert_eq!(guarded.backend.connections(), 0);
    let other = guarded.get("/", &[("host", "open.example")]).await;
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn nothing_passes_while_it_is_gone() {
    let gone = asking(closed_port().await, |_| {});
    expect_closed(gone, "destination_unavailable", "auth_unreachable").await;
}

#[tokio::test]
async fn nothing_passes_when_it_is_too_slow() {
    let silent = Backend::start(|_| pending()).await;
    let slow = asking(silent.address, |auth| auth.timeout = MOMENT);
    expect_closed(slow, "http_response_timeout", "auth_timeout").await;
    let stuck = saying("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", true).await;
    let slow = asking(stuck.address, |auth| auth.timeout = MOMENT);
    expect_closed(slow, "http_response_timeout", "auth_timeout").await;
}

/// A service that says these bytes, and then closes or hangs.
async fn saying(bytes: &'static str, hangs: bool) -> Backend {
    Backend::raw(move |mut stream| async move {
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(bytes.as_bytes()).await;
        if hangs {
            pending::<()>().await;
        }
    })
    .await
}

#[tokio::test]
async fn nothing_passes_when_its_answer_is_broken() {
    for bytes in [
        "",
        "HTTP/1.1 200 OK\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    ] {
        let broken = saying(bytes, false).await;
        let policy = asking(broken.address, |_| {});
        expect_closed(policy, "http_response_incomplete", "auth_answer_broken").await;
    }
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_a_no() {
    for long in [
        "HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n0123456789x",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nb\r\n0123456789x\r\n0\r\n\r\n",
    ] {
        let service = saying(long, false).await;
        let policy = asking(service.address, |auth| auth.response_bytes = 10);
        let guarded = Guarded::by([policy]).await;
        assert_eq!(guarded.get("/", &[]).await.status, 401);
        guarded.line("auth_answer_too_large").await;
        assert_eq!(guarded.backend.connections(), 0);
    }
    let service = saying(
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789",
        false,
    )
    .await;
    let policy = asking(service.address, |auth| auth.response_bytes = 10);
    let guarded = Guarded::by([policy]).await;
    assert_eq!(guarded.get("/", &[]).await.status, 200);
}

#[tokio::test]
async fn an_address_of_the_node_is_no_service() {
    let hidden = Decider::nodding().await;
    let web = Backend::saying("web").await;
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"] {
        let port = hidden.service.address.port();
        let policies = policies([asking(hidden.service.address, |auth| {
            auth.url = format!("http://{host}:{port}/");
        })]);
        let mut resources = service("web", [web.address]).to_vec();
        resources.push(guarded_route("shop.example", "web", &policies));
        resources.extend(policies);
        let mut edge = TestEdge::serving(resources);
        edge.settings(|settings| settings.access_log.enabled = true);
        let answer = get(edge.http(), "shop.example", "/").await;
        assert_eq!(answer.status, 503, "{host}");
        assert_eq!(answer.proxy_error(), "destination_ip_prohibited", "{host}");
        edge.line(|line| line["error"] == "auth_address_prohibited")
            .await;
    }
    assert_eq!(hidden.service.connections(), 0);
    assert_eq!(web.connections(), 0);
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_question_back() {
    let (came, went) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (arrived, left) = (Arc::clone(&came), Arc::clone(&went));
    let service = Backend::raw(move |mut stream| {
        let (arrived, left) = (Arc::clone(&arrived), Arc::clone(&left));
        async move {
            let mut buffer = [0; 4096];
            assert!(stream.read(&mut buffer).await.unwrap() > 0);
            arrived.add_permits(1);
            // Until the other side closes.
            while !matches!(stream.read(&mut buffer).await, Ok(0) | Err(_)) {}
            left.add_permits(1);
        }
    })
    .await;
    let guarded = Guarded::by([asking(service.address, |_| {})]).await;
    for mut client in [
        Client::http1(guarded.edge.http()).await,
        Client::http2(guarded.edge.http()).await,
    ] {
        let asking = tokio::spawn(async move { client.get("shop.example", "/").await });
        within("the question", came.acquire())
            .await
            .unwrap()
            .forget();
        asking.abort();
        within("its end", went.acquire()).await.unwrap().forget();
    }
    guarded.line("client_closed").await;
    assert_eq!(guarded.backend.connections(), 0);
}

#[tokio::test]
async fn a_service_that_hangs_leaves_places_to_others() {
    let silent = Backend::start(|_| pending()).await;
    let web = Backend::saying("web").await;
    let policies = policies([asking(silent.address, |_| {})]);
    let mut resources = service("web", [web.address]).to_vec();
    resources.push(guarded_route("shop.example", "web", &policies));
    resources.push(route("open.example", "/", "web"));
    resources.extend(policies);
    let mut edge = TestEdge::start(|config| {
        config.most_connections = 8;
        config.reachable = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .with(resources);
    edge.settings(|settings| settings.access_log.enabled = true);
    let mut client = Client::http2(edge.http()).await;
    let Client::Http2(sender) = &client else {
        unreachable!("it speaks HTTP/2");
    };
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let mut client = Client::Http2(sender.clone());
        waiting.spawn(async move { client.get("shop.example", "/").await });
    }
    eventually("two wait for it", async || silent.connections() == 2).await;
    // A quarter of the places is taken.
    let answer = client.get("shop.example", "/").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.proxy_error(), "connection_limit_reached");
    edge.line(|line| line["error"] == "auth_busy").await;
    assert_eq!(client.get("open.example", "/").await.body, "web");
    assert_eq!(silent.connections(), 2);
}

#[tokio::test]
async fn connections_are_used_again_and_one_that_closes_is_replaced() {
    let decider = Decider::nodding().await;
    let guarded = Guarded::by([decider.policy(|_| {})]).await;
    let mut client = Client::http1(guarded.edge.http()).await;
    for _ in 0..5 {
        assert_eq!(client.get("shop.example", "/").await.status, 200);
    }
    assert_eq!(decider.service.connections(), 1);
    // One that answers once, and closes when it is asked again.
    let tired = Backend::raw(|mut stream| async move {
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .await;
        let _ = stream.read(&mut [0; 4096]).await;
    })
    .await;
    let guarded = Guarded::by([asking(tired.address, |_| {})]).await;
    let mut client = Client::http1(guarded.edge.http()).await;
    for round in 1..5 {
        assert_eq!(client.get("shop.example", "/").await.status, 200);
        assert_eq!(tired.connections(), round);
    }
}
