//! The source `files`, with real folders: what it sends as files come, change, break and go.

mod broken;
mod changes;
mod observed;
