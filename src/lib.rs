pub mod azure_monitor;
pub mod cluster;
pub mod policy;
pub mod service;
pub mod signals;
pub mod spark;
pub mod timestamp;
pub mod witness;
