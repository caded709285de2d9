//! The spans of a request, for whoever collects traces: request, commands, deliveries of policies.
//!
//! ```text
//! request (traceparent) --> command --> command (a step's)
//!                       \-> policy (an event's delivery) --> command
//! ```
//!
//! They are `tracing` spans of a target of their own, which nothing shows unless traces are exported: then each costs
//! one load; to record something in one that is not there costs more. Who belongs to whom is said by ids in their fields and not by who is inside of whom, since most of it goes on
//! in other tasks, and some of it after a restart. A leaf: it knows nothing of ours.

use tracing::{Span, field::Empty, trace_span};

/// What tells these spans from those of the log.
pub(crate) const TARGET: &str = "steadfast::spans";

/// A request from its head to its answer.
pub(crate) fn request(correlation: &str, traceparent: &str, method: &str) -> Span {
    trace_span!(target: TARGET, "request", correlation, traceparent, method, route = Empty, status = Empty)
}

/// Says what was answered.
pub(crate) fn answered(span: &Span, route: &str, status: u16) {
    if !span.is_disabled() {
        span.record("route", route);
        span.record("status", status);
    }
}

/// A command from being asked to its answer; `cause` is the command or the delivery that it comes from.
pub(crate) fn command(correlation: &str, kind: &str, command: u128, cause: impl FnOnce() -> Option<u128>) -> Span {
    let span = trace_span!(
        target: TARGET, "command", correlation, kind, id = command, cause = Empty, outcome = Empty
    );
    if !span.is_disabled()
        && let Some(cause) = cause()
    {
        span.record("cause", cause);
    }
    span
}

/// Says how it ended.
pub(crate) fn ended(span: &Span, outcome: &str) {
    if !span.is_disabled() {
        span.record("outcome", outcome);
    }
}

/// A delivery of a policy or connector, with all its tries.
pub(crate) fn delivery(correlation: &str, consumer: &str, id: impl FnOnce() -> u128) -> Span {
    let span = trace_span!(target: TARGET, "policy", correlation, consumer, id = Empty);
    if !span.is_disabled() {
        span.record("id", id());
    }
    span
}

/// The id of a delivery: the same for whoever delivers and for the command that comes of it.
pub(crate) fn delivery_id(consumer: &str, unit: &str, partition: u16, offset: u64, index: u16) -> u128 {
    xxhash_rust::xxh3::xxh3_128(format!("{consumer}:{unit}:{partition}:{offset}:{index}").as_bytes())
}
