//! Which of several routes answers.

use std::cmp::Reverse;

use crate::host::HostPattern;
use crate::path::PathMatch;
use crate::route::Route;

/// The rank of a route among those that match a request: the least one answers.
///
/// The order of the fields is the rule. Kubernetes: "precedence will be given first to the longest matching path. If two
/// paths are still equally matched, precedence will be given to paths with an exact path type over prefix path type."
/// The host comes before the path, so that nobody's long path on every host takes another's host; the older object
/// comes last, so that nobody takes what is already in use.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Precedence<'a> {
    host: HostRank,
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
    // An exact path that matches a request is at least as long as any prefix that does.
    Exact,
    Prefix(Reverse<usize>),
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
            path: match &route.path {
                PathMatch::Exact(_) => PathRank::Exact,
                PathMatch::Prefix(prefix) => PathRank::Prefix(Reverse(prefix.split('/').count())),
                PathMatch::Default => PathRank::Default,
            },
            created_unix_s: route.created_unix_s,
            namespace: &route.ingress.namespace,
            ingress: &route.ingress.name,
            name: &route.name,
        }
    }
}
