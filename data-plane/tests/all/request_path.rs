//! The request path: a real edge on loopback, with real backends behind it and real clients before it.

mod answers;
mod harness;
