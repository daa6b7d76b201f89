//! What is served changes under traffic, and a broken resource costs only itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::StatusCode;
use sluice_proto::{Difference, Entry, Kind, Listener, ListenerProtocol, Resource, ResourceKey};

use super::harness::*;

#[tokio::test]
async fn a_resource_that_cannot_be_accepted_is_refused_alone_and_its_last_good_version_stays() {
    let (web, api) = (Backend::saying("web").await, Backend::saying("api").await);
    let mut resources = vec![route("shop.example", "/", "web")];
    resources.extend(service("web", [web.address]));
    resources.extend(service("api", [api.address]));
    let edge = TestEdge::serving(resources);
    let good = route("shop.example", "/", "web");
    let broken = Arc::new(Entry::new(Bytes::from_static(b"\xff no message")));
    let new = route("api.example", "/", "api");
    let refused = edge.edge.apply(Difference {
        upserted: vec![
            (good.key(), Arc::clone(&broken)),
            (ResourceKey::new(Kind::Route, "other"), Arc::clone(&broken)),
            (new.key(), Arc::new(Entry::new(new.body()))),
        ],
        removed: Vec::new(),
    });
    let names: Vec<_> = refused
        .iter()
        .map(|refusal| refusal.name.as_str())
        .collect();
    assert_eq!(names, [&*good.key().name, "other"]);
    assert!(
        refused
            .iter()
            .all(|refusal| refusal.kind == "route" && !refusal.reason.is_empty())
    );
    assert_eq!(refused[0].version, broken.version().as_bytes()[..]);
    assert_eq!(get(edge.http(), "shop.example", "/").await.body, "web");
    assert_eq!(get(edge.http(), "api.example", "/").await.body, "api");
    assert_eq!(edge.metric("sluice_resources_refused", ""), 2.0);
    let held = edge.edge.snapshot();
    assert_eq!(held.entry(&good.key()).unwrap().body(), &good.body());
    assert!(
        held.entry(&ResourceKey::new(Kind::Route, "other"))
            .is_none()
    );

    let mended = Arc::new(Entry::new(good.body()));
    let removed = ResourceKey::new(Kind::Route, "other");
    let difference = Difference {
        upserted: vec![(good.key(), mended)],
        removed: vec![removed],
    };
    assert_eq!(edge.edge.apply(difference), []);
    assert_eq!(edge.metric("sluice_resources_refused", ""), 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_come_and_go_under_traffic_without_an_error() {
    let (web, api) = (Backend::saying("web").await, Backend::saying("api").await);
    let mut resources = vec![route("shop.example", "/", "web")];
    resources.extend(service("web", [web.address]));
    resources.extend(service("api", [api.address]));
    let mut edge = TestEdge::serving(resources);
    let address = edge.http();
    let done = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&done);
    let steady = tokio::spawn(async move {
        let mut client = Client::http1(address).await;
        let mut count = 0;
        while !stop.load(Ordering::SeqCst) {
            let answer = client.get("shop.example", "/").await;
            assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "web"));
            count += 1;
        }
        count
    });
    let mut client = Client::http1(address).await;
    for round in 0..50 {
        let host = format!("host-{round}.example");
        assert_eq!(client.get(&host, "/").await.status, StatusCode::NOT_FOUND);
        let new = route(&host, "/", "api");
        edge.apply([
            new.clone(),
            route("shop.example", &format!("/{round}"), "api"),
        ]);
        assert_eq!(client.get(&host, "/").await.body, "api");
        edge.remove(&new);
        assert_eq!(client.get(&host, "/").await.status, StatusCode::NOT_FOUND);
    }
    done.store(true, Ordering::SeqCst);
    assert!(steady.await.unwrap() > 0);
    assert_eq!(
        web.connections(),
        1,
        "route changes leave connections alone"
    );
}

#[tokio::test]
async fn a_listener_that_cannot_be_bound_is_a_problem_until_it_can() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut edge = TestEdge::serving([]);
    let extra = Resource::Listener(Listener {
        name: "extra".into(),
        address: Some("127.0.0.1".parse().unwrap()),
        port,
        protocol: ListenerProtocol::Http,
    });
    assert_eq!(edge.apply([extra.clone()]), []);
    let problems = edge.edge.problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(
        (&*problems[0].code, &*problems[0].object.name),
        ("ListenerNotOpen", "extra")
    );
    assert!(
        problems[0].message.contains("node-a") && problems[0].message.contains(&port.to_string())
    );
    assert!(!edge.edge.status().serving);
    assert_eq!(
        get(edge.http(), "a.example", "/").await.status,
        StatusCode::NOT_FOUND
    );
    drop(taken);
    eventually("the listener is open", async || edge.edge.status().serving).await;
    assert!(edge.edge.problems().is_empty());
    let address = edge.address("extra");
    assert_eq!(
        get(address, "a.example", "/").await.status,
        StatusCode::NOT_FOUND
    );
    edge.remove(&extra);
    eventually("the listener is closed", async || {
        tokio::net::TcpStream::connect(address).await.is_err()
    })
    .await;
}

#[tokio::test]
async fn what_another_process_held_is_served_again() {
    let web = Backend::saying("web").await;
    let mut resources = vec![route("shop.example", "/", "web")];
    resources.extend(service("web", [web.address]));
    let first = TestEdge::serving(resources);
    let second = TestEdge::empty();
    let refused = second
        .edge
        .restore(&first.edge.kept(), &first.edge.snapshot());
    assert_eq!(refused, []);
    assert_eq!(get(second.http(), "shop.example", "/").await.body, "web");
    assert_eq!(
        second.edge.snapshot().digest(),
        first.edge.snapshot().digest()
    );
    let nothing = first.edge.snapshot().changes_since(&second.edge.snapshot());
    assert!(nothing.is_empty());
}

#[tokio::test]
async fn every_core_beats() {
    let edge = TestEdge::serving([]);
    eventually("the cores beat", async || {
        edge.edge.heartbeat() < std::time::Duration::from_millis(150)
    })
    .await;
}
