//! The snapshot as introspection shows it: readable, and never a key.

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use sluice_proto::{Certificate, CertificateMaterial, Kind, Resource, ResourceKey, wire};

use crate::publication::Publication;

/// Which resources are asked for.
#[derive(Debug)]
pub(super) struct Filter {
    kind: Option<Kind>,
    name_contains: String,
}

/// The kind is none: whoever asks is at fault.
#[derive(Debug, thiserror::Error)]
#[error("kind: {0:?} is none of {known}", known = Kind::ALL.map(Kind::as_str).join(", "))]
pub(super) struct UnknownKind(String);

impl Filter {
    /// Parses what is asked for.
    ///
    /// # Errors
    ///
    /// If the kind is none.
    pub(super) fn parse(request: wire::GetSnapshotRequest) -> Result<Self, UnknownKind> {
        let kind = match request.kind.as_str() {
            "" => None,
            kind => Some(Kind::parse(kind).ok_or_else(|| UnknownKind(kind.to_owned()))?),
        };
        Ok(Self {
            kind,
            name_contains: request.name_contains,
        })
    }

    fn takes(&self, key: &ResourceKey) -> bool {
        self.kind.is_none_or(|kind| kind == key.kind) && key.name.contains(&self.name_contains)
    }
}

/// Returns what of the snapshot the filter takes.
pub(super) fn snapshot(publication: &Publication, filter: &Filter) -> wire::GetSnapshotResponse {
    let resources = &publication.translation.resources;
    let taken = publication.snapshot().iter();
    let taken = taken.filter(|(key, _)| filter.takes(key));
    wire::GetSnapshotResponse {
        generation: publication.generation,
        digest: publication.digest().to_string(),
        resources: taken
            .map(|(key, entry)| wire::SnapshotResource {
                kind: key.kind.to_string(),
                name: key.name.to_string(),
                version: entry.version().to_string(),
                body: resources.get(key).map(|resource| body(resource)),
            })
            .collect(),
    }
}

fn body(resource: &Resource) -> wire::snapshot_resource::Body {
    use wire::snapshot_resource::Body;
    match resource {
        Resource::Listener(listener) => Body::Listener(listener.into()),
        Resource::Settings(settings) => Body::Settings((&**settings).into()),
        Resource::Certificate(certificate) => Body::Certificate(summary(certificate)),
        Resource::Host(host) => Body::Host(host.into()),
        Resource::Backend(backend) => Body::Backend(without_key(backend.into())),
        Resource::Endpoints(endpoints) => Body::Endpoints(endpoints.into()),
        Resource::Policy(policy) => Body::Policy(without_secrets((&**policy).into())),
        Resource::Route(route) => Body::Route((&**route).into()),
    }
}

fn without_key(mut backend: wire::Backend) -> wire::Backend {
    let tls = backend.tls.iter_mut();
    tls.for_each(|tls| tls.private_key.clear());
    backend
}

// Hashes can be guessed at, and a key must not leave.
fn without_secrets(mut policy: wire::Policy) -> wire::Policy {
    use wire::policy::Action;
    match &mut policy.action {
        Some(Action::BasicAuth(auth)) => {
            let credentials = auth.credentials.iter_mut();
            credentials.for_each(|credential| credential.hash.clear());
        }
        Some(Action::ForwardAuth(auth)) => {
            let tls = auth.tls.iter_mut();
            tls.for_each(|tls| tls.private_key.clear());
        }
        _ => {}
    }
    policy
}

fn summary(certificate: &Certificate) -> wire::CertificateSummary {
    match &certificate.content {
        Ok(material) => wire::CertificateSummary {
            names: material.names.clone(),
            not_before: date(material.not_before_unix_s),
            not_after: date(material.not_after_unix_s),
            fingerprint: fingerprint(material),
            unavailable: None,
        },
        Err(problem) => wire::CertificateSummary {
            unavailable: Some(problem.into()),
            ..wire::CertificateSummary::default()
        },
    }
}

fn fingerprint(material: &CertificateMaterial) -> String {
    let Some(leaf) = material.chain.first() else {
        return String::new();
    };
    let digest = digest(&SHA256, leaf);
    digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

// A certificate may name a year that no clock will show.
fn date(unix_s: i64) -> String {
    Timestamp::from_second(unix_s).map_or_else(
        |_| format!("{unix_s} s since 1970"),
        |time| time.to_string(),
    )
}
