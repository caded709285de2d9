//! Reading what is durable, from the files and never from the writer's memory.

use std::{
    collections::VecDeque,
    fs::File,
    io,
    sync::{
        Arc, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    frame::{FRAME_HEADER, FrameHeader, JournalId},
    index::{Index, Mark, STRIDE},
    segment::{OpenFiles, SEGMENT_HEADER, Window},
    trails::Trails,
};
use crate::persistence::{
    Append, PartitionId, ReadError, Record, StreamId,
    codec::{Malformed, Names},
    glance::Glance,
    record::{self, Location, RECORD_HEADER},
    sync::read,
    tip::Tip,
};

/// A record of a few events with small payloads is read at once.
const RECORD_AHEAD: usize = 4096;

/// The longest record: payloads, names, and what surrounds them. A length beyond it is damage.
const MAX_RECORD: usize = 2 * Append::MAX_BYTES;

pub(super) struct Reader {
    files: OpenFiles,
    pub(super) names: Arc<Names>,
    pub(super) id: JournalId,
    trails: Trails,
    /// Records passed on the way to pages of streams.
    pub(super) walked: AtomicU64,
    /// Records checked and decoded for pages of partitions.
    pub(super) checked: AtomicU64,
}

impl Reader {
    pub(super) fn new(files: OpenFiles, names: Arc<Names>, id: JournalId) -> Self {
        Self { files, names, id, trails: Trails::default(), walked: AtomicU64::new(0), checked: AtomicU64::new(0) }
    }

    fn io(&self, segment: u32, error: io::Error) -> ReadError {
        ReadError::Io { file: self.files.path(segment), source: Arc::new(error) }
    }

    fn damaged(&self, at: Location, what: impl Into<String>) -> ReadError {
        ReadError::Damaged { file: self.files.path(at.segment), at: u64::from(at.byte), what: what.into() }
    }

    fn malformed(&self, at: Location) -> impl FnOnce(Malformed) -> ReadError {
        move |what| self.damaged(at, what.to_string())
    }

    fn open(&self, segment: u32) -> Result<Arc<File>, ReadError> {
        self.files.get(segment).map_err(|error| self.io(segment, error))
    }

    /// The bytes of the record at `at`, not yet checked.
    fn raw<'w>(&self, window: &'w mut Window<'_>, at: Location) -> Result<&'w [u8], ReadError> {
        let io = |error| self.io(at.segment, error);
        let header = window.get(u64::from(at.byte), RECORD_HEADER).map_err(io)?;
        match record::full_length(header) {
            Some(length) if length <= MAX_RECORD => window.get(u64::from(at.byte), length).map_err(io),
            Some(_) | None => Err(self.damaged(at, "a record has an impossible length")),
        }
    }

    /// See `Journal::read_stream`. Walks back, record by record, from the stream's tip, or from a place near the page
    /// that an earlier walk has passed.
    pub(super) fn stream(
        &self,
        index: &RwLock<Index>,
        stream: &StreamId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Record>, ReadError> {
        let (tip, cut) = {
            let index = read(index);
            (index.streams.get(stream).copied(), index.cut())
        };
        let Some(tip) = tip.filter(|tip| tip.head.sequence > after && limit > 0) else {
            return Ok(Vec::new());
        };
        let mut walk = self.trails.walk(stream, after, limit);
        // The oldest `limit` records seen so far, oldest first: the newer ones go when there are too many.
        let mut kept: VecDeque<(Location, Vec<u8>)> = VecDeque::new();
        let mut at = walk.start().unwrap_or(tip.location);
        // Before the record that was looked at last; at first, behind the tip.
        let mut before = tip.head.sequence;
        loop {
            if at.segment <= cut && at != Location::NONE {
                let first = if walk.start() == Some(at) { self.first_left(tip, cut)? } else { before + 1 };
                return Err(ReadError::Deleted { first });
            }
            let file = self.open(at.segment)?;
            let mut window = Window::new(&file, RECORD_AHEAD);
            let bytes = self.raw(&mut window, at)?;
            let outline = record::outline(bytes).map_err(self.malformed(at))?;
            self.walked.fetch_add(1, Ordering::Relaxed);
            walk.passed(at, outline.expected);
            before = outline.expected;
            kept.push_front((at, bytes.to_vec()));
            kept.truncate(limit);
            if outline.expected <= after {
                break;
            }
            if outline.previous >= at || outline.previous == Location::NONE {
                return Err(self.damaged(at, "a record does not say where its stream's record before it stands"));
            }
            at = outline.previous;
        }
        self.trails.remember(stream, walk);
        let mut records: Vec<Record> = Vec::with_capacity(kept.len());
        for (at, bytes) in kept {
            let record = record::decode(&bytes, &self.names).map_err(self.malformed(at))?.record;
            let follows = records.last().is_none_or(|before| before.last_sequence() == record.append.expected);
            if record.append.stream != *stream || !follows {
                return Err(self.damaged(at, format!("the record does not continue {stream}")));
            }
            records.push(record);
        }
        Ok(records)
    }

    /// The first sequence of the stream with this tip that is left when the segments up to `cut` are deleted.
    fn first_left(&self, tip: Tip, cut: u32) -> Result<u64, ReadError> {
        let (mut at, mut before) = (tip.location, tip.head.sequence);
        while at.segment > cut {
            let file = self.open(at.segment)?;
            let mut window = Window::new(&file, RECORD_AHEAD);
            let outline = record::outline(self.raw(&mut window, at)?).map_err(self.malformed(at))?;
            if outline.previous >= at {
                return Err(self.damaged(at, "a record does not say where its stream's record before it stands"));
            }
            (at, before) = (outline.previous, outline.expected);
        }
        Ok(before + 1)
    }

    /// When the newest record of a segment was decided, whose frames end at `end`. Checks all of them.
    pub(super) fn newest(&self, segment: u32, end: u32) -> Result<u64, ReadError> {
        let file = self.open(segment)?;
        let mut window = Window::new(&file, STRIDE as usize);
        let mut at = SEGMENT_HEADER as u64;
        let mut newest = 0;
        let place = |byte: u64| Location { segment, byte: u32::try_from(byte).unwrap_or(u32::MAX) };
        while at < u64::from(end) {
            let header = window.get(at, FRAME_HEADER).map_err(|error| self.io(segment, error))?;
            let frame = FrameHeader::decode(header, self.id)
                .ok_or_else(|| self.damaged(place(at), "a frame's header does not match its checksum"))?;
            let mut byte = at + FRAME_HEADER as u64;
            for _ in 0..frame.count {
                let bytes = self.raw(&mut window, place(byte))?;
                newest = newest.max(Glance::of(bytes).map_err(self.malformed(place(byte)))?.at_millis);
                byte += bytes.len() as u64;
            }
            at = frame.next(at);
        }
        Ok(newest)
    }

    /// Closes the segments up to this one, so that their space is free once they are removed.
    pub(super) fn forget(&self, upto: u32) {
        self.files.forget(upto);
    }

    /// See `Journal::read_feed`. Reads the frames near each mark and goes from mark to mark, so that it passes over
    /// what other partitions wrote in between.
    pub(super) fn feed(
        &self,
        index: &RwLock<Index>,
        partition: PartitionId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Record>, ReadError> {
        let (durable, marks) = {
            let index = read(index);
            let first = index.first(partition);
            if after.saturating_add(1) < first {
                return Err(ReadError::Deleted { first });
            }
            let marks = index.marks(partition, after.saturating_add(1), limit);
            let with_end = |mark: Mark| (mark, index.end_of(mark.frame.segment));
            (index.last(partition), marks.into_iter().map(with_end).collect::<Vec<_>>())
        };
        let mut page = Page { partition, after, durable, limit, records: Vec::new() };
        for (mark, end) in &marks {
            if page.is_full() {
                break;
            }
            self.near(*mark, *end, &mut page)?;
        }
        match marks.last() {
            Some((mark, _)) if !page.is_full() => {
                Err(self.damaged(mark.frame, format!("position {} is not to be found from here on", page.next())))
            }
            Some(_) | None => Ok(page.records),
        }
    }

    /// Reads the frames that `mark` stands for into the page, up to where those of its segment end.
    fn near(&self, mark: Mark, end: u32, page: &mut Page) -> Result<(), ReadError> {
        let segment = mark.frame.segment;
        let file = self.open(segment)?;
        let mut window = Window::new(&file, STRIDE as usize);
        let mut at = u64::from(mark.frame.byte);
        while at < u64::from(end).min(u64::from(mark.frame.byte) + u64::from(STRIDE)) {
            let place = |byte: u64| Location { segment, byte: u32::try_from(byte).unwrap_or(u32::MAX) };
            let header = window.get(at, FRAME_HEADER).map_err(|error| self.io(segment, error))?;
            let frame = FrameHeader::decode(header, self.id)
                .ok_or_else(|| self.damaged(place(at), "a frame's header does not match its checksum"))?;
            let mut byte = at + FRAME_HEADER as u64;
            for _ in 0..frame.count {
                let bytes = self.raw(&mut window, place(byte))?;
                let length = bytes.len() as u64;
                // What other partitions wrote is only passed over. Should its length or its partition be damaged, a
                // position is missing from the page, or what is decoded does not match its checksum.
                let skimmed = record::skim(bytes).map_err(self.malformed(place(byte)))?;
                if skimmed.partition == page.partition {
                    self.checked.fetch_add(1, Ordering::Relaxed);
                    let record = record::decode(bytes, &self.names).map_err(self.malformed(place(byte)))?.record;
                    page.take(record).map_err(|what| self.damaged(place(byte), what))?;
                    if page.is_full() {
                        return Ok(());
                    }
                }
                byte += length;
            }
            at = frame.next(at);
        }
        Ok(())
    }
}

/// Records of a partition, being collected.
struct Page {
    partition: PartitionId,
    after: u64,
    durable: u64,
    limit: usize,
    records: Vec<Record>,
}

impl Page {
    /// The position that comes next.
    fn next(&self) -> u64 {
        self.records.last().map_or(self.after, Record::last_offset).saturating_add(1)
    }

    fn is_full(&self) -> bool {
        self.records.len() >= self.limit || self.next() > self.durable
    }

    fn take(&mut self, record: Record) -> Result<(), String> {
        let next = self.next();
        if record.last_offset() < next {
            return Ok(()); // before the page
        }
        // The first record of a page may begin before it.
        if record.offset == next || (self.records.is_empty() && record.offset < next) {
            self.records.push(record);
            return Ok(());
        }
        Err(format!("position {next} belongs here, not {}", record.offset))
    }
}
