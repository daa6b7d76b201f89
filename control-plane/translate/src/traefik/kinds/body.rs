//! `compress`, `retry` and `buffering`: what is done with bodies, and with requests that fail.

use std::num::{NonZeroU32, NonZeroU64};
use std::ops::RangeInclusive;

use serde::Deserialize;
use sluice_proto::{BodyLimit, Compression, Encoding, PolicyAction, Retry};

use crate::traefik::kept::{Meaning, Spec, Wrong};
use crate::traefik::value::Duration;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct CompressSpec {
    excluded_content_types: Vec<String>,
    included_content_types: Vec<String>,
    min_response_body_bytes: Option<u64>,
    encodings: Option<Vec<String>>,
    default_encoding: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RetrySpec {
    attempts: u32,
    initial_interval: Duration,
    timeout: Duration,
    max_request_body_bytes: Option<i64>,
    status: Vec<String>,
    disable_retry_on_network_error: bool,
    retry_non_idempotent_method: bool,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct BufferingSpec {
    max_request_body_bytes: i64,
    mem_request_body_bytes: i64,
    max_response_body_bytes: i64,
    mem_response_body_bytes: i64,
    retry_expression: String,
}

pub(super) fn compress(spec: &mut Spec<'_>) -> Result<Meaning, Wrong> {
    let read: CompressSpec = spec.read()?;
    if !read.excluded_content_types.is_empty() && !read.included_content_types.is_empty() {
        let reason = "only one of excludedContentTypes and includedContentTypes may be said";
        return Err(Wrong::new("", reason));
    }
    let encodings = match read.encodings {
        None => vec![Encoding::Gzip, Encoding::Brotli, Encoding::Zstd],
        Some(names) => {
            let names = names.iter().enumerate();
            let encodings =
                names.map(|(index, name)| encoding(&format!("encodings[{index}]"), name));
            encodings.collect::<Result<Vec<_>, _>>()?
        }
    };
    if encodings.is_empty() {
        return Err(Wrong::new("encodings", "it is empty"));
    }
    let default = read.default_encoding.filter(|name| !name.is_empty());
    let default = default
        .map(|name| encoding("defaultEncoding", &name))
        .transpose()?;
    if default.is_some_and(|default| !encodings.contains(&default)) {
        return Err(Wrong::new("defaultEncoding", "it is none of the encodings"));
    }
    Ok(spec.means(PolicyAction::Compression(Compression {
        encodings,
        excluded_types: media_types("excludedContentTypes", &read.excluded_content_types)?,
        included_types: media_types("includedContentTypes", &read.included_content_types)?,
        least_bytes: read
            .min_response_body_bytes
            .filter(|bytes| *bytes > 0)
            .unwrap_or(LEAST_BYTES),
        default_encoding: default,
    })))
}

pub(super) fn retry(spec: &mut Spec<'_>) -> Result<Meaning, Wrong> {
    let read: RetrySpec = spec.read()?;
    let attempts = NonZeroU32::new(read.attempts).ok_or_else(|| {
        Wrong::new(
            "attempts",
            "it is 0, so that there would be not even a first one",
        )
    })?;
    let mut statuses = Vec::new();
    for (index, written) in read.status.iter().enumerate() {
        for range in written.split(',').filter(|range| !range.is_empty()) {
            statuses.push(status_range(&format!("status[{index}]"), range)?);
        }
    }
    if statuses.is_empty() && read.disable_retry_on_network_error {
        let reason = "neither a status nor a network error would be tried again";
        return Err(Wrong::new("disableRetryOnNetworkError", reason));
    }
    let body_bytes = match read.max_request_body_bytes {
        None => KEPT_BYTES,
        Some(bytes) => u64::try_from(bytes).unwrap_or_else(|_| {
            spec.differs(
                "maxRequestBodyBytes",
                "any number of bytes would be kept for another try; Sluice keeps 2 MiB at most",
                "Say how many bytes may be kept",
            );
            KEPT_BYTES
        }),
    };
    if attempts == NonZeroU32::MIN {
        return Ok(Meaning::Policies(Vec::new()));
    }
    Ok(spec.means(PolicyAction::Retry(Retry {
        attempts,
        interval: whole_milliseconds(read.initial_interval),
        timeout: Some(whole_milliseconds(read.timeout)).filter(|timeout| !timeout.is_zero()),
        statuses,
        non_idempotent: read.retry_non_idempotent_method,
        on_network_errors: !read.disable_retry_on_network_error,
        body_bytes,
    })))
}

pub(super) fn buffering(spec: &mut Spec<'_>) -> Result<Meaning, Wrong> {
    let read: BufferingSpec = spec.read()?;
    for (field, is_said) in [
        ("memRequestBodyBytes", read.mem_request_body_bytes != 0),
        ("memResponseBodyBytes", read.mem_response_body_bytes != 0),
    ] {
        if is_said {
            let how = "Sluice streams bodies while it counts them, and buffers none";
            spec.differs(
                field,
                how,
                "Remove the field once Traefik does not read it any more",
            );
        }
    }
    if !read.retry_expression.is_empty() {
        spec.differs(
            "retryExpression",
            "Sluice does not read it; it tries again what was never written to an endpoint",
            "Use a Middleware of the kind retry",
        );
    }
    // Negative is Traefik's own default: no limit.
    let bytes = |written: i64| u64::try_from(written).ok().and_then(NonZeroU64::new);
    let limit = BodyLimit {
        request_bytes: bytes(read.max_request_body_bytes),
        response_bytes: bytes(read.max_response_body_bytes),
    };
    if limit == BodyLimit::default() {
        return Ok(Meaning::Policies(Vec::new()));
    }
    Ok(spec.means(PolicyAction::BodyLimit(limit)))
}

fn encoding(field: &str, name: &str) -> Result<Encoding, Wrong> {
    let known = [Encoding::Gzip, Encoding::Brotli, Encoding::Zstd];
    let found = known.into_iter().find(|encoding| encoding.as_str() == name);
    found.ok_or_else(|| Wrong::new(field, format!("{name:?} is none of gzip, br and zstd")))
}

/// Returns media types without their parameters.
fn media_types(field: &str, written: &[String]) -> Result<Vec<String>, Wrong> {
    let essence = |(index, written): (usize, &String)| {
        let essence = written
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        let is_token = |text: &str| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&^_.+-*".contains(&byte);
            !text.is_empty() && text.bytes().all(allowed)
        };
        match essence.split_once('/') {
            Some((kind, subtype)) if is_token(kind) && is_token(subtype) => Ok(essence),
            _ => Err(Wrong::new(
                format!("{field}[{index}]"),
                format!("{written:?} is no media type"),
            )),
        }
    };
    written.iter().enumerate().map(essence).collect()
}

/// Reads a status, or two with a hyphen between them.
fn status_range(field: &str, written: &str) -> Result<RangeInclusive<u16>, Wrong> {
    let (first, last) = written.split_once('-').unwrap_or((written, written));
    let status = |text: &str| {
        text.parse()
            .ok()
            .filter(|status| (100..=599).contains(status))
    };
    match (status(first), status(last)) {
        (Some(first), Some(last)) if first <= last => Ok(first..=last),
        _ => Err(Wrong::new(
            field,
            format!("{written:?} is neither a status nor a range of them, such as 502 or 503-504"),
        )),
    }
}

/// What a policy can say; a part of a millisecond is a whole one, so that nothing becomes nothing.
fn whole_milliseconds(duration: Duration) -> std::time::Duration {
    let milliseconds = duration.0.as_nanos().div_ceil(1_000_000);
    std::time::Duration::from_millis(u64::try_from(milliseconds).unwrap_or(u64::MAX))
}

/// "Default: 1024."
const LEAST_BYTES: u64 = 1_024;
/// "2 MB".
const KEPT_BYTES: u64 = 2 * 1_024 * 1_024;
