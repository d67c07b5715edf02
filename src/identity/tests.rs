//! Tests of the identity.
