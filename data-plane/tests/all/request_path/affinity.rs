//! Sticky sessions: who comes back is with the endpoint that it was with, as long as that serves.

use std::net::SocketAddr;
use std::sync::Arc;

use http::Request;
use sluice_proto::{EndpointState, Endpoints, Resource, Route, SameSite, Sticky};

use super::harness::*;

const NAMES: [&str; 3] = ["one", "two", "three"];

fn sticky() -> Sticky {
    Sticky {
        cookie: "with".to_owned(),
        secure: true,
        http_only: true,
        same_site: SameSite::Lax,
        max_age_s: 3_600,
        path: "/".to_owned(),
        domain: None,
    }
}

fn sticky_route(services: &[(&str, u32)]) -> Resource {
    let Resource::Route(plain) = route_to("shop.example", "/", services) else {
        panic!("a route");
    };
    Resource::Route(Arc::new(Route {
        sticky: Some(sticky()),
        ..Route::clone(&plain)
    }))
}

async fn backends() -> Vec<Backend> {
    let mut backends = Vec::new();
    for name in NAMES {
        backends.push(Backend::saying(name).await);
    }
    backends
}

fn addresses(backends: &[Backend]) -> Vec<SocketAddr> {
    backends.iter().map(|backend| backend.address).collect()
}

fn edge(backends: &[Backend]) -> TestEdge {
    let mut resources = service("web", addresses(backends)).to_vec();
    resources.push(sticky_route(&[("web", 1)]));
    TestEdge::serving(resources)
}

async fn come(edge: &TestEdge, cookie: &str) -> Answer {
    let request = Request::get("/")
        .header("host", "shop.example")
        .header("cookie", format!("a=b; {cookie}; c=d"));
    send(edge.http(), request.body(empty()).unwrap()).await
}

/// Returns what a browser sends back.
fn cookie(answer: &Answer) -> String {
    let set = answer.header("set-cookie");
    set.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn who_comes_back_is_with_the_same_endpoint_through_every_edge() {
    let backends = backends().await;
    let first = edge(&backends);
    let answer = get(first.http(), "shop.example", "/").await;
    let set = answer.header("set-cookie");
    let attributes = "; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax";
    assert!(
        set.starts_with("with=") && set.ends_with(attributes),
        "{set}"
    );
    let cookie = cookie(&answer);
    // Another node, or the same after a restart, understands it.
    let second = edge(&backends);
    for edge in [&first, &second] {
        for _ in 0..10 {
            let again = come(edge, &cookie).await;
            assert_eq!(again.body, answer.body);
            assert_eq!(again.header("set-cookie"), "");
        }
    }
    drop(first);
}

#[tokio::test]
async fn a_cookie_that_names_nobody_is_replaced() {
    let backends = backends().await;
    let edge = edge(&backends);
    for odd in [
        "with=",
        "with=0123456789abcdef",
        "with=\"x\"",
        "with=%00",
        "without=1",
    ] {
        let answer = come(&edge, odd).await;
        assert_eq!(answer.status, 200, "{odd}");
        assert!(answer.header("set-cookie").starts_with("with="), "{odd}");
    }
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_replaced_by_another_one_and_stays_so() {
    let backends = backends().await;
    let mut edge = edge(&backends);
    let answer = get(edge.http(), "shop.example", "/").await;
    let old = cookie(&answer);
    let left: Vec<_> = (backends.iter().zip(NAMES))
        .filter(|(_, name)| *name != answer.body)
        .map(|(backend, _)| backend.address)
        .collect();
    assert_eq!(edge.apply([endpoints("web", left)]), []);
    let other = come(&edge, &old).await;
    assert_ne!(other.body, answer.body);
    let new = cookie(&other);
    for _ in 0..5 {
        assert_eq!(come(&edge, &new).await.body, other.body);
    }
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_reached_costs_nobody_a_request() {
    let mut backends = backends().await;
    let edge = edge(&backends);
    let answer = get(edge.http(), "shop.example", "/").await;
    let gone = NAMES.iter().position(|name| *name == answer.body).unwrap();
    drop(backends.remove(gone));
    eventually("its end", async || {
        come(&edge, &cookie(&answer)).await.body != answer.body
    })
    .await;
    let other = come(&edge, &cookie(&answer)).await;
    assert_eq!(other.status, 200);
    assert!(other.header("set-cookie").starts_with("with="));
}

#[tokio::test]
async fn an_endpoint_that_ends_goes_on_with_those_it_has_and_gets_no_others() {
    let backends = backends().await;
    let mut edge = edge(&backends);
    let answer = get(edge.http(), "shop.example", "/").await;
    let ending = (backends.iter().zip(NAMES)).map(|(backend, name)| {
        let mut endpoint = endpoint(backend.address);
        if name == answer.body {
            endpoint.state = EndpointState::Terminating;
        }
        endpoint
    });
    let ending = Resource::Endpoints(Endpoints {
        backend: name("web"),
        endpoints: ending.collect(),
    });
    assert_eq!(edge.apply([ending]), []);
    for _ in 0..10 {
        assert_eq!(come(&edge, &cookie(&answer)).await.body, answer.body);
        assert_ne!(
            get(edge.http(), "shop.example", "/").await.body,
            answer.body
        );
    }
}

#[tokio::test]
async fn who_was_with_a_variant_stays_with_it() {
    let (main, canary) = (
        Backend::saying("main").await,
        Backend::saying("canary").await,
    );
    let mut resources = service("main", [main.address]).to_vec();
    resources.extend(service("canary", [canary.address]));
    resources.push(sticky_route(&[("main", 0), ("canary", 1)]));
    let mut edge = TestEdge::serving(resources);
    let with_canary = cookie(&get(edge.http(), "shop.example", "/").await);
    assert_eq!(
        edge.apply([sticky_route(&[("main", 1), ("canary", 0)])]),
        []
    );
    assert_eq!(get(edge.http(), "shop.example", "/").await.body, "main");
    assert_eq!(come(&edge, &with_canary).await.body, "canary");
}
