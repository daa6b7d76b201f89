//! What TLS clients of an Ingress must show: the TLSOption that `router.tls.options` names.
//!
//! It keeps requests out: one that cannot be had makes the routes answer 503. What else a TLSOption says of TLS holds for the
//! whole edge, or for a class, and comes from the settings.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use sluice_proto::{ClientCertificate, ObjectReference, Policy, PolicyAction, Problem};

use crate::duty::Duty;
use crate::needs::{Lacking, NamedSecrets, Needs, SecretReader};
use crate::objects::Objects;
use crate::problem::Problems;
use crate::traefik::annotations::{Annotations, tls_options};
use crate::traefik::kept::{Kept, Spec, Wrong};
use crate::traefik::named::follow;
use crate::traefik::objects::TlsOption;

/// What a TLSOption asks of clients; `None` if it asks for nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ClientAuth(Option<Box<Needs<Policy>>>);

impl ClientAuth {
    /// Reads what a TLSOption says.
    pub(super) fn read(spec: &mut Spec<'_>) -> Result<Self, Wrong> {
        let read: TlsOptionSpec = spec.read()?;
        report_differences(&read, spec);
        let ClientAuthSpec {
            secret_names,
            client_auth_type,
        } = read.client_auth.unwrap_or_default();
        let (optional, is_verified) = match client_auth_type.as_str() {
            "NoClientCert" => return Ok(Self(None)),
            "" if secret_names.is_empty() => return Ok(Self(None)),
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
        Ok(Self(Some(Box::new(Needs {
            incomplete: Policy::clone(&spec.policy("clientAuth", action)),
            secrets: NamedSecrets {
                authorities,
                ..NamedSecrets::default()
            },
        }))))
    }

    /// Returns the names of the Secrets that it needs.
    pub(super) fn secrets(&self) -> Vec<&str> {
        self.0
            .as_ref()
            .map_or_else(Vec::new, |needs| needs.secrets())
    }

    /// Returns its policy with what the Secrets hold, or why it cannot be had.
    fn complete(&self, reader: SecretReader<'_, '_>) -> Result<Option<Arc<Policy>>, Lacking> {
        let policy = self.0.as_ref().map(|needs| needs.complete(reader));
        Ok(policy.transpose()?.map(Arc::new))
    }
}

impl Kept<ClientAuth> {
    pub(crate) fn of_tls_option(object: ObjectReference, option: &TlsOption) -> Self {
        let field = "spec".to_owned();
        Self::read(
            object,
            Duty::Protects,
            field,
            &option.spec,
            ClientAuth::read,
        )
    }
}

/// Returns what TLS clients of an Ingress must show, or why its routes answer 503.
pub(super) fn client_auth(
    objects: &Objects,
    annotations: Option<&Annotations>,
    ingress: &ObjectReference,
    problems: &mut Problems,
) -> Result<Vec<Arc<Policy>>, Box<Problem>> {
    let mut policies = Vec::new();
    for named in tls_options(annotations) {
        let policy = follow(objects, named, ingress, problems, ClientAuth::complete)?;
        policies.extend(policy);
    }
    Ok(policies)
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct TlsOptionSpec {
    client_auth: Option<ClientAuthSpec>,
    min_version: Value,
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
        ("minVersion", &read.min_version, MINIMUM),
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

const MINIMUM: &str = "Set tls.minimumVersion in the settings of the edge or of a class";
const STRICT: &str = "Set missingCertificate in the settings";
const NOTHING: &str =
    "Remove the field: Sluice speaks TLS 1.2 and 1.3 with what is safe of them only";
