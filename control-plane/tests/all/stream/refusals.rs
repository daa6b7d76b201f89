//! What a data plane refuses is refused alone, and named wherever people look.

use sluice_proto::wire;
use sluice_proto::wire::control_plane_message::Message as Received;

use crate::data_plane::DataPlane;
use crate::objects::hosts;
use crate::running::Running;

#[tokio::test]
async fn one_refused_resource_costs_nothing_else() {
    let running = Running::with(&hosts(&["a.example", "bad.example"])).await;
    let mut data_plane = DataPlane::connect(&running, "node-a").await;
    data_plane.refuses = vec!["shop/bad-example"];
    data_plane.sync_to(1).await;
    running.live(1, 1).await;
    let names: Vec<_> = data_plane
        .held
        .iter()
        .map(|(key, _)| key.to_string())
        .collect();
    assert!(
        names
            .iter()
            .any(|name| name.contains("route shop/a-example")),
        "{names:?}"
    );
    assert!(
        !names
            .iter()
            .any(|name| name.contains("route shop/bad-example")),
        "{names:?}"
    );

    let mut client = running.introspect().await;
    let nodes = client
        .list_nodes(wire::ListNodesRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        nodes.summary,
        "generation 1 is live on 1 of 1 nodes; 1 of them refused a part of it"
    );
    let refused = &nodes.nodes[0].refused;
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(refused[0].kind, "route");
    assert_eq!(refused[0].name, "shop/bad-example bad.example Prefix /");
    assert_eq!(refused[0].reason, "this test refuses it");

    let in_shop = wire::ListProblemsRequest {
        namespace: "shop".to_owned(),
    };
    let problems = client.list_problems(in_shop).await.unwrap().into_inner();
    let problem = problems.node_problems[0].problem.clone().unwrap();
    assert_eq!(problems.node_problems[0].node, "node-a");
    assert_eq!(problem.code, "ResourceRefused");
    let object = problem.object.unwrap();
    assert_eq!((&*object.kind, &*object.name), ("Ingress", "bad-example"));
    assert!(
        problem.message.contains("this test refuses it"),
        "{}",
        problem.message
    );
    let elsewhere = wire::ListProblemsRequest {
        namespace: "other".to_owned(),
    };
    let problems = client.list_problems(elsewhere).await.unwrap().into_inner();
    assert_eq!(problems.node_problems, []);
}

#[tokio::test]
async fn what_was_refused_comes_again_when_it_changes_or_the_data_plane_reconnects() {
    let running = Running::with(&hosts(&["a.example", "bad.example"])).await;
    let mut data_plane = DataPlane::connect(&running, "node-a").await;
    data_plane.refuses = vec!["shop/bad-example"];
    data_plane.sync_to(1).await;

    // Something else changes: what was refused does not come with it.
    running.publish(&hosts(&["a.example", "bad.example", "c.example"]));
    data_plane.taken.clear();
    data_plane.sync_to(2).await;
    assert_eq!(data_plane.taken.len(), 2, "{:?}", data_plane.taken);
    running
        .nodes("it is still refused", |nodes| {
            nodes
                .iter()
                .any(|(_, status)| status.refused.len() == 1 && status.acked_generation == 2)
        })
        .await;

    // It changes, and is good now.
    let mended =
        hosts(&["a.example", "bad.example", "c.example"]).replace("port: 8080", "port: 8081");
    let mended = mended.replace("name: bad-example", "name: bad-example-mended");
    data_plane.refuses.clear();
    running.publish(&mended);
    data_plane.sync_to(3).await;
    assert_eq!(data_plane.held.digest(), running.published().1);
    running
        .nodes("nothing is refused", |nodes| {
            nodes
                .iter()
                .all(|(_, status)| status.refused.is_empty() && status.acked_generation == 3)
        })
        .await;
}

#[tokio::test]
async fn a_reconnect_brings_what_was_refused_without_a_new_number() {
    let running = Running::with(&hosts(&["a.example", "bad.example"])).await;
    let mut data_plane = DataPlane::connect(&running, "node-a").await;
    data_plane.refuses = vec!["shop/bad-example"];
    data_plane.sync_to(1).await;
    running.live(1, 1).await;
    let held = data_plane.held.clone();
    drop(data_plane);
    running.live(0, 1).await;

    let mut again = DataPlane::connect_holding(&running, "node-a", held, 1).await;
    assert!(matches!(again.hear().await, Received::HoldingsRequest(_)));
    let holdings = wire::Holdings::from(&again.held.holdings());
    again
        .say(wire::data_plane_message::Message::Holdings(holdings))
        .await;
    let Received::Delta(delta) = again.hear().await else {
        panic!("no delta");
    };
    assert_eq!(delta.generation, 1, "the content is the same");
    assert_eq!(delta.upserted.len(), 1);
    assert_eq!(running.generation(), 1);
}

#[tokio::test]
async fn refused_settings_of_a_class_are_the_business_of_the_class() {
    let objects = "\
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: internal}
spec:
  controller: ingress.sluice.dev/controller
  parameters: {apiGroup: ingress.sluice.dev, kind: Settings, name: internal}
---
apiVersion: ingress.sluice.dev/v1alpha1
kind: Settings
metadata: {name: internal}
spec: {trustedProxies: {ranges: [10.0.0.0/8]}}
";
    let running = Running::with(objects).await;
    let mut data_plane = DataPlane::connect(&running, "node-a").await;
    data_plane.refuses = vec!["class/internal"];
    data_plane.sync_to(1).await;
    running.live(1, 1).await;
    let mut client = running.introspect().await;
    let all = wire::ListProblemsRequest::default();
    let problems = client.list_problems(all).await.unwrap().into_inner();
    let problem = problems.node_problems[0].problem.clone().unwrap();
    assert_eq!(problem.field, "spec.parameters");
    let object = problem.object.unwrap();
    assert_eq!((&*object.kind, &*object.name), ("IngressClass", "internal"));
}
