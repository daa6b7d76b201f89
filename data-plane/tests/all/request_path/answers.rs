//! Who answers: the right backend, or Sluice itself with the status and the kind of error that say why.

use http::{Request, StatusCode};

use super::harness::*;

#[tokio::test]
async fn a_host_is_answered_by_its_service_and_another_by_404() {
    let (web, api) = (Backend::saying("web").await, Backend::saying("api").await);
    let mut resources = vec![
        route("shop.example", "/", "web"),
        route("shop.example", "/api", "api"),
        route("*.shop.example", "/", "api"),
    ];
    resources.extend(service("web", [web.address]));
    resources.extend(service("api", [api.address]));
    let edge = TestEdge::serving(resources);
    let mut client = Client::http1(edge.http()).await;
    for (host, path, expected) in [
        ("shop.example", "/", "web"),
        ("SHOP.example:80", "/x?q=/api", "web"),
        ("shop.example.", "/api/v1", "api"),
        ("shop.example", "/apiary", "web"),
        ("a.shop.example", "/", "api"),
    ] {
        let answer = client.get(host, path).await;
        assert_eq!(
            (answer.status, &*answer.body),
            (StatusCode::OK, expected),
            "{host}{path}"
        );
    }
    for host in ["b.a.shop.example", "other.example", "example"] {
        let answer = client.get(host, "/").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{host}");
        assert_eq!(answer.proxy_error(), "destination_not_found");
        assert!(answer.body.starts_with("404 Not Found"), "{}", answer.body);
    }
    assert_eq!(
        edge.metric("sluice_requests_total", "namespace=\"none\""),
        3.0
    );
    assert_eq!(
        edge.metric("sluice_requests_total", "backend=\"shop/api:80\""),
        2.0
    );
}

/// A backend that takes a connection and says nothing.
async fn silent() -> Backend {
    Backend::raw(|stream| async move {
        let _held = stream;
        std::future::pending::<()>().await;
    })
    .await
}

const BROKEN: [(&str, u16, &str, &str); 6] = [
    (
        "broken.example",
        503,
        "proxy_configuration_error",
        "unavailable",
    ),
    (
        "unknown.example",
        503,
        "proxy_configuration_error",
        "backend_missing",
    ),
    (
        "weightless.example",
        503,
        "proxy_configuration_error",
        "no_weight",
    ),
    (
        "empty.example",
        503,
        "destination_unavailable",
        "no_endpoints",
    ),
    ("down.example", 502, "connection_refused", "connect_refused"),
    (
        "silent.example",
        504,
        "http_response_timeout",
        "response_timeout",
    ),
];

#[tokio::test]
async fn own_answers_name_the_kind_of_error_and_the_request_but_no_object() {
    let silent = silent().await;
    let mut resources = vec![
        unavailable("broken.example", "/", "ServiceMissing"),
        route("unknown.example", "/", "unknown"),
        route("empty.example", "/", "empty"),
        route_to("weightless.example", "/", &[("down", 0)]),
        route("down.example", "/", "down"),
        route("silent.example", "/", "silent"),
    ];
    resources.extend(service("empty", []));
    resources.extend(service("down", [closed_port().await]));
    resources.extend(service("silent", [silent.address]));
    let mut edge = TestEdge::serving(resources);
    edge.settings(|settings| {
        settings.timeouts.response_headers = std::time::Duration::from_millis(50);
        settings.access_log.enabled = true;
    });
    for (host, status, error, cause) in BROKEN {
        let answer = get(edge.http(), host, "/").await;
        assert_eq!(answer.status.as_u16(), status, "{host}: {answer:?}");
        assert_eq!(answer.proxy_error(), error, "{host}");
        let line = edge.line(|line| line["host"] == host).await;
        assert_eq!(line["error"], cause);
        let id = line["request_id"].as_str().unwrap();
        let details = format!("details=\"request {id}\"");
        assert!(
            answer.header("proxy-status").ends_with(&details),
            "{answer:?}"
        );
        assert!(answer.body.contains(id), "{}", answer.body);
        let all = format!("{answer:?}");
        for secret in ["shop", "web", "127.0.0.1", "ServiceMissing", "backend"] {
            assert!(!all.contains(secret), "{secret} in {all}");
        }
    }
    let line = edge.line(|line| line["host"] == "broken.example").await;
    assert_eq!(line["problem"], "ServiceMissing");
}

#[tokio::test]
async fn no_listener_is_open_before_the_first_snapshot() {
    let mut edge = TestEdge::empty();
    let status = edge.edge.status();
    assert!(!status.serving && status.listeners.is_empty(), "{status:?}");
    assert_eq!(edge.apply(listeners()), []);
    assert!(edge.edge.status().serving);
    assert_eq!(
        get(edge.http(), "any.example", "/").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn connect_is_refused() {
    let edge = TestEdge::serving([]);
    let request = Request::connect("shop.example:443").header("host", "shop.example:443");
    let answer = send(edge.http(), request.body(empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::NOT_IMPLEMENTED);
}
