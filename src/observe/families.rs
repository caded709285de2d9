//! Families of samples, and the text that Prometheus reads them as.

use prometheus::{
    TextEncoder,
    proto::{Bucket, Counter, Gauge, Histogram as Buckets, LabelPair, Metric, MetricFamily, MetricType},
};

use crate::Histogram;

/// The media type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What all names begin with.
const PREFIX: &str = "steadfast_";

/// Nothing that we time is shorter than 64 µs in a way that matters; each bound is twice the one before.
const SHORTEST_MICROS: u64 = 64;

/// Groups are not larger.
const LARGEST_COUNT: u64 = 4096;

/// Names and values of labels. Empty values are left out: for Prometheus that is the same.
pub(super) type Labels<'a> = &'a [(&'static str, &'a str)];

/// All families of one scrape, in order.
#[derive(Default)]
pub(super) struct Families(Vec<MetricFamily>);

/// One family, taking samples.
pub(super) struct Family<'a>(&'a mut MetricFamily);

impl Families {
    /// A figure that only grows, as its name says by ending in `_total`.
    pub(super) fn counter(&mut self, name: &str, help: &str) -> Family<'_> {
        debug_assert!(name.ends_with("_total"), "{name}");
        self.family(name, help, MetricType::COUNTER)
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, help, MetricType::GAUGE)
    }

    pub(super) fn histogram(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, help, MetricType::HISTOGRAM)
    }

    fn family(&mut self, name: &str, help: &str, kind: MetricType) -> Family<'_> {
        let mut family = MetricFamily::default();
        family.set_name(format!("{PREFIX}{name}"));
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        self.0.push(family);
        Family(self.0.last_mut().expect("pushed above"))
    }

    /// The text; a family without samples is left out.
    pub(super) fn text(mut self) -> String {
        self.0.retain(|family| !family.get_metric().is_empty());
        TextEncoder::new().encode_to_string(&self.0).unwrap_or_else(|error| {
            // It refuses families without a name or samples; ours have both.
            tracing::error!(%error, "the figures cannot be written");
            String::new()
        })
    }
}

impl Family<'_> {
    pub(super) fn count(&mut self, labels: Labels<'_>, value: u64) {
        let (mut metric, mut counter) = (labelled(labels), Counter::default());
        counter.set_value(number(value));
        metric.set_counter(counter);
        self.0.mut_metric().push(metric);
    }

    pub(super) fn level(&mut self, labels: Labels<'_>, value: u64) {
        let (mut metric, mut gauge) = (labelled(labels), Gauge::default());
        gauge.set_value(number(value));
        metric.set_gauge(gauge);
        self.0.mut_metric().push(metric);
    }

    /// One of these is what it is now: 1 for that, 0 for the others.
    pub(super) fn state(&mut self, labels: Labels<'_>, states: &[&'static str], now: &str) {
        for state in states {
            let labels: Vec<_> = labels.iter().copied().chain([("state", *state)]).collect();
            self.level(&labels, u64::from(*state == now));
        }
    }

    /// Times in microseconds, shown in seconds.
    pub(super) fn seconds(&mut self, labels: Labels<'_>, of: &Histogram) {
        let shown = |bound: &u64| *bound >= SHORTEST_MICROS;
        self.buckets(labels, of, shown, |micros| number(micros) / 1e6);
    }

    /// Numbers of things.
    pub(super) fn sizes(&mut self, labels: Labels<'_>, of: &Histogram) {
        self.buckets(labels, of, |bound| *bound <= LARGEST_COUNT, number);
    }

    fn buckets(&mut self, labels: Labels<'_>, of: &Histogram, shown: impl Fn(&u64) -> bool, unit: impl Fn(u64) -> f64) {
        let bucket = |(bound, count): &(u64, u64)| {
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(unit(*bound));
            bucket.set_cumulative_count(*count);
            bucket
        };
        let (mut metric, mut buckets) = (labelled(labels), Buckets::default());
        buckets.set_bucket(of.at_most.iter().filter(|(bound, _)| shown(bound)).map(bucket).collect());
        buckets.set_sample_count(of.count);
        buckets.set_sample_sum(unit(of.sum));
        metric.set_histogram(buckets);
        self.0.mut_metric().push(metric);
    }
}

fn labelled(labels: Labels<'_>) -> Metric {
    let pair = |(name, value): &(&'static str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    };
    Metric::from_label(labels.iter().filter(|(_, value)| !value.is_empty()).map(pair).collect())
}

#[expect(clippy::cast_precision_loss, reason = "the format has no other numbers, and 2^53 is far away")]
fn number(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let mut families = Families::default();
        let mut asked = families.counter("asked_total", "Asked.");
        asked.count(&[("kind", "order"), ("system", "")], 3);
        asked.count(&[("kind", "a \"b\"\n")], 1);
        families.gauge("nothing", "Without samples.");
        families.gauge("state", "What it is.").state(&[], &["open", "closed"], "open");
        let seconds = Histogram { at_most: vec![(32, 1), (64, 2), (1 << 20, 4)], count: 5, sum: 2_500_000 };
        families.histogram("took_seconds", "Took.").seconds(&[], &seconds);
        let sizes = Histogram { at_most: vec![(1, 1), (2, 3), (8192, 3)], count: 3, sum: 5 };
        families.histogram("size", "Size.").sizes(&[], &sizes);
        let expected = r#"# HELP steadfast_asked_total Asked.
# TYPE steadfast_asked_total counter
steadfast_asked_total{kind="order"} 3
steadfast_asked_total{kind="a \"b\"\n"} 1
# HELP steadfast_state What it is.
# TYPE steadfast_state gauge
steadfast_state{state="open"} 1
steadfast_state{state="closed"} 0
# HELP steadfast_took_seconds Took.
# TYPE steadfast_took_seconds histogram
steadfast_took_seconds_bucket{le="0.000064"} 2
steadfast_took_seconds_bucket{le="1.048576"} 4
steadfast_took_seconds_bucket{le="+Inf"} 5
steadfast_took_seconds_sum 2.5
steadfast_took_seconds_count 5
# HELP steadfast_size Size.
# TYPE steadfast_size histogram
steadfast_size_bucket{le="1"} 1
steadfast_size_bucket{le="2"} 3
steadfast_size_bucket{le="+Inf"} 3
steadfast_size_sum 5
steadfast_size_count 3
"#;
        assert_eq!(families.text(), expected);
    }
}
