//! The environment: every flag has a variable, and what a pod sets for the one that runs does not disturb its probes.

use std::path::Path;

use rustix::process::Signal;

use super::harness::*;

#[tokio::test]
async fn a_probe_needs_nothing_that_only_the_running_one_needs() {
    let site = Site::new();
    let _data_plane = site.data_plane();
    site.unready("no snapshot yet").await;
    let state = site.state();
    let surroundings: [&[(&str, &str)]; 3] = [
        &[],
        &[("SLUICE_NODE", "node-a"), ("SLUICE_LISTEN", "http=[::]:80")],
        &[("SLUICE_CORES", "4"), ("SLUICE_IDENTITY_DIR", "/nowhere")],
    ];
    for more in surroundings {
        let mut environment = vec![("SLUICE_STATE_DIR", state.to_str().unwrap())];
        environment.extend(more);
        let asked = site.ask_in("live", &environment).await;
        assert_eq!(
            (asked.code, &*asked.stdout),
            (Some(0), "live\n"),
            "{asked:?}"
        );
        let asked = site.ask_in("ready", &environment).await;
        assert_eq!(asked.code, Some(1), "{asked:?}");
        assert!(asked.stdout.contains("no snapshot yet"), "{asked:?}");
    }
}

#[tokio::test]
async fn the_socket_may_be_named_by_the_environment() {
    let site = Site::new();
    let asked = site
        .ask_in("live", &[("SLUICE_ADMIN_SOCKET", "/nowhere/admin.sock")])
        .await;
    assert_eq!(asked.code, Some(1));
    assert!(asked.stderr.contains("/nowhere/admin.sock"), "{asked:?}");
}

#[tokio::test]
async fn it_runs_by_its_environment_alone() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let mut control_plane = site.control_plane().await;
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let data_plane = DataPlane::start_in(
        &site,
        &[
            ("SLUICE_NODE", "node-b".to_owned()),
            ("SLUICE_CONTROL_PLANE", site.stream().to_string()),
            ("SLUICE_IDENTITY_DIR", text(&site.identity())),
            ("SLUICE_STATE_DIR", text(&site.state())),
            (
                "SLUICE_LISTEN",
                format!("http={},https={}", site.http(), site.https()),
            ),
            ("SLUICE_METRICS_ADDRESS", site.metrics().to_string()),
            ("SLUICE_CORES", "1".to_owned()),
            ("SLUICE_LOG_FORMAT", "json".to_owned()),
        ],
    );
    let session = control_plane.serve(1, &shop(web.address)).await;
    assert_eq!(session.hello.node, "node-b");
    assert_eq!(get(site.http(), "shop.example", "/").await.body, "web");
    site.metrics_open().await;
    let metrics = get(site.metrics(), "localhost", "/metrics").await.body;
    for line in [
        "sluice_stream_connected 1",
        "sluice_streams_opened_total 1",
        "sluice_endpoints_stale 0",
    ] {
        assert!(metrics.lines().any(|own| own == line), "{line}: {metrics}");
    }
    for certificate in ["authority", "data-plane"] {
        for of in ["not_before", "not_after"] {
            let name = format!(
                "sluice_identity_certificate_{of}_timestamp_seconds{{certificate=\"{certificate}\"}} "
            );
            let time = metrics.lines().find_map(|line| line.strip_prefix(&name));
            let time = time.unwrap_or_else(|| panic!("{name}: {metrics}"));
            assert!(time.parse::<i64>().unwrap() > 0, "{name}");
        }
    }
    for line in site.log().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["fields"]["message"].is_string(), "{line}");
    }
    assert!(data_plane.end(Signal::INT).await.success());
}
