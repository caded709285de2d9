//! A disk that loses what was not synced when a test cuts its power, and one that fills up: `disk.c`, preloaded.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    fs::File,
    io,
    ops::AddAssign,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    process::{self, Command},
    sync::OnceLock,
    time::UNIX_EPOCH,
};

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// The library, built once. Where there is no C compiler, that is said; in CI it is an error.
pub(crate) fn library() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    BUILT.get_or_init(build).as_deref()
}

fn build() -> Option<PathBuf> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/disk.c");
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    // Under a name of this process: another one may build it as well.
    let (unfinished, built) = (directory.join(format!("disk-{}.so", process::id())), directory.join("disk.so"));
    let mut command = Command::new("cc");
    command.args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&unfinished);
    match command.args([source, "-ldl", "-pthread"]).output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "cc does not build {source}:\n{said}");
            fs::rename(unfinished, &built).unwrap();
            Some(built)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && env::var_os("CI").is_none() => {
            eprintln!("skipped: there is no C compiler `cc` on the PATH to build {source} with");
            None
        }
        Err(error) => panic!("cc, which builds {source}, does not run: {error}"),
    }
}

/// What a process needs to see one of the disks.
pub(crate) type Environment = [(&'static str, PathBuf); 3];

/// A directory whose power can be cut while nothing runs on it.
#[derive(Debug)]
pub(crate) struct Disk {
    library: &'static Path,
    /// What programs see.
    pub(crate) root: PathBuf,
    /// What a disk would have kept of it.
    image: PathBuf,
}

/// What a power cut took away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    /// Bytes of sectors that were another on the disk.
    pub(crate) bytes: u64,
    /// Names that were made, changed or taken away.
    pub(crate) names: u64,
    /// Sectors that were not synced and are there.
    pub(crate) survivors: u64,
}

impl AddAssign for Lost {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.names += other.names;
        self.survivors += other.survivors;
    }
}

/// What becomes of what was not synced.
#[derive(Debug)]
pub(crate) enum Unsynced<'a> {
    /// Nothing of it is there.
    Gone,
    /// Each sector is there or not, so that of two writes the later may be there alone. Directories are all as they
    /// were synced or all as they were last: a file system may take a rename back, and never does half of it.
    Chance(&'a mut fastrand::Rng),
}

impl Unsynced<'_> {
    fn stays(&mut self) -> bool {
        match self {
            Self::Gone => false,
            Self::Chance(rng) => rng.bool(),
        }
    }
}

impl Disk {
    /// An empty one: `directory/disk`, with its image beside it. `None` where there is no C compiler.
    pub(crate) fn new(directory: &Path) -> Option<Self> {
        // As /proc names it.
        let directory = directory.canonicalize().unwrap();
        let disk = Self { library: library()?, root: directory.join("disk"), image: directory.join("image") };
        fs::create_dir(&disk.root).unwrap();
        disk.synced();
        Some(disk)
    }

    pub(crate) fn environment(&self) -> Environment {
        [
            ("LD_PRELOAD", self.library.to_owned()),
            ("STEADFAST_DISK", self.root.clone()),
            ("STEADFAST_DISK_IMAGE", self.image.clone()),
        ]
    }

    /// Everything is on the disk now.
    fn synced(&self) {
        if self.image.exists() {
            fs::remove_dir_all(&self.image).unwrap();
        }
        for part in ["files", "dirs"] {
            fs::create_dir_all(self.image.join(part)).unwrap();
        }
        self.keep_all(&self.root);
    }

    fn keep_all(&self, dir: &Path) {
        let mut list = Vec::new();
        for (name, entry) in entries_of(dir) {
            let path = dir.join(&name);
            if entry.is_dir {
                self.keep_all(&path);
            } else {
                fs::copy(&path, self.image.join("files").join(&entry.id)).unwrap();
            }
            let kind = if entry.is_dir { 'd' } else { 'f' };
            list.extend_from_slice(format!("{kind} {} {name}\0", entry.id).as_bytes());
        }
        fs::write(self.image.join("dirs").join(id(dir)), list).unwrap();
    }

    /// Leaves in the directory what the disk has kept. Nothing may run on it.
    pub(crate) fn cut_power(&self, mut unsynced: Unsynced<'_>) -> Lost {
        let mut live = BTreeMap::new();
        places(&self.root, &mut live);
        let next = self.root.with_file_name("disk.next");
        let mut lost = Lost::default();
        let names = unsynced.stays();
        self.recover(&id(&self.root), &next, &live, names, &mut unsynced, &mut lost);
        fs::remove_dir_all(&self.root).unwrap();
        fs::rename(&next, &self.root).unwrap();
        self.synced();
        lost
    }

    fn recover(
        &self,
        dir: &str,
        to: &Path,
        live: &BTreeMap<String, PathBuf>,
        names: bool,
        unsynced: &mut Unsynced<'_>,
        lost: &mut Lost,
    ) {
        fs::create_dir(to).unwrap();
        let kept = self.kept_entries(dir);
        let newest = live.get(dir).map_or_else(BTreeMap::new, |path| entries_of(path));
        let entries = if names {
            newest
        } else {
            let all: BTreeSet<&String> = kept.keys().chain(newest.keys()).collect();
            lost.names += all.iter().filter(|name| kept.get(**name) != newest.get(**name)).count() as u64;
            kept
        };
        for (name, Entry { id, is_dir }) in entries {
            let to = to.join(name);
            if is_dir {
                self.recover(&id, &to, live, names, unsynced, lost);
            } else {
                let kept = bytes_of(&self.image.join("files").join(&id));
                let newest = live.get(&id).map(|path| bytes_of(path));
                let mixed = match newest {
                    Some(newest) => mix(kept, &newest, unsynced, lost),
                    None => kept,
                };
                write_sparse(&to, &mixed);
            }
        }
    }

    fn kept_entries(&self, dir: &str) -> BTreeMap<String, Entry> {
        let list = bytes_of(&self.image.join("dirs").join(dir));
        let list = String::from_utf8(list).unwrap();
        let entry = |line: &str| {
            let mut words = line.splitn(3, ' ');
            let [kind, id, name] = [words.next().unwrap(), words.next().unwrap(), words.next().unwrap()];
            (name.to_owned(), Entry { id: id.to_owned(), is_dir: kind == "d" })
        };
        list.split_terminator('\0').map(entry).collect()
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    id: String,
    is_dir: bool,
}

/// Inode and time of birth: an inode's number is used again.
fn id(path: &Path) -> String {
    let of = fs::symlink_metadata(path).unwrap();
    let born = of.created().map_or(0, |at| at.duration_since(UNIX_EPOCH).unwrap().as_nanos());
    format!("{:x}-{born:x}", of.ino())
}

fn entries_of(dir: &Path) -> BTreeMap<String, Entry> {
    let entry = |entry: io::Result<fs::DirEntry>| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, Entry { id: id(&path), is_dir: path.is_dir() })
    };
    fs::read_dir(dir).unwrap().map(entry).collect()
}

/// Where each file and directory is.
fn places(dir: &Path, found: &mut BTreeMap<String, PathBuf>) {
    found.insert(id(dir), dir.to_owned());
    for (name, entry) in entries_of(dir) {
        let path = dir.join(name);
        if entry.is_dir {
            places(&path, found);
        } else {
            found.insert(entry.id, path);
        }
    }
}

/// What is there; nothing for a file that was never synced.
fn bytes_of(file: &Path) -> Vec<u8> {
    match fs::read(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        read => read.unwrap(),
    }
}

/// What a disk has of a file that was synced as `kept` and written to be `newest`.
fn mix(mut kept: Vec<u8>, newest: &[u8], unsynced: &mut Unsynced<'_>, lost: &mut Lost) -> Vec<u8> {
    if kept.len() != newest.len() && unsynced.stays() {
        kept.resize(newest.len(), 0);
    }
    let size = kept.len().max(newest.len());
    for at in (0..size).step_by(SECTOR) {
        let end = (at + SECTOR).min(size);
        let part = |bytes: &[u8]| bytes.get(at..end.min(bytes.len())).unwrap_or_default().to_vec();
        let (synced, written) = (part(&kept), part(newest));
        if synced == written {
            continue;
        }
        if synced.len() == written.len() && unsynced.stays() {
            kept[at..end].copy_from_slice(&written);
            lost.survivors += 1;
        } else {
            lost.bytes += written.len().max(synced.len()) as u64;
        }
    }
    kept
}

/// Preallocated zeros take no room.
fn write_sparse(path: &Path, bytes: &[u8]) {
    const PART: usize = 4096;
    let file = File::create_new(path).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
    for (part, at) in bytes.chunks(PART).zip((0..).step_by(PART)) {
        if part.iter().any(|byte| *byte != 0) {
            file.write_all_at(part, at).unwrap();
        }
    }
}

/// A directory that takes so many bytes and no more.
#[derive(Debug)]
pub(crate) struct Budget {
    library: &'static Path,
    pub(crate) root: PathBuf,
    file: PathBuf,
}

impl Budget {
    /// `directory/disk` with room without end. `None` where there is no C compiler.
    pub(crate) fn new(directory: &Path) -> Option<Self> {
        let directory = directory.canonicalize().unwrap();
        let budget = Self { library: library()?, root: directory.join("disk"), file: directory.join("budget") };
        fs::create_dir(&budget.root).unwrap();
        budget.set(u64::MAX);
        Some(budget)
    }

    pub(crate) fn environment(&self) -> Environment {
        [
            ("LD_PRELOAD", self.library.to_owned()),
            ("STEADFAST_DISK", self.root.clone()),
            ("STEADFAST_DISK_BUDGET", self.file.clone()),
        ]
    }

    /// From now on. A process that runs sees one number or the other.
    pub(crate) fn set(&self, bytes: u64) {
        let unfinished = self.file.with_extension("new");
        fs::write(&unfinished, bytes.to_string()).unwrap();
        fs::rename(unfinished, &self.file).unwrap();
    }

    /// What the directory takes now.
    pub(crate) fn used(&self) -> u64 {
        used(&self.root)
    }

    /// How often something was refused for want of room.
    pub(crate) fn refused(&self) -> u64 {
        fs::metadata(self.file.with_extension("refused")).map_or(0, |file| file.len())
    }
}

fn used(dir: &Path) -> u64 {
    let mut sum = 0;
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        // A running process may have taken it away.
        let Ok(of) = fs::symlink_metadata(&path) else { continue };
        sum += if of.is_dir() { used(&path) } else { of.blocks() * 512 };
    }
    sum
}
