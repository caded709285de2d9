//! Traces for a collector: the spans of `crate::spans`, sent by OTLP over HTTP.
//!
//! All spans of a request have one trace id: that of its `traceparent`, else one that follows from its correlation id.
//! So what a policy does later belongs to the trace, also in another process after a restart. Span ids follow from the
//! ids of commands and deliveries in the same way, and nothing has to be handed on.
//!
//! Spans wait in a bounded queue of the SDK's batch processor (2,048), whose thread sends them; beyond, they are dropped.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use opentelemetry::{
    InstrumentationScope, KeyValue,
    trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState},
};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor},
};
use tracing::{
    Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer,
    layer::{Context, Filter},
    registry::LookupSpan,
};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::spans;

/// Requests whose trace is known; what comes later of an older one has a trace id that follows from its correlation.
const KNOWN: usize = 16_384;

/// How long a collector has to take a batch.
const SEND_LIMIT: Duration = Duration::from_secs(10);

/// Traces cannot be exported as they should be.
#[derive(Debug, thiserror::Error)]
#[error("traces cannot be exported to {endpoint}: {reason}")]
pub struct OtlpError {
    /// Where they should go.
    pub endpoint: String,
    /// What the exporter says.
    pub reason: String,
}

/// Exports spans until it is dropped; what waits then is sent.
pub struct Exporter(Arc<BatchSpanProcessor>);

impl Exporter {
    /// A collector at `endpoint`, as `http://127.0.0.1:4318`, which knows this program as `service`.
    ///
    /// # Errors
    /// [`OtlpError`]: the address is none.
    pub fn new(endpoint: &str, service: &str) -> Result<Self, OtlpError> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Sender(
                ureq::Agent::config_builder()
                    .timeout_global(Some(SEND_LIMIT))
                    .http_status_as_error(false)
                    .build()
                    .into(),
            ))
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .build()
            .map_err(|error| OtlpError { endpoint: endpoint.to_owned(), reason: error.to_string() })?;
        let mut processor = BatchSpanProcessor::builder(exporter).build();
        processor.set_resource(&Resource::builder().with_service_name(service.to_owned()).build());
        Ok(Self(Arc::new(processor)))
    }

    /// What takes the spans of this process: this share of the traces, 0 to 1, and all whose `traceparent` says that the
    /// caller keeps them.
    pub fn layer<S>(&self, share: f64) -> impl Layer<S> + Send + Sync + 'static
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        Traces { to: self.0.clone(), share, known: Mutex::default() }.with_filter(Own)
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown_with_timeout(SEND_LIMIT) {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter").finish_non_exhaustive()
    }
}

/// Sends batches on the processor's thread, where blocking is no harm.
#[derive(Debug)]
struct Sender(ureq::Agent);

#[async_trait::async_trait]
impl opentelemetry_http::HttpClient for Sender {
    async fn send_bytes(
        &self,
        request: http::Request<bytes::Bytes>,
    ) -> Result<http::Response<bytes::Bytes>, opentelemetry_http::HttpError> {
        let (parts, body) = request.into_parts();
        let mut response = self.0.run(http::Request::from_parts(parts, body.to_vec()))?;
        let body = response.body_mut().read_to_vec()?;
        Ok(http::Response::builder().status(response.status()).body(body.into())?)
    }
}

/// Only our own spans, and no events.
struct Own;

impl<S> Filter<S> for Own {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: &Context<'_, S>) -> bool {
        metadata.is_span() && metadata.target() == spans::TARGET
    }

    fn callsite_enabled(&self, metadata: &'static tracing::Metadata<'static>) -> tracing::subscriber::Interest {
        let is_own = metadata.is_span() && metadata.target() == spans::TARGET;
        if is_own { tracing::subscriber::Interest::always() } else { tracing::subscriber::Interest::never() }
    }
}

/// The trace of a request, and its span.
#[derive(Debug, Clone, Copy)]
struct Trace {
    id: TraceId,
    span: SpanId,
    is_kept: bool,
}

struct Traces {
    to: Arc<BatchSpanProcessor>,
    share: f64,
    known: Mutex<Known>,
}

/// The newest requests by correlation id.
#[derive(Default)]
struct Known {
    by_correlation: HashMap<String, Trace>,
    order: VecDeque<String>,
}

/// What a span's fields say.
#[derive(Default)]
struct Fields {
    correlation: String,
    traceparent: String,
    id: Option<u128>,
    cause: Option<u128>,
    failed: bool,
    /// It is a probe's or a scrape's, which nobody wants to see.
    dull: bool,
    attributes: Vec<KeyValue>,
}

/// A span under way.
struct Begun {
    fields: Fields,
    at: SystemTime,
    trace: Trace,
    own: SpanId,
    parent: SpanId,
    is_remote: bool,
    kind: SpanKind,
}

impl<S> Layer<S> for Traces
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let Some(span) = context.span(id) else { return };
        let begun = if attributes.metadata().name() == "request" {
            let (trace, parent) = self.arrived(&fields);
            let is_remote = parent != SpanId::INVALID;
            Begun { fields, at: now(), trace, own: trace.span, parent, is_remote, kind: SpanKind::Server }
        } else {
            let trace = self.of(&fields.correlation);
            let (own, parent) = (SpanId::INVALID, trace.span);
            Begun { fields, at: now(), trace, own, parent, is_remote: false, kind: SpanKind::Internal }
        };
        span.extensions_mut().insert(begun);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(begun) = span.extensions_mut().get_mut::<Begun>() {
            values.record(&mut begun.fields);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(begun) = span.extensions_mut().remove::<Begun>() else { return };
        if !begun.trace.is_kept || begun.fields.dull {
            return;
        }
        let Begun { fields, at, trace, own, parent, is_remote, kind } = begun;
        let own = fields.id.map_or(own, span_id);
        let parent = fields.cause.map_or(parent, span_id);
        let flags = TraceFlags::SAMPLED;
        self.to.on_end(SpanData {
            span_context: SpanContext::new(trace.id, own, flags, false, TraceState::NONE),
            parent_span_id: parent,
            parent_span_is_remote: is_remote,
            span_kind: kind,
            name: span.name().into(),
            start_time: at,
            end_time: now(),
            attributes: fields.attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: if fields.failed { Status::error("") } else { Status::Unset },
            instrumentation_scope: InstrumentationScope::builder("steadfast").build(),
        });
    }
}

impl Traces {
    /// The trace of a request, and its caller's span.
    fn arrived(&self, fields: &Fields) -> (Trace, SpanId) {
        let mut parts = fields.traceparent.split('-').skip(1);
        let id = parts.next().and_then(|id| TraceId::from_hex(id).ok()).unwrap_or_else(|| follows(&fields.correlation));
        let parent = parts.next().and_then(|id| SpanId::from_hex(id).ok()).unwrap_or(SpanId::INVALID);
        let caller_keeps = parts.next().and_then(|flags| u8::from_str_radix(flags, 16).ok()).unwrap_or(0) & 1 == 1;
        let span = span_id(fastrand::u128(1..));
        let trace = Trace { id, span, is_kept: caller_keeps || self.keeps(id) };
        let mut known = self.known();
        if known.by_correlation.insert(fields.correlation.clone(), trace).is_none() {
            known.order.push_back(fields.correlation.clone());
            if known.order.len() > KNOWN
                && let Some(oldest) = known.order.pop_front()
            {
                known.by_correlation.remove(&oldest);
            }
        }
        // A fresh one has no caller: its parent is only what the standard's form needs.
        (trace, if caller_keeps { parent } else { SpanId::INVALID })
    }

    /// The trace that something belongs to.
    fn of(&self, correlation: &str) -> Trace {
        let known = self.known().by_correlation.get(correlation).copied();
        known.unwrap_or_else(|| {
            let id = follows(correlation);
            Trace { id, span: SpanId::INVALID, is_kept: self.keeps(id) }
        })
    }

    /// Whether a trace is among those that are kept: the same for all of its spans, wherever they come from.
    fn keeps(&self, id: TraceId) -> bool {
        let [.., a, b, c, d] = id.to_bytes();
        f64::from(u32::from_be_bytes([a, b, c, d])) < self.share * f64::from(u32::MAX) + 1.0 && self.share > 0.0
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The trace id of a correlation id: itself where it is one.
fn follows(correlation: &str) -> TraceId {
    let own = Some(correlation).filter(|text| text.len() == 32).and_then(|text| TraceId::from_hex(text).ok());
    let made = || TraceId::from_bytes(xxh3_128(correlation.as_bytes()).to_be_bytes());
    own.filter(|id| *id != TraceId::INVALID).unwrap_or_else(made)
}

/// The span id of a command or a delivery.
fn span_id(of: u128) -> SpanId {
    SpanId::from_bytes(xxh3_64(&of.to_be_bytes()).max(1).to_be_bytes())
}

#[expect(clippy::disallowed_methods, reason = "when a span began is no time of the domain")]
fn now() -> SystemTime {
    SystemTime::now()
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "correlation" => {
                value.clone_into(&mut self.correlation);
                self.attributes.push(KeyValue::new("steadfast.correlation", value.to_owned()));
            }
            "traceparent" => value.clone_into(&mut self.traceparent),
            "method" => self.attributes.push(KeyValue::new("http.request.method", value.to_owned())),
            "route" => {
                self.dull = matches!(value, "probe" | "/metrics");
                self.attributes.push(KeyValue::new("http.route", value.to_owned()));
            }
            "kind" => self.attributes.push(KeyValue::new("steadfast.kind", value.to_owned())),
            "consumer" => self.attributes.push(KeyValue::new("steadfast.consumer", value.to_owned())),
            "outcome" => {
                self.failed = matches!(value, "not_done" | "unknown");
                self.attributes.push(KeyValue::new("steadfast.outcome", value.to_owned()));
            }
            _ => {}
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "status" {
            self.failed = value >= 500;
            self.attributes.push(KeyValue::new("http.response.status_code", i64::try_from(value).unwrap_or_default()));
        }
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        match field.name() {
            "id" => self.id = Some(value),
            "cause" => self.cause = Some(value),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn traces(share: f64) -> Traces {
        let exporter = Exporter::new("http://127.0.0.1:9", "tests").unwrap();
        Traces { to: exporter.0.clone(), share, known: Mutex::default() }
    }

    fn request(correlation: &str, traceparent: &str) -> Fields {
        Fields { correlation: correlation.to_owned(), traceparent: traceparent.to_owned(), ..Fields::default() }
    }

    #[test]
    fn a_trace_follows_from_its_caller_else_from_the_correlation_and_the_newest_are_known() {
        let traces = traces(1.0);
        assert_eq!(traces.of(TRACE).id.to_string(), TRACE, "a correlation that is a trace id");
        let later = traces.of("buy-1").id;
        assert_eq!((later, later == traces.of("buy-2").id), (traces.of("buy-1").id, false));
        let (trace, parent) = traces.arrived(&request("buy-1", &format!("00-{TRACE}-00f067aa0ba902b7-01")));
        assert_eq!((trace.id.to_string().as_str(), parent.to_string().as_str()), (TRACE, "00f067aa0ba902b7"));
        assert_eq!((traces.of("buy-1").id, traces.of("buy-1").span), (trace.id, trace.span));
        for n in 0..KNOWN {
            traces.arrived(&request(&format!("other-{n}"), ""));
        }
        assert_eq!(traces.of("buy-1").id, later, "it was forgotten");
        let known = traces.known();
        assert_eq!((known.by_correlation.len(), known.order.len()), (KNOWN, KNOWN));
    }

    #[test]
    fn a_share_of_the_traces_is_kept_and_all_that_their_callers_keep() {
        let kept = |share, flags: &str| {
            let traces = traces(share);
            let trace = |n: u32| follows(&format!("request-{n}"));
            let parent = |n| format!("00-{}-00f067aa0ba902b7-{flags}", trace(n));
            (0..1000).filter(|n| traces.arrived(&request(&n.to_string(), &parent(*n))).0.is_kept).count()
        };
        assert_eq!((kept(0.0, "00"), kept(1.0, "00"), kept(0.0, "01")), (0, 1000, 1000));
        assert!((150..350).contains(&kept(0.25, "00")), "{}", kept(0.25, "00"));
    }
}
