//! What is shown of each load: its table, its plot, and what was aimed at.

/// A load, and how it is shown.
#[derive(Debug)]
pub(super) struct Shown {
    /// The suite that measures it.
    pub(super) what: &'static str,
    pub(super) load: &'static str,
    pub(super) title: &'static str,
    /// What it varies.
    pub(super) varies: &'static str,
    /// The subject that the others are compared with, and by which figure.
    pub(super) base: &'static str,
    /// One that does no more than the peers do: they are compared with it as well, where it was measured.
    pub(super) like: Option<&'static str>,
    pub(super) by: Figure,
    /// What else is in the table, where it was measured.
    pub(super) also: &'static [Figure],
    /// What the figure of the base, and of who is like the peers, divided by that of a subject should be.
    pub(super) aims: &'static [(&'static str, Aim)],
    /// From how much on of what varies; before that, nothing is aimed at.
    pub(super) aims_from: u64,
    pub(super) plot: Plot,
}

/// A figure, by its name in the results and for people.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
}

/// A bound of a ratio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Aim {
    /// At least.
    Least(f64),
    /// At most.
    Most(f64),
}

impl Aim {
    pub(super) fn is_held(self, ratio: f64) -> bool {
        match self {
            Self::Least(bound) => ratio >= bound,
            Self::Most(bound) => ratio <= bound,
        }
    }
}

/// A picture of the figure by which subjects are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plot {
    /// Bars of each subject, in a group for each of what the load varies.
    Bars,
    /// A line for each subject over what the load varies, each step ten times the last.
    Decades,
    /// A line over time.
    Time,
}

const fn figure(name: &'static str, label: &'static str) -> Figure {
    Figure { name, label }
}

const RATE: Figure = figure("rate", "a second");
const P50: Figure = figure("p50_ms", "p50 ms");
const P99: Figure = figure("p99_ms", "p99 ms");
const CPU: Figure = figure("cpu_us", "its CPU µs each");
const REFUSED: Figure = figure("refused", "refused a second");
const REST: Figure = figure("rest_s", "s until the rest was done");

const STEADFAST: &str = "steadfast";
const ALONE: &str = "steadfast, nothing follows";
const POSTGRES: &str = "PostgreSQL";
const POSTGRES_TCP: &str = "PostgreSQL, over TCP";
const RESTATE: &str = "Restate";
const ONE_PARTITION: &str = "Restate, one partition";
/// What asks aim at beside those who ask actors.
const BOTH: &[(&str, Aim)] = &[("ractor", Aim::Least(1.5)), ("kameo", Aim::Least(1.5))];

const fn compared(load: &'static str, title: &'static str, aims: &'static [(&'static str, Aim)]) -> Shown {
    Shown {
        what: "compare",
        load,
        title,
        varies: "connections",
        base: STEADFAST,
        like: Some(ALONE),
        by: RATE,
        also: &[P50, P99, CPU, REFUSED, REST],
        aims,
        aims_from: 0,
        plot: Plot::Bars,
    }
}

/// What is measured in process, beside others in process.
const fn alone(
    what: &'static str,
    load: &'static str,
    title: &'static str,
    varies: &'static str,
    aims: &'static [(&'static str, Aim)],
) -> Shown {
    Shown {
        what,
        load,
        title,
        varies,
        base: STEADFAST,
        like: None,
        by: RATE,
        also: &[CPU],
        aims,
        aims_from: 0,
        plot: Plot::Bars,
    }
}

const fn curve(load: &'static str, title: &'static str, varies: &'static str, also: &'static [Figure]) -> Shown {
    Shown {
        what: "scaling",
        load,
        title,
        varies,
        base: STEADFAST,
        like: None,
        by: CPU,
        also,
        aims: &[],
        aims_from: 0,
        plot: Plot::Decades,
    }
}

/// Everything that is shown, in this order.
pub(super) const ALL: &[Shown] = &[
    Shown {
        also: &[CPU, figure("bytes", "bytes each")],
        aims_from: 64,
        ..alone(
            "appends",
            "appends",
            "Durable appends a second, in process",
            "callers",
            &[("bare loop", Aim::Least(0.8))],
        )
    },
    alone("asks", "messages", "Commands without events a second, in process", "entities", BOTH),
    alone("asks", "gets", "Reads of entities in memory a second, in process", "entities", BOTH),
    Shown { by: figure("bytes", "bytes"), ..alone("memory", "memory", "Bytes of an idle entity", "entities", &[]) },
    Shown {
        also: &[],
        ..alone(
            "many",
            "crowd",
            "Durable commands a second to 10 000 entities, and all to one of them",
            "callers",
            &[("steadfast, one entity", Aim::Most(2.0))],
        )
    },
    Shown {
        by: figure("mib", "MiB"),
        also: &[],
        ..alone("many", "million", "Memory of a process with a million entities, MiB", "entities", &[])
    },
    Shown {
        also: &[],
        ..alone("many", "cold", "First answers a second after a start, each from the disk", "entities", &[])
    },
    compared(
        "commands",
        "Durable commands a second, over 10 000 entities",
        &[
            (POSTGRES, Aim::Least(1.0)),
            (POSTGRES_TCP, Aim::Least(1.0)),
            (RESTATE, Aim::Least(8.0)),
            (ONE_PARTITION, Aim::Least(4.0)),
        ],
    ),
    compared(
        "hot",
        "Durable commands a second to one entity",
        &[(POSTGRES, Aim::Least(5.0)), (POSTGRES_TCP, Aim::Least(5.0)), (RESTATE, Aim::Least(30.0))],
    ),
    compared("asks", "Durable commands a second that ask another entity", &[(RESTATE, Aim::Least(10.0))]),
    compared("reads", "Reads a second", &[("bare warp handler", Aim::Least(0.6))]),
    Shown {
        what: "half",
        load: "half",
        title: "The slowest hundredth at half of the greatest load, ms",
        varies: "connections",
        base: ALONE,
        like: None,
        by: P99,
        also: &[P50, RATE],
        aims: &[("fdatasync", Aim::Most(3.0))],
        aims_from: 0,
        plot: Plot::Bars,
    },
    Shown {
        what: "flows",
        load: "flows",
        title: "Whole purchases a second, until everything that follows is done",
        varies: "connections",
        base: STEADFAST,
        like: None,
        by: figure("flows", "flows a second"),
        also: &[figure("events", "events a second"), figure("rate", "answered a second"), P99, REST],
        aims: &[],
        aims_from: 0,
        plot: Plot::Bars,
    },
    Shown {
        what: "flows",
        load: "lag",
        title: "Events that the slowest policy or view is behind, at eight tenths of that",
        varies: "second",
        base: STEADFAST,
        like: None,
        by: figure("lag", "events behind"),
        also: &[],
        aims: &[],
        aims_from: 0,
        plot: Plot::Time,
    },
    curve("entities", "Processor time of a command, µs, by how many entities there are", "entities", &[RATE]),
    curve(
        "events",
        "Processor time of a command, µs, by how many events each entity has",
        "events each",
        &[RATE, figure("first_us", "µs until the first answer after a start")],
    ),
    curve(
        "values",
        "Processor time of a command, µs, by the bytes that it writes",
        "bytes",
        &[RATE, figure("mb_s", "MB a second")],
    ),
    curve(
        "connections",
        "The server's processor time of a command over HTTP, µs, by connections",
        "connections",
        &[RATE, P50, P99, REFUSED],
    ),
];
