//! Sluice's data plane: proxies the traffic of one node by the snapshot that the control plane sends.
//!
//! # Layout
//!
//! * [`app`] wires and owns everything; [`args`] and [`log`] are what it is told and what it tells.
//! * `sync` is the stream from the control plane, [`identity`] who this data plane is to it, [`disk_copy`] the copy of
//!   the last snapshot, [`admin`] the socket that probes ask, `health` what they are told, `hand_over` how the listening
//!   sockets go from one process of a node to the next.
//! * [`edge`] is the running request path: `serving` what is served, `listener` and `cores` where connections come in,
//!   `tls` and `proxy` what is done with them; [`metrics`] and `access_log` what is told of it.

mod access_log;
pub mod admin;
pub mod app;
pub mod args;
mod causes;
mod clock;
mod cores;
mod descriptors;
pub mod disk_copy;
pub mod edge;
mod hand_over;
mod health;
pub mod identity;
mod listener;
pub mod log;
mod memory;
pub mod metrics;
mod policy;
mod proxy;
mod serving;
mod sync;
mod tls;
