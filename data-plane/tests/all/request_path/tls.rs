//! TLS: whose certificate a client gets, what becomes of it under change, and HTTP/2 by ALPN.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::StatusCode;
use sluice_proto::{
    Certificate, CertificateMaterial, CertificateName, Host, HostPattern, MissingCertificate,
    Resource, Route, SettingsName, TlsVersion,
};

use super::harness::*;

fn named(secret: &str) -> CertificateName {
    CertificateName::of_secret("shop", secret)
}

fn certificate(name: CertificateName, pair: &Pair) -> Resource {
    Resource::Certificate(Certificate {
        name,
        content: Ok(pair.material(i64::MAX)),
    })
}

fn missing(name: CertificateName) -> Resource {
    Resource::Certificate(Certificate {
        name,
        content: Err(problem("SecretMissing")),
    })
}

fn host(pattern: &str, secret: Option<&str>) -> Resource {
    Resource::Host(Host {
        pattern: HostPattern::parse(pattern).unwrap(),
        certificate: secret.map(named),
        settings: SettingsName::EDGE,
        client_certificates: Vec::new(),
        tls_minimum_version: TlsVersion::Tls12,
    })
}

/// The route of a host whose Ingress asks for this certificate.
fn secured(host: &str, service: &str, secret: &str) -> Resource {
    let Resource::Route(plain) = route(host, "/", service) else {
        panic!("a route");
    };
    Resource::Route(Arc::new(Route {
        certificate: Some(named(secret)),
        ..Route::clone(&plain)
    }))
}

struct Shop {
    edge: TestEdge,
    default: Pair,
    exact: Pair,
    wildcard: Pair,
    _web: Backend,
}

async fn shop() -> Shop {
    let web = Backend::saying("web").await;
    let (default, exact, wildcard) = (
        Pair::new("default.example"),
        Pair::new("shop.example"),
        Pair::new("*.shop.example"),
    );
    let mut resources = vec![
        certificate(CertificateName::default_certificate(), &default),
        certificate(named("exact"), &exact),
        certificate(named("wildcard"), &wildcard),
        host("shop.example", Some("exact")),
        host("*.shop.example", Some("wildcard")),
        host("plain.shop.example", None),
        secured("shop.example", "web", "exact"),
        route("*", "/", "web"),
    ];
    resources.extend(service("web", [web.address]));
    Shop {
        edge: TestEdge::serving(resources),
        default,
        exact,
        wildcard,
        _web: web,
    }
}

#[tokio::test]
async fn a_host_may_ask_for_a_higher_version_than_the_settings() {
    let Shop { mut edge, .. } = shop().await;
    let speaks_tls12 = async |edge: &TestEdge, name| {
        let tls = Tls::connect_with_tls12(edge.https(), name).await;
        tls.is_ok()
    };
    assert!(speaks_tls12(&edge, "shop.example").await);
    let Resource::Host(mut modern) = host("shop.example", Some("exact")) else {
        panic!("a host");
    };
    modern.tls_minimum_version = TlsVersion::Tls13;
    edge.apply([Resource::Host(modern)]);
    assert!(!speaks_tls12(&edge, "shop.example").await);
    assert!(
        Tls::connect(edge.https(), "shop.example", &[])
            .await
            .is_ok()
    );
    assert!(speaks_tls12(&edge, "a.shop.example").await);
    edge.apply([host("shop.example", Some("exact"))]);
    assert!(speaks_tls12(&edge, "shop.example").await);
}

#[tokio::test]
async fn a_client_gets_the_certificate_of_the_host_that_it_asks_for() {
    let Shop {
        mut edge,
        default,
        exact,
        wildcard,
        _web,
    } = shop().await;
    for (name, pair) in [
        ("shop.example", &exact),
        ("SHOP.example", &exact),
        ("a.shop.example", &wildcard),
        ("plain.shop.example", &default),
        ("b.a.shop.example", &default),
        ("other.example", &default),
    ] {
        let tls = Tls::connect(edge.https(), name, &[]).await.unwrap();
        assert_eq!(tls.leaf(), pair.leaf(), "{name}");
    }
    let tls = Tls::connect(edge.https(), "127.0.0.1", &[]).await.unwrap();
    assert_eq!(tls.leaf(), default.leaf(), "a client that asks for no name");

    edge.settings(|settings| settings.missing_certificate = MissingCertificate::RefuseHandshake);
    for name in ["other.example", "plain.shop.example", "127.0.0.1"] {
        let error = Tls::connect(edge.https(), name, &[]).await.err().unwrap();
        assert!(
            error.to_string().contains("UnrecognisedName"),
            "{name}: {error}"
        );
    }
    assert_eq!(
        Tls::connect(edge.https(), "shop.example", &[])
            .await
            .unwrap()
            .leaf(),
        exact.leaf()
    );
    eventually("they are counted", async || {
        edge.metric("sluice_tls_handshake_failures_total", "no_certificate") == 3.0
    })
    .await;
}

#[tokio::test]
async fn http2_is_chosen_by_alpn_and_http1_without() {
    let Shop {
        mut edge,
        exact,
        _web,
        ..
    } = shop().await;
    edge.settings(|settings| settings.access_log.enabled = true);
    for (offered, version) in [
        (&["h2", "http/1.1"][..], "HTTP/2"),
        (&["http/1.1"], "HTTP/1.1"),
        (&[], "HTTP/1.1"),
    ] {
        let tls = Tls::connect(edge.https(), "shop.example", offered)
            .await
            .unwrap();
        assert_eq!(tls.leaf(), exact.leaf());
        let mut client = match tls.alpn() {
            Some(b"h2") => Client::http2_over(tls.stream).await,
            _ => Client::http1_over(tls.stream).await,
        };
        let answer = client.get("shop.example", "/").await;
        assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "web"));
        let line = edge.line(|line| line["protocol"] == version).await;
        assert_eq!(line["scheme"], "https");
    }
}

#[tokio::test]
async fn tls_before_1_2_and_what_is_no_tls_is_refused() {
    let Shop { edge, .. } = shop().await;
    let answer = raw(edge.https(), "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n").await;
    assert!(!answer.contains("HTTP"), "{answer}");
    // A hello of TLS 1.1: version 3.2, one cipher, no extension.
    let mut hello = vec![0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0, 0x2f, 1, 0]);
    let refused = Stream::connect(edge.https()).await.exchange(&hello).await;
    assert_eq!(refused.first(), Some(&0x15), "an alert: {refused:?}");
    eventually("they are counted", async || {
        edge.metric("sluice_tls_handshake_failures_total", "protocol") == 2.0
    })
    .await;
}

#[tokio::test]
async fn a_slow_handshake_is_cut_off() {
    let Shop { mut edge, .. } = shop().await;
    edge.settings(|settings| {
        settings.timeouts.request_headers = std::time::Duration::from_millis(100)
    });
    let mut stream = Stream::connect(edge.https()).await;
    stream.send([0x16, 3, 1]).await;
    assert_eq!(stream.rest().await, "");
    eventually("it is counted", async || {
        edge.metric("sluice_tls_handshake_failures_total", "timeout") == 1.0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_replaced_under_handshakes_without_a_failure() {
    let Shop {
        mut edge,
        exact,
        _web,
        ..
    } = shop().await;
    let address = edge.https();
    let done = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&done);
    let clients = tokio::spawn(async move {
        let mut leaves = Vec::new();
        while !stop.load(Ordering::SeqCst) {
            let tls = Tls::connect(address, "shop.example", &[]).await.unwrap();
            leaves.push(tls.leaf());
            let answer = Client::http1_over(tls.stream)
                .await
                .get("shop.example", "/")
                .await;
            assert_eq!(answer.status, StatusCode::OK);
        }
        leaves
    });
    let pairs: Vec<Pair> = (0..5).map(|_| Pair::new("shop.example")).collect();
    for pair in &pairs {
        assert_eq!(edge.apply([certificate(named("exact"), pair)]), []);
        let tls = Tls::connect(address, "shop.example", &[]).await.unwrap();
        assert_eq!(tls.leaf(), pair.leaf(), "the new one at once");
    }
    done.store(true, Ordering::SeqCst);
    let known: Vec<_> = pairs.iter().chain([&exact]).map(Pair::leaf).collect();
    let leaves = clients.await.unwrap();
    assert!(!leaves.is_empty() && leaves.iter().all(|leaf| known.contains(leaf)));
}

#[tokio::test]
async fn a_key_of_another_certificate_is_refused_and_the_last_good_one_served() {
    let Shop {
        mut edge,
        exact,
        wildcard,
        _web,
        ..
    } = shop().await;
    let good = exact.material(i64::MAX);
    let broken = [
        CertificateMaterial {
            private_key: wildcard.material(0).private_key,
            ..good.clone()
        },
        CertificateMaterial {
            private_key: Bytes::from_static(b"no key"),
            ..good.clone()
        },
        CertificateMaterial {
            chain: vec![Bytes::from_static(b"no certificate")],
            ..good.clone()
        },
    ];
    for (material, why) in
        broken
            .into_iter()
            .zip(["does not belong", "key cannot be", "certificate cannot be"])
    {
        let resource = Resource::Certificate(Certificate {
            name: named("exact"),
            content: Ok(material),
        });
        let refused = edge.apply([resource.clone()]);
        assert_eq!((refused.len(), &*refused[0].name), (1, "shop/exact"));
        assert!(refused[0].reason.contains(why), "{}", refused[0].reason);
        let tls = Tls::connect(edge.https(), "shop.example", &[])
            .await
            .unwrap();
        assert_eq!(tls.leaf(), exact.leaf());
        assert_eq!(
            get(edge.http(), "shop.example", "/").await.status,
            StatusCode::OK
        );
    }
}

#[tokio::test]
async fn a_route_whose_certificate_was_never_good_is_unavailable() {
    let Shop {
        mut edge,
        exact,
        _web,
        ..
    } = shop().await;
    let good = exact.material(i64::MAX);
    let unknown = Resource::Certificate(Certificate {
        name: named("new"),
        content: Ok(CertificateMaterial {
            private_key: Bytes::from_static(b"no key"),
            ..good
        }),
    });
    let refused = edge.apply([unknown, secured("new.example", "web", "new")]);
    assert!(
        refused.iter().any(|refusal| refusal.name == "shop/new"),
        "{refused:?}"
    );
    let answer = get(edge.http(), "new.example", "/").await;
    assert_eq!(
        answer.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "nothing valid to serve"
    );
}

#[tokio::test]
async fn a_certificate_outlives_its_secret_while_it_is_valid_and_across_a_restart() {
    let Shop {
        mut edge,
        exact,
        _web,
        ..
    } = shop().await;
    edge.settings(|settings| settings.access_log.enabled = true);
    assert_eq!(edge.apply([missing(named("exact"))]), []);
    let check = async |edge: &TestEdge| {
        let tls = Tls::connect(edge.https(), "shop.example", &[])
            .await
            .unwrap();
        assert_eq!(tls.leaf(), exact.leaf());
        assert_eq!(
            get(edge.http(), "shop.example", "/").await.status,
            StatusCode::OK
        );
        let problems = edge.edge.problems();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(
            (&*problems[0].code, &*problems[0].object.name),
            ("CertificateKept", "tls")
        );
        assert_eq!(edge.metric("sluice_certificates_kept", ""), 1.0);
    };
    check(&edge).await;
    // The version without a material is held: it is not sent again.
    let held = edge.edge.snapshot();
    let gone = missing(named("exact"));
    assert_eq!(held.entry(&gone.key()).unwrap().body(), &gone.body());

    let restarted = TestEdge::empty();
    assert_eq!(restarted.edge.restore(&edge.edge.kept(), &held), []);
    check(&restarted).await;

    // Another problem with the same Secret keeps it, too; a new material ends it; without one nothing is left.
    let mut other = problem("SecretMalformed");
    other.message = "It is broken otherwise".to_owned();
    edge.apply([Resource::Certificate(Certificate {
        name: named("exact"),
        content: Err(other),
    })]);
    check(&edge).await;
    let renewed = Pair::new("shop.example");
    edge.apply([certificate(named("exact"), &renewed)]);
    let tls = Tls::connect(edge.https(), "shop.example", &[])
        .await
        .unwrap();
    assert_eq!(tls.leaf(), renewed.leaf());
    assert!(edge.edge.problems().is_empty() && edge.edge.kept().is_empty());
}

#[tokio::test]
async fn a_certificate_that_has_ended_is_not_kept() {
    let Shop {
        mut edge,
        exact,
        default,
        ..
    } = shop().await;
    let ended = exact.material(1_000);
    edge.apply([Resource::Certificate(Certificate {
        name: named("exact"),
        content: Ok(ended),
    })]);
    edge.apply([missing(named("exact"))]);
    let answer = get(edge.http(), "shop.example", "/").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.proxy_error(), "proxy_configuration_error");
    let tls = Tls::connect(edge.https(), "shop.example", &[])
        .await
        .unwrap();
    assert_eq!(tls.leaf(), default.leaf());
    assert!(edge.edge.kept().is_empty());
}
