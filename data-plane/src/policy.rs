//! Policies as they are served: what can be compiled before a request comes is, and what they count outlives their content.
//!
//! Each kind is a file: how it is made of the resource, and what it does to a request or a response. It does not know in
//! which order policies run (`policy/passage.rs`), nor what an answer of Sluice's own looks like (`proxy/respond.rs`).

mod address_filter;
mod basic_auth;
mod body_limit;
mod client_certificate;
mod compression;
mod concurrency_limit;
mod cors;
mod forward_auth;
mod header_rules;
mod passage;
mod pattern;
mod rate_limit;
mod redirect;
mod retry;
mod rewrite;
mod source;
mod timeouts;

use std::sync::Arc;

use rustls::DistinguishedName;
use sluice_proto::{Policy, PolicyAction};

use crate::policy::address_filter::AddressFilter;
use crate::policy::basic_auth::BasicAuth;
use crate::policy::body_limit::BodyLimit;
use crate::policy::client_certificate::ClientCertificate;
use crate::policy::compression::Compression;
use crate::policy::concurrency_limit::ConcurrencyLimit;
use crate::policy::cors::Cors;
use crate::policy::forward_auth::ForwardAuth;
use crate::policy::header_rules::HeaderRules;
use crate::policy::rate_limit::RateLimit;
use crate::policy::redirect::Redirect;
use crate::policy::rewrite::Rewrite;

use crate::proxy::InvalidService;

pub(crate) use crate::policy::basic_auth::Checkers;
pub(crate) use crate::policy::concurrency_limit::Permit;
pub(crate) use crate::policy::passage::{Asked, Passage};
pub(crate) use crate::policy::retry::Retry;
pub(crate) use crate::policy::timeouts::RouteTimeouts;

/// A policy, ready to run.
pub(crate) struct ServedPolicy {
    /// Its name, for the access log.
    pub(crate) name: Arc<str>,
    action: Action,
}

/// What it does.
enum Action {
    AddressFilter(AddressFilter),
    BasicAuth(BasicAuth),
    ClientCertificate(ClientCertificate),
    BodyLimit(BodyLimit),
    Compression(Compression),
    ConcurrencyLimit(ConcurrencyLimit),
    Cors(Cors),
    ForwardAuth(Box<ForwardAuth>),
    HeaderRules(HeaderRules),
    RateLimit(RateLimit),
    Redirect(Redirect),
    Retry(Retry),
    Rewrite(Rewrite),
    Timeouts(sluice_proto::RouteTimeouts),
}

/// Why a policy cannot be served: whoever wrote it is at fault.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidPolicy {
    #[error("{0:?} is not a header's name")]
    HeaderName(String),
    #[error("the header {0:?} frames messages, or no message is without; it cannot be changed")]
    HeaderReserved(String),
    #[error("{0:?} cannot be a header's value")]
    HeaderValue(String),
    #[error("{pattern:?} is not a regular expression")]
    Pattern {
        pattern: String,
        source: Box<regex::Error>,
    },
    #[error("{0:?} is neither http nor https")]
    Scheme(String),
    #[error("the path {0:?} does not start with a slash, or has what no path may have")]
    Path(String),
    #[error("{0:?} is not a host")]
    Host(String),
    #[error(
        "{0:?} is not an origin; write scheme://host or scheme://host:port, without a path, or \"*\" for all"
    )]
    Origin(String),
    #[error("{0} is not a status that it may answer")]
    Status(u16),
    #[error(
        "the password of {0:?} is hashed in a way that is not known here: bcrypt ($2y$), apr1 ($apr1$) and {{SHA}} are"
    )]
    Hash(String),
    #[error("one of its authorities is no certificate that can be one")]
    Authority(#[source] rustls::Error),
    #[error("its authorities cannot be trusted")]
    Authorities(#[source] rustls::client::VerifierBuilderError),
    #[error(transparent)]
    Service(#[from] InvalidService),
    #[error("{0:?} is not a media type; write it like \"text/html\", without parameters")]
    MediaType(String),
    #[error("it names no user")]
    NoUser,
}

impl ServedPolicy {
    /// Makes a policy ready, in the place of an earlier one of its name: what that one has counted goes on counting.
    pub(crate) fn new(policy: &Policy, earlier: Option<&Self>) -> Result<Self, InvalidPolicy> {
        let earlier = earlier.map(|earlier| &earlier.action);
        let action = match (&policy.action, earlier) {
            (PolicyAction::RateLimit(limit), Some(Action::RateLimit(earlier))) => {
                Action::RateLimit(RateLimit::new(limit, Some(earlier))?)
            }
            (PolicyAction::RateLimit(limit), _) => Action::RateLimit(RateLimit::new(limit, None)?),
            (PolicyAction::ConcurrencyLimit(limit), Some(Action::ConcurrencyLimit(earlier))) => {
                Action::ConcurrencyLimit(ConcurrencyLimit::new(limit, Some(earlier))?)
            }
            (PolicyAction::ConcurrencyLimit(limit), _) => {
                Action::ConcurrencyLimit(ConcurrencyLimit::new(limit, None)?)
            }
            (PolicyAction::AddressFilter(filter), _) => {
                Action::AddressFilter(AddressFilter::new(filter)?)
            }
            (PolicyAction::Cors(cors), _) => Action::Cors(Cors::new(cors)?),
            (PolicyAction::ForwardAuth(auth), _) => {
                Action::ForwardAuth(Box::new(ForwardAuth::new(auth)?))
            }
            (PolicyAction::BasicAuth(auth), _) => Action::BasicAuth(BasicAuth::new(auth)?),
            (PolicyAction::ClientCertificate(certificate), _) => {
                Action::ClientCertificate(ClientCertificate::new(certificate)?)
            }
            (PolicyAction::BodyLimit(limit), _) => Action::BodyLimit(BodyLimit::new(limit)),
            (PolicyAction::Compression(compression), _) => {
                Action::Compression(Compression::new(compression)?)
            }
            (PolicyAction::HeaderRules(rules), _) => Action::HeaderRules(HeaderRules::new(rules)?),
            (PolicyAction::Redirect(redirect), _) => Action::Redirect(Redirect::new(redirect)?),
            (PolicyAction::Retry(retry), _) => Action::Retry(Retry::new(retry)),
            (PolicyAction::Rewrite(rewrite), _) => Action::Rewrite(Rewrite::new(rewrite)?),
            (PolicyAction::Timeouts(timeouts), _) => Action::Timeouts(*timeouts),
        };
        Ok(Self {
            name: Arc::clone(policy.name.as_arc()),
            action,
        })
    }

    /// Returns whose certificates TLS clients are asked for, if it is that which it does.
    pub(crate) fn client_authorities(&self) -> &[DistinguishedName] {
        match &self.action {
            Action::ClientCertificate(certificate) => certificate.authorities(),
            _ => &[],
        }
    }

    /// Returns when requests are sent again, if it says so.
    pub(crate) const fn retry(&self) -> Option<&Retry> {
        match &self.action {
            Action::Retry(retry) => Some(retry),
            _ => None,
        }
    }
}
