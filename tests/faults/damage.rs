//! Files that are not what was written, and a disk that takes no more.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::{
    books::{Books, Events},
    laws,
    load::{Act, Command, Done, insist},
    shop::Shop,
    wire::Lost,
};

/// Every file below `dir` with its bytes.
fn bytes_of(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.append(&mut bytes_of(&path));
        } else {
            files.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    files
}

fn segment(shop: &Shop, unit: &str) -> PathBuf {
    shop.data().join(unit).join("journal").join("0000000001.seg")
}

/// Behind the last byte that is not zero.
fn end_of(segment: &Path) -> u64 {
    let bytes = fs::read(segment).unwrap();
    bytes.iter().rposition(|byte| *byte != 0).unwrap() as u64 + 1
}

/// Registers products one after another, so that each has a frame of its own.
fn register(shop: &Shop, numbers: impl IntoIterator<Item = i64>) {
    for number in numbers {
        let body = json!({"quantity": number, "price": 5});
        assert_eq!(shop.send("POST", "/products", &format!("product-{number}"), Some(&body)).status, 201);
    }
}

#[test]
fn a_flipped_byte_ends_it_with_3_names_the_place_and_touches_nothing() {
    let mut shop = Shop::with("[storage]\nsegment_bytes = \"1 MiB\"\n");
    register(&shop, 1..=30);
    for number in 1..=10 {
        let body = json!({"productId": number, "quantity": 1});
        assert_eq!(shop.send("POST", "/orders", &format!("order-{number}"), Some(&body)).status, 201);
    }
    shop.quiesce();
    let units = ["main", "alarm"].map(|unit| (unit, end_of(&segment(&shop, unit))));
    // However much of the above came into one frame, this stands behind it in frames of its own.
    let body = json!({"productId": 11, "quantity": 1});
    assert_eq!(shop.send("POST", "/orders", "order-11", Some(&body)).status, 201);
    shop.quiesce();
    shop.kill();
    for (unit, end) in units {
        let file = segment(&shop, unit);
        let whole = fs::read(&file).unwrap();
        // The segment's header, a frame in the middle, one near the end but with frames behind it.
        for at in [20, end / 2, end * 3 / 4] {
            let mut damaged = whole.clone();
            damaged[usize::try_from(at).unwrap()] ^= 0x10;
            fs::write(&file, damaged).unwrap();
            let before = bytes_of(&shop.data());
            let ended = shop.run();
            let said = ended.stderr.lines().last().unwrap();
            assert_eq!(ended.status.code(), Some(3), "byte {at}: {said}");
            assert!(said.contains(&file.display().to_string()), "byte {at}: {said}");
            let told = said.split("damaged at byte ").nth(1).and_then(|rest| rest.split(':').next());
            let told: u64 = told.and_then(|told| told.parse().ok()).unwrap_or_else(|| panic!("no offset: {said}"));
            assert!(told <= at && at - told < 4096, "byte {at} is damaged, and it says {told}");
            let now = bytes_of(&shop.data());
            let touched: Vec<_> = now.iter().filter(|(path, bytes)| before.get(*path) != Some(bytes)).collect();
            let touched: Vec<_> = touched.into_iter().map(|(path, _)| path).collect();
            assert!(touched.is_empty() && now.len() == before.len(), "{unit}, byte {at}: touched {touched:?}");
        }
        fs::write(&file, whole).unwrap();
    }
    shop.start();
    shop.quiesce();
    assert_eq!(shop.all("products").0.len(), 30);
}

#[test]
fn a_torn_tail_is_cut_and_reported_and_everything_before_it_is_there() {
    for tear in [Tear::Zeros(3), Tear::Zeros(120), Tear::Ends(7), Tear::Header] {
        let mut shop = Shop::with("[storage]\nsegment_bytes = \"64 KiB\"\n");
        register(&shop, 1..=9);
        shop.quiesce();
        let file = segment(&shop, "main");
        let before = end_of(&file);
        register(&shop, [10]);
        shop.kill();
        let end = end_of(&file);
        assert!(before < end);
        tear.apply(&file, before, end);
        // The witness may lag 100 ms behind a kill; here it shall.
        fs::remove_file(shop.data().join("main").join("journal").join("witness")).unwrap();

        shop.start();
        let said = shop.stderr();
        let report = said.lines().find(|line| line.contains(&file.display().to_string()));
        let report = report.unwrap_or_else(|| panic!("{tear:?} is not reported:\n{said}"));
        assert!(report.contains("WARN") && report.contains("cut off"), "{report}");
        shop.quiesce();
        let shown = shop.all("products").0;
        assert_eq!(shown.len(), 9, "{tear:?}");
        register(&shop, [10]);
        shop.quiesce();
        assert_eq!(shop.all("products").0.len(), 10);
        shop.close();
        shop.start();
        shop.close();
        assert_eq!(shop.stderr().matches("cut off").count(), 1, "what is cut is reported once");
    }
}

/// A disk had said that it synced. The segment alone looks as if the last write had been cut short.
#[test]
fn a_tail_that_was_acknowledged_is_never_cut_but_ends_it_with_3_and_tells_what_is_lost() {
    let mut shop = Shop::with("[storage]\nsegment_bytes = \"64 KiB\"\n");
    register(&shop, 1..=9);
    shop.quiesce();
    let file = segment(&shop, "main");
    let before = end_of(&file);
    register(&shop, [10]);
    shop.close();
    let whole = fs::read(&file).unwrap();
    for tear in [Tear::Zeros(3), Tear::Ends(7), Tear::Header] {
        tear.apply(&file, before, end_of(&file));
        let untouched = bytes_of(&shop.data());
        let ended = shop.run();
        let said = ended.stderr.lines().last().unwrap();
        assert_eq!(ended.status.code(), Some(3), "{tear:?}: {said}");
        assert!(said.contains(&file.display().to_string()) && said.contains("was acknowledged"), "{said}");
        assert!(said.contains("positions") && said.contains("are lost"), "{said}");
        assert_eq!(bytes_of(&shop.data()), untouched, "{tear:?}");
        fs::write(&file, &whole).unwrap();
    }
    shop.start();
    assert_eq!(shop.all("products").0.len(), 10);
}

/// How a write is cut short.
#[derive(Clone, Copy, Debug)]
enum Tear {
    /// The last bytes were never written.
    Zeros(u64),
    /// The file is shorter by so many bytes of the last frame.
    Ends(u64),
    /// Only a part of the frame's header was written.
    Header,
}

impl Tear {
    fn apply(self, file: &Path, frame: u64, end: u64) {
        let open = File::options().write(true).open(file).unwrap();
        let zero = |from: u64, to: u64| open.write_all_at(&vec![0; usize::try_from(to - from).unwrap()], from).unwrap();
        match self {
            Self::Zeros(bytes) => zero(end - bytes, end),
            Self::Ends(bytes) => open.set_len(end - bytes).unwrap(),
            Self::Header => zero(frame.next_multiple_of(16) + 10, end),
        }
    }
}

#[test]
fn a_journal_that_takes_no_more_ends_it_with_70_and_nothing_acknowledged_is_lost() {
    let tight = "[storage]\nsegment_bytes = \"64 KiB\"\n\n[[supervisor]]\nname = \"storage\"\nat_most = 1\nbackoff = { \
                 min = \"10ms\", max = \"20ms\" }\n\n[[supervisor]]\nname = \"guardian\"\nat_most = 1\nbackoff = { min = \
                 \"10ms\", max = \"20ms\" }\n";
    let mut shop = Shop::with(tight);
    let mut done = vec![answer(&shop, "p", Act::Register { quantity: 100, price: 1 }).unwrap()];
    let product = done[0].id();
    // The next segment cannot be made: a directory has taken its unfinished name. Open segments stay writable.
    let obstacle = shop.data().join("main").join("journal").join("0000000002.seg.new");
    fs::create_dir(&obstacle).unwrap();
    let mut open = Vec::new();
    for number in 0..5000 {
        let act = Act::Place { product, quantity: 1 };
        let key = format!("order-{number}");
        match answer(&shop, &key, act) {
            Ok(answered) if answered.answer.status == 201 => done.push(answered),
            Ok(Done { command, answer }) => {
                assert!(matches!(answer.status, 503 | 504), "{answer}");
                open.push(command);
                if open.len() > 5 {
                    break;
                }
            }
            Err(command) => {
                open.push(command);
                break;
            }
        }
    }
    assert!(!open.is_empty(), "the journal never had to go on in another segment");
    let ended = shop.wait();
    let said = ended.stderr;
    assert_eq!(ended.status.code(), Some(70), "{said}");
    let last = said.lines().last().unwrap();
    assert!(last.starts_with("steadfast: the supervision tree gave up"), "{said}");
    assert!(last.contains("journal main") && last.contains("segment"), "{last}");

    fs::remove_dir(&obstacle).unwrap();
    shop.start();
    for command in open {
        let answer = insist(&command, &mut shop.wire(), &mut 0).unwrap();
        assert_eq!(answer.status, 201, "{answer}");
        done.push(Done { command, answer });
    }
    let (books, events) = (Books::read(&shop), Events::read(&shop));
    laws::check(&events, &books, &done.iter().collect::<Vec<_>>());
}

/// The same obstacle, gone before the tree gives up: the process lives on, and whoever had no answer asks again.
#[test]
fn a_journal_that_failed_is_opened_again_while_the_process_lives() {
    let patient = "[storage]\nsegment_bytes = \"64 KiB\"\n\n[[supervisor]]\nname = \"storage\"\nat_most = 1000\nbackoff = \
                   { min = \"10ms\", max = \"50ms\" }\n";
    let mut shop = Shop::with(patient);
    let mut done = vec![answer(&shop, "p", Act::Register { quantity: 1000, price: 1 }).unwrap()];
    let product = done[0].id();
    let journal = shop.data().join("main").join("journal");
    let mut process = None;
    for (round, segment) in (2..=3).enumerate() {
        let next = (segment..segment + 100).find(|number| !journal.join(format!("{number:010}.seg")).exists()).unwrap();
        let obstacle = journal.join(format!("{next:010}.seg.new"));
        fs::create_dir(&obstacle).unwrap();
        let mut open = Vec::new();
        for number in 0..5000 {
            match answer(&shop, &format!("order-{round}-{number}"), Act::Place { product, quantity: 1 }) {
                Ok(answered) if answered.answer.status == 201 => done.push(answered),
                Ok(Done { command, answer }) => {
                    assert!(matches!(answer.status, 503 | 504), "{answer}");
                    open.push(command);
                }
                Err(command) => open.push(command),
            }
            if open.len() > 3 {
                break;
            }
        }
        assert!(!open.is_empty(), "the journal never had to go on in another segment");
        for _ in 0..200 {
            let read = shop.get(&format!("/products/{product}"));
            assert_eq!(read.status, 200, "reads go on: {read}");
        }
        fs::remove_dir(&obstacle).unwrap();
        for command in open {
            let answer = insist(&command, &mut shop.wire(), &mut 0).unwrap();
            assert_eq!(answer.status, 201, "{answer}");
            done.push(Done { command, answer });
        }
        assert_eq!(*process.get_or_insert(shop.pid()), shop.pid());
    }
    shop.quiesce();
    assert!(shop.stderr().contains("the journal was opened again"), "{}", shop.stderr());
    laws::check(&Events::read(&shop), &Books::read(&shop), &done.iter().collect::<Vec<_>>());
    shop.restart();
    laws::check(&Events::read(&shop), &Books::read(&shop), &done.iter().collect::<Vec<_>>());
}

/// As much room as no disk here has is asked for.
#[test]
fn with_too_little_space_writes_are_refused_reads_go_on_and_writes_return() {
    let mut shop = Shop::with("[storage]\nballast = \"1 MiB\"\n");
    register(&shop, 1..=3);
    shop.close();
    let ballast = shop.data().join("ballast");
    assert_eq!(fs::metadata(&ballast).unwrap().len(), 1 << 20);
    shop.reconfigure("[storage]\nballast = \"1 MiB\"\nlow_space = \"1024 GiB\"\n");
    shop.start();
    assert!(!ballast.exists(), "it was given up");
    let body = json!({"quantity": 4, "price": 5});
    for _ in 0..3 {
        let refused = shop.send("POST", "/products", "product-4", Some(&body));
        assert_eq!(refused.status, 503, "{refused}");
        assert!(refused.header("retry-after").is_some(), "{refused}");
        assert_eq!(shop.all("products").0.len(), 3);
        assert_eq!(shop.get("/products/1").status, 200);
    }
    shop.close();
    shop.reconfigure("[storage]\nballast = \"1 MiB\"\n");
    shop.start();
    register(&shop, [4]);
    assert_eq!(shop.all("products").0.len(), 4);
    assert!(ballast.exists());
}

/// One try; the command comes back when nobody answered.
fn answer(shop: &Shop, key: &str, act: Act) -> Result<Done, Command> {
    let command = Command { key: key.to_owned(), act };
    match command.send(&mut shop.wire()) {
        Ok(answer) => Ok(Done { command, answer }),
        Err(Lost::Unsent | Lost::Unanswered) => Err(command),
    }
}
