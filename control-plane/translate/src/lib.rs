//! Kubernetes objects in, a snapshot and problems out: pure, sorted, versioned by content.
//!
//! It does not do any I/O, read a clock, log, panic, or remember anything but the last translation. A source fills
//! [`Objects`], [`Objects::apply`] says whether a change matters, [`translate`] says what all of it means:
//!
//! ```text
//!    Settings
//!       ^ spec.parameters
//!  IngressClass <--spec.ingressClassName-- Ingress --spec.tls[].secretName--> Secret
//!       |                                   |   |                                |
//!  spec.controller                     host,|   |backend.service                 | tls.crt, tls.key
//!   (served?)                          path |   v                                v
//!                                           |  Service <--label service-name-- EndpointSlice
//!                                           |   |   port, by number or name       |  port, by the
//! ==== objects ============================ | = | =============================== | = Service port's name
//! ==== resources ========================== v = v =============================== v ==================
//!
//!  Listener   Settings <--settings--- Route --weighted--> Backend <--same name-- Endpoints
//!                                       | |
//!                                  host | +--certificate--> Certificate (namespace/secret, default)
//!                                       v                        ^
//!                                      Host ----certificate------+
//! ```
//!
//! and beside it what is done to requests:
//!
//! ```text
//!  Settings (of the class) --policies--> Policy
//!     Ingress --annotations-----------------^
//!     |   |
//!     |   +--annotations--> Middleware <--annotations-- Service --annotations--> ServersTransport (Backend.tls)
//!     |                      |   ^  |
//!     |  (TLSOption, too)    |   +--+ chain        Secret: users, authorities
//! ====|======================|=======================|=========================
//!     v                      v                       |
//!   Route ---in order---> Policy <-------------------+
//! ```
//!
//! First each Ingress is read on its own (`reading.rs`): whether it is served (`class.rs`, `ingress.rs`), what `spec.tls`
//! says (`tls.rs`), the routes that it wants with their paths, annotations and backends (`routes.rs`, `path.rs`,
//! `annotations.rs`, `backends.rs`) and policies (`policies.rs`, `traefik.rs`), what its Secrets hold (`secret.rs`, `certificates.rs`).
//! Then what several share is settled (`merged.rs`): who owns each host and gets each path (`claims.rs`), whose certificate a
//! host gets (`hosts.rs`), which policies and backends are used, and last the endpoints (`endpoints.rs`). After a change only
//! what it touches is done again ([`retranslate`]). `testdata` shows every behaviour as a pair of files.

mod annotations;
mod backends;
mod certificates;
mod claims;
mod class;
mod custom;
mod duty;
mod endpoints;
mod external_name;
mod hosts;
mod ingress;
mod merged;
mod needs;
mod node;
mod object;
mod objects;
mod parse;
mod path;
mod policies;
mod problem;
mod reading;
mod routes;
mod schema;
mod secret;
mod settings;
mod tls;
mod traefik;
mod translation;
mod value;
mod yaml;

pub use crate::class::assumed_class;
pub use crate::custom::{Custom, CustomKind, PolicyKind, SettingsKind};
pub use crate::object::Object;
pub use crate::objects::{Change, Changed, Objects};
pub use crate::parse::{DocumentProblem, ParsedObjects, Place, parse_objects, places};
pub use crate::policies::{
    PolicyAnnotation, PolicyStep, policy_annotations, policy_definition, policy_fields,
    policy_steps,
};
pub use crate::problem::ProblemCode;
pub use crate::schema::SpecField;
pub use crate::settings::{
    EdgeSettings, IngressSettings, PolicyReference, ProxySet, SecretReference, SettingsError,
    StatusAddress, StatusSettings, settings_definition, settings_fields,
};
pub use crate::traefik::{
    Middleware, MiddlewareKind, ServersTransport, ServersTransportKind, TlsOption, TlsOptionKind,
};
pub use crate::translation::{Options, Translation, retranslate, translate};
