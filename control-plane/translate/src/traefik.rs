//! What Traefik's users wrote: its Middlewares, ServersTransports and TLSOptions, and the annotations that name them.
//!
//! It becomes policies and what endpoints are spoken to by, which do not know who wrote them: nothing after translation knows
//! this dialect. What an annotation that Sluice does not do costs is not said here (`annotations/foreign.rs`).

mod annotations;
mod attach;
mod kept;
mod kinds;
mod named;
mod objects;
mod priority;
mod sticky;
mod tls_option;
mod transport;
mod value;

pub use crate::traefik::objects::{
    Middleware, MiddlewareKind, ServersTransport, ServersTransportKind, TlsOption, TlsOptionKind,
};

pub(crate) use crate::traefik::annotations::{
    Scheme, exact_paths, ids, names, native, passes_host, scheme, switch,
};
pub(crate) use crate::traefik::attach::attach;
pub(crate) use crate::traefik::kept::Kept;
pub(crate) use crate::traefik::named::{Id, Kind, Meant, Stored};
pub(crate) use crate::traefik::priority::{is_priority, priority};
pub(crate) use crate::traefik::sticky::{is_sticky, service_id, sticky};
pub(crate) use crate::traefik::transport::upstream_tls;
