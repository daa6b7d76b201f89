//! The end: what is in flight is finished, and the exit code says that all is well.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use rustix::process::Signal;
use sluice_proto::wire;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::harness::*;

#[tokio::test]
async fn a_slow_request_is_finished_before_the_end() {
    let site = Site::new();
    let (arrived, released) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = slow(&arrived, &released).await;
    let mut control_plane = site.control_plane().await;
    let data_plane = site.data_plane();
    let mut session = control_plane.serve(3, &shop(slow.address)).await;
    let http = site.http();
    let request = tokio::spawn(async move { get(http, "shop.example", "/").await });
    within("the request at the backend", arrived.notified()).await;

    data_plane.signal(Signal::TERM);
    session
        .report("a report that it drains", |report| {
            report.state() == wire::report::State::Draining
        })
        .await;
    let asked = site.ask("ready").await;
    assert_eq!((asked.code, &*asked.stdout), (Some(1), "draining\n"));
    assert_eq!(site.ask("live").await.code, Some(0));
    assert_eq!(site.status().await["state"], "draining");
    released.notify_one();
    let answer: Answer = request.await.unwrap();
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "slow"));
    assert_eq!(data_plane.ended().await.code(), Some(0));
    site.refuses_connections().await;
}

#[tokio::test]
async fn an_idle_one_says_that_it_drains_before_it_ends() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let mut control_plane = site.control_plane().await;
    let data_plane = site.data_plane();
    let mut session = control_plane.serve(3, &shop(web.address)).await;
    data_plane.signal(Signal::TERM);
    session
        .report("a report that it drains", |report| {
            report.state() == wire::report::State::Draining
        })
        .await;
    assert_eq!(data_plane.ended().await.code(), Some(0));
}

#[tokio::test]
async fn an_idle_one_ends_at_once() {
    for signal in [Signal::TERM, Signal::INT] {
        let site = Site::new();
        let web = Backend::saying("web").await;
        let mut control_plane = site.control_plane().await;
        let data_plane = site.data_plane();
        control_plane.serve(3, &shop(web.address)).await;
        let start = Instant::now();
        assert_eq!(data_plane.end(signal).await.code(), Some(0));
        assert!(start.elapsed() < GRACE / 2, "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn one_without_a_snapshot_ends_at_once() {
    let site = Site::new();
    let data_plane = site.data_plane();
    site.unready("no snapshot yet").await;
    let start = Instant::now();
    assert_eq!(data_plane.end(Signal::TERM).await.code(), Some(0));
    assert!(start.elapsed() < GRACE / 2, "{:?}", start.elapsed());
    // An empty copy would make the next one serve 404.
    assert!(!site.copy().exists());
}

#[tokio::test]
async fn a_second_signal_does_not_wait() {
    let site = Site::new();
    let (arrived, released) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = slow(&arrived, &released).await;
    let mut control_plane = site.control_plane().await;
    let data_plane = site.data_plane();
    control_plane.serve(3, &shop(slow.address)).await;
    let mut client = TcpStream::connect(site.http()).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";
    client.write_all(request).await.unwrap();
    within("the request at the backend", arrived.notified()).await;
    data_plane.signal(Signal::TERM);
    site.logged("told to stop").await;
    let start = Instant::now();
    assert_eq!(data_plane.end(Signal::TERM).await.code(), Some(0));
    assert!(start.elapsed() < GRACE / 2, "{:?}", start.elapsed());
    let mut answer = Vec::new();
    let end = client.read_to_end(&mut answer);
    within("the end of the connection", end).await.unwrap();
    assert_eq!(answer, b"");
}

/// Returns a backend that says when a request has arrived, and answers when it may.
async fn slow(arrived: &Arc<Notify>, released: &Arc<Notify>) -> Backend {
    let (arrived, released) = (Arc::clone(arrived), Arc::clone(released));
    Backend::start(move |_| {
        let (arrived, released) = (Arc::clone(&arrived), Arc::clone(&released));
        async move {
            arrived.notify_one();
            released.notified().await;
            text("slow")
        }
    })
    .await
}

/// What a drain may take by default.
const GRACE: Duration = Duration::from_secs(25);
