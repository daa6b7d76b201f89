//! The contract between the planes under arbitrary input: what is sent arrives as it was, and what should never be sent
//! is refused by name, alone and without a panic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that fails says where"
)]

mod arbitrary;
mod border;
mod difference;
mod garbage;
mod refusals;
mod secrecy;
