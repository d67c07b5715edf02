//! Reads secrets from Key Vault.

pub use crate::identity::{SecretError, SecretErrorKind, SecretName};
