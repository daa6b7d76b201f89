//! Start, change, end.

use std::fs;

use rustix::process::Signal;

use crate::program::process::{Program, exchange};

const INGRESS: &str = "
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: sluice}
spec: {controller: ingress.sluice.dev/controller}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: shop}
spec:
  ingressClassName: sluice
  rules:
    - host: a.example.com
      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
";

#[tokio::test]
async fn it_gets_ready_and_ends_cleanly_on_sigterm_and_sigint() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut program = Program::start(&[("a.yaml", INGRESS)], &[]).await;
        program.ready().await;
        assert_eq!(program.get("/healthz").await.0, 200);
        assert_eq!(program.get("/nothing").await.0, 404);
        let identity = program.path("identity/data-plane/tls.key");
        assert!(identity.exists(), "it made its identity");
        let ended = program.end(signal).await;
        assert_eq!(ended.code(), Some(0), "after {signal:?}");
    }
}

#[tokio::test]
async fn an_edit_makes_a_new_generation_and_a_broken_one_a_problem() {
    let program = Program::start(&[("a.yaml", INGRESS)], &[]).await;
    program
        .metric("sluice_generation ", |value| value == 1)
        .await;
    program
        .metric("sluice_resources{kind=\"route\"} ", |value| value == 1)
        .await;
    program
        .metric("sluice_problems{code=\"ServiceMissing\"} ", |value| {
            value == 1
        })
        .await;
    let file = program.path("files/a.yaml");
    fs::write(&file, INGRESS.replace("a.example.com", "b.example.com")).unwrap();
    program
        .metric("sluice_generation ", |value| value == 2)
        .await;
    fs::write(&file, "kind: [").unwrap();
    program
        .metric("sluice_problems{code=\"DocumentMalformed\"} ", |value| {
            value == 1
        })
        .await;
    program
        .metric("sluice_resources{kind=\"route\"} ", |value| value == 1)
        .await;
    program
        .metric("sluice_generation ", |value| value == 2)
        .await;
}

#[tokio::test]
async fn changed_settings_are_published_and_broken_ones_are_a_problem() {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("settings.yaml");
    fs::write(&settings, "accessLog: {enabled: false}\n").unwrap();
    let flags = ["--settings", settings.to_str().unwrap()];
    let program = Program::start(&[], &flags).await;
    program
        .metric("sluice_generation ", |value| value == 1)
        .await;
    fs::write(&settings, "accessLog: {enabled: true}\n").unwrap();
    program
        .metric("sluice_generation ", |value| value == 2)
        .await;
    fs::write(&settings, "accessLog: {enabled: perhaps}\n").unwrap();
    program
        .metric("sluice_problems{code=\"SettingsUnusable\"} ", |value| {
            value == 1
        })
        .await;
    program
        .metric("sluice_generation ", |value| value == 2)
        .await;
}

#[tokio::test]
async fn garbage_on_the_metrics_port_harms_nobody() {
    let program = Program::start(&[("a.yaml", INGRESS)], &[]).await;
    program.ready().await;
    let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(1 << 20));
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n"[..],
        b"GET /metrics HTTP/9.9\r\n\r\n",
        long.as_bytes(),
    ] {
        let response = exchange(program.metrics, bytes).await;
        assert!(!response.contains(" 200 "), "{response}");
    }
    let refused = exchange(
        program.metrics,
        b"DELETE /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    );
    assert!(refused.await.starts_with("HTTP/1.1 405 "));
    program.ready().await;
}
