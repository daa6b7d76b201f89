//! Bodies that come bit by bit, end early, end with trailers, or are not bodies any more.

use http_body::Frame;
use http_body_util::StreamBody;
use tokio::sync::mpsc;

use super::*;

/// A backend whose next answer has the body that is put in here.
async fn fed(content_type: &'static str) -> (Backend, mpsc::Receiver<Frames>) {
    let (feeding, fed) = mpsc::channel(1);
    let backend = Backend::start(move |_| {
        let feeding = feeding.clone();
        async move {
            let (frames, body) = channel();
            feeding.send(frames).await.unwrap();
            let mut response = Response::new(body);
            let headers = response.headers_mut();
            headers.insert("content-type", content_type.parse().unwrap());
            response
        }
    })
    .await;
    (backend, fed)
}

async fn next_piece(body: &mut hyper::body::Incoming, what: &str) -> bytes::Bytes {
    let frame = within(what, body.frame()).await.expect("a piece").unwrap();
    frame.into_data().expect("a piece of data")
}

#[tokio::test]
async fn each_piece_arrives_before_the_next_one_is_sent() {
    let (web, mut fed) = fed("text/event-stream").await;
    for protocol in [Http1, H2c] {
        let policy = Compression {
            included_types: vec!["text/event-stream".to_owned()],
            least_bytes: 1_000,
            ..plain()
        };
        let edge = guarding(protocol, [web.address], [PolicyAction::Compression(policy)]);
        for mut client in clients(&edge).await {
            for encoding in ALL.map(Encoding::as_str) {
                let request = asking(&client, "GET").header("accept-encoding", encoding);
                let sending = client.send(request.body(empty()).unwrap());
                let answered = tokio::join!(sending, async {
                    let frames = fed.recv().await.unwrap();
                    push(&frames, "data: 0\n\n").await;
                    frames
                });
                let (response, frames) = (answered.0.unwrap(), answered.1);
                assert_eq!(response.headers()["content-encoding"], encoding);
                let mut body = response.into_body();
                let mut decoder = Decoder::new(encoding);
                let mut sent = "data: 0\n\n".to_owned();
                for number in 1..=5 {
                    while decoder.so_far() != sent.as_bytes() {
                        decoder.write(&next_piece(&mut body, &sent).await);
                    }
                    let event = format!("data: {number}\n\n");
                    sent.push_str(&event);
                    push(&frames, event).await;
                }
                drop(frames);
                let rest = within("the end", body.collect()).await.unwrap();
                decoder.write(&rest.to_bytes());
                assert_eq!(decoder.finish(), sent.as_bytes());
            }
        }
    }
}

// The header section does not wait for the first piece either.
#[tokio::test]
async fn a_header_section_comes_before_any_piece() {
    let (web, mut fed) = fed("text/plain").await;
    let edge = compressing(&web, plain());
    for mut client in clients(&edge).await {
        let request = asking(&client, "GET").header("accept-encoding", "gzip");
        let response = client.send(request.body(empty()).unwrap()).await.unwrap();
        assert_eq!(response.headers()["content-encoding"], "gzip");
        let frames = fed.recv().await.unwrap();
        push(&frames, "late").await;
        drop(frames);
        let mut decoder = Decoder::new("gzip");
        let whole = within("the whole", response.into_body().collect()).await;
        decoder.write(&whole.unwrap().to_bytes());
        assert_eq!(decoder.finish(), b"late");
    }
}

#[tokio::test]
async fn trailers_pass_behind_what_is_compressed() {
    for (length, encoding) in [(1_000, "zstd"), (5, "")] {
        let web = Backend::start(move |_| async move {
            let trailers =
                HeaderMap::from_iter([("x-sum".parse().unwrap(), "42".parse().unwrap())]);
            let frames = [
                Ok(Frame::data(lines(length).into())),
                Ok(Frame::trailers(trailers)),
            ];
            let mut response = Response::new(StreamBody::new(tokio_stream::iter(frames)).boxed());
            let headers = response.headers_mut();
            headers.insert("trailer", "x-sum".parse().unwrap());
            response
        })
        .await;
        for protocol in [Http1, H2c] {
            let policy = PolicyAction::Compression(plain());
            let edge = guarding(protocol, [web.address], [policy]);
            for mut client in clients(&edge).await {
                let mut headers = vec![("accept-encoding", "zstd"), ("te", "trailers")];
                if matches!(client, Client::Http1(_)) {
                    headers.push(("connection", "te"));
                }
                let answer = ask(&mut client, "GET", &headers).await;
                assert_eq!(answer.encoding(), encoding);
                assert_eq!(answer.body, lines(length).as_bytes());
                assert_eq!(answer.trailers["x-sum"], "42");
            }
        }
    }
}

#[tokio::test]
async fn what_the_backend_cuts_short_is_cut_short_for_the_client() {
    let half = Backend::raw(|mut stream| async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let _ = stream.read(&mut [0; 4096]).await;
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n";
        stream.write_all(head).await.unwrap();
        stream.write_all(lines(1_000).as_bytes()).await.unwrap();
    })
    .await;
    let edge = compressing(&half, plain());
    for mut client in clients(&edge).await {
        let request = asking(&client, "GET").header("accept-encoding", "gzip");
        let response = client.send(request.body(empty()).unwrap()).await.unwrap();
        assert_eq!(response.headers()["content-encoding"], "gzip");
        let cut = within("the cut", response.into_body().collect()).await;
        assert!(cut.is_err(), "{cut:?}");
    }
    edge.line(|line| line["error"] == "response_incomplete")
        .await;
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_response_at_the_backend() {
    let (web, mut fed) = fed("text/plain").await;
    let edge = compressing(&web, plain());
    let mut client = Client::http1(edge.http()).await;
    let request = asking(&client, "GET").header("accept-encoding", "br");
    let response = client.send(request.body(empty()).unwrap()).await.unwrap();
    let frames = fed.recv().await.unwrap();
    push(&frames, "first").await;
    drop((response, client));
    within("the end at the backend", frames.closed()).await;
    edge.line(|line| line["error"] == "response_incomplete")
        .await;
}

#[tokio::test]
async fn a_connection_that_changes_its_protocol_is_left_alone() {
    let shouting = Backend::raw(|mut stream| async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut buffer = [0; 4096];
        let _ = stream.read(&mut buffer).await;
        let head =
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: loud\r\n\r\n";
        stream.write_all(head).await.unwrap();
        let count = stream.read(&mut buffer).await.unwrap();
        let shouted = buffer[..count].to_ascii_uppercase();
        stream.write_all(&shouted).await.unwrap();
    })
    .await;
    let least = Compression {
        least_bytes: 0,
        ..plain()
    };
    let edge = compressing(&shouting, least);
    let mut stream = Stream::connect(edge.http()).await;
    stream
        .send(
            "GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: upgrade\r\nUpgrade: loud\r\n\
             Accept-Encoding: gzip\r\n\r\n",
        )
        .await;
    let head = stream.read_until("\r\n\r\n").await.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(
        !head.contains("content-encoding") && !head.contains("vary"),
        "{head}"
    );
    stream.send("hello").await;
    assert_eq!(stream.read_exactly(5).await, b"HELLO");
}
