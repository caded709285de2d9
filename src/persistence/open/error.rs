use std::{io, path::PathBuf, sync::Arc};

/// Why a storage could not be opened. Nothing was changed in the unit that it is about.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has the data directory open.
    #[error("{data} is in use by another process", data = .data.display())]
    InUse {
        /// The data directory.
        data: PathBuf,
    },
    /// Bytes on disk are not what was written: restore a copy, or ask for help. Nothing was touched.
    #[error("{file} is damaged at byte {at}: {what}", file = .file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Byte offset within it.
        at: u64,
        /// What is wrong.
        what: String,
    },
    /// The configuration is not one that this data can be opened with.
    #[error("{0}")]
    Format(String),
    /// The operating system said no.
    #[error("cannot open {file}", file = .file.display())]
    Io {
        /// The file or directory.
        file: PathBuf,
        /// What it said.
        #[source]
        source: Arc<io::Error>,
    },
}

impl OpenError {
    pub(in crate::persistence) fn io(file: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { file: file.into(), source: Arc::new(source) }
    }
}
