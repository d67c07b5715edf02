//! The simulator's own tests, from outside: a client that comes through the proxy with the simulator's
//! authority, as the handler does.
//!
//! One test target for all services, so that it is linked once.

mod access;
mod arm;
mod assertions;
mod client;
mod clusters;
mod driver;
mod entra;
mod faults;
mod identities;
mod members;
mod path;
mod proxy;
mod real_driver;
mod runs;
mod vault;
mod world;
