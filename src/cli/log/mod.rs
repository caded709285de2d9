//! The log on standard error, and traces for a collector where this program was built with them.

mod fields;

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_subscriber::{EnvFilter, Layer, Registry, layer::SubscriberExt, util::SubscriberInitExt};

use self::fields::Fields;
use super::Exit;

/// Where traces go: the standard's own variable.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// How log lines look.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum LogFormat {
    Text,
    Json,
}

/// Starts the log; traces are exported until the value is dropped.
///
/// # Errors
/// The environment says of traces what nobody understands.
pub(super) fn start(format: LogFormat) -> Result<Traces, Exit> {
    // ractor logs each actor's life at info; the tree says it better.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,ractor=warn"));
    let lines =
        tracing_subscriber::fmt::layer().with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Text => lines.fmt_fields(Fields).with_filter(filter).boxed(),
        LogFormat::Json => lines.json().with_filter(filter).boxed(),
    };
    let (traces, spans) = traces::begin()?;
    tracing_subscriber::registry().with(spans).with(lines).init();
    traces.tell();
    Ok(traces)
}

pub(super) use traces::Traces;

/// What takes the spans of traces; none where none are exported.
type Spans = Option<Box<dyn Layer<Registry> + Send + Sync>>;

#[cfg(feature = "otlp")]
mod traces {
    use anyhow::anyhow;
    use steadfast::observe::Exporter;
    use tracing_subscriber::Layer;

    use super::{super::Exit, ENDPOINT, Spans};

    /// The share of traces that is exported when no caller wants one.
    const SHARE: &str = "OTEL_TRACES_SAMPLER_ARG";
    /// What this program is called in traces.
    const NAME: &str = "OTEL_SERVICE_NAME";

    /// The export of traces, where there is one.
    #[derive(Debug)]
    pub(in crate::cli) struct Traces(Option<Exporter>);

    pub(super) fn begin() -> Result<(Traces, Spans), Exit> {
        let Ok(endpoint) = std::env::var(ENDPOINT) else { return Ok((Traces(None), None)) };
        let share = match std::env::var(SHARE) {
            Err(_) => 1.0,
            Ok(text) => {
                let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
                share.ok_or_else(|| Exit::Usage(anyhow!("{SHARE} is `{text}`, and no share from 0 to 1")))?
            }
        };
        let name = std::env::var(NAME).unwrap_or_else(|_| "steadfast".to_owned());
        let exporter = Exporter::new(&endpoint, &name).map_err(|error| Exit::Usage(error.into()))?;
        let spans = exporter.layer(share).boxed();
        Ok((Traces(Some(exporter)), Some(spans)))
    }

    impl Traces {
        pub(super) fn tell(&self) {
            if self.0.is_some() {
                tracing::info!("traces are exported");
            }
        }
    }
}

#[cfg(not(feature = "otlp"))]
mod traces {
    use super::{super::Exit, ENDPOINT, Spans};

    /// Nothing: this program was built without the feature.
    #[derive(Debug)]
    pub(in crate::cli) struct Traces;

    #[expect(clippy::unnecessary_wraps, reason = "as with the feature")]
    pub(super) fn begin() -> Result<(Traces, Spans), Exit> {
        Ok((Traces, None))
    }

    impl Traces {
        #[expect(clippy::unused_self, reason = "as with the feature")]
        pub(super) fn tell(&self) {
            if std::env::var_os(ENDPOINT).is_some() {
                tracing::warn!("{ENDPOINT} is set, and this program was built without the feature `otlp`: no traces");
            }
        }
    }
}
