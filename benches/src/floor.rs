//! The least that a durable append costs: one writer thread that commits what waits as one group, and tells.
//!
//! What a group is committed to is a [`Sink`]: a bare file here, a database in `stores`.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::Path,
    sync::{Arc, Condvar, Mutex},
    thread::JoinHandle,
};

use anyhow::{Context, Result};
use rustix::fs::{FallocateFlags, fallocate};
use tokio::sync::oneshot;

/// Space taken beforehand, written round and round.
const SPACE: u64 = 64 << 20;

/// What makes a group of records durable.
pub(crate) trait Sink: Send + 'static {
    /// Makes `count` records, each of them `record`, durable together.
    fn commit(&mut self, record: &[u8], count: usize) -> Result<()>;
}

/// One writer in front of a sink, and what waits for it.
pub(crate) struct Grouped {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<Result<()>>>,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    filled: Condvar,
}

#[derive(Default)]
struct Waiting {
    tell: Vec<oneshot::Sender<()>>,
    closed: bool,
}

impl Grouped {
    /// Records of `record` bytes.
    pub(crate) fn new(mut sink: impl Sink, record: usize) -> Self {
        let shared = Arc::<Shared>::default();
        let writer = std::thread::spawn({
            let shared = shared.clone();
            move || write(&shared, &mut sink, &vec![0x5a; record])
        });
        Self { shared, writer: Some(writer) }
    }

    /// Returns once a record is durable.
    pub(crate) async fn append(&self) -> Result<()> {
        let (tell, told) = oneshot::channel();
        self.shared.waiting.lock().ok().context("the writer panicked")?.tell.push(tell);
        self.shared.filled.notify_one();
        told.await.context("the writer ended")
    }

    /// Ends the writer.
    pub(crate) fn close(mut self) -> Result<()> {
        self.shared.waiting.lock().ok().context("the writer panicked")?.closed = true;
        self.shared.filled.notify_one();
        let Some(writer) = self.writer.take() else { return Ok(()) };
        writer.join().ok().context("the writer panicked")?
    }
}

fn write(shared: &Shared, sink: &mut impl Sink, record: &[u8]) -> Result<()> {
    loop {
        let waiting = shared.waiting.lock().ok().context("a caller panicked")?;
        let idle = |waiting: &mut Waiting| waiting.tell.is_empty() && !waiting.closed;
        let mut waiting = shared.filled.wait_while(waiting, idle).ok().context("a caller panicked")?;
        if waiting.tell.is_empty() {
            return Ok(());
        }
        let tell = std::mem::take(&mut waiting.tell);
        drop(waiting);
        sink.commit(record, tell.len())?;
        for caller in tell {
            // A caller that has gone away needs no answer.
            caller.send(()).ok();
        }
    }
}

/// A preallocated file: one write and one fdatasync a group.
pub(crate) struct BareFile {
    file: File,
    at: u64,
    bytes: Vec<u8>,
}

impl BareFile {
    pub(crate) fn new(path: &Path) -> Result<Self> {
        let file = File::options().write(true).create(true).truncate(true).open(path)?;
        fallocate(&file, FallocateFlags::empty(), 0, SPACE).context("space for the floor's file")?;
        file.sync_all()?;
        Ok(Self { file, at: 0, bytes: Vec::new() })
    }
}

impl Sink for BareFile {
    fn commit(&mut self, record: &[u8], count: usize) -> Result<()> {
        self.bytes.clear();
        for _ in 0..count {
            self.bytes.extend_from_slice(record);
        }
        if self.at + self.bytes.len() as u64 > SPACE {
            self.at = 0;
        }
        self.file.write_all_at(&self.bytes, self.at)?;
        self.file.sync_data()?;
        self.at += self.bytes.len() as u64;
        Ok(())
    }
}
