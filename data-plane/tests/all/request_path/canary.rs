//! Which backend of a route a request falls to: by header, by cookie, by weight.

use std::sync::Arc;

use http::Request;
use sluice_proto::{MatchBy, MatchValue, RequestMatch, Resource, RouteAction, WeightedBackend};

use super::harness::*;

struct Variants {
    edge: TestEdge,
    _backends: [Backend; 2],
}

async fn variants(weights: [u32; 2], matches: Vec<RequestMatch>) -> Variants {
    let backends = [
        Backend::saying("main").await,
        Backend::saying("canary").await,
    ];
    let mut resources = service("main", [backends[0].address]).to_vec();
    resources.extend(service("canary", [backends[1].address]));
    resources.push(canary_route(weights, matches));
    Variants {
        edge: TestEdge::serving(resources),
        _backends: backends,
    }
}

fn canary_route(weights: [u32; 2], matches: Vec<RequestMatch>) -> Resource {
    let weighted = |service, weight, matches| WeightedBackend {
        backend: name(service),
        weight,
        matches,
    };
    let backends = vec![
        weighted("main", weights[0], vec![]),
        weighted("canary", weights[1], matches),
    ];
    let route = plain_route("shop.example", "/", RouteAction::Backends(backends));
    Resource::Route(Arc::new(route))
}

fn found(by: MatchBy, value: MatchValue, excludes: bool) -> RequestMatch {
    RequestMatch {
        by,
        value,
        excludes,
    }
}

impl Variants {
    async fn with(&self, name: &str, value: &str) -> String {
        let request = Request::get("/")
            .header("host", "shop.example")
            .header(name, value);
        send(self.edge.http(), request.body(empty()).unwrap())
            .await
            .body
    }
}

#[tokio::test]
async fn a_header_decides_before_the_weights() {
    let header = |value, excludes| found(MatchBy::Header("X-Canary".to_owned()), value, excludes);
    let exact = |value: &str| MatchValue::Exact(value.to_owned());
    let matches = vec![
        header(exact("always"), false),
        header(exact("never"), true),
        header(MatchValue::Pattern("v[0-9]+".to_owned()), false),
    ];
    let all_main = variants([1, 0], matches.clone()).await;
    assert_eq!(all_main.with("x-canary", "always").await, "canary");
    assert_eq!(all_main.with("x-canary", "v12").await, "canary");
    for other in ["Always", "v12a", "xv1", ""] {
        assert_eq!(all_main.with("x-canary", other).await, "main", "{other:?}");
    }
    let all_canary = variants([1, 1_000_000], matches).await;
    for _ in 0..5 {
        assert_eq!(all_canary.with("x-canary", "never").await, "main");
    }
}

#[tokio::test]
async fn a_cookie_decides_before_the_weights() {
    let by = MatchBy::Cookie("canary".to_owned());
    let value = MatchValue::Exact("always".to_owned());
    let variants = variants([1, 0], vec![found(by, value, false)]).await;
    assert_eq!(
        variants.with("cookie", "a=b; canary=always").await,
        "canary"
    );
    assert_eq!(variants.with("cookie", "a=b; xcanary=always").await, "main");
    assert_eq!(variants.with("cookie", "canary=never").await, "main");
}

// Of 2,000 draws at 1, 10 and 50 %, so many that chance alone is further away once in ten million times (5.3 sigma).
#[tokio::test]
async fn the_weights_decide_for_the_others() {
    for percent in [1, 10, 50] {
        let variants = variants([100 - percent, percent], vec![]).await;
        let mut client = Client::http1(variants.edge.http()).await;
        let mut canaries = 0_i32;
        for _ in 0..2_000 {
            canaries += i32::from(client.get("shop.example", "/").await.body == "canary");
        }
        let share = f64::from(percent) / 100.0;
        let off = 5.3 * (2_000.0 * share * (1.0 - share)).sqrt();
        let expected = 2_000.0 * share;
        assert!(
            (f64::from(canaries) - expected).abs() <= off,
            "{percent} %: {canaries}"
        );
    }
}

#[tokio::test]
async fn a_match_that_cannot_be_compiled_leaves_its_requests_to_nobody() {
    let mut variants = variants([1, 0], vec![]).await;
    let broken = MatchValue::Pattern("(".to_owned());
    let broken = found(MatchBy::Header("x-canary".to_owned()), broken, false);
    let bad = canary_route([0, 1], vec![broken]);
    let refused = variants.edge.apply([bad.clone()]);
    assert_eq!(refused.len(), 1);
    assert!(
        refused[0]
            .reason
            .starts_with("\"(\" is not a regular expression"),
        "{refused:?}"
    );
    assert_eq!(variants.with("x-canary", "1").await, "main");
    // A node that never had a good one does not let a route for any host answer instead.
    let good = canary_route([1, 0], vec![]);
    variants.edge.remove(&good);
    variants.edge.apply([route("*", "/", "main")]);
    assert_eq!(variants.with("x-canary", "1").await, "main");
    assert_eq!(variants.edge.apply([bad]), []);
    let answer = variants.with("x-canary", "1").await;
    assert!(answer.contains("503"), "{answer}");
    let problems = variants.edge.edge.problems();
    assert_eq!(problems[0].code, "RouteUnservable");
    assert!(problems[0].message.contains("\"(\""), "{problems:?}");
    variants.edge.apply([good]);
    assert_eq!(variants.with("x-canary", "1").await, "main");
    assert_eq!(variants.edge.edge.problems(), []);
}
