//! Two replicas of the control plane: nodes follow the one that leads. Who leads, the test says.

use std::net::SocketAddr;
use std::time::Duration;

use sluice_control_plane::leadership::{Leader, Leadership};
use sluice_proto::wire::control_plane_message::Message as Received;
use sluice_proto::wire::data_plane_message::Message as Said;
use sluice_proto::{Snapshot, wire};
use tonic::Code;

use crate::data_plane::DataPlane;
use crate::objects::hosts;
use crate::running::Running;

#[tokio::test]
async fn who_follows_sends_to_the_leader_and_serves_who_cannot_reach_it() {
    let leader = Running::with(&hosts(&["a.example"])).await;
    let follower = leader.replica().await;
    follower.publish(&hosts(&["a.example"]));
    follower
        .leadership
        .send_replace(led_by(Some(leader.stream)));

    let mut data_plane = DataPlane::connect(&follower, "node-a").await;
    assert_eq!(sent_to(&mut data_plane).await, leader.stream.to_string());
    follower
        .nodes("nobody is known", |nodes| nodes.iter().count() == 0)
        .await;
    let mut asked = follower.introspect().await;
    let nodes = asked.list_nodes(wire::ListNodesRequest {}).await.unwrap();
    let summary = nodes.into_inner().summary;
    assert!(
        summary.ends_with("0 of 0 nodes that are here; another leads and has the others"),
        "{summary}"
    );
    let mut data_plane = DataPlane::connect(&leader, "node-a").await;
    data_plane.sync_to(1).await;
    leader.live(1, 1).await;

    let mut lost = DataPlane::silent(&follower).await;
    hello_without_leader(&lost).await;
    lost.sync_to(1).await;
    follower.live(1, 1).await;
    // Another one leads now, which it has not tried.
    let other = SocketAddr::from(([127, 0, 0, 1], 1));
    follower.leadership.send_replace(led_by(Some(other)));
    assert_eq!(sent_to(&mut lost).await, other.to_string());
}

#[tokio::test]
async fn who_stops_to_lead_sends_its_data_planes_to_the_next() {
    let old = Running::with(&hosts(&["a.example"])).await;
    let new = old.replica().await;
    new.publish(&hosts(&["a.example"]));
    old.leadership.send_replace(Leadership::Leading);
    let mut data_plane = DataPlane::connect(&old, "node-a").await;
    data_plane.sync_to(1).await;
    old.live(1, 1).await;
    old.leadership.send_replace(led_by(Some(new.stream)));
    assert_eq!(sent_to(&mut data_plane).await, new.stream.to_string());
    old.nodes("it is not waited for", |nodes| nodes.iter().count() == 0)
        .await;
    let held = data_plane.held.clone();
    let mut data_plane = DataPlane::connect_holding(&new, "node-a", held, 1).await;
    data_plane.confirmed(1).await;
    new.live(1, 1).await;
}

#[tokio::test]
async fn who_does_not_know_where_the_leader_is_serves() {
    let running = Running::with(&hosts(&["a.example"])).await;
    for leadership in [Leadership::Unknown, led_by(None), Leadership::Lapsed] {
        running.leadership.send_replace(leadership);
        let mut data_plane = DataPlane::connect(&running, "node-a").await;
        data_plane.sync_to(1).await;
        running.live(1, 1).await;
    }
}

#[tokio::test]
async fn who_has_nothing_to_serve_lets_others() {
    let running = Running::start().await;
    running.leadership.send_replace(Leadership::Unknown);
    let mut data_plane = DataPlane::connect(&running, "node-a").await;
    let status = data_plane.ends().await;
    assert_eq!(status.code(), Code::Unavailable);
    assert!(
        status.message().contains("not read everything"),
        "{status:?}"
    );
}

#[tokio::test]
async fn the_end_of_a_replica_is_no_failure_for_its_data_planes() {
    let running = Running::with(&hosts(&["a.example"])).await;
    running.leadership.send_replace(Leadership::Leading);
    let mut data_plane = DataPlane::connect(&running, "node-a").await;
    data_plane.sync_to(1).await;
    running.live(1, 1).await;
    let (address, ()) = tokio::join!(sent_to(&mut data_plane), async {
        let ended = tokio::time::timeout(Duration::from_secs(10), running.end()).await;
        ended.unwrap();
    });
    assert_eq!(address, "");
}

/// Returns where it is sent, once the stream has ended by that.
async fn sent_to(data_plane: &mut DataPlane) -> String {
    let address = loop {
        match data_plane.hear().await {
            Received::Redirect(redirect) => break redirect.address,
            other => assert!(matches!(other, Received::Delta(_)), "{other:?}"),
        }
    };
    assert_eq!(data_plane.ends().await.code(), Code::Ok);
    address
}

async fn hello_without_leader(data_plane: &DataPlane) {
    let hello = wire::Hello {
        node: "node-b".to_owned(),
        instance: "1".to_owned(),
        build_version: "test".to_owned(),
        digest: Snapshot::default().digest().as_bytes().to_vec().into(),
        generation: 0,
        leader_unreachable: true,
    };
    data_plane.say(Said::Hello(hello)).await;
}

fn led_by(address: Option<SocketAddr>) -> Leadership {
    Leadership::Following(Leader {
        holder: "another".to_owned(),
        address: address.map(|address| address.to_string()),
    })
}
