//! Clients that ask for much and take nothing, more of them than fit into memory: they go, and the others are served.

use std::net::SocketAddr;
use std::time::Duration;

use http::Request;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::harness::*;

#[tokio::test]
async fn who_reads_nothing_over_http1_goes_before_memory_does() {
    attacked_by(async |address| {
        let mut stream = TcpStream::connect(address).await.ok()?;
        let asked = b"GET /much HTTP/1.1\r\nHost: shop.example\r\n\r\n";
        stream.write_all(asked).await.ok()?;
        Some(stream)
    })
    .await;
}

#[tokio::test]
async fn who_reads_nothing_over_http2_goes_before_memory_does() {
    attacked_by(async |address| {
        let stream = TcpStream::connect(address).await.ok()?;
        // A window of nearly nothing: the data plane has to keep what the endpoint sends.
        let (mut sender, connection) = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(1)
            .handshake(TokioIo::new(stream))
            .await
            .ok()?;
        let connection = tokio::spawn(connection);
        let mut taken = Vec::new();
        for _ in 0..32 {
            let request = Request::get("http://shop.example/much")
                .body(empty())
                .unwrap();
            taken.push(sender.send_request(request).await.ok()?);
        }
        Some((connection, taken))
    })
    .await;
}

#[tokio::test]
async fn who_does_not_end_a_large_header_section_goes_before_memory_does() {
    attacked_by(async |address| {
        let mut stream = TcpStream::connect(address).await.ok()?;
        let begun = format!(
            "GET / HTTP/1.1\r\nHost: shop.example\r\nX: {}",
            "x".repeat(60_000)
        );
        stream.write_all(begun.as_bytes()).await.ok()?;
        Some(stream)
    })
    .await;
}

/// Has clients that do this come until some were sent away, and looks that there was always memory left, and that everybody
/// else is served then.
async fn attacked_by<T>(come: impl AsyncFn(SocketAddr) -> Option<T>) {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let much = Backend::raw(pour).await;
    let mut control_plane = site.control_plane().await;
    let limit = LIMIT.to_string();
    let data_plane = site.data_plane_with(&["--memory-limit", &limit]);
    let mut resources = shop(web.address);
    resources.push(route("shop.example", "/much", "much"));
    resources.extend(service("much", [much.address]));
    let mut session = control_plane.serve(3, &resources).await;

    let mut attackers = Vec::new();
    let mut most = 0;
    eventually("attackers are sent away", async || {
        for _ in 0..20 {
            attackers.push(timeout(PATIENCE, come(site.http())).await);
            most = most.max(data_plane.memory());
        }
        sent_away(&site).await > 0
    })
    .await;
    session
        .report("a report that memory is short", |report| {
            let mut problems = report.problems.iter();
            problems.any(|problem| problem.code == "MemoryShort")
        })
        .await;
    eventually("the others are served, and memory suffices", async || {
        most = most.max(data_plane.memory());
        served(site.http()).await && site.status().await["problems"] == serde_json::json!([])
    })
    .await;
    assert!(most < LIMIT, "it used {most} of {LIMIT} bytes");
}

/// An endpoint whose answer has no end.
async fn pour(mut stream: TcpStream) {
    let _ = stream.read(&mut [0; 4096]).await;
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n";
    let mut poured = stream.write_all(head.as_bytes()).await;
    while poured.is_ok() {
        poured = stream.write_all(&[b'x'; 65_536]).await;
    }
}

async fn served(address: SocketAddr) -> bool {
    let ask = b"GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n";
    let asking = async {
        let mut answer = String::new();
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(ask).await?;
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    let answer = timeout(PATIENCE, asking).await;
    answer.is_ok_and(|answer| answer.is_ok_and(|answer| answer.ends_with("web")))
}

async fn sent_away(site: &Site) -> u64 {
    let metrics = site.ask("metrics").await.stdout;
    let name = "sluice_connections_ended_for_memory_total ";
    let count = metrics.lines().find_map(|line| line.strip_prefix(name));
    count.unwrap().parse().unwrap()
}

const LIMIT: u64 = 160 << 20;
const PATIENCE: Duration = Duration::from_secs(2);
