//! Puts our transport under the Azure SDK.
