//! Sluice's data plane: proxies the traffic of one node by the snapshot that the control plane sends.

mod access_log;
mod clock;
mod cores;
pub mod edge;
mod listener;
pub mod metrics;
mod proxy;
mod serving;
mod tls;
