//! The real program, running the store on a data directory.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::wire::{self, Answer, Wire};

/// A directory for one test, kept when the test fails.
pub(crate) struct Place {
    dir: Option<tempfile::TempDir>,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { dir: Some(tempfile::tempdir().unwrap()) }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.as_ref().unwrap().path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// The program with free ports, this data directory and this place's configuration.
    pub(crate) fn command(&self) -> Command {
        let mut command = self.without_addresses();
        command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        command
    }

    fn without_addresses(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast"));
        command.args(["serve", "--system", "store"]);
        command.arg("--data").arg(self.data());
        command.arg("--config").arg(self.path().join("supervision.toml"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("STEADFAST__") || name == "RUST_LOG" {
                command.env_remove(name);
            }
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(self.log());
        command
    }

    pub(crate) fn configure(&self, text: &str) {
        fs::write(self.path().join("supervision.toml"), text).unwrap();
    }

    /// Starts the store; returns when it serves.
    pub(crate) fn open(&self) -> Shop {
        match self.try_open() {
            Ok(shop) => shop,
            Err(status) => panic!("the shop did not open: {status}; it said:\n{}", self.said()),
        }
    }

    /// The same, when it may also end.
    pub(crate) fn try_open(&self) -> Result<Shop, ExitStatus> {
        let mut child = self.command().spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let addresses = line.trim_end().strip_prefix("listening on http://");
        match addresses.and_then(|addresses| addresses.split_once(", operators on http://")) {
            Some((public, admin)) => {
                let (public, admin) = (public.parse().unwrap(), admin.parse().unwrap());
                Ok(Shop { child, public, admin, _out: out })
            }
            None => Err(child.wait().unwrap()),
        }
    }

    /// Runs the program to its end; exit code and what it said.
    pub(crate) fn run(&self) -> (i32, String) {
        ended(&mut self.command())
    }

    /// The same, with these arguments instead of the addresses.
    pub(crate) fn run_with(&self, arguments: &[&str]) -> (i32, String) {
        ended(self.without_addresses().args(arguments))
    }

    fn log(&self) -> File {
        File::options().create(true).append(true).open(self.path().join("log")).unwrap()
    }

    /// What all processes of this place wrote to stderr.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(self.path().join("log")).unwrap_or_default()
    }

    /// Removes everything that can be rebuilt.
    pub(crate) fn forget_tables(&self) {
        for unit in ["main", "alarm"] {
            fs::remove_dir_all(self.data().join(unit).join("sled")).unwrap();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if thread::panicking()
            && let Some(dir) = self.dir.take()
        {
            eprintln!("kept {}", dir.keep().display());
        }
    }
}

/// A running store. Killed when dropped.
pub(crate) struct Shop {
    child: Child,
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
    /// Kept open: a program that prints into a closed pipe dies of it.
    _out: BufReader<ChildStdout>,
}

impl Shop {
    /// SIGKILL; returns when the process is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; the process must end well.
    pub(crate) fn close(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "after SIGTERM: {status}");
    }

    /// Waits until it ends by itself.
    pub(crate) fn end(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        wire::get(self.public, path)
    }

    pub(crate) fn send(&self, method: &str, path: &str, key: &str, body: Option<&Value>) -> Answer {
        let answer = Wire::new(self.public).send(method, path, Some(key), body);
        answer.unwrap_or_else(|lost| panic!("{method} {path}: {lost:?}"))
    }

    /// Waits until nothing is under way any more.
    pub(crate) fn quiesce(&self) {
        let answer = wire::get(self.admin, "/admin/quiesce?within=15s");
        assert_eq!(answer.status, 200, "the shop does not come to rest: {}", answer.body);
    }

    /// All items of a collection, in pages; also as they came, for comparing.
    pub(crate) fn all(&self, collection: &str) -> (Vec<Value>, String) {
        let (mut items, mut raw) = (Vec::new(), String::new());
        for page in 0.. {
            let answer = self.get(&format!("/{collection}?size=1000&page={page}"));
            assert_eq!(answer.status, 200, "{collection}: {}", answer.body);
            assert_eq!(answer.header("x-view-lag"), None, "{collection} lags after everything came to rest");
            raw.push_str(&answer.body);
            let body = answer.json();
            items.extend(body["_embedded"][collection].as_array().unwrap().iter().cloned());
            if page + 1 >= body["page"]["totalPages"].as_u64().unwrap() {
                let total = body["page"]["totalElements"].as_u64().unwrap();
                assert_eq!(items.len() as u64, total, "{collection} has another count than items");
                break;
            }
        }
        (items, raw)
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        // Both fail when it has ended, which is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn ended(command: &mut Command) -> (i32, String) {
    let output = command.stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap_or_else(|| panic!("ended by a signal: {said}")), said)
}

/// Lets this thread wait; a channel that nobody writes to is the clock.
pub(crate) fn pause(time: Duration) {
    let (_keep, never) = mpsc::channel::<()>();
    assert!(never.recv_timeout(time).is_err(), "nobody writes");
}
