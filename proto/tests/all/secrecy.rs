//! A private key does not reach a log through `{:?}`, in whatever it is wrapped.

use std::fmt::Debug;

use bytes::Bytes;
use sluice_proto::wire::control_plane_message::Message;
use sluice_proto::{Certificate, CertificateMaterial, CertificateName, Resource, Snapshot, wire};

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
