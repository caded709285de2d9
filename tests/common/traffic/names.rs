//! The numbers that a system gives are drawn anew in each run, also by what was refused; names are not.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::common::Response;

/// What the traffic calls the things that it made or found.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeMap<&'static str, String>);

impl Names {
    /// The line with names replaced by what they stand for; `None` when one stands for nothing yet.
    pub(crate) fn fill(&self, line: &str) -> Option<String> {
        let mut filled = String::new();
        let mut rest = line;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}')?;
            filled.push_str(before);
            filled.push_str(self.0.get(name)?);
            rest = after;
        }
        Some(filled + rest)
    }

    /// Takes the key of what was created, or of the one item that was found.
    #[track_caller]
    pub(crate) fn learn(&mut self, name: &'static str, answer: &Response) {
        let created = answer.header("location").and_then(|at| at.rsplit('/').next()).map(str::to_owned);
        let key = created.unwrap_or_else(|| {
            let body = answer.json();
            let lists: Vec<&Value> = body["_embedded"].as_object().unwrap().values().collect();
            let [Value::Array(items)] = lists.as_slice() else { panic!("no single list: {answer}") };
            assert_eq!(items.len(), 1, "not one item: {answer}");
            items[0]["_links"]["self"]["href"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
        });
        assert!(self.0.insert(name, key).is_none(), "{name} is named twice");
    }

    /// The name of the thing of this kind that has this key.
    #[track_caller]
    pub(crate) fn of(&self, kind: &str, key: &str) -> &'static str {
        let mut found = self.0.iter().filter(|(name, known)| known.as_str() == key && is_of(name, kind));
        let (name, _) = found.next().unwrap_or_else(|| panic!("the traffic names no {kind} {key}: {self:?}"));
        assert!(found.next().is_none(), "two names for {kind} {key}: {self:?}");
        name
    }
}

/// A name is `<kind>` or `<kind>-<which>`: `order-b` is of `order`.
fn is_of(name: &str, kind: &str) -> bool {
    name.split('-').next().is_some_and(|of| of == kind)
}

#[test]
fn a_name_stands_for_what_it_was_given_and_for_nothing_before() {
    let mut names = Names::default();
    assert_eq!(names.fill("GET /orders/{order-a}"), None);
    let headers = vec![("location".to_owned(), "http://host/orders/7".to_owned())];
    names.learn("order-a", &Response { status: 201, headers, body: Vec::new() });
    assert_eq!(names.fill("GET /orders/{order-a}?x={order-a}").as_deref(), Some("GET /orders/7?x=7"));
    names.learn("rent-a", &Response { status: 200, headers: Vec::new(), body: FOUND.into() });
    assert_eq!((names.of("order", "7"), names.of("rent", "7")), ("order-a", "rent-a"));
}

/// One rent.
const FOUND: &str = r#"{"_embedded":{"rents":[{"_links":{"self":{"href":"http://host/rents/7"}}}]}}"#;
