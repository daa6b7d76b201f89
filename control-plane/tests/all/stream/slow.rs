//! A data plane that does not read delays nobody, and does not keep the control plane from ending.

use std::time::Duration;

use sluice_proto::wire;
use sluice_proto::wire::control_plane_message::Message as Received;
use sluice_proto::wire::data_plane_message::Message as Said;

use crate::data_plane::{DataPlane, endpoint};
use crate::objects::hosts;
use crate::running::{Running, listen_on};

#[tokio::test]
async fn who_does_not_read_delays_nobody() {
    let names: Vec<String> = (0..2000)
        .map(|number| format!("h{number}.example"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let many = hosts(&names);
    let running = Running::with(&many).await;
    let stuck = stuck(&running).await;

    let mut good = DataPlane::connect(&running, "node-good").await;
    good.sync_to(1).await;
    for change in 0..5_u16 {
        running.publish_with(&many, listen_on(8000 + change));
        good.sync_to(2 + u64::from(change)).await;
    }
    running.live(1, 2).await;

    let ended = tokio::time::timeout(Duration::from_secs(20), running.end()).await;
    ended.unwrap();
    drop(stuck);
}

/// Returns a data plane to which more is on its way than it takes.
async fn stuck(running: &Running) -> DataPlane {
    let endpoint = endpoint(running.stream, &running.data_plane_folder());
    let endpoint = endpoint
        .initial_stream_window_size(4096)
        .initial_connection_window_size(65_535);
    let mut stuck = DataPlane::on(endpoint.connect().await.unwrap()).await;
    stuck.hello("node-stuck", "1").await;
    assert!(matches!(stuck.hear().await, Received::HoldingsRequest(_)));
    stuck.say(Said::Holdings(wire::Holdings::default())).await;
    running
        .nodes("it was sent the first delta", |nodes| {
            nodes.iter().any(|(process, status)| {
                process.node == "node-stuck" && status.told_generation == 1
            })
        })
        .await;
    stuck
}
