//! What the program is made of: where each crate comes from, and under which licence.

use std::{env, process::Command};

use serde_json::Value;

/// Under any of these a crate may be part of a program that is sold: they ask for no more than to be named.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// The one place that crates come from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Whether an SPDX expression can be met. `AND` binds closer than `OR`; `/` is how crates once wrote `OR`.
fn is_allowed(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    let allowed = any(&mut rest);
    assert!(rest.is_empty(), "no SPDX expression: {expression}");
    allowed
}

fn any(rest: &mut &[&str]) -> bool {
    let mut allowed = all(rest);
    while let ["OR", more @ ..] = *rest {
        *rest = more;
        allowed |= all(rest);
    }
    allowed
}

fn all(rest: &mut &[&str]) -> bool {
    let mut allowed = one(rest);
    while let ["AND", more @ ..] = *rest {
        *rest = more;
        allowed &= one(rest);
    }
    allowed
}

fn one(rest: &mut &[&str]) -> bool {
    match *rest {
        ["(", more @ ..] => {
            *rest = more;
            let allowed = any(rest);
            let [")", more @ ..] = *rest else { panic!("a parenthesis is open") };
            *rest = more;
            allowed
        }
        [name, "WITH", exception, more @ ..] => {
            *rest = more;
            ALLOWED.contains(&format!("{name} WITH {exception}").as_str())
        }
        [name, more @ ..] => {
            *rest = more;
            ALLOWED.contains(name)
        }
        [] => panic!("a licence is missing"),
    }
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_crate_comes_from_the_registry_under_a_licence_that_is_allowed() {
    let host = output("rustc", &["-vV"]);
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let arguments = [
        "metadata",
        "--format-version=1",
        "--locked",
        "--all-features",
        "--filter-platform",
        host,
        "--manifest-path",
        manifest,
    ];
    let metadata: Value = serde_json::from_str(&output(&cargo, &arguments)).unwrap();
    let of = |package: &Value, field: &str| package[field].as_str().unwrap_or_default().to_owned();
    let packages = metadata["packages"].as_array().unwrap();
    // Without a source are the members of this workspace.
    let foreign: Vec<_> = packages.iter().filter(|package| !package["source"].is_null()).collect();
    assert!(foreign.len() > 100 && packages.len() - foreign.len() == 2, "{} of {}", foreign.len(), packages.len());
    let mut wrong: Vec<String> = Vec::new();
    for package in foreign {
        let (name, source, licence) = (of(package, "name"), of(package, "source"), of(package, "license"));
        if source != REGISTRY {
            wrong.push(format!("{name} comes from {source}"));
        }
        if licence.is_empty() || !is_allowed(&licence) {
            wrong.push(format!("{name} has the licence {licence:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_expression_is_met_when_a_choice_of_it_is() {
    for met in ["MIT", "MIT/GPL-3.0", "(MIT OR GPL-3.0) AND Unicode-3.0", "Apache-2.0 WITH LLVM-exception OR X"] {
        assert!(is_allowed(met), "{met}");
    }
    for not in ["GPL-3.0", "MIT AND GPL-3.0", "MIT AND (GPL-3.0 OR X)", "GPL-3.0 OR MIT AND X", "MIT WITH X"] {
        assert!(!is_allowed(not), "{not}");
    }
}
