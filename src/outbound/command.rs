//! Notices as runs of a program.

use std::{
    io::{self, ErrorKind, Read, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::PathBuf,
    process::{Child, ChildStderr, ChildStdin, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    process::{Pid, Signal, kill_process_group},
};

use super::excerpt;
use crate::{Connector, DeliveryError, Notification};

/// Exit codes of `sysexits.h` by which a program says that it would refuse this notice again: the data is
/// wrong (65), no such receiver (67), no such host (68), not permitted (77).
const REFUSALS: [i32; 4] = [65, 67, 68, 77];

/// What is kept of the program's standard error: the reason of a failure. The rest is read and forgotten.
const KEPT_BYTES: usize = 4096;

/// What the program takes over of our environment; the rest may hold secrets.
const KEPT_VARIABLES: [&str; 5] = ["PATH", "HOME", "LANG", "LC_ALL", "TZ"];

/// Characters of a text that a variable holds: far below the 128 KiB that Linux gives one.
const VARIABLE_CHARACTERS: usize = 4096;

/// How often it is looked whether the program has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Runs a program for each notice: the notice as JSON on its standard input and as variables in its
/// environment. No shell is involved. Past the deadline its whole process group is killed. One that still runs
/// when the process ends is left to itself; its notice is sent again under the same id.
#[derive(Debug)]
pub(super) struct Program {
    path: PathBuf,
    args: Vec<String>,
    deadline: Duration,
}

impl Program {
    pub(super) fn new(path: PathBuf, args: Vec<String>, deadline: Duration) -> Self {
        Self { path, args, deadline }
    }

    fn spawn(&self, notification: &Notification) -> io::Result<Run> {
        let mut command = Command::new(&self.path);
        command.args(&self.args).env_clear();
        for name in KEPT_VARIABLES {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("STEADFAST_NOTICE_ID", &notification.id)
            .env("STEADFAST_NOTICE_SYSTEM", &notification.system)
            .env("STEADFAST_NOTICE_CHANNEL", &notification.channel)
            .env("STEADFAST_NOTICE_RECEIVER", variable(&notification.receiver))
            .env("STEADFAST_NOTICE_TEXT", variable(&notification.text))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut child = command.spawn()?;
        let (input, errors) = (child.stdin.take(), child.stderr.take());
        let run = Run { child, input, errors, said: Vec::new() };
        for end in [run.input.as_ref().map(as_fd), run.errors.as_ref().map(as_fd)].into_iter().flatten() {
            fcntl_setfl(end, fcntl_getfl(end)? | OFlags::NONBLOCK)?;
        }
        Ok(run)
    }
}

fn as_fd<T: std::os::fd::AsFd>(end: &T) -> std::os::fd::BorrowedFd<'_> {
    end.as_fd()
}

/// A text as a variable holds it: without NUL, and not longer than the system takes. The whole of it is in
/// the JSON.
fn variable(text: &str) -> String {
    text.chars().take(VARIABLE_CHARACTERS).map(|c| if c == '\0' { ' ' } else { c }).collect()
}

impl Connector for Program {
    fn deliver(&self, notification: &Notification) -> Result<(), DeliveryError> {
        let mut json = serde_json::to_vec(notification).map_err(DeliveryError::failed)?;
        json.push(b'\n');
        let failed = |error: io::Error| DeliveryError::failed(format!("{}: {error}", self.path.display()));
        let mut run = self.spawn(notification).map_err(failed)?;
        match run.see_through(&json, self.deadline).map_err(failed)? {
            Some(status) => ended(status, &excerpt(&run.said)),
            None => Err(DeliveryError::failed(format!("not done within {:?}, and killed", self.deadline))),
        }
    }
}

/// What an exit means.
fn ended(status: ExitStatus, said: &str) -> Result<(), DeliveryError> {
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) if REFUSALS.contains(&code) => {
            Err(DeliveryError::refused(format!("it ended with {code}: {said}")))
        }
        (Some(code), _) => Err(DeliveryError::failed(format!("it ended with {code}: {said}"))),
        (None, signal) => {
            Err(DeliveryError::failed(format!("it was ended by signal {}: {said}", signal.unwrap_or_default())))
        }
    }
}

/// A program that runs. Dropping it before it has ended kills its whole process group. What it has started
/// and left behind when it ended by itself is its own business.
struct Run {
    child: Child,
    input: Option<ChildStdin>,
    errors: Option<ChildStderr>,
    said: Vec<u8>,
}

impl Run {
    /// Feeds and listens until the program ends; `None` when it did not within `limit`.
    #[expect(clippy::disallowed_methods, reason = "a program runs in real time, on a thread that blocks for it")]
    fn see_through(&mut self, mut input: &[u8], limit: Duration) -> io::Result<Option<ExitStatus>> {
        let begun = Instant::now();
        loop {
            self.feed(&mut input)?;
            self.listen()?;
            if let Some(status) = self.child.try_wait()? {
                self.listen()?;
                return Ok(Some(status));
            }
            let left = limit.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            self.wait(left.min(LOOK_AGAIN))?;
        }
    }

    /// Writes what the pipe takes, and closes it after the last byte. A program need not read its input.
    fn feed(&mut self, input: &mut &[u8]) -> io::Result<()> {
        let Some(pipe) = &mut self.input else { return Ok(()) };
        match pipe.write(input) {
            Ok(written) => *input = input.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => *input = &[],
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return Ok(()),
            Err(error) => return Err(error),
        }
        if input.is_empty() {
            self.input = None;
        }
        Ok(())
    }

    /// Reads what is there.
    fn listen(&mut self) -> io::Result<()> {
        let mut buffer = [0; 1024];
        while let Some(pipe) = &mut self.errors {
            match pipe.read(&mut buffer) {
                Ok(0) => self.errors = None,
                Ok(read) => {
                    let room = KEPT_BYTES.saturating_sub(self.said.len());
                    self.said.extend(buffer.iter().take(read.min(room)));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits until a pipe is ready, at most `limit`.
    fn wait(&self, limit: Duration) -> io::Result<()> {
        let input = self.input.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::OUT));
        let errors = self.errors.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN));
        let mut ends: Vec<PollFd<'_>> = [input, errors].into_iter().flatten().collect();
        let limit = Timespec::try_from(limit).map_err(io::Error::other)?;
        match poll(&mut ends, Some(&limit)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        // Nobody but us reaps it, so its number is still its own, and its group's.
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
            && let Err(error) = kill_process_group(group, Signal::KILL)
        {
            tracing::warn!(%error, "a program past its deadline could not be killed");
        }
        drop(self.child.wait());
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::outbound::notification;

    /// What comes of a program that is this script.
    fn delivered(script: &str, deadline: Duration) -> Result<(), DeliveryError> {
        let args = vec!["-c".to_owned(), script.to_owned()];
        Program::new("/bin/sh".into(), args, deadline).deliver(&notification())
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn a_program_gets_the_notice_on_its_input_and_in_its_environment_and_nothing_else_of_ours() {
        let directory = tempfile::tempdir().unwrap();
        let (input, environment) = (directory.path().join("in"), directory.path().join("env"));
        let script = format!("cat > {}; env > {}", input.display(), environment.display());
        assert_eq!(delivered(&script, LONG), Ok(()));
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        assert_eq!(serde_json::from_str::<Notification>(&read(&input)).unwrap(), notification());
        let environment = read(&environment);
        for line in
            ["STEADFAST_NOTICE_ID=0f\n", "STEADFAST_NOTICE_RECEIVER=owner\n", "STEADFAST_NOTICE_TEXT=상품 ID : 1\n"]
        {
            assert!(environment.contains(line), "{line} in {environment}");
        }
        assert!(!environment.contains("CARGO_"), "{environment}");
    }

    #[test]
    fn arguments_reach_the_program_as_they_are() {
        let program = Program::new(
            "/bin/sh".into(),
            ["-c", "test \"$1\" = '$(exit 9)'", "x", "$(exit 9)"].map(str::to_owned).into(),
            LONG,
        );
        assert_eq!(program.deliver(&notification()), Ok(()));
    }

    #[test]
    fn what_an_end_means() {
        assert_eq!(delivered("exit 0", LONG), Ok(()));
        for refusal in REFUSALS {
            let refused = DeliveryError::refused(format!("it ended with {refusal}: no such number"));
            assert_eq!(delivered(&format!("echo no such number >&2; exit {refusal}"), LONG), Err(refused));
        }
        for failure in [1, 64, 66, 69, 75, 126] {
            let failed = DeliveryError::failed(format!("it ended with {failure}: "));
            assert_eq!(delivered(&format!("exit {failure}"), LONG), Err(failed));
        }
        assert_eq!(delivered("kill -9 $$", LONG), Err(DeliveryError::failed("it was ended by signal 9: ")));
        let absent = Program::new("/nowhere/to/be/found".into(), Vec::new(), LONG).deliver(&notification());
        assert!(matches!(absent, Err(DeliveryError::Failed { .. })), "{absent:?}");
    }

    #[test]
    fn a_program_past_its_deadline_is_killed_with_what_it_has_started() {
        let directory = tempfile::tempdir().unwrap();
        let pids = directory.path().join("pids");
        let script = format!("sleep 600 & echo $! $$ > {}; wait", pids.display());
        // Long enough for a shell to have said whom it started, on the busiest machine.
        let failed = delivered(&script, Duration::from_secs(3));
        assert_eq!(failed, Err(DeliveryError::failed("not done within 3s, and killed")));
        for pid in fs::read_to_string(pids).unwrap().split_whitespace() {
            assert!(ends(pid), "{pid} lives");
        }
    }

    /// Whether a process is gone, or a zombie that its new parent has not reaped yet. A signal is on its way for
    /// a moment, and only our own child is waited for: so it is looked again, for [`LONG`] at most.
    #[expect(clippy::disallowed_methods, reason = "another process dies in real time")]
    fn ends(pid: &str) -> bool {
        let begun = Instant::now();
        loop {
            let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            if status.is_empty() || status.contains(") Z ") || status.contains(") X ") {
                return true;
            }
            if begun.elapsed() > LONG {
                return false;
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_program_that_reads_nothing_and_says_much_is_no_trouble() {
        let mut long = notification();
        long.text = "x\0".repeat(1 << 20);
        let script = "exec <&-; head -c 1000000 /dev/zero | tr '\\0' y >&2; exit 3";
        let program = Program::new("/bin/sh".into(), ["-c", script].map(str::to_owned).into(), LONG);
        let Err(DeliveryError::Failed { reason, .. }) = program.deliver(&long) else { panic!("it ends with 3") };
        assert!(reason.starts_with("it ended with 3: yyy") && reason.len() < 400, "{reason}");
    }

    #[test]
    fn a_notice_that_is_longer_than_a_pipe_reaches_a_slow_reader_whole() {
        let directory = tempfile::tempdir().unwrap();
        let counted = directory.path().join("counted");
        let mut long = notification();
        long.text = "x".repeat(1 << 20);
        let script = format!("wc -c > {}", counted.display());
        let program = Program::new("/bin/sh".into(), ["-c", &script].map(str::to_owned).into(), LONG);
        assert_eq!(program.deliver(&long), Ok(()));
        let bytes: usize = fs::read_to_string(counted).unwrap().trim().parse().unwrap();
        assert_eq!(bytes, serde_json::to_vec(&long).unwrap().len() + 1);
    }
}
