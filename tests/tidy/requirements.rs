//! Every requirement has a test that names it, or a reason why not.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use super::files;

const LIST: &str = include_str!("requirements.txt");

/// A system and an id: `("stay", "d8")`.
type Requirement = (String, String);

/// What the list asks for, and what it leaves out.
struct Listed {
    wanted: BTreeSet<Requirement>,
    out: BTreeSet<Requirement>,
}

fn listed(text: &str) -> Listed {
    let mut listed = Listed { wanted: BTreeSet::new(), out: BTreeSet::new() };
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        let (ids, why) = line.split_once(" out:").map_or((line, None), |(ids, why)| (ids, Some(why)));
        assert!(why.is_none_or(|why| !why.trim().is_empty()), "a reason is missing: {line}");
        let mut words = ids.split_whitespace();
        let system = words.next().expect("a system comes first");
        for id in words.flat_map(range) {
            let is_new = !listed.wanted.contains(&(system.into(), id.clone()));
            let set = if why.is_some() { &mut listed.out } else { &mut listed.wanted };
            assert!(set.insert((system.into(), id)) && is_new, "listed twice: {line}");
        }
    }
    listed
}

/// `F1-F3` is f1, f2, f3; `D8b` is d8b.
fn range(word: &str) -> Vec<String> {
    let word = word.to_lowercase();
    let Some((first, last)) = word.split_once('-') else { return vec![word] };
    let (letter, from) = first.split_at(1);
    let to = last.strip_prefix(letter).expect("a range is of one letter");
    let (from, to): (u32, u32) = (from.parse().expect("a number"), to.parse().expect("a number"));
    (from..=to).map(|n| format!("{letter}{n}")).collect()
}

/// The systems of the list.
fn systems(listed: &Listed) -> BTreeSet<String> {
    listed.wanted.iter().map(|(system, _)| system.clone()).collect()
}

/// The ids that a test's name begins with, and `f1_to_f9` as a range.
fn ids(name: &str) -> Vec<String> {
    let is_id = |part: &str| {
        let mut letters = part.chars();
        letters.next().is_some_and(|c| "fnd".contains(c)) && letters.next().is_some_and(|c| c.is_ascii_digit())
    };
    let mut found: Vec<String> = Vec::new();
    let mut parts = name.split('_').peekable();
    while let Some(part) = parts.next() {
        match part {
            "to" if parts.peek().is_some_and(|next| is_id(next)) && !found.is_empty() => {
                let (from, to) = (found.pop().unwrap_or_default(), parts.next().unwrap_or_default());
                found.extend(range(&format!("{from}-{to}")));
            }
            id if is_id(id) => found.push(id.to_owned()),
            _ => break,
        }
    }
    found
}

/// The names of tests in a file: a function whose attributes have `test`, or that `proptest!` holds.
fn tests(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") {
            is_test |= line.contains("test]") || line.contains("test(");
        } else if let Some(rest) = line.strip_prefix("fn ").or_else(|| line.strip_prefix("async fn ")) {
            if is_test {
                found.extend(rest.split(['(', '<']).next());
            }
            is_test = false;
        }
    }
    found
}

fn covered(root: &Path, systems: &BTreeSet<String>) -> BTreeMap<Requirement, Vec<String>> {
    let mut paths: Vec<PathBuf> = Vec::new();
    files(&root.join("src"), &mut paths);
    files(&root.join("tests"), &mut paths);
    let mut covered: BTreeMap<Requirement, Vec<String>> = BTreeMap::new();
    for path in paths {
        let place = path.strip_prefix(root).expect("found under the root").display().to_string();
        let of_path = systems.iter().find(|system| place.contains(system.as_str()));
        let text = fs::read_to_string(&path).expect("source files are text");
        for test in tests(&text) {
            let named = systems.iter().find(|system| test.starts_with(&format!("{system}_")));
            let system = named.or(of_path).map_or("store", String::as_str);
            let name = named.map_or(test, |system| test[system.len() + 1..].as_ref());
            for id in ids(name) {
                covered.entry((system.to_owned(), id)).or_default().push(format!("{place}: {test}"));
            }
        }
    }
    covered
}

#[test]
fn every_requirement_has_a_test_that_names_it() {
    let listed = listed(LIST);
    let covered = covered(Path::new(env!("CARGO_MANIFEST_DIR")), &systems(&listed));
    let missing: Vec<_> = listed.wanted.iter().filter(|wanted| !covered.contains_key(*wanted)).collect();
    assert!(missing.is_empty(), "no test names {missing:?}");
    let known = |id: &Requirement| listed.wanted.contains(id) || listed.out.contains(id);
    let unknown: Vec<_> = covered.iter().filter(|(id, _)| !known(id)).collect();
    assert!(unknown.is_empty(), "tests name what nobody asked for: {unknown:?}");
}

#[test]
fn the_check_of_requirements_bites() {
    assert_eq!(ids("f1_to_f3_the_script"), ["f1", "f2", "f3"]);
    assert_eq!(ids("d8b_n4_goods_that_are_sold"), ["d8b", "n4"]);
    assert!(ids("a_delivery_named_d8_is_none").is_empty());
    let text = "#[test]\nfn d1_a() {}\n\nfn d2_helper() {}\n#[tokio::test(start_paused = true)]\nasync fn d3_b() {}";
    assert_eq!(tests(text), ["d1_a", "d3_b"]);
    let listed = listed("stay D1-D2 F8\nstay D3 out: later\n");
    assert_eq!((listed.wanted.len(), listed.out.len()), (3, 1));
    let root = tempfile::tempdir().expect("a directory");
    let folder = root.path().join("tests/it");
    fs::create_dir_all(&folder).expect("created");
    fs::write(folder.join("stay.rs"), "#[test]\nfn d1_x() {}\n").expect("written");
    fs::write(folder.join("other.rs"), "#[test]\nfn stay_d2_f8_y() {}\n#[test]\nfn d9_z() {}\n").expect("written");
    let systems = BTreeSet::from(["stay".to_owned(), "store".to_owned()]);
    let covered: Vec<_> = covered(root.path(), &systems).into_keys().map(|(s, id)| format!("{s} {id}")).collect();
    assert_eq!(covered, ["stay d1", "stay d2", "stay f8", "store d9"]);
}
