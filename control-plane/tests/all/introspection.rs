//! Introspection over real gRPC: what people see, and what they never see.

mod explain;
mod reflection;
mod snapshot;
