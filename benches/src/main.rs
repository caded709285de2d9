//! Ratios to peers and to the limit of the disk, each measured in one run with its rounds interleaved.
//!
//! ```text
//! cargo run --release --manifest-path benches/Cargo.toml -- WHAT [--quick] [--events N] [--dir DIR]
//! cargo run --release --manifest-path benches/Cargo.toml -- profile look|get|add [--requests N]     to be watched
//! cargo run --release --manifest-path benches/Cargo.toml -- flame TITLE     draws what `perf script` says (flame.sh)
//! ```
//! `WHAT` is one of `appends asks memory many recovery verify rebuild compare half flows scaling`, or `all`. Prints markdown.
//! `--quick` makes the rounds short; `--events` is how many events a journal has that is recovered, verified or rebuilt
//! from, 1 000 000 when not given; `--dir` is where journals are written, `target` when not given; `--results` is where
//! raw results of all but `recovery verify rebuild` are kept, for `steadfast bench report`; `--load` is the one load of
//! `compare` that is wanted, for a profiler to watch.
//!
//! `compare half flows scaling` start servers of the program `steadfast` beside this one, or of the one that the variable
//! `STEADFAST` names. `compare` and `half` have a bare warp handler to compare with, `compare` also the peers that
//! `benches/peers/all.sh` starts.

mod appends;
mod asker;
mod asks;
mod counter;
mod flame;
mod floor;
mod http;
mod journal;
mod machine;
mod many;
mod memory;
mod peers;
mod profile;
mod rebuild;
mod recovery;
mod results;
mod rounds;
mod scaling;
mod stores;
mod table;
mod verify;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::{results::Results, rounds::Times};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What the command line said.
struct Options {
    what: String,
    /// The one subject of a profile, or of a process that measures its memory.
    of: Option<String>,
    dir: PathBuf,
    quick: bool,
    events: usize,
    results: Option<PathBuf>,
    /// The one load of `compare` that is wanted.
    load: Option<String>,
    /// How many a profile is of; without, as many as there are in some seconds.
    requests: Option<usize>,
}

fn main() -> Result<()> {
    let options = parse(std::env::args().skip(1))?;
    if options.what == http::ALONE {
        return http::serve_warp(&options.dir);
    }
    if options.what == http::ASKERS {
        return http::serve_askers(&options.dir);
    }
    if let ("flame", Some(title)) = (options.what.as_str(), &options.of) {
        print!("{}", flame::draw(std::io::stdin().lock(), title)?);
        return Ok(());
    }
    machine::refuse_tmpfs(&options.dir)?;
    match (options.what.as_str(), &options.of) {
        ("profile", Some(what)) => {
            return match options.requests {
                Some(requests) => profile::count(what, &options.dir, requests),
                None => profile::run(what, &options.dir),
            };
        }
        (_, Some(subject)) if subject == "fill" => return recovery::fill(&options.dir, options.events),
        (_, Some(subject)) if subject == "start" => return recovery::start(&options.dir),
        (_, Some(subject)) if subject == many::FILLS => return many::fill(&options.dir),
        (_, Some(subject)) if subject == many::WAKES => return many::wake(&options.dir),
        (_, Some(subject)) => return memory::alone(subject, &options.dir),
        (_, None) => {}
    }
    machine::print(&options.dir);
    let is_wanted = |name: &str| options.what == name || options.what == "all";
    let (times, to) = (Times::new(options.quick), options.results.as_deref());
    let begin = |what| Results::begin(what, times.quick, &options.dir);
    if is_wanted("appends") {
        let mut results = begin("appends");
        appends::measure(&options.dir, times, &mut results)?;
        results.end(to)?;
    }
    if is_wanted("asks") {
        let mut results = begin("asks");
        asks::measure(times, &mut results)?;
        results.end(to)?;
    }
    if is_wanted("memory") {
        let mut results = begin("memory");
        memory::measure_all(&options.dir, &mut results)?;
        results.end(to)?;
    }
    if is_wanted("many") {
        let mut results = begin("many");
        many::measure(&options.dir, times, &mut results)?;
        results.end(to)?;
    }
    if is_wanted("recovery") {
        recovery::print(&options.dir, options.events)?;
    }
    if is_wanted("verify") {
        verify::print(&options.dir, options.events)?;
    }
    if is_wanted("rebuild") {
        rebuild::print(&options.dir, options.events)?;
    }
    if is_wanted("compare") {
        http::compare(&options.dir, times, options.load.as_deref(), to)?;
    }
    if is_wanted("half") {
        http::half(&options.dir, times, to)?;
    }
    if is_wanted("flows") {
        http::flows(&options.dir, times, to)?;
    }
    if is_wanted("scaling") {
        let mut results = begin("scaling");
        scaling::measure(&options.dir, times, &mut results)?;
        http::connections(&options.dir, times, &mut results)?;
        results.end(to)?;
    }
    Ok(())
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Options> {
    let mut options = Options {
        what: "all".to_owned(),
        of: None,
        dir: PathBuf::from("target"),
        quick: false,
        events: 1_000_000,
        results: None,
        load: None,
        requests: None,
    };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "appends"
            | "asks"
            | "memory"
            | "many"
            | "recovery"
            | "verify"
            | "rebuild"
            | "compare"
            | "half"
            | "flows"
            | "scaling"
            | "all"
            | http::ALONE
            | http::ASKERS => options.what = arg,
            "profile" => (options.what, options.of) = (arg, Some(args.next().context("profile what?")?)),
            "flame" => (options.what, options.of) = (arg, Some(args.next().context("flame needs a title")?)),
            "--of" => options.of = Some(args.next().context("--of needs a name")?),
            "--dir" => options.dir = args.next().context("--dir needs a directory")?.into(),
            "--requests" => options.requests = Some(args.next().context("--requests needs a number")?.parse()?),
            "--load" => options.load = Some(args.next().context("--load needs the name of one")?),
            "--results" => options.results = Some(args.next().context("--results needs a directory")?.into()),
            "--events" => {
                let events = args.next().context("--events needs a number")?.replace(['_', ' '], "").parse()?;
                if events < 100_000 {
                    bail!("fewer than 100 000 events say nothing");
                }
                options.events = events;
            }
            "--quick" => options.quick = true,
            other => bail!("{other} is not known: WHAT [--quick] [--events N] [--dir DIR]"),
        }
    }
    Ok(options)
}
