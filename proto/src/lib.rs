//! The contract between Sluice's two planes.
//!
//! * [`wire`]: the generated messages, and with the feature `grpc` their clients and servers.
//! * [`Resource`] and its kinds: the same, parsed. Past this border no field that must be there is an `Option`, and no
//!   host, path or address is a raw string.
//! * [`Snapshot`]: all resources that a data plane should hold, each with the [`Version`] that its content gives it.
//! * [`Snapshot::changes_since`] and [`Snapshot::apply`]: how one snapshot becomes another.
//!
//! It does not contain any I/O, clock or task: both pure cores (translation and routing) look at it.

mod backend;
mod certificate;
mod delta;
mod endpoints;
mod error;
mod host;
mod key;
mod listener;
mod path;
mod policy;
mod precedence;
mod problem;
mod request_match;
mod resource;
mod route;
mod settings;
mod settings_name;
mod snapshot;
mod sticky;
mod version;
pub mod wire;

pub use crate::backend::{Backend, BackendName, BackendProtocol, BackendTarget};
pub use crate::certificate::{Certificate, CertificateMaterial, CertificateName};
pub use crate::delta::{Difference, Refusal};
pub use crate::endpoints::{Endpoint, EndpointState, Endpoints};
pub use crate::error::InvalidResource;
pub use crate::host::{Host, HostPattern, InvalidHost};
pub use crate::key::{Kind, ResourceKey};
pub use crate::listener::{Listener, ListenerProtocol};
pub use crate::path::{InvalidPath, PathMatch, normalised_path};
pub use crate::policy::{
    AddressFilter, BasicAuth, BodyLimit, ClientCertificate, Compression, ConcurrencyLimit, Cors,
    Credential, Encoding, ForwardAuth, HeaderChange, HeaderOperation, HeaderRules,
    MOST_PATTERN_BYTES, Policy, PolicyAction, PolicyName, RateLimit, Redirect, RedirectParts,
    RedirectTo, Replacement, Retry, Rewrite, RouteTimeouts, Source, SourceBy, UpstreamTls,
};
pub use crate::precedence::Precedence;
pub use crate::problem::{ObjectReference, Problem};
pub use crate::request_match::{MatchBy, MatchValue, RequestMatch};
pub use crate::resource::Resource;
pub use crate::route::{Route, RouteAction, WeightedBackend};
pub use crate::settings::{
    AccessLog, Limits, MissingCertificate, Settings, Timeouts, TlsVersion, TrustedSet,
};
pub use crate::settings_name::SettingsName;
pub use crate::snapshot::{Entry, Holdings, Snapshot};
pub use crate::sticky::{SameSite, Sticky};
pub use crate::version::Version;

/// The compiled .proto files (a `google.protobuf.FileDescriptorSet`), for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
