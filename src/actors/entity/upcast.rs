//! How an event of an earlier release is read by this one.

use serde_json::Value;

/// Makes the fields of one version of an event what the next version has. Pure, and never changed once released: the
/// bytes that it reads are on disk.
#[derive(Clone, Copy, Debug)]
pub struct Upcast {
    /// Name of the event as it was written. On disk: never rename.
    pub event: &'static str,
    /// The version that it reads; what it gives is of the next version.
    pub from: u16,
    /// Name of the event from then on: the same, or the one that it was renamed to.
    pub into: &'static str,
    /// The fields, `null` for an event without.
    pub fields: fn(Value) -> Value,
}
