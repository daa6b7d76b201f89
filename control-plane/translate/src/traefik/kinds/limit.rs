//! `rateLimit` and `inFlightReq`: how many requests, one after the other and at once.

use std::num::{NonZeroU32, NonZeroU64};
use std::time;

use serde::Deserialize;
use serde_json::Value;
use sluice_proto::{ConcurrencyLimit, PolicyAction, RateLimit, SourceBy};

use crate::traefik::kept::{Meaning, Spec, Wrong};
use crate::traefik::kinds::source::SourceCriterion;
use crate::traefik::value::Duration;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RateLimitSpec {
    average: Option<u64>,
    period: Option<Duration>,
    burst: Option<u64>,
    source_criterion: Option<SourceCriterion>,
    redis: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct InFlightReqSpec {
    amount: u64,
    source_criterion: Option<SourceCriterion>,
}

pub(super) fn rate_limit(spec: &mut Spec<'_>) -> Result<Meaning, Wrong> {
    let read: RateLimitSpec = spec.read()?;
    if read.redis.is_some() {
        spec.differs(
            "redis",
            "Sluice keeps no count in Redis; the limit holds for each node",
            "Remove the field once Traefik does not read it any more",
        );
    }
    let source = read.source_criterion.unwrap_or_default();
    let source = source.source(SourceBy::Client)?;
    // "It defaults to 0, which means no rate limiting."
    let Some(requests) = read.average.and_then(NonZeroU64::new) else {
        return Ok(Meaning::Policies(Vec::new()));
    };
    let period = read.period.map_or(time::Duration::ZERO, |period| period.0);
    let period = if period.is_zero() {
        time::Duration::from_secs(1)
    } else {
        period
    };
    let delay = longest_delay(requests, period);
    let (requests, period) = in_milliseconds(requests, period)
        .ok_or_else(|| Wrong::new("average", "it is too large for the period"))?;
    Ok(spec.means(PolicyAction::RateLimit(RateLimit {
        requests,
        period,
        burst: read
            .burst
            .and_then(NonZeroU64::new)
            .unwrap_or(NonZeroU64::MIN),
        source,
        delay,
    })))
}

pub(super) fn in_flight_req(spec: &mut Spec<'_>) -> Result<Meaning, Wrong> {
    let read: InFlightReqSpec = spec.read()?;
    let most = u32::try_from(read.amount).unwrap_or(u32::MAX);
    let requests = NonZeroU32::new(most)
        .ok_or_else(|| Wrong::new("amount", "it is 0, so that nobody could pass"))?;
    let source = read.source_criterion.unwrap_or_default();
    let source = source.source(SourceBy::Host)?;
    Ok(spec.means(PolicyAction::ConcurrencyLimit(ConcurrencyLimit {
        requests,
        source,
    })))
}

/// Returns for how long a request waits for its token, at most: "maxDelay does not scale well for rates below 1, so we
/// just cap it to the corresponding value, i.e. 0.5s"; else for half the time of one, the rate rounded down.
fn longest_delay(requests: NonZeroU64, period: time::Duration) -> time::Duration {
    let each_second = u128::from(requests.get()) * 1_000_000_000 / period.as_nanos().max(1);
    let microseconds = 1_000_000 / (2 * each_second.max(1));
    time::Duration::from_micros(u64::try_from(microseconds).unwrap_or_default())
}

/// Returns the same rate by a period of whole milliseconds; `None` if it is too high.
fn in_milliseconds(
    mut requests: NonZeroU64,
    mut period: time::Duration,
) -> Option<(NonZeroU64, time::Duration)> {
    while !period.subsec_nanos().is_multiple_of(1_000_000) {
        requests = requests.checked_mul(NonZeroU64::new(1_000)?)?;
        period = period.checked_mul(1_000)?;
    }
    Some((requests, period))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_request_waits_for_half_a_token_at_most() {
        for (requests, period, microseconds) in [
            (100, 60, 500_000),
            (1, 60, 500_000),
            (1, 1, 500_000),
            (100, 1, 5_000),
            (399, 2, 2_512),
            (10_000_000, 1, 0),
        ] {
            let period = time::Duration::from_secs(period);
            let delay = longest_delay(NonZeroU64::new(requests).unwrap(), period);
            assert_eq!(
                delay,
                time::Duration::from_micros(microseconds),
                "{requests} in {period:?}"
            );
        }
    }

    #[test]
    fn a_period_is_of_whole_milliseconds() {
        let (three, period) = (
            NonZeroU64::new(3).unwrap(),
            time::Duration::from_nanos(7_000),
        );
        let scaled = (
            NonZeroU64::new(3_000).unwrap(),
            time::Duration::from_millis(7),
        );
        assert_eq!(in_milliseconds(three, period), Some(scaled));
        assert_eq!(in_milliseconds(NonZeroU64::MAX, period), None);
    }
}
