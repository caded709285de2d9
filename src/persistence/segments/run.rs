//! One opening of a journal: from the check of its files until it is closed or has to be opened again.

use std::{
    sync::{
        Arc, Mutex, OnceLock, RwLock,
        mpsc::{channel, sync_channel},
    },
    thread::{self, JoinHandle},
};

use super::{
    Counters, Scanned, SegmentsConfig,
    bases::Bases,
    epoch::{self, Opening},
    make,
    queue::{Done, NotQueued, Queue, Queued},
    reader::Reader,
    recovery::{self, Recovered},
    returning::Returning,
    salvage,
    saver::{FEW, MAX_AT_CLOSE, Saver},
    segment::{OpenFiles, SegmentHeader},
    spare::Spare,
    witness::Witness,
    writer::{Disk, MAX_UNTOLD, Shared, Tail, Writer, tell},
};
use crate::persistence::{
    OpenError, Refusal, TornTail,
    sync::{lock, read},
};

/// What an opening has in hand.
pub(super) struct Run {
    pub(super) shared: Arc<Shared>,
    pub(super) reader: Reader,
    pub(super) epoch: u64,
    pub(super) skimmed_to: u64,
    pub(super) torn: Option<TornTail>,
    /// What stands for deleted segments; replaced as a whole.
    pub(super) bases: RwLock<Option<Arc<Bases>>>,
    /// Writer, teller, witness and saver, until closed.
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Run {
    /// Opens what was scanned in `config.dir`, or makes a journal there.
    pub(super) fn open(
        config: &SegmentsConfig,
        mut disk: Box<dyn Disk>,
        counters: &Arc<Counters>,
        scanned: Option<Scanned>,
    ) -> Result<Self, OpenError> {
        let SegmentsConfig { dir, partitions, segment_bytes, queue, room } = config;
        let io = |error| OpenError::io(dir, error);
        let scanned = if scanned.is_none() {
            make(config)?;
            Scanned::of(dir, *partitions)?
        } else {
            scanned
        };
        let Scanned { found, bases, names } = scanned.expect("it is there, or was made");
        let before = epoch::read(dir).map_err(io)?.map_or(0, |opening| opening.epoch).max(found.epoch);
        let file = recovery::settle(dir, &found, *segment_bytes, &mut *disk).map_err(io)?;
        if let Some(TornTail { file, at, bytes }) = &found.torn {
            let file = file.display();
            tracing::warn!(%file, at, bytes, "the end of the journal was no frame and has been cut off");
        }
        let epoch = before + 1;
        epoch::write(dir, Opening { epoch, segment: found.segment }).map_err(io)?;
        let mut witness = Witness::open(dir, *partitions).map_err(io)?;
        let capacity = file.metadata().map_err(io)?.len().min(super::MAX_CAPACITY);
        let tail = Tail { file, segment: found.segment, at: found.end, capacity };
        let streams = found.index.streams.len();
        let shared = Arc::new(Shared {
            queue: Queue::new(*queue),
            index: RwLock::new(found.index),
            poisoned: OnceLock::new(),
            counters: Arc::clone(counters),
        });
        // What is shown from now on was perhaps never acknowledged; it must not get lost any more.
        witness.note(&shared, found.id);
        let (told, groups) = sync_channel(MAX_UNTOLD);
        let (running, stopped) = channel();
        let (witnessing, unwatched) = channel();
        let writer = Writer {
            shared: Arc::clone(&shared),
            disk,
            room: Arc::clone(room),
            dir: dir.clone(),
            id: found.id,
            partitions: *partitions,
            epoch,
            segment_bytes: *segment_bytes,
            tail,
            spare: Spare::new(dir, Arc::clone(room)),
            next_frame: found.next_frame,
            told,
            running: [running, witnessing],
            returning: Returning::default(),
        };
        let saver = Saver {
            shared: Arc::clone(&shared),
            dir: dir.clone(),
            id: found.id,
            room: Arc::clone(room),
            few: FEW,
            at_close: MAX_AT_CLOSE,
            saved: (0, if found.skimmed_to > 0 { streams } else { 0 }),
            complained: false,
        };
        let spawn = |name: &str| thread::Builder::new().name(name.into());
        let teller = spawn("journal-teller").spawn(move || tell(&groups)).map_err(io)?;
        let saver = spawn("journal-heads").spawn(move || saver.run(&stopped)).map_err(io)?;
        let (watched, id) = (Arc::clone(&shared), found.id);
        let witness = spawn("journal-witness").spawn(move || witness.run(&watched, id, &unwatched)).map_err(io)?;
        let writer = spawn("journal-writer").spawn(move || writer.run()).map_err(io)?;
        let reader = Reader::new(OpenFiles::new(dir.clone()), names, found.id);
        let threads = Mutex::new(vec![writer, teller, witness, saver]);
        let Recovered { skimmed_to, torn, .. } = found;
        let bases = RwLock::new(bases.map(Arc::new));
        Ok(Self { shared, reader, epoch, skimmed_to, torn, bases, threads })
    }

    /// Opens again what `self`, which is poisoned, has left behind.
    pub(super) fn again(
        &self,
        config: &SegmentsConfig,
        mut disk: Box<dyn Disk>,
        counters: &Arc<Counters>,
    ) -> Result<Self, OpenError> {
        self.close();
        let SegmentsConfig { dir, partitions, segment_bytes, .. } = config;
        let acknowledged = read(&self.shared.index).end;
        let header =
            SegmentHeader { segment: 0, partitions: *partitions, id: self.reader.id, first_frame: acknowledged.frame };
        let kept = salvage::leave(dir, acknowledged, header, *segment_bytes, &mut *disk);
        let kept = kept.map_err(|error| OpenError::io(dir, error))?;
        let records = kept;
        tracing::warn!(records, "what was written and not acknowledged was copied to a fresh segment");
        let gone =
            || OpenError::Damaged { file: dir.clone(), at: 0, what: "the journal is no longer there".to_owned() };
        let scanned = Scanned::of(dir, *partitions)?.ok_or_else(gone)?;
        Self::open(config, disk, counters, Some(scanned))
    }

    /// Hands an append to the writer. Never waits.
    pub(super) fn push(&self, queued: Queued) -> Result<(), (Refusal, Done)> {
        self.shared.queue.push(queued).map_err(|(why, done)| {
            let refusal = match (why, self.shared.poisoned.get()) {
                (NotQueued::Full, _) => {
                    super::count(&self.shared.counters.overloaded);
                    Refusal::Overloaded { retry_after: super::RETRY_AFTER }
                }
                // It is closed to be opened again.
                (NotQueued::Closed, Some(reason)) => Refusal::Poisoned(Arc::clone(reason)),
                (NotQueued::Closed, None) => Refusal::Closed,
            };
            (refusal, done)
        })
    }

    /// Commits what was handed over, and waits for the threads.
    pub(super) fn close(&self) {
        self.shared.queue.close();
        let threads: Vec<_> = lock(&self.threads).drain(..).collect();
        if threads.iter().any(|thread| thread.thread().id() == thread::current().id()) {
            // Whoever was told last dropped the journal: its threads end by themselves once this one goes on.
            return;
        }
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the journal panicked");
            }
        }
    }
}
