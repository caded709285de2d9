//! What a command takes from the heap, in blocks and bytes, with an upper bound for each.
//!
//! Counts say the same on a busy machine and on an idle one, so they are guarded where a time could not be. There is
//! one test in this program, because the allocator that counts is the program's: another test would be counted as well.

#[path = "../src/counter.rs"]
#[expect(dead_code, reason = "the counters of the benches; not all that they can is needed here")]
mod counter;

use std::{fmt, hint::black_box};

use anyhow::{Result, ensure};
use steadfast::{Entities, Key};

use crate::counter::{Add, Counter, Counters, Look, keys};

/// It counts. The program has another allocator (mimalloc), but asks it for the same.
#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Commands of a round, one after the other.
const COMMANDS: usize = 1_000;

/// Entities that they go to in turns: each is in memory, and gets ten commands a round.
const ENTITIES: usize = 100;

/// One round within the bounds is enough, of so many: what runs by the clock (heads that are saved, probes) or falls
/// due now and then (a table that grows) can only add to a round.
const ROUNDS: usize = 5;

/// Frames of a backtrace that are kept of each allocation: from the allocator to our code.
const FRAMES: usize = 16;

/// Where every allocation of a round that took too much is written to.
const PROFILE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/allocations.json");

/// What one command takes: the average of a round.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Taken {
    blocks: f64,
    bytes: f64,
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} blocks and {:.0} bytes", self.blocks, self.bytes)
    }
}

impl Taken {
    fn is_within(self, bound: Self) -> bool {
        self.blocks <= bound.blocks && self.bytes <= bound.bytes
    }
}

const fn at_most(blocks: f64, bytes: f64) -> Taken {
    Taken { blocks, bytes }
}

// Each is a few hundredths above what a debug build counted when it was written down, which is said beside it.

/// None: the state is copied where it lies, and this one is a number.
const GET: Taken = at_most(0.0, 0.0);
/// 8 blocks and 2 064 bytes. 96 of them, 8 in each place that it passes through, are for asks that go ahead.
const LOOK: Taken = at_most(8.2, 2_140.0);
/// 23 blocks and some 4 390 bytes.
const ADD_IN_MEMORY: Taken = at_most(24.0, 4_550.0);
/// 33 blocks and some 6 610 bytes.
const ADD_IN_SEGMENTS: Taken = at_most(34.5, 6_850.0);

#[test]
fn a_command_takes_no_more_from_the_heap_than_it_did() -> Result<()> {
    // One thread and the journal's own: nobody takes turns by chance.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let ids = keys(0..ENTITIES)?;

        let counters = Counters::in_memory().await?;
        hold(&counters.entities, &ids, "in memory", ADD_IN_MEMORY).await?;
        what_is_added_is_seen(&counters.entities, &ids).await?;
        counters.stop().await;

        let dir = tempfile::tempdir()?;
        let counters = Counters::on_disk(dir.path()).await?;
        hold(&counters.entities, &ids, "in segments", ADD_IN_SEGMENTS).await?;
        counters.stop().await;
        Ok(())
    })
}

/// Holds each kind of request to its bound. What writes nothing does not know which journal there is.
async fn hold(to: &Entities<Counter>, ids: &[Key], journal: &str, add_takes: Taken) -> Result<()> {
    let add = async |key: &Key| Ok(to.ask(key, Add { amount: 1 }).await.map(drop)?);
    // Every entity into memory; what is made once for each kind of request is made.
    for key in ids {
        add(key).await?;
        look(to, key).await?;
    }
    held(&format!("a read, journal {journal}"), GET, ids, async |key| Ok(to.get(key).await.map(drop)?)).await?;
    held(&format!("a command without events, journal {journal}"), LOOK, ids, async |key| look(to, key).await).await?;
    held(&format!("a command with one event, journal {journal}"), add_takes, ids, add).await
}

/// A test that could not fail would guard nothing: one more block a command is seen, and is too much.
async fn what_is_added_is_seen(to: &Entities<Counter>, ids: &[Key]) -> Result<()> {
    let profiler = counting();
    let more = round(ids, async |key| {
        drop(black_box(Box::new([0_u8; 100])));
        look(to, key).await
    })
    .await?;
    drop(profiler);
    ensure!(!more.is_within(LOOK), "a hundred bytes more a command are within the bounds: {more}");
    ensure!(more.blocks >= 9.0 && more.bytes >= 2_164.0, "not all of a command is counted: {more}");
    Ok(())
}

async fn look(to: &Entities<Counter>, key: &Key) -> Result<()> {
    Ok(to.ask(key, Look { plus: 1 }).await.map(drop)?)
}

/// Counts from now on, everywhere in this process.
fn counting() -> dhat::Profiler {
    dhat::Profiler::builder().testing().trim_backtraces(Some(FRAMES)).file_name(PROFILE).build()
}

/// What one request takes, over a round; `counting` is on.
async fn round(ids: &[Key], request: impl AsyncFn(&Key) -> Result<()>) -> Result<Taken> {
    for key in ids.iter().cycle().take(COMMANDS) {
        request(key).await?;
    }
    let all = dhat::HeapStats::get();
    let each = |all: u64| all as f64 / COMMANDS as f64;
    Ok(Taken { blocks: each(all.total_blocks), bytes: each(all.total_bytes) })
}

/// Panics if no round is within the bound.
async fn held(what: &str, bound: Taken, ids: &[Key], request: impl AsyncFn(&Key) -> Result<()>) -> Result<()> {
    for left in (0..ROUNDS).rev() {
        let profiler = counting();
        let taken = round(ids, &request).await?;
        println!("{what}: {taken}");
        if taken.is_within(bound) {
            break;
        }
        dhat::assert!(
            left > 0,
            "{what} took {taken} from the heap, and may take {bound}: in {ROUNDS} rounds of {COMMANDS}, one after the \
             other. {PROFILE} has where they were taken (https://nnethercote.github.io/dh_view/dh_view.html shows it). \
             Take less, or, if it is worth it, raise the bound in benches/tests/allocations.rs and say why."
        );
        drop(profiler);
    }
    Ok(())
}
