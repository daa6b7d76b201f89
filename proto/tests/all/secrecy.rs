//! A private key or a password's hash does not reach a log through `{:?}`, in whatever it is wrapped.

use std::fmt::Debug;

use bytes::Bytes;
use sluice_proto::wire::control_plane_message::Message;
use sluice_proto::{
    BasicAuth, Certificate, CertificateMaterial, CertificateName, Credential, ForwardAuth,
    ObjectReference, Policy, PolicyAction, Resource, Snapshot, UpstreamTls, wire,
};

fn certificate() -> Certificate {
    Certificate {
        name: CertificateName::of_secret("shop", "tls"),
        content: Ok(CertificateMaterial {
            chain: vec![Bytes::from_static(b"the chain")],
            private_key: Bytes::from_static(KEY),
            names: vec!["shop.example".to_owned()],
            not_before_unix_s: 0,
            not_after_unix_s: 1,
        }),
    }
}

#[test]
fn no_debug_output_shows_a_private_key() {
    let certificate = certificate();
    let resource = Resource::Certificate(certificate.clone());
    let snapshot = Snapshot::of([&resource]);
    let difference = snapshot.changes_since(&Snapshot::default());
    let delta = difference.clone().into_wire(1, usize::MAX).remove(0);
    let message = wire::Certificate::from(&certificate);
    shows_no_key(&certificate.content);
    shows_no_key(&certificate);
    shows_no_key(&resource);
    shows_no_key(&snapshot);
    shows_no_key(&difference);
    shows_no_key(&message.content);
    shows_no_key(&message);
    shows_no_key(&delta.upserted[0]);
    shows_no_key(&delta);
    shows_no_key(&wire::ControlPlaneMessage {
        message: Some(Message::Delta(delta)),
    });
}

fn policy(action: PolicyAction) -> Policy {
    let object = ObjectReference {
        kind: "Middleware".to_owned(),
        namespace: "shop".to_owned(),
        name: "auth".to_owned(),
    };
    Policy::new(object, "spec", action)
}

#[test]
fn no_debug_output_shows_what_a_policy_keeps_secret() {
    let hash = String::from_utf8(KEY.to_vec()).unwrap();
    let user = "admin".to_owned();
    let basic = BasicAuth {
        realm: "traefik".to_owned(),
        credentials: vec![Credential { user, hash }],
        remove_authorization: false,
        user_header: None,
    };
    let forward = ForwardAuth {
        url: "https://auth.example".to_owned(),
        request_headers: vec![],
        response_headers: vec![],
        response_headers_pattern: None,
        cookies: vec![],
        user_header: None,
        body_bytes: None,
        response_bytes: 1,
        keep_location: false,
        keep_method: false,
        sign_in_url: None,
        timeout: ForwardAuth::TIMEOUT,
        tls: UpstreamTls {
            private_key: Bytes::from_static(KEY),
            ..UpstreamTls::default()
        },
    };
    for action in [
        PolicyAction::BasicAuth(basic),
        PolicyAction::ForwardAuth(Box::new(forward)),
    ] {
        let policy = policy(action);
        shows_no_key(&policy);
        shows_no_key(&wire::Policy::from(&policy));
        let resource = Resource::Policy(policy.into());
        shows_no_key(&Snapshot::of([&resource]));
        shows_no_key(&resource);
    }
}

#[test]
fn debug_output_still_says_which_certificate_it_is() {
    let shown = format!("{:?}", certificate());
    assert!(
        shown.contains("shop/tls") && shown.contains("shop.example"),
        "{shown}"
    );
}

fn shows_no_key(value: &impl Debug) {
    let decimal: Vec<_> = KEY.iter().map(u8::to_string).collect();
    let hexadecimal: String = KEY.iter().map(|byte| format!("{byte:02x}")).collect();
    for shown in [format!("{value:?}"), format!("{value:#?}")] {
        let packed: String = shown.split_whitespace().collect();
        for key in [
            String::from_utf8(KEY.to_vec()).unwrap(),
            decimal.join(","),
            hexadecimal.clone(),
        ] {
            assert!(!packed.contains(&key), "{shown}");
        }
    }
}

const KEY: &[u8] = b"VERY-PRIVATE-KEY";
