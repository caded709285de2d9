//! What the tools that look at data have in common: where it is, which code knows it, how far they are.

use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use steadfast::{
    KindCode,
    persistence::{DataDirectory, OpenError, SurveyError},
};

use super::{
    Exit,
    fleet::{self, Fleet},
    say,
};

/// Where the data is.
#[derive(Debug, Args)]
pub(super) struct Data {
    /// The data directory; a process may be running on it.
    #[arg(long, default_value = "./data")]
    pub(super) data: PathBuf,
    /// Data as JSON, for programs.
    #[arg(long)]
    pub(super) json: bool,
}

impl Data {
    pub(super) fn find(&self) -> Result<DataDirectory, Exit> {
        DataDirectory::find(&self.data).map_err(not_read)
    }
}

/// The exit code of data that cannot be looked at.
pub(super) fn not_read(error: SurveyError) -> Exit {
    match &error {
        SurveyError::NoData { .. } | SurveyError::Open(OpenError::Format(_)) => Exit::Usage(error.into()),
        SurveyError::InUse { .. } | SurveyError::Open(OpenError::InUse { .. }) => Exit::InUse(error.into()),
        SurveyError::Open(OpenError::Damaged { .. }) => Exit::Damaged(error.into()),
        SurveyError::Open(_) | SurveyError::Io { .. } | _ => Exit::Other(error.into()),
    }
}

/// The code of every kind that this program has.
pub(super) fn codes() -> Vec<KindCode> {
    let services = Fleet::named(fleet::ALL).iter().flat_map(|known| (known.services)());
    let own = services.flat_map(|service| service.codes().to_vec());
    own.chain(KindCode::of_the_runtime()).collect()
}

/// A bar over so many bytes; shown on a terminal only, on standard error.
pub(super) fn bar(what: String, bytes: u64) -> ProgressBar {
    let style = "{msg} [{wide_bar}] {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    let style = ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(bytes).with_style(style).with_message(what)
}

/// Writes data as one JSON text.
pub(super) fn say_json(data: &impl Serialize) -> Result<(), Exit> {
    say(&serde_json::to_string_pretty(data).map_err(|error| Exit::Other(error.into()))?);
    Ok(())
}

/// A moment as people read it.
pub(super) fn moment(millis: u64) -> String {
    let moment = i64::try_from(millis).ok().and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    moment.map_or_else(|| millis.to_string(), |moment| moment.to_string())
}
