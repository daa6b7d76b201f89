//! The snapshot as people see it: all of it, and never a key.

use prost::Message;
use rcgen::{CertificateParams, KeyPair};
use sluice_proto::wire;
use sluice_proto::wire::snapshot_resource::Body;
use tonic::Code;

use crate::objects::{CLASS, READY, secret, service, tls_ingress};
use crate::running::Running;

struct Pair {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Pair {
    fn of(host: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([host.to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate, key }
    }

    fn objects(&self, host: &str) -> String {
        let web = service("web", &[("10.0.0.1", READY)]);
        let ingress = tls_ingress("shop", host, "web", "shop-tls");
        let secret = secret(
            "shop-tls",
            &self.certificate.pem(),
            &self.key.serialize_pem(),
        );
        format!("{CLASS}{web}{ingress}{secret}")
    }
}

async fn ask(running: &Running, kind: &str, name_contains: &str) -> wire::GetSnapshotResponse {
    let request = wire::GetSnapshotRequest {
        kind: kind.to_owned(),
        name_contains: name_contains.to_owned(),
    };
    let mut client = running.introspect().await;
    client.get_snapshot(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn a_key_is_never_shown() {
    let pair = Pair::of("shop.example");
    let running = Running::with(&pair.objects("shop.example")).await;
    let response = ask(&running, "", "").await;
    let shown = response.encode_to_vec();
    let default = running.default_certificate().private_key;
    // The secret number itself stands at the same place in every such key: what holds it must not be shown in part.
    for key in [&pair.key.serialize_der()[..], &default] {
        let secret = &key[36..68];
        let shows = |needle: &[u8]| shown.windows(needle.len()).any(|window| window == needle);
        assert!(!shows(key) && !shows(secret));
        let hexadecimal: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!shows(hexadecimal.as_bytes()));
        let in_snapshot = running
            .publisher
            .subscribe()
            .borrow()
            .as_ref()
            .is_some_and(|latest| {
                let mut entries = latest.snapshot().iter();
                entries.any(|(_, entry)| entry.body().windows(secret.len()).any(|w| w == secret))
            });
        assert!(in_snapshot, "this test looks for the wrong bytes");
    }
    let text = format!("{response:?}");
    assert!(!text.contains("private") && !text.contains("PRIVATE"));
}

#[tokio::test]
async fn a_certificate_is_shown_by_what_identifies_it() {
    let pair = Pair::of("shop.example");
    let running = Running::with(&pair.objects("shop.example")).await;
    let response = ask(&running, "certificate", "shop").await;
    let [resource] = &response.resources[..] else {
        panic!("{response:?}");
    };
    let Some(Body::Certificate(certificate)) = &resource.body else {
        panic!("{resource:?}");
    };
    assert_eq!(resource.name, "shop/shop-tls");
    assert_eq!(certificate.names, ["shop.example"]);
    assert_eq!(certificate.not_after, "4096-01-01T00:00:00Z");
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, pair.certificate.der());
    let hexadecimal: String = digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(certificate.fingerprint, hexadecimal);
}

#[tokio::test]
async fn all_of_it_is_shown_and_can_be_filtered() {
    let running = Running::with(&Pair::of("shop.example").objects("shop.example")).await;
    let (generation, digest) = running.published();
    let all = ask(&running, "", "").await;
    assert_eq!(
        (all.generation, all.digest),
        (generation, digest.to_string())
    );
    let kinds: Vec<_> = all
        .resources
        .iter()
        .map(|resource| &*resource.kind)
        .collect();
    let expected = [
        "listener",
        "listener",
        "settings",
        "certificate",
        "certificate",
        "host",
        "backend",
        "endpoints",
        "route",
    ];
    assert_eq!(kinds, expected);
    assert!(
        all.resources
            .iter()
            .all(|resource| resource.body.is_some() && resource.version.len() == 32)
    );

    let routes = ask(&running, "route", "").await.resources;
    assert_eq!(routes.len(), 1);
    assert!(matches!(&routes[0].body, Some(Body::Route(route)) if route.host == "shop.example"));
    assert_eq!(ask(&running, "", "web").await.resources.len(), 2);
    assert_eq!(ask(&running, "route", "nowhere").await.resources, []);

    let request = wire::GetSnapshotRequest {
        kind: "pod".to_owned(),
        ..Default::default()
    };
    let error = running
        .introspect()
        .await
        .get_snapshot(request)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(
        error.message().contains("\"pod\"") && error.message().contains("route"),
        "{error:?}"
    );
}

#[tokio::test]
async fn problems_are_listed_by_namespace() {
    let yaml = Pair::of("shop.example")
        .objects("shop.example")
        .replace("port: {number: 80}", "port: {number: 81}");
    let running = Running::with(&yaml).await;
    let mut client = running.introspect().await;
    let mut list = async |namespace: &str| {
        let namespace = namespace.to_owned();
        let request = wire::ListProblemsRequest { namespace };
        client
            .list_problems(request)
            .await
            .unwrap()
            .into_inner()
            .problems
    };
    let all = list("").await;
    assert!(!all.is_empty());
    assert_eq!(list("shop").await, all);
    assert_eq!(list("other").await, []);
    let object = all[0].object.clone().unwrap();
    assert_eq!(
        (&*object.kind, &*object.namespace, &*object.name),
        ("Ingress", "shop", "shop")
    );
    assert!(all[0].field.starts_with("spec.rules[0]"), "{:?}", all[0]);
    assert!(!all[0].message.is_empty() && !all[0].remedy.is_empty());
}

#[tokio::test]
async fn settings_show_which_sets_are_trusted_and_of_which_day() {
    let settings = "\
apiVersion: ingress.sluice.dev/v1alpha1
kind: Settings
metadata: {name: edge}
spec: {trustedProxies: {sets: [cloudflare]}}
";
    let running = Running::with(settings).await;
    let response = ask(&running, "settings", "edge").await;
    let Some(Body::Settings(settings)) = &response.resources[0].body else {
        panic!("{response:?}");
    };
    let sets = &settings.trusted_sets;
    assert_eq!(
        (&*sets[0].name, &*sets[0].date),
        ("cloudflare", "2023-09-28")
    );
    assert_eq!(settings.trusted_ranges.len(), 22);
}
