//! The stream: real gRPC over mutual TLS between the server and data planes that the tests lead by the hand.

mod half_open;
mod leadership;
mod life;
mod refusals;
mod slow;
mod strangers;
mod sync;
