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
    common::{Client, Connection, DEADLINES, Request, SOON, Server, Setup, eventually, until},
    shop::{operate, product, quiet, rows, stock},
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
            .envs(DEADLINES)
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

/// What one client created: the number that each key was answered with.
type Created = BTreeMap<String, u64>;

/// How a client uses its connections.
#[derive(Clone, Copy, Debug)]
enum Habit {
    /// Keeps one as long as the server does not end it.
    Keeps,
    /// A fresh one for each request.
    Fresh,
}

const HABITS: [(&str, Habit); 4] = [("a", Habit::Keeps), ("b", Habit::Keeps), ("c", Habit::Fresh), ("d", Habit::Fresh)];

/// Clients that create and read until told to stop.
struct Load<'a> {
    client: Client,
    collection: &'a str,
    /// The body of the `n`th request of a client.
    body: &'a (dyn Fn(&str, u64) -> Value + Sync),
    stop: AtomicBool,
    done: AtomicUsize,
}

impl<'a> Load<'a> {
    fn new(client: Client, collection: &'a str, body: &'a (dyn Fn(&str, u64) -> Value + Sync)) -> Self {
        Self { client, collection, body, stop: AtomicBool::new(false), done: AtomicUsize::new(0) }
    }

    /// Puts the load on while `meanwhile` happens; what was created.
    fn during(&self, meanwhile: impl FnOnce(&Self)) -> Created {
        thread::scope(|scope| {
            let clients = HABITS.map(|(name, habit)| scope.spawn(move || self.one(name, habit)));
            self.goes_on();
            meanwhile(self);
            self.stop.store(true, Ordering::Relaxed);
            clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
        })
    }

    #[track_caller]
    fn goes_on(&self) {
        let since = self.done.load(Ordering::Relaxed);
        eventually(SOON, "the load goes on", || (self.done.load(Ordering::Relaxed) > since + 20).then_some(()));
    }

    /// A connection is left only where the server said that it ends. Any other end, and any answer but 201 to a creation
    /// and 200 to its look, fails the test.
    fn one(&self, name: &str, habit: Habit) -> Created {
        let mut created = Created::new();
        let mut kept: Option<Connection> = None;
        let mut send = |request: &Request, status| {
            let mut connection = kept.take().unwrap_or_else(|| self.client.connect().expect("nobody is refused"));
            let answer = connection.try_send(request);
            let answer = answer.unwrap_or_else(|error| panic!("no answer to {request:?}: {error}"));
            assert_eq!(answer.status, status, "{request:?}: {answer}");
            let ends = answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
            kept = Some(connection).filter(|_| matches!(habit, Habit::Keeps) && !ends);
            self.done.fetch_add(1, Ordering::Relaxed);
            answer
        };
        for turn in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let key = format!("{name}-{turn}");
            let id = send(&self.creation(&key, &(self.body)(name, turn)), 201).created();
            created.insert(key, id);
            let target = format!("/{}/{id}", self.collection);
            assert_eq!(send(&Request::new("GET", &target), 200).json()["id"], json!(id));
        }
        created
    }

    fn creation(&self, key: &str, body: &Value) -> Request {
        Request::new("POST", &format!("/{}", self.collection)).header("Idempotency-Key", key).json(body)
    }

    /// What every page of a collection says in this field, in order.
    fn all(&self, collection: &str, field: &str) -> Vec<u64> {
        let mut values = Vec::new();
        for page in 0.. {
            let answer = self.client.json(&format!("/{collection}?size=1000&page={page}"));
            let rows = answer["_embedded"][collection].as_array().unwrap();
            values.extend(rows.iter().map(|row| row[field].as_u64().unwrap()));
            if rows.len() < 1000 {
                break;
            }
        }
        values.sort_unstable();
        values
    }

    /// Everything that was acknowledged is there, and nothing else; a repeat gets the first answer.
    #[track_caller]
    fn audit(&self, created: &Created) -> Vec<u64> {
        let mut acknowledged: Vec<u64> = created.values().copied().collect();
        acknowledged.sort_unstable();
        assert_eq!(self.all(self.collection, "id"), acknowledged);
        for (key, id) in created.iter().step_by(1 + created.len() / 20) {
            let (name, turn) = key.split_once('-').unwrap();
            let again = self.client.send(&self.creation(key, &(self.body)(name, turn.parse().unwrap())));
            assert_eq!((again.header("idempotency-replayed"), again.created()), (Some("true"), *id));
        }
        assert_eq!(self.all(self.collection, "id"), acknowledged);
        acknowledged
    }
}

/// An order of the one product.
fn order(_: &str, _: u64) -> Value {
    json!({"productId": 1, "quantity": 1})
}

/// Each order was delivered once, and each delivery raised the stock once.
#[track_caller]
fn audit_orders(load: &Load<'_>, created: &Created, stocked: i64) {
    let acknowledged = load.audit(created);
    assert_eq!(load.all("deliveries", "orderId"), acknowledged);
    assert_eq!(stock(&load.client, 1), stocked + i64::try_from(acknowledged.len()).unwrap());
}

#[test]
fn three_redeploys_under_load_fail_no_request_and_lose_or_double_nothing() {
    let held = Held::start("");
    product(&held.client(), 100_000);
    let load = Load::new(held.client(), "orders", &order);
    let mut processes = vec![held.pid()];
    let created = load.during(|load| {
        for _ in 0..3 {
            let (code, said) = held.redeploy(&["--new", "./newer"]);
            assert_eq!(code, Some(0), "{said}");
            processes.push(held.pid());
            load.goes_on();
        }
    });
    let installed = fs::read_to_string(held.path("steadfast")).unwrap();
    assert!(installed.contains("# newer"), "{installed}");
    assert!(processes.windows(2).all(|pair| pair[0] != pair[1]), "each redeploy is another process: {processes:?}");
    held.admin().get("/admin/quiesce?within=60s").is(200);
    audit_orders(&load, &created, 100_000);
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
        let redeploy = scope.spawn(|| held.redeploy(&["--new", "./broken", "--within", "15"]));
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

#[test]
fn each_service_of_the_store_is_replaced_under_load_without_a_failed_request() {
    let server = Server::store();
    product(&server.client(), 100_000);
    let load = Load::new(server.client(), "orders", &order);
    let created = load.during(|load| {
        for service in ["order", "delivery", "product", "order", "delivery", "product"] {
            let replaced = operate(&server, service, "redeploy");
            assert_eq!(replaced["state"], "running", "{replaced}");
            load.goes_on();
        }
    });
    quiet(&server);
    audit_orders(&load, &created, 100_000);
    assert_eq!(server.admin().json("/admin/dead-letters"), json!([]));
    assert_eq!(server.stderr().matches("redeployed").count(), 6, "{}", server.stderr());
}

/// A booking asks its room's calendar, an entity of its own service, and then the payment: what it has begun is finished
/// before its service is replaced.
#[test]
fn a_service_whose_entities_ask_each_other_is_replaced_under_load() {
    let server = Setup::default().system("stay").start();
    let booking = |name: &str, turn: u64| {
        let room = u64::from(name.as_bytes()[0]); // dates of one client are its own
        let date = 20_300_101 + 10_000 * (turn / 336) + 100 * (turn % 336 / 28) + turn % 28;
        json!({"roomId": room, "guest": name, "usedate": date, "price": 1000})
    };
    let load = Load::new(server.client(), "bookings", &booking);
    let created = load.during(|load| {
        for service in ["booking", "pay", "booking", "pay"] {
            server.admin().post(&format!("/admin/services/stay/{service}/redeploy")).is(200);
            load.goes_on();
        }
    });
    quiet(&server);
    let acknowledged = load.audit(&created);
    assert_eq!(load.all("payments", "bookId"), acknowledged);
}

/// A program that does this first, and then is the one under test.
fn program(file: &Path, first: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(file, format!("#!/bin/sh\n{first}exec {PROGRAM} \"$@\"\n")).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}
