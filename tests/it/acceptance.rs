//! The acceptance script of the store: through our client, and through the real `HTTPie`.

use std::{
    env,
    io::Write,
    process::{Command, Stdio},
};

use crate::{
    common::{Response, Server, words},
    script,
};

const SCRIPT: &str = include_str!("../fixtures/store-acceptance.http");
/// A script that lost a line is noticed.
const COMMANDS: usize = 48;

#[test]
fn the_store_does_what_its_acceptance_script_says() {
    let server = Server::store();
    let client = server.client();
    assert_eq!(script::run(SCRIPT, &server, &|line| client.http(line)), COMMANDS);
}

#[test]
fn the_store_does_what_its_acceptance_script_says_through_httpie() {
    if !httpie(&["--version"]).is_some_and(|(_, succeeded)| succeeded) {
        assert!(env::var_os("CI").is_none(), "HTTPie is not on the PATH, and CI is set");
        // not eprintln: the test runner would keep the line to itself
        writeln!(std::io::stderr(), "skipped: the acceptance script through HTTPie: no `http` on the PATH").unwrap();
        return;
    }
    let server = Server::store();
    let send = |line: &str| {
        let words = words(&line.replace(":8088/", &format!("{}/", server.listen())));
        let mut arguments = vec!["--ignore-stdin", "--print=hb", "--pretty=none"];
        arguments.extend(words.iter().skip(1).map(String::as_str));
        let (output, _) = httpie(&arguments).expect("it could be run before");
        answer(&output)
    };
    assert_eq!(script::run(SCRIPT, &server, &send), COMMANDS);
}

/// What the real thing writes, and whether it says that it succeeded; `None` when there is no such program.
fn httpie(arguments: &[&str]) -> Option<(String, bool)> {
    let output = Command::new("http").args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit()).output().ok()?;
    Some((String::from_utf8(output.stdout).expect("UTF-8"), output.status.success()))
}

/// What `--print=hb` tells of an answer.
fn answer(text: &str) -> Response {
    let text = text.replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let (first, headers) = head.split_once('\n').unwrap_or((head, ""));
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    let header = |line: &str| {
        line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).expect("a header")
    };
    Response {
        status: status.unwrap_or_else(|| panic!("no answer: {text}")),
        headers: headers.lines().map(header).collect(),
        body: body.trim_end().into(),
    }
}
