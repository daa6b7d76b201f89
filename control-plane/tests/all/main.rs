//! The tests of the program `sluice-control-plane` and of its parts, with real files, sockets and processes.
//!
//! What needs a Kubernetes API server is in the package `sluice-integration-tests`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod data_plane;
mod files_source;
mod identity;
mod introspection;
mod objects;
mod program;
mod running;
mod settings;
mod stream;
mod wait;
