//! The stream from the control plane: what it sends is applied to the edge, and answered.
//!
//! [`machine`] decides what is said and [`course`] to whom, without any I/O; [`client`] connects, reconnects and carries; [`failure`] says why it could not;
//! [`status`] is what others may know of it. It does not serve a request: without a control plane, the edge serves on.

mod client;
mod course;
mod dial;
mod failure;
mod machine;
mod metrics;
mod staleness;
mod status;

pub(crate) use crate::sync::client::{StreamClient, SyncConfig};
pub(crate) use crate::sync::metrics::StreamMetrics;
pub(crate) use crate::sync::staleness::mark_stale_endpoints;
pub(crate) use crate::sync::status::{Link, SyncStatus};
