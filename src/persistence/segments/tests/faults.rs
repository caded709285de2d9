use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
    mpsc::Sender,
};

use super::*;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operation {
    Create,
    Write,
    HalfAWrite,
    Sync,
}

/// Fails the n-th operation of a kind, once, and counts what follows.
#[derive(Debug)]
struct Faulty {
    operation: Operation,
    countdown: usize,
    fired: Arc<AtomicBool>,
    later_syncs: Arc<AtomicUsize>,
}

impl Faulty {
    fn fails(&mut self, operation: Operation) -> bool {
        if self.operation != operation || self.fired.load(Ordering::Relaxed) {
            return false;
        }
        let now = self.countdown == 0;
        self.countdown = self.countdown.saturating_sub(1);
        self.fired.store(now, Ordering::Relaxed);
        now
    }
}

impl Disk for Faulty {
    fn create(
        &mut self,
        dir: &Path,
        header: SegmentHeader,
        bytes: u64,
        frames: &[u8],
    ) -> Result<fs::File, segment::NotCreated> {
        if self.fails(Operation::Create) {
            return Err(segment::NotCreated::Nothing(io::Error::other("no")));
        }
        segment::create(dir, header, bytes, frames)
    }
    fn write(&mut self, file: &fs::File, bytes: &[u8], at: u64) -> io::Result<()> {
        use std::os::unix::fs::FileExt;
        if self.fails(Operation::Write) {
            return Err(io::Error::other("no"));
        }
        if self.fails(Operation::HalfAWrite) {
            file.write_all_at(&bytes[..bytes.len() / 2], at)?;
            return Err(io::Error::other("no"));
        }
        file.write_all_at(bytes, at)
    }
    fn sync(&mut self, file: &fs::File) -> io::Result<()> {
        if self.fired.load(Ordering::Relaxed) {
            self.later_syncs.fetch_add(1, Ordering::Relaxed);
        }
        if self.fails(Operation::Sync) { Err(io::Error::other("no")) } else { file.sync_data() }
    }
}

/// The n-th operation fails, for every n until a run has no failure. Whatever was acknowledged is there afterwards,
/// what was refused is not, and what is unknown is either.
#[test]
fn after_any_failed_operation_the_journal_refuses_and_what_was_acknowledged_is_there() {
    for operation in [Operation::Create, Operation::Write, Operation::HalfAWrite, Operation::Sync] {
        let mut n = 0;
        while failed_at(operation, n) {
            n += 1;
        }
        assert!(n > 0, "{operation:?} never failed");
    }
}

const APPENDS: usize = 30;

/// Whether the fault was met.
fn failed_at(operation: Operation, countdown: usize) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let (fired, later_syncs) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let disk = Faulty { operation, countdown, fired: fired.clone(), later_syncs: later_syncs.clone() };
    let journal = SegmentsJournal::open_on(&config(dir.path()), first(disk)).unwrap();
    let outcomes: Vec<_> = (0..APPENDS).map(|n| hand_over(&journal, &n.to_string(), 0).recv().unwrap()).collect();
    let acknowledged = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let unknown = outcomes.iter().filter(|outcome| matches!(outcome, Err(AppendError::Unknown(_)))).count();
    let poisoned = |outcome: &&Result<_, _>| matches!(outcome, Err(AppendError::Refused(Refusal::Poisoned(_))));
    let refused = outcomes.iter().filter(poisoned).count();
    assert_eq!(acknowledged + unknown + refused, APPENDS);
    let fired = fired.load(Ordering::Relaxed);
    if fired {
        assert!(journal.poisoned().is_some());
        assert_eq!(unknown, usize::from(operation != Operation::Create), "only the failed group is unknown");
        assert!(refused > 0 || acknowledged + unknown == APPENDS);
        assert_eq!(later_syncs.load(Ordering::Relaxed), 0, "a sync is never tried again");
    } else {
        assert_eq!((acknowledged, journal.poisoned()), (APPENDS, None));
    }
    assert_eq!(events(&journal), acknowledged, "what is not acknowledged is not shown");
    journal.close();
    drop(journal);
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    for (n, outcome) in outcomes.iter().enumerate() {
        let found = journal.head(&sample::stream(&n.to_string())).is_some();
        match outcome {
            Ok(_) => assert!(found),
            Err(AppendError::Unknown(_)) => {}
            Err(_) => assert!(!found),
        }
    }
    write(&journal, "after");
    fired
}

/// Says that a sync has begun, and lets it go on, or fail, when told so; without end once nobody tells.
struct Gated {
    began: Sender<()>,
    gate: Mutex<Receiver<io::Result<()>>>,
}

impl Gated {
    fn new() -> (Self, Receiver<()>, Sender<io::Result<()>>) {
        let (began, syncs) = channel();
        let (opener, gate) = channel();
        (Self { began, gate: Mutex::new(gate) }, syncs, opener)
    }
}

impl Disk for Gated {
    fn sync(&mut self, file: &fs::File) -> io::Result<()> {
        let _nobody_watches = self.began.send(());
        lock(&self.gate).recv().unwrap_or(Ok(()))?;
        file.sync_data()
    }
}

/// The repeat meets an append that is on its way: should that be lost, "already there" would be a lie.
#[test]
fn a_duplicate_within_a_group_that_fails_is_unknown_too() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, syncs, opener) = Gated::new();
    let journal = SegmentsJournal::open_on(&config(dir.path()), first(disk)).unwrap();
    let gate = opener; // dropped before the journal, should an assertion fail
    let first = hand_over(&journal, "0", 0);
    syncs.recv().unwrap();
    let together = [hand_over(&journal, "1", 0), hand_over(&journal, "1", 0)];
    gate.send(Ok(())).unwrap();
    gate.send(Err(io::Error::other("no"))).unwrap();
    first.recv().unwrap().unwrap();
    for told in together {
        assert!(matches!(told.recv().unwrap(), Err(AppendError::Unknown(_))));
    }
}

#[test]
fn what_comes_while_a_sync_runs_is_one_group_and_what_finds_no_place_is_overload() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, _syncs, opener) = Gated::new();
    let queue = 5;
    let config = SegmentsConfig { queue, ..config(dir.path()) };
    let journal = SegmentsJournal::open_on(&config, first(disk)).unwrap();
    let gate = opener; // dropped before the journal, should an assertion fail
    let mut told = vec![hand_over(&journal, "0", 0)];
    // Filled until it refuses: the first append may or may not have left the queue by then.
    let overloaded = loop {
        let outcome = hand_over(&journal, &told.len().to_string(), 0);
        match outcome.try_recv() {
            Ok(refused) => break refused,
            Err(_) => told.push(outcome),
        }
        assert!(told.len() <= 2 * queue, "the queue has no end"); // one group with the writer, one in the queue
    };
    assert!(matches!(overloaded, Err(AppendError::Refused(Refusal::Overloaded { .. }))));
    assert!(told.iter().all(|told| told.try_recv().is_err()), "nothing is told before its sync");
    assert_eq!(events(&journal), 0, "nor shown");
    drop(gate);
    for told in &told {
        told.recv().unwrap().unwrap();
    }
    journal.close();
    let (starts, _) = frames(&segment::path(&config.dir, 1));
    assert!(starts.len() <= 2 + told.len() / 2, "{} frames for {} appends", starts.len(), told.len());
    assert_eq!(events(&journal), told.len());
}

/// Whoever is told may be the last to hold the journal, as a runtime that nobody shut down is: the writer must not
/// wait for its own thread then.
#[test]
fn a_done_may_drop_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Arc::new(SegmentsJournal::open(&config(dir.path())).unwrap());
    let stream = sample::stream("1");
    let append = sample::append(&stream, journal.lease(stream.partition(2)), 0, 1);
    let (held, (dropped, is_dropped), (answer, answered)) = (Arc::clone(&journal), channel(), channel());
    let done = move |outcome| {
        is_dropped.recv().unwrap();
        drop(held);
        answer.send(outcome).unwrap();
    };
    journal.append(append, Box::new(done));
    drop(journal);
    dropped.send(()).unwrap();
    answered.recv().unwrap().unwrap();
    assert_eq!(events(&SegmentsJournal::open(&config(dir.path())).unwrap()), 1);
}

#[test]
fn a_done_that_panics_does_not_keep_the_others_from_being_told() {
    let dir = tempfile::tempdir().unwrap();
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    let stream = sample::stream("1");
    let append = sample::append(&stream, journal.lease(stream.partition(2)), 0, 1);
    journal.append(append, Box::new(|_| panic!("a caller's mistake")));
    hand_over(&journal, "2", 0).recv().unwrap().unwrap();
    assert_eq!(events(&journal), 2);
}
