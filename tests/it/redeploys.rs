//! Redeploys under load: no request fails, and nothing is lost or doubled.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::{
    common::{Client, Connection, Request, eventually, until},
    shop::{SOON, product, rows, stock},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_steadfast");
/// Drain and margin of a shutdown, as `serve` has them.
const ENDS_WITHIN: Duration = Duration::from_secs(40);

/// `steadfast hold` with the store on its sockets, in a directory that vanishes with the test.
struct Held {
    directory: tempfile::TempDir,
    holder: Child,
    public: String,
    admin: String,
}

impl Held {
    #[track_caller]
    fn start(config: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| directory.path().join(name);
        fs::write(file("supervision.toml"), config).unwrap();
        // Where a redeploy finds the program, and may put another one. Small, as this one is built for debugging.
        program(&file("steadfast"), "");
        program(&file("newer"), "# newer\n");
        let out = |name: &str| File::options().create(true).append(true).open(file(name)).unwrap();
        let holder = Command::new(file("steadfast"))
            .args(["hold", "--socket", "public=127.0.0.1:0", "--socket", "admin=127.0.0.1:0", "--pid-file", "hold.pid"])
            .args(["--", "./steadfast", "serve", "--system", "store", "--config", "supervision.toml"])
            .args(["--ready-file", "ready.json"])
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(out("stdout"))
            .stderr(out("stderr"))
            .spawn()
            .unwrap();
        let mut held = Self { directory, holder, public: String::new(), admin: String::new() };
        let ready = eventually(SOON * 6, "it serves", || {
            let text = fs::read(held.directory.path().join("ready.json")).ok()?;
            serde_json::from_slice::<Value>(&text).ok()
        });
        held.public = ready["listen"].as_str().unwrap().to_owned();
        held.admin = ready["admin"].as_str().unwrap().to_owned();
        held
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn client(&self) -> Client {
        Client::new(&self.public)
    }

    fn admin(&self) -> Client {
        Client::new(&self.admin)
    }

    fn pid(&self) -> u64 {
        self.admin().json("/admin/process")["pid"].as_u64().unwrap()
    }

    fn stderr(&self) -> String {
        fs::read_to_string(self.path("stderr")).unwrap_or_default()
    }

    /// Runs `deploy/redeploy.sh`, as an operator would; its exit code and what it said.
    fn redeploy(&self, more: &[&str]) -> (Option<i32>, String) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/redeploy.sh");
        let output = Command::new(script)
            .args(["--holder", "hold.pid", "--program", "./steadfast", "--config", "supervision.toml"])
            .args(["--admin", &self.admin])
            .args(more)
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .output()
            .expect("bash");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.holder), signal).unwrap();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
        if until(ENDS_WITHIN, || self.holder.try_wait().unwrap().ok_or(())).is_err() {
            eprintln!("the holder did not end: killed, and the server with it");
            self.holder.kill().unwrap();
            self.holder.wait().unwrap();
        }
        if thread::panicking() {
            eprintln!("standard error of the holder and its servers:\n{}", self.stderr());
        }
    }
}

/// The orders that one client placed: the number that each key was answered with.
type Placed = BTreeMap<String, u64>;

/// How a client uses its connections.
#[derive(Clone, Copy, Debug)]
enum Habit {
    /// Keeps one as long as the server does not end it.
    Keeps,
    /// A fresh one for each request.
    Fresh,
}

/// Places orders until told to stop. A connection is left only where the server said that it ends; any other end, and any
/// answer but 201, fails the test.
fn load(name: &str, client: &Client, habit: Habit, stop: &AtomicBool, done: &AtomicUsize) -> Placed {
    let mut placed = Placed::new();
    let mut kept: Option<Connection> = None;
    for turn in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let key = format!("{name}-{turn}");
        let order = Request::new("POST", "/orders").header("Idempotency-Key", &key);
        let order = order.json(&json!({"productId": 1, "quantity": 1}));
        let mut connection = kept.take().unwrap_or_else(|| client.connect().expect("nobody is refused"));
        let answer = connection.try_send(&order).unwrap_or_else(|error| panic!("{key} had no answer: {error}"));
        assert_eq!(answer.status, 201, "{key}: {answer}");
        let ends = answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        kept = Some(connection).filter(|_| matches!(habit, Habit::Keeps) && !ends);
        placed.insert(key, answer.created());
        done.fetch_add(1, Ordering::Relaxed);
    }
    placed
}

#[test]
fn three_redeploys_under_load_fail_no_request_and_lose_or_double_nothing() {
    let held = Held::start("");
    let client = held.client();
    product(&client, 100_000);
    let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    let habits = [("a", Habit::Keeps), ("b", Habit::Keeps), ("c", Habit::Fresh), ("d", Habit::Fresh)];
    let (placed, processes) = thread::scope(|scope| {
        let loads = habits.map(|(name, habit)| {
            let (client, stop, done) = (client.clone(), &stop, &done);
            scope.spawn(move || load(name, &client, habit, stop, done))
        });
        let goes_on = |since: usize| {
            eventually(SOON, "the load goes on", || (done.load(Ordering::Relaxed) > since + 20).then_some(()));
        };
        let mut processes = vec![held.pid()];
        goes_on(0);
        for _ in 0..3 {
            let (code, said) = held.redeploy(&["--new", "./newer"]);
            assert_eq!(code, Some(0), "{said}");
            processes.push(held.pid());
            goes_on(done.load(Ordering::Relaxed));
        }
        stop.store(true, Ordering::Relaxed);
        let placed: Placed = loads.into_iter().flat_map(|load| load.join().unwrap()).collect();
        (placed, processes)
    });
    let installed = fs::read_to_string(held.path("steadfast")).unwrap();
    assert!(installed.contains("# newer"), "{installed}");
    assert!(processes.windows(2).all(|pair| pair[0] != pair[1]), "each redeploy is another process: {processes:?}");
    held.admin().get("/admin/quiesce?within=10s").is(200);
    // Every order that was acknowledged is there, and no other.
    let mut acknowledged: Vec<u64> = placed.values().copied().collect();
    acknowledged.sort_unstable();
    let there = |collection: &str, field: &str| {
        let mut ids = Vec::new();
        for page in 0.. {
            let answer = client.json(&format!("/{collection}?size=1000&page={page}"));
            let rows = answer["_embedded"][collection].as_array().unwrap();
            ids.extend(rows.iter().map(|row| row[field].as_u64().unwrap()));
            if rows.len() < 1000 {
                break;
            }
        }
        ids.sort_unstable();
        ids
    };
    assert_eq!(there("orders", "id"), acknowledged);
    // Each was delivered once, and each delivery raised the stock once.
    assert_eq!(there("deliveries", "orderId"), acknowledged);
    assert_eq!(stock(&client, 1), 100_000 + i64::try_from(acknowledged.len()).unwrap());
    // A repeat, whichever process had the first, is answered with the first answer.
    for (key, id) in placed.iter().step_by(1 + placed.len() / 20) {
        let order = Request::new("POST", "/orders").header("Idempotency-Key", key);
        let again = client.send(&order.json(&json!({"productId": 1, "quantity": 1})));
        assert_eq!((again.header("idempotency-replayed"), again.created()), (Some("true"), *id));
    }
    assert_eq!(there("orders", "id"), acknowledged);
    assert!(!held.stderr().contains("did not end in time"), "{}", held.stderr());
}

#[test]
fn a_program_that_does_not_start_is_replaced_by_the_one_before_and_clients_wait_meanwhile() {
    let held = Held::start("");
    let client = held.client();
    let id = product(&client, 10);
    // It says its version and takes the configuration, so that the script believes in it; to serve is beyond it.
    let broken = held.path("broken");
    program(&broken, "[ \"$1\" = serve ] && exit 2\n");
    let before = held.pid();
    let (asked, (code, said)) = thread::scope(|scope| {
        let redeploy = scope.spawn(|| held.redeploy(&["--new", "./broken", "--within", "4"]));
        eventually(SOON, "the sockets are held", || held.stderr().contains("The sockets are held").then_some(()));
        let asked = scope.spawn(|| client.get(&format!("/products/{id}")));
        (asked.join().unwrap(), redeploy.join().unwrap())
    });
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("was put back, and serves"), "{said}");
    assert_eq!(asked.is(200).json()["quantity"], json!(10), "whoever asked meanwhile was answered in the end");
    assert_ne!(held.pid(), before);
    assert_eq!(rows(&client, "products").len(), 1);
}

#[test]
fn what_cannot_go_well_is_refused_before_anything_stops() {
    let held = Held::start("");
    let before = held.pid();
    fs::write(held.path("supervision.toml"), "[entity]\nmailbox = 0\n").unwrap();
    let (code, said) = held.redeploy(&[]);
    assert_eq!((code, held.pid()), (Some(2), before), "{said}");
    assert!(said.contains("does not take supervision.toml") && said.contains("nothing was done"), "{said}");
    fs::write(held.path("supervision.toml"), "").unwrap();
    for (more, why) in [
        (["--new", "./nothing"], "is no program"),
        (["--holder", "ready.json"], "no holder runs"),
        (["--holder", "absent.pid"], "no holder runs"),
    ] {
        let (code, said) = held.redeploy(&more);
        assert_eq!((code, held.pid()), (Some(2), before), "{said}");
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn a_server_that_is_killed_is_started_again_on_the_sockets_and_nobody_is_refused() {
    let held = Held::start("");
    let client = held.client();
    let id = product(&client, 10);
    let before = held.pid();
    kill_process(Pid::from_raw(i32::try_from(before).unwrap()).unwrap(), Signal::KILL).unwrap();
    // Whoever connects from now on waits, and is answered.
    let found = eventually(SOON, "another process", || {
        let answer = client.try_send(&Request::new("GET", &format!("/products/{id}"))).ok()?;
        (held.pid() != before).then_some(answer)
    });
    assert_eq!(found.is(200).json()["quantity"], json!(10));
}

#[test]
fn an_inherited_socket_that_nobody_serves_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new(PROGRAM)
        .args(["hold", "--socket", "shop=127.0.0.1:0", "--", PROGRAM, "serve", "--system", "store"])
        .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("`shop`") && said.contains("public, admin"), "{said}");
    assert!(!directory.path().join("data").exists(), "nothing was opened");
}

/// A program that does this first, and then is the one under test.
fn program(file: &Path, first: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(file, format!("#!/bin/sh\n{first}exec {PROGRAM} \"$@\"\n")).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}
