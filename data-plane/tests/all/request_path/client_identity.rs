//! Who the client is: only trusted peers may say so, however others try.

use http::Request;

use super::harness::*;

async fn mirror() -> Backend {
    Backend::start(|request| async move {
        let mut seen = String::new();
        for (name, value) in request.headers() {
            seen.push_str(&format!("{name}: {}\n", value.to_str().unwrap()));
        }
        text(seen)
    })
    .await
}

async fn mirrored(trusted: &[&str], header: &str) -> (TestEdge, Backend) {
    let mirror = mirror().await;
    let mut resources = vec![route("shop.example", "/", "mirror")];
    resources.extend(service("mirror", [mirror.address]));
    let mut edge = TestEdge::serving(resources);
    edge.settings(|settings| {
        settings.trusted_ranges = trusted.iter().map(|range| range.parse().unwrap()).collect();
        settings.client_address_header = header.to_owned();
        settings.access_log.enabled = true;
    });
    (edge, mirror)
}

async fn seen(edge: &TestEdge, headers: &[(&str, &str)]) -> String {
    let mut request = Request::get("/").header("host", "shop.example:8080");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(edge.http(), request.body(empty()).unwrap()).await.body
}

#[track_caller]
fn check(seen: &str, lines: &[&str], absent: &[&str]) {
    for line in lines {
        assert_eq!(
            seen.lines().filter(|have| have == line).count(),
            1,
            "{line} in\n{seen}"
        );
    }
    for text in absent {
        assert!(!seen.contains(text), "{text} in\n{seen}");
    }
}

#[tokio::test]
async fn an_untrusted_peer_is_the_client_whatever_it_says() {
    let (edge, _mirror) = mirrored(&["10.0.0.0/8"], "cf-connecting-ip").await;
    let spoofed = [
        ("x-forwarded-for", "6.6.6.6"),
        ("X-Forwarded-For", "6.6.6.7"),
        ("x_forwarded_for", "6.6.6.8"),
        ("x-forwarded_for", "6.6.6.9"),
        ("x-forwarded-proto", "https6666"),
        ("x-forwarded-host", "evil6666.example"),
        ("x-forwarded-port", "6666"),
        ("x-forwarded-prefix", "/6666"),
        ("x-real-ip", "6.6.6.1"),
        ("forwarded", "for=6.6.6.2"),
        ("cf-connecting-ip", "6.6.6.3"),
        ("true-client-ip", "6.6.6.4"),
        ("x-request-id", "spoofed6666"),
        (
            "connection",
            "x-forwarded-for, x-forwarded-proto, x-real-ip, x-request-id",
        ),
    ];
    let seen = seen(&edge, &spoofed).await;
    let expected = [
        "x-forwarded-for: 127.0.0.1",
        "x-real-ip: 127.0.0.1",
        "x-forwarded-proto: http",
        "x-forwarded-host: shop.example:8080",
        "x-forwarded-port: 80",
        "host: shop.example:8080",
    ];
    check(&seen, &expected, &["6.6.6", "6666", "forwarded: "]);
    let line = edge.line(|_| true).await;
    assert_eq!(
        (&line["client"], &line["peer"]),
        (&"127.0.0.1".into(), &"127.0.0.1".into())
    );
    let id = line["request_id"].as_str().unwrap();
    assert!(
        id.len() == 32 && id.bytes().all(|digit| digit.is_ascii_hexdigit()),
        "{id}"
    );
    assert!(seen.contains(&format!("x-request-id: {id}\n")), "{seen}");
}

#[tokio::test]
async fn a_trusted_peer_names_the_client_and_how_it_came() {
    let (edge, _mirror) = mirrored(&["127.0.0.0/8", "10.0.0.0/8"], "x-forwarded-for").await;
    let said = [
        ("x-forwarded-for", "6.6.6.6, 203.0.113.7"),
        ("x-forwarded-for", "10.0.0.2"),
        ("x_forwarded_for", "6.6.6.8"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "public.example"),
        ("x-real-ip", "6.6.6.1"),
        ("forwarded", "for=6.6.6.2"),
        ("x-request-id", "from-the-edge-1"),
        (
            "connection",
            "x-forwarded-for, x-forwarded-host, x-forwarded-proto",
        ),
    ];
    let seen = seen(&edge, &said).await;
    let expected = [
        "x-forwarded-for: 203.0.113.7, 10.0.0.2, 127.0.0.1",
        "x-real-ip: 203.0.113.7",
        "x-forwarded-proto: https",
        "x-forwarded-host: public.example",
        "x-forwarded-port: 443",
        "x-request-id: from-the-edge-1",
    ];
    check(&seen, &expected, &["6.6.6", "forwarded: "]);
    let line = edge.line(|_| true).await;
    assert_eq!(
        (&line["client"], &line["scheme"]),
        (&"203.0.113.7".into(), &"https".into())
    );
    assert_eq!(line["request_id"], "from-the-edge-1");
}

#[tokio::test]
async fn a_trusted_peer_that_says_garbage_is_the_client_itself() {
    let (edge, _mirror) = mirrored(&["127.0.0.0/8"], "x-forwarded-for").await;
    let said = [
        ("x-forwarded-for", "203.0.113.7, unknown"),
        ("x-forwarded-proto", "gopher"),
        ("x-request-id", "two words\"quoted\""),
    ];
    let seen = seen(&edge, &said).await;
    let expected = ["x-forwarded-for: 127.0.0.1", "x-forwarded-proto: http"];
    check(&seen, &expected, &["203.0.113.7", "gopher", "quoted"]);
}

#[tokio::test]
async fn a_header_with_one_address_names_the_client() {
    let (edge, _mirror) = mirrored(&["127.0.0.0/8"], "cf-connecting-ip").await;
    let said = [
        ("cf-connecting-ip", "2001:db8::7"),
        ("x-forwarded-for", "6.6.6.6"),
    ];
    let seen = seen(&edge, &said).await;
    check(
        &seen,
        &[
            "x-forwarded-for: 2001:db8::7, 127.0.0.1",
            "x-real-ip: 2001:db8::7",
        ],
        &["6.6.6.6"],
    );
}

#[tokio::test]
async fn the_configured_header_is_nobodys_to_spoof() {
    let (edge, _mirror) = mirrored(&["10.0.0.0/8"], "x-my-client").await;
    let seen = seen(
        &edge,
        &[("x-my-client", "6.6.6.6"), ("x_my_client", "6.6.6.7")],
    )
    .await;
    check(&seen, &["x-real-ip: 127.0.0.1"], &["6.6.6"]);
}
