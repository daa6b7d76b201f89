//! Kubernetes objects in, a snapshot and problems out: pure, sorted, versioned by content.
//!
//! It does not do any I/O, read a clock, log, panic, or remember anything between two translations. A source fills
//! [`Objects`], [`Objects::apply`] says whether a change matters, [`translate`] says what all of it means:
//!
//! ```text
//!  IngressClass <--spec.ingressClassName-- Ingress --spec.tls[].secretName--> Secret
//!       |                                   |   |                                |
//!  spec.controller                     host,|   |backend.service                 | tls.crt, tls.key
//!   (served?)                          path |   v                                v
//!                                           |  Service <--label service-name-- EndpointSlice
//!                                           |   |   port, by number or name       |  port, by the
//! ==== objects ============================ | = | =============================== | = Service port's name
//! ==== resources ========================== v = v =============================== v ==================
//!
//!  Listener, Settings (edge)          Route --weighted--> Backend <--same name-- Endpoints
//!                                       | |
//!                                  host | +--certificate--> Certificate (namespace/secret, default)
//!                                       v                        ^
//!                                      Host ----certificate------+
//! ```
//!
//! The stages, in their order: which Ingresses are served (`class.rs`, `ingress.rs`), who owns each host
//! (`claims.rs`), what `spec.tls` says (`tls.rs`), the routes with their paths, annotations and backends (`routes.rs`,
//! `path.rs`, `annotations.rs`, `backends.rs`), who gets a path that several want (`claims.rs`), what the Secrets hold
//! (`secret.rs`, `certificates.rs`), whose certificate a host gets (`hosts.rs`), and last the endpoints
//! (`endpoints.rs`), which can be done again without any route. `testdata` shows every behaviour as a pair of files.

mod annotations;
mod backends;
mod certificates;
mod claims;
mod class;
mod endpoints;
mod external_name;
mod hosts;
mod ingress;
mod node;
mod object;
mod objects;
mod parse;
mod path;
mod problem;
mod routes;
mod secret;
mod settings;
mod tls;
mod translation;
mod yaml;

pub use crate::object::Object;
pub use crate::objects::{Change, Objects};
pub use crate::parse::{DocumentProblem, ParsedObjects, parse_objects};
pub use crate::problem::ProblemCode;
pub use crate::settings::{
    EdgeSettings, IngressSettings, SecretReference, SettingsError, StatusAddress, StatusSettings,
};
pub use crate::translation::{Options, Translation, referenced_secrets, retranslate, translate};
