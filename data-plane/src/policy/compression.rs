//! Compression: which responses are compressed, and how. The compressing itself is `proxy/response_body/compressed.rs`.
//!
//! A response that could be compressed says `Vary: Accept-Encoding`, whether it is or not: a cache must not give what is
//! compressed to a client that cannot read it.

mod accepted;

use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::Body;
use sluice_proto::Encoding;

use crate::policy::InvalidPolicy;
use crate::policy::passage::Passed;
use crate::proxy::ResponseBody;

pub(super) use crate::policy::compression::accepted::Accepted;

/// Which responses are compressed, and how.
pub(super) struct Compression {
    encodings: Vec<Encoding>,
    default_encoding: Option<Encoding>,
    // In lower case.
    excluded: Vec<String>,
    included: Vec<String>,
    least_bytes: u64,
}

impl Compression {
    pub(super) fn new(compression: &sluice_proto::Compression) -> Result<Self, InvalidPolicy> {
        let types = |types: &[String]| {
            let types = types.iter().map(|name| media_type(name));
            types.collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            encodings: compression.encodings.clone(),
            default_encoding: compression.default_encoding,
            excluded: types(&compression.excluded_types)?,
            included: types(&compression.included_types)?,
            least_bytes: compression.least_bytes,
        })
    }

    pub(super) async fn release(&self, passed: &Passed, response: &mut Response<ResponseBody>) {
        if !self.may_compress(response.status(), response.headers()) {
            return;
        }
        let choice = (passed.accepted).choose(&self.encodings, self.default_encoding);
        let least = if choice.identity_refused {
            0
        } else {
            self.least_bytes
        };
        let length = if passed.is_head {
            announced_length(response.headers())
        } else if response.body().is_end_stream() {
            return;
        } else {
            response.body().size_hint().exact()
        };
        if length.is_some_and(|length| length < least) {
            return;
        }
        depend_on_accept_encoding(response.headers_mut());
        let Some(encoding) = choice.encoding else {
            return;
        };
        if passed.is_head {
            // RFC 9110, section 8.6: no Content-Length "unless its field value equals" that of the same request by GET.
            response.headers_mut().remove(CONTENT_LENGTH);
            return;
        }
        if length.is_none() && response.body_mut().ends_within(least).await {
            return;
        }
        if response.body_mut().compress(encoding) {
            describe(encoding, response.headers_mut());
        }
    }

    fn may_compress(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        !status.is_informational()
            && !NEVER.contains(&status)
            && !headers.contains_key(CONTENT_ENCODING)
            && !headers.contains_key(CONTENT_RANGE)
            && !is_not_to_be_transformed(headers)
            && self.may_compress_type(headers)
    }

    fn may_compress_type(&self, headers: &HeaderMap) -> bool {
        let of = |value: &HeaderValue| {
            let value = value.to_str().unwrap_or_default();
            let name = value.split(';').next().unwrap_or_default();
            name.trim().to_ascii_lowercase()
        };
        let name = headers.get(CONTENT_TYPE).map(of).unwrap_or_default();
        // gRPC compresses its messages itself, and no client of it reads a Content-Encoding.
        if name.starts_with(GRPC) || self.excluded.contains(&name) {
            return false;
        }
        if self.included.is_empty() {
            // Some clients that read events do not read them before a compressed piece is whole.
            return name != EVENTS;
        }
        self.included.contains(&name)
    }
}

fn media_type(name: &str) -> Result<String, InvalidPolicy> {
    let is_token = |part: &str| !part.is_empty() && HeaderName::try_from(part).is_ok();
    match name.split_once('/') {
        Some((one, other)) if is_token(one) && is_token(other) => Ok(name.to_ascii_lowercase()),
        _ => Err(InvalidPolicy::MediaType(name.to_owned())),
    }
}

// RFC 9111, section 5.2.2.6: "an intermediary (whether or not it implements a cache) MUST NOT transform the content".
fn is_not_to_be_transformed(headers: &HeaderMap) -> bool {
    let values = headers.get_all(CACHE_CONTROL).iter();
    let mut directives = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    directives.any(|directive| directive.trim_ascii().eq_ignore_ascii_case(b"no-transform"))
}

fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn depend_on_accept_encoding(headers: &mut HeaderMap) {
    let values = headers.get_all(VARY).iter();
    let mut names = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let is_there = names.any(|name| {
        let name = name.trim_ascii();
        name == b"*" || name.eq_ignore_ascii_case(b"accept-encoding")
    });
    if !is_there {
        headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
}

// What described the body as it was.
fn describe(encoding: Encoding, headers: &mut HeaderMap) {
    headers.insert(
        CONTENT_ENCODING,
        HeaderValue::from_static(encoding.as_str()),
    );
    headers.remove(CONTENT_LENGTH);
    // A range of what is compressed is none of what the backend has.
    headers.remove(ACCEPT_RANGES);
    for name in DIGESTS {
        headers.remove(name);
    }
    // RFC 9110, section 8.8.1: a strong validator changes "whenever a change occurs to the representation data".
    let strong = headers
        .get(ETAG)
        .filter(|tag| tag.as_bytes().first() == Some(&b'"'));
    let weak = strong.map(|tag| [b"W/", tag.as_bytes()].concat());
    if let Some(weak) = weak.and_then(|weak| HeaderValue::from_bytes(&weak).ok()) {
        headers.insert(ETAG, weak);
    }
}

// Without a body, or with a part of one.
const NEVER: [StatusCode; 4] = [
    StatusCode::NO_CONTENT,
    StatusCode::RESET_CONTENT,
    StatusCode::PARTIAL_CONTENT,
    StatusCode::NOT_MODIFIED,
];
const GRPC: &str = "application/grpc";
const EVENTS: &str = "text/event-stream";
const DIGESTS: [&str; 4] = ["content-digest", "content-md5", "digest", "repr-digest"];
