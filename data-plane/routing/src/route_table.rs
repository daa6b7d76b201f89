//! The route table: which route answers a host and a path. Built from typed routes; a lookup allocates nothing.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sluice_proto::{HostPattern, Precedence, Route};

use crate::path_table::PathTable;

/// Whatever belongs to a route.
pub trait Routed {
    /// Returns the route.
    fn route(&self) -> &Route;
}

/// Which route answers a host and a path.
///
/// Among all routes whose host **and** path match, [`Precedence`] decides: an exact host whose paths do not match falls
/// through to the wildcard, and that to the routes for any host.
#[derive(Clone, Debug)]
pub struct RouteTable<R> {
    exact: HashMap<Arc<str>, Arc<HostRoutes<R>>>,
    wildcard: HashMap<Arc<str>, Arc<HostRoutes<R>>>,
    any: Option<Arc<HostRoutes<R>>>,
}

/// The routes of one host pattern, best first.
#[derive(Debug)]
pub(crate) struct HostRoutes<R> {
    routes: Vec<R>,
    // `None` where a priority goes before the length of a path: then they are tried one after the other.
    paths: Option<PathTable>,
}

impl<R: Routed> RouteTable<R> {
    /// Returns the table of these routes, which may come in any order.
    pub fn new(routes: impl IntoIterator<Item = R>) -> Self {
        let mut hosts: HashMap<HostPattern, Vec<R>> = HashMap::new();
        for routed in routes {
            let host = routed.route().host.clone();
            hosts.entry(host).or_default().push(routed);
        }
        let mut table = Self::default();
        for (host, routes) in hosts {
            table.set(host, routes);
        }
        table
    }

    /// Returns this table without the routes that have the hosts and names of `removed`, and with `added`: what
    /// [`Self::new`] makes of the same routes, at the price of the hosts that change. A changed route is in both.
    #[must_use]
    pub fn with<'a>(
        &self,
        removed: impl IntoIterator<Item = &'a Route>,
        added: impl IntoIterator<Item = R>,
    ) -> Self
    where
        R: Clone,
    {
        let mut hosts: HashMap<HostPattern, (HashSet<&str>, Vec<R>)> = HashMap::new();
        for route in removed {
            let (gone, _) = hosts.entry(route.host.clone()).or_default();
            gone.insert(&route.name);
        }
        for routed in added {
            let (_, new) = hosts.entry(routed.route().host.clone()).or_default();
            new.push(routed);
        }
        let mut table = self.clone();
        for (host, (gone, mut routes)) in hosts {
            let earlier = table.host(&host).map_or(&[][..], |host| host.routes());
            let stays = |routed: &&R| !gone.contains(&*routed.route().name);
            routes.extend(earlier.iter().filter(stays).cloned());
            table.set(host, routes);
        }
        table
    }

    fn host(&self, host: &HostPattern) -> Option<&Arc<HostRoutes<R>>> {
        match host {
            HostPattern::Exact(name) => self.exact.get(name),
            HostPattern::Wildcard(parent) => self.wildcard.get(parent),
            HostPattern::Any => self.any.as_ref(),
        }
    }

    fn set(&mut self, host: HostPattern, routes: Vec<R>) {
        let routes = (!routes.is_empty()).then(|| Arc::new(HostRoutes::new(routes)));
        let (hosts, name) = match host {
            HostPattern::Exact(name) => (&mut self.exact, name),
            HostPattern::Wildcard(parent) => (&mut self.wildcard, parent),
            HostPattern::Any => {
                self.any = routes;
                return;
            }
        };
        match routes {
            Some(routes) => drop(hosts.insert(name, routes)),
            None => drop(hosts.remove(&name)),
        }
    }

    /// Returns what answers a request for `host` (as [`crate::request_host`] returns it) and `path` (without a query).
    #[must_use]
    pub fn lookup(&self, host: &str, path: &str) -> Option<&R> {
        self.hosts(host).find_map(|host| host.lookup(path))
    }

    /// Returns the routes that take this host, those of the most specific pattern first.
    pub(crate) fn hosts(&self, host: &str) -> impl Iterator<Item = &HostRoutes<R>> {
        let wildcard = || {
            // "`*.foo.com` […] matches `bar.foo.com` […] only covers a single DNS label".
            let (label, parent) = host.split_once('.')?;
            (!label.is_empty()).then(|| self.wildcard.get(parent))?
        };
        let exact = self.exact.get(host);
        exact
            .into_iter()
            .chain(std::iter::once_with(wildcard).flatten())
            .chain(&self.any)
            .map(|host| &**host)
    }
}

impl<R> Default for RouteTable<R> {
    /// Returns a table without routes.
    fn default() -> Self {
        Self {
            exact: HashMap::new(),
            wildcard: HashMap::new(),
            any: None,
        }
    }
}

impl<R: Routed> HostRoutes<R> {
    fn new(mut routes: Vec<R>) -> Self {
        routes.sort_by(|a, b| Precedence::of(a.route()).cmp(&Precedence::of(b.route())));
        routes.shrink_to_fit();
        let has_priority = routes.iter().any(|own| own.route().priority.is_some());
        let paths = || PathTable::new(routes.iter().map(|routed| &routed.route().path));
        let paths = (!has_priority).then(paths);
        Self { routes, paths }
    }

    pub(crate) fn lookup(&self, path: &str) -> Option<&R> {
        match &self.paths {
            Some(paths) => self.routes.get(paths.lookup(path)?),
            None => (self.routes.iter()).find(|own| own.route().path.matches(path)),
        }
    }

    pub(crate) fn routes(&self) -> &[R] {
        &self.routes
    }
}

impl Routed for Route {
    fn route(&self) -> &Route {
        self
    }
}

impl<R: Routed + ?Sized> Routed for &R {
    fn route(&self) -> &Route {
        (**self).route()
    }
}

impl<R: Routed + ?Sized> Routed for Arc<R> {
    fn route(&self) -> &Route {
        (**self).route()
    }
}

#[cfg(test)]
mod tests;
