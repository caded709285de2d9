//! The store as it comes: `steadfast serve --system store` in a directory of its own, with an empty configuration.

use std::{
    env,
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tempfile::TempDir;

use super::{
    process::{LOOK, Process},
    store,
    wire::{Wire, request},
};

/// An empty directory is opened within milliseconds.
const STARTS_WITHIN: Duration = Duration::from_mins(1);
/// How long the server is given to finish what a load has begun: far more than a sound one needs.
const RESTS_WITHIN: Duration = Duration::from_mins(10);

/// A running store.
pub(crate) struct Store {
    process: Process,
    pub(crate) public: SocketAddr,
    admin: SocketAddr,
    /// Removed when the process has ended.
    _directory: TempDir,
}

/// The program that is measured: beside this one, unless `STEADFAST` names another.
pub(crate) fn program() -> Result<PathBuf> {
    let beside = || Some(env::current_exe().ok()?.parent()?.join("steadfast"));
    let program = env::var_os("STEADFAST").map(PathBuf::from).or_else(beside).context("where is steadfast?")?;
    if !program.is_file() {
        bail!("{} is not there: cargo build --release --bin steadfast, or name one in STEADFAST", program.display());
    }
    // Processes are started in other directories.
    Ok(fs::canonicalize(program)?)
}

impl Store {
    /// Starts it with its data below `dir` and waits until it serves. `config` is empty unless what is measured needs
    /// something else.
    pub(crate) fn start(dir: &Path, config: &str) -> Result<Self> {
        let directory = tempfile::tempdir_in(dir)?;
        let file = |name: &str| directory.path().join(name);
        fs::write(file("supervision.toml"), config)?;
        let mut command = Command::new(program()?);
        // Nothing of this shell that would change the configuration.
        command.env_clear().current_dir(directory.path()).stdin(Stdio::null());
        command.stdout(File::create(file("stdout"))?).stderr(File::create(file("stderr"))?);
        command.args(["serve", "--system", "store", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        command.args(["--data", "data", "--config", "supervision.toml", "--ready-file", "ready.json"]);
        let mut process = Process::start(&mut command)?;
        let since = Instant::now();
        while !file("ready.json").exists() {
            let said = || fs::read_to_string(file("stderr")).unwrap_or_default();
            process.still_runs().with_context(said)?;
            if since.elapsed() > STARTS_WITHIN {
                bail!("the store does not serve within {STARTS_WITHIN:?}: {}", said());
            }
            std::thread::sleep(LOOK);
        }
        let ready: Value = serde_json::from_slice(&fs::read(file("ready.json"))?)?;
        let address = |name| {
            let told = ready.get(name).and_then(Value::as_str).context("the ready file names no address")?;
            Ok::<SocketAddr, anyhow::Error>(told.parse()?)
        };
        Ok(Self { public: address("listen")?, admin: address("admin")?, process, _directory: directory })
    }

    /// One that has products and nothing left to do.
    pub(crate) fn with_products(dir: &Path) -> Result<Self> {
        let store = Self::start(dir, "")?;
        store::register_products(store.public)?;
        store.rest()?;
        Ok(store)
    }

    /// One that has messages and nothing left to do.
    pub(crate) fn with_messages(dir: &Path) -> Result<Self> {
        let store = Self::start(dir, "")?;
        store::write_messages(store.public)?;
        store.rest()?;
        Ok(store)
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits until every policy and view has done what the journal asks of it; how long that took.
    pub(crate) fn rest(&self) -> Result<Duration> {
        let since = Instant::now();
        while since.elapsed() < RESTS_WITHIN {
            let (status, told) = self.operator("/admin/quiesce?within=10s")?;
            match status {
                200 => return Ok(since.elapsed()),
                503 => {}
                status => bail!("{status} instead of rest: {told}"),
            }
        }
        bail!("the store does not come to rest within {RESTS_WITHIN:?}")
    }

    /// The greatest number of events that a policy or view is behind.
    pub(crate) fn lag(&self) -> Result<u64> {
        let (_, consumers) = self.operator("/admin/consumers")?;
        let consumers: Vec<Value> = serde_json::from_str(&consumers)?;
        let lag = |consumer: &Value| consumer.get("lag").and_then(Value::as_u64);
        consumers.iter().filter_map(lag).max().context("no consumer tells its lag")
    }

    /// Events that were made durable so far.
    pub(crate) fn events(&self) -> Result<u64> {
        let (_, metrics) = self.operator("/metrics")?;
        durable(&metrics).context("the metrics have no steadfast_journal_durable_offset")
    }

    fn operator(&self, path: &str) -> Result<(u16, String)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let (mut wire, mut bytes) = (Wire::connect(self.admin).await?, Vec::new());
            request(&mut bytes, "GET", path, None);
            let answer = wire.exchange(&bytes).await?;
            Ok((answer.status, String::from_utf8_lossy(answer.body).into_owned()))
        })
    }

    pub(crate) fn stop(self) -> Result<()> {
        self.process.stop()
    }
}

/// The sum of the durable offsets of all storage units.
fn durable(metrics: &str) -> Option<u64> {
    let samples = metrics.lines().filter(|line| line.starts_with("steadfast_journal_durable_offset"));
    let values = samples.map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts are whole and not negative")]
    let sum = values.sum::<Option<f64>>()? as u64;
    (sum > 0).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durable_events_are_those_of_all_units() {
        let metrics = "# HELP steadfast_journal_durable_offset x\nsteadfast_journal_durable_offset{unit=\"main\"} 12\n\
                       steadfast_journal_durable_offset{unit=\"alarm\"} 30\nsteadfast_journal_bytes 9\n";
        assert_eq!(durable(metrics), Some(42));
        assert_eq!(durable("nothing"), None);
    }
}
