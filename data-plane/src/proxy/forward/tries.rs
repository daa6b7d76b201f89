//! Which endpoints were tried for a request, and whether there is another try.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::Request;
use tokio::time::Instant;

use crate::cores::Shared;
use crate::proxy::body::RequestBody;
use crate::proxy::forward::attempt::Failed;
use crate::proxy::respond::Cause;
use crate::serving::{Endpoint, ServedBackend};

/// What was tried for one request.
#[derive(Default)]
pub(super) struct Tries {
    /// The endpoint that the client was with: it is asked first.
    preferred: Option<Arc<Endpoint>>,
    /// How often everybody was tried in vain.
    round: u32,
    /// In this round.
    made: u32,
    // The last one, and those that a policy has had asked before: others go first.
    last: Option<u64>,
    asked: Vec<u64>,
    // Those that could not be reached in this round.
    unreachable: Vec<u64>,
    // Those whose connection closed: they can be asked again, on a new connection, if there is no other.
    closed: Vec<u64>,
    /// Whether the next one needs a new connection.
    pub(super) fresh: bool,
    /// Why the last one failed, and when the first one did.
    failed: Option<(Cause, Instant)>,
}

impl Tries {
    /// Returns that nothing was tried yet.
    pub(super) fn beginning_with(preferred: Option<Arc<Endpoint>>) -> Self {
        Self {
            preferred,
            ..Self::default()
        }
    }

    /// Returns the endpoint to try next, and waits where somebody else may be there in a moment; as the error, why there
    /// is none.
    pub(super) async fn next(
        &mut self,
        backend: &ServedBackend,
        shared: &Shared,
    ) -> Result<Arc<Endpoint>, Cause> {
        loop {
            if let Some(endpoint) = self.pick(backend, shared) {
                self.last = Some(endpoint.id);
                return Ok(endpoint);
            }
            let (cause, since) = self.failed.clone().ok_or(Cause::NoEndpoints)?;
            let in_time = since.elapsed() < LONGEST;
            if self.unreachable.is_empty() || !in_time || !backend.wait_for_news(self.round).await {
                return Err(cause);
            }
            *self = Self {
                round: self.round + 1,
                fresh: self.fresh,
                failed: self.failed.take(),
                last: self.last,
                asked: mem::take(&mut self.asked),
                ..Self::default()
            };
        }
    }

    /// Begins from the beginning, as a policy wants it, but for who has been asked.
    pub(super) fn begin_anew(&mut self) {
        let mut asked = mem::take(&mut self.asked);
        asked.extend(self.last);
        *self = Self {
            asked,
            ..Self::default()
        };
    }

    /// Notes that this endpoint was tried in vain; returns the request if it may be tried again.
    pub(super) fn again(
        &mut self,
        backend: &ServedBackend,
        shared: &Shared,
        endpoint: &Endpoint,
        failed: Failed,
    ) -> Result<Request<RequestBody>, Cause> {
        let Some(request) = failed.request else {
            return Err(failed.cause);
        };
        backend.counters.retries.fetch_add(1, Ordering::Relaxed);
        self.made += 1;
        if failed.connected {
            self.closed.push(endpoint.id);
        } else {
            self.unreachable.push(endpoint.id);
            if shared.endpoints_unsure.load(Ordering::Relaxed) {
                backend.doubt();
            }
        }
        let since = self
            .failed
            .as_ref()
            .map_or_else(Instant::now, |(_, since)| *since);
        self.failed = Some((failed.cause, since));
        Ok(request)
    }

    fn pick(&mut self, backend: &ServedBackend, shared: &Shared) -> Option<Arc<Endpoint>> {
        if self.made >= MOST_TRIES {
            return None;
        }
        let all_unreachable = !self.unreachable.is_empty() && self.closed.is_empty();
        // Without the control plane, one that cannot be reached is most likely a pod that was replaced, and the others may
        // have been, too: the Service knows them. With it, the Service has the last try where nobody could be reached.
        let stale = shared.endpoints_stale.load(Ordering::Relaxed)
            || shared.endpoints_unsure.load(Ordering::Relaxed) && backend.is_doubted()
            || all_unreachable && self.made + 1 == MOST_TRIES;
        // Its address may be another pod's by now.
        if let Some(preferred) = self.preferred.take().filter(|_| !stale) {
            return Some(preferred);
        }
        let picked = self.pick_untried(backend, stale);
        // Where nobody that is known can be reached, all may have been replaced just now: the Service may know more.
        picked.or_else(|| {
            let asked_in_vain = !self.unreachable.is_empty();
            asked_in_vain.then(|| self.pick_untried(backend, true))?
        })
    }

    fn pick_untried(&mut self, backend: &ServedBackend, stale: bool) -> Option<Arc<Endpoint>> {
        let unasked = self.pick_unasked(backend, stale);
        unasked.or_else(|| self.pick_unclosed(backend, stale))
    }

    // Somebody else than before; at least, than just before.
    fn pick_unasked(&self, backend: &ServedBackend, stale: bool) -> Option<Arc<Endpoint>> {
        let before = self.asked.last()?;
        let but = |asked: &[u64]| {
            let tried = [asked, &*self.closed, &*self.unreachable].concat();
            backend.pick(stale, &tried)
        };
        but(&self.asked).or_else(|| but(&[*before]))
    }

    fn pick_unclosed(&mut self, backend: &ServedBackend, stale: bool) -> Option<Arc<Endpoint>> {
        if self.closed.is_empty() {
            return backend.pick(stale, &self.unreachable);
        }
        let tried = [&*self.closed, &*self.unreachable].concat();
        backend.pick(stale, &tried).or_else(|| {
            self.fresh = true;
            backend.pick(stale, &self.unreachable)
        })
    }
}

/// In a round.
const MOST_TRIES: u32 = 4;
/// After the first failure no other round begins later than this: there are tries that take seconds to fail.
const LONGEST: Duration = Duration::from_secs(3);
