//! Everything that a system shows, in words that do not depend on the numbers of one run.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Collection, Key, System, names::Names};
use crate::common::Client;

/// What is there in the end, by what it is: each collection, and how often each event happened.
#[derive(Debug)]
pub(crate) struct Ledger(pub(crate) BTreeMap<String, Vec<String>>);

impl Ledger {
    pub(crate) fn read(system: &System<'_>, client: &Client, admin: &Client, names: &Names) -> Self {
        let mut ledger = BTreeMap::new();
        for collection in system.collections {
            let target = format!("/{}?size=1000", collection.name);
            let list = client.get(&target).is(200);
            assert_eq!(list.header("x-view-lag"), None, "{target} lags after everything came to rest");
            let items = list.json()["_embedded"][collection.name].as_array().unwrap().clone();
            let mut items: Vec<String> = items.into_iter().map(|item| collection.in_words(item, names)).collect();
            assert!(!items.is_empty(), "the traffic leaves nothing in /{}: nothing would be compared", collection.name);
            items.sort(); // in the order of numbers, which differ
            ledger.insert(format!("/{}", collection.name), items);
        }
        ledger.insert("events".to_owned(), events(admin));
        for list in ["dead-letters", "quarantine"] {
            let found = admin.get(&format!("/admin/{list}"));
            if found.status == 200 {
                let found = found.json().as_array().unwrap().iter().map(Value::to_string).collect();
                ledger.insert(list.to_owned(), found);
            }
        }
        Self(ledger)
    }
}

/// How often each event happened: one that happens twice changes no item that another one repairs.
fn events(admin: &Client) -> Vec<String> {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    let page = admin.json("/admin/events?limit=1000");
    let page = page.as_array().unwrap();
    assert!(page.len() < 1000, "more events than a page has");
    for event in page {
        *counts.entry(event["eventType"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    counts.into_iter().map(|(name, count)| format!("{name}: {count}")).collect()
}

impl Collection {
    fn in_words(&self, item: Value, names: &Names) -> String {
        let Value::Object(mut fields) = item else { panic!("no item: {item}") };
        fields.remove("_links"); // addresses of this run
        for (field, _) in self.ignored {
            assert!(fields.remove(*field).is_some(), "/{} has no {field}", self.name);
        }
        match self.key {
            Key::Named(field, kind) => named(&mut fields, field, kind, names),
            Key::Natural => {}
            Key::Drawn(field) => assert!(fields.remove(field).is_some(), "/{} has no {field}", self.name),
        }
        for (field, kind) in self.references {
            named(&mut fields, field, kind, names);
        }
        Value::Object(fields).to_string()
    }
}

/// Replaces a key by what it names; a null names nothing.
#[track_caller]
fn named(fields: &mut Map<String, Value>, field: &str, kind: &str, names: &Names) {
    let value = fields.get(field).unwrap_or_else(|| panic!("no {field}: {fields:?}"));
    if value.is_null() {
        return;
    }
    let key = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    fields.insert(field.to_owned(), names.of(kind, &key).into());
}
