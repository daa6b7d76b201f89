//! The program as a process of its own: how it starts, serves, refuses to start, renews, and ends.

mod lifecycle;
mod process;
mod refusals;
mod renew;
