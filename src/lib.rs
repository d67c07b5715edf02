pub mod cluster;
pub mod escape;
pub mod logging;
pub mod policy;
pub mod service;
pub mod settings;
pub mod signals;
pub mod timestamp;
