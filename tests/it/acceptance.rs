//! The acceptance scripts of the systems, as their clients type them: through our client and through the real
//! `HTTPie`, at the gateway and at the ports of the services.

use std::{
    env,
    io::Write,
    process::{Command, Stdio},
};

use crate::{
    common::{Client, Response, Server, Setup, words},
    script,
};

/// A script and the addresses that it means.
pub(crate) struct Script {
    pub(crate) system: &'static str,
    pub(crate) text: &'static str,
    /// A script that lost a line is noticed.
    pub(crate) commands: usize,
    /// Port of the old gateway.
    pub(crate) gateway: u16,
    /// The services, their old ports, and what they serve.
    pub(crate) services: &'static [(&'static str, u16, &'static [&'static str])],
}

/// Where a script's commands go.
#[derive(Clone, Copy, Debug)]
enum By {
    /// To the ports that it names.
    Written,
    /// All to the gateway.
    Gateway,
    /// Each to the service that serves its path.
    Services,
}

const STORE: Script = Script {
    system: "store",
    text: include_str!("../fixtures/store-acceptance.http"),
    commands: 48,
    gateway: 8088,
    services: &[
        ("order", 8081, &["orders", "orderStatuses"]),
        ("delivery", 8082, &["deliveries"]),
        ("product", 8083, &["products", "productPages"]),
        ("payment", 8084, &["payments"]),
        ("alarm", 8085, &["messages"]),
    ],
};

#[test]
fn the_store_does_what_its_acceptance_script_says() {
    STORE.through_our_client();
}

#[test]
fn the_store_does_what_its_acceptance_script_says_through_httpie() {
    STORE.through_httpie();
}

impl Script {
    /// As it is written, through the gateway alone, and through the services alone.
    pub(crate) fn through_our_client(&self) {
        for by in [By::Written, By::Gateway, By::Services] {
            self.run(by, &|address, line| Client::new(address).http(line));
        }
    }

    /// As it is written. Where there is no `HTTPie`, that is said and nothing is run; in CI it is an error.
    pub(crate) fn through_httpie(&self) {
        if !httpie(&["--version"]).is_some_and(|(_, succeeded)| succeeded) {
            assert!(env::var_os("CI").is_none(), "HTTPie is not on the PATH, and CI is set");
            // not eprintln: the test runner would keep the line to itself
            writeln!(std::io::stderr(), "skipped: the {} script through HTTPie: no `http` on the PATH", self.system)
                .unwrap();
            return;
        }
        self.run(By::Written, &|address, line| {
            let url = url(line);
            let (_, path) = url.split_once('/').unwrap_or_default();
            let real = format!("{address}/{path}");
            let words = words(line).into_iter().map(|word| if word == url { real.clone() } else { word });
            let mut arguments: Vec<String> =
                ["--ignore-stdin", "--print=hb", "--pretty=none"].map(str::to_owned).into();
            arguments.extend(words.skip(1));
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let (output, _) = httpie(&arguments).expect("it could be run before");
            answer(&output)
        });
    }

    #[track_caller]
    fn run(&self, by: By, send: &dyn Fn(&str, &str) -> Response) {
        let server = Setup::default().system(self.system).flag("--service-ports=free").start();
        let commands =
            script::run(self.text, &server, self.system, &|line| send(&self.address(by, line, &server), line));
        assert_eq!(commands, self.commands, "{} {by:?}", self.system);
    }

    /// Where a command goes.
    fn address(&self, by: By, line: &str, server: &Server) -> String {
        let url = url(line);
        let (port, path) = url.trim_start_matches(':').split_once('/').unwrap_or_else(|| panic!("no URL: {line}"));
        let port: u16 = port.parse().unwrap_or_else(|_| panic!("no port: {line}"));
        let collection = path.split(['/', '?']).next().unwrap_or_default();
        let is_theirs = |collections: &[&str]| collections.iter().any(|name| name.eq_ignore_ascii_case(collection));
        let found = match by {
            By::Gateway => None,
            By::Written if port == self.gateway => None,
            By::Written => self.services.iter().find(|(_, of, _)| *of == port),
            By::Services => self.services.iter().find(|(.., collections)| is_theirs(collections)),
        };
        assert!(
            found.is_some() || matches!(by, By::Gateway) || port == self.gateway,
            "nobody serves {line} of {}",
            self.system
        );
        match found {
            Some((service, ..)) => server.service_address(&format!("{}/{service}", self.system)).to_owned(),
            None => server.listen().to_owned(),
        }
    }
}

/// The URL of a command line, as `:8088/orders`.
fn url(line: &str) -> String {
    let is_url = |word: &String| word.starts_with(':') && word[1..].starts_with(|c: char| c.is_ascii_digit());
    words(line).into_iter().find(is_url).unwrap_or_else(|| panic!("no URL: {line}"))
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
