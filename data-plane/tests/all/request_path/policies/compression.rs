//! Compression: which responses, how, and that no piece of one waits for the next.

mod streams;

use std::io::Write;

use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;
use sluice_proto::BackendProtocol::{H2c, Http1};
use sluice_proto::{Compression, Encoding};

use super::*;

const ALL: [Encoding; 3] = [Encoding::Gzip, Encoding::Brotli, Encoding::Zstd];

fn plain() -> Compression {
    Compression {
        encodings: ALL.to_vec(),
        excluded_types: vec![],
        included_types: vec![],
        least_bytes: 10,
        default_encoding: None,
    }
}

fn compressing(backend: &Backend, compression: Compression) -> TestEdge {
    let policy = PolicyAction::Compression(compression);
    guarding(Http1, [backend.address], [policy])
}

/// Reads what is compressed, as it comes.
enum Decoder {
    Gzip(Box<flate2::write::GzDecoder<Vec<u8>>>),
    Brotli(Box<brotli::DecompressorWriter<Vec<u8>>>),
    Zstd(Box<zstd::stream::write::Decoder<'static, Vec<u8>>>),
}

impl Decoder {
    fn new(encoding: &str) -> Self {
        match encoding {
            "gzip" => Self::Gzip(Box::new(flate2::write::GzDecoder::new(Vec::new()))),
            "br" => Self::Brotli(Box::new(brotli::DecompressorWriter::new(Vec::new(), 4096))),
            "zstd" => Self::Zstd(Box::new(
                zstd::stream::write::Decoder::new(Vec::new()).unwrap(),
            )),
            other => panic!("{other:?} is no encoding"),
        }
    }

    fn write(&mut self, piece: &[u8]) {
        let writer: &mut dyn Write = match self {
            Self::Gzip(decoder) => decoder,
            Self::Brotli(decoder) => decoder,
            Self::Zstd(decoder) => decoder,
        };
        writer.write_all(piece).unwrap();
        writer.flush().unwrap();
    }

    fn so_far(&self) -> &[u8] {
        match self {
            Self::Gzip(decoder) => decoder.get_ref(),
            Self::Brotli(decoder) => decoder.get_ref(),
            Self::Zstd(decoder) => decoder.get_ref(),
        }
    }

    /// Returns the whole, which has an end.
    fn finish(self) -> Vec<u8> {
        match self {
            Self::Gzip(decoder) => decoder.finish().unwrap(),
            Self::Brotli(decoder) => decoder.into_inner().expect("an end"),
            Self::Zstd(decoder) => decoder.finish().unwrap(),
        }
    }
}

/// A response that has come whole.
struct Coded {
    headers: HeaderMap,
    length: usize,
    body: Vec<u8>,
    trailers: HeaderMap,
}

impl Coded {
    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    fn encoding(&self) -> &str {
        self.header("content-encoding")
    }
}

async fn ask(client: &mut Client, method: &str, headers: &[(&str, &str)]) -> Coded {
    let mut request = asking(client, method);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = client.send(request.body(empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = within("a response's body", body.collect()).await.unwrap();
    let trailers = body.trailers().cloned().unwrap_or_default();
    let bytes = body.to_bytes();
    let body = match parts.headers.get("content-encoding") {
        Some(encoding) => {
            let mut decoder = Decoder::new(encoding.to_str().unwrap());
            decoder.write(&bytes);
            decoder.finish()
        }
        None => bytes.to_vec(),
    };
    Coded {
        headers: parts.headers,
        length: bytes.len(),
        body,
        trailers,
    }
}

async fn ask_once(edge: &TestEdge, method: &str, headers: &[(&str, &str)]) -> Coded {
    ask(&mut Client::http1(edge.http()).await, method, headers).await
}

/// Text that does not repeat itself within any window.
fn lines(bytes: usize) -> String {
    let mut text = String::new();
    let mut number: u32 = 1;
    while text.len() < bytes {
        number = number.wrapping_mul(2_654_435_769).wrapping_add(12_345);
        text.push_str(&format!("line {number} of the whole\n"));
    }
    text.truncate(bytes);
    text
}

/// A backend that answers with this status, these headers and this body, whose length it announces or not.
async fn answering(
    status: u16,
    headers: &'static [(&'static str, &'static str)],
    body: String,
    is_announced: bool,
) -> Backend {
    Backend::start(move |_| {
        let body = body.clone();
        async move {
            let mut response = Response::new(if is_announced {
                full(body)
            } else {
                pieces(body.as_bytes().chunks(20_000).map(<[u8]>::to_vec))
            });
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            for (name, value) in headers {
                let value = value.parse().unwrap();
                response.headers_mut().append(*name, value);
            }
            response
        }
    })
    .await
}

#[tokio::test]
async fn what_is_compressed_is_what_the_backend_has_sent() {
    for is_announced in [true, false] {
        for length in [10, 1_000, 16 << 10, 65_537, 3_000_000] {
            let body = lines(length);
            let web = answering(200, &[], body.clone(), is_announced).await;
            for protocol in [Http1, H2c] {
                let policy = PolicyAction::Compression(plain());
                let edge = guarding(protocol, [web.address], [policy]);
                for mut client in clients(&edge).await {
                    for encoding in ALL.map(Encoding::as_str) {
                        let accept = [("accept-encoding", encoding)];
                        let answer = ask(&mut client, "GET", &accept).await;
                        assert_eq!(answer.encoding(), encoding);
                        assert!(answer.body == body.as_bytes(), "{encoding} {length}");
                        assert!(length < 1_000 || answer.length < length / 2);
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn headers_that_described_the_body_as_it_was_are_changed() {
    let headers = &[
        ("content-type", "text/html; charset=utf-8"),
        ("etag", "\"abc\""),
        ("accept-ranges", "bytes"),
        (
            "content-digest",
            "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
        ),
        ("vary", "Origin"),
        ("last-modified", "Fri, 27 Nov 2026 00:00:00 GMT"),
    ];
    let web = answering(200, headers, lines(1_000), true).await;
    let edge = compressing(&web, plain());
    let answer = ask_once(&edge, "GET", &[("accept-encoding", "gzip")]).await;
    for (name, value) in [
        ("content-encoding", "gzip"),
        ("content-length", ""),
        ("etag", "W/\"abc\""),
        ("accept-ranges", ""),
        ("content-digest", ""),
        ("content-type", "text/html; charset=utf-8"),
        ("last-modified", "Fri, 27 Nov 2026 00:00:00 GMT"),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    let vary: Vec<_> = answer.headers.get_all("vary").iter().collect();
    assert_eq!(vary, ["Origin", "Accept-Encoding"]);
    let line = edge.line(|_| true).await;
    assert_eq!(line["bytes_sent"], answer.length);
    // To whom it is not compressed, it comes as it is.
    let answer = ask_once(&edge, "GET", &[]).await;
    for (name, value) in [
        ("content-encoding", ""),
        ("content-length", "1000"),
        ("etag", "\"abc\""),
        ("accept-ranges", "bytes"),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    let vary: Vec<_> = answer.headers.get_all("vary").iter().collect();
    assert_eq!(vary, ["Origin", "Accept-Encoding"]);
}

#[tokio::test]
async fn what_varies_by_it_already_does_not_say_so_twice() {
    for vary in [
        &[("vary", "Origin, accept-encoding"), ("etag", "W/\"a\"")],
        &[("vary", "*"), ("etag", "W/\"a\"")],
    ] {
        let web = answering(200, vary, lines(1_000), true).await;
        let edge = compressing(&web, plain());
        let answer = ask_once(&edge, "GET", &[("accept-encoding", "br")]).await;
        assert_eq!(answer.encoding(), "br");
        assert_eq!(answer.headers.get_all("vary").iter().count(), 1);
        assert_eq!(answer.header("etag"), "W/\"a\"");
    }
}

#[tokio::test]
async fn some_responses_are_never_compressed() {
    type Headers = &'static [(&'static str, &'static str)];
    let cases: [(u16, Headers, usize); 9] = [
        (200, &[("content-encoding", "x-own")], 1_000),
        (200, &[("cache-control", "public, No-Transform")], 1_000),
        (200, &[("content-type", "application/grpc+proto")], 1_000),
        (200, &[("content-type", "text/event-stream")], 1_000),
        (200, &[("content-type", "Image/PNG; a=b")], 1_000),
        (206, &[("content-range", "bytes 0-999/2000")], 1_000),
        (200, &[("content-type", "text/plain")], 9),
        (204, &[], 0),
        (304, &[("etag", "\"abc\"")], 0),
    ];
    for (status, headers, length) in cases {
        for is_announced in [true, false] {
            let web = Backend::start(move |_| async move {
                let body = lines(length);
                let mut response = Response::new(match (length, is_announced) {
                    (0, _) => empty(),
                    (_, true) => full(body),
                    (_, false) => pieces([body]),
                });
                *response.status_mut() = StatusCode::from_u16(status).unwrap();
                for (name, value) in headers {
                    let value = value.parse().unwrap();
                    response.headers_mut().append(*name, value);
                }
                response
            })
            .await;
            let edge = compressing(
                &web,
                Compression {
                    excluded_types: vec!["image/png".to_owned()],
                    ..plain()
                },
            );
            let mut client = Client::http1(edge.http()).await;
            let request = asking(&client, "GET").header("accept-encoding", "gzip, br, zstd");
            let answer = client.ask(request.body(empty()).unwrap()).await;
            assert_eq!(answer.status, status);
            assert_eq!(answer.body, lines(length), "{headers:?}");
            let own = headers.iter().find(|(name, _)| *name == "content-encoding");
            assert_eq!(
                answer.header("content-encoding"),
                own.map_or("", |(_, own)| own)
            );
            if length != 9 {
                assert_eq!(answer.header("vary"), "", "{headers:?}");
            }
        }
    }
}

#[tokio::test]
async fn the_answer_to_head_says_what_it_depends_on_and_is_not_compressed() {
    let web = answering(200, &[], lines(1_000), true).await;
    let edge = compressing(&web, plain());
    let answer = ask_once(&edge, "HEAD", &[("accept-encoding", "gzip")]).await;
    assert_eq!(answer.header("content-encoding"), "");
    // The length of what is not compressed is not that of GET.
    assert_eq!(answer.header("content-length"), "");
    assert_eq!(answer.header("vary"), "Accept-Encoding");
    assert_eq!(answer.length, 0);
}

#[tokio::test]
async fn types_are_compared_without_their_parameters() {
    for (is, included, excluded, compressed) in [
        ("text/html; charset=utf-8", Some("Text/HTML"), None, true),
        ("text/html", Some("text/plain"), None, false),
        ("text/event-stream", Some("text/event-stream"), None, true),
        ("TEXT/html ;x=y", None, Some("text/html"), false),
        ("text/html", None, Some("text/plain"), true),
        ("application/grpc", Some("application/grpc"), None, false),
    ] {
        let web = Backend::start(move |_| async move {
            let mut response = text(lines(1_000));
            let headers = response.headers_mut();
            headers.insert("content-type", is.parse().unwrap());
            response
        })
        .await;
        let list = |name: Option<&str>| name.map(str::to_owned).into_iter().collect();
        let edge = compressing(
            &web,
            Compression {
                included_types: list(included),
                excluded_types: list(excluded),
                ..plain()
            },
        );
        let answer = ask_once(&edge, "GET", &[("accept-encoding", "gzip")]).await;
        assert_eq!(answer.encoding() == "gzip", compressed, "{is}");
        assert_eq!(answer.body, lines(1_000).as_bytes());
    }
}

#[tokio::test]
async fn the_client_chooses_and_the_policy_where_it_does_not() {
    let web = answering(200, &[], lines(1_000), true).await;
    let policy = Compression {
        encodings: vec![Encoding::Zstd, Encoding::Gzip],
        default_encoding: Some(Encoding::Gzip),
        ..plain()
    };
    let edge = compressing(&web, policy);
    for (headers, encoding) in [
        (&[("accept-encoding", "gzip, br, zstd")][..], "zstd"),
        (&[("accept-encoding", "gzip, br, zstd;q=0.9")][..], "gzip"),
        (&[("accept-encoding", "br")][..], ""),
        (&[("accept-encoding", "identity")][..], ""),
        (&[][..], "gzip"),
    ] {
        let answer = ask_once(&edge, "GET", headers).await;
        assert_eq!(answer.encoding(), encoding, "{headers:?}");
        assert_eq!(answer.body, lines(1_000).as_bytes());
        assert_eq!(answer.header("vary"), "Accept-Encoding");
    }
}

#[tokio::test]
async fn small_bodies_are_compressed_for_whoever_accepts_nothing_else() {
    for is_announced in [true, false] {
        let web = answering(200, &[], "small".to_owned(), is_announced).await;
        let edge = compressing(&web, plain());
        for (accept, encoding) in [("gzip", ""), ("gzip, identity;q=0", "gzip")] {
            let answer = ask_once(&edge, "GET", &[("accept-encoding", accept)]).await;
            assert_eq!(answer.encoding(), encoding, "{accept}");
            assert_eq!(answer.body, b"small");
        }
    }
}

#[tokio::test]
async fn what_is_no_media_type_is_refused() {
    for wrong in [
        "text",
        "text/",
        "/html",
        "text/html; charset=utf-8",
        "te xt/html",
    ] {
        let policy = Compression {
            included_types: vec![wrong.to_owned()],
            ..plain()
        };
        let mut edge = TestEdge::serving([]);
        let refused = edge.apply(policies([PolicyAction::Compression(policy)]));
        assert_eq!(refused.len(), 1, "{wrong}");
        assert!(refused[0].reason.contains(wrong), "{}", refused[0].reason);
    }
}
