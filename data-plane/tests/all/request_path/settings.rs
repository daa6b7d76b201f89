//! Several classes with settings of their own, on the same listeners.

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use sluice_proto::{
    AccessLog, Certificate, CertificateName, Host, HostPattern, MissingCertificate, Resource,
    Route, Settings, SettingsName, Timeouts, TlsVersion,
};

use super::harness::*;

/// The settings of a class that trusts these ranges.
fn of_class(class: &str, trusted: &[&str]) -> Settings {
    Settings {
        name: SettingsName::of_class(class),
        trusted_ranges: trusted.iter().map(|range| range.parse().unwrap()).collect(),
        ..Settings::default()
    }
}

fn resource(settings: Settings) -> Resource {
    Resource::Settings(Box::new(settings))
}

/// The route of an Ingress of this class.
fn route_of(class: &str, host: &str, service: &str) -> Resource {
    let Resource::Route(plain) = route(host, "/", service) else {
        panic!("a route");
    };
    Resource::Route(Arc::new(Route {
        settings: SettingsName::of_class(class),
        ..Route::clone(&plain)
    }))
}

/// Answers with who it was told that the client is.
async fn mirror() -> Backend {
    Backend::start(|request| async move {
        let client = request.headers().get("x-real-ip").unwrap();
        text(client.to_str().unwrap().to_owned())
    })
    .await
}

async fn ask(edge: &TestEdge, host: &str) -> Answer {
    let request = Request::get("/")
        .header("host", host)
        .header("x-forwarded-for", CLAIMED)
        .body(empty())
        .unwrap();
    send(edge.http(), request).await
}

#[tokio::test]
async fn each_class_believes_its_own_peers() {
    let mirror = mirror().await;
    let mut resources = vec![
        route("plain.example", "/", "mirror"),
        route_of("believing", "believing.example", "mirror"),
        route_of("careful", "careful.example", "mirror"),
        resource(of_class("believing", &["127.0.0.0/8"])),
        resource(of_class("careful", &["10.0.0.0/8"])),
    ];
    resources.extend(service("mirror", [mirror.address]));
    let mut edge = TestEdge::serving(resources);
    edge.settings(|settings| settings.access_log.enabled = true);
    assert_eq!(ask(&edge, "believing.example").await.body, CLAIMED);
    assert_eq!(ask(&edge, "careful.example").await.body, PEER);
    assert_eq!(ask(&edge, "plain.example").await.body, PEER);
    // What no route takes is the edge's business.
    assert_eq!(ask(&edge, "nobody.example").await.status, 404);
    let nobody = edge.line(|line| line["host"] == "nobody.example").await;
    assert_eq!(nobody["client"], PEER);

    // The edge's trust is no class's, and a change needs no restart.
    edge.settings(|settings| settings.trusted_ranges = vec!["127.0.0.0/8".parse().unwrap()]);
    assert_eq!(ask(&edge, "plain.example").await.body, CLAIMED);
    assert_eq!(ask(&edge, "careful.example").await.body, PEER);
    ask(&edge, "nobody.example").await;
    edge.line(|line| line["host"] == "nobody.example" && line["client"] == CLAIMED)
        .await;
    assert_eq!(
        edge.apply([resource(of_class("careful", &["127.0.0.0/8"]))]),
        []
    );
    assert_eq!(edge.apply([resource(of_class("believing", &[]))]), []);
    assert_eq!(ask(&edge, "careful.example").await.body, CLAIMED);
    assert_eq!(ask(&edge, "believing.example").await.body, PEER);
}

#[tokio::test]
async fn a_class_has_its_own_log_and_timeouts() {
    let hanging = Backend::start(|_| async move {
        std::future::pending::<()>().await;
        text(String::new())
    })
    .await;
    let hasty = Settings {
        access_log: AccessLog { enabled: true },
        timeouts: Timeouts {
            response_headers: Duration::from_millis(100),
            ..Timeouts::default()
        },
        ..of_class("hasty", &[])
    };
    let mut resources = vec![
        route_of("hasty", "hasty.example", "hanging"),
        unavailable("plain.example", "/", "ServiceMissing"),
        resource(hasty),
    ];
    resources.extend(service("hanging", [hanging.address]));
    let edge = TestEdge::serving(resources);
    assert_eq!(ask(&edge, "plain.example").await.status, 503);
    assert_eq!(ask(&edge, "hasty.example").await.status, 504);
    edge.line(|line| line["host"] == "hasty.example").await;
    let lines = edge.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
}

#[tokio::test]
async fn a_route_whose_settings_are_missing_answers_503_until_they_are_there() {
    let mirror = mirror().await;
    let mut resources = vec![route_of("late", "late.example", "mirror")];
    resources.extend(service("mirror", [mirror.address]));
    let mut edge = TestEdge::serving(resources);
    edge.settings(|settings| settings.access_log.enabled = true);
    assert_eq!(ask(&edge, "late.example").await.status, 503);
    let line = edge.line(|line| line["status"] == 503).await;
    assert_eq!(line["problem"], "SettingsMissing");
    let settings = resource(of_class("late", &[]));
    assert_eq!(edge.apply([settings.clone()]), []);
    assert_eq!(ask(&edge, "late.example").await.body, PEER);
    assert_eq!(edge.remove(&settings), []);
    assert_eq!(ask(&edge, "late.example").await.status, 503);
}

#[tokio::test]
async fn a_class_says_what_tls_clients_of_its_hosts_get() {
    let (of_edge, of_class_) = (Pair::new("edge.example"), Pair::new("class.example"));
    let certificate = |name, pair: &Pair| {
        Resource::Certificate(Certificate {
            name,
            content: Ok(pair.material(i64::MAX)),
        })
    };
    let host = |class: &str| {
        Resource::Host(Host {
            pattern: HostPattern::parse(&format!("{class}.example")).unwrap(),
            certificate: None,
            settings: SettingsName::of_class(class),
            client_certificates: Vec::new(),
            tls_minimum_version: TlsVersion::Tls12,
        })
    };
    let own = CertificateName::default_of_class("own");
    let with = |class, change: fn(&mut Settings)| {
        let mut settings = of_class(class, &[]);
        change(&mut settings);
        resource(settings)
    };
    let mut edge = TestEdge::serving([
        certificate(CertificateName::default_certificate(), &of_edge),
        certificate(own, &of_class_),
        host("own"),
        host("refusing"),
        host("modern"),
        host("missing"),
        with("own", |settings| {
            settings.default_certificate = CertificateName::default_of_class("own");
        }),
        with("refusing", |settings| {
            settings.missing_certificate = MissingCertificate::RefuseHandshake;
        }),
        with("modern", |settings| {
            settings.tls_minimum_version = TlsVersion::Tls13;
        }),
    ]);
    let leaf = async |edge: &TestEdge, name| {
        let connected = Tls::connect(edge.https(), name, &[]).await;
        connected.map(|tls| tls.leaf()).ok()
    };
    assert_eq!(leaf(&edge, "own.example").await, Some(of_class_.leaf()));
    assert_eq!(leaf(&edge, "refusing.example").await, None);
    assert_eq!(leaf(&edge, "modern.example").await, Some(of_edge.leaf()));
    assert_eq!(leaf(&edge, "missing.example").await, Some(of_edge.leaf()));
    assert_eq!(leaf(&edge, "other.example").await, Some(of_edge.leaf()));
    for (name, is_spoken) in [("own.example", true), ("modern.example", false)] {
        let tls = Tls::connect_with_tls12(edge.https(), name).await;
        assert_eq!(tls.is_ok(), is_spoken, "{name}");
    }
    // Without a restart, and for the edge, too.
    edge.apply([with("refusing", |_| {}), with("modern", |_| {})]);
    assert_eq!(leaf(&edge, "refusing.example").await, Some(of_edge.leaf()));
    let tls = Tls::connect_with_tls12(edge.https(), "modern.example").await;
    assert!(tls.is_ok());
    edge.settings(|settings| settings.tls_minimum_version = TlsVersion::Tls13);
    let tls = Tls::connect_with_tls12(edge.https(), "other.example").await;
    assert!(tls.is_err());
}

const PEER: &str = "127.0.0.1";
const CLAIMED: &str = "203.0.113.7";
