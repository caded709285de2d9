//! Load, SIGKILL at a random moment, restart; again and again on the same data.

use std::{env, str::FromStr, thread, time::Duration};

use crate::{
    books::{Books, Events},
    laws,
    load::{CLERKS, Clerk, Done, Round, is_replayed, products, replay},
    shop::{Shop, pause},
};

/// How long a round's load lasts at most.
const LOAD: Duration = Duration::from_millis(700);

/// Rounds between two rebuilds of everything that is derived.
const REBUILD_EVERY: u32 = 5;

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

fn setting<T: FromStr>(name: &str) -> Option<T> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

#[derive(Debug, Default)]
struct Tally {
    unknown: usize,
    /// Unknown ones that had been done.
    had_happened: usize,
    killed_while_starting: u32,
}

#[test]
fn twenty_rounds_of_load_and_sigkill_lose_nothing_and_double_nothing() {
    let rounds = setting("STEADFAST_FAULTS_ROUNDS").unwrap_or(20);
    let seed = setting("STEADFAST_FAULTS_SEED").unwrap_or_else(|| fastrand::u64(..));
    eprintln!("repeat with: STEADFAST_FAULTS_SEED={seed} cargo test --test faults rounds -- --nocapture");
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut clerks: Vec<Clerk> = (0..CLERKS).map(|number| Clerk::new(number, rng.fork())).collect();
    let (mut events, mut tally) = (Events::default(), Tally::default());

    let mut shop = Shop::open();
    for clerk in &mut clerks[..4] {
        clerk.register(&shop);
    }
    for round in 1..=rounds {
        let in_flight = load_and_kill(&mut shop, &mut clerks, &mut rng);
        tally.unknown += in_flight;
        if rng.u32(0..4) == 0 {
            shop.start_and_kill(Duration::from_millis(rng.u64(0..250))); // recovery must stand being cut short, too
            tally.killed_while_starting += 1;
        }
        shop.reconfigure(CONFIGS[rng.usize(0..CONFIGS.len())]);
        shop.start();
        tally.had_happened += settle_all(&shop, &mut clerks);

        let books = Books::read(&shop);
        events.follow(&shop);
        let done: Vec<&Done> = clerks.iter().flat_map(|clerk| &clerk.done).collect();
        laws::check(&events, &books, &done);
        replay_some(&shop, &done, &mut rng);
        if round % REBUILD_EVERY == 0 || round == rounds {
            rebuild(&mut shop, &books, &events);
            replay_some(&shop, &done, &mut rng);
        }
    }
    shop.close();

    let acknowledged: usize = clerks.iter().map(|clerk| clerk.done.len()).sum();
    let undecided: u32 = clerks.iter().map(|clerk| clerk.undecided).sum();
    eprintln!(
        "{rounds} rounds, {acknowledged} commands, {} events, {undecided} tries put off, {tally:?}",
        events.all.len()
    );
    let rounds = usize::try_from(rounds).unwrap();
    assert!(acknowledged > 20 * rounds, "hardly any load: {acknowledged} commands");
    assert!(tally.unknown >= rounds, "the kills met nearly no command under way: {tally:?}");
    assert!(tally.had_happened > 0 && tally.had_happened < tally.unknown, "kills met one moment only: {tally:?}");
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
