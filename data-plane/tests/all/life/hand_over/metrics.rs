//! The port for metrics: one a node, for the node itself and whom the settings name.

use rustix::process::Signal;
use tokio::net::TcpListener;

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
    site.metrics_open().await;
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

// In a network namespace of its own, where 192.0.2.1 is an address of the node.
#[tokio::test(flavor = "multi_thread")]
async fn over_the_network_the_node_reads_them_once_there_is_a_snapshot() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let arguments = ["--metrics-address", "192.0.2.1:9090"];
    let data_plane = site.pod("state").start_alone(&arguments);
    site.unready("no snapshot yet").await;
    eventually("the refusal is counted", async || {
        assert_eq!(data_plane.asked_for_metrics("192.0.2.1").await, "");
        let metrics = site.ask("metrics").await.stdout;
        !metrics.contains("sluice_metrics_peers_refused_total 0\n")
    })
    .await;
    data_plane.end(Signal::KILL).await;

    // A snapshot, from the disk.
    let mut control_plane = site.control_plane().await;
    let data_plane = site.data_plane();
    let _session = control_plane.serve(7, &shop(web.address)).await;
    site.copied().await;
    data_plane.end(Signal::KILL).await;
    let data_plane = site.pod("state").start_alone(&arguments);
    eventually("the metrics", async || {
        data_plane
            .asked_for_metrics("192.0.2.1")
            .await
            .contains("\n# EOF\n")
    })
    .await;
    let metrics = site.ask("metrics").await.stdout;
    assert!(
        metrics.contains("sluice_metrics_peers_refused_total 0\n"),
        "{metrics}"
    );
}

async fn metrics(site: &Site) -> String {
    get(site.metrics(), "localhost", "/metrics").await.body
}
