//! The ground itself: that a cluster is a real one, that a namespace is closed, that a program
//! ends, that nothing is left behind, and that what is missing is named. What Sluice promises is
//! not shown here.

mod again;
mod cluster;
mod missing;
mod namespace;
mod process;
mod tools;
