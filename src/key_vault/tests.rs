//! Tests of the key vault.
