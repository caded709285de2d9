//! What monitoring systems read: the figures of a [`System`](crate::System) in their formats.
//!
//! Nothing is counted here. The figures are gathered from where they stand when somebody asks, so whoever does not ask
//! pays nothing. The crate that writes the text format is known in `families` alone.

mod families;
mod metrics;
#[cfg(feature = "otlp")]
mod otlp;

pub use families::CONTENT_TYPE;
pub use metrics::metrics;
#[cfg(feature = "otlp")]
pub use otlp::{Exporter, OtlpError};
