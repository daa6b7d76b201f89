//! A data plane's life as the registry sees it, and what ends a stream.

use std::time::Duration;

use sluice_control_plane::stream::NodeState;
use sluice_proto::wire;
use sluice_proto::wire::data_plane_message::Message as Said;
use tonic::Code;

use crate::data_plane::DataPlane;
use crate::objects::hosts;
use crate::running::Running;

#[tokio::test]
async fn who_goes_away_stays_known() {
    let running = Running::with(&hosts(&["a.example"])).await;
    let mut first = DataPlane::connect(&running, "node-a").await;
    let mut second = DataPlane::connect(&running, "node-b").await;
    first.sync_to(1).await;
    second.sync_to(1).await;
    running.live(2, 2).await;
    drop(second);
    running.live(1, 2).await;

    let mut client = running.introspect().await;
    let nodes = client
        .list_nodes(wire::ListNodesRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(nodes.summary, "generation 1 is live on 1 of 2 nodes");
    assert_eq!((nodes.live, nodes.total, nodes.generation), (1, 2, 1));
    let [here, gone] = &nodes.nodes[..] else {
        panic!("{nodes:?}");
    };
    assert!(here.live && here.disconnected_since.is_empty() && here.acked_generation == 1);
    assert!(
        !gone.live && gone.disconnected_since.ends_with('Z'),
        "{gone:?}"
    );
    assert!(!gone.disconnected_since.contains('.'), "{gone:?}");
    assert_eq!(gone.name, "node-b");
}

#[tokio::test]
async fn two_processes_of_a_node_are_one_node() {
    let running = Running::with(&hosts(&["a.example"])).await;
    let mut old = DataPlane::connect(&running, "node-a").await;
    old.sync_to(1).await;
    let mut new = DataPlane::silent(&running).await;
    new.hello("node-a", "2").await;
    running.live(0, 1).await;
    new.sync_to(1).await;
    running.live(1, 1).await;

    // The old one drains, and need not follow any more.
    old.report(wire::report::State::Draining, Vec::new()).await;
    let is_draining = |state: NodeState| state == NodeState::Draining;
    running
        .nodes("one drains", |nodes| {
            nodes.iter().any(|(_, status)| is_draining(status.state))
        })
        .await;
    running.publish(&hosts(&["b.example"]));
    new.sync_to(2).await;
    running.live(1, 1).await;
    drop(old);
    running
        .nodes("one is left", |nodes| nodes.iter().count() == 1)
        .await;
}

#[tokio::test]
async fn what_a_data_plane_reports_is_shown() {
    let running = Running::with(&hosts(&["a.example"])).await;
    let mut data_plane = DataPlane::connect(&running, "node-a").await;
    data_plane.sync_to(1).await;
    let problem = wire::Problem {
        code: "ListenerUnbound".to_owned(),
        object: Some(wire::ObjectReference {
            kind: "Listener".to_owned(),
            name: "http".to_owned(),
            ..wire::ObjectReference::default()
        }),
        message: "port 80 is taken".to_owned(),
        ..wire::Problem::default()
    };
    data_plane
        .report(wire::report::State::Serving, vec![problem.clone()])
        .await;
    let is_serving = |state: NodeState| state == NodeState::Serving;
    running
        .nodes("it serves", |nodes| {
            nodes.iter().any(|(_, status)| is_serving(status.state))
        })
        .await;
    let mut client = running.introspect().await;
    let nodes = client
        .list_nodes(wire::ListNodesRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(nodes.nodes[0].state(), wire::report::State::Serving);
    assert_eq!(nodes.nodes[0].problems, std::slice::from_ref(&problem));
    assert_eq!(nodes.nodes[0].build_version, "test");
    assert!(nodes.nodes[0].peer.starts_with("127.0.0.1:"));
    let all = wire::ListProblemsRequest::default();
    let problems = client.list_problems(all).await.unwrap().into_inner();
    assert_eq!(problems.node_problems[0].problem, Some(problem));
}

#[tokio::test]
async fn whoever_breaks_the_protocol_is_told_how() {
    let running = Running::with(&hosts(&["a.example"])).await;
    let mut data_plane = DataPlane::connect(&running, "node-a").await;
    data_plane.sync_to(1).await;
    running.live(1, 1).await;
    data_plane.say(Said::Ack(wire::Ack { generation: 9 })).await;
    let status = data_plane.ends().await;
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("generation 9"), "{status:?}");
    running.live(0, 1).await;

    let mut data_plane = DataPlane::silent(&running).await;
    data_plane
        .report(wire::report::State::Serving, Vec::new())
        .await;
    let status = data_plane.ends().await;
    assert!(
        status.message().contains("Report before Hello"),
        "{status:?}"
    );

    let mut data_plane = DataPlane::silent(&running).await;
    data_plane.hello("", "1").await;
    let status = data_plane.ends().await;
    assert!(status.message().contains("node"), "{status:?}");
}

#[tokio::test]
async fn whoever_says_nothing_is_not_waited_for_long() {
    let running = Running::with(&hosts(&["a.example"])).await;
    let mut data_plane = DataPlane::silent(&running).await;
    let status = data_plane.ends().await;
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(status.message().contains("Hello"), "{status:?}");
    running
        .nodes("nobody is known", |nodes| nodes.iter().count() == 0)
        .await;
}

#[tokio::test]
async fn the_end_of_the_control_plane_is_told() {
    let running = Running::with(&hosts(&["a.example"])).await;
    let mut data_plane = DataPlane::connect(&running, "node-a").await;
    data_plane.sync_to(1).await;
    running.live(1, 1).await;
    let (status, ()) = tokio::join!(data_plane.ends(), async {
        let ended = tokio::time::timeout(Duration::from_secs(10), running.end()).await;
        ended.unwrap();
    });
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("shutting down"), "{status:?}");
}
