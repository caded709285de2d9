//! The peers of the append bench: embedded stores behind the same group commit as the floor.
//!
//! Each group is one batch, or one transaction, under keys that only grow (the order in which all of them are fastest),
//! and one sync of the data: as much as each of them offers for many callers that each want their record durable.

use std::{fs::File, path::Path};

use anyhow::Result;
use redb::{Database, TableDefinition};

use crate::floor::Sink;

/// sled: a batch, a flush, and an fdatasync of our own, because sled's flush syncs no file.
pub(crate) struct SledAlone {
    db: sled::Db,
    file: File,
    next: u64,
}

impl SledAlone {
    pub(crate) fn new(dir: &Path) -> Result<Self> {
        let db = sled::Config::new().path(dir).flush_every_ms(None).open()?;
        Ok(Self { db, file: File::open(dir.join("db"))?, next: 0 })
    }
}

impl Sink for SledAlone {
    fn commit(&mut self, record: &[u8], count: usize) -> Result<()> {
        let mut batch = sled::Batch::default();
        for _ in 0..count {
            batch.insert(&self.next.to_be_bytes(), record);
            self.next += 1;
        }
        self.db.apply_batch(batch)?;
        self.db.flush()?;
        Ok(self.file.sync_data()?)
    }
}

/// fjall: a batch whose commit syncs the data of its journal.
pub(crate) struct Fjall {
    db: fjall::Database,
    records: fjall::Keyspace,
    next: u64,
}

impl Fjall {
    pub(crate) fn new(dir: &Path) -> Result<Self> {
        let db = fjall::Database::builder(dir).open()?;
        let records = db.keyspace("records", fjall::KeyspaceCreateOptions::default)?;
        Ok(Self { db, records, next: 0 })
    }
}

impl Sink for Fjall {
    fn commit(&mut self, record: &[u8], count: usize) -> Result<()> {
        let mut batch = self.db.batch().durability(Some(fjall::PersistMode::SyncData));
        for _ in 0..count {
            batch.insert(&self.records, self.next.to_be_bytes(), record);
            self.next += 1;
        }
        Ok(batch.commit()?)
    }
}

/// redb: a write transaction; its commit is durable unless it is told otherwise.
pub(crate) struct Redb {
    db: Database,
    next: u64,
}

const RECORDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");

impl Redb {
    pub(crate) fn new(file: &Path) -> Result<Self> {
        Ok(Self { db: Database::create(file)?, next: 0 })
    }
}

impl Sink for Redb {
    fn commit(&mut self, record: &[u8], count: usize) -> Result<()> {
        let transaction = self.db.begin_write()?;
        {
            let mut records = transaction.open_table(RECORDS)?;
            for _ in 0..count {
                records.insert(self.next, record)?;
                self.next += 1;
            }
        }
        Ok(transaction.commit()?)
    }
}
