//! Which of several routes answers.

use std::cmp::Reverse;

use crate::host::HostPattern;
use crate::path::PathMatch;
use crate::route::Route;

/// The rank of a route among those that match a request: the least one answers.
///
/// The order of the fields is the rule. Kubernetes: "precedence will be given first to the longest matching path. If two
/// paths are still equally matched, precedence will be given to paths with an exact path type over prefix path type." An
/// Ingress may say a priority, which counts instead of that length. The host comes before the path, so that nobody's long
/// path on every host takes another's host; the older object comes last, so that nobody takes what is already in use.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Precedence<'a> {
    host: HostRank,
    priority: Reverse<i64>,
    path: PathRank,
    created_unix_s: i64,
    namespace: &'a str,
    ingress: &'a str,
    name: &'a str,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum HostRank {
    Exact,
    Wildcard,
    Any,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum PathRank {
    Exact,
    Prefix,
    Default,
}

impl<'a> Precedence<'a> {
    /// Returns the rank of this route.
    #[must_use]
    pub fn of(route: &'a Route) -> Self {
        Self {
            host: match route.host {
                HostPattern::Exact(_) => HostRank::Exact,
                HostPattern::Wildcard(_) => HostRank::Wildcard,
                HostPattern::Any => HostRank::Any,
            },
            priority: Reverse(route.effective_priority()),
            path: match &route.path {
                PathMatch::Exact(_) => PathRank::Exact,
                PathMatch::Prefix(_) => PathRank::Prefix,
                PathMatch::Default => PathRank::Default,
            },
            created_unix_s: route.created_unix_s,
            namespace: &route.ingress.namespace,
            ingress: &route.ingress.name,
            name: &route.name,
        }
    }
}

impl Route {
    /// Returns its priority among the routes of its host: of two paths that take the same request, the one with more elements
    /// is the longer one.
    #[must_use]
    pub fn effective_priority(&self) -> i64 {
        self.priority.unwrap_or_else(|| match &self.path {
            // The root is not shorter as a prefix.
            PathMatch::Exact(path) | PathMatch::Prefix(path) => {
                i64::try_from(path.len().max(1)).unwrap_or(i64::MAX)
            }
            PathMatch::Default => i64::MIN,
        })
    }
}
