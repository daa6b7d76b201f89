//! Endpoints: pods come and go without anything being rebuilt, and stale ones are not asked.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use http::StatusCode;
use sluice_proto::{BackendProtocol, Endpoint, EndpointState, Endpoints, Resource};

use super::harness::*;

async fn three() -> Vec<Backend> {
    vec![
        Backend::saying("a").await,
        Backend::saying("b").await,
        Backend::saying("c").await,
    ]
}

fn listed(
    endpoints: impl IntoIterator<Item = (SocketAddr, EndpointState, &'static str)>,
) -> Resource {
    let endpoints = endpoints
        .into_iter()
        .map(|(address, state, node)| Endpoint {
            address,
            state,
            node: Some(node.into()),
            zone: None,
        });
    Resource::Endpoints(Endpoints {
        backend: name("web"),
        endpoints: endpoints.collect(),
    })
}

async fn said(client: &mut Client, times: usize) -> BTreeSet<String> {
    let mut said = BTreeSet::new();
    for _ in 0..times {
        let answer = client.get("shop.example", "/").await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        said.insert(answer.body);
    }
    said
}

fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn all_ready_endpoints_are_asked_and_new_ones_take_over() {
    let pods = three().await;
    let mut resources = vec![route("shop.example", "/", "web")];
    resources.extend(service("web", [pods[0].address, pods[1].address]));
    let mut edge = TestEdge::serving(resources);
    let mut client = Client::http1(edge.http()).await;
    assert_eq!(said(&mut client, 50).await, set(&["a", "b"]));
    edge.apply([endpoints("web", [pods[2].address])]);
    assert_eq!(said(&mut client, 5).await, set(&["c"]));
    edge.apply([endpoints("web", [])]);
    assert_eq!(
        client.get("shop.example", "/").await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    edge.apply([endpoints("web", [pods[0].address])]);
    assert_eq!(said(&mut client, 5).await, set(&["a"]));
    edge.remove(&endpoints("web", []));
    assert_eq!(
        client.get("shop.example", "/").await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[tokio::test]
async fn a_terminating_endpoint_is_asked_only_while_no_ready_one_is_there() {
    use EndpointState::{Ready, Terminating};
    let pods = three().await;
    let mut resources = vec![route("shop.example", "/", "web")];
    resources.extend(service("web", []));
    let mut edge = TestEdge::serving(resources);
    let mut client = Client::http1(edge.http()).await;
    edge.apply([listed([
        (pods[0].address, Ready, "x"),
        (pods[1].address, Terminating, "node-a"),
    ])]);
    assert_eq!(said(&mut client, 20).await, set(&["a"]));
    edge.apply([listed([
        (pods[0].address, Terminating, "x"),
        (pods[1].address, Terminating, "node-a"),
    ])]);
    assert_eq!(said(&mut client, 50).await, set(&["a", "b"]));
}

#[tokio::test]
async fn the_endpoint_on_the_same_node_comes_first() {
    use EndpointState::Ready;
    let pods = three().await;
    let mut resources = vec![route("shop.example", "/", "web")];
    resources.extend(service("web", []));
    let mut edge = TestEdge::serving(resources);
    let mut client = Client::http1(edge.http()).await;
    edge.apply([listed([
        (pods[0].address, Ready, "node-b"),
        (pods[1].address, Ready, "node-a"),
        (pods[2].address, Ready, "node-c"),
    ])]);
    assert_eq!(said(&mut client, 30).await, set(&["b"]));
}

#[tokio::test]
async fn stale_endpoints_are_reached_through_the_service() {
    let pods = three().await;
    let mut edge = TestEdge::serving([
        route("shop.example", "/", "web"),
        backend_with_cluster("web", BackendProtocol::Http1, vec![pods[2].address]),
        endpoints("web", [pods[0].address]),
        route("headless.example", "/", "headless"),
        backend("headless", BackendProtocol::Http1),
        endpoints("headless", [pods[1].address]),
    ]);
    let mut client = Client::http1(edge.http()).await;
    assert_eq!(said(&mut client, 5).await, set(&["a"]));
    edge.edge.set_endpoints_stale(true);
    assert_eq!(said(&mut client, 5).await, set(&["c"]));
    let headless = client.get("headless.example", "/").await;
    assert_eq!(
        headless.body, "b",
        "there is no other way to a headless Service"
    );
    edge.edge.set_endpoints_stale(false);
    assert_eq!(said(&mut client, 5).await, set(&["a"]));
    edge.apply([]);
}

#[tokio::test]
async fn without_the_control_plane_what_cannot_be_reached_is_reached_through_the_service() {
    let pods = three().await;
    let dead = [closed_port().await, closed_port().await];
    let mut edge = TestEdge::serving([
        route("shop.example", "/", "web"),
        backend_with_cluster("web", BackendProtocol::Http1, vec![pods[2].address]),
        endpoints("web", dead),
        route("mixed.example", "/", "mixed"),
        backend_with_cluster("mixed", BackendProtocol::Http1, vec![pods[2].address]),
        endpoints("mixed", [pods[0].address]),
        route("headless.example", "/", "headless"),
        backend("headless", BackendProtocol::Http1),
        endpoints("headless", [dead[0], pods[1].address]),
        route("half.example", "/", "half"),
        backend_with_cluster("half", BackendProtocol::Http1, vec![pods[2].address]),
        endpoints("half", [dead[0], pods[0].address]),
    ]);
    let mut client = Client::http1(edge.http()).await;
    edge.edge.set_endpoints_unsure(true);
    assert_eq!(said(&mut client, 20).await, set(&["c"]));
    eventually("one of the two is asked in vain", async || {
        client.get("half.example", "/").await.body == "c"
    })
    .await;
    for (host, body) in [("mixed.example", "a"), ("headless.example", "b")] {
        let answer = client.get(host, "/").await;
        assert_eq!((answer.status, &*answer.body), (StatusCode::OK, body));
    }
    // With it, nobody else is asked as long as one that is known can be reached.
    edge.edge.set_endpoints_unsure(false);
    for _ in 0..20 {
        assert_eq!(client.get("half.example", "/").await.body, "a");
    }
    edge.apply([]);
}

/// All of them may have been replaced a moment ago: the Service may know that earlier.
#[tokio::test]
async fn where_nobody_that_is_known_can_be_reached_the_service_is_asked() {
    let pods = three().await;
    let dead = [closed_port().await, closed_port().await];
    let mut more = dead.to_vec();
    for _ in 0..4 {
        more.push(closed_port().await);
    }
    let mut edge = TestEdge::serving([
        route("shop.example", "/", "web"),
        backend_with_cluster("web", BackendProtocol::Http1, vec![pods[2].address]),
        endpoints("web", dead),
        route("headless.example", "/", "headless"),
        backend("headless", BackendProtocol::Http1),
        endpoints("headless", dead),
        route("many.example", "/", "many"),
        backend_with_cluster("many", BackendProtocol::Http1, vec![pods[2].address]),
        endpoints("many", more),
        route("lost.example", "/", "lost"),
        backend_with_cluster("lost", BackendProtocol::Http1, vec![dead[1]]),
        endpoints("lost", [dead[0]]),
    ]);
    let mut client = Client::http1(edge.http()).await;
    assert_eq!(said(&mut client, 20).await, set(&["c"]));
    // More of them than there are tries.
    let many = client.get("many.example", "/").await;
    assert_eq!((many.status, &*many.body), (StatusCode::OK, "c"));
    let in_vain = edge.metric(
        "sluice_upstream_connect_errors_total",
        "backend=\"shop/many:",
    );
    assert!((in_vain - 3.0).abs() < 0.1, "{in_vain}");
    for host in ["headless.example", "lost.example"] {
        let answer = client.get(host, "/").await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{host}");
    }
    edge.apply([]);
}

/// A pod that replaces them may be known a moment later: to us, or to who answers for the Service.
#[tokio::test]
async fn a_request_for_which_nobody_can_be_reached_waits_for_news() {
    let pod = Backend::saying("new").await;
    let dead = [closed_port().await, closed_port().await];
    let late = closed_port().await;
    let mut edge = TestEdge::serving([
        route("told.example", "/", "told"),
        backend("told", BackendProtocol::Http1),
        endpoints("told", dead),
        route("behind.example", "/", "behind"),
        backend_with_cluster("behind", BackendProtocol::Http1, vec![late]),
        endpoints("behind", dead),
    ]);
    let address = edge.http();
    let in_vain = async |edge: &TestEdge, backend: &str| {
        let label = format!("backend=\"shop/{backend}:");
        eventually("it was asked in vain", async || {
            edge.metric("sluice_upstream_connect_errors_total", &label) >= 2.0
        })
        .await;
    };
    let (answer, ()) = tokio::join!(get(address, "told.example", "/"), async {
        in_vain(&edge, "told").await;
        edge.apply([endpoints("told", [pod.address])]);
    });
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "new"));
    let (answer, _behind) = tokio::join!(get(address, "behind.example", "/"), async {
        in_vain(&edge, "behind").await;
        Backend::saying_at(late, "behind").await
    });
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "behind"));
}

#[tokio::test]
async fn backends_are_drawn_by_weight() {
    let pods = three().await;
    let mut resources = vec![route_to(
        "shop.example",
        "/",
        &[("a", 9), ("b", 1), ("c", 0)],
    )];
    for (name, pod) in ["a", "b", "c"].iter().zip(&pods) {
        resources.extend(service(name, [pod.address]));
    }
    let edge = TestEdge::serving(resources);
    let mut client = Client::http1(edge.http()).await;
    let mut a = 0;
    let mut b = 0;
    for _ in 0..400 {
        match &*client.get("shop.example", "/").await.body {
            "a" => a += 1,
            "b" => b += 1,
            other => panic!("{other} has no weight"),
        }
    }
    // 360 to 40 is expected; 1 in a billion runs is further away than this.
    assert!(a > 300 && b > 5, "{a} to {b}");
}

#[tokio::test]
async fn a_name_that_resolves_to_the_node_is_refused() {
    let hidden = Backend::saying("the node's own").await;
    let target = sluice_proto::BackendTarget::ExternalName {
        name: "localhost".into(),
        port: hidden.address.port(),
    };
    let external = Resource::Backend(sluice_proto::Backend {
        tls: None,
        own_host: false,
        name: name("external"),
        protocol: BackendProtocol::Http1,
        target,
    });
    let edge = TestEdge::serving([route("shop.example", "/", "external"), external]);
    let answer = get(edge.http(), "shop.example", "/").await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert_eq!(answer.proxy_error(), "destination_ip_prohibited");
    assert_eq!(hidden.connections(), 0);
}
