//! A server of our own: this very program as a process, with a configuration and a directory that vanish with it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::client::Site;

/// An empty directory is opened within milliseconds; whoever needs longer hangs.
const STARTS_WITHIN: Duration = Duration::from_mins(1);
/// Drain and margin of a shutdown, as `serve` has them.
const ENDS_WITHIN: Duration = Duration::from_secs(40);
/// Between two looks at the process.
const LOOK: Duration = Duration::from_millis(10);
/// Of what it said, so much is shown when it fails.
const SHOWN: usize = 4000;

/// A running server.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    directory: PathBuf,
    pub(super) public: Site,
    pub(super) admin: Site,
}

impl Server {
    /// Starts the server of one system, and waits until it serves.
    ///
    /// # Errors
    /// The directory could not be made, or the process ended instead; then with what it said.
    pub(super) async fn start(system: &str, config: &str, within: &Path) -> anyhow::Result<Self> {
        let directory = within.join(format!("steadfast-bench-{}-{:08x}", std::process::id(), fastrand::u32(..)));
        fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
        let child = spawn(system, config, &directory);
        let site = Site::of("http://127.0.0.1:0")?;
        let child = match child {
            Ok(child) => child,
            Err(error) => {
                remove(&directory);
                return Err(error);
            }
        };
        let mut server = Self { child, directory, public: site.clone(), admin: site };
        server.wait().await?;
        Ok(server)
    }

    async fn wait(&mut self) -> anyhow::Result<()> {
        let (ready, since) = (self.directory.join("ready.json"), Instant::now());
        loop {
            if let Ok(text) = fs::read(&ready) {
                let told: Value = serde_json::from_slice(&text).context("cannot read the ready file")?;
                let site = |name| {
                    let address = told.get(name).and_then(Value::as_str);
                    Site::of(&format!("http://{}", address.ok_or_else(|| anyhow!("no {name} in the ready file"))?))
                };
                (self.public, self.admin) = (site("listen")?, site("admin")?);
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended instead of serving, {status}:\n{}", self.said());
            }
            if since.elapsed() > STARTS_WITHIN {
                bail!("the server does not serve within {STARTS_WITHIN:?}:\n{}", self.said());
            }
            sleep(LOOK).await;
        }
    }

    /// The end of what it wrote to its standard error.
    fn said(&self) -> String {
        let said = fs::read(self.directory.join("stderr")).unwrap_or_default();
        String::from_utf8_lossy(said.get(said.len().saturating_sub(SHOWN)..).unwrap_or_default()).into_owned()
    }

    /// The most memory that it has had so far, in bytes; `None` where the system does not tell.
    pub(super) fn peak_memory(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        peak.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    }

    /// Ends it as an operator would, and waits for that.
    ///
    /// # Errors
    /// It did not end in time, or not well.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).context("cannot end the server")?;
        let since = Instant::now();
        while since.elapsed() < ENDS_WITHIN {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("the server did not end well, {status}:\n{}", self.said()),
                None => sleep(LOOK).await,
            }
        }
        bail!("the server did not end within {ENDS_WITHIN:?}:\n{}", self.said())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended is as good.
        drop(self.child.kill());
        drop(self.child.wait());
        remove(&self.directory);
    }
}

fn remove(directory: &Path) {
    if let Err(error) = fs::remove_dir_all(directory) {
        super::complain(&format!("steadfast: cannot remove {}: {error}", directory.display()));
    }
}

fn spawn(system: &str, config: &str, directory: &Path) -> anyhow::Result<Child> {
    let program = env::current_exe().context("cannot find this program's file")?;
    let file = |name: &str| directory.join(name);
    fs::write(file("supervision.toml"), config).context("cannot write the configuration")?;
    let out = |name: &str| fs::File::create(file(name)).with_context(|| format!("cannot write {name}"));
    let mut command = Command::new(program);
    // Nothing of this shell that would change the configuration.
    command.env_clear().env("RUST_LOG", "warn");
    for name in ["PATH", "RUST_LOG", "RUST_BACKTRACE", "TZ"] {
        if let Some(value) = env::var_os(name) {
            command.env(name, value);
        }
    }
    command.args(["serve", "--system", system, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    for (flag, name) in [("--data", "data"), ("--config", "supervision.toml"), ("--ready-file", "ready.json")] {
        command.arg(flag).arg(file(name));
    }
    command.current_dir(directory).stdin(Stdio::null()).stdout(out("stdout")?).stderr(out("stderr")?);
    command.spawn().context("cannot start the server")
}
