//! HTTP as it must be passed on: methods, targets, hosts, hop-by-hop headers, trailers, versions.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use sluice_proto::BackendProtocol;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::harness::*;

/// A backend that says in its answer what it was asked.
async fn mirror() -> Backend {
    Backend::start(|request| async move {
        let mut seen = format!(
            "{} {} {:?}\n",
            request.method(),
            request.uri(),
            request.version()
        );
        for (name, value) in request.headers() {
            seen.push_str(&format!(
                "{name}: {}\n",
                String::from_utf8_lossy(value.as_bytes())
            ));
        }
        let (_, body) = request.into_parts();
        let body = body.collect().await.unwrap();
        for (name, value) in body.trailers().into_iter().flatten() {
            seen.push_str(&format!("trailer {name}: {}\n", value.to_str().unwrap()));
        }
        seen.push_str(&String::from_utf8_lossy(&body.to_bytes()));
        text(seen)
    })
    .await
}

async fn mirrored(protocol: BackendProtocol) -> (TestEdge, Backend) {
    let mirror = mirror().await;
    let edge = TestEdge::serving([
        route("shop.example", "/", "mirror"),
        backend("mirror", protocol),
        endpoints("mirror", [mirror.address]),
    ]);
    (edge, mirror)
}

#[tokio::test]
async fn every_pair_of_versions_passes_a_request_on() {
    for protocol in [BackendProtocol::Http1, BackendProtocol::H2c] {
        let (edge, _mirror) = mirrored(protocol).await;
        for mut client in [
            Client::http1(edge.http()).await,
            Client::http2(edge.http()).await,
        ] {
            let request = match client {
                Client::Http1(_) => Request::put("/a%20b/c?q=1&r").header("host", "shop.example"),
                Client::Http2(_) => Request::put("http://shop.example/a%20b/c?q=1&r"),
            };
            let answer = client.ask(request.body(full("some body")).unwrap()).await;
            let (seen, version) = match protocol {
                BackendProtocol::Http1 => ("PUT /a%20b/c?q=1&r HTTP/1.1", "host: shop.example"),
                BackendProtocol::H2c => ("PUT http://shop.example/a%20b/c?q=1&r HTTP/2.0", ""),
            };
            assert!(answer.body.starts_with(seen), "{}", answer.body);
            assert!(answer.body.contains(version), "{}", answer.body);
            assert!(answer.body.ends_with("some body"), "{}", answer.body);
        }
    }
}

#[tokio::test]
async fn hop_by_hop_headers_end_here() {
    let (edge, _mirror) = mirrored(BackendProtocol::Http1).await;
    let request = Request::get("/")
        .header("host", "shop.example")
        .header("connection", "close, X-Secret,host, X-Forwarded-For")
        .header("x-secret", "1")
        .header("keep-alive", "timeout=5")
        .header("proxy-connection", "keep-alive")
        .header("proxy-authorization", "Basic x")
        .header("te", "trailers, deflate")
        .header("x-kept", "1");
    let seen = send(edge.http(), request.body(empty()).unwrap()).await.body;
    for gone in ["x-secret", "keep-alive", "proxy-", "connection", "deflate"] {
        assert!(!seen.contains(gone), "{gone} in {seen}");
    }
    for kept in [
        "x-kept: 1",
        "host: shop.example",
        "te: trailers",
        "x-forwarded-for: 127.0.0.1",
    ] {
        assert!(seen.contains(kept), "{kept} not in {seen}");
    }
}

#[tokio::test]
async fn a_response_loses_its_hop_by_hop_headers_too() {
    let backend = Backend::start(|_| async {
        let mut response = text("x");
        for (name, value) in [
            ("connection", "x-gone"),
            ("x-gone", "1"),
            ("keep-alive", "timeout=1"),
            ("x-kept", "1"),
        ] {
            response
                .headers_mut()
                .insert(name, HeaderValue::from_static(value));
        }
        response
    })
    .await;
    let mut resources = vec![route("shop.example", "/", "web")];
    resources.extend(service("web", [backend.address]));
    let edge = TestEdge::serving(resources);
    for mut client in [
        Client::http1(edge.http()).await,
        Client::http2(edge.http()).await,
    ] {
        let answer = client.get("shop.example", "/").await;
        assert_eq!(
            (answer.header("x-gone"), answer.header("keep-alive")),
            ("", "")
        );
        assert_eq!(answer.header("x-kept"), "1");
    }
}

#[tokio::test]
async fn cookies_that_http2_has_split_are_joined() {
    let (edge, _mirror) = mirrored(BackendProtocol::Http1).await;
    let mut client = Client::http2(edge.http()).await;
    let request = Request::get("http://shop.example/")
        .header("cookie", "a=1")
        .header("cookie", "b=2");
    let seen = client.ask(request.body(empty()).unwrap()).await.body;
    assert!(seen.contains("cookie: a=1; b=2\n"), "{seen}");
}

#[tokio::test]
async fn trailers_pass_both_ways() {
    let backend = Backend::start(|request| async move {
        let asked = request.into_body().collect().await.unwrap();
        let asked = asked
            .trailers()
            .and_then(|trailers| trailers.get("x-sum"))
            .cloned();
        let mut trailers = HeaderMap::new();
        trailers.insert(
            "x-sum",
            asked.unwrap_or_else(|| HeaderValue::from_static("none")),
        );
        let frames = [
            Ok::<_, Infallible>(Frame::data(Bytes::from("x"))),
            Ok(Frame::trailers(trailers)),
        ];
        let mut response =
            Response::new(StreamBody::new(futures_util::stream::iter(frames)).boxed());
        response
            .headers_mut()
            .insert("trailer", HeaderValue::from_static("x-sum"));
        response
    })
    .await;
    for protocol in [BackendProtocol::Http1, BackendProtocol::H2c] {
        let edge = TestEdge::serving([
            route("shop.example", "/", "grpc"),
            self::backend("grpc", protocol),
            endpoints("grpc", [backend.address]),
        ]);
        for mut client in [
            Client::http1(edge.http()).await,
            Client::http2(edge.http()).await,
        ] {
            let mut trailers = HeaderMap::new();
            trailers.insert("x-sum", HeaderValue::from_static("42"));
            let frames = [
                Ok::<_, Infallible>(Frame::data(Bytes::from("x"))),
                Ok(Frame::trailers(trailers)),
            ];
            let body = StreamBody::new(futures_util::stream::iter(frames)).boxed();
            let request = match client {
                Client::Http1(_) => Request::post("/")
                    .header("host", "shop.example")
                    .header("connection", "te"),
                Client::Http2(_) => Request::post("http://shop.example/"),
            };
            let request = request.header("te", "trailers").header("trailer", "x-sum");
            let answer = client.ask(request.body(body).unwrap()).await;
            let sum = answer.trailers.get("x-sum").map(HeaderValue::as_bytes);
            assert_eq!(sum, Some(&b"42"[..]), "{protocol:?} {answer:?}");
        }
    }
}

#[tokio::test]
async fn responses_without_a_body_have_none() {
    let backend = Backend::start(|request| async move {
        let mut response = if request.uri().path() == "/head" {
            text("twelve bytes")
        } else {
            Response::new(empty())
        };
        *response.status_mut() = match request.uri().path() {
            "/204" => StatusCode::NO_CONTENT,
            "/304" => StatusCode::NOT_MODIFIED,
            _ => StatusCode::OK,
        };
        response
    })
    .await;
    let mut resources = vec![route("shop.example", "/", "web")];
    resources.extend(service("web", [backend.address]));
    let edge = TestEdge::serving(resources);
    for mut client in [
        Client::http1(edge.http()).await,
        Client::http2(edge.http()).await,
    ] {
        for (method, path, status, length) in [
            ("HEAD", "/head", 200, "12"),
            ("GET", "/204", 204, ""),
            ("GET", "/304", 304, ""),
            ("GET", "/head", 200, "12"),
        ] {
            let uri = match client {
                Client::Http1(_) => path.to_owned(),
                Client::Http2(_) => format!("http://shop.example{path}"),
            };
            let mut request = Request::builder().method(method).uri(uri);
            if matches!(client, Client::Http1(_)) {
                request = request.header("host", "shop.example");
            }
            let answer = client.ask(request.body(empty()).unwrap()).await;
            assert_eq!(answer.status.as_u16(), status, "{method} {path}");
            assert_eq!(answer.header("content-length"), length, "{method} {path}");
            assert_eq!(
                answer.body.is_empty(),
                method == "HEAD" || status != 200,
                "{method} {path}"
            );
        }
    }
    assert_eq!(backend.connections(), 2, "one per core");
}

#[tokio::test]
async fn the_host_is_checked() {
    let (edge, _mirror) = mirrored(BackendProtocol::Http1).await;
    for (request, status, contains) in [
        ("GET / HTTP/1.1\r\n\r\n", "400", "http_request_error"),
        (
            "GET / HTTP/1.1\r\nHost: shop.example\r\nHost: shop.example\r\n\r\n",
            "400",
            "http_request_error",
        ),
        (
            "GET / HTTP/1.1\r\nHost: shop example\r\n\r\n",
            "400",
            "http_request_error",
        ),
        (
            "GET / HTTP/1.1\r\nHost: user@shop.example\r\n\r\n",
            "400",
            "http_request_error",
        ),
        ("GET / HTTP/1.0\r\n\r\n", "404", "destination_not_found"),
        (
            "GET / HTTP/1.1\r\nHost:\r\n\r\n",
            "404",
            "destination_not_found",
        ),
        // RFC 9112, section 3.2.2: the absolute target wins.
        (
            "GET http://shop.example/x HTTP/1.1\r\nHost: other.example\r\n\r\n",
            "200",
            "GET /x HTTP/1.1\nhost: shop.example\n",
        ),
        (
            "GET http://other.example/x HTTP/1.1\r\nHost: shop.example\r\n\r\n",
            "404",
            "destination_not_found",
        ),
        (
            "GET /x HTTP/1.0\r\nHost: shop.example\r\n\r\n",
            "200",
            "GET /x HTTP/1.1\n",
        ),
    ] {
        let closing = request.replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1);
        let answer = raw(edge.http(), closing).await;
        assert_eq!(answer.split(' ').nth(1), Some(status), "{request} {answer}");
        assert!(answer.contains(contains), "{request} {answer}");
    }
}

#[tokio::test]
async fn two_hosts_in_one_http2_request_are_refused() {
    let (edge, _mirror) = mirrored(BackendProtocol::Http1).await;
    let mut client = Client::http2(edge.http()).await;
    let request = Request::get("http://shop.example/").header("host", "other.example");
    let answer = client.ask(request.body(empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(client.get("shop.example", "/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_body_is_asked_for_with_100_continue() {
    let (edge, _mirror) = mirrored(BackendProtocol::Http1).await;
    let head = "POST / HTTP/1.1\r\nHost: shop.example\r\nExpect: 100-continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\n";
    let mut stream = Stream::connect(edge.http()).await;
    stream.send(head).await;
    stream.read_until("HTTP/1.1 100 Continue\r\n\r\n").await;
    stream.send("body").await;
    let answer = stream.rest().await;
    assert!(
        answer.contains("HTTP/1.1 200 OK") && answer.contains("body"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_request_that_nobody_takes_is_refused_without_asking_for_its_body() {
    let edge = TestEdge::serving([unavailable("shop.example", "/", "ServiceMissing")]);
    let head = "POST / HTTP/1.1\r\nHost: shop.example\r\nExpect: 100-continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\n";
    let answer = raw(edge.http(), head).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
}

#[tokio::test]
async fn http2_is_spoken_with_prior_knowledge_even_in_pieces() {
    let (edge, _mirror) = mirrored(BackendProtocol::Http1).await;
    let mut stream = Stream::connect(edge.http()).await;
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    stream.send(&preface[..5]).await;
    stream.send(&preface[5..20]).await;
    stream.send(&preface[20..]).await;
    // An empty SETTINGS frame.
    stream.send([0, 0, 0, 4, 0, 0, 0, 0, 0]).await;
    let settings = stream.read_exactly(9).await;
    assert_eq!(settings[3], 4, "a SETTINGS frame: {settings:?}");
    assert_eq!(
        Client::http2(edge.http())
            .await
            .get("shop.example", "/")
            .await
            .status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn the_version_of_a_response_is_the_proxys_own() {
    let old = Backend::raw(|mut stream| async move {
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await;
        let _ = stream
            .write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold")
            .await;
    })
    .await;
    let mut resources = vec![route("shop.example", "/", "web")];
    resources.extend(service("web", [old.address]));
    let edge = TestEdge::serving(resources);
    let mut client = Stream::connect(edge.http()).await;
    client
        .send("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
        .await;
    let response = client.read_until("old").await;
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
}
