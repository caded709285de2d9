//! `steadfast bench`: the operators' demonstrations as loads on a real server over real HTTP, and their figures beside
//! those of the old systems. After each load its books are audited: nothing that was acknowledged is missing, and no
//! partner has done anything for something that is not there. `steadfast bench report` draws what the benches of the
//! package `benches` have measured.

mod audit;
mod child;
pub(super) mod client;
mod histogram;
mod load;
mod report;
mod scenario;
mod site;
mod table;
mod tally;

use std::{env, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand, builder::PossibleValuesParser};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use self::{
    audit::Audit,
    child::Server,
    client::Site,
    load::{Heard, Load},
    scenario::{ALL, Planned, Run, Scenario},
    site::{Operated, Slow},
    table::{Overload, Row},
};
use super::{Exit, complain, data::say_json, say, token_file};

/// The name that stands for all scenarios.
const EVERY: &str = "all";
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Bench {
    #[command(subcommand)]
    other: Option<Other>,
    /// Which load.
    #[arg(required = true, value_parser = PossibleValuesParser::new(ALL.iter().map(|scenario| scenario.name).chain([EVERY])))]
    scenario: Option<String>,
    /// Users at a time [default: the scenario's].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    users: Option<u32>,
    /// How long [default: the scenario's].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: Option<u32>,
    /// A server that runs already, `http://host:port[/system]`, instead of one of our own. Its configuration stays what
    /// it is.
    #[arg(long, requires = "admin")]
    url: Option<String>,
    /// The operators' address of that server.
    #[arg(long, requires = "url")]
    admin: Option<String>,
    /// A file with the token or API key that every request to that server shows; its role is `operator`, since a load does
    /// what all of the system's people do.
    #[arg(long, requires = "url")]
    token_file: Option<PathBuf>,
    /// A file with an operator's token, as [admin] `token_file` has them; the first one counts.
    #[arg(long, requires = "admin")]
    admin_token_file: Option<PathBuf>,
    /// Where a server of our own has its data, in a directory that is removed afterwards [default: the system's
    /// directory for temporary files].
    #[arg(long)]
    directory: Option<PathBuf>,
    /// The figures as JSON, for programs.
    #[arg(long)]
    json: bool,
}

/// What else there is than loads.
#[derive(Debug, Clone, Subcommand)]
enum Other {
    /// Draws the tables and plots of docs/performance.md from the raw results of the benches.
    Report(report::Report),
}

/// What lasts as long as a load is ended by it, or ends by itself so much later, when the bench was ended before.
const LONGER: Duration = Duration::from_mins(2);

/// How often the load of a few users is tried until all of it is done: a machine that is busy with other things as well
/// takes its time.
const ROUNDS: u32 = 10;

/// What a scenario came to.
#[derive(Debug, Serialize)]
struct Report {
    about: &'static str,
    loads: Vec<Row>,
    /// Of a load beyond what the system can do.
    #[serde(skip_serializing_if = "Option::is_none")]
    overload: Option<Overload>,
    slow: Vec<Slow>,
    audit: Audit,
    /// The most memory that the server had, in bytes; of a server of our own.
    peak_memory: Option<u64>,
    /// What else must hold and does not.
    broken: Vec<String>,
}

impl Report {
    fn is_violated(&self) -> bool {
        !self.audit.violations.is_empty() || !self.broken.is_empty()
    }
}

impl Bench {
    pub(super) fn run(self) -> Result<(), Exit> {
        if let Some(Other::Report(report)) = &self.other {
            return report.run();
        }
        let one = self.scenario.as_deref().and_then(Scenario::named);
        let scenarios = one.map_or_else(|| ALL.to_vec(), |one| vec![one]);
        if self.url.is_some() && scenarios.len() > 1 {
            return Err(Exit::Usage(anyhow!("--url is the address of one system: name one scenario")));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("cannot start the async runtime")
            .map_err(Exit::Other)?;
        let mut reports = Vec::new();
        for scenario in scenarios {
            let report = runtime.block_on(self.scenario(scenario));
            let report = report.with_context(|| format!("the load {} broke off", scenario.name));
            reports.push((scenario, report.map_err(Exit::Other)?));
        }
        self.tell(&reports)?;
        let violated: Vec<&str> =
            reports.iter().filter(|(_, report)| report.is_violated()).map(|(scenario, _)| scenario.name).collect();
        if violated.is_empty() {
            return Ok(());
        }
        Err(Exit::Other(anyhow!("what must always hold does not: {}", violated.join(", "))))
    }

    fn tell(&self, reports: &[(&Scenario, Report)]) -> Result<(), Exit> {
        if self.json {
            return say_json(&reports.iter().map(|(_, report)| report).collect::<Vec<_>>());
        }
        let rows: Vec<Row> = reports.iter().flat_map(|(_, report)| report.loads.clone()).collect();
        for line in table::lines(&rows) {
            say(&line);
        }
        for (scenario, report) in reports {
            say("");
            say(&format!("{}: {}", scenario.name, report.about));
            for line in report.audit.lines().iter().chain(&report.broken) {
                say(&format!("  {line}"));
            }
            for row in report.loads.iter().filter(|row| !row.why.is_empty()) {
                let why: Vec<String> = row.why.iter().map(|(why, times)| format!("{times} x {why}")).collect();
                say(&format!("  {}: {}", row.scenario, why.join(", ")));
            }
            if let Some(overload) = &report.overload {
                say(&format!("  {}", overload.line()));
            }
            for Slow { service, times } in &report.slow {
                say(&format!("  {service} was slow {times} times"));
            }
            if let Some(bytes) = report.peak_memory {
                say(&format!("  the server had at most {} MiB", bytes / (1024 * 1024)));
            }
        }
        Ok(())
    }

    async fn scenario(&self, scenario: &'static Scenario) -> anyhow::Result<Report> {
        let (Some(url), Some(admin)) = (&self.url, &self.admin) else {
            let within = self.directory.clone().unwrap_or_else(env::temp_dir);
            let server = Server::start(scenario.system, scenario.config, &within).await?;
            let operated = Operated::new(&server.public, &server.admin);
            let mut report = self.load(scenario, operated).await?;
            report.peak_memory = server.peak_memory();
            server.stop().await?;
            return Ok(report);
        };
        let token = |file: &Option<PathBuf>| file.as_deref().map(token_file::read).transpose();
        let public = Site::of(url)?.known_by(token(&self.token_file)?);
        let admin = Site::of(admin)?.known_by(token(&self.admin_token_file)?);
        let operated = Operated::new(&public, &admin);
        self.load(scenario, operated).await
    }

    async fn load(&self, scenario: &'static Scenario, mut site: Operated) -> anyhow::Result<Report> {
        let users = self.users.unwrap_or(scenario.users);
        let lasting = Duration::from_secs(self.seconds.unwrap_or(scenario.seconds).into());
        let progress = progress();
        let mut run = Run { tag: format!("{:08x}", fastrand::u32(..)), users, created: Vec::new() };
        run.created = site.prepare(&(scenario.prepare)(&run)).await?;
        site.quiesce().await?;
        let run = Arc::new(run);
        let before = site.books(scenario, &run, &Heard::default()).await?;

        let plan = scenario.plan(users, lasting);
        let slow_for = plan.iter().filter(|planned| planned.slow).map(|planned| planned.lasting).sum::<Duration>();
        let mut injected = Vec::new();
        for fault in scenario.faults {
            injected.push((fault, site.inject(fault, slow_for + LONGER).await?));
        }
        let (mut heard, mut loads, mut first) = (Heard::default(), Vec::new(), 0);
        let (mut slow, mut broken) = (Vec::new(), Vec::new());
        for planned in plan {
            if !planned.slow {
                slow.extend(site.end_all(&mut injected).await?);
                site.recover().await?;
            }
            let Planned { name, source, users, pace, lasting, .. } = planned;
            progress.set_message(format!("{name}: {users} users for {lasting:?}"));
            let load = |first| Load { scenario, pace, first, users, lasting };
            let mut now = load(first).run(&site.public, &run).await?;
            first += users;
            let mut rounds = 1;
            while planned.all && now.tally.ok != now.tally.all() && rounds < ROUNDS {
                heard.add(now);
                site.recover().await?;
                now = load(first).run(&site.public, &run).await?;
                (first, rounds) = (first + users, rounds + 1);
            }
            if planned.all && now.tally.ok != now.tally.all() {
                broken.push(format!("{name}: not everything was done: {:?}", now.tally.why));
            }
            loads.push(Row::of(name, source, users, now.took, &now.tally));
            heard.add(now);
        }
        slow.extend(site.end_all(&mut injected).await?);
        broken
            .extend(slow.iter().filter(|slow| slow.times == 0).map(|slow| format!("{} was never slow", slow.service)));
        site.quiesce().await?;
        let audit = site.books(scenario, &run, &heard).await?.since(&before).audit();
        progress.finish_and_clear();
        let overload = scenario.capacity.and_then(|capacity| Overload::of(capacity, &loads));
        Ok(Report { about: scenario.about, loads, overload, slow, audit, peak_memory: None, broken })
    }
}

/// How far it is; on a terminal only.
fn progress() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = ProgressBar::new_spinner().with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
