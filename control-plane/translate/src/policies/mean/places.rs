//! `upstreamTls`, `sticky` and `canary`: which endpoint, of which Service, answers, and how it is spoken to.

use sluice_proto::{MatchBy, MatchValue, RequestMatch, SameSite, UpstreamTls};

use crate::needs::{NamedSecrets, Needs};
use crate::policies::effect::{Canary, Effect, Said, StickyWish, UpstreamTlsWish, Wrong};
use crate::policies::spec::{CanarySpec, SameSiteSpec, StickySpec, UpstreamTlsSpec};

impl UpstreamTlsSpec {
    pub(super) fn effect(self, said: Said<'_>) -> Result<Effect, Wrong> {
        if self.insecure_skip_verify && self.ca_secret.is_some() {
            let reason =
                "insecureSkipVerify accepts any certificate, so caSecret would mean nothing";
            return Err(Wrong::new("upstreamTls", reason));
        }
        let authorities = self.ca_secret.into_iter();
        let authorities = authorities.map(|secret| said.secret("upstreamTls.caSecret", secret.0));
        let certificate = self.certificate_secret;
        let certificate =
            certificate.map(|secret| said.secret("upstreamTls.certificateSecret", secret.0));
        Ok(Effect::UpstreamTls(Box::new(UpstreamTlsWish {
            object: said.object().clone(),
            needs: Needs {
                incomplete: UpstreamTls {
                    server_name: self.server_name.map(|name| name.0),
                    insecure: self.insecure_skip_verify,
                    ..UpstreamTls::default()
                },
                secrets: NamedSecrets {
                    authorities: authorities.collect(),
                    certificate,
                    ..NamedSecrets::default()
                },
            },
        })))
    }
}

impl StickySpec {
    pub(super) fn effect(self) -> Result<Effect, Wrong> {
        if matches!(self.same_site, Some(SameSiteSpec::None)) && !self.secure {
            let reason = "browsers take no cookie with sameSite None that is not secure";
            return Err(Wrong::new("sticky.sameSite", reason));
        }
        Ok(Effect::Sticky(StickyWish {
            cookie: self.cookie.map(|name| name.0),
            secure: self.secure,
            http_only: self.http_only.unwrap_or(true),
            same_site: match self.same_site.unwrap_or(SameSiteSpec::Lax) {
                SameSiteSpec::None => SameSite::None,
                SameSiteSpec::Lax => SameSite::Lax,
                SameSiteSpec::Strict => SameSite::Strict,
            },
            max_age_s: self.max_age.map_or(0, |age| {
                let seconds = age.0.as_secs().max(1);
                i64::try_from(seconds).unwrap_or(i64::MAX)
            }),
            path: self.path.map_or_else(|| "/".to_owned(), |path| path.0),
            domain: self.domain.map(|domain| domain.0),
        }))
    }
}

impl CanarySpec {
    pub(super) fn effect(self, said: Said<'_>) -> Result<Effect, Wrong> {
        if self.weight.is_none() && self.header.is_none() && self.cookie.is_none() {
            let reason = "it says none of weight, header and cookie";
            return Err(Wrong::new("canary", reason));
        }
        let mut matches = Vec::new();
        if let Some(header) = self.header {
            let value = match (header.value, header.pattern) {
                (Some(value), None) => MatchValue::Exact(value.0),
                (None, Some(pattern)) => MatchValue::Pattern(pattern.0),
                _ => {
                    let reason = "it says not exactly one of value and pattern";
                    return Err(Wrong::new("canary.header", reason));
                }
            };
            matches.push(found(MatchBy::Header(header.name.0), value));
        }
        if let Some(cookie) = self.cookie {
            let value = MatchValue::Exact(cookie.value.0);
            matches.push(found(MatchBy::Cookie(cookie.name.0), value));
        }
        Ok(Effect::Canary(Box::new(Canary {
            object: said.object().clone(),
            field: said.field("canary.service"),
            service: self.service.name.0,
            port: self.service.port.0,
            weight: self.weight.map_or(0, |weight| weight.0),
            matches,
        })))
    }
}

const fn found(by: MatchBy, value: MatchValue) -> RequestMatch {
    RequestMatch {
        by,
        value,
        excludes: false,
    }
}
