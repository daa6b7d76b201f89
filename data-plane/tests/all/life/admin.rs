//! The commands that ask a running data plane, and the port for metrics.

use http::StatusCode;
use rustix::process::Signal;
use sluice_proto::wire;
use tokio::net::TcpListener;

use super::harness::*;

#[tokio::test]
async fn the_commands_answer_before_and_after_the_first_snapshot() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let mut control_plane = site.control_plane().await;
    let _data_plane = site.data_plane();
    let mut session = control_plane.session().await;
    site.unready("no snapshot yet").await;
    session
        .report("a report that it starts", |report| {
            report.state() == wire::report::State::Starting
        })
        .await;
    assert_eq!(site.ask("live").await.code, Some(0));
    let status = site.status().await;
    assert_eq!(status["node"], "node-a");
    assert_eq!(status["state"], "starting");
    assert_eq!(status["generation"], 0);
    assert_eq!(status["controlPlane"]["connected"], true);
    assert_eq!(status["controlPlane"]["address"], site.stream().to_string());

    let nothing = sluice_proto::Snapshot::default();
    let target = sluice_proto::Snapshot::of(&shop(web.address));
    session.deliver(3, &nothing, &target).await;
    session
        .report("a report that it serves", |report| {
            report.state() == wire::report::State::Serving
        })
        .await;
    let asked = site.ask("ready").await;
    assert_eq!((asked.code, &*asked.stdout), (Some(0), "ready\n"));
    let status = site.status().await;
    assert_eq!(status["state"], "serving");
    assert_eq!(status["generation"], 3);
    assert_eq!(
        status["listeners"],
        serde_json::json!([
            {"name": "http", "address": site.http().to_string()},
            {"name": "https", "address": site.https().to_string()},
        ])
    );
    assert_eq!(status["problems"], serde_json::json!([]));
    let metrics = site.ask("metrics").await;
    assert_eq!(metrics.code, Some(0));
    assert!(metrics.stdout.ends_with("# EOF\n"), "{}", metrics.stdout);
    let generation = |line: &str| line.contains("generation") && line.ends_with(" 3");
    assert!(metrics.stdout.lines().any(generation), "{}", metrics.stdout);
}

#[tokio::test]
async fn without_a_data_plane_the_commands_fail_and_name_the_socket() {
    let site = Site::new();
    for command in ["ready", "live", "status", "metrics"] {
        let asked = site.ask(command).await;
        assert_eq!(asked.code, Some(1), "{asked:?}");
        let socket = site.socket().display().to_string();
        assert!(asked.stderr.contains(&socket), "{asked:?}");
    }
}

#[tokio::test]
async fn a_listener_that_cannot_be_opened_is_a_problem_until_it_can() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let holder = TcpListener::bind(site.https()).await.unwrap();
    let mut control_plane = site.control_plane().await;
    let _data_plane = site.data_plane();
    let mut session = control_plane.serve(3, &shop(web.address)).await;
    session
        .report("a report of the listener", |report| {
            let problem = report.problems.first();
            problem.is_some_and(|problem| problem.code == "ListenerNotOpen")
        })
        .await;
    let asked = site.ask("ready").await;
    assert_eq!(asked.code, Some(1));
    let address = site.https().to_string();
    for part in ["not all listeners are open", &address, "Stop the program"] {
        assert!(asked.stdout.contains(part), "{asked:?}");
    }
    assert_eq!(
        site.status().await["problems"][0]["object"],
        "Listener https"
    );
    // The other one serves.
    assert_eq!(get(site.http(), "shop.example", "/").await.body, "web");
    drop(holder);
    site.ready().await;
    session
        .report("a report without a problem", |report| {
            report.problems.is_empty() && report.state() == wire::report::State::Serving
        })
        .await;
}

#[tokio::test]
async fn a_second_one_on_the_same_socket_does_not_start() {
    let site = Site::new();
    let web = Backend::saying("web").await;
    let mut control_plane = site.control_plane().await;
    let first = site.data_plane();
    control_plane.serve(3, &shop(web.address)).await;
    let second = site.data_plane().ended().await;
    assert_eq!(second.code(), Some(1));
    let log = site.log();
    let expected = format!("another data plane answers on {}", site.socket().display());
    assert!(log.contains(&expected), "{log}");
    assert_eq!(site.ask("ready").await.code, Some(0));
    assert_eq!(get(site.http(), "shop.example", "/").await.body, "web");

    // What a killed one leaves behind is in nobody's way.
    site.copied().await;
    first.end(Signal::KILL).await;
    assert!(site.socket().exists());
    let _third = site.data_plane();
    site.ready().await;
}

#[tokio::test]
async fn the_port_for_metrics_answers_nothing_else() {
    let site = Site::new();
    let address = site.metrics().to_string();
    let _data_plane = site.data_plane_with(&["--metrics-address", &address]);
    site.metrics_open().await;
    let answer = get(site.metrics(), "localhost", "/metrics").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        answer.header("content-type"),
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    assert!(answer.body.ends_with("# EOF\n"), "{}", answer.body);
    for path in ["/status", "/ready", "/live", "/", "/metrics/"] {
        let answer = get(site.metrics(), "localhost", path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn without_a_hand_over_a_taken_port_for_metrics_ends_it() {
    let site = Site::new();
    let _holder = TcpListener::bind(site.metrics()).await.unwrap();
    let address = site.metrics().to_string();
    let arguments = ["--metrics-address", &*address, "--hand-over", "off"];
    let data_plane = site.data_plane_with(&arguments);
    assert_eq!(data_plane.ended().await.code(), Some(1));
    let log = site.log();
    let expected = format!("cannot listen on {address} for metrics");
    assert!(log.contains(&expected), "{log}");
}

#[tokio::test]
async fn a_filter_that_is_none_is_named() {
    let site = Site::new();
    let data_plane = site.data_plane_with(&["--log", "loud=very"]);
    assert_eq!(data_plane.ended().await.code(), Some(1));
    let log = site.log();
    assert!(log.contains("--log \"loud=very\" is not a filter"), "{log}");
}
