//! Policies: what each does to a request of its route and to the response, and that nothing else notices.

mod access;
mod bodies;
mod changes;
mod compression;
mod cors;
mod forward_auth;
mod limits;
mod retry;
mod timeouts;

use std::net::SocketAddr;
use std::sync::Arc;

use http::Request;
use serde_json::Value;
use sluice_proto::{
    BackendProtocol, HeaderChange, HeaderOperation, HeaderRules, ObjectReference, Policy,
    PolicyAction, Resource, Route,
};

use super::harness::*;

/// An edge with the host `shop.example`, whose route has policies, and its backend.
struct Guarded {
    edge: TestEdge,
    backend: Backend,
}

impl Guarded {
    /// With a backend that says what it was asked.
    async fn by(actions: impl IntoIterator<Item = PolicyAction>) -> Self {
        let mirror = Backend::start(|request| async move {
            let mut seen = format!("{} {}\n", request.method(), request.uri());
            for (name, value) in request.headers() {
                seen.push_str(&format!("{name}: {}\n", value.to_str().unwrap()));
            }
            let mut response = text(seen);
            let headers = response.headers_mut();
            headers.insert("server", "mirror".parse().unwrap());
            response
        })
        .await;
        Self::before(mirror, actions)
    }

    /// With this backend.
    fn before(backend: Backend, actions: impl IntoIterator<Item = PolicyAction>) -> Self {
        let policies = policies(actions);
        let mut resources = service("mirror", [backend.address]).to_vec();
        resources.push(guarded_route("shop.example", "mirror", &policies));
        resources.push(route("open.example", "/", "mirror"));
        resources.extend(policies);
        let mut edge = TestEdge::reaching_loopback().with(resources);
        edge.settings(|settings| settings.access_log.enabled = true);
        Self { edge, backend }
    }

    /// Believes the loopback in what it says of clients.
    fn trusting(mut self) -> Self {
        self.edge.settings(|settings| {
            settings.trusted_ranges = vec!["127.0.0.0/8".parse().unwrap()];
        });
        self
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask("GET", path, headers).await
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", "shop.example");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(self.edge.http(), request.body(empty()).unwrap()).await
    }

    /// Returns the line of the access log with this error.
    async fn line(&self, error: &str) -> Value {
        self.edge.line(|line| line["error"] == error).await
    }
}

/// An edge with the host `shop.example`, whose route has policies, and endpoints behind it.
fn guarding(
    protocol: BackendProtocol,
    addresses: impl IntoIterator<Item = SocketAddr>,
    actions: impl IntoIterator<Item = PolicyAction>,
) -> TestEdge {
    let policies = policies(actions);
    let mut resources = vec![
        backend("web", protocol),
        endpoints("web", addresses),
        guarded_route("shop.example", "web", &policies),
    ];
    resources.extend(policies);
    let mut edge = TestEdge::serving(resources);
    edge.settings(|settings| settings.access_log.enabled = true);
    edge
}

/// A client of each version of HTTP.
async fn clients(edge: &TestEdge) -> [Client; 2] {
    [
        Client::http1(edge.http()).await,
        Client::http2(edge.http()).await,
    ]
}

/// Begins a request to `shop.example`.
fn asking(client: &Client, method: &str) -> http::request::Builder {
    let request = Request::builder().method(method);
    match client {
        Client::Http1(_) => request.uri("/").header("host", "shop.example"),
        Client::Http2(_) => request.uri("http://shop.example/"),
    }
}

/// Policies of the Middleware `shop/p`, one a field.
fn policies(actions: impl IntoIterator<Item = PolicyAction>) -> Vec<Resource> {
    let actions = actions.into_iter().enumerate();
    actions
        .map(|(index, action)| policy(&format!("spec.p{index}"), action))
        .collect()
}

fn policy(field: &str, action: PolicyAction) -> Resource {
    let object = ObjectReference {
        kind: "Middleware".to_owned(),
        namespace: "shop".to_owned(),
        name: "p".to_owned(),
    };
    Resource::Policy(Arc::new(Policy::new(object, field, action)))
}

fn guarded_route(host: &str, service: &str, policies: &[Resource]) -> Resource {
    let Resource::Route(plain) = route(host, "/", service) else {
        panic!("a route");
    };
    let names = policies.iter().map(|policy| match policy {
        Resource::Policy(policy) => policy.name.clone(),
        other => panic!("{other:?} is no policy"),
    });
    Resource::Route(Arc::new(Route {
        policies: names.collect(),
        ..Route::clone(&plain)
    }))
}

fn set(name: &str, value: &str) -> HeaderChange {
    HeaderChange {
        name: name.to_owned(),
        operation: HeaderOperation::Set(value.to_owned()),
        only_https: false,
    }
}

fn responses(changes: Vec<HeaderChange>) -> PolicyAction {
    PolicyAction::HeaderRules(HeaderRules {
        response: changes,
        ..HeaderRules::default()
    })
}

fn requests(changes: Vec<HeaderChange>) -> PolicyAction {
    PolicyAction::HeaderRules(HeaderRules {
        request: changes,
        ..HeaderRules::default()
    })
}

#[tokio::test]
async fn a_route_without_its_policy_answers_503_and_no_other_one_does() {
    let missing = policies([requests(vec![set("x-a", "1")])]);
    let mut guarded = Guarded::by([]).await;
    let route = guarded_route("shop.example", "mirror", &missing);
    assert_eq!(guarded.edge.apply([route]), []);
    let answer = guarded.get("/", &[]).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.proxy_error(), "proxy_configuration_error");
    assert_eq!(
        guarded.line("unavailable").await["problem"],
        "PolicyMissing"
    );
    assert_eq!(
        guarded.get("/", &[("host", "open.example")]).await.status,
        200
    );
    // It comes, and the route is served.
    assert_eq!(guarded.edge.apply(missing), []);
    let answer = guarded.get("/", &[]).await;
    assert!(answer.body.contains("x-a: 1"), "{}", answer.body);
}

#[tokio::test]
async fn a_policy_that_cannot_be_served_is_refused_and_its_last_version_stays() {
    let mut guarded = Guarded::by([requests(vec![set("x-a", "1")])]).await;
    let broken = policies([requests(vec![set("x a", "2")])]);
    let refused = guarded.edge.apply(broken);
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].reason, "\"x a\" is not a header's name");
    assert!(guarded.get("/", &[]).await.body.contains("x-a: 1"));
    // One that was never held costs its routes.
    let never = policy("spec.other", requests(vec![set("x a", "2")]));
    let route = guarded_route("shop.example", "mirror", std::slice::from_ref(&never));
    assert_eq!(guarded.edge.apply([never, route]).len(), 2);
    assert_eq!(guarded.get("/", &[]).await.status, 503);
}

#[tokio::test]
async fn policies_run_in_their_order_and_responses_go_back_in_the_opposite_one() {
    let both = |value: &str| {
        PolicyAction::HeaderRules(HeaderRules {
            request: vec![set("x-order", value)],
            response: vec![set("x-order", value)],
            ..HeaderRules::default()
        })
    };
    let guarded = Guarded::by([both("first"), both("second")]).await;
    let answer = guarded.get("/", &[]).await;
    assert!(answer.body.contains("x-order: second"), "{}", answer.body);
    assert_eq!(answer.header("x-order"), "first");
}
