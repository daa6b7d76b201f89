//! A service that is asked by TLS: which certificate it has to show, and which one it is shown.

use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::*;

/// Starts a service that lets everything pass, and shows this certificate; of its clients it wants one that is signed by
/// `client`, if there is one.
async fn service_of(pair: &Pair, client: Option<&Pair>) -> Backend {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = match client {
        None => builder.with_no_client_auth(),
        Some(client) => {
            let mut roots = RootCertStore::empty();
            roots.add(der(client)).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let key = pair.material(0).private_key.to_vec();
    let config = builder
        .with_single_cert(vec![der(pair)], PrivateKeyDer::try_from(key).unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    Backend::raw(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                return;
            };
            while matches!(stream.read(&mut [0; 4096]).await, Ok(1..)) {
                let yes = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                let _ = stream.write_all(yes).await;
            }
        }
    })
    .await
}

fn der(pair: &Pair) -> CertificateDer<'static> {
    CertificateDer::from(pair.leaf().to_vec())
}

fn by_tls(service: &Backend, tls: UpstreamTls) -> PolicyAction {
    asking(service.address, |auth| {
        auth.url = format!("https://{}/", service.address);
        auth.tls = tls;
    })
}

fn trusting(pair: &Pair, server_name: Option<&str>) -> UpstreamTls {
    UpstreamTls {
        authorities: vec![pair.leaf()],
        server_name: server_name.map(ToOwned::to_owned),
        ..UpstreamTls::default()
    }
}

async fn expect(policy: PolicyAction, status: u16) {
    let guarded = Guarded::by([policy]).await;
    let mut client = Client::http1(guarded.edge.http()).await;
    for _ in 0..2 {
        assert_eq!(client.get("shop.example", "/").await.status, status);
    }
    if status == 503 {
        let line = guarded.edge.line(|line| line["status"] == 503).await;
        assert!(
            line["error"].as_str().unwrap().starts_with("auth_"),
            "{line}"
        );
        assert_eq!(guarded.backend.connections(), 0);
    }
}

#[tokio::test]
async fn only_the_right_certificate_is_believed() {
    let (auth, other) = (Pair::new("auth.example"), Pair::new("auth.example"));
    let named_by_address = Pair::new("127.0.0.1");
    let service = service_of(&auth, None).await;
    let by_address = service_of(&named_by_address, None).await;
    let insecure = UpstreamTls {
        insecure: true,
        ..UpstreamTls::default()
    };
    for (policy, status) in [
        (by_tls(&service, trusting(&auth, Some("auth.example"))), 200),
        (by_tls(&by_address, trusting(&named_by_address, None)), 200),
        (by_tls(&service, insecure), 200),
        // Another's certificate, another name, and one that no public authority has signed.
        (
            by_tls(&service, trusting(&other, Some("auth.example"))),
            503,
        ),
        (
            by_tls(&service, trusting(&auth, Some("other.example"))),
            503,
        ),
        (by_tls(&service, trusting(&auth, None)), 503),
        (by_tls(&service, UpstreamTls::default()), 503),
    ] {
        expect(policy, status).await;
    }
}

#[tokio::test]
async fn what_speaks_no_tls_is_not_asked_in_clear() {
    let clear = Decider::nodding().await;
    let insecure = UpstreamTls {
        insecure: true,
        ..UpstreamTls::default()
    };
    let guarded = Guarded::by([by_tls(&clear.service, insecure)]).await;
    assert_eq!(guarded.get("/", &[]).await.status, 503);
    guarded.line("auth_tls_failed").await;
    assert!(clear.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_service_that_wants_a_certificate_is_shown_it() {
    let (auth, client) = (Pair::new("auth.example"), Pair::new("sluice.example"));
    let service = service_of(&auth, Some(&client)).await;
    let without = trusting(&auth, Some("auth.example"));
    let shown = UpstreamTls {
        chain: vec![client.leaf()],
        private_key: client.material(0).private_key,
        ..without.clone()
    };
    let strangers = Pair::new("sluice.example");
    let other = UpstreamTls {
        chain: vec![strangers.leaf()],
        private_key: strangers.material(0).private_key,
        ..without.clone()
    };
    expect(by_tls(&service, shown.clone()), 200).await;
    expect(by_tls(&service, without), 503).await;
    expect(by_tls(&service, other), 503).await;
    let mismatched = UpstreamTls {
        private_key: strangers.material(0).private_key,
        ..shown
    };
    let mut guarded = Guarded::by([]).await;
    let refused = guarded.edge.apply(policies([by_tls(&service, mismatched)]));
    assert!(refused[0].reason.contains("private key"), "{refused:?}");
}
