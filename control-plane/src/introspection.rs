//! How people look into the running control plane: nodes, snapshot, problems, and what would answer a URL.
//!
//! gRPC with reflection, so that `grpcurl` needs no proto file. It changes nothing, and never shows a key.

mod explain;
mod nodes;
mod server;
mod service;
mod snapshot;
mod url;

pub(crate) use crate::introspection::explain::{ExplainedBackend, Resources};
pub use crate::introspection::server::{IntrospectionError, IntrospectionServer};
