//! What TLS clients of an Ingress must show and speak: the TLSOption that `router.tls.options` names.
//!
//! It keeps requests out: one that cannot be had makes the routes answer 503. What else a TLSOption says of TLS holds for the
//! whole edge, or for a class, and comes from the settings.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use sluice_proto::{ClientCertificate, ObjectReference, Policy, PolicyAction, Problem, TlsVersion};

use crate::duty::Duty;
use crate::needs::{Lacking, NamedSecrets, Needs, SecretReader};
use crate::objects::Objects;
use crate::problem::Problems;
use crate::traefik::annotations::{Annotations, tls_options};
use crate::traefik::kept::{Kept, Spec, Wrong};
use crate::traefik::named::follow;
use crate::traefik::objects::TlsOption;

/// What a TLSOption asks of TLS clients.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct ClientTls {
    /// The policy of whoever needs a certificate.
    certificate: Option<Box<Needs<Policy>>>,
    /// The lowest version that they may speak.
    minimum_version: TlsVersion,
}

/// What TLS clients of an Ingress must show and speak.
#[derive(Clone, Debug, Default)]
pub(super) struct Demands {
    pub(super) policies: Vec<Arc<Policy>>,
    pub(super) minimum_version: TlsVersion,
}

impl ClientTls {
    /// Reads what a TLSOption says.
    pub(super) fn read(spec: &mut Spec<'_>) -> Result<Self, Wrong> {
        let read: TlsOptionSpec = spec.read()?;
        report_differences(&read, spec);
        let minimum_version = minimum_version(&read.min_version, spec)?;
        let certificate = certificate(read.client_auth.unwrap_or_default(), spec)?;
        Ok(Self {
            certificate: certificate.map(Box::new),
            minimum_version,
        })
    }

    /// Returns the names of the Secrets that it needs.
    pub(super) fn secrets(&self) -> Vec<&str> {
        let certificate = self.certificate.as_ref();
        certificate.map_or_else(Vec::new, |needs| needs.secrets())
    }

    /// Returns it with what the Secrets hold, or why it cannot be had.
    fn complete(&self, reader: SecretReader<'_, '_>) -> Result<Demands, Lacking> {
        let policy = self.certificate.as_ref();
        let policy = policy.map(|needs| needs.complete(reader)).transpose()?;
        Ok(Demands {
            policies: policy.into_iter().map(Arc::new).collect(),
            minimum_version: self.minimum_version,
        })
    }
}

impl Kept<ClientTls> {
    pub(crate) fn of_tls_option(object: ObjectReference, option: &TlsOption) -> Self {
        let field = "spec".to_owned();
        Self::read(object, Duty::Protects, field, &option.spec, ClientTls::read)
    }
}

/// Returns what TLS clients of an Ingress must show and speak, or why its routes answer 503.
pub(super) fn demands(
    objects: &Objects,
    annotations: Option<&Annotations>,
    ingress: &ObjectReference,
    problems: &mut Problems,
) -> Result<Demands, Box<Problem>> {
    let mut all = Demands::default();
    for named in tls_options(annotations) {
        let one = follow(objects, named, ingress, problems, ClientTls::complete)?;
        all.policies.extend(one.policies);
        all.minimum_version = all.minimum_version.max(one.minimum_version);
    }
    Ok(all)
}

fn minimum_version(written: &str, spec: &mut Spec<'_>) -> Result<TlsVersion, Wrong> {
    match written {
        "" | "VersionTLS12" => Ok(TlsVersion::Tls12),
        "VersionTLS13" => Ok(TlsVersion::Tls13),
        "VersionTLS10" | "VersionTLS11" => {
            spec.differs(
                "minVersion",
                "TLS 1.2 is the lowest that is spoken",
                NOTHING,
            );
            Ok(TlsVersion::Tls12)
        }
        unknown => {
            let reason = format!("{unknown:?} is no version of TLS");
            Err(Wrong::new("minVersion", reason))
        }
    }
}

fn certificate(auth: ClientAuthSpec, spec: &Spec<'_>) -> Result<Option<Needs<Policy>>, Wrong> {
    let ClientAuthSpec {
        secret_names,
        client_auth_type,
    } = auth;
    let (optional, is_verified) = match client_auth_type.as_str() {
        "NoClientCert" => return Ok(None),
        "" if secret_names.is_empty() => return Ok(None),
        "RequestClientCert" => (true, false),
        "RequireAnyClientCert" => (false, false),
        "VerifyClientCertIfGiven" => (true, true),
        "RequireAndVerifyClientCert" | "" => (false, true),
        unknown => {
            let reason = format!("{unknown:?} is no type of client authentication");
            return Err(Wrong::new("clientAuth.clientAuthType", reason));
        }
    };
    if is_verified && secret_names.is_empty() {
        let reason = "it names no Secret with authorities to verify certificates by";
        return Err(Wrong::new("clientAuth.secretNames", reason));
    }
    let action = PolicyAction::ClientCertificate(ClientCertificate {
        authorities: is_verified.then(Vec::new),
        optional,
        forwarded: false,
    });
    let mut authorities = Vec::new();
    if is_verified {
        for (index, secret) in secret_names.into_iter().enumerate() {
            let field = format!("clientAuth.secretNames[{index}]");
            authorities.push(spec.secret(&field, secret));
        }
    }
    Ok(Some(Needs {
        incomplete: Policy::clone(&spec.policy("clientAuth", action)),
        secrets: NamedSecrets {
            authorities,
            ..NamedSecrets::default()
        },
    }))
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct TlsOptionSpec {
    client_auth: Option<ClientAuthSpec>,
    min_version: String,
    max_version: Value,
    cipher_suites: Value,
    curve_preferences: Value,
    sni_strict: bool,
    alpn_protocols: Value,
    // Without effect in Traefik, or without a difference that anybody sees.
    #[serde(rename = "preferServerCipherSuites")]
    _prefer_server_cipher_suites: Value,
    #[serde(rename = "disableSessionTickets")]
    _disable_session_tickets: Value,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ClientAuthSpec {
    secret_names: Vec<String>,
    client_auth_type: String,
}

fn report_differences(read: &TlsOptionSpec, spec: &mut Spec<'_>) {
    let strict = Value::from(read.sni_strict);
    let fields = [
        ("maxVersion", &read.max_version, NOTHING),
        ("cipherSuites", &read.cipher_suites, NOTHING),
        ("curvePreferences", &read.curve_preferences, NOTHING),
        ("sniStrict", &strict, STRICT),
        ("alpnProtocols", &read.alpn_protocols, NOTHING),
    ];
    for (field, value, remedy) in fields {
        if !matches!(value, Value::Null | Value::Bool(false)) {
            spec.differs(field, "TLS with clients is what the settings say", remedy);
        }
    }
}

const STRICT: &str = "Set missingCertificate in the settings";
const NOTHING: &str =
    "Remove the field: Sluice speaks TLS 1.2 and 1.3 with what is safe of them only";
