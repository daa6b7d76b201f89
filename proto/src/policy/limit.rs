//! Policies that bound: how many requests, how large, how often again, how long.

use std::num::{NonZeroU32, NonZeroU64};
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::error::InvalidResource;
use crate::policy::source::Source;
use crate::settings::{milliseconds, timeout};
use crate::wire;

/// A token bucket for each source.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RateLimit {
    /// So many requests each `period`.
    pub requests: NonZeroU64,
    /// At least a millisecond.
    pub period: Duration,
    /// So many at once.
    pub burst: NonZeroU64,
    /// Whose requests share a bucket.
    pub source: Source,
    /// A request for which there is a token within this time waits for it.
    pub delay: Duration,
}

/// So many requests of a source may be in progress at once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConcurrencyLimit {
    /// How many.
    pub requests: NonZeroU32,
    /// Whose requests are counted together.
    pub source: Source,
}

/// How large bodies may be; `None` for any size.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct BodyLimit {
    /// Bytes of a request's body: more is answered 413.
    pub request_bytes: Option<NonZeroU64>,
    /// Bytes of a response's body: more is answered 500, or cut short.
    pub response_bytes: Option<NonZeroU64>,
}

/// Tries beyond those that are made anyway for what was never written to an endpoint.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Retry {
    /// All in all, the first one included.
    pub attempts: NonZeroU32,
    /// Before the second one; doubled for each one more.
    pub interval: Duration,
    /// For all tries together.
    pub timeout: Option<Duration>,
    /// Statuses of an endpoint's answer that are tried again.
    pub statuses: Vec<RangeInclusive<u16>>,
    /// Whether methods that are not idempotent are tried again, too.
    pub non_idempotent: bool,
    /// Whether a connection that fails is tried again.
    pub on_network_errors: bool,
    /// Larger bodies are not kept for another try.
    pub body_bytes: u64,
}

/// How long things may take; `None` as the settings say.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RouteTimeouts {
    /// To open a connection to an endpoint, each try.
    pub connect: Option<Duration>,
    /// From the request sent to the header section of the response.
    pub response_headers: Option<Duration>,
    /// Between two pieces of a request's body.
    pub request_body_idle: Option<Duration>,
    /// Between two pieces of a response's body.
    pub response_body_idle: Option<Duration>,
    /// From the request's header section to the end of the response; `None` for no limit.
    pub request: Option<Duration>,
}

impl TryFrom<wire::RateLimit> for RateLimit {
    type Error = InvalidResource;

    fn try_from(message: wire::RateLimit) -> Result<Self, InvalidResource> {
        Ok(Self {
            requests: at_least_one("requests", message.requests)?,
            period: Duration::from_millis(at_least_one("period_ms", message.period_ms)?.get()),
            burst: at_least_one("burst", message.burst)?,
            source: message.source.try_into()?,
            delay: Duration::from_micros(message.delay_us),
        })
    }
}

impl From<&RateLimit> for wire::RateLimit {
    fn from(limit: &RateLimit) -> Self {
        Self {
            requests: limit.requests.get(),
            period_ms: milliseconds(limit.period),
            burst: limit.burst.get(),
            source: Some((&limit.source).into()),
            delay_us: u64::try_from(limit.delay.as_micros()).unwrap_or(u64::MAX),
        }
    }
}

impl TryFrom<wire::ConcurrencyLimit> for ConcurrencyLimit {
    type Error = InvalidResource;

    fn try_from(message: wire::ConcurrencyLimit) -> Result<Self, InvalidResource> {
        Ok(Self {
            requests: at_least_one_of_32("requests", message.requests)?,
            source: message.source.try_into()?,
        })
    }
}

impl From<&ConcurrencyLimit> for wire::ConcurrencyLimit {
    fn from(limit: &ConcurrencyLimit) -> Self {
        Self {
            requests: limit.requests.get(),
            source: Some((&limit.source).into()),
        }
    }
}

impl From<wire::BodyLimit> for BodyLimit {
    fn from(message: wire::BodyLimit) -> Self {
        Self {
            request_bytes: NonZeroU64::new(message.request_bytes),
            response_bytes: NonZeroU64::new(message.response_bytes),
        }
    }
}

impl From<&BodyLimit> for wire::BodyLimit {
    fn from(limit: &BodyLimit) -> Self {
        Self {
            request_bytes: limit.request_bytes.map_or(0, NonZeroU64::get),
            response_bytes: limit.response_bytes.map_or(0, NonZeroU64::get),
        }
    }
}

impl TryFrom<wire::Retry> for Retry {
    type Error = InvalidResource;

    fn try_from(message: wire::Retry) -> Result<Self, InvalidResource> {
        Ok(Self {
            attempts: at_least_one_of_32("attempts", message.attempts)?,
            interval: Duration::from_millis(message.interval_ms),
            timeout: (message.timeout_ms > 0).then(|| Duration::from_millis(message.timeout_ms)),
            statuses: message
                .statuses
                .iter()
                .map(statuses)
                .collect::<Result<_, _>>()?,
            non_idempotent: message.non_idempotent,
            on_network_errors: !message.not_on_network_errors,
            body_bytes: message.body_bytes,
        })
    }
}

impl From<&Retry> for wire::Retry {
    fn from(retry: &Retry) -> Self {
        Self {
            attempts: retry.attempts.get(),
            interval_ms: milliseconds(retry.interval),
            timeout_ms: retry.timeout.map_or(0, milliseconds),
            statuses: retry
                .statuses
                .iter()
                .map(|range| wire::StatusRange {
                    first: u32::from(*range.start()),
                    last: u32::from(*range.end()),
                })
                .collect(),
            non_idempotent: retry.non_idempotent,
            not_on_network_errors: !retry.on_network_errors,
            body_bytes: retry.body_bytes,
        }
    }
}

impl TryFrom<wire::RouteTimeouts> for RouteTimeouts {
    type Error = InvalidResource;

    fn try_from(message: wire::RouteTimeouts) -> Result<Self, InvalidResource> {
        let ms = |field, value: Option<u64>| value.map(|ms| timeout(field, ms)).transpose();
        Ok(Self {
            connect: ms("connect_ms", message.connect_ms)?,
            response_headers: ms("response_headers_ms", message.response_headers_ms)?,
            request_body_idle: ms("request_body_idle_ms", message.request_body_idle_ms)?,
            response_body_idle: ms("response_body_idle_ms", message.response_body_idle_ms)?,
            request: ms("request_ms", message.request_ms)?,
        })
    }
}

impl From<&RouteTimeouts> for wire::RouteTimeouts {
    fn from(timeouts: &RouteTimeouts) -> Self {
        Self {
            connect_ms: timeouts.connect.map(milliseconds),
            response_headers_ms: timeouts.response_headers.map(milliseconds),
            request_body_idle_ms: timeouts.request_body_idle.map(milliseconds),
            response_body_idle_ms: timeouts.response_body_idle.map(milliseconds),
            request_ms: timeouts.request.map(milliseconds),
        }
    }
}

fn statuses(range: &wire::StatusRange) -> Result<RangeInclusive<u16>, InvalidResource> {
    let number = |value| status("statuses", value);
    let (first, last) = (number(range.first)?, number(range.last)?);
    Ok(first..=last)
}

/// Returns a status, or the error that names `field`.
pub(crate) fn status(field: &'static str, value: u32) -> Result<u16, InvalidResource> {
    let number = u16::try_from(value).ok();
    let number = number.filter(|number| (100..=599).contains(number));
    number.ok_or_else(|| InvalidResource::Range {
        field,
        value: u64::from(value),
        range: "100 to 599",
    })
}

fn at_least_one(field: &'static str, value: u64) -> Result<NonZeroU64, InvalidResource> {
    NonZeroU64::new(value).ok_or(InvalidResource::Range {
        field,
        value,
        range: "1 to 18446744073709551615",
    })
}

fn at_least_one_of_32(field: &'static str, value: u32) -> Result<NonZeroU32, InvalidResource> {
    NonZeroU32::new(value).ok_or_else(|| InvalidResource::Range {
        field,
        value: u64::from(value),
        range: "1 to 4294967295",
    })
}
