//! A URL that somebody asks about, as the request for it would say: scheme, host and path.

use http::Uri;
use sluice_proto::normalised_path;
use sluice_routing::request_host;

/// A URL, as the request for it would say it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct RequestUrl {
    pub(super) is_tls: bool,
    /// In lower case, without port and final dot, as the route table is asked.
    pub(super) host: String,
    /// Without query.
    pub(super) path: String,
}

/// Why a text is no URL that could be requested: whoever asks is at fault.
#[derive(Debug, thiserror::Error)]
pub(super) enum InvalidUrl {
    #[error("url: empty; give one such as \"https://example.com/path\"")]
    Empty,
    #[error("url: {url:?} has no scheme; begin it with http:// or https://")]
    NoScheme { url: String },
    #[error("url: {url:?} has the scheme {scheme:?}; only http and https are served")]
    Scheme { url: String, scheme: String },
    #[error("url: {url:?} names a user; leave out what stands before the @")]
    User { url: String },
    #[error("url: {url:?} has the host {host:?}, which no request could ask for")]
    Host { url: String, host: String },
    #[error("url: {url:?} cannot be read: {source}; non-ASCII hosts and paths must be encoded")]
    Syntax {
        url: String,
        source: http::uri::InvalidUri,
    },
}

impl RequestUrl {
    /// Parses a URL such as `https://example.com/path`.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, InvalidUrl> {
        let url = || text.chars().take(MOST_SHOWN).collect::<String>();
        if text.is_empty() {
            return Err(InvalidUrl::Empty);
        }
        if !text.contains("://") {
            return Err(InvalidUrl::NoScheme { url: url() });
        }
        let uri: Uri = text
            .parse()
            .map_err(|source| InvalidUrl::Syntax { url: url(), source })?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            scheme => {
                let scheme = scheme.unwrap_or_default().to_owned();
                return Err(InvalidUrl::Scheme { url: url(), scheme });
            }
        };
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if authority.contains('@') {
            return Err(InvalidUrl::User { url: url() });
        }
        let host = request_host(authority).filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| InvalidUrl::Host {
            url: url(),
            host: authority.to_owned(),
        })?;
        Ok(Self {
            is_tls,
            host: host.into_owned(),
            path: normalised_path(uri.path()).into_owned(),
        })
    }
}

const MOST_SHOWN: usize = 200;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_url_is_what_its_request_says() {
        for (url, is_tls, host, path) in [
            ("https://Example.com/a/b?c=d", true, "example.com", "/a/b"),
            ("http://example.com.:8080", false, "example.com", "/"),
            ("http://[::1]:80/a%20b#c", false, "[::1]", "/a%20b"),
            ("HTTPS://example.com/A", true, "example.com", "/A"),
        ] {
            let parsed = RequestUrl::parse(url).unwrap();
            let expected = RequestUrl {
                is_tls,
                host: host.to_owned(),
                path: path.to_owned(),
            };
            assert_eq!(parsed, expected, "{url}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (url, named) in [
            ("", "empty"),
            ("example.com/a", "no scheme"),
            ("/a", "no scheme"),
            ("ftp://example.com/", "\"ftp\""),
            ("http://user:secret@example.com/", "user"),
            ("http:///a", "cannot be read"),
            ("http://", "cannot be read"),
            ("http://a_b*c/", "a_b*c"),
            ("http://exämple.com/", "encoded"),
            ("http://a b/", "cannot be read"),
        ] {
            let error = RequestUrl::parse(url).unwrap_err().to_string();
            assert!(error.contains(named), "{url}: {error}");
        }
    }
}
