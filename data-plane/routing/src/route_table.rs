//! The route table: which route answers a host and a path. Built once from typed routes; a lookup allocates nothing.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
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
#[derive(Debug)]
pub struct RouteTable<R> {
    exact: HashMap<Arc<str>, HostRoutes<R>>,
    wildcard: HashMap<Arc<str>, HostRoutes<R>>,
    any: Option<HostRoutes<R>>,
}

/// The routes of one host pattern, best first.
#[derive(Debug)]
pub(crate) struct HostRoutes<R> {
    routes: Vec<R>,
    paths: PathTable,
}

impl<R: Routed> RouteTable<R> {
    /// Returns the table of these routes, which may come in any order.
    pub fn new(routes: impl IntoIterator<Item = R>) -> Self {
        let mut exact: HashMap<Arc<str>, Vec<R>> = HashMap::new();
        let mut wildcard: HashMap<Arc<str>, Vec<R>> = HashMap::new();
        let mut any = Vec::new();
        for routed in routes {
            match &routed.route().host {
                HostPattern::Exact(name) => push(exact.entry(Arc::clone(name)), routed),
                HostPattern::Wildcard(parent) => push(wildcard.entry(Arc::clone(parent)), routed),
                HostPattern::Any => any.push(routed),
            }
        }
        let sorted = |hosts: HashMap<Arc<str>, Vec<R>>| {
            let hosts = hosts.into_iter();
            hosts.map(|(name, routes)| (name, HostRoutes::new(routes)))
        };
        Self {
            exact: sorted(exact).collect(),
            wildcard: sorted(wildcard).collect(),
            any: (!any.is_empty()).then(|| HostRoutes::new(any)),
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
    }
}

impl<R: Routed> HostRoutes<R> {
    fn new(mut routes: Vec<R>) -> Self {
        routes.sort_by(|a, b| Precedence::of(a.route()).cmp(&Precedence::of(b.route())));
        routes.shrink_to_fit();
        let paths = PathTable::new(routes.iter().map(|routed| &routed.route().path));
        Self { routes, paths }
    }

    pub(crate) fn lookup(&self, path: &str) -> Option<&R> {
        self.routes.get(self.paths.lookup(path)?)
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

fn push<R>(entry: Entry<'_, Arc<str>, Vec<R>>, routed: R) {
    entry.or_default().push(routed);
}

#[cfg(test)]
mod tests;
