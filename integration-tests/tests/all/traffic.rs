//! The backend and the load themselves: what they see, count and refuse to overlook. What Sluice promises is not shown
//! here; without this, a load that sees no failure would show nothing.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::Request;
use http_body_util::Full;
use sluice_integration_tests::client::{Connection, Destination, fetch};
use sluice_integration_tests::echo::Echo;
use sluice_integration_tests::load::{Connections, Load, Target};
use sluice_integration_tests::namespace::Namespace;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn the_backend_tells_what_it_saw() {
    let echo = Running::start("one", Duration::ZERO).await;
    let answer = fetch(&echo.destination("/a/b?c=d")).await.unwrap();
    let seen = answer.seen().unwrap();
    assert_eq!(
        (answer.status.as_u16(), answer.backend()),
        (200, Some("one"))
    );
    assert_eq!(
        (seen.path.as_str(), seen.query.as_str(), seen.host.as_str()),
        ("/a/b", "c=d", "echo.example.com")
    );
    assert_eq!(seen.headers["connection"], ["close"]);
    echo.stop().await;
}

#[tokio::test]
async fn the_backend_streams_and_returns_bodies() {
    let echo = Running::start("one", Duration::ZERO).await;
    let answer = fetch(&echo.destination("/?chunks=3&interval_ms=1"))
        .await
        .unwrap();
    assert_eq!(answer.body, "line 0\nline 1\nline 2\n");

    let mut connection = Connection::open(&echo.destination("/echo")).await.unwrap();
    let body = Bytes::from(vec![b'x'; 3_000_000]);
    let request = Request::post("/echo")
        .header("host", "echo.example.com")
        .body(Full::new(body.clone()))
        .unwrap();
    assert!(connection.send(request).await.unwrap().body == body);
    drop(connection);
    echo.stop().await;
}

#[tokio::test]
async fn the_backend_speaks_websocket() {
    let echo = Running::start("one", Duration::ZERO).await;
    let stream = TcpStream::connect(echo.address).await.unwrap();
    // The library checks the proof of the key.
    let (mut socket, _) = tokio_tungstenite::client_async("ws://echo.example.com/", stream)
        .await
        .unwrap();
    for text in ["there", "and back"] {
        socket.send(Message::text(text)).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::text(text));
    }
    socket.close(None).await.unwrap();
    while socket.next().await.is_some() {}
    echo.stop().await;
}

#[tokio::test]
async fn the_backend_finishes_what_it_accepted_and_lingers() {
    let echo = Running::start("one", Duration::from_secs(1)).await;
    let slow = echo.destination("/?delay_ms=1500");
    let slow = tokio::spawn(async move { fetch(&slow).await });
    let quick = echo.destination("/");
    fetch(&quick).await.unwrap();
    let ended = echo.told_to_stop();
    fetch(&quick).await.expect("it still takes connections");
    assert_eq!(slow.await.unwrap().unwrap().status, 200);
    ended.await.unwrap();
    assert!(fetch(&quick).await.unwrap_err().chain().contains("refused"));
}

#[tokio::test]
async fn a_load_over_a_sound_backend_has_no_failure() {
    let echo = Running::start("one", Duration::ZERO).await;
    let load = Load::new(vec![echo.target("one")]).at_most(200).start();
    load.wait_for_more(200).await.unwrap();
    let report = load.stop().await;
    report.require_no_failure(200).unwrap();
    assert_eq!(
        report
            .outcomes()
            .iter()
            .filter(|outcome| outcome.kept_alive)
            .count(),
        100
    );
    assert!(
        report
            .require_no_failure(201)
            .unwrap_err()
            .to_string()
            .contains("only 200 requests")
    );
    echo.stop().await;
}

#[test]
fn a_load_runs_inside_a_namespace() {
    let namespace = Namespace::create().unwrap();
    let (pod, other) = (Namespace::pod(1, 1), Namespace::pod(1, 2));
    namespace.add_address(pod).unwrap();
    let report = namespace
        .run(async || {
            let echo =
                Running::start_at(SocketAddr::new(pod.into(), 8000), "one", Duration::ZERO).await;
            let elsewhere = destination(SocketAddr::new(other.into(), 8000), "/");
            let elsewhere = Target {
                destination: elsewhere,
                others: Vec::new(),
                backend: "one".to_owned(),
            };
            let load = Load::new(vec![echo.target("one"), elsewhere])
                .at_most(20)
                .start();
            load.wait_for_more(20).await?;
            echo.stop().await;
            Ok(load.stop().await)
        })
        .unwrap();
    // Nobody is at the other address, and what is sent there vanishes.
    assert_eq!(report.failures().count(), 10);
    assert!(
        report
            .failures()
            .all(|failure| failure.to_string().contains("no answer within")),
        "{report}"
    );
}

#[tokio::test]
async fn a_load_sees_every_failure() {
    let echo = Running::start("one", Duration::ZERO).await;
    // The wrong backend; then one that is gone.
    let wrong = Load::new(vec![echo.target("two")]).at_most(10).start();
    wrong.wait_for_more(10).await.unwrap();
    let report = wrong.stop().await;
    assert_eq!(report.failures().count(), 10);
    assert!(
        report.to_string().contains("200 OK from one, not two")
            || report.to_string().contains("200 from one, not two"),
        "{report}"
    );

    let target = echo.target("one");
    echo.stop().await;
    let gone = Load::new(vec![target])
        .at_most(10)
        .connections(Connections::New)
        .start();
    gone.wait_for_more(10).await.unwrap();
    let report = gone.stop().await;
    assert_eq!(report.failures().count(), 10);
    assert!(report.to_string().contains("refused"), "{report}");
}

#[tokio::test]
async fn a_load_sends_again_only_what_no_byte_answered() {
    // Every second request of a connection is cut off: before the answer's first byte, or in its midst.
    for (cut, failures) in [("", false), ("HTTP/1.1 200 OK\r\n", true)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(cut_off_second_request(stream, cut));
            }
        });
        let target = Target {
            destination: destination(address, "/"),
            others: Vec::new(),
            backend: String::new(),
        };
        let load = Load::new(vec![target]).at_most(40).start();
        load.wait_for_more(40).await.unwrap();
        let report = load.stop().await;
        assert_eq!(report.failures().next().is_some(), failures, "{report}");
        server.abort();
    }
}

async fn cut_off_second_request(mut stream: TcpStream, cut: &str) -> std::io::Result<()> {
    let mut request = vec![0; 4096];
    let _ = stream.read(&mut request).await?;
    stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        .await?;
    let _ = stream.read(&mut request).await?;
    stream.write_all(cut.as_bytes()).await
}

/// An echo server in this process.
struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    async fn start(name: &str, linger: Duration) -> Self {
        Self::start_at(([127, 0, 0, 1], 0).into(), name, linger).await
    }

    async fn start_at(address: SocketAddr, name: &str, linger: Duration) -> Self {
        let echo = Echo::bind(address, name, linger).await.unwrap();
        let address = echo.address().unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(echo.serve(async {
            let _ = stopped.await;
        }));
        Self {
            address,
            stop,
            task,
        }
    }

    fn destination(&self, path: &str) -> Destination {
        destination(self.address, path)
    }

    fn target(&self, backend: &str) -> Target {
        Target {
            destination: self.destination("/"),
            others: Vec::new(),
            backend: backend.to_owned(),
        }
    }

    fn told_to_stop(self) -> JoinHandle<()> {
        self.stop.send(()).unwrap();
        self.task
    }

    async fn stop(self) {
        self.told_to_stop().await.unwrap();
    }
}

fn destination(address: SocketAddr, path: &str) -> Destination {
    Destination {
        address,
        tls: None,
        host: "echo.example.com".to_owned(),
        path: path.to_owned(),
    }
}
