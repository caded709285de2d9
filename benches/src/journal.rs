//! The journal alone, through its port: committers that each wait for an append to be durable, and no entity that decides.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use anyhow::{Context, Result};
use steadfast::persistence::{Append, Causation, Journal, NewEvent, Origin, Storage, StorageConfig, StreamId, open};
use tokio::sync::oneshot;

/// A journal in segments, with streams of events of the size of a counter's.
pub(crate) struct Alone {
    storage: Storage,
    journal: Arc<dyn Journal>,
    streams: Vec<(StreamId, Mutex<u64>)>,
    event: NewEvent,
    correlation: Arc<str>,
}

impl Alone {
    pub(crate) fn new(dir: &Path, streams: usize) -> Result<Self> {
        let storage = open(&StorageConfig::new(dir))?;
        let journal = storage.units().next().context("a unit")?.1.journal.clone();
        let stream =
            |number| (StreamId { kind: "bench.counter".into(), key: format!("{number:020}").into() }, Mutex::default());
        let event = NewEvent { name: "Added".into(), version: 1, public: true, payload: vec![b'x'; 150].into() };
        let correlation = "0123456789abcdef0123456789abcdef".into();
        Ok(Self { storage, journal, streams: (0..streams).map(stream).collect(), event, correlation })
    }

    /// Returns once an event of one of the streams is durable.
    pub(crate) async fn append(&self, random: u64) -> Result<()> {
        let (tell, told) = oneshot::channel();
        let nth = usize::try_from(random % self.streams.len() as u64)?;
        let (stream, sequence) = self.streams.get(nth).context("a stream")?;
        {
            // Held until it is handed over: the next one of this stream follows it.
            let mut sequence = sequence.lock().ok().context("a committer panicked")?;
            let append = self.one_more(stream, *sequence);
            // A committer that has gone away needs no answer.
            self.journal.append(append, Box::new(move |outcome| drop(tell.send(outcome))));
            *sequence += 1;
        }
        told.await.context("the journal ended")??;
        Ok(())
    }

    fn one_more(&self, stream: &StreamId, expected: u64) -> Append {
        let partition = stream.partition(self.journal.partitions());
        Append {
            stream: stream.clone(),
            lease: self.journal.lease(partition),
            incarnation: 1,
            expected,
            at_millis: 1_800_000_000_000,
            number: 0,
            command: fastrand::u128(..),
            origin: Origin::Fresh,
            reply: None,
            begun: None,
            settled: None,
            open_asks: false,
            correlation: self.correlation.clone(),
            causation: Causation::Request,
            events: vec![self.event.clone()],
        }
    }

    pub(crate) fn close(self) {
        drop(self.journal);
        self.storage.close();
    }
}
