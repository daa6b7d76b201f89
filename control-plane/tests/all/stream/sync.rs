//! What a data plane is sent: everything at first, then what changes, and nothing that it holds.

use prost::Message as _;
use sluice_proto::wire;
use sluice_proto::wire::control_plane_message::Message as Received;

use crate::data_plane::DataPlane;
use crate::objects::hosts;
use crate::running::{Running, listen_on};

#[tokio::test]
async fn who_holds_nothing_gets_everything() {
    let running = Running::with(&hosts(&["a.example", "b.example"])).await;
    let (generation, digest) = running.published();
    let mut data_plane = DataPlane::connect(&running, "node-a").await;
    data_plane.sync_to(generation).await;
    assert_eq!(data_plane.held.digest(), digest);
    running.live(1, 1).await;
}

#[tokio::test]
async fn who_connects_before_the_first_snapshot_waits_for_it() {
    let running = Running::start().await;
    let mut data_plane = DataPlane::connect(&running, "node-a").await;
    running
        .nodes("it is known", |nodes| nodes.iter().count() == 1)
        .await;
    running.publish(&hosts(&["a.example"]));
    data_plane.sync_to(1).await;
    running.live(1, 1).await;
}

#[tokio::test]
async fn what_changes_is_sent_and_nothing_else() {
    let running = Running::with(&hosts(&["a.example", "b.example"])).await;
    let mut data_plane = DataPlane::connect(&running, "node-a").await;
    data_plane.sync_to(1).await;
    data_plane.taken.clear();

    running.publish(&hosts(&["a.example", "c.example"]));
    data_plane.sync_to(2).await;
    let routes = ["host c.example", "route shop/c-example c.example Prefix /"];
    assert_eq!(data_plane.taken, routes);
    assert_eq!(data_plane.held.digest(), running.published().1);
    running.live(1, 1).await;
}

#[tokio::test]
async fn what_is_sent_is_counted() {
    let running = Running::with(&hosts(&["a.example"])).await;
    let mut data_plane = DataPlane::connect(&running, "node-a").await;
    data_plane.sync_to(1).await;
    let [messages, bytes] = running.sent();

    running.publish(&hosts(&["a.example", "b.example"]));
    let message = Some(data_plane.hear().await);
    let delta = wire::ControlPlaneMessage { message }.encoded_len();
    assert!(delta > 100, "{delta}");
    assert_eq!(running.sent(), [messages + 1, bytes + delta as u64]);
}

#[tokio::test]
async fn who_holds_the_same_is_told_so_and_sent_no_resource() {
    let running = Running::with(&hosts(&["a.example"])).await;
    let mut first = DataPlane::connect(&running, "node-a").await;
    first.sync_to(1).await;
    let held = first.held.clone();
    drop(first);
    running.live(0, 1).await;

    let mut again = DataPlane::connect_holding(&running, "node-a", held, 1).await;
    again.confirmed(1).await;
    running.live(1, 1).await;
    running.publish(&hosts(&["a.example", "b.example"]));
    // Whatever had been sent before would be heard first.
    let Received::Delta(delta) = again.hear().await else {
        panic!("it was asked what it holds");
    };
    assert_eq!(delta.generation, 2);
    assert_eq!(delta.upserted.len(), 2, "{delta:?}");
}

#[tokio::test]
async fn a_restart_with_the_same_content_sends_no_resource_and_keeps_the_number() {
    let running = Running::with(&hosts(&["a.example"])).await;
    running.publish(&hosts(&["b.example"]));
    running.publish(&hosts(&["c.example"]));
    let mut first = DataPlane::connect(&running, "node-a").await;
    first.sync_to(3).await;

    let running = running.restart().await;
    running.publish(&hosts(&["c.example"]));
    assert_eq!(running.generation(), 1);
    let mut again = DataPlane::connect_holding(&running, "node-a", first.held, 3).await;
    again.confirmed(3).await;
    running.live(1, 1).await;
    assert_eq!(running.generation(), 3, "the number is adopted");
    running.publish(&hosts(&["c.example", "d.example"]));
    let Received::Delta(delta) = again.hear().await else {
        panic!("it was asked what it holds");
    };
    assert_eq!(delta.generation, 4);
}

#[tokio::test]
async fn a_restart_with_other_content_goes_on_above_the_number() {
    let running = Running::with(&hosts(&["a.example"])).await;
    let mut first = DataPlane::connect(&running, "node-a").await;
    first.sync_to(1).await;

    let running = running.restart().await;
    running.publish(&hosts(&["b.example"]));
    assert_eq!(running.generation(), 1, "by chance the same number");
    let mut again = DataPlane::connect_holding(&running, "node-a", first.held, 1).await;
    again.sync_to(2).await;
    assert_eq!(again.held.digest(), running.published().1);
    running.live(1, 1).await;
    assert_eq!(running.generation(), 2);
}

#[tokio::test]
async fn several_changes_while_one_is_in_flight_come_as_one() {
    let running = Running::with(&hosts(&["a.example"])).await;
    let mut data_plane = DataPlane::connect(&running, "node-a").await;
    data_plane.sync_to(1).await;
    running.live(1, 1).await;

    running.publish(&hosts(&["b.example"]));
    let Received::Delta(delta) = data_plane.hear().await else {
        panic!("no delta");
    };
    assert_eq!(delta.generation, 2);
    for port in 8000..8010 {
        running.publish_with(&hosts(&["c.example"]), listen_on(port));
    }
    let ack = wire::Ack { generation: 2 };
    data_plane
        .say(wire::data_plane_message::Message::Ack(ack))
        .await;
    let Received::Delta(delta) = data_plane.hear().await else {
        panic!("no delta");
    };
    assert_eq!(delta.generation, 12);
}

#[tokio::test]
async fn every_data_plane_gets_the_same() {
    let running = Running::with(&hosts(&["a.example"])).await;
    let mut data_planes = Vec::new();
    for node in ["node-a", "node-b", "node-c"] {
        data_planes.push(DataPlane::connect(&running, node).await);
    }
    for data_plane in &mut data_planes {
        data_plane.sync_to(1).await;
        assert_eq!(data_plane.held.digest(), running.published().1);
    }
    running.live(3, 3).await;
}
