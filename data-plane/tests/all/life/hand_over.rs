//! The hand-over between two pods of a node: real processes, and clients that never stop.

mod ends;
mod metrics;
mod replacement;
mod strangers;
