//! Policies that change what backends and clients see.

use crate::error::InvalidResource;
use crate::policy::limit::status;
use crate::wire;

/// Changes of headers, in their order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HeaderRules {
    /// Of requests, before they are forwarded.
    pub request: Vec<HeaderChange>,
    /// Of responses, the backend's and Sluice's own.
    pub response: Vec<HeaderChange>,
    /// The hosts that may be asked for; empty for all.
    pub allowed_hosts: Vec<String>,
}

/// One change of a header.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HeaderChange {
    /// The header's name.
    pub name: String,
    /// What becomes of it.
    pub operation: HeaderOperation,
    /// Only of what came by HTTPS, as far as a trusted peer says so.
    pub only_https: bool,
}

/// What becomes of a header.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HeaderOperation {
    /// This value stands in place of all values.
    Set(String),
    /// This value stands beside the values that are there.
    Add(String),
    /// It is taken out.
    Remove,
}

/// What browsers may do for other sites (CORS).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Cors {
    /// Such as `https://example.com`; `*` for all.
    pub origins: Vec<String>,
    /// The same by regular expressions, which fit a whole origin.
    pub origin_patterns: Vec<String>,
    /// Methods that may be used.
    pub methods: Vec<String>,
    /// Request headers that may be sent; `*` for all.
    pub headers: Vec<String>,
    /// Response headers that scripts may see.
    pub exposed_headers: Vec<String>,
    /// Whether cookies may be sent.
    pub credentials: bool,
    /// How many seconds a browser may remember the answer.
    pub max_age_s: Option<u64>,
    /// Whether responses say that they depend on `Origin`.
    pub vary: bool,
    /// Of the answer to a preflight request: 200 or 204.
    pub preflight_status: u16,
    /// Whether preflight requests are answered that are not allowed, too; else the backend gets them.
    pub answer_all_preflights: bool,
}

/// Where clients are sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Redirect {
    /// 301 and 308 instead of 302 and 307.
    pub permanent: bool,
    /// Always this status instead.
    pub status: Option<u16>,
    /// Where to.
    pub to: RedirectTo,
}

/// Where clients are sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RedirectTo {
    /// Another scheme, host, port or path.
    Parts(RedirectParts),
    /// What a regular expression makes of the whole URL.
    Url(Replacement),
}

/// Parts of a URL that are others; what is `None` stays.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RedirectParts {
    /// `http` or `https`.
    pub scheme: Option<String>,
    /// The host.
    pub host: Option<String>,
    /// The port; with another scheme `None` is that scheme's own.
    pub port: Option<u16>,
    /// What stands instead of path and query.
    pub path: Option<String>,
}

/// What a regular expression finds, and what stands there instead.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Replacement {
    /// The regular expression.
    pub pattern: String,
    /// `$1` and `${name}` are groups.
    pub replacement: String,
}

/// Changes of the path that the backend sees.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Rewrite {
    /// The first prefix that the path starts with is taken away.
    StripPrefix {
        /// Start with a slash.
        prefixes: Vec<String>,
        /// Whether `/foo` leaves `/foobar` alone.
        whole_elements: bool,
    },
    /// The first regular expression that the path starts with is taken away.
    StripPattern(Vec<String>),
    /// This is put in front of it.
    AddPrefix(String),
    /// This stands there instead.
    Path(String),
    /// This is made of it.
    Replacement(Replacement),
}

/// Compresses what is not yet compressed, as the client accepts it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Compression {
    /// The preferred one first; at least one.
    pub encodings: Vec<Encoding>,
    /// Media types that are never compressed.
    pub excluded_types: Vec<String>,
    /// If there are some, only these are.
    pub included_types: Vec<String>,
    /// Smaller bodies stay as they are.
    pub least_bytes: u64,
    /// For clients that do not say what they accept.
    pub default_encoding: Option<Encoding>,
}

/// How a body is compressed.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Encoding {
    /// `gzip`.
    Gzip,
    /// `br`.
    Brotli,
    /// `zstd`.
    Zstd,
}

impl TryFrom<wire::HeaderRules> for HeaderRules {
    type Error = InvalidResource;

    fn try_from(message: wire::HeaderRules) -> Result<Self, InvalidResource> {
        let changes = |changes: Vec<wire::HeaderChange>| {
            let changes = changes.into_iter().map(HeaderChange::try_from);
            changes.collect::<Result<_, _>>()
        };
        Ok(Self {
            request: changes(message.request)?,
            response: changes(message.response)?,
            allowed_hosts: message.allowed_hosts,
        })
    }
}

impl From<&HeaderRules> for wire::HeaderRules {
    fn from(rules: &HeaderRules) -> Self {
        Self {
            request: rules.request.iter().map(Into::into).collect(),
            response: rules.response.iter().map(Into::into).collect(),
            allowed_hosts: rules.allowed_hosts.clone(),
        }
    }
}

impl TryFrom<wire::HeaderChange> for HeaderChange {
    type Error = InvalidResource;

    fn try_from(message: wire::HeaderChange) -> Result<Self, InvalidResource> {
        use wire::header_change::Operation;
        let operation = match message.operation() {
            Operation::Set => HeaderOperation::Set(message.value),
            Operation::Add => HeaderOperation::Add(message.value),
            Operation::Remove => HeaderOperation::Remove,
            Operation::Unspecified => {
                return Err(InvalidResource::UnknownValue {
                    field: "operation",
                    value: message.operation,
                });
            }
        };
        Ok(Self {
            name: message.name,
            operation,
            only_https: message.only_https,
        })
    }
}

impl From<&HeaderChange> for wire::HeaderChange {
    fn from(change: &HeaderChange) -> Self {
        use wire::header_change::Operation;
        let (operation, value) = match &change.operation {
            HeaderOperation::Set(value) => (Operation::Set, value.as_str()),
            HeaderOperation::Add(value) => (Operation::Add, value.as_str()),
            HeaderOperation::Remove => (Operation::Remove, ""),
        };
        Self {
            name: change.name.clone(),
            operation: operation.into(),
            value: value.to_owned(),
            only_https: change.only_https,
        }
    }
}

impl From<wire::Cors> for Cors {
    fn from(message: wire::Cors) -> Self {
        Self {
            origins: message.origins,
            origin_patterns: message.origin_patterns,
            methods: message.methods,
            headers: message.headers,
            exposed_headers: message.exposed_headers,
            credentials: message.credentials,
            max_age_s: message.max_age_s,
            vary: message.vary,
            preflight_status: if message.preflight_status == 200 {
                200
            } else {
                204
            },
            answer_all_preflights: message.answer_all_preflights,
        }
    }
}

impl From<&Cors> for wire::Cors {
    fn from(cors: &Cors) -> Self {
        Self {
            origins: cors.origins.clone(),
            origin_patterns: cors.origin_patterns.clone(),
            methods: cors.methods.clone(),
            headers: cors.headers.clone(),
            exposed_headers: cors.exposed_headers.clone(),
            credentials: cors.credentials,
            max_age_s: cors.max_age_s,
            vary: cors.vary,
            preflight_status: u32::from(cors.preflight_status),
            answer_all_preflights: cors.answer_all_preflights,
        }
    }
}

impl TryFrom<wire::UrlRedirect> for Redirect {
    type Error = InvalidResource;

    fn try_from(message: wire::UrlRedirect) -> Result<Self, InvalidResource> {
        use wire::url_redirect::To;
        let to = match message.to.ok_or(InvalidResource::Missing("to"))? {
            To::Url(replacement) => RedirectTo::Url(replacement.into()),
            To::Parts(parts) => RedirectTo::Parts(RedirectParts {
                scheme: Some(parts.scheme).filter(|scheme| !scheme.is_empty()),
                host: Some(parts.host).filter(|host| !host.is_empty()),
                port: match parts.port {
                    0 => None,
                    port => Some(crate::error::port("port", port)?),
                },
                path: Some(parts.path).filter(|path| !path.is_empty()),
            }),
        };
        Ok(Self {
            permanent: message.permanent,
            status: match message.status {
                0 => None,
                other => Some(status("status", other)?),
            },
            to,
        })
    }
}

impl From<&Redirect> for wire::UrlRedirect {
    fn from(redirect: &Redirect) -> Self {
        use wire::url_redirect::To;
        let to = match &redirect.to {
            RedirectTo::Url(replacement) => To::Url(replacement.into()),
            RedirectTo::Parts(parts) => To::Parts(wire::RedirectParts {
                scheme: parts.scheme.clone().unwrap_or_default(),
                host: parts.host.clone().unwrap_or_default(),
                port: parts.port.map_or(0, u32::from),
                path: parts.path.clone().unwrap_or_default(),
            }),
        };
        Self {
            permanent: redirect.permanent,
            status: redirect.status.map_or(0, u32::from),
            to: Some(to),
        }
    }
}

impl From<wire::Replacement> for Replacement {
    fn from(message: wire::Replacement) -> Self {
        Self {
            pattern: message.pattern,
            replacement: message.replacement,
        }
    }
}

impl From<&Replacement> for wire::Replacement {
    fn from(replacement: &Replacement) -> Self {
        Self {
            pattern: replacement.pattern.clone(),
            replacement: replacement.replacement.clone(),
        }
    }
}

impl TryFrom<wire::Rewrite> for Rewrite {
    type Error = InvalidResource;

    fn try_from(message: wire::Rewrite) -> Result<Self, InvalidResource> {
        use wire::rewrite::Change;
        Ok(
            match message.change.ok_or(InvalidResource::Missing("change"))? {
                Change::StripPrefix(strip) => Self::StripPrefix {
                    prefixes: strip.prefixes,
                    whole_elements: strip.whole_elements,
                },
                Change::StripPattern(strip) => Self::StripPattern(strip.patterns),
                Change::AddPrefix(prefix) => Self::AddPrefix(prefix),
                Change::Path(path) => Self::Path(path),
                Change::Replacement(replacement) => Self::Replacement(replacement.into()),
            },
        )
    }
}

impl From<&Rewrite> for wire::Rewrite {
    fn from(rewrite: &Rewrite) -> Self {
        use wire::rewrite::Change;
        let change = match rewrite {
            Rewrite::StripPrefix {
                prefixes,
                whole_elements,
            } => Change::StripPrefix(wire::StripPrefix {
                prefixes: prefixes.clone(),
                whole_elements: *whole_elements,
            }),
            Rewrite::StripPattern(patterns) => Change::StripPattern(wire::StripPattern {
                patterns: patterns.clone(),
            }),
            Rewrite::AddPrefix(prefix) => Change::AddPrefix(prefix.clone()),
            Rewrite::Path(path) => Change::Path(path.clone()),
            Rewrite::Replacement(replacement) => Change::Replacement(replacement.into()),
        };
        Self {
            change: Some(change),
        }
    }
}

impl TryFrom<wire::Compression> for Compression {
    type Error = InvalidResource;

    fn try_from(message: wire::Compression) -> Result<Self, InvalidResource> {
        if message.encodings.is_empty() {
            return Err(InvalidResource::Missing("encodings"));
        }
        Ok(Self {
            encodings: (message.encodings.iter())
                .map(|number| Encoding::parse("encodings", *number))
                .collect::<Result<_, _>>()?,
            default_encoding: message
                .default_encoding
                .map(|number| Encoding::parse("default_encoding", number))
                .transpose()?,
            excluded_types: message.excluded_types,
            included_types: message.included_types,
            least_bytes: message.least_bytes,
        })
    }
}

impl From<&Compression> for wire::Compression {
    fn from(compression: &Compression) -> Self {
        let number = |encoding: &Encoding| wire::compression::Encoding::from(*encoding).into();
        Self {
            encodings: compression.encodings.iter().map(number).collect(),
            excluded_types: compression.excluded_types.clone(),
            included_types: compression.included_types.clone(),
            least_bytes: compression.least_bytes,
            default_encoding: compression.default_encoding.as_ref().map(number),
        }
    }
}

impl Encoding {
    /// Returns it as `Content-Encoding` names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    fn parse(field: &'static str, value: i32) -> Result<Self, InvalidResource> {
        match wire::compression::Encoding::try_from(value) {
            Ok(wire::compression::Encoding::Gzip) => Ok(Self::Gzip),
            Ok(wire::compression::Encoding::Brotli) => Ok(Self::Brotli),
            Ok(wire::compression::Encoding::Zstd) => Ok(Self::Zstd),
            _ => Err(InvalidResource::UnknownValue { field, value }),
        }
    }
}

impl From<Encoding> for wire::compression::Encoding {
    fn from(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Gzip => Self::Gzip,
            Encoding::Brotli => Self::Brotli,
            Encoding::Zstd => Self::Zstd,
        }
    }
}
