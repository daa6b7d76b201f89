//! The program behind `cargo demo`, as a user runs it, and the `files` source that it stands on.

mod files;
mod program;
