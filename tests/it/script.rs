//! Scripts of commands and expectations, as tests/fixtures/store-acceptance.http explains them.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use crate::common::{Response, SOON, Server, until};

/// A step, and the line it stands in.
#[derive(Debug)]
struct Step<'a> {
    line: usize,
    action: Action<'a>,
}

#[derive(Debug)]
enum Action<'a> {
    Send { command: &'a str, expected: Expected<'a> },
    Switch { verb: &'a str, service: &'a str },
    Quiet,
}

#[derive(Debug)]
struct Expected<'a> {
    eventually: bool,
    status: u16,
    body: Option<Value>,
    name: Option<&'a str>,
}

/// Runs a script of `system`; `send` sends one command line. Returns how many commands it sent as they stand in the script.
pub(crate) fn run(script: &str, server: &Server, system: &str, send: &dyn Fn(&str) -> Response) -> usize {
    let mut names = BTreeMap::new();
    let steps = steps(script);
    for step in &steps {
        match &step.action {
            Action::Send { command, expected } => {
                let command = names.iter().fold((*command).to_owned(), |command, (name, number): (&&str, &u64)| {
                    command.replace(&format!("{{{name}}}"), &number.to_string())
                });
                let limit = if expected.eventually { SOON } else { Duration::ZERO };
                let answer = until(limit, || expected.check(send(&command)));
                let answer = answer.unwrap_or_else(|why| panic!("line {}: {command}: {why}", step.line));
                if let Some(name) = expected.name {
                    names.insert(name, answer.created());
                }
            }
            Action::Switch { verb, service } => {
                server.admin().post(&format!("/admin/services/{system}/{service}/{verb}")).is(200);
            }
            Action::Quiet => _ = server.admin().get("/admin/quiesce?within=60s").is(200),
        }
    }
    steps.iter().filter(|step| matches!(step.action, Action::Send { .. })).count()
}

fn steps(script: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    let mut lines = (1..).zip(script.lines()).filter(|(_, text)| !text.is_empty() && !text.starts_with("##"));
    while let Some((line, text)) = lines.next() {
        let action = if text.starts_with("http ") {
            let expected = lines.next().and_then(|(_, next)| next.strip_prefix("> "));
            let expected = expected.unwrap_or_else(|| panic!("line {line}: nothing is expected of {text}"));
            Action::Send { command: text, expected: Expected::of(expected) }
        } else {
            match text.split(' ').collect::<Vec<_>>().as_slice() {
                ["#", "quiet"] => Action::Quiet,
                ["#", verb @ ("stop" | "start"), service] => Action::Switch { verb, service },
                _ => panic!("line {line}: neither command nor operation: {text}"),
            }
        };
        steps.push(Step { line, action });
    }
    steps
}

impl<'a> Expected<'a> {
    fn of(text: &'a str) -> Self {
        let (text, eventually) = text.strip_prefix("eventually ").map_or((text, false), |rest| (rest, true));
        let (text, name) = text.rsplit_once(" as ").map_or((text, None), |(rest, name)| (rest, Some(name)));
        let (status, body) = text.split_once(' ').map_or((text, None), |(status, body)| (status, Some(body)));
        Self {
            eventually,
            status: status.parse().expect("a status"),
            body: body.map(|body| serde_json::from_str(body).expect("JSON")),
            name,
        }
    }

    fn check(&self, answer: Response) -> Result<Response, String> {
        let right = answer.status == self.status
            && self.body.as_ref().is_none_or(|body| {
                has(&serde_json::from_slice(&answer.body).unwrap_or_else(|_| answer.text().into()), body)
            });
        if right { Ok(answer) } else { Err(format!("expected {self:?}, got {answer}")) }
    }
}

/// Whether `given` has everything that `expected` names: objects at least these members, arrays exactly these
/// elements in any order, anything else as it is.
pub(crate) fn has(given: &Value, expected: &Value) -> bool {
    match (given, expected) {
        (Value::Object(given), Value::Object(expected)) => {
            expected.iter().all(|(name, value)| given.get(name).is_some_and(|given| has(given, value)))
        }
        (Value::Array(given), Value::Array(expected)) => {
            let mut left: Vec<&Value> = given.iter().collect();
            given.len() == expected.len()
                && expected.iter().all(|value| {
                    let found = left.iter().position(|given| has(given, value));
                    found.is_some_and(|at| has(left.swap_remove(at), value))
                })
        }
        (given, expected) => given == expected,
    }
}

mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_expectation_that_is_not_met_is_noticed() {
        let answer = |status, body: Value| Response { status, headers: Vec::new(), body: body.to_string().into() };
        let rows =
            |values: &[u64]| json!({"rows": values.iter().map(|id| json!({"id": id, "x": 1})).collect::<Vec<_>>()});
        let expected = Expected::of(r#"200 {"rows": [{"id": 1}, {"id": 2}]}"#);
        assert!(expected.check(answer(200, rows(&[2, 1]))).is_ok());
        for wrong in [
            answer(201, rows(&[1, 2])),
            answer(200, rows(&[1, 1])),
            answer(200, rows(&[1, 2, 2])),
            answer(200, json!({})),
        ] {
            assert!(expected.check(wrong).is_err());
        }
        let named = Expected::of("eventually 404 as 2");
        assert!(named.eventually && named.name == Some("2") && named.body.is_none());
    }
}
