//! A backend as it is served: its endpoints in a slot of their own, and which of them the next request goes to.
//!
//! Its identity survives route changes, so pools, load and counters do, too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use sluice_proto::{Backend, BackendProtocol, BackendTarget, EndpointState};

use crate::clock::uptime_ms;
use crate::metrics::BackendCounters;
use crate::proxy::{ServerTls, UnusableTls};
use crate::serving::endpoint::{Endpoint, EndpointAddress};
use crate::serving::patience::Patience;

/// One port of one Service, and its endpoints.
pub(crate) struct ServedBackend {
    pub(crate) protocol: BackendProtocol,
    pub(crate) counters: Arc<BackendCounters>,
    /// Whether its endpoints get their own address as `Host`.
    pub(crate) own_host: bool,
    tls: Option<ServerTls>,
    target: Target,
    patience: Patience,
    // When its endpoints became others; 0 if they never did.
    changed_ms: AtomicU64,
    // An endpoint could not be reached while nobody could tell whether it is still there.
    doubted: AtomicBool,
}

enum Target {
    Name(EndpointSet),
    Endpoints {
        current: ArcSwap<EndpointSet>,
        cluster: EndpointSet,
    },
}

/// The endpoints of a backend at one time.
#[derive(Debug, Default)]
struct EndpointSet {
    // Ready, on this node.
    local: Vec<Arc<Endpoint>>,
    // Ready, elsewhere.
    remote: Vec<Arc<Endpoint>>,
    // Still serving while they end.
    terminating: Vec<Arc<Endpoint>>,
}

impl ServedBackend {
    /// Returns it without endpoints; as the error, why they could not be spoken to.
    pub(crate) fn new(
        backend: &Backend,
        counters: Arc<BackendCounters>,
    ) -> Result<Self, UnusableTls> {
        let host = backend.host();
        let tls = backend.tls.as_ref();
        let tls = tls.map(|tls| ServerTls::new(tls, &host, backend.protocol));
        let tls = tls.transpose()?;
        let set_of = |addresses| EndpointSet::of(addresses, tls.as_ref());
        let target = match &backend.target {
            BackendTarget::ExternalName { name, port } => {
                let address = EndpointAddress::Name {
                    name: Arc::clone(name),
                    port: *port,
                };
                Target::Name(set_of(vec![address]))
            }
            BackendTarget::Endpoints { cluster_addresses } => Target::Endpoints {
                current: ArcSwap::default(),
                cluster: set_of(
                    (cluster_addresses.iter().copied())
                        .map(EndpointAddress::Socket)
                        .collect(),
                ),
            },
        };
        Ok(Self {
            protocol: backend.protocol,
            counters,
            own_host: backend.own_host,
            tls,
            target,
            patience: Patience::default(),
            changed_ms: AtomicU64::new(0),
            doubted: AtomicBool::new(false),
        })
    }

    /// Puts these endpoints in the place of the earlier ones. Those that stay keep their identity.
    pub(crate) fn set_endpoints(&self, endpoints: &[sluice_proto::Endpoint], node: &str) {
        let Target::Endpoints { current, .. } = &self.target else {
            return;
        };
        let earlier = current.load_full();
        let mut set = EndpointSet::default();
        for endpoint in endpoints {
            let address = EndpointAddress::Socket(endpoint.address);
            let same = earlier.iter().find(|earlier| earlier.address == address);
            let served = same.map_or_else(
                || Arc::new(Endpoint::new(address).spoken_to(self.tls.clone())),
                Arc::clone,
            );
            let is_local = endpoint.node.as_deref() == Some(node);
            match endpoint.state {
                EndpointState::Ready if is_local => set.local.push(served),
                EndpointState::Ready => set.remote.push(served),
                EndpointState::Terminating => set.terminating.push(served),
            }
        }
        if !earlier.is_empty() && !earlier.is_same(&set) {
            self.changed_ms.store(uptime_ms().max(1), Ordering::Relaxed);
        }
        current.store(Arc::new(set));
        self.doubted.store(false, Ordering::Relaxed);
        self.patience.news();
    }

    /// Returns the endpoint for the next request, none of `tried`; `None` if no other is left.
    ///
    /// If the endpoints are stale, their addresses may be other pods' by now: the Service's own address is taken, where
    /// it has one.
    pub(crate) fn pick(&self, stale: bool, tried: &[u64]) -> Option<Arc<Endpoint>> {
        match &self.target {
            Target::Name(set) => set.pick(tried),
            Target::Endpoints { cluster, .. } if stale && !cluster.is_empty() => {
                cluster.pick(tried)
            }
            Target::Endpoints { current, .. } => current.load().pick(tried),
        }
    }

    /// Returns the endpoint of this affinity, if it is one still, and can be reached as far as is known. One that ends goes
    /// on with whom it has, as long as it serves.
    pub(crate) fn find(&self, affinity: u64) -> Option<Arc<Endpoint>> {
        let find = |set: &EndpointSet| {
            let mut endpoints = set.iter();
            let found = endpoints.find(|endpoint| endpoint.affinity == affinity);
            found
                .filter(|endpoint| !endpoint.is_ejected())
                .map(Arc::clone)
        };
        match &self.target {
            Target::Name(set) => find(set),
            Target::Endpoints { current, .. } => find(&current.load()),
        }
    }

    /// Returns whether pods may be ending just now, so that a connection which waits for a request may be closing: its
    /// endpoints have changed a moment ago, or one could not be reached.
    pub(crate) fn is_changing(&self) -> bool {
        let changed_ms = self.changed_ms.load(Ordering::Relaxed);
        let since = Duration::from_millis(uptime_ms().saturating_sub(changed_ms));
        self.is_doubted() || (changed_ms > 0 && since < CHANGING)
    }

    /// Returns whether [`Self::doubt`] was called since the endpoints were set.
    pub(crate) fn is_doubted(&self) -> bool {
        self.doubted.load(Ordering::Relaxed)
    }

    /// Notes that an endpoint could not be reached while nobody could tell whether it is still there.
    pub(crate) fn doubt(&self) {
        self.doubted.store(true, Ordering::Relaxed);
    }

    /// Waits for news after no endpoint could be reached, for the `round`th time in a row; returns whether it makes sense
    /// to try them all again.
    pub(crate) async fn wait_for_news(&self, round: u32) -> bool {
        matches!(self.target, Target::Endpoints { .. }) && self.patience.wait(round).await
    }

    /// Notes that an endpoint could be reached.
    pub(crate) fn connected(&self, endpoint: &Endpoint) {
        endpoint.connected();
        self.patience.reached();
    }

    /// Notes that no connection to this endpoint could be opened. After several in a row it is left out for a while,
    /// unless half of them are out already.
    pub(crate) fn connect_failed(&self, endpoint: &Endpoint) {
        self.counters.connect_errors.fetch_add(1, Ordering::Relaxed);
        if !endpoint.connect_failed() {
            return;
        }
        let Target::Endpoints { current, .. } = &self.target else {
            return;
        };
        let set = current.load();
        // Behind the Service's own address there is somebody else each time.
        if !set.iter().any(|known| known.id == endpoint.id) {
            return;
        }
        let out = set.iter().filter(|endpoint| endpoint.is_ejected()).count();
        if (out + 1) * 2 <= set.iter().count() && !endpoint.is_ejected() {
            endpoint.eject();
            self.counters.ejections.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl EndpointSet {
    fn of(addresses: Vec<EndpointAddress>, tls: Option<&ServerTls>) -> Self {
        let endpoint = |address| Endpoint::new(address).spoken_to(tls.cloned());
        let endpoints = addresses.into_iter().map(endpoint).map(Arc::new);
        Self {
            remote: endpoints.collect(),
            ..Self::default()
        }
    }

    fn iter(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        self.local
            .iter()
            .chain(&self.remote)
            .chain(&self.terminating)
    }

    fn is_same(&self, other: &Self) -> bool {
        let same = |these: &[Arc<Endpoint>], those: &[Arc<Endpoint>]| {
            let ids = those.iter().map(|endpoint| endpoint.id);
            these.iter().map(|endpoint| endpoint.id).eq(ids)
        };
        same(&self.local, &other.local)
            && same(&self.remote, &other.remote)
            && same(&self.terminating, &other.terminating)
    }

    fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    fn pick(&self, tried: &[u64]) -> Option<Arc<Endpoint>> {
        let reachable =
            |endpoint: &Endpoint| !tried.contains(&endpoint.id) && !endpoint.is_ejected();
        let untried = |endpoint: &Endpoint| !tried.contains(&endpoint.id);
        // That all are out is more likely wrong than right: one of them is asked all the same.
        let picked = self
            .pick_among(reachable)
            .or_else(|| self.pick_among(untried));
        picked.map(Arc::clone)
    }

    fn pick_among(&self, usable: impl Fn(&Endpoint) -> bool) -> Option<&Arc<Endpoint>> {
        if self.local.is_empty() && self.remote.is_empty() {
            return less_busy_of_two(&self.terminating, usable);
        }
        let local = less_busy_of_two(&self.local, &usable);
        let remote = less_busy_of_two(&self.remote, &usable);
        match (local, remote) {
            // Spills over to other nodes while the local one is the busier one.
            (Some(local), Some(remote)) if remote.outstanding() < local.outstanding() => {
                Some(remote)
            }
            (local, remote) => local.or(remote),
        }
    }
}

// The power of two choices: nearly as even as asking all, at the price of asking two.
fn less_busy_of_two(
    endpoints: &[Arc<Endpoint>],
    usable: impl Fn(&Endpoint) -> bool,
) -> Option<&Arc<Endpoint>> {
    let first = any_usable(endpoints, &usable)?;
    if endpoints.len() == 1 {
        return Some(first);
    }
    let other = |endpoint: &Endpoint| endpoint.id != first.id && usable(endpoint);
    let Some(second) = any_usable(endpoints, other) else {
        return Some(first);
    };
    if second.outstanding() < first.outstanding() {
        Some(second)
    } else {
        Some(first)
    }
}

fn any_usable(
    endpoints: &[Arc<Endpoint>],
    usable: impl Fn(&Endpoint) -> bool,
) -> Option<&Arc<Endpoint>> {
    if endpoints.is_empty() {
        return None;
    }
    let (before, from) = endpoints.split_at(fastrand::usize(..endpoints.len()));
    from.iter().chain(before).find(|endpoint| usable(endpoint))
}

/// A Deployment ends its old pods after new ones are there, within the time that it gives them.
const CHANGING: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
