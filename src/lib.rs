pub mod cluster;
pub mod databricks;
pub mod policy;
pub mod service;
pub mod signals;
pub mod timestamp;
