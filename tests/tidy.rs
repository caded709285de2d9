//! Properties of the source itself: who may know whom. Prints every place that breaks them.

use std::{
    fs,
    path::{Path, PathBuf},
};

#[cfg(test)]
#[path = "tidy/licences.rs"]
mod licences;
#[path = "tidy/requirements.rs"]
mod requirements;

/// One row of the import table of ARCHITECTURE.md.
struct Rule {
    /// Files under here, or this file.
    under: &'static str,
    /// But not those under here.
    but: &'static [&'static str],
    /// Words that may not appear in their code.
    banned: &'static [&'static str],
    why: &'static str,
}

const fn rule(under: &'static str, banned: &'static [&'static str], why: &'static str) -> Rule {
    Rule { under, but: &[], banned, why }
}

/// What makes code impure, wherever it comes from.
const IMPURE: &[&str] = &[
    "ractor",
    "actix",
    "tokio",
    "sled",
    "warp",
    "async",
    "await",
    "SystemTime",
    "Instant",
    "fastrand",
    "std::fs",
    "std::net",
    "std::thread",
];

const RULES: &[Rule] = &[
    rule("src/actors/entity", IMPURE, "the vocabulary is pure"),
    rule(
        "src/actors/entity",
        &["crate::persistence", "crate::http", "actors::runtime", "actors::supervision", "actors::systems"],
        "the vocabulary imports nothing of ours",
    ),
    rule("src/actors/systems", IMPURE, "business rules are pure"),
    rule(
        "src/actors/systems",
        &["crate::persistence", "crate::http", "actors::runtime", "actors::supervision"],
        "systems import the vocabulary only",
    ),
    rule("src/actors/supervision/strategy.rs", IMPURE, "decisions of supervision are pure"),
    rule("src/actors/supervision/intensity.rs", IMPURE, "decisions of supervision are pure"),
    rule("src/actors/supervision/backoff.rs", IMPURE, "decisions of supervision are pure"),
    rule("src/actors/supervision/order.rs", IMPURE, "decisions of supervision are pure"),
    rule("src/actors/runtime/bulkhead/admission.rs", IMPURE, "who may wait is decided purely"),
    rule("src/actors/runtime/link/breaker/mod.rs", IMPURE, "a breaker is pure"),
    rule("src/actors/runtime/bulkhead/autoscale.rs", IMPURE, "who decides a size is pure"),
    rule("src/actors/runtime/bulkhead/meter.rs", IMPURE, "who measures a load is given the time"),
    rule("src/actors/runtime/probe/pulse.rs", IMPURE, "what probes amount to is pure"),
    Rule {
        under: "src/actors/runtime/faults",
        but: &[
            "src/actors/runtime/faults/mod.rs",
            "src/actors/runtime/faults/control.rs",
            "src/actors/runtime/faults/slow.rs",
        ],
        banned: IMPURE,
        why: "which fault happens to whom is pure",
    },
    Rule {
        under: "src/actors/supervision/config",
        but: &["src/actors/supervision/config/mod.rs", "src/actors/supervision/config/tests.rs"],
        banned: &["ractor", "tokio", "async", "std::fs", "SystemTime"],
        why: "configuration is parsed and validated without the world",
    },
    rule(
        "src/actors/supervision",
        &["crate::persistence", "crate::http", "actors::runtime", "actors::systems", "warp", "actix"],
        "supervision knows processes, not what they do",
    ),
    rule(
        "src/actors/runtime",
        &["sled", "warp", "ureq", "ractor", "crate::http", "crate::outbound", "actors::systems"],
        "the runtime knows ports and the vocabulary, no adapter and no business",
    ),
    Rule {
        under: "src/actors/runtime",
        but: &["src/actors/runtime/bulkhead/threads.rs"],
        banned: &["actix"],
        why: "actix lives in one file",
    },
    Rule {
        under: "src/actors/runtime",
        but: &["src/actors/runtime/tests"],
        banned: &["MemoryStore", "Backend"],
        why: "only persistence::open names a backend",
    },
    rule(
        "src/actors/testkit",
        &["ractor", "actix", "sled", "warp", "crate::persistence", "crate::http", "actors::systems"],
        "the testkit serves every system",
    ),
    rule(
        "src/persistence",
        &["ractor", "actix", "warp", "crate::actors", "crate::http", "crate::outbound"],
        "storage knows streams and bytes",
    ),
    Rule {
        under: "src/persistence",
        but: &["src/persistence/sled", "src/persistence/open", "src/persistence/mod.rs", "src/persistence/contract"],
        banned: &["sled"],
        why: "sled lives in one folder",
    },
    rule(
        "src/http",
        &["ractor", "actix", "sled", "ureq", "crate::persistence", "crate::outbound"],
        "an inbound adapter talks to the system only",
    ),
    rule(
        "src/grpc",
        &["ractor", "actix", "sled", "warp", "ureq", "crate::persistence", "crate::outbound"],
        "an inbound adapter talks to the system only",
    ),
    Rule { under: "src", but: &["src/grpc"], banned: &["tonic", "prost"], why: "gRPC lives in one folder" },
    rule(
        "src/outbound",
        &["ractor", "actix", "warp", "sled", "crate::persistence", "crate::http"],
        "an outbound adapter knows notices and asks only",
    ),
    Rule {
        under: "src/observe",
        but: &["src/observe/otlp.rs"],
        banned: &["ureq"],
        why: "who exports traces sends them by itself",
    },
    Rule {
        under: "src/outbound",
        but: &["src/outbound/remote.rs"],
        banned: &["tokio", "async", "await", "hyper"],
        why: "an adapter for notices blocks on a thread that is given to it",
    },
    rule(
        "src/observe",
        &["ractor", "actix", "sled", "warp", "crate::persistence", "crate::http", "crate::outbound"],
        "figures are gathered through the crate's public API",
    ),
    Rule {
        under: "src",
        but: &["src/observe/otlp.rs"],
        banned: &["opentelemetry", "opentelemetry_sdk", "opentelemetry_otlp", "opentelemetry_http"],
        why: "the crates that export traces live in one file",
    },
    rule("src/spans.rs", &["actors", "http", "persistence", "tokio", "async"], "spans are a leaf"),
    Rule {
        under: "src",
        but: &["src/observe/families.rs"],
        banned: &["prometheus"],
        why: "the crate that writes figures lives in one file",
    },
    rule("src/digits.rs", &["actors", "persistence", "http", "tokio"], "digits are a leaf"),
    rule("src/maps.rs", &["actors", "persistence", "http", "tokio"], "maps are a leaf"),
    Rule { under: "src", but: &["src/maps.rs"], banned: &["foldhash"], why: "the quick hash lives in one file" },
    rule(
        "src/measure.rs",
        &["actors", "persistence", "tokio", "async", "Instant"],
        "who counts is a leaf and is given the time",
    ),
    Rule {
        under: "src",
        but: &["src/http/guard", "src/http/serve/connection.rs"],
        banned: &["tokio_rustls", "rustls"],
        why: "ciphers live where requests are guarded",
    },
    rule("src/cli/bench/histogram.rs", IMPURE, "the figures of a load are pure"),
    rule("src/cli/bench/tally.rs", IMPURE, "the figures of a load are pure"),
    rule("src/cli/bench/table.rs", IMPURE, "the figures of a load are pure"),
    rule("src/cli/bench/audit.rs", IMPURE, "an audit is pure"),
    rule("src/cli", &["ractor", "actix", "sled", "warp", "ureq"], "the program composes, no more"),
];

fn files(under: &Path, found: &mut Vec<PathBuf>) {
    if under.is_file() {
        found.push(under.to_owned());
    }
    let Ok(entries) = fs::read_dir(under) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// A line without its comment and without what stands in string literals.
fn code(line: &str) -> String {
    let mut code = String::new();
    let (mut in_text, mut escaped, mut last) = (false, false, ' ');
    for c in line.chars() {
        match c {
            '"' if !escaped && last != '\'' => in_text = !in_text,
            '/' if !in_text && last == '/' => {
                code.pop();
                return code;
            }
            _ if in_text => {}
            _ => code.push(c),
        }
        escaped = in_text && c == '\\' && !escaped;
        last = c;
    }
    code
}

fn has_word(code: &str, word: &str) -> bool {
    let is_edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
    code.match_indices(word)
        .any(|(at, _)| is_edge(code[..at].chars().next_back()) && is_edge(code[at + word.len()..].chars().next()))
}

fn violations(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for rule in RULES {
        let mut paths = Vec::new();
        files(&root.join(rule.under), &mut paths);
        paths.retain(|path| !rule.but.iter().any(|but| path.starts_with(root.join(but))));
        paths.sort();
        for path in paths {
            let text = fs::read_to_string(&path).expect("source files are text");
            for (number, line) in text.lines().enumerate() {
                let code = code(line);
                for word in rule.banned.iter().filter(|word| has_word(&code, word)) {
                    let file = path.strip_prefix(root).expect("found under the root").display();
                    found.push(format!("{file}:{}: `{word}`: {}", number + 1, rule.why));
                }
            }
        }
    }
    found
}

/// No system knows another one.
fn acquainted_systems(root: &Path) -> Vec<String> {
    let folder = root.join("src/actors/systems");
    let systems: Vec<String> = fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let mut found = Vec::new();
    for own in &systems {
        let mut paths = Vec::new();
        files(&folder.join(own), &mut paths);
        for path in paths {
            let text = fs::read_to_string(&path).expect("source files are text");
            for other in systems.iter().filter(|other| *other != own) {
                if text.contains(&format!("systems::{other}")) {
                    found.push(format!("{} knows {other}", path.display()));
                }
            }
        }
    }
    found
}

#[test]
fn layers_point_inwards() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = violations(root);
    found.extend(acquainted_systems(root));
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn every_rule_is_about_something() {
    for rule in RULES {
        let mut paths = Vec::new();
        files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(rule.under), &mut paths);
        assert!(!paths.is_empty(), "nothing is under {}", rule.under);
    }
}

#[test]
fn the_check_itself_bites() {
    let planted = tempfile::tempdir().expect("a directory");
    for (file, text) in [
        ("src/actors/entity/x.rs", "use tokio::sync::mpsc;\n// sled is fine in a comment\nlet bobsled = \"warp\";\n"),
        ("src/http/y.rs", "let a = 1; // ractor\nuse crate::persistence::Journal;\n"),
        ("src/actors/systems/stay/z.rs", "use crate::actors::systems::store::Order;\n"),
        ("src/actors/systems/store/z.rs", "fn decide() {}\n"),
    ] {
        let path = planted.path().join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        fs::write(path, text).expect("written");
    }
    assert_eq!(
        violations(planted.path()),
        [
            "src/actors/entity/x.rs:1: `tokio`: the vocabulary is pure",
            "src/http/y.rs:2: `crate::persistence`: an inbound adapter talks to the system only",
        ]
    );
    assert_eq!(acquainted_systems(planted.path()).len(), 1);
}

/// A file that nobody declares as a module is not compiled, and its tests never run.
#[test]
fn every_test_file_is_part_of_its_binary() {
    for binary in ["tests/it", "tests/faults", "tests/grpc"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(binary);
        let main = fs::read_to_string(folder.join("main.rs")).expect("source files are text");
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            assert!(name == "main" || main.contains(&format!("mod {name};")), "{binary}: {name} is in no binary");
        }
    }
}
