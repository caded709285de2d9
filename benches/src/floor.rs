//! The least that a durable append costs: one writer thread that writes what waits and syncs once, and tells.

use std::{
    fs::File,
    io,
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

/// A file, its writer, and what waits for it.
pub(crate) struct Floor {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<io::Result<()>>>,
    record: Vec<u8>,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    filled: Condvar,
}

#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    tell: Vec<oneshot::Sender<()>>,
    closed: bool,
}

impl Floor {
    /// Records of `record` bytes in the file `path`.
    pub(crate) fn new(path: &Path, record: usize) -> Result<Self> {
        let file = File::options().write(true).create(true).truncate(true).open(path)?;
        fallocate(&file, FallocateFlags::empty(), 0, SPACE).context("space for the floor's file")?;
        file.sync_all()?;
        let shared = Arc::<Shared>::default();
        let writer = std::thread::spawn({
            let shared = shared.clone();
            move || write(&shared, &file)
        });
        Ok(Self { shared, writer: Some(writer), record: vec![0x5a; record] })
    }

    /// Returns once a record is durable.
    pub(crate) async fn append(&self) -> Result<()> {
        let (tell, told) = oneshot::channel();
        {
            let mut waiting = self.shared.waiting.lock().ok().context("the writer panicked")?;
            waiting.bytes.extend_from_slice(&self.record);
            waiting.tell.push(tell);
        }
        self.shared.filled.notify_one();
        told.await.context("the writer ended")
    }

    /// Ends the writer.
    pub(crate) fn close(mut self) -> Result<()> {
        self.shared.waiting.lock().ok().context("the writer panicked")?.closed = true;
        self.shared.filled.notify_one();
        let Some(writer) = self.writer.take() else { return Ok(()) };
        Ok(writer.join().ok().context("the writer panicked")??)
    }
}

fn write(shared: &Shared, file: &File) -> io::Result<()> {
    let mut at = 0;
    loop {
        let waiting = shared.waiting.lock().map_err(|_| io::Error::other("a caller panicked"))?;
        let idle = |waiting: &mut Waiting| waiting.tell.is_empty() && !waiting.closed;
        let mut waiting = shared.filled.wait_while(waiting, idle).map_err(|_| io::Error::other("a caller panicked"))?;
        if waiting.tell.is_empty() {
            return Ok(());
        }
        let (bytes, tell) = (std::mem::take(&mut waiting.bytes), std::mem::take(&mut waiting.tell));
        drop(waiting);
        if at + bytes.len() as u64 > SPACE {
            at = 0;
        }
        file.write_all_at(&bytes, at)?;
        file.sync_data()?;
        at += bytes.len() as u64;
        for caller in tell {
            // A caller that has gone away needs no answer.
            caller.send(()).ok();
        }
    }
}
