//! What Sluice promises, shown with real programs. One module per subject; the ground they stand on
//! is `sluice_integration_tests`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod demo;
mod images;
mod kubernetes;
mod kubernetes_harness;
mod traffic;
