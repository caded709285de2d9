//! The real binary on free ports, with a data directory that outlives its restarts and vanishes with the test.

use std::{
    collections::BTreeMap,
    env, fs,
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::{Client, until};

/// A start with recovery, and with all views built anew, takes far less even on a loaded machine; whoever needs longer
/// hangs.
const STARTS_WITHIN: Duration = Duration::from_mins(2);
/// What calls between services and asks may take, where a test says nothing else. Their defaults are for machines that do
/// not run many tests besides; a test that is not about them must not meet them.
pub(crate) const DEADLINES: [(&str, &str); 2] =
    [("STEADFAST__LINK__TIMEOUT", "30s"), ("STEADFAST__ENTITY__DEADLINE", "30s")];
/// Drain and margin of a shutdown, as `serve` has them.
const ENDS_WITHIN: Duration = Duration::from_secs(40);

/// How a server is started.
#[derive(Debug, Clone, Default)]
pub(crate) struct Setup {
    system: Option<&'static str>,
    config: String,
    flags: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Setup {
    /// Which system it runs; the store unless told otherwise.
    pub(crate) fn system(mut self, name: &'static str) -> Self {
        self.system = Some(name);
        self
    }

    /// The text of its `supervision.toml`.
    pub(crate) fn config(mut self, text: &str) -> Self {
        text.clone_into(&mut self.config);
        self
    }

    /// Another word of the command line; a flag of the harness gives way to the same flag here.
    pub(crate) fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    pub(crate) fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A server in a fresh directory, once it serves.
    #[track_caller]
    pub(crate) fn start(self) -> Server {
        let mut server = self.prepare();
        server.start();
        server
    }

    /// A server in a fresh directory, not started yet: whoever wants to see it fail uses [`Server::run`].
    pub(crate) fn prepare(self) -> Server {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("supervision.toml"), &self.config).unwrap();
        let data = directory.path().join("data");
        Server { directory, data, setup: self, running: None }
    }
}

/// A server of one test: at most one process at a time, killed with it.
#[derive(Debug)]
pub(crate) struct Server {
    directory: TempDir,
    data: PathBuf,
    setup: Setup,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    listen: String,
    admin: String,
    /// By `<system>/<service>`.
    services: BTreeMap<String, String>,
    grpc: Option<String>,
}

/// A process that has ended.
#[derive(Debug)]
pub(crate) struct Exited {
    pub(crate) status: ExitStatus,
    /// Standard error of all its runs.
    pub(crate) stderr: String,
}

impl Server {
    /// The store with every default.
    #[track_caller]
    pub(crate) fn store() -> Self {
        Setup::default().start()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.data.clone()
    }

    /// Where the next start has its data.
    pub(crate) fn keep_data_in(&mut self, data: PathBuf) {
        self.data = data;
    }

    /// What vanishes with it: its data, its configuration, what it said.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A variable of the next start's environment.
    pub(crate) fn set(&mut self, name: &str, value: &Path) {
        self.setup.environment.push((name.to_owned(), value.to_str().unwrap().to_owned()));
    }

    /// Replaces `supervision.toml` for the next start.
    pub(crate) fn reconfigure(&mut self, text: &str) {
        fs::write(self.directory.path().join("supervision.toml"), text).unwrap();
    }

    pub(crate) fn listen(&self) -> &str {
        &self.running().listen
    }

    /// The operators' address of the present run.
    pub(crate) fn admin_listen(&self) -> &str {
        &self.running().admin
    }

    /// The address of the gRPC adapter, when it was asked for.
    pub(crate) fn grpc_listen(&self) -> Option<&str> {
        self.running().grpc.as_deref()
    }

    /// A client of the public address of the present run.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.running().listen)
    }

    /// A client of the operators' address of the present run.
    pub(crate) fn admin(&self) -> Client {
        Client::new(&self.running().admin)
    }

    /// The address of one service, as `"stay/pay"`; `--service-ports=free` opens them.
    #[track_caller]
    pub(crate) fn service_address(&self, name: &str) -> &str {
        let address = self.running().services.get(name);
        address.unwrap_or_else(|| panic!("no port of {name}: {:?}", self.running().services))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running().child.id()
    }

    /// What all runs have written to standard error so far.
    pub(crate) fn stderr(&self) -> String {
        fs::read(self.file("stderr")).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Starts the process and waits until it serves.
    #[track_caller]
    pub(crate) fn start(&mut self) {
        if let Err(Exited { status, stderr }) = self.try_start() {
            panic!("it ended instead of serving, {status}:\n{stderr}");
        }
    }

    /// Starts the process and waits until it serves or has ended.
    #[track_caller]
    pub(crate) fn try_start(&mut self) -> Result<(), Exited> {
        assert!(self.running.is_none(), "one process at a time");
        let ready = self.file("ready.json");
        if ready.exists() {
            fs::remove_file(&ready).unwrap();
        }
        let mut child = self.spawn();
        let served = until(STARTS_WITHIN, || {
            if let Some(status) = child.try_wait().unwrap() {
                return Ok(Err(status));
            }
            fs::read(&ready).map(|text| Ok(serde_json::from_slice::<Value>(&text).unwrap()))
        });
        let text = |value: &Value, name: &str| value[name].as_str().unwrap().to_owned();
        match served {
            Ok(Ok(told)) => {
                let services = serde_json::from_value(told["services"].clone()).unwrap();
                let (listen, admin) = (text(&told, "listen"), text(&told, "admin"));
                let grpc = told["grpc"].as_str().map(str::to_owned);
                self.running = Some(Running { child, listen, admin, services, grpc });
                Ok(())
            }
            Ok(Err(status)) => Err(Exited { status, stderr: self.stderr() }),
            Err(error) => {
                end(&mut child);
                panic!("no ready file within {STARTS_WITHIN:?} ({error}):\n{}", self.stderr());
            }
        }
    }

    /// Starts the process where it is expected to end by itself, and waits for that.
    #[track_caller]
    pub(crate) fn run(&mut self) -> Exited {
        assert!(self.running.is_none(), "one process at a time");
        let child = self.spawn();
        self.ended(child)
    }

    /// Starts the process and kills it `after` a time, before it serves or not.
    pub(crate) fn start_and_kill(&self, after: Duration) {
        assert!(self.running.is_none(), "one process at a time");
        let mut child = self.spawn();
        thread::park_timeout(after);
        end(&mut child);
    }

    /// SIGKILL: nothing of the process runs any more when this returns.
    pub(crate) fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            end(&mut running.child);
        }
    }

    /// SIGKILL and start.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.start();
    }

    /// SIGTERM, without waiting for anything.
    pub(crate) fn signal_terminate(&self) {
        let pid = Pid::from_child(&self.running().child);
        kill_process(pid, Signal::TERM).unwrap();
    }

    /// SIGTERM, and waits for the end.
    #[track_caller]
    pub(crate) fn terminate(&mut self) -> Exited {
        self.signal_terminate();
        self.wait()
    }

    /// How the process has ended by itself; `None` while it runs.
    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        self.running.as_mut().expect("a process was started").child.try_wait().unwrap()
    }

    /// Waits for the end of a process that was told to end.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> Exited {
        let running = self.running.take().expect("a process runs");
        self.ended(running.child)
    }

    #[track_caller]
    fn ended(&self, mut child: Child) -> Exited {
        let status = until(ENDS_WITHIN, || child.try_wait().unwrap().ok_or(()));
        let Ok(status) = status else {
            end(&mut child);
            panic!("still running after {ENDS_WITHIN:?}:\n{}", self.stderr());
        };
        Exited { status, stderr: self.stderr() }
    }

    #[track_caller]
    fn running(&self) -> &Running {
        self.running.as_ref().expect("a process runs")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn spawn(&self) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast"));
        // Nothing of the developer's shell but what it says about logging and the search path.
        command.env_clear();
        for name in ["PATH", "RUST_LOG", "RUST_BACKTRACE", "TZ"] {
            if let Some(value) = env::var_os(name) {
                command.env(name, value);
            }
        }
        // A file that a test replaces is read when the test says so.
        command.env("STEADFAST__SERVER__WATCH_CONFIG", "0s");
        command.envs(DEADLINES);
        command.args(["serve", "--system", self.setup.system.unwrap_or("store")]);
        let (data, config, ready) = (self.data(), self.file("supervision.toml"), self.file("ready.json"));
        let free = Path::new("127.0.0.1:0");
        let own: [(&str, &Path); 5] = [
            ("--data", &data),
            ("--config", &config),
            ("--ready-file", &ready),
            ("--listen", free),
            ("--admin-listen", free),
        ];
        // What the test gives goes before.
        for (flag, value) in own.iter().filter(|(flag, _)| !self.setup.flags.iter().any(|given| given == flag)) {
            command.arg(flag).arg(value);
        }
        let append = |name| File::options().create(true).append(true).open(self.file(name)).unwrap();
        command
            .args(&self.setup.flags)
            .envs(self.setup.environment.iter().cloned())
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(append("stdout"))
            .stderr(append("stderr"))
            .spawn()
            .unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            eprintln!("standard error of the server:\n{}", self.stderr());
        }
    }
}

/// Kills a process and reaps it; one that has ended by itself is as good.
fn end(child: &mut Child) {
    child.kill().expect("it is ours and not reaped yet");
    child.wait().expect("it is ours and not reaped yet");
}
