//! Which endpoints were tried for a request, and whether there is another try.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::Request;

use crate::cores::Shared;
use crate::proxy::body::RequestBody;
use crate::proxy::forward::attempt::Failed;
use crate::proxy::respond::Cause;
use crate::serving::{Endpoint, ServedBackend};

/// What was tried for one request.
#[derive(Default)]
pub(super) struct Tries {
    made: u32,
    // Those that could not be reached.
    unreachable: Vec<u64>,
    // Those whose connection closed: they can be asked again, on a new connection, if there is no other.
    closed: Vec<u64>,
    /// Whether the next one needs a new connection.
    pub(super) fresh: bool,
    /// Why the last one failed.
    pub(super) cause: Option<Cause>,
}

impl Tries {
    /// Returns the endpoint to try next; `None` if none is left.
    pub(super) fn pick(
        &mut self,
        backend: &ServedBackend,
        shared: &Shared,
    ) -> Option<Arc<Endpoint>> {
        // Without the control plane, one that cannot be reached is most likely a pod that was replaced, and the others may
        // have been, too: the Service knows them.
        let stale = shared.endpoints_stale.load(Ordering::Relaxed)
            || !self.unreachable.is_empty() && shared.endpoints_unsure.load(Ordering::Relaxed);
        let picked = self.pick_untried(backend, stale);
        // Where nobody that is known can be reached, all may have been replaced just now: the Service may know more.
        picked.or_else(|| {
            let all_unreachable = self.closed.is_empty() && !self.unreachable.is_empty();
            all_unreachable.then(|| self.pick_untried(backend, true))?
        })
    }

    fn pick_untried(&mut self, backend: &ServedBackend, stale: bool) -> Option<Arc<Endpoint>> {
        if self.closed.is_empty() {
            return backend.pick(stale, &self.unreachable);
        }
        let tried = [&*self.closed, &*self.unreachable].concat();
        backend.pick(stale, &tried).or_else(|| {
            self.fresh = true;
            backend.pick(stale, &self.unreachable)
        })
    }

    /// Notes that this endpoint was tried in vain; returns the request if it is to be tried again.
    pub(super) fn again(
        &mut self,
        backend: &ServedBackend,
        endpoint: &Endpoint,
        failed: Failed,
    ) -> Result<Request<RequestBody>, Cause> {
        self.made += 1;
        let request = match failed.request {
            Some(request) if self.made < MOST_TRIES => request,
            _ => return Err(failed.cause),
        };
        backend.counters.retries.fetch_add(1, Ordering::Relaxed);
        if failed.connected {
            self.closed.push(endpoint.id);
        } else {
            self.unreachable.push(endpoint.id);
        }
        self.cause = Some(failed.cause);
        Ok(request)
    }
}

const MOST_TRIES: u32 = 4;
