//! Whether the configuration file is another one: its content, looked at again and again.
//!
//! Not by the kernel's notifications: a rename over it, an editor that writes it in two pieces and the symlinks of a
//! Kubernetes `ConfigMap` are each told in other words, and a network file system tells nothing. To read a small file once in
//! a second costs some ten microseconds.

use std::{
    fs::File,
    hash::{DefaultHasher, Hash, Hasher},
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::{Interval, MissedTickBehavior, interval};

/// More of a file is not looked at: a configuration is some kilobytes.
const LOOKED_AT: u64 = 4 * 1024 * 1024;

/// What has been seen of the file.
#[derive(Debug)]
struct Seen {
    /// What was taken, or refused, last.
    known: Option<u64>,
    /// What the last look saw.
    last: Option<u64>,
}

impl Seen {
    /// True when the file is another one than that which is known, and has been for two looks: one that is being written
    /// is not read half. A file that is away is not another one.
    fn look(&mut self, now: Option<u64>) -> bool {
        let settled = now.is_some() && self.last == now;
        self.last = now;
        let is_other = settled && self.known != now;
        if is_other {
            self.known = now;
        }
        is_other
    }
}

/// A look at the file, again and again.
#[derive(Debug)]
pub(super) struct Watch {
    file: PathBuf,
    seen: Seen,
    turn: Option<Interval>,
}

impl Watch {
    /// What it is now is known. To be called before it is read.
    pub(super) fn new(file: &Path) -> Self {
        let known = content(file);
        Self { file: file.to_owned(), seen: Seen { known, last: known }, turn: None }
    }

    /// Looks so often from now on; not at all when that is zero. Called within the async runtime.
    pub(super) fn begin(&mut self, every: Duration) {
        self.turn = (!every.is_zero()).then(|| {
            let mut turn = interval(every);
            turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
            turn
        });
    }

    /// Waits until it is another one.
    ///
    /// # Cancel safety
    /// Dropping the future costs one look at most.
    pub(super) async fn changed(&mut self) {
        let Some(turn) = &mut self.turn else { return std::future::pending().await };
        loop {
            turn.tick().await;
            let file = self.file.clone();
            let Ok(now) = tokio::task::spawn_blocking(move || content(&file)).await else { continue };
            if self.seen.look(now) {
                return;
            }
        }
    }
}

/// The file's content in short; `None` when it cannot be read.
fn content(file: &Path) -> Option<u64> {
    let mut text = Vec::new();
    File::open(file).ok()?.take(LOOKED_AT).read_to_end(&mut text).ok()?;
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    Some(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_another_one_when_it_has_stayed_so_for_two_looks() {
        let mut seen = Seen { known: Some(1), last: Some(1) };
        for (now, expected) in [
            (Some(1), false),
            (Some(2), false), // may be half
            (Some(3), false),
            (Some(3), true),
            (Some(3), false), // taken or refused: known
            (None, false),
            (None, false),
            (Some(3), false),
            (Some(1), false),
            (Some(1), true),
        ] {
            assert_eq!(seen.look(now), expected, "{now:?} after {seen:?}");
        }
        let mut absent = Seen { known: None, last: None };
        assert_eq!([None, Some(1), Some(1)].map(|now| absent.look(now)), [false, false, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rename_and_an_edit_are_noticed_and_without_a_pause_nothing_is() {
        let directory = tempfile::tempdir().unwrap();
        let (file, other) = (directory.path().join("a.toml"), directory.path().join("b.toml"));
        let mut watch = Watch::new(&file);
        watch.begin(Duration::from_secs(1));
        std::fs::write(&other, "one").unwrap();
        std::fs::rename(&other, &file).unwrap();
        watch.changed().await;
        std::fs::write(&file, "two").unwrap();
        watch.changed().await;
        let nothing = Duration::from_mins(1);
        assert!(tokio::time::timeout(nothing, watch.changed()).await.is_err(), "nothing more");
        watch.begin(Duration::ZERO);
        std::fs::write(&file, "three").unwrap();
        assert!(tokio::time::timeout(nothing, watch.changed()).await.is_err(), "it is not looked at");
    }
}
