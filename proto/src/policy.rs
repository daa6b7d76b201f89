//! Policies: what is done to the requests of the routes that name them, and to the responses.
//!
//! Every dialect that users write policies in becomes these. It does not compile a pattern or run anything: a data plane
//! does, and refuses what it cannot.

mod access;
mod change;
mod limit;
mod source;

use std::fmt;
use std::sync::Arc;

use crate::error::InvalidResource;
use crate::problem::ObjectReference;
use crate::wire;

pub use crate::policy::access::{
    AddressFilter, BasicAuth, ClientCertificate, Credential, ForwardAuth, UpstreamTls,
};
pub use crate::policy::change::{
    Compression, Cors, Encoding, HeaderChange, HeaderOperation, HeaderRules, Redirect,
    RedirectParts, RedirectTo, Replacement, Rewrite,
};
pub use crate::policy::limit::{BodyLimit, ConcurrencyLimit, RateLimit, Retry, RouteTimeouts};
pub use crate::policy::source::{Source, SourceBy};

/// What is done to the requests of the routes that name it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Policy {
    /// Its name.
    pub name: PolicyName,
    /// The object that says so.
    pub object: ObjectReference,
    /// Where in it, such as `spec.rateLimit`.
    pub field: String,
    /// What it does.
    pub action: PolicyAction,
}

/// How many bytes a compiled pattern may take: data planes refuse larger ones, so nobody should send them any.
pub const MOST_PATTERN_BYTES: usize = 2 << 20;

/// The name of a policy: who wrote it, and where. It stays while the content changes.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PolicyName(Arc<str>);

/// What a policy does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PolicyAction {
    /// Answers 429 to what comes too often.
    RateLimit(RateLimit),
    /// Answers 429 to what comes while too much is being answered.
    ConcurrencyLimit(ConcurrencyLimit),
    /// Answers 403 to addresses that are not welcome.
    AddressFilter(AddressFilter),
    /// Answers 401 to who has no user name and password.
    BasicAuth(BasicAuth),
    /// Asks a service whether the request may pass.
    ForwardAuth(Box<ForwardAuth>),
    /// Changes headers.
    HeaderRules(HeaderRules),
    /// Tells browsers which other sites may ask.
    Cors(Cors),
    /// Sends clients elsewhere.
    Redirect(Redirect),
    /// Changes the path that the backend sees.
    Rewrite(Rewrite),
    /// Answers 413 to requests that are too large.
    BodyLimit(BodyLimit),
    /// Compresses responses.
    Compression(Compression),
    /// Asks again after a failure.
    Retry(Retry),
    /// How long things may take.
    Timeouts(RouteTimeouts),
    /// Answers 403 to who has no client certificate.
    ClientCertificate(ClientCertificate),
}

impl Policy {
    /// Returns the policy that an object says in this field.
    #[must_use]
    pub fn new(object: ObjectReference, field: impl Into<String>, action: PolicyAction) -> Self {
        let field = field.into();
        Self {
            name: PolicyName::of(&object, &field),
            object,
            field,
            action,
        }
    }

    pub(crate) fn parse(message: wire::Policy) -> Result<Self, InvalidResource> {
        let object = message.object.ok_or(InvalidResource::Missing("object"))?;
        let action = message.action.ok_or(InvalidResource::Missing("action"))?;
        Ok(Self::new(object.into(), message.field, action.try_into()?))
    }
}

impl PolicyName {
    /// Returns the name of what an object says in this field.
    #[must_use]
    pub fn of(object: &ObjectReference, field: &str) -> Self {
        Self(format!("{object} {field}").into())
    }

    /// Returns it as the name of a resource.
    #[must_use]
    pub const fn as_arc(&self) -> &Arc<str> {
        &self.0
    }

    /// Parses all of these names.
    pub(crate) fn parse_all(names: &[String]) -> Result<Vec<Self>, InvalidResource> {
        names.iter().map(|name| Self::parse(name)).collect()
    }

    fn parse(name: &str) -> Result<Self, InvalidResource> {
        if name.is_empty() {
            return Err(InvalidResource::NameEmpty);
        }
        Ok(Self(name.into()))
    }
}

impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&Policy> for wire::Policy {
    fn from(policy: &Policy) -> Self {
        Self {
            object: Some((&policy.object).into()),
            field: policy.field.clone(),
            action: Some((&policy.action).into()),
        }
    }
}

impl TryFrom<wire::policy::Action> for PolicyAction {
    type Error = InvalidResource;

    fn try_from(action: wire::policy::Action) -> Result<Self, InvalidResource> {
        use wire::policy::Action;
        Ok(match action {
            Action::RateLimit(limit) => Self::RateLimit(limit.try_into()?),
            Action::ConcurrencyLimit(limit) => Self::ConcurrencyLimit(limit.try_into()?),
            Action::AddressFilter(filter) => Self::AddressFilter(filter.try_into()?),
            Action::BasicAuth(auth) => Self::BasicAuth(auth.try_into()?),
            Action::ForwardAuth(auth) => Self::ForwardAuth(Box::new(auth.try_into()?)),
            Action::HeaderRules(rules) => Self::HeaderRules(rules.try_into()?),
            Action::Cors(cors) => Self::Cors(cors.into()),
            Action::Redirect(redirect) => Self::Redirect(redirect.try_into()?),
            Action::Rewrite(rewrite) => Self::Rewrite(rewrite.try_into()?),
            Action::BodyLimit(limit) => Self::BodyLimit(limit.into()),
            Action::Compression(compression) => Self::Compression(compression.try_into()?),
            Action::Retry(retry) => Self::Retry(retry.try_into()?),
            Action::Timeouts(timeouts) => Self::Timeouts(timeouts.try_into()?),
            Action::ClientCertificate(certificate) => {
                Self::ClientCertificate(certificate.try_into()?)
            }
        })
    }
}

impl From<&PolicyAction> for wire::policy::Action {
    fn from(action: &PolicyAction) -> Self {
        match action {
            PolicyAction::RateLimit(limit) => Self::RateLimit(limit.into()),
            PolicyAction::ConcurrencyLimit(limit) => Self::ConcurrencyLimit(limit.into()),
            PolicyAction::AddressFilter(filter) => Self::AddressFilter(filter.into()),
            PolicyAction::BasicAuth(auth) => Self::BasicAuth(auth.into()),
            PolicyAction::ForwardAuth(auth) => Self::ForwardAuth((&**auth).into()),
            PolicyAction::HeaderRules(rules) => Self::HeaderRules(rules.into()),
            PolicyAction::Cors(cors) => Self::Cors(cors.into()),
            PolicyAction::Redirect(redirect) => Self::Redirect(redirect.into()),
            PolicyAction::Rewrite(rewrite) => Self::Rewrite(rewrite.into()),
            PolicyAction::BodyLimit(limit) => Self::BodyLimit(limit.into()),
            PolicyAction::Compression(compression) => Self::Compression(compression.into()),
            PolicyAction::Retry(retry) => Self::Retry(retry.into()),
            PolicyAction::Timeouts(timeouts) => Self::Timeouts(timeouts.into()),
            PolicyAction::ClientCertificate(certificate) => {
                Self::ClientCertificate(certificate.into())
            }
        }
    }
}
