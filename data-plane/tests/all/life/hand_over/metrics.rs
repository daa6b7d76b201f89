//! The port for metrics: one a node, for the node itself and whom the settings name.

use std::net::SocketAddr;

use http::StatusCode;
use rustix::process::Signal;
use sluice_proto::{Resource, Settings, Snapshot};
use tokio::net::{TcpListener, TcpSocket};

use crate::life::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_port_for_metrics_moves_along() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let mut control_plane = site.control_plane().await;
    let address = site.metrics().to_string();
    let arguments = ["--metrics-address", &*address];
    let old = site.data_plane_with(&arguments);
    let _session = control_plane.serve(7, &shop(web.address)).await;
    site.ready().await;
    let taken = "sluice_hand_overs_taken_total";
    assert!(metrics(&site).await.contains(&format!("{taken} 0\n")));
    let pod = site.pod("new");
    let new = pod.start_with(&arguments);
    pod.ready().await;
    site.first_part("handed over").await;
    eventually("metrics of the new process", async || {
        metrics(&site).await.contains(&format!("{taken} 1\n"))
    })
    .await;
    new.end(Signal::KILL).await;
    assert!(metrics(&site).await.contains(&format!("{taken} 0\n")));
    let pod = site.pod("newer");
    let _newer = pod.start_with(&arguments);
    pod.ready().await;
    assert!(old.end(Signal::TERM).await.success());
    assert!(metrics(&site).await.contains(&format!("{taken} 1\n")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_for_metrics_is_a_problem_until_it_is_free() {
    let site = Site::new();
    let holder = TcpListener::bind(site.metrics()).await.unwrap();
    let address = site.metrics().to_string();
    let _data_plane = site.data_plane_with(&["--metrics-address", &address]);
    eventually("the problem", async || {
        let asked = site.ask("status").await;
        asked.stdout.contains("MetricsNotOpen") && asked.stdout.contains(&address)
    })
    .await;
    drop(holder);
    eventually("no problem", async || {
        !site.ask("status").await.stdout.contains("MetricsNotOpen")
    })
    .await;
    assert!(metrics(&site).await.ends_with("# EOF\n"));
}

// The peer is another address of loopback only in the eyes of this test: what is in 192.0.2.0/24 is put on `lo` for it.
#[tokio::test(flavor = "multi_thread")]
async fn others_may_read_them_only_by_the_settings() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let mut control_plane = site.control_plane().await;
    let address = site.metrics().to_string();
    let _data_plane = site.data_plane_with(&["--metrics-address", &address]);
    let resources = shop(web.address);
    let mut session = control_plane.serve(7, &resources).await;
    let is_answered = async || asks_from(site.metrics(), site.http().ip()).await;
    assert!(is_answered().await, "loopback always may");
    let settings = Settings {
        metrics_ranges: vec!["192.0.2.0/24".parse().unwrap()],
        ..Settings::default()
    };
    let mut more = resources.clone();
    more.push(Resource::Settings(Box::new(settings)));
    let (held, target) = (Snapshot::of(&resources), Snapshot::of(&more));
    session.deliver(8, &held, &target).await;
    assert!(is_answered().await);
}

async fn asks_from(address: SocketAddr, from: std::net::IpAddr) -> bool {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    let stream = socket.connect(address).await.unwrap();
    let mut client = Client::http1_over(stream).await;
    client.get("localhost", "/metrics").await.status == StatusCode::OK
}

async fn metrics(site: &Site) -> String {
    get(site.metrics(), "localhost", "/metrics").await.body
}
