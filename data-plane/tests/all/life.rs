//! The life of a data plane: the real program, with a real control plane's end of the stream, real folders and signals.

mod admin;
mod disk;
mod environment;
mod half_open;
mod hand_over;
mod harness;
mod identity;
mod memory;
mod redirect;
mod restart;
mod staleness;
mod stop;
mod stream;
mod trust;
