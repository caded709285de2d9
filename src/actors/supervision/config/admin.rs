//! `[admin]`: the operators' listener.

use std::path::PathBuf;

use super::{error::ConfigError, section::Section, units::ByteCount};

/// `[admin]`: who operators are, what they may do beyond looking, stopping and starting, and where it is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminConfig {
    /// Whether faults may be injected through the admin API. Default no.
    pub faults: bool,
    /// The file with the operators' tokens. Without it everybody on this machine is an operator, and nobody else.
    pub token_file: Option<PathBuf>,
    /// Where it is written down what operators changed. Default `audit.log` in the data directory.
    pub audit_file: Option<PathBuf>,
    /// A file of that log that is larger is put aside. Default 16 MiB, from 4 KiB to 1 GiB.
    pub audit_size: ByteCount,
    /// Files of it that are kept beside the current one. Default 8, from 1 to 1000.
    pub audit_files: u32,
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self { faults: false, token_file: None, audit_file: None, audit_size: ByteCount::mib(16), audit_files: 8 }
    }
}

impl AdminConfig {
    /// What of it holds until the next start: not which file has the tokens, but whether one has.
    pub(super) fn fixed(&self) -> Self {
        Self { token_file: self.token_file.as_ref().map(|_| PathBuf::new()), ..self.clone() }
    }
}

pub(super) fn admin(mut section: Section<'_>) -> Result<AdminConfig, ConfigError> {
    let default = AdminConfig::default();
    let config = AdminConfig {
        faults: section.or("faults", false)?.value,
        token_file: section.optional("token_file")?.map(|file| file.value),
        audit_file: section.optional("audit_file")?.map(|file| file.value),
        audit_size: section.bounded("audit_size", default.audit_size, ByteCount::kib(4)..=ByteCount::mib(1024))?.value,
        audit_files: section.bounded("audit_files", default.audit_files, 1..=1000)?.value,
    };
    section.finish()?;
    Ok(config)
}
