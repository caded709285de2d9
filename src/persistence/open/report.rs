use std::path::PathBuf;

/// What opening a unit found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenReport {
    /// The unit.
    pub unit: String,
    /// Streams with events.
    pub streams: usize,
    /// The epoch of this opening.
    pub epoch: u64,
    /// The last frame whose records were not decoded, because the heads of their streams had been saved; 0 when all
    /// were decoded. All frames were checked.
    pub skimmed_to: u64,
    /// A write that a power cut or a kill cut short, and that was taken off the end of the journal. Its appends were
    /// never acknowledged, unless the disk lost what it had said to be synced.
    pub torn: Option<TornTail>,
}

/// Bytes at the end of a journal that are no frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The segment file.
    pub file: PathBuf,
    /// Where the bytes begin.
    pub at: u64,
    /// How many there were.
    pub bytes: u64,
}
