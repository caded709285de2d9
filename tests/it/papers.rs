//! What a package has beside the program.

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

fn said(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_steadfast")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn completions_know_every_command_and_its_flags() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = said(&["completions", shell]);
        for word in ["serve", "hold", "journal", "restore", "admin-listen", "pid-file"] {
            assert!(script.contains(word), "{shell} does not know {word}");
        }
    }
    let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
    bash.stdin.take().unwrap().write_all(said(&["completions", "bash"]).as_bytes()).unwrap();
    assert!(bash.wait().unwrap().success(), "bash reads it");
}

#[test]
fn there_is_a_manual_page_for_each_command() {
    let directory = tempfile::tempdir().unwrap();
    said(&["man", "--to", directory.path().join("man1").to_str().unwrap()]);
    for (page, words) in [
        ("steadfast", &["hold", "serve", "journal"][..]),
        ("steadfast-serve", &["\\-\\-system", "\\-\\-data"][..]),
        ("steadfast-hold", &["USR2", "\\-\\-pid\\-file"][..]),
        ("steadfast-journal-restore", &["DESCRIPTION"][..]),
        ("steadfast-config-show", &["\\-\\-json"][..]),
    ] {
        let text = fs::read_to_string(directory.path().join("man1").join(format!("{page}.1"))).unwrap();
        assert!(text.contains(&format!(".TH {page} 1")), "{text}");
        for word in words {
            assert!(text.contains(word), "{page} does not say {word}:\n{text}");
        }
    }
    assert!(said(&["man"]).contains(".TH steadfast 1"));
}
