//! What Traefik's users wrote: its Middlewares, and the annotations that name them.
//!
//! It becomes policies, which do not know who wrote them: nothing after translation knows this dialect. What an annotation
//! other than those of Middlewares costs is not said here (`annotations/foreign.rs`).

mod annotations;
mod attach;

mod kept;
mod kinds;
mod middleware;
mod value;

pub use crate::traefik::middleware::{Middleware, MiddlewareKind};

pub(crate) use crate::traefik::annotations::{Scheme, exact_paths, ids, names, scheme};
pub(crate) use crate::traefik::attach::attach;
pub(crate) use crate::traefik::kept::{Kept, id};

/// What it costs that a Middleware cannot be had.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Duty {
    /// It keeps requests out, or confines what they reach: the routes answer 503 without it.
    Protects,
    /// It makes something better: the routes are served without it.
    Improves,
}
