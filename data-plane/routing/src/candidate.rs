//! Who else could have answered, and why it did not: a lookup that shows its work, for people.

use std::fmt;

use sluice_proto::{HostPattern, PathMatch, Precedence, Route};

use crate::route_table::{RouteTable, Routed};

/// A route under a host that takes the request's.
#[derive(Debug)]
pub struct Candidate<'a, R> {
    /// The route.
    pub routed: &'a R,
    /// Why it does not answer; `None` if it does.
    pub loss: Option<Loss>,
}

/// Why a route does not answer a request although its host takes the request's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Loss {
    /// The path is another.
    Path(PathMatch),
    /// A route of a more specific host answers.
    Host {
        /// Its own host.
        own: HostPattern,
        /// The winner's.
        winner: HostPattern,
    },
    /// A route with a more specific path answers.
    LessSpecificPath {
        /// Its own path.
        own: PathMatch,
        /// The winner's.
        winner: PathMatch,
    },
    /// A route with a higher priority answers.
    Priority {
        /// The winner's path.
        winner: PathMatch,
    },
    /// An older Ingress has the same host and path.
    Younger {
        /// The older one, as `namespace/name`.
        winner: String,
    },
    /// An Ingress of the same age has the same host and path, and its name comes first.
    LaterName {
        /// The other one, as `namespace/name`.
        winner: String,
    },
}

impl<R: Routed> RouteTable<R> {
    /// Returns every route whose host takes `host`: the one that [`RouteTable::lookup`] finds, then the others that match
    /// the path, then those that do not; best first.
    #[must_use]
    pub fn candidates(&self, host: &str, path: &str) -> Vec<Candidate<'_, R>> {
        let winner = self.lookup(host, path);
        let all = || self.hosts(host).flat_map(|host| host.routes());
        let matches = |routed: &&R| routed.route().path.matches(path);
        let others = all()
            .filter(matches)
            .chain(all().filter(|routed| !matches(routed)));
        let lost = others.filter_map(|routed| {
            let is_winner = winner.is_some_and(|winner| std::ptr::eq(winner, routed));
            (!is_winner).then(|| Candidate {
                routed,
                loss: Some(loss(routed.route(), winner.map(Routed::route), path)),
            })
        });
        let won = winner.map(|routed| Candidate { routed, loss: None });
        won.into_iter().chain(lost).collect()
    }
}

fn loss(own: &Route, winner: Option<&Route>, path: &str) -> Loss {
    let Some(winner) = winner.filter(|_| own.path.matches(path)) else {
        return Loss::Path(own.path.clone());
    };
    if own.host != winner.host {
        return Loss::Host {
            own: own.host.clone(),
            winner: winner.host.clone(),
        };
    }
    let has_priority = own.priority.is_some() || winner.priority.is_some();
    if has_priority && own.effective_priority() < winner.effective_priority() {
        return Loss::Priority {
            winner: winner.path.clone(),
        };
    }
    if own.path != winner.path {
        return Loss::LessSpecificPath {
            own: own.path.clone(),
            winner: winner.path.clone(),
        };
    }
    debug_assert!(Precedence::of(winner) <= Precedence::of(own));
    let name = format!("{}/{}", winner.ingress.namespace, winner.ingress.name);
    if own.created_unix_s == winner.created_unix_s {
        Loss::LaterName { winner: name }
    } else {
        Loss::Younger { winner: name }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "its path ({path}) does not match"),
            Self::Host { own, winner } => {
                write!(f, "its host {own} is less specific than {winner}")
            }
            Self::LessSpecificPath { own, winner } => {
                write!(f, "its path ({own}) is less specific than ({winner})")
            }
            Self::Priority { winner } => {
                write!(f, "its priority is lower than that of ({winner})")
            }
            Self::Younger { winner } => {
                write!(
                    f,
                    "Ingress {winner}, which is older, has the same host and path"
                )
            }
            Self::LaterName { winner } => write!(
                f,
                "Ingress {winner}, which is as old and comes first by name, has the same host and path"
            ),
        }
    }
}
