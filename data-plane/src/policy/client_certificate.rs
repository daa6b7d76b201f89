//! Client certificates (mutual TLS): a request passes by the certificate of its connection.
//!
//! The handshake only asks for one, and has the client prove that it holds the key (`tls.rs`): whether it will do is found
//! here, for each policy, so that the answer is one that people can read. Sessions of such connections are never resumed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{DistinguishedName, RootCertStore};
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::cores::Scheme;
use crate::policy::InvalidPolicy;
use crate::policy::passage::Asked;
use crate::proxy::Cause;
use crate::serving::provider;

/// Who may pass, by certificate.
pub(super) struct ClientCertificate {
    // Unique in this process: by it a connection remembers what was found.
    id: u64,
    // `None` if one from anybody will do.
    verifier: Option<Arc<dyn ClientCertVerifier>>,
    optional: bool,
    forwarded: bool,
}

impl ClientCertificate {
    pub(super) fn new(
        certificate: &sluice_proto::ClientCertificate,
    ) -> Result<Self, InvalidPolicy> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let verifier = certificate.authorities.as_ref().map(|authorities| {
            let mut roots = RootCertStore::empty();
            for der in authorities {
                let authority = CertificateDer::from(der.to_vec());
                roots.add(authority).map_err(InvalidPolicy::Authority)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider());
            verifier.build().map_err(InvalidPolicy::Authorities)
        });
        Ok(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            verifier: verifier.transpose()?,
            optional: certificate.optional,
            forwarded: certificate.forwarded,
        })
    }

    /// Returns whose certificates clients should choose from.
    pub(super) fn authorities(&self) -> &[DistinguishedName] {
        let verifier = self.verifier.as_ref();
        verifier.map_or(&[], |verifier| verifier.root_hint_subjects())
    }

    pub(super) fn admit(&self, asked: &Asked<'_>, headers: &mut HeaderMap) -> Result<(), Cause> {
        // Whoever the peer is: nobody but this connection says what its certificate is.
        headers.remove(CERTIFICATE);
        let presented = &asked.connection.client_certificate;
        let chain = match presented.get() {
            Some(chain) => chain.certificates(),
            // RFC 9110, section 15.5.20: "the request was directed at a server that is unable or unwilling to produce an
            // authoritative response for the target URI"; the client opens a connection for this very host then.
            None if asked.connection.scheme() == Scheme::Https => return Err(Cause::Misdirected),
            None => &[],
        };
        // On a connection of its own it may show another: browsers share one among hosts.
        let refusal = |cause| match presented.get() {
            Some(chain) if !chain.is_for(asked.host) => Err(Cause::Misdirected),
            _ => Err(cause),
        };
        let Some((leaf, intermediates)) = chain.split_first() else {
            return match self.optional {
                true => Ok(()),
                false => refusal(Cause::ClientCertificateMissing),
            };
        };
        let is_right = |verifier: &Arc<dyn ClientCertVerifier>| {
            let verified = verifier.verify_client_cert(leaf, intermediates, UnixTime::now());
            verified.is_ok()
        };
        if let (Some(verifier), Some(presented)) = (&self.verifier, presented.get())
            && !presented.found_by(self.id, || is_right(verifier))
        {
            return refusal(Cause::ClientCertificateWrong);
        }
        if self.forwarded
            && let Ok(value) = HeaderValue::try_from(header(chain))
        {
            headers.insert(CERTIFICATE, value);
        }
        Ok(())
    }
}

fn header(chain: &[CertificateDer<'_>]) -> String {
    let encoded = chain.iter().map(|certificate| {
        let text = STANDARD.encode(certificate);
        // What base64 has of what a query has to be encoded.
        (text.replace('+', "%2B"))
            .replace('/', "%2F")
            .replace('=', "%3D")
    });
    encoded.collect::<Vec<_>>().join(",")
}

const CERTIFICATE: HeaderName = HeaderName::from_static("x-forwarded-tls-client-cert");
