//! The control plane: watches Ingresses and what they name, and streams snapshots to the data planes.
//!
//! The modules stand in the order of the pipeline: [`source`] sends what changes to [`reconcile`], which owns the
//! objects and publishes what they mean.

pub mod app;
mod args;
pub mod check;
mod connection;
pub mod events;
mod host;
pub mod identity;
pub mod introspection;
mod kinds;
pub mod leadership;
pub mod listen;
pub mod log;
pub mod metrics;
mod path_watch;
pub mod publication;
pub mod reconcile;
pub mod renew;
pub mod settings;
pub mod source;
pub mod status;
pub mod stream;

pub use crate::args::{Args, Command, LogFormat, SourceKind};
