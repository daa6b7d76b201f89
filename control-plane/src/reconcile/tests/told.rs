//! What the loop tells beside publications: the board of the status, and what arrived when.

use super::*;
use crate::status::board::Ownership;

#[tokio::test]
async fn status_and_nodes_are_noted_and_rebuild_no_route() {
    let mut running = Running::start(vec![base(), ingress("a", None), synced()]).await;
    let first = running.until("the first", |_| true).await;
    let node = "apiVersion: v1\nkind: Node\nmetadata: {name: n}\nstatus: {addresses: [{type: InternalIP, address: 10.0.0.1}]}\n";
    running.send(objects(node)).await;
    let second = running.until("the second", |now| now.generation == 2).await;
    for (key, entry) in first.snapshot().iter() {
        let same = second.snapshot().entry(key) == Some(entry);
        assert_eq!(same, key.kind != Kind::Settings, "{key}");
    }
    let mut written = ingress("a", None);
    for object in &mut written.applied {
        if let sluice_translate::Object::Ingress(ingress) = object {
            ingress.metadata.resource_version = Some("7".to_owned());
            ingress.status = serde_json::from_value(serde_json::json!({
                "loadBalancer": { "ingress": [{ "ip": "10.0.0.1" }] }
            }))
            .unwrap();
        }
    }
    running.send(written).await;
    let noted = running.board.wait_for(|board| {
        let name = ("shop".to_owned(), "a".to_owned());
        board.nodes().contains_key("n")
            && board.ingresses().get(&name).is_some_and(|facts| {
                facts.version == "7"
                    && facts.addresses.len() == 1
                    && facts.ownership == Ownership::Ours
            })
    });
    drop(soon("it is noted", noted).await.unwrap());
    let metrics = running.metrics.encode().unwrap();
    assert!(
        metrics.contains("sluice_reconcile_duration_seconds_count 2\n"),
        "{metrics}"
    );
}

#[tokio::test]
async fn an_ingress_that_changes_is_told_of_and_endpoints_are_not() {
    let mut running = Running::start(vec![base(), ingress("a", None), synced()]).await;
    running.until("the first", |_| true).await;
    running.send(objects(&endpoints("10.1.1.2"))).await;
    running.until("the second", |now| now.generation == 2).await;
    running.send(ingress("b", None)).await;
    let arrived = soon("b is told of", running.arrived.recv()).await.unwrap();
    assert_eq!(arrived.generation, 3);
    let names: Vec<_> = arrived
        .ingresses
        .keys()
        .map(|ingress| &*ingress.name)
        .collect();
    assert_eq!(names, ["b"]);
}
