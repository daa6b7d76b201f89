//! Retries that a user asks for: which requests are sent again, after what, and after which pause.
//!
//! They are beyond what is tried anyway for what was never written to an endpoint (`proxy/forward.rs`): each of them is all
//! of that once more.

use std::ops::RangeInclusive;
use std::time::Duration;

use http::{Method, Request, StatusCode};

use crate::proxy::{Cause, RequestBody};

/// When a request is sent again.
pub(crate) struct Retry(sluice_proto::Retry);

impl Retry {
    pub(super) fn new(retry: &sluice_proto::Retry) -> Self {
        Self(retry.clone())
    }

    /// Has the body of a request kept that may have to be sent again.
    pub(super) fn admit(&self, request: &Request<RequestBody>) {
        if self.attempts() > 1 && self.repeats(request.method()) {
            request.body().keep(self.0.body_bytes);
        }
    }

    /// Returns how often a request is sent at most, the first time included.
    pub(crate) const fn attempts(&self) -> u32 {
        self.0.attempts.get()
    }

    /// Returns how long after the first attempt the last one may begin.
    pub(crate) const fn timeout(&self) -> Option<Duration> {
        self.0.timeout
    }

    /// Returns whether a request is sent again after an endpoint answered so.
    pub(crate) fn repeats_answer(&self, method: &Method, status: StatusCode) -> bool {
        let is_wanted = |range: &RangeInclusive<u16>| range.contains(&status.as_u16());
        status != StatusCode::SWITCHING_PROTOCOLS
            && self.repeats(method)
            && self.0.statuses.iter().any(is_wanted)
    }

    /// Returns whether a request is sent again after no endpoint answered, for this cause.
    pub(crate) fn repeats_failure(&self, method: &Method, cause: &Cause) -> bool {
        self.0.on_network_errors
            && match cause {
                // It was never written.
                Cause::NameUnresolved
                | Cause::ConnectRefused
                | Cause::ConnectTimeout
                | Cause::ConnectFailed => true,
                // It may have been processed.
                Cause::ConnectionClosed | Cause::ResponseTimeout => self.repeats(method),
                _ => false,
            }
    }

    /// Returns the pause before the attempt that follows so many. It is jittered, so that those whom one failure has hit
    /// do not all come back at once.
    pub(crate) fn pause_after(&self, attempts: u32) -> Duration {
        let doubled = 1_u32.checked_shl(attempts.saturating_sub(1));
        let whole = (self.0.interval)
            .saturating_mul(doubled.unwrap_or(u32::MAX))
            .min(LONGEST_PAUSE);
        whole.mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    // RFC 9110, section 9.2.2: "A proxy MUST NOT automatically retry non-idempotent requests." Whoever runs the backend may
    // know that they are.
    fn repeats(&self, method: &Method) -> bool {
        self.0.non_idempotent || method.is_idempotent()
    }
}

const LONGEST_PAUSE: Duration = Duration::from_secs(30);
