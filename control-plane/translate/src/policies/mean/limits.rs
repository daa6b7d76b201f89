//! `rateLimit`, `concurrencyLimit`, `requestBody`, `responseBody`, `retry` and `timeouts`: how many, how large, how often
//! again, how long.

use std::num::NonZeroU32;
use std::time::Duration;

use sluice_proto::{
    BodyLimit, ConcurrencyLimit, PolicyAction, RateLimit, Retry, RouteTimeouts, Source, SourceBy,
};

use crate::policies::effect::{Effect, Said};
use crate::policies::spec::{
    BodySpec, ConcurrencyLimitSpec, RateLimitSpec, RetrySpec, TimeoutsSpec,
};
use crate::policies::value::By;
use crate::settings::{Number, Timeout};

impl RateLimitSpec {
    pub(super) fn effect(self, said: Said<'_>) -> Effect {
        let requests = at_least_one(self.requests.0);
        let limit = RateLimit {
            requests: requests.into(),
            period: self.period.map_or(PERIOD, duration),
            burst: self
                .burst
                .map_or(requests, |burst| at_least_one(burst.0))
                .into(),
            source: source(self.by, self.ipv6_prefix),
            delay: Duration::ZERO,
        };
        said.does("rateLimit", PolicyAction::RateLimit(limit))
    }
}

impl ConcurrencyLimitSpec {
    pub(super) fn effect(self, said: Said<'_>) -> Effect {
        let limit = ConcurrencyLimit {
            requests: at_least_one(self.requests.0),
            source: source(self.by, self.ipv6_prefix),
        };
        said.does("concurrencyLimit", PolicyAction::ConcurrencyLimit(limit))
    }
}

impl BodySpec {
    pub(super) fn of_requests(self, said: Said<'_>) -> Effect {
        let limit = BodyLimit {
            request_bytes: Some(self.limit.0),
            response_bytes: None,
        };
        said.does("requestBody", PolicyAction::BodyLimit(limit))
    }

    pub(super) fn of_responses(self, said: Said<'_>) -> Effect {
        let limit = BodyLimit {
            request_bytes: None,
            response_bytes: Some(self.limit.0),
        };
        said.does("responseBody", PolicyAction::BodyLimit(limit))
    }
}

impl RetrySpec {
    pub(super) fn effect(self, said: Said<'_>) -> Effect {
        let retry = Retry {
            attempts: at_least_one(self.attempts.0),
            interval: self.interval.map_or(Duration::ZERO, duration),
            timeout: self.timeout.map(duration),
            statuses: self.statuses.into_iter().map(|range| range.0).collect(),
            non_idempotent: self.non_idempotent,
            on_network_errors: true,
            body_bytes: self.request_body.map_or(KEPT_BYTES, |bytes| bytes.0),
        };
        said.does("retry", PolicyAction::Retry(retry))
    }
}

impl TimeoutsSpec {
    pub(super) fn effect(self, said: Said<'_>) -> Effect {
        let timeouts = RouteTimeouts {
            connect: self.connect.map(duration),
            response_headers: self.response_headers.map(duration),
            request_body_idle: self.request_body_idle.map(duration),
            response_body_idle: self.response_body_idle.map(duration),
            request: self.request.map(duration),
        };
        said.does("timeouts", PolicyAction::Timeouts(timeouts))
    }
}

fn source(by: Option<By>, ipv6_prefix: Option<Number<128>>) -> Source {
    let by = by.map(|by| by.0).unwrap_or_default();
    let is_address = matches!(by, SourceBy::Client | SourceBy::Peer);
    let prefix = ipv6_prefix.map_or(IPV6_PREFIX, |bits| u8::try_from(bits.0).unwrap_or(u8::MAX));
    Source {
        by,
        ipv6_prefix: is_address.then_some(prefix).filter(|bits| *bits < 128),
    }
}

const fn duration(timeout: Timeout) -> Duration {
    timeout.0
}

fn at_least_one(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

const PERIOD: Duration = Duration::from_secs(1);
/// What a provider gives to one customer, at least: whoever has it, has all addresses in it.
const IPV6_PREFIX: u8 = 64;
const KEPT_BYTES: u64 = 2 << 20;
