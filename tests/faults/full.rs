//! A disk that fills up under load: writes are refused with 503, reads go on, writes come back with the space, and
//! nothing that was acknowledged is missing. By a byte budget, and on a real small disk where one can be mounted.

use std::{
    env,
    fs::{self, File},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::{Path, PathBuf},
    process::Command as Program,
    thread,
    time::Duration,
};

use rustix::fs::{FallocateFlags, fallocate, statvfs};

use crate::{
    books::{Books, Events},
    common::{Response, Setup, eventually},
    disk::Budget,
    laws,
    load::{Act, CLERKS, Clerk, Command, Done, Round, products},
    shop::Shop,
    wire,
};

/// Until a busy machine has filled the disk, or noticed that it is free again.
const LIMIT: Duration = Duration::from_mins(2);

/// How often it fills up.
const TIMES: usize = 2;

/// What writes leave free.
const MARK: u64 = 4 << 20;

/// With a mark that is far enough from the end for what is written meanwhile.
const MARKED: &str =
    "[storage]\nsegment_bytes = \"64 KiB\"\nlow_space = \"4 MiB\"\nballast = \"256 KiB\"\nsled_cache = \"1 MiB\"\n";

/// Nothing is kept aside: the end of the disk is met in the middle of whatever is written.
const UNMARKED: &str =
    "[storage]\nsegment_bytes = \"64 KiB\"\nlow_space = \"0 B\"\nballast = \"0 B\"\nsled_cache = \"1 MiB\"\n";

/// A disk whose free space a test sets.
trait Small {
    /// So many bytes are free from now on, if nobody takes them.
    fn leave(&self, bytes: u64);
    /// As many are free as there were in the beginning.
    fn give_back(&self);
}

impl Small for Budget {
    fn leave(&self, bytes: u64) {
        self.set(self.used() + bytes);
    }

    fn give_back(&self) {
        self.set(u64::MAX);
    }
}

/// A file system of its own.
struct Mounted {
    root: PathBuf,
}

impl Small for Mounted {
    fn leave(&self, bytes: u64) {
        let of = statvfs(&self.root).unwrap();
        let taken = (of.f_bavail * of.f_frsize).saturating_sub(bytes);
        let file = File::create(self.root.join("filler")).unwrap();
        fallocate(file, FallocateFlags::empty(), 0, taken).unwrap();
    }

    fn give_back(&self) {
        fs::remove_file(self.root.join("filler")).unwrap();
    }
}

/// Registers products, one after the other, each until it is done.
#[derive(Default)]
struct Probe {
    open: Option<Command>,
    done: Vec<Done>,
}

impl Probe {
    /// `None` when the server is gone.
    fn ask(&mut self, shop: &Shop) -> Option<Response> {
        let key = format!("probe-{}", self.done.len());
        let command = self.open.take().unwrap_or(Command { key, act: Act::Register { quantity: 1, price: 1 } });
        let answer = command.send(&mut shop.wire());
        match answer {
            Ok(answer) if answer.status == 201 => {
                self.done.push(Done { command, answer: answer.clone() });
                Some(answer)
            }
            Ok(answer) => {
                self.open = Some(command);
                Some(answer)
            }
            Err(_) => {
                self.open = Some(command);
                None
            }
        }
    }
}

/// Runs `during` while clerks work; kills the process then.
fn under_load(shop: &mut Shop, clerks: &mut [Clerk], during: impl FnOnce(&mut Shop)) {
    let (client, products) = (shop.client(), products(shop));
    let round = Round { client: &client, products: &products };
    thread::scope(|scope| {
        let working: Vec<_> = clerks.iter_mut().map(|clerk| scope.spawn(move || clerk.work(round))).collect();
        let ended = catch_unwind(AssertUnwindSafe(|| during(shop)));
        shop.kill(); // which ends the clerks, too
        for clerk in working {
            clerk.join().unwrap();
        }
        ended.unwrap_or_else(|panic| resume_unwind(panic));
    });
}

fn clerks(shop: &Shop) -> Vec<Clerk> {
    let mut rng = fastrand::Rng::new();
    let mut clerks: Vec<Clerk> = (0..CLERKS).map(|number| Clerk::new(number, rng.fork())).collect();
    for clerk in &mut clerks[..3] {
        clerk.register(shop);
    }
    clerks
}

/// Everybody gets an answer, and all laws hold.
fn settle_and_check(shop: &Shop, clerks: &mut [Clerk], probe: &mut Probe) {
    for clerk in clerks.iter_mut() {
        clerk.settle(&mut shop.wire()).unwrap();
    }
    if probe.open.is_some() {
        assert_eq!(probe.ask(shop).map(|answer| answer.status), Some(201));
    }
    let done: Vec<&Done> = clerks.iter().flat_map(|clerk| &clerk.done).chain(&probe.done).collect();
    laws::check(&Events::read(shop), &Books::read(shop), &done);
}

fn on(disk_root: &Path, environment: &[(&str, PathBuf)], journal: &str, config: &str) -> Shop {
    let mut server = Setup::default().flag("--journal").flag(journal).prepare();
    for (name, value) in environment {
        server.set(name, value);
    }
    server.keep_data_in(disk_root.join("data"));
    server.reconfigure(config);
    server.start();
    Shop::of(server)
}

/// The disk fills up and is given back while the process lives.
fn fills_up(shop: &mut Shop, disk: &dyn Small) {
    let (mut clerks, mut probe) = (clerks(shop), Probe::default());
    let pid = shop.pid();
    under_load(shop, &mut clerks, |shop| {
        for time in 1..=TIMES {
            disk.leave(MARK + (512 << 10));
            let refused = eventually(LIMIT, "the disk is full", || {
                let answer = probe.ask(shop).expect("it serves");
                assert!(matches!(answer.status, 201 | 503 | 504), "{answer}");
                (answer.status == 503 && answer.header("retry-after") == Some("5")).then_some(answer)
            });
            assert!(refused.text().contains("the disk has"), "{refused}");
            // A segment that finds no room is refused a little earlier than everything is.
            eventually(LIMIT, "the watch has looked", || {
                (shop.stderr().matches("the disk has too little space").count() == time).then_some(())
            });
            let before = probe.done.len();
            for _ in 0..10 {
                assert_eq!(probe.ask(shop).unwrap().status, 503, "still");
                assert_eq!(shop.get("/products/1").status, 200, "reads go on");
                assert_eq!(shop.get("/orders?size=5").status, 200, "lists, too");
            }
            disk.give_back();
            eventually(LIMIT, "writes come back", || (probe.ask(shop).unwrap().status == 201).then_some(()));
            assert!(probe.done.len() > before);
        }
        assert_eq!(shop.pid(), pid);
    });
    shop.start();
    settle_and_check(shop, &mut clerks, &mut probe);
    shop.close();
}

/// The disk is full from one write to the next. Either everything is refused until there is space, or the process ends
/// with 70 and its successor has everything.
fn is_full_at_once(shop: &mut Shop, disk: &dyn Small) {
    const IN_A_ROW: u32 = 20;
    let (mut clerks, mut probe) = (clerks(shop), Probe::default());
    disk.leave(256 << 10);
    let mut ended = None;
    under_load(shop, &mut clerks, |shop| {
        let mut refused = 0;
        eventually(LIMIT, "the end of the disk is met", || {
            let answer = probe.ask(shop);
            assert!(answer.as_ref().is_none_or(|answer| matches!(answer.status, 201 | 503 | 504)), "{answer:?}");
            let full = answer.is_some_and(|answer| answer.header("retry-after") == Some("5"));
            refused = if full { refused + 1 } else { 0 };
            ended = shop.exited();
            (ended.is_some() || refused == IN_A_ROW).then_some(())
        });
        if ended.is_none() {
            eventually(LIMIT, "reads go on", || {
                ended = shop.exited(); // what is derived may have met the end, too
                let read = shop.client().try_send(&wire::get("/products/1"));
                (ended.is_some() || read.is_ok_and(|read| read.status == 200)).then_some(())
            });
            disk.give_back();
            eventually(LIMIT, "writes come back", || {
                ended = shop.exited();
                (ended.is_some() || probe.ask(shop)?.status == 201).then_some(())
            });
        } else {
            disk.give_back();
        }
        if ended.is_none() && shop.stderr().contains("committing rows failed") {
            eventually(LIMIT, "views that keep nothing any more end the process", || {
                ended = shop.exited();
                ended.map(drop)
            });
        }
    });
    if let Some(ended) = ended {
        assert_eq!(ended.code(), Some(70), "{}", shop.stderr());
    }
    shop.start();
    settle_and_check(shop, &mut clerks, &mut probe);
    shop.close();
}

fn with_budget(journal: &str, config: &str, course: impl FnOnce(&mut Shop, &dyn Small)) -> Option<u64> {
    let directory = tempfile::tempdir().unwrap();
    let budget = Budget::new(directory.path())?;
    let mut shop = on(&budget.root, &budget.environment(), journal, config);
    course(&mut shop, &budget);
    Some(budget.refused())
}

#[test]
fn a_disk_that_fills_up_refuses_writes_and_takes_them_again_when_there_is_space() {
    let refused = with_budget("segments", MARKED, fills_up);
    assert_eq!(refused.unwrap_or(0), 0, "the end of the disk was met: the mark does not keep writes away from it");
}

#[test]
fn a_disk_that_fills_up_refuses_writes_of_a_journal_in_sled_and_takes_them_again() {
    let refused = with_budget("sled", MARKED, fills_up);
    assert_eq!(refused.unwrap_or(0), 0, "the end of the disk was met: the mark does not keep writes away from it");
}

#[test]
fn a_disk_that_is_full_at_once_loses_nothing() {
    let refused = with_budget("segments", UNMARKED, is_full_at_once);
    assert!(refused.is_none_or(|refused| refused > 0), "the end of the disk was never met");
}

#[test]
fn a_disk_that_is_full_at_once_loses_nothing_of_a_journal_in_sled() {
    let refused = with_budget("sled", UNMARKED, |shop, disk| {
        is_full_at_once(shop, disk);
        // Such a journal is opened again by the next process only.
        assert!(shop.stderr().contains("steadfast: the supervision tree gave up"), "{}", shop.stderr());
    });
    assert!(refused.is_none_or(|refused| refused > 0), "the end of the disk was never met");
}

/// Set for the part of this test that may mount.
const MOUNTS: &str = "STEADFAST_FAULTS_MOUNTS";

#[test]
fn a_real_small_disk_that_fills_up_refuses_writes_and_takes_them_again() {
    if env::var_os(MOUNTS).is_some() {
        for (journal, config, course) in [
            ("segments", MARKED, fills_up as fn(&mut Shop, &dyn Small)),
            ("sled", MARKED, fills_up),
            ("segments", UNMARKED, is_full_at_once),
            ("sled", UNMARKED, is_full_at_once),
        ] {
            let directory = tempfile::tempdir().unwrap();
            mount(directory.path()).unwrap();
            let disk = Mounted { root: directory.path().to_owned() };
            course(&mut on(&disk.root, &[], journal, config), &disk);
            assert!(Program::new("umount").arg(&disk.root).status().unwrap().success());
        }
        return;
    }
    // In a name space of its own, so that the mount is nobody else's and ends with it.
    let directory = tempfile::tempdir().unwrap();
    let line = format!("mount -t tmpfs -o size=1m tmpfs {}", directory.path().display());
    let may = |how: &&&str| {
        let tried = Program::new("unshare").args([how, "sh", "-c", &line]).output();
        tried.is_ok_and(|output| output.status.success())
    };
    let Some(how) = ["-m", "-rm"].iter().find(may) else {
        eprintln!("skipped: nothing may be mounted here (unshare -rm, mount -t tmpfs)");
        return;
    };
    let name = "full::a_real_small_disk_that_fills_up_refuses_writes_and_takes_them_again";
    let mut again = Program::new("unshare");
    again.arg(how).arg(env::current_exe().unwrap()).args(["--exact", name, "--nocapture"]).env(MOUNTS, "1");
    let output = again.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn mount(at: &Path) -> std::io::Result<()> {
    let status = Program::new("mount").args(["-t", "tmpfs", "-o", "size=32m", "tmpfs"]).arg(at).status()?;
    if status.success() { Ok(()) } else { Err(std::io::Error::other(status.to_string())) }
}
