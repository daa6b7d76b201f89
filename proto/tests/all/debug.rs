//! Private keys never reach a log through `{:?}`.

use std::fmt::Debug;
use std::sync::Arc;

use proptest::prelude::*;
use sluice_proto::{
    Certificate, CertificateMaterial, CertificateName, Entry, Holdings, Resource, Snapshot, diff,
    wire,
};

proptest! {
    #[test]
    fn no_key_is_shown(key in "[A-Z]{12}") {
        let material = CertificateMaterial {
            chain: vec![bytes::Bytes::from_static(b"leaf")],
            private_key: key.clone().into_bytes().into(),
            names: vec!["shop.example".to_owned()],
            not_before_unix_s: 0,
            not_after_unix_s: 1,
        };
        let certificate = Certificate {
            name: CertificateName::of_secret("shop", "tls"),
            content: Ok(material.clone()),
        };
        let resource = Resource::Certificate(certificate.clone());
        let snapshot = Snapshot::of([&resource]);
        let difference = diff(&Holdings::default(), &snapshot);
        let delta = difference.clone().into_wire(1, usize::MAX).remove(0);
        let message = wire::control_plane_message::Message::Delta(delta.clone());
        hidden(&key, &material)?;
        hidden(&key, &wire::Certificate::from(&certificate))?;
        hidden(&key, &certificate)?;
        hidden(&key, &Entry::new(resource.body()))?;
        hidden(&key, &Arc::new(Entry::new(resource.body())))?;
        hidden(&key, &resource)?;
        hidden(&key, &snapshot)?;
        hidden(&key, &difference)?;
        hidden(&key, &delta.upserted)?;
        hidden(&key, &delta)?;
        hidden(&key, &wire::ControlPlaneMessage { message: Some(message) })?;
    }
}

/// Neither as text, nor as a list of numbers, nor in hexadecimal.
fn hidden(key: &str, value: &impl Debug) -> Result<(), TestCaseError> {
    let shown = format!("{value:?}");
    let numbers: Vec<_> = key[..4].bytes().map(|byte| byte.to_string()).collect();
    let hexadecimal: String = key[..4].bytes().map(|byte| format!("{byte:02x}")).collect();
    prop_assert!(!shown.contains(&key[..4]), "{}", shown);
    prop_assert!(!shown.contains(&numbers.join(", ")), "{}", shown);
    prop_assert!(!shown.to_lowercase().contains(&hexadecimal), "{}", shown);
    Ok(())
}
