//! A storm: random commands, repeats, stops, starts, kills, held disks, failed writes and crashes, against a model that
//! knows only what was acknowledged. In the end every acknowledged command is there exactly once, what was
//! told "not done" is not there at all, and views tell the same as the entities.

use std::{collections::HashMap, time::Duration};

use tokio::task::JoinSet;

use super::{super::System, fixture::*};
use crate::{
    actors::entity::{CommandId, NumberedId, Outcome},
    persistence::Storage,
};

const TALLIES: u64 = 4;

/// A journal is poisoned more often here than a supervisor puts up with by default.
const WEATHERPROOF: &str =
    "[[supervisor]]\nname = \"storage\"\nat_most = 1000\nbackoff = { min = \"1ms\", max = \"20ms\" }\n";

/// One command of the storm; its id is its index.
#[derive(Clone, Copy, Debug)]
enum Order {
    Add {
        to: u64,
        n: i64,
    },
    /// Of an errand of its own.
    Errand {
        to: u64,
        n: i64,
    },
}

/// What the storm's clients know of a command.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Known {
    /// Being asked.
    Asked,
    Done,
    /// Told that nothing was done, at the first ask.
    NotDone,
    /// To be asked again with the same id.
    InDoubt,
}

struct Storm {
    random: fastrand::Rng,
    storage: Storage,
    system: System,
    orders: Vec<(Order, Known)>,
    asks: JoinSet<(usize, Result<(), Outcome>)>,
    /// How often each kind of event came, so that a storm that does nothing is found out.
    seen: HashMap<&'static str, usize>,
    /// Real time passes.
    patient: bool,
}

async fn ask(system: System, index: usize, order: Order) -> (usize, Result<(), Outcome>) {
    let id = CommandId::from_bits(1_000_000 + index as u128);
    let (name, tally) = (key(&format!("errand-{index}")), |to| NumberedId::number(to));
    let answer = match order {
        Order::Add { to, n } => system
            .entities::<Tally>()
            .ask(&tally(to), Add { n })
            .command_id(id)
            .await
            .map(drop)
            .map_err(|error| error.outcome()),
        Order::Errand { to, n } => system
            .entities::<Errand>()
            .ask(&name, RunErrand { to, n })
            .command_id(id)
            .await
            .map(drop)
            .map_err(|error| error.outcome()),
    };
    (index, answer)
}

impl Storm {
    async fn new(seed: u64, patient: bool) -> Self {
        let storage = memory();
        let system = start_with(&storage, WEATHERPROOF).await;
        for number in 1..=TALLIES {
            let added = system.entities::<Tally>().ask(&key(&format!("t{number}")), Add { n: 1_000_000 });
            assert_eq!(added.answered().await.expect("added").number.get(), number);
        }
        let random = fastrand::Rng::with_seed(seed);
        Self { random, storage, system, orders: Vec::new(), asks: JoinSet::new(), seen: HashMap::new(), patient }
    }

    fn saw(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    fn ask(&mut self, index: usize) {
        let (order, known) = &mut self.orders[index];
        let first = *known == Known::Asked;
        let (system, order) = (self.system.clone(), *order);
        *known = Known::Asked;
        self.asks.spawn(async move {
            let (index, answer) = ask(system, index, order).await;
            // A repeat that was refused says nothing of what came before it.
            let refused = matches!(answer, Err(Outcome::NotDone | Outcome::Refused));
            (index, if refused && !first { Err(Outcome::Unknown) } else { answer })
        });
    }

    fn learn(&mut self, told: Result<(usize, Result<(), Outcome>), tokio::task::JoinError>) {
        let (index, answer) = told.expect("no client panics");
        let (name, known) = match answer {
            Ok(()) => ("done", Known::Done),
            Err(Outcome::Refused | Outcome::NotDone) => ("not done", Known::NotDone),
            Err(Outcome::Unknown) => ("in doubt", Known::InDoubt),
        };
        self.saw(name);
        self.orders[index].1 = known;
    }

    async fn step(&mut self) {
        let memory = self.storage.memory_unit("main").expect("in memory");
        let (to, n) = (self.random.u64(1..=TALLIES), self.random.i64(1..100));
        match self.random.u32(0..100) {
            0..45 => {
                let order = if self.random.bool() { Order::Add { to, n } } else { Order::Errand { to, n } };
                self.orders.push((order, Known::Asked));
                self.ask(self.orders.len() - 1);
            }
            45..60 => {
                let mut doubtful = (0..self.orders.len()).filter(|index| self.orders[*index].1 == Known::InDoubt);
                if let Some(index) = doubtful.next_back() {
                    self.saw("repeat");
                    self.ask(index);
                }
            }
            60..64 => {
                self.saw("stop");
                if self.patient {
                    memory.release(); // else it waits for as long as its configuration says
                }
                let service = if self.random.bool() { "t/tally" } else { "t/errand" };
                self.system.stop_service(service).await.expect("stopped");
            }
            64..69 => {
                memory.release(); // a policy begins with what its progress says, which a held disk keeps back
                let service = if self.random.bool() { "t/tally" } else { "t/errand" };
                self.system.start_service(service).await.expect("started");
            }
            69..72 => {
                let system = self.system.clone();
                self.saw("kill");
                self.asks.spawn(async move {
                    drop(system.kill_entity("tally", &to.to_string()).await);
                    (usize::MAX, Ok(()))
                });
            }
            72..75 => {
                self.saw("hold");
                memory.hold();
            }
            75..81 => memory.release(),
            81..83 => self.crash().await,
            83..85 => {
                // Also when nothing waits; a held disk fails with what waits for it.
                self.saw("poison");
                if self.random.bool() { memory.poison("storm") } else { memory.poison_after_write("storm") }
            }
            85..96 => tokio::time::sleep(Duration::from_millis(self.random.u64(0..30))).await,
            _ => tokio::task::yield_now().await,
        }
        while let Some(told) = self.asks.try_join_next() {
            if !matches!(told, Ok((usize::MAX, _))) {
                self.learn(told);
            }
        }
    }

    async fn crash(&mut self) {
        self.saw("crash");
        let again = self.storage.reopen_memory().expect("memory");
        // What the clients of the old one are told from now on they would not have been told by a dead one.
        self.asks.abort_all();
        while let Some(told) = self.asks.join_next().await {
            if let Ok((index, _)) = told
                && index != usize::MAX
            {
                self.learn(told);
            }
        }
        for (_, known) in &mut self.orders {
            if *known == Known::Asked {
                *known = Known::InDoubt;
                *self.seen.entry("in doubt").or_default() += 1;
            }
        }
        let old = std::mem::replace(&mut self.system, start_with(&again, WEATHERPROOF).await);
        self.storage = again;
        drop(old.shutdown(Duration::from_secs(1)).await);
    }

    /// The weather clears up; whoever is in doubt asks until there is none.
    async fn end(&mut self) {
        self.storage.memory_unit("main").expect("in memory").release();
        for service in ["t/tally", "t/errand"] {
            self.system.start_service(service).await.expect("started");
        }
        for number in 1..=TALLIES {
            drop(self.system.resume_entity("tally", &number.to_string())); // if it is in quarantine
        }
        for round in 0.. {
            assert!(round < 200, "in doubt for ever: {:?}", self.orders);
            for index in 0..self.orders.len() {
                if self.orders[index].1 == Known::InDoubt {
                    self.ask(index);
                }
            }
            while let Some(told) = self.asks.join_next().await {
                if !matches!(told, Ok((usize::MAX, _))) {
                    self.learn(told);
                }
            }
            if self.orders.iter().all(|(_, known)| matches!(known, Known::Done | Known::NotDone)) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        settled(&self.system).await;
    }

    async fn check(&self) {
        let (mut totals, mut adds) = (HashMap::new(), HashMap::new());
        for (order, known) in &self.orders {
            let (Order::Add { to, n } | Order::Errand { to, n }) = *order;
            if *known == Known::Done {
                *totals.entry(to).or_insert(0) += n;
                *adds.entry(to).or_insert(0) += 1;
                if let Order::Errand { .. } = order {
                    *totals.entry(1).or_insert(0) += 1000; // the policy's
                    *adds.entry(1).or_insert(0) += 1;
                }
            }
        }
        let (list, counts) = (self.system.list::<Tally>(), self.system.views::<AddCount>());
        assert_eq!(list.count().await.expect("readable"), TALLIES);
        for number in 1..=TALLIES {
            let tally = self.system.entities::<Tally>().get(&NumberedId::number(number)).await;
            let tally = tally.expect("readable").expect("there");
            let total = 1_000_000 + totals.get(&number).copied().unwrap_or(0);
            let times = 1 + adds.get(&number).copied().unwrap_or(0);
            assert_eq!((tally.state.total, tally.state.adds), (total, times), "tally {number}");
            let row = list.get(&number).await.expect("readable").expect("listed");
            assert_eq!((row.state, row.sequence), (tally.state, tally.sequence));
            let count = counts.get(&number).await.expect("readable").expect("there");
            assert_eq!(count.adds, times);
        }
        assert!(self.system.dead_letters().await.expect("readable").is_empty());
    }
}

/// Shown when the test fails.
#[expect(clippy::print_stdout, reason = "the test runner keeps it until then")]
fn tell(line: &str) {
    println!("{line}");
}

async fn storm(seed: u64, steps: usize, patient: bool) -> HashMap<&'static str, usize> {
    tell(&format!("seed {seed}"));
    fastrand::seed(seed);
    let mut storm = Storm::new(seed, patient).await;
    for _ in 0..steps {
        storm.step().await;
    }
    storm.end().await;
    storm.check().await;
    drop(storm.system.shutdown(Duration::from_secs(5)).await);
    storm.seen
}

/// Several storms; everything that can happen in one has happened in some.
async fn storms(seeds: std::ops::Range<u64>, steps: usize, patient: bool) {
    let mut seen = HashMap::<&'static str, usize>::new();
    for seed in seeds {
        for (event, times) in storm(seed, steps, patient).await {
            *seen.entry(event).or_default() += times;
        }
    }
    tell(&format!("{seen:?}"));
    for event in ["done", "not done", "in doubt", "repeat", "stop", "kill", "hold", "crash", "poison"] {
        assert!(seen.contains_key(event), "no {event}: {seen:?}");
    }
}

/// `STORM_SEEDS=10-300` for a longer look.
fn seeds(default: std::ops::Range<u64>) -> std::ops::Range<u64> {
    let given = std::env::var("STORM_SEEDS").ok();
    let given = given.as_deref().and_then(|range| range.split_once('-'));
    given.map_or(default, |(from, to)| from.parse().expect("a number")..to.parse().expect("a number"))
}

/// Time is paused: what takes minutes is over at once, and timers fire at their exact order.
#[tokio::test(start_paused = true)]
async fn a_storm_loses_nothing_and_does_nothing_twice() {
    storms(seeds(0..8), 400, false).await;
}

/// The same on several threads, where turns, appends and timers really run beside each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_storm_on_many_threads_loses_nothing_either() {
    storms(seeds(100..103), 250, true).await;
}
