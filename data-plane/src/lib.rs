//! Sluice's data plane: proxies the traffic of one node by the snapshot that the control plane sends.

pub mod edge;
pub mod metrics;
