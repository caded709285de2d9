//! Copies of a journal with one place damaged, anywhere: a byte is flipped, sectors are zeros, the end is missing. The
//! process shows all that was acknowledged, or it names a file and ends with 3; there is no third.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;

use crate::{
    books::{Books, Events},
    common::Setup,
    old::copy,
    rounds::setting,
    shop::Shop,
};

/// What happens to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Damage {
    Flip,
    /// So many bytes are zeros, where a sector of that size begins.
    Zeros(u64),
    /// It ends here.
    Cut,
}

const KINDS: [Damage; 4] = [Damage::Flip, Damage::Zeros(512), Damage::Zeros(4096), Damage::Cut];

impl Damage {
    /// Whether the file is another one now.
    fn apply(self, path: &Path, rng: &mut fastrand::Rng) -> bool {
        let before = fs::read(path).unwrap();
        // Behind the last byte that is not zero there is only room.
        let used = before.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1);
        if used == 0 {
            return false;
        }
        let at = rng.u64(0..used);
        let file = File::options().write(true).open(path).unwrap();
        match self {
            Self::Flip => {
                let byte = before[usize::try_from(at).unwrap()] ^ (1 << rng.u8(0..8));
                file.write_all_at(&[byte], at).unwrap();
            }
            Self::Zeros(size) => {
                let from = at - at % size;
                let end = (from + size).min(before.len() as u64);
                file.write_all_at(&vec![0; usize::try_from(end - from).unwrap()], from).unwrap();
            }
            Self::Cut => file.set_len(at).unwrap(),
        }
        fs::read(path).unwrap() != before
    }
}

/// The files below `dir`.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.append(&mut files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// How many copies met which end.
#[derive(Debug, Default)]
struct Met {
    refused: u32,
    whole: u32,
}

/// `journal verify` of data that nobody has open: its exit code, and what it said.
fn verify(data: &Path) -> (i32, String) {
    let arguments = ["journal", "verify", "--data", data.to_str().unwrap()];
    let output = Command::new(env!("CARGO_BIN_EXE_steadfast")).args(arguments).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

/// Damages copies of a journal's files; `part` is their directory in a unit.
fn damaged_copies(journal: &str, part: &str) -> Met {
    let seed = setting("STEADFAST_FAULTS_SEED").unwrap_or_else(|| fastrand::u64(..));
    eprintln!("repeat with: STEADFAST_FAULTS_SEED={seed} cargo test --test faults sectors -- --nocapture");
    let mut rng = fastrand::Rng::with_seed(seed);
    let config = "[storage]\nsegment_bytes = \"64 KiB\"\nballast = \"0 B\"\nsled_cache = \"1 MiB\"\n";
    let mut shop = Shop::of(Setup::default().flag("--journal").flag(journal).config(config).start());
    for number in 1..=60 {
        let body = json!({"quantity": number, "price": 5});
        assert_eq!(shop.send("POST", "/products", &format!("product-{number}"), Some(&body)).status, 201);
        let body = json!({"productId": number, "quantity": 1});
        assert_eq!(shop.send("POST", "/orders", &format!("order-{number}"), Some(&body)).status, 201);
    }
    let (books, events) = (Books::read(&shop), Events::read(&shop));
    shop.close(); // so that the witnesses know all of it
    let whole = shop.data();

    // A copy of which nothing is damaged.
    let control = shop.directory().join("control");
    copy(&whole, &control);
    let (code, said) = verify(&control);
    assert_eq!(code, 0, "{said}");
    shop.keep_data_in(control);
    shop.start();
    Books::read(&shop).assert_same_bytes(&books);
    shop.close();

    let mut met = Met::default();
    let copies = setting("STEADFAST_FAULTS_COPIES").unwrap_or(12);
    for (number, kind) in (1..=copies).zip(KINDS.into_iter().cycle()) {
        let data = shop.directory().join(format!("copy-{number}"));
        copy(&whole, &data);
        let journal_files = files(&data.join(*rng.choice(["main", "alarm"].iter()).unwrap()).join(part));
        let file = loop {
            let file = rng.choice(&journal_files).unwrap();
            if kind.apply(file, &mut rng) {
                break file;
            }
        };
        let what = format!("{kind:?} of {}", file.strip_prefix(&data).unwrap().display());
        let (code, said) = verify(&data);
        shop.keep_data_in(data.clone());
        if let Err(ended) = shop.try_start() {
            let last = ended.stderr.lines().last().unwrap();
            assert_eq!(ended.status.code(), Some(3), "{what}: {last}");
            assert!(last.contains(data.to_str().unwrap()), "{what}: no file is named: {last}");
            assert_eq!(code, 3, "{what}: it was verified, and is refused: {last}\n{said}");
            met.refused += 1;
        } else {
            Books::read(&shop).assert_same_bytes(&books);
            assert_eq!(Events::read(&shop).by_place(), events.by_place(), "{what}");
            shop.close();
            met.whole += 1;
        }
        fs::remove_dir_all(&data).unwrap();
    }
    eprintln!("{journal}, {part}: {met:?}");
    met
}

#[test]
fn a_damaged_place_of_the_segments_is_named_or_nothing_is_missing() {
    let met = damaged_copies("segments", "journal");
    assert!(met.refused > 0, "no damage was met: {met:?}");
}

#[test]
fn a_damaged_place_of_a_journal_in_sled_is_named_or_nothing_is_missing() {
    let met = damaged_copies("sled", "journal-sled");
    assert!(met.refused > 0, "no damage was met: {met:?}");
}

/// What can be derived is built anew where it cannot be read.
#[test]
fn a_damaged_place_of_the_tables_costs_nothing_but_time() {
    let met = damaged_copies("segments", "sled");
    assert_eq!(met.refused, 0, "{met:?}");
}
