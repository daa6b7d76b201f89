//! Client certificates: who has the right one passes, everybody else reads why not, and nothing leads around it.

use std::sync::Arc;

use http::Request;
use rustls::HandshakeKind;
use sluice_proto::{
    Certificate, CertificateName, ClientCertificate, Host, HostPattern, ObjectReference, Policy,
    PolicyAction, Resource, Route, SettingsName, TlsVersion,
};

use super::harness::*;

struct Bank {
    edge: TestEdge,
    authority: Authority,
    _web: Backend,
}

async fn bank(change: impl FnOnce(&mut ClientCertificate)) -> Bank {
    let authority = Authority::new("clients of the bank");
    let web = Backend::start(|request| async move {
        let shown = request.headers().get("x-forwarded-tls-client-cert");
        text(shown.map_or_else(
            || "none".to_owned(),
            |value| value.to_str().unwrap().to_owned(),
        ))
    })
    .await;
    let policy = policy(&authority, change);
    let mut resources = vec![
        Resource::Certificate(Certificate {
            name: CertificateName::default_certificate(),
            content: Ok(Pair::new("default.example").material(i64::MAX)),
        }),
        asking_host("bank.example", &policy),
        guarded("bank.example", &policy),
        route("open.example", "/", "web"),
        policy,
    ];
    resources.extend(service("web", [web.address]));
    Bank {
        edge: TestEdge::serving(resources),
        authority,
        _web: web,
    }
}

fn policy(authority: &Authority, change: impl FnOnce(&mut ClientCertificate)) -> Resource {
    let mut certificate = ClientCertificate {
        authorities: Some(vec![authority.der()]),
        optional: false,
        forwarded: true,
    };
    change(&mut certificate);
    let object = ObjectReference {
        kind: "Policy".to_owned(),
        namespace: "shop".to_owned(),
        name: "clients".to_owned(),
    };
    let action = PolicyAction::ClientCertificate(certificate);
    Resource::Policy(Arc::new(Policy::new(
        object,
        "spec.clientCertificates",
        action,
    )))
}

fn name_of(policy: &Resource) -> sluice_proto::PolicyName {
    match policy {
        Resource::Policy(policy) => policy.name.clone(),
        other => panic!("{other:?}"),
    }
}

fn asking_host(host: &str, policy: &Resource) -> Resource {
    Resource::Host(Host {
        pattern: HostPattern::parse(host).unwrap(),
        certificate: None,
        settings: SettingsName::EDGE,
        client_certificates: vec![name_of(policy)],
        tls_minimum_version: TlsVersion::Tls12,
    })
}

fn guarded(host: &str, policy: &Resource) -> Resource {
    let Resource::Route(plain) = route(host, "/", "web") else {
        panic!("a route");
    };
    Resource::Route(Arc::new(Route {
        policies: vec![name_of(policy)],
        ..Route::clone(&plain)
    }))
}

impl Bank {
    async fn ask(&self, sni: &str, host: &str, identity: Option<&Identity>) -> Answer {
        let tls = match identity {
            None => Tls::connect(self.edge.https(), sni, &[]).await.unwrap(),
            Some(identity) => Tls::connect_as(self.edge.https(), sni, identity)
                .await
                .unwrap(),
        };
        Client::http1_over(tls.stream).await.get(host, "/").await
    }
}

#[tokio::test]
async fn only_a_certificate_of_the_right_authority_passes() {
    let bank = bank(|_| {}).await;
    let right = bank.authority.issue("ada");
    let answer = bank.ask("bank.example", "bank.example", Some(&right)).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.starts_with("MII"), "{}", answer.body);
    let missing = bank.ask("bank.example", "bank.example", None).await;
    assert_eq!(missing.status, 403);
    assert!(
        missing.body.contains("a client certificate is needed"),
        "{}",
        missing.body
    );
    // The same name, but another key.
    let wrong = Authority::new("clients of the bank").issue("ada");
    let wrong = bank.ask("bank.example", "bank.example", Some(&wrong)).await;
    assert_eq!(wrong.status, 403);
    assert!(wrong.body.contains("is not accepted"), "{}", wrong.body);
    // What a client says of itself is not what its connection has shown.
    let spoofed = Request::get("/")
        .header("host", "bank.example")
        .header("x-forwarded-tls-client-cert", "MII");
    let answer = send(bank.edge.http(), spoofed.body(empty()).unwrap()).await;
    assert_eq!(answer.status, 403);
    assert_eq!(
        bank.ask("open.example", "open.example", None).await.body,
        "none"
    );
}

#[tokio::test]
async fn an_optional_certificate_may_be_missing_but_not_be_wrong() {
    let bank = bank(|certificate| certificate.optional = true).await;
    let right = bank.authority.issue("ada");
    let wrong = Authority::new("others").issue("ada");
    let missing = bank.ask("bank.example", "bank.example", None).await;
    assert_eq!(
        (missing.status.as_u16(), missing.body.as_str()),
        (200, "none")
    );
    let right = bank.ask("bank.example", "bank.example", Some(&right)).await;
    assert!(right.status == 200 && right.body.starts_with("MII"));
    let wrong = bank.ask("bank.example", "bank.example", Some(&wrong)).await;
    assert_eq!(wrong.status, 403);
}

#[tokio::test]
async fn any_certificate_will_do_where_none_is_verified() {
    let bank = bank(|certificate| certificate.authorities = None).await;
    let any = Authority::new("anybody").issue("eve");
    assert_eq!(
        bank.ask("bank.example", "bank.example", Some(&any))
            .await
            .status,
        200
    );
    assert_eq!(
        bank.ask("bank.example", "bank.example", None).await.status,
        403
    );
}

#[tokio::test]
async fn a_connection_for_another_host_is_misdirected() {
    let bank = bank(|_| {}).await;
    let right = bank.authority.issue("ada");
    for identity in [None, Some(&right)] {
        let answer = bank.ask("open.example", "bank.example", identity).await;
        assert_eq!(answer.status, 421);
        assert_eq!(answer.proxy_error(), "http_request_error");
    }
    // The other way round nothing is asked for.
    assert_eq!(
        bank.ask("bank.example", "open.example", None).await.status,
        200
    );
}

#[tokio::test]
async fn who_was_asked_for_another_host_may_show_another_certificate_on_a_new_connection() {
    let mut bank = bank(|_| {}).await;
    let policy = policy(&bank.authority, |_| {});
    bank.edge.apply([
        asking_host("vault.example", &policy),
        guarded("vault.example", &policy),
    ]);
    let right = bank.authority.issue("ada");
    let wrong = Authority::new("others").issue("ada");
    for (identity, own, shared) in [
        (Some(&right), 200, 200),
        (Some(&wrong), 403, 421),
        (None, 403, 421),
    ] {
        let answer = bank.ask("vault.example", "vault.example", identity).await;
        assert_eq!(answer.status, own);
        let answer = bank.ask("bank.example", "vault.example", identity).await;
        assert_eq!(answer.status, shared);
    }
}

#[tokio::test]
async fn no_session_leads_around_it() {
    let bank = bank(|_| {}).await;
    let right = bank.authority.issue("ada");
    let config = Arc::new(config(&[], Some(&right), ALL_VERSIONS));
    // A client that has been elsewhere and here before, and could resume both.
    for name in [
        "open.example",
        "bank.example",
        "open.example",
        "bank.example",
    ] {
        let tls = Tls::over(bank.edge.https(), name, Arc::clone(&config))
            .await
            .unwrap();
        let kind = tls.stream.get_ref().1.handshake_kind();
        let resumed = kind == Some(HandshakeKind::Resumed);
        assert!(!(resumed && name == "bank.example"), "{name}: {kind:?}");
        let answer = Client::http1_over(tls.stream).await.get(name, "/").await;
        assert_eq!(answer.status, 200, "{name}");
    }
}

#[tokio::test]
async fn another_authority_counts_at_once_on_open_connections_too() {
    let mut bank = bank(|_| {}).await;
    let right = bank.authority.issue("ada");
    let tls = Tls::connect_as(bank.edge.https(), "bank.example", &right)
        .await
        .unwrap();
    let mut client = Client::http1_over(tls.stream).await;
    assert_eq!(client.get("bank.example", "/").await.status, 200);
    let other = Authority::new("new clients of the bank");
    assert_eq!(bank.edge.apply([policy(&other, |_| {})]), []);
    assert_eq!(client.get("bank.example", "/").await.status, 403);
    let new = other.issue("ada");
    assert_eq!(
        bank.ask("bank.example", "bank.example", Some(&new))
            .await
            .status,
        200
    );
}
