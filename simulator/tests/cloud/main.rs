//! The simulator's own tests, from outside: a client that comes through the proxy with the simulator's
//! authority, as the handler does.
//!
//! One test target for all services, so that it is linked once.

mod client;
mod path;
