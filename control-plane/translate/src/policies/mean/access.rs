//! `addresses`, `clientCertificates`, `basicAuth` and `forwardAuth`: who may ask.

use sluice_proto::{
    AddressFilter, BasicAuth, ClientCertificate, ForwardAuth, PolicyAction, Source, SourceBy,
    UpstreamTls,
};

use crate::needs::{NamedSecrets, Needs};
use crate::policies::effect::{Effect, Filter, NeededService, Said, Wrong};
use crate::policies::spec::{
    AddressOf, AddressesSpec, AuthServiceSpec, BasicAuthSpec, ClientCertificatesSpec,
    ForwardAuthSpec,
};
use crate::policies::value::Addresses;

impl AddressesSpec {
    pub(super) fn effect(self, said: Said<'_>) -> Result<Effect, Wrong> {
        if self.allow.is_none() && self.deny.is_none() {
            return Err(Wrong::new("addresses", "it says neither allow nor deny"));
        }
        if self.allow.as_ref().is_some_and(Vec::is_empty) {
            let reason = "it is empty: nobody could tell whether all or none may ask";
            return Err(Wrong::new("addresses.allow", reason));
        }
        if self.allow.is_none() && self.deny.as_ref().is_some_and(Vec::is_empty) {
            return Err(Wrong::new("addresses.deny", "it is empty"));
        }
        let (allowed, allowed_sets) = split(self.allow.unwrap_or_default());
        let (denied, denied_sets) = split(self.deny.unwrap_or_default());
        let filter = AddressFilter {
            allowed,
            denied,
            source: Source::from(match self.by.unwrap_or(AddressOf::Client) {
                AddressOf::Client => SourceBy::Client,
                AddressOf::Peer => SourceBy::Peer,
            }),
            status: AddressFilter::FORBIDDEN,
        };
        let action = PolicyAction::AddressFilter(filter);
        if allowed_sets.is_empty() && denied_sets.is_empty() {
            return Ok(said.does("addresses", action));
        }
        Ok(Effect::Filter(Box::new(Filter {
            policy: said.policy("addresses", action),
            allowed_sets,
            denied_sets,
        })))
    }
}

impl ClientCertificatesSpec {
    pub(super) fn effect(self, said: Said<'_>) -> Effect {
        let action = PolicyAction::ClientCertificate(ClientCertificate {
            authorities: Some(Vec::new()),
            optional: self.optional,
            forwarded: self.forward,
        });
        Effect::Needs(Box::new(Needs {
            incomplete: said.policy("clientCertificates", action),
            secrets: NamedSecrets {
                authorities: vec![said.secret("clientCertificates.caSecret", self.ca_secret.0)],
                ..NamedSecrets::default()
            },
        }))
    }
}

impl BasicAuthSpec {
    pub(super) fn effect(self, said: Said<'_>) -> Effect {
        let auth = BasicAuth {
            realm: self.realm.map_or_else(|| REALM.to_owned(), |realm| realm.0),
            credentials: Vec::new(),
            remove_authorization: self.remove_authorization.unwrap_or(true),
            user_header: self.user_header.map(|name| name.0),
        };
        Effect::Needs(Box::new(Needs {
            incomplete: said.policy("basicAuth", PolicyAction::BasicAuth(auth)),
            secrets: NamedSecrets {
                credentials: Some(said.secret("basicAuth.secret", self.secret.0)),
                ..NamedSecrets::default()
            },
        }))
    }
}

impl ForwardAuthSpec {
    pub(super) fn effects(self, said: Said<'_>) -> Result<Vec<Effect>, Wrong> {
        let (url, service) = match (self.url, self.service) {
            (Some(url), None) => (url.0, None),
            (None, Some(service)) => {
                let needed = service.needed(said);
                (
                    service.url(&needed.namespace),
                    Some(Effect::Service(needed)),
                )
            }
            _ => {
                let reason = "it says not exactly one of url and service";
                return Err(Wrong::new("forwardAuth", reason));
            }
        };
        let handed_over = self.response_headers.iter().chain(&self.user_header);
        if handed_over.into_iter().any(|name| name.0 == "host") {
            let reason = "Host is what the request was routed by; an answer cannot change it";
            return Err(Wrong::new("forwardAuth.responseHeaders", reason));
        }
        let names = |names: Vec<crate::value::HeaderName>| {
            let names = names.into_iter().map(|name| name.0);
            names.collect::<Vec<_>>()
        };
        let auth = ForwardAuth {
            url,
            request_headers: names(self.request_headers),
            response_headers: names(self.response_headers),
            response_headers_pattern: None,
            cookies: self.cookies.into_iter().map(|cookie| cookie.0).collect(),
            user_header: self.user_header.map(|name| name.0),
            body_bytes: self.request_body.map(|bytes| bytes.0),
            response_bytes: ForwardAuth::RESPONSE_BYTES,
            keep_location: false,
            keep_method: false,
            sign_in_url: self.sign_in_url.map(|url| url.0),
            timeout: self
                .timeout
                .map_or(ForwardAuth::TIMEOUT, |timeout| timeout.0),
            tls: UpstreamTls {
                server_name: self.server_name.map(|name| name.0),
                ..UpstreamTls::default()
            },
        };
        let action = PolicyAction::ForwardAuth(Box::new(auth));
        let auth = match self.ca_secret {
            None => said.does("forwardAuth", action),
            Some(secret) => Effect::Needs(Box::new(Needs {
                incomplete: said.policy("forwardAuth", action),
                secrets: NamedSecrets {
                    authorities: vec![said.secret("forwardAuth.caSecret", secret.0)],
                    ..NamedSecrets::default()
                },
            })),
        };
        Ok(service.into_iter().chain([auth]).collect())
    }
}

impl AuthServiceSpec {
    fn needed(&self, said: Said<'_>) -> NeededService {
        let own = &said.object().namespace;
        let namespace = self
            .namespace
            .as_ref()
            .map_or(own, |namespace| &namespace.0);
        NeededService {
            object: said.object().clone(),
            field: said.field("forwardAuth.service"),
            namespace: namespace.clone(),
            name: self.name.0.clone(),
            port: self.port.0,
        }
    }

    fn url(&self, namespace: &str) -> String {
        let path = self.path.as_ref().map_or("/", |path| &path.0);
        format!(
            "http://{}.{namespace}.svc:{}{path}",
            self.name.0, self.port.0
        )
    }
}

/// Returns the ranges, sorted, and the names of sets.
fn split(all: Vec<Addresses>) -> (Vec<ipnet::IpNet>, Vec<String>) {
    let (mut ranges, mut sets) = (Vec::new(), Vec::new());
    for one in all {
        match one {
            Addresses::Range(range) => ranges.push(range),
            Addresses::Set(set) => sets.push(set),
        }
    }
    ranges.sort();
    ranges.dedup();
    (ranges, sets)
}

const REALM: &str = "Restricted";
