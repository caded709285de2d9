//! `steadfast hold`: a parent that keeps the listening sockets open while servers come and go on them.
//!
//! ```text
//! SIGUSR2: the server is told to end; it drains; then its program, maybe a newer one, is started on the same sockets.
//! Meanwhile whoever connects waits in the kernel's backlog: nobody is refused.
//! ```
//!
//! It does no more than that. Where there is systemd, its socket units do the same (deploy/systemd).

use std::{
    ffi::OsString,
    fs,
    net::{SocketAddr, TcpListener},
    os::fd::{AsRawFd, OwnedFd, RawFd},
    path::PathBuf,
    process::{Child, Command, ExitStatus},
    time::Duration,
};

use anyhow::{Context, anyhow};
use clap::Args;
use rustix::{
    io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd},
    net::listen,
    process::{Pid, Signal as Sent, kill_process},
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, sleep_until},
};

use super::{Exit, complain, say};

/// Connections that may wait at each socket while no server takes them: as many as the kernel allows by default
/// (net.core.somaxconn). Beyond, a client's own system tries again after a second.
const BACKLOG: i32 = 4096;
/// The pause before a server that ended by itself is started again; doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// After so long a run the pauses begin anew.
const WELL: Duration = Duration::from_mins(1);
/// Further away than any run.
const NEVER: Duration = Duration::from_hours(24 * 365);

#[derive(Debug, Args)]
pub(super) struct Hold {
    /// A socket by its name (public, admin or <system>/<service>) and its address; for several, several times.
    #[arg(long, value_name = "NAME=ADDRESS", value_parser = socket,
        default_values = ["public=127.0.0.1:8088", "admin=127.0.0.1:9900"])]
    socket: Vec<(String, SocketAddr)>,
    /// Where the holder's process id is written: `kill -USR2` redeploys, `kill -TERM` ends both.
    #[arg(long)]
    pid_file: Option<PathBuf>,
    /// Seconds that a server has to end before it is killed: more than its `ready_down` and `drain`.
    #[arg(long, default_value_t = 120)]
    stop_seconds: u32,
    /// The server with its arguments: `-- steadfast serve --system store`.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

fn socket(text: &str) -> Result<(String, SocketAddr), String> {
    let (name, address) = text.split_once('=').ok_or("it is NAME=ADDRESS, as public=127.0.0.1:8088")?;
    if name.is_empty() || name.contains(':') {
        return Err("a name is not empty and has no colon".to_owned());
    }
    Ok((name.to_owned(), address.parse().map_err(|_| format!("`{address}` is not an address and a port"))?))
}

/// The sockets as a child gets them: open in it as well, with numbers that follow each other.
struct Passed {
    sockets: Vec<OwnedFd>,
    names: String,
    first: RawFd,
}

/// What the holder was told while a server ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Redeploy,
    End,
}

/// What comes after a server.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// The holder ends as the server did.
    End,
    /// It is started again after a pause, for which it has failed so often in a row.
    Start { failures: u32 },
    /// Another start would fail in the same way: the sockets are held until somebody says more.
    Wait,
}

/// `code` is how a server ended, `None` by a signal or when it could not be started.
fn next(told: Told, code: Option<i32>, is_first: bool, failures: u32) -> Next {
    match (told, code) {
        // Who ends well without having been told by us was told by somebody else.
        (Told::End, _) | (Told::Nothing, Some(0)) => Next::End,
        (Told::Redeploy, _) => Next::Start { failures: 0 },
        (Told::Nothing, Some(2..=4)) if is_first => Next::End,
        (Told::Nothing, Some(2 | 3)) => Next::Wait,
        (Told::Nothing, _) => Next::Start { failures: failures.saturating_add(1) },
    }
}

fn pause(failures: u32) -> Duration {
    match failures {
        0 => Duration::ZERO,
        n => FIRST_PAUSE.saturating_mul(1 << (n - 1).min(10)).min(LONGEST_PAUSE),
    }
}

/// Signals to the holder.
struct Signals {
    child: Signal,
    terminate: Signal,
    interrupt: Signal,
    redeploy: Signal,
    hang_up: Signal,
}

impl Hold {
    pub(super) fn run(self) -> Result<(), Exit> {
        let passed = self.bind()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the async runtime")
            .map_err(Exit::Other)?;
        if let Some(file) = &self.pid_file {
            let pid = format!("{}\n", std::process::id());
            fs::write(file, pid).with_context(|| format!("cannot write {}", file.display())).map_err(Exit::Other)?;
        }
        let ended = runtime.block_on(self.hold(&passed));
        if let Some(file) = &self.pid_file {
            drop(fs::remove_file(file)); // a stale one is noticed: nobody has its id
        }
        ended
    }

    /// Before there is anything else that opens files, so that the numbers follow each other.
    fn bind(&self) -> Result<Passed, Exit> {
        let mut bound: Vec<(&str, TcpListener)> = Vec::with_capacity(self.socket.len());
        for (name, address) in &self.socket {
            if bound.iter().any(|(known, _)| known == name) {
                return Err(Exit::Usage(anyhow!("two sockets are called `{name}`")));
            }
            let socket = TcpListener::bind(address).map_err(|error| {
                let is_taken = error.kind() == std::io::ErrorKind::AddrInUse;
                let why = anyhow::Error::new(error).context(format!("cannot listen on {address}"));
                if is_taken { Exit::InUse(why) } else { Exit::Usage(why) }
            })?;
            listen(&socket, BACKLOG).context("cannot have connections wait").map_err(Exit::Other)?;
            say(&match socket.local_addr() {
                Ok(address) => format!("holding {name} on {address}"),
                Err(error) => format!("holding {name}: {error}"),
            });
            bound.push((name, socket));
        }
        let passed = Passed::of(&bound).context("cannot hand the sockets on").map_err(Exit::Other)?;
        Ok(passed)
    }

    async fn hold(&self, passed: &Passed) -> Result<(), Exit> {
        let mut signals = Signals::listen().context("cannot listen for signals").map_err(Exit::Other)?;
        let (mut is_first, mut failures) = (true, 0);
        loop {
            let began = Instant::now();
            let (told, how) = match self.spawn(passed) {
                Ok(child) => {
                    let pid = child.id();
                    complain(&format!("steadfast hold: the server has process id {pid}"));
                    let (told, status) = self.until_ended(child, &mut signals).await.map_err(Exit::Other)?;
                    (told, Ok(status))
                }
                Err(error) if is_first => return Err(Exit::Usage(error)),
                Err(error) => (Told::Nothing, Err(error)),
            };
            let (code, how) = match how {
                Ok(status) => (status.code(), format!("the server ended, {status}")),
                Err(error) => (Some(2), format!("{error:#}")),
            };
            if began.elapsed() >= WELL {
                failures = 0;
            }
            let told = match next(told, code, is_first, failures) {
                Next::End => return ended(code, how),
                Next::Start { failures: count } => {
                    failures = count;
                    let wait = pause(count);
                    complain(&format!("steadfast hold: {how}; it is started again after {wait:?}"));
                    signals.within(wait).await
                }
                Next::Wait => {
                    complain(&format!(
                        "steadfast hold: {how}; another start would fail in the same way. The sockets are held: put it \
                         right and send SIGUSR2 to process {}",
                        std::process::id()
                    ));
                    signals.within(NEVER).await
                }
            };
            if told == Told::End {
                return ended(code, "told to end while no server ran".to_owned());
            }
            is_first = false;
        }
    }

    fn spawn(&self, passed: &Passed) -> anyhow::Result<Child> {
        let (program, arguments) = self.command.split_first().context("no server is named")?;
        let mut command = Command::new(program);
        command.args(arguments);
        command.env("LISTEN_FDS", passed.sockets.len().to_string()).env("LISTEN_FDNAMES", &passed.names);
        // Without LISTEN_PID, which nobody knows before there is a child.
        command.env("LISTEN_FDS_FIRST_FD", passed.first.to_string()).env_remove("LISTEN_PID");
        command.spawn().with_context(|| format!("cannot start {}", program.display()))
    }

    async fn until_ended(&self, mut child: Child, signals: &mut Signals) -> anyhow::Result<(Told, ExitStatus)> {
        let (mut told, mut deadline) = (Told::Nothing, Instant::now() + NEVER);
        loop {
            if let Some(status) = child.try_wait().context("cannot wait for the server")? {
                return Ok((told, status));
            }
            let now = tokio::select! {
                _ = signals.child.recv() => continue,
                _ = signals.terminate.recv() => Told::End,
                _ = signals.interrupt.recv() => Told::End,
                _ = signals.redeploy.recv() => Told::Redeploy,
                _ = signals.hang_up.recv() => {
                    kill_process(Pid::from_child(&child), Sent::HUP).context("cannot pass SIGHUP on")?;
                    continue;
                }
                () = sleep_until(deadline) => {
                    complain(&format!("steadfast hold: the server did not end within {} s: killed", self.stop_seconds));
                    child.kill().context("cannot kill the server")?;
                    deadline = Instant::now() + NEVER;
                    continue;
                }
            };
            // Told to end while it redeploys, it does; a second redeploy while one is under way is the same one.
            if told == Told::Nothing || now == Told::End {
                kill_process(Pid::from_child(&child), Sent::TERM).context("cannot tell the server to end")?;
                deadline = Instant::now() + Duration::from_secs(self.stop_seconds.into());
                told = now;
            }
        }
    }
}

/// The holder ends as the last server did.
fn ended(code: Option<i32>, how: String) -> Result<(), Exit> {
    let how = anyhow!(how);
    match code {
        Some(0) => Ok(()),
        Some(2) => Err(Exit::Usage(how)),
        Some(3) => Err(Exit::Damaged(how)),
        Some(4) => Err(Exit::InUse(how)),
        Some(70) => Err(Exit::GaveUp(how)),
        _ => Err(Exit::Other(how)),
    }
}

impl Passed {
    fn of(bound: &[(&str, TcpListener)]) -> std::io::Result<Self> {
        let above = bound.iter().map(|(_, socket)| socket.as_raw_fd()).max().unwrap_or_default() + 1;
        let mut sockets: Vec<OwnedFd> = Vec::with_capacity(bound.len());
        for ((_, socket), number) in bound.iter().zip(above..) {
            let copy = fcntl_dupfd_cloexec(socket, number)?;
            if copy.as_raw_fd() != number {
                return Err(std::io::Error::other(format!("descriptor {number} is taken by another file")));
            }
            fcntl_setfd(&copy, FdFlags::empty())?; // a child has it too
            sockets.push(copy);
        }
        let names: Vec<&str> = bound.iter().map(|(name, _)| *name).collect();
        Ok(Self { sockets, names: names.join(":"), first: above })
    }
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            child: signal(SignalKind::child())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            redeploy: signal(SignalKind::user_defined2())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// What is told while no server runs; `Nothing` when the time is over. A reload is none: the next start reads all.
    async fn within(&mut self, limit: Duration) -> Told {
        let over = Instant::now() + limit;
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return Told::End,
                _ = self.interrupt.recv() => return Told::End,
                _ = self.redeploy.recv() => return Told::Redeploy,
                _ = self.hang_up.recv() => {}
                () = sleep_until(over) => return Told::Nothing,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_after_a_server_depends_on_who_ended_it_and_how() {
        for (told, code, is_first, expected) in [
            (Told::End, Some(0), false, Next::End),
            (Told::End, None, false, Next::End),
            (Told::Redeploy, Some(0), true, Next::Start { failures: 0 }),
            (Told::Redeploy, None, false, Next::Start { failures: 0 }),
            (Told::Nothing, Some(0), false, Next::End),
            (Told::Nothing, Some(2), true, Next::End),
            (Told::Nothing, Some(3), true, Next::End),
            (Told::Nothing, Some(4), true, Next::End),
            (Told::Nothing, Some(2), false, Next::Wait),
            (Told::Nothing, Some(3), false, Next::Wait),
            (Told::Nothing, Some(4), false, Next::Start { failures: 4 }),
            (Told::Nothing, Some(70), true, Next::Start { failures: 4 }),
            (Told::Nothing, None, true, Next::Start { failures: 4 }),
        ] {
            assert_eq!(next(told, code, is_first, 3), expected, "{told:?} {code:?} {is_first}");
        }
    }

    #[test]
    fn the_pause_doubles_up_to_its_limit() {
        let pauses = [0, 1, 2, 3, 7, 8, u32::MAX].map(|n| pause(n).as_millis());
        assert_eq!(pauses, [0, 100, 200, 400, 6400, 10_000, 10_000]);
    }

    #[test]
    fn a_socket_is_given_by_name_and_address() {
        assert_eq!(socket("public=127.0.0.1:80"), Ok(("public".to_owned(), "127.0.0.1:80".parse().unwrap())));
        assert_eq!(socket("store/order=[::1]:80").unwrap().0, "store/order");
        for wrong in ["public", "=127.0.0.1:80", "a:b=127.0.0.1:80", "public=localhost:80"] {
            assert!(socket(wrong).is_err(), "{wrong}");
        }
    }
}
