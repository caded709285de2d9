//! What the numbers were measured on, and what processes of this program say of themselves.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, bail};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

/// Refuses a file system in memory: a sync there costs nothing.
pub(crate) fn refuse_tmpfs(dir: &Path) -> Result<()> {
    let file_system = file_system(dir);
    if file_system == "tmpfs" {
        bail!("{} is a tmpfs; choose a directory on a disk with --dir", dir.display());
    }
    Ok(())
}

/// What the numbers of a run were measured on.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    cores: usize,
    processor: String,
    memory_gib: u64,
    file_system: String,
    kernel: String,
    /// Processes that wanted to run in the minute before: near 0 when the machine was idle.
    load_before: f64,
}

impl Machine {
    pub(crate) fn of(dir: &Path) -> Self {
        let memory =
            line("/proc/meminfo", "MemTotal:").and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        let model = line("/proc/cpuinfo", "model name").and_then(|line| Some(line.split_once(": ")?.1.to_owned()));
        let load = fs::read_to_string("/proc/loadavg").ok();
        Self {
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            processor: model.unwrap_or_default(),
            memory_gib: memory.unwrap_or_default() >> 20,
            file_system: file_system(dir),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            load_before: load.and_then(|load| load.split_whitespace().next()?.parse().ok()).unwrap_or_default(),
        }
    }
}

/// The compiler's version.
pub(crate) fn rustc() -> String {
    let rustc = Command::new("rustc").arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&rustc).trim().to_owned()
}

/// Prints one line.
pub(crate) fn print(dir: &Path) {
    let Machine { cores, processor, memory_gib, file_system, kernel, .. } = Machine::of(dir);
    println!("{cores} cores ({processor}), {memory_gib} GiB, {file_system}, Linux {kernel}, {}", rustc());
}

fn line(file: &str, beginning: &str) -> Option<String> {
    fs::read_to_string(file).ok()?.lines().find(|line| line.starts_with(beginning)).map(ToOwned::to_owned)
}

/// The type of the file system that `dir` is on: that of the longest mount point above it.
fn file_system(dir: &Path) -> String {
    let dir = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let above = mounts.lines().filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (at, of) = (fields.next()?, fields.next()?);
        dir.starts_with(at).then(|| (at.len(), of.to_owned()))
    });
    above.max().map_or("?".to_owned(), |(_, of)| of)
}

/// Bytes of this process that are in memory.
pub(crate) fn resident() -> u64 {
    let kib = line("/proc/self/status", "VmRSS:").and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}

/// Processor time that this process has used, in seconds.
pub(crate) fn processor_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The one number that a process of this program says, which measures only `name`, in `dir`.
pub(crate) fn said_by(name: &str, dir: &Path) -> Result<f64> {
    let output = Command::new(std::env::current_exe()?).args(["--of", name, "--dir"]).arg(dir).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let said = || format!("{name} said {text:?} and {:?}", String::from_utf8_lossy(&output.stderr));
    text.trim().parse().with_context(said)
}
