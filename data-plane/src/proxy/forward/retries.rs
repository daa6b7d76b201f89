//! The retries that a route's policy asks for: how often a request was sent, and whether it is sent again.

use std::time::Duration;

use http::{Request, StatusCode};
use tokio::time::Instant;

use crate::policy::Retry;
use crate::proxy::body::{self, RequestBody};
use crate::proxy::respond::Cause;

/// How often a request was sent, by what its route says.
pub(super) struct Retries<'a> {
    retry: Option<&'a Retry>,
    attempts: u32,
    // When no other attempt begins any more.
    until: Option<Instant>,
}

/// A request that is sent again.
pub(super) struct Again {
    pub(super) request: Request<RequestBody>,
    pub(super) pause: Duration,
}

impl<'a> Retries<'a> {
    pub(super) fn new(retry: Option<&'a Retry>) -> Self {
        let timeout = retry.and_then(Retry::timeout);
        Self {
            retry,
            attempts: 1,
            until: timeout.map(|timeout| Instant::now() + timeout),
        }
    }

    /// Returns a copy of a request that may have to be sent again.
    pub(super) fn spare(&self, request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
        let retry = self.retry.filter(|retry| self.attempts < retry.attempts());
        retry.and_then(|_| body::again(request))
    }

    /// Returns the request once more, after an endpoint has answered so, if it is sent again.
    pub(super) fn after_answer(
        &mut self,
        status: StatusCode,
        spare: Option<Request<RequestBody>>,
    ) -> Option<Again> {
        let (retry, request) = (self.retry?, spare?);
        retry
            .repeats_answer(request.method(), status)
            .then(|| self.again(retry, request))?
    }

    /// Returns the request once more, after none has answered, if it is sent again; as the error, why not.
    pub(super) fn after_failure(
        &mut self,
        cause: Cause,
        spare: Option<Request<RequestBody>>,
    ) -> Result<Again, Cause> {
        let repeated = self.retry.zip(spare).and_then(|(retry, request)| {
            retry
                .repeats_failure(request.method(), &cause)
                .then(|| self.again(retry, request))?
        });
        repeated.ok_or(cause)
    }

    fn again(&mut self, retry: &Retry, request: Request<RequestBody>) -> Option<Again> {
        let pause = retry.pause_after(self.attempts);
        let is_late = |until| Instant::now() + pause > until;
        // Of its body something may have been taken that was not kept.
        if self.until.is_some_and(is_late) || request.body().again().is_none() {
            return None;
        }
        self.attempts += 1;
        Some(Again { request, pause })
    }
}
