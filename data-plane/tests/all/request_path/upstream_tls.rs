//! TLS to endpoints: only whom the backend's authorities vouch for gets a request, and endpoints are called as they want.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sluice_proto::{BackendProtocol, BackendTarget, Resource, UpstreamTls};
use tokio_rustls::TlsAcceptor;

use super::harness::*;

/// A server whose certificate is for this name, which says by which protocol and host it was asked.
async fn server(pair: &Pair) -> Backend {
    let material = pair.material(i64::MAX);
    let key = PrivateKeyDer::try_from(material.private_key.to_vec()).unwrap();
    let chain = vec![CertificateDer::from(material.chain[0].to_vec())];
    let mut config = ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_no_client_auth()
    .with_single_cert(chain, key)
    .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    Backend::raw(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let service = service_fn(|request: Request<hyper::body::Incoming>| async move {
                let host = request.headers().get("host");
                let host = host.map(|host| host.to_str().unwrap().to_owned());
                let host = host.or_else(|| Some(request.uri().authority()?.to_string()));
                let version = request.version();
                let _ = request.into_body().collect().await;
                Ok::<_, std::convert::Infallible>(text(format!("{version:?} {}", host.unwrap())))
            });
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        }
    })
    .await
}

fn trusting(pair: &Pair) -> UpstreamTls {
    UpstreamTls {
        authorities: vec![pair.leaf()],
        ..UpstreamTls::default()
    }
}

fn backend_with(protocol: BackendProtocol, tls: UpstreamTls, own_host: bool) -> Resource {
    Resource::Backend(sluice_proto::Backend {
        name: name("web"),
        protocol,
        target: BackendTarget::Endpoints {
            cluster_addresses: vec![],
        },
        tls: Some(tls),
        own_host,
    })
}

async fn asked(server: &Backend, backend: Resource) -> Answer {
    let edge = TestEdge::serving([
        route("shop.example", "/", "web"),
        backend,
        endpoints("web", [server.address]),
    ]);
    get(edge.http(), "shop.example", "/").await
}

#[tokio::test]
async fn a_server_with_the_right_certificate_is_asked_by_either_protocol() {
    let pair = Pair::new("web.shop.svc");
    let server = server(&pair).await;
    for (protocol, expected) in [
        (BackendProtocol::Http1, "HTTP/1.1 shop.example"),
        (BackendProtocol::H2c, "HTTP/2.0 shop.example"),
    ] {
        let answer = asked(&server, backend_with(protocol, trusting(&pair), false)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.body.as_str()),
            (200, expected)
        );
    }
}

#[tokio::test]
async fn a_server_with_a_wrong_certificate_gets_no_request() {
    let pair = Pair::new("web.shop.svc");
    let server = server(&pair).await;
    let another = UpstreamTls {
        server_name: Some("another.name".to_owned()),
        ..trusting(&pair)
    };
    for tls in [
        another,
        UpstreamTls::default(),
        trusting(&Pair::new("web.shop.svc")),
    ] {
        let answer = asked(&server, backend_with(BackendProtocol::Http1, tls, false)).await;
        assert_eq!(answer.status, 502);
        assert_eq!(answer.proxy_error(), "tls_certificate_error");
    }
    let any = UpstreamTls {
        insecure: true,
        ..UpstreamTls::default()
    };
    let answer = asked(&server, backend_with(BackendProtocol::Http1, any, false)).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn endpoints_may_want_to_be_called_by_their_own_address() {
    let pair = Pair::new("web.shop.svc");
    let server = server(&pair).await;
    for protocol in [BackendProtocol::Http1, BackendProtocol::H2c] {
        let answer = asked(&server, backend_with(protocol, trusting(&pair), true)).await;
        assert!(
            answer.body.ends_with(&server.address.to_string()),
            "{}",
            answer.body
        );
    }
}

#[tokio::test]
async fn what_no_server_can_be_spoken_to_with_is_refused() {
    let mut edge = TestEdge::serving([route("shop.example", "/", "web")]);
    let broken = UpstreamTls {
        authorities: vec![Bytes::from_static(b"no certificate")],
        ..UpstreamTls::default()
    };
    let refused = edge.apply([backend_with(BackendProtocol::Http1, broken, false)]);
    assert_eq!(refused.len(), 1);
    assert!(
        refused[0]
            .reason
            .starts_with("the certificate of an authority"),
        "{refused:?}"
    );
    assert_eq!(get(edge.http(), "shop.example", "/").await.status, 503);
}
