//! The program as a process of its own: how it starts, serves, refuses to start, checks, renews, and ends.

mod check;
mod lifecycle;
mod process;
mod refusals;
mod renew;
