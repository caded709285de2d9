//! Processes that are measured: ended with whoever started them, and how much of the processor they used.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// Ticks of the processor's time in /proc: 100 a second on every Linux that matters.
const TICKS: f64 = 100.0;
/// Drain and margin of a shutdown.
const ENDS_WITHIN: Duration = Duration::from_secs(40);
/// Between two looks at a process.
pub(crate) const LOOK: Duration = Duration::from_millis(10);

/// A process of ours. Killed when it is dropped before it was ended.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let program = command.get_program().to_owned();
        let child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self { child })
    }

    /// This program as the server `what`, which prints its address, with what it writes in `dir`.
    pub(crate) fn serving(what: &str, dir: &Path) -> Result<(Self, SocketAddr)> {
        let mut command = Command::new(env::current_exe()?);
        command.arg(what).arg("--dir").arg(dir).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = Self::start(&mut command)?;
        let mut line = String::new();
        BufReader::new(process.child.stdout.take().context("it has an output")?).read_line(&mut line)?;
        let address = line.trim().parse().with_context(|| format!("{what} names no address"))?;
        Ok((process, address))
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// # Errors
    /// It has ended.
    pub(crate) fn still_runs(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("it ended instead of serving: {status}"),
        }
    }

    /// Ends it as an operator would.
    pub(crate) fn stop(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).context("cannot end the server")?;
        let since = Instant::now();
        while since.elapsed() < ENDS_WITHIN {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("the server did not end well: {status}"),
                None => std::thread::sleep(LOOK),
            }
        }
        bail!("the server did not end within {ENDS_WITHIN:?}")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Processor time that a process has used so far, all its threads together, in seconds.
pub(crate) fn processor_seconds(of: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{of}/stat")).context("the process is gone")?;
    let ticks = ticks(&stat).context("/proc is not read as it is written")?;
    Ok(ticks as f64 / TICKS)
}

/// User and system time of a line of /proc; its second field, the name in parentheses, may have blanks.
fn ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// The most memory that a process has had so far, in MiB.
pub(crate) fn peak_mib(of: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{of}/status")).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(peak.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_process_is_found_behind_its_name() {
        let stat = "42 (a) b) S 1 1 1 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 1 1 1";
        assert_eq!(ticks(stat), Some(300));
        assert!(processor_seconds(std::process::id()).is_ok_and(|seconds| seconds >= 0.0));
        assert!(peak_mib(std::process::id()).is_some_and(|mib| mib > 0.0));
    }
}
