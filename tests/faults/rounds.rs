//! Load, SIGKILL at a random moment or the power cut, restart; again and again on the same data.

use std::{env, str::FromStr, thread, time::Duration};

use crate::{
    books::{Books, Events},
    common::Setup,
    disk::{Disk, Lost, Unsynced},
    laws,
    load::{CLERKS, Clerk, Done, Round, is_replayed, products, replay},
    shop::{Shop, pause},
};

/// How long a round's load lasts at most.
const LOAD: Duration = Duration::from_millis(700);

/// Rounds between two rebuilds of everything that is derived.
const REBUILD_EVERY: u32 = 5;

/// Rounds that one shop lives: each reads all of its books, so that a shop for 200 rounds would take hours.
const ROUNDS_OF_A_SHOP: u32 = 50;

/// Rounds that are added, at most, until a power cut has met something that was not synced.
const MORE_ROUNDS: u32 = 60;

/// Commands that are sent again in each round.
const REPLAYS: usize = 8;

/// One is drawn for each process: as delivered, and so tight that kills meet new segments, snapshots, recoveries and
/// full tables, too.
const CONFIGS: [&str; 3] = [
    "",
    "[storage]\nsegment_bytes = \"64 KiB\"\n\n[entity]\nsnapshot_every = 3\npassivate_after = \"20ms\"\n",
    "[storage]\nsegment_bytes = \"64 KiB\"\nqueue = 4\n\n[entity]\nmailbox = 2\nmax_live = 2\nsnapshot_every = 1\n\n\
     [service]\nrecoveries = 1\n",
];

/// The same with files that a disk of ours can copy each time the power is cut.
const SMALL: [&str; 3] = [
    "[storage]\nsegment_bytes = \"1 MiB\"\nballast = \"1 MiB\"\n",
    "[storage]\nsegment_bytes = \"64 KiB\"\nballast = \"0 B\"\n\n[entity]\nsnapshot_every = 3\npassivate_after = \
     \"20ms\"\n",
    "[storage]\nsegment_bytes = \"64 KiB\"\nqueue = 4\nballast = \"64 KiB\"\n\n[entity]\nmailbox = 2\nmax_live = \
     2\nsnapshot_every = 1\n\n[service]\nrecoveries = 1\n",
];

/// A number that the environment gives.
pub(crate) fn setting<T: FromStr>(name: &str) -> Option<T> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

#[derive(Debug, Default)]
struct Tally {
    acknowledged: usize,
    events: usize,
    /// Tries that were refused for a while.
    put_off: u32,
    unknown: usize,
    /// Unknown ones that had been done.
    had_happened: usize,
    killed_while_starting: u32,
    power_cuts: u32,
    lost: Lost,
}

/// What happens to the shop in each round, and where it keeps its journal.
struct Course {
    journal: &'static str,
    rounds: u32,
    power: bool,
    rng: fastrand::Rng,
}

impl Course {
    fn new(journal: &'static str, power: bool) -> Self {
        let seed = setting("STEADFAST_FAULTS_SEED").unwrap_or_else(|| fastrand::u64(..));
        eprintln!("repeat with: STEADFAST_FAULTS_SEED={seed} cargo test --test faults rounds -- --nocapture");
        let rounds = setting(if power { "STEADFAST_FAULTS_CUTS" } else { "STEADFAST_FAULTS_ROUNDS" });
        Self { journal, rounds: rounds.unwrap_or(5), power, rng: fastrand::Rng::with_seed(seed) }
    }

    fn config(&mut self) -> &'static str {
        let configs = if self.power { SMALL } else { CONFIGS };
        configs[self.rng.usize(0..configs.len())]
    }

    /// `None` where there is no disk whose power could be cut.
    fn shop(&mut self) -> Option<(Shop, Option<Disk>)> {
        let mut server = Setup::default().flag("--journal").flag(self.journal).prepare();
        let disk = if self.power { Some(Disk::new(server.directory())?) } else { None };
        if let Some(disk) = &disk {
            server.keep_data_in(disk.root.join("data"));
            for (name, value) in disk.environment() {
                server.set(name, &value);
            }
        }
        server.reconfigure(self.config());
        server.start();
        Some((Shop::of(server), disk))
    }

    /// All of it.
    fn run(mut self) {
        let mut tally = Tally::default();
        let (mut rounds, mut left) = (0, self.rounds);
        while left > 0 {
            let next = left.min(ROUNDS_OF_A_SHOP);
            let Some(()) = self.run_a_shop(next, &mut tally) else { return };
            rounds += next;
            let has_met = !self.power || tally.lost.bytes > 0;
            let added = rounds.saturating_sub(self.rounds);
            left = match left - next {
                0 if !has_met && added < MORE_ROUNDS => REBUILD_EVERY,
                left => left,
            };
        }
        let rounds = usize::try_from(rounds).unwrap();
        eprintln!("{rounds} rounds, {tally:?}");
        assert!(tally.acknowledged > 5 * rounds, "hardly any load: {tally:?}");
        assert!(tally.unknown >= rounds, "the kills met nearly no command under way: {tally:?}");
        assert!(tally.had_happened < tally.unknown, "kills met one moment only: {tally:?}");
        if self.power {
            assert!(tally.power_cuts > 0 && tally.lost.bytes > 0, "the power cuts took nothing away: {tally:?}");
        }
    }

    /// One shop from its opening to its end; `None` where there is no disk for it.
    fn run_a_shop(&mut self, rounds: u32, tally: &mut Tally) -> Option<()> {
        let mut clerks: Vec<Clerk> = (0..CLERKS).map(|number| Clerk::new(number, self.rng.fork())).collect();
        let mut events = Events::default();
        let (mut shop, disk) = self.shop()?;
        for clerk in &mut clerks[..4] {
            clerk.register(&shop);
        }
        for round in 1..=rounds {
            tally.unknown += load_and_kill(&mut shop, &mut clerks, &mut self.rng);
            self.meanwhile(&shop, disk.as_ref(), tally);
            shop.reconfigure(self.config());
            shop.start();
            tally.had_happened += settle_all(&shop, &mut clerks);

            let books = Books::read(&shop);
            events.follow(&shop);
            let done: Vec<&Done> = clerks.iter().flat_map(|clerk| &clerk.done).collect();
            laws::check(&events, &books, &done);
            replay_some(&shop, &done, &mut self.rng);
            if round % REBUILD_EVERY == 0 || round == rounds {
                rebuild(&mut shop, &books, &events);
                replay_some(&shop, &done, &mut self.rng);
            }
        }
        shop.close();
        tally.acknowledged += clerks.iter().map(|clerk| clerk.done.len()).sum::<usize>();
        tally.put_off += clerks.iter().map(|clerk| clerk.undecided).sum::<u32>();
        tally.events += events.all.len();
        Some(())
    }

    /// Between the end of a process and the start of the one that is looked at.
    fn meanwhile(&mut self, shop: &Shop, disk: Option<&Disk>, tally: &mut Tally) {
        let rng = &mut self.rng;
        if let Some(disk) = disk {
            // Now and then only the process dies, and the next one builds on what was never synced.
            if rng.u32(0..4) != 0 {
                cut_power(disk, rng, tally);
            }
        }
        if rng.u32(0..4) == 0 {
            shop.start_and_kill(Duration::from_millis(rng.u64(0..250))); // recovery must stand being cut short, too
            tally.killed_while_starting += 1;
            if let Some(disk) = disk {
                cut_power(disk, rng, tally);
            }
        }
    }
}

fn cut_power(disk: &Disk, rng: &mut fastrand::Rng, tally: &mut Tally) {
    let unsynced = if rng.bool() { Unsynced::Gone } else { Unsynced::Chance(rng) };
    tally.lost += disk.cut_power(unsynced);
    tally.power_cuts += 1;
}

#[test]
fn rounds_of_load_and_sigkill_lose_nothing_and_double_nothing() {
    Course::new("segments", false).run();
}

#[test]
fn rounds_of_load_and_sigkill_with_a_journal_in_sled_lose_nothing_and_double_nothing() {
    Course::new("sled", false).run();
}

#[test]
fn rounds_of_load_and_power_cuts_lose_nothing_and_double_nothing() {
    Course::new("segments", true).run();
}

#[test]
fn rounds_of_load_and_power_cuts_with_a_journal_in_sled_lose_nothing_and_double_nothing() {
    Course::new("sled", true).run();
}

/// How many commands were under way when the process was killed.
fn load_and_kill(shop: &mut Shop, clerks: &mut [Clerk], rng: &mut fastrand::Rng) -> usize {
    let (client, products) = (shop.client(), products(shop));
    let round = Round { client: &client, products: &products };
    let moment = LOAD.mul_f64(rng.f64());
    thread::scope(|scope| {
        let working: Vec<_> = clerks.iter_mut().map(|clerk| scope.spawn(move || clerk.work(round))).collect();
        pause(moment);
        shop.kill();
        working.into_iter().map(|clerk| clerk.join().unwrap()).filter(|in_flight| *in_flight).count()
    })
}

/// All clerks at once find out what became of their open commands; how many of these had been done.
fn settle_all(shop: &Shop, clerks: &mut [Clerk]) -> usize {
    thread::scope(|scope| {
        let settling = clerks.iter_mut().filter(|clerk| clerk.open.is_some()).map(|clerk| {
            scope.spawn(|| {
                clerk.settle(&mut shop.wire()).unwrap();
                is_replayed(&clerk.done.last().unwrap().answer)
            })
        });
        let settling: Vec<_> = settling.collect();
        settling.into_iter().map(|clerk| clerk.join().unwrap()).filter(|had_happened| *had_happened).count()
    })
}

fn replay_some(shop: &Shop, done: &[&Done], rng: &mut fastrand::Rng) {
    for _ in 0..REPLAYS {
        replay(done[rng.usize(0..done.len())], shop);
    }
}

/// Everything that is derived is removed, and comes back as it was.
fn rebuild(shop: &mut Shop, books: &Books, events: &Events) {
    shop.close();
    shop.forget_tables();
    shop.start();
    Books::read(shop).assert_same_bytes(books);
    assert_eq!(Events::read(shop).by_place(), events.by_place(), "the journal tells another story now");
}
