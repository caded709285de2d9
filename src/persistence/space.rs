//! Room on the disk: writes are refused while there is too little, before anything is touched.
//!
//! A disk that fills up must not be met in the middle of a write. So writes end at a *low mark*, and a *ballast* file
//! keeps some room aside: it is given up when the mark is reached, so that reads, closing and opening go on, and is
//! made again before writes return.

use std::{
    fmt,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::{
    fs::{FallocateFlags, fallocate, statvfs},
    io::Errno,
};

use super::{OpenError, Refusal};

/// How often the disk is looked at. A disk that fills up faster is met by the making of a segment, which fails before
/// anything is written.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Space comes back when somebody makes some.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// How much a disk has left.
pub(super) trait Disk: fmt::Debug + Send + Sync + 'static {
    /// Bytes that this process may still write below `dir`.
    fn available(&self, dir: &Path) -> io::Result<u64>;
}

/// Asks the file system.
#[derive(Debug)]
pub(super) struct FileSystem;

impl Disk for FileSystem {
    fn available(&self, dir: &Path) -> io::Result<u64> {
        let of = statvfs(dir)?;
        Ok(of.f_bavail.saturating_mul(of.f_frsize))
    }
}

/// Bytes of the files in `dir` and below, as far as they can be looked at.
pub(super) fn bytes_below(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let bytes = entries.map(|entry| match entry.metadata() {
        Ok(about) if about.is_dir() => bytes_below(&entry.path()),
        Ok(about) => about.len(),
        Err(_) => 0, // it was removed meanwhile
    });
    bytes.sum()
}

/// Whether there is room for writes, as journals see it.
#[derive(Debug)]
pub(super) struct Room {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    mark: u64,
    low: AtomicBool,
    available: AtomicU64,
}

impl Room {
    /// Room without end, for journals that nobody watches.
    #[cfg(test)]
    pub(super) fn endless() -> Arc<Self> {
        Self::watched(Arc::new(FileSystem), Path::new("."), 0)
    }

    fn watched(disk: Arc<dyn Disk>, dir: &Path, mark: u64) -> Arc<Self> {
        let (low, available) = (AtomicBool::new(false), AtomicU64::new(u64::MAX));
        Arc::new(Self { disk, dir: dir.to_owned(), mark, low, available })
    }

    /// Why a write must not begin now; `None` when it may.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.low.load(Ordering::Acquire).then(|| self.no_space())
    }

    /// The same for something that takes `bytes` of the disk.
    pub(super) fn refusal_of(&self, bytes: u64) -> Option<Refusal> {
        let left = self.measure().map_or(u64::MAX, |available| available.saturating_sub(bytes));
        if left < self.mark { Some(self.no_space()) } else { self.refusal() }
    }

    /// What an attempt says that met the end of the disk.
    pub(super) fn no_space(&self) -> Refusal {
        let available = self.available.load(Ordering::Acquire);
        Refusal::NoSpace { available, mark: self.mark, retry_after: RETRY_AFTER }
    }

    fn measure(&self) -> io::Result<u64> {
        let available = self.disk.available(&self.dir)?;
        self.available.store(available, Ordering::Release);
        Ok(available)
    }
}

/// How much is kept free.
#[derive(Clone, Debug)]
pub(super) struct SpaceConfig {
    /// The data directory, which must be there.
    pub(super) dir: PathBuf,
    /// Writes are refused below so many free bytes.
    pub(super) mark: u64,
    /// Bytes of the ballast file; 0 for none.
    pub(super) ballast: u64,
}

/// Looks at the disk as long as it lives.
#[derive(Debug)]
pub(super) struct SpaceWatch {
    room: Arc<Room>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl SpaceWatch {
    /// Begins with one look, so that the first write is judged too.
    ///
    /// # Errors
    /// The thread could not be started.
    pub(super) fn start(config: &SpaceConfig, disk: Arc<dyn Disk>) -> Result<Self, OpenError> {
        let room = Room::watched(disk, &config.dir, config.mark);
        let mut ballast = Ballast::found(&config.dir, config.ballast);
        look(&room, &mut ballast);
        let (stop, stopped) = channel::<()>();
        let watched = Arc::clone(&room);
        let watch = move || {
            while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                look(&watched, &mut ballast);
            }
        };
        let thread = thread::Builder::new().name("disk-space".into()).spawn(watch);
        let thread = thread.map_err(|error| OpenError::io(&config.dir, error))?;
        Ok(Self { room, stop: Some(stop), thread: Some(thread) })
    }

    /// What journals look at.
    pub(super) fn room(&self) -> Arc<Room> {
        Arc::clone(&self.room)
    }
}

impl Drop for SpaceWatch {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the watch of the disk's space panicked");
        }
    }
}

/// One look. With available space A, mark M and ballast B:
///
/// | writes | ballast | found | then |
/// |---|---|---|---|
/// | go on | there | A < M | writes refused, ballast given up |
/// | go on | not there | A < M | writes refused |
/// | go on | not there | A >= M + B | ballast made |
/// | refused | there | A >= M | writes go on |
/// | refused | not there | A >= M + B | ballast made, writes go on |
fn look(room: &Room, ballast: &mut Ballast) {
    let Ok(available) = room.measure() else { return };
    let low = room.low.load(Ordering::Acquire);
    if available < room.mark {
        if !low {
            tracing::error!(available, mark = room.mark, "the disk has too little space: writes are refused");
            room.low.store(true, Ordering::Release);
        }
        ballast.give_up();
    } else if (ballast.is_there || (available - room.mark >= ballast.bytes && ballast.make())) && low {
        tracing::info!(available, mark = room.mark, "the disk has space again: writes go on");
        room.low.store(false, Ordering::Release);
    }
}

/// A file that is only there to be given up.
#[derive(Debug)]
struct Ballast {
    path: PathBuf,
    bytes: u64,
    is_there: bool,
}

impl Ballast {
    fn found(dir: &Path, bytes: u64) -> Self {
        let path = dir.join("ballast");
        let found = fs::metadata(&path).map_or(0, |file| file.len());
        let mut ballast = Self { path, bytes, is_there: found > 0 };
        if found != bytes {
            ballast.give_up(); // of another size
            ballast.is_there = bytes == 0;
        }
        ballast
    }

    /// Whether it is there now.
    fn make(&mut self) -> bool {
        let made =
            File::create(&self.path).and_then(|file| match fallocate(&file, FallocateFlags::empty(), 0, self.bytes) {
                // Without it the file would be sparse and keep nothing aside.
                Err(Errno::OPNOTSUPP) => Ok(()),
                outcome => Ok(outcome?),
            });
        self.is_there = made.is_ok();
        if let Err(error) = made {
            tracing::debug!(%error, "the ballast could not be made");
            self.give_up();
        }
        self.is_there
    }

    fn give_up(&mut self) {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, file = %self.path.display(), "the ballast could not be given up");
            }
            Ok(()) | Err(_) => {}
        }
        self.is_there = self.bytes == 0;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    /// A disk that has what a test says.
    #[derive(Debug, Default)]
    pub(in crate::persistence) struct Told(pub(in crate::persistence) AtomicU64);

    impl Disk for Told {
        fn available(&self, _: &Path) -> io::Result<u64> {
            Ok(self.0.load(Ordering::Relaxed))
        }
    }

    /// Room with this much to begin with, on which a test looks itself.
    pub(in crate::persistence) struct Looked {
        pub(in crate::persistence) room: Arc<Room>,
        pub(in crate::persistence) disk: Arc<Told>,
        ballast: Ballast,
    }

    impl Looked {
        pub(in crate::persistence) fn new(dir: &Path, mark: u64, ballast: u64) -> Self {
            let disk = Arc::new(Told(AtomicU64::new(u64::MAX)));
            Self { room: Room::watched(disk.clone(), dir, mark), disk, ballast: Ballast::found(dir, ballast) }
        }

        pub(in crate::persistence) fn has(&mut self, available: u64) {
            self.disk.0.store(available, Ordering::Relaxed);
            look(&self.room, &mut self.ballast);
        }
    }

    #[test]
    fn writes_end_at_the_mark_and_return_once_the_ballast_has_room_again() {
        let dir = tempfile::tempdir().unwrap();
        let ballast = || fs::metadata(dir.path().join("ballast")).map_or(0, |file| file.len());
        let mut looked = Looked::new(dir.path(), 1000, 4096);
        looked.has(1000 + 4095);
        assert_eq!((looked.room.refusal(), ballast()), (None, 0), "no room for the ballast, and enough for writes");
        looked.has(1000 + 4096);
        assert_eq!((looked.room.refusal(), ballast()), (None, 4096));
        looked.has(1000);
        assert_eq!((looked.room.refusal(), ballast()), (None, 4096));
        looked.has(999);
        let refusal = Refusal::NoSpace { available: 999, mark: 1000, retry_after: RETRY_AFTER };
        assert_eq!((looked.room.refusal(), ballast()), (Some(refusal), 0));
        looked.has(999 + 4096);
        assert!(looked.room.refusal().is_some(), "what the ballast gave is no room for writes");
        looked.has(1000 + 4096);
        assert_eq!((looked.room.refusal(), ballast()), (None, 4096));
    }

    #[test]
    fn without_a_ballast_the_mark_alone_counts() {
        let dir = tempfile::tempdir().unwrap();
        let mut looked = Looked::new(dir.path(), 1000, 0);
        for (available, refused) in [(1000, false), (999, true), (1000, false)] {
            looked.has(available);
            assert_eq!(looked.room.refusal().is_some(), refused, "{available}");
        }
        assert!(!dir.path().join("ballast").exists());
    }

    #[test]
    fn a_ballast_of_another_size_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        Looked::new(dir.path(), 10, 4096).has(1 << 30);
        Looked::new(dir.path(), 10, 8192).has(1 << 30);
        assert_eq!(fs::metadata(dir.path().join("ballast")).unwrap().len(), 8192);
        Looked::new(dir.path(), 10, 0).has(1 << 30);
        assert!(!dir.path().join("ballast").exists());
    }

    #[test]
    fn what_would_go_below_the_mark_is_refused_before_it_is_begun() {
        let dir = tempfile::tempdir().unwrap();
        let mut looked = Looked::new(dir.path(), 1000, 0);
        looked.has(3000);
        assert_eq!(looked.room.refusal_of(2000), None);
        assert!(looked.room.refusal_of(2001).is_some());
    }

    #[test]
    fn a_watch_looks_when_it_starts_and_then_again() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Arc::new(Told(AtomicU64::new(5)));
        let config = SpaceConfig { dir: dir.path().to_owned(), mark: 10, ballast: 0 };
        let watch = SpaceWatch::start(&config, disk.clone()).unwrap();
        let room = watch.room();
        assert!(room.refusal().is_some());
        disk.0.store(10, Ordering::Relaxed);
        while room.refusal().is_some() {
            thread::yield_now();
        }
    }
}
