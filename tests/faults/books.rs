//! Everything that the shop shows: its events and its collections.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::shop::Shop;

pub(crate) const COLLECTIONS: [&str; 7] =
    ["orders", "deliveries", "products", "payments", "messages", "orderStatuses", "productPages"];

/// A business event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    /// Storage unit, partition, position: its id.
    pub(crate) at: (String, u64, u64),
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) number: u64,
    pub(crate) sequence: u64,
    pub(crate) fields: Value,
}

impl Event {
    fn of(fields: Value) -> Self {
        let text = |name: &str| fields[name].as_str().unwrap_or_else(|| panic!("no {name}: {fields}")).to_owned();
        let number = |name: &str| fields[name].as_u64().unwrap_or_else(|| panic!("no {name}: {fields}"));
        let at = (text("unit"), number("partition"), number("position"));
        assert_eq!(text("eventId"), format!("{}:{}:{}", at.0, at.1, at.2));
        assert_eq!(number("number"), number("id"));
        Self {
            at,
            name: text("eventType"),
            kind: text("kind"),
            number: number("number"),
            sequence: number("sequence"),
            fields,
        }
    }

    pub(crate) fn int(&self, name: &str) -> i64 {
        self.fields[name].as_i64().unwrap_or_else(|| panic!("no {name}: {self:?}"))
    }

    pub(crate) fn id(&self, name: &str) -> u64 {
        self.fields[name].as_u64().unwrap_or_else(|| panic!("no {name}: {self:?}"))
    }
}

/// The journal's business events, followed through crashes.
#[derive(Debug, Default)]
pub(crate) struct Events {
    pub(crate) all: Vec<Event>,
    next: Option<String>,
}

impl Events {
    /// Reads on where it stopped, perhaps in another process.
    pub(crate) fn follow(&mut self, shop: &Shop) {
        loop {
            let path = self.next.clone().unwrap_or_else(|| "/admin/events?limit=1000".to_owned());
            let answer = shop.operators(&path).is(200);
            let link = answer.header("link").unwrap();
            let next = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).unwrap().to_owned();
            let Value::Array(events) = answer.json() else { panic!("no array: {answer:?}") };
            // A page without events may have passed internal ones; one that moved nothing is the end.
            if events.is_empty() && self.next.as_ref() == Some(&next) {
                return;
            }
            self.next = Some(next);
            self.all.extend(events.into_iter().map(Event::of));
        }
    }

    /// Events that were read otherwise than from a process.
    pub(crate) fn of(all: Vec<Value>) -> Self {
        Self { all: all.into_iter().map(Event::of).collect(), next: None }
    }

    /// All events, read anew.
    pub(crate) fn read(shop: &Shop) -> Self {
        let mut events = Self::default();
        events.follow(shop);
        events
    }

    pub(crate) fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Event> {
        self.all.iter().filter(move |event| event.name == name)
    }

    /// The entities with such an event, which none has twice.
    pub(crate) fn numbers(&self, name: &str) -> BTreeSet<u64> {
        let mut numbers = BTreeSet::new();
        for event in self.named(name) {
            assert!(numbers.insert(event.number), "{name} happened twice, or a number was reused: {event:?}");
        }
        numbers
    }

    /// The same events, whatever order pages gave to events of different partitions.
    pub(crate) fn by_place(&self) -> BTreeMap<&(String, u64, u64), &Event> {
        let by_place: BTreeMap<_, _> = self.all.iter().map(|event| (&event.at, event)).collect();
        assert_eq!(by_place.len(), self.all.len(), "an event was shown twice");
        by_place
    }
}

/// Every collection, as items and as bytes.
#[derive(Debug)]
pub(crate) struct Books {
    items: BTreeMap<&'static str, Vec<Value>>,
    raw: BTreeMap<&'static str, String>,
    pub(crate) letters: usize,
}

impl Books {
    /// Reads all, once everything has come to rest.
    pub(crate) fn read(shop: &Shop) -> Self {
        shop.quiesce();
        let (mut items, mut raw) = (BTreeMap::new(), BTreeMap::new());
        for collection in COLLECTIONS {
            let (some, bytes) = shop.all(collection);
            items.insert(collection, some);
            raw.insert(collection, bytes);
        }
        let letters = shop.operators("/admin/dead-letters").json().as_array().unwrap().len();
        Self { items, raw, letters }
    }

    /// Items that were read otherwise than from a process.
    pub(crate) fn of(items: BTreeMap<&'static str, Vec<Value>>, letters: usize) -> Self {
        Self { items, raw: BTreeMap::new(), letters }
    }

    pub(crate) fn items(&self, collection: &str) -> &[Value] {
        &self.items[collection]
    }

    /// The items by number, which are all different.
    pub(crate) fn by_id(&self, collection: &str) -> BTreeMap<u64, &Value> {
        let items = self.items(collection);
        let by_id: BTreeMap<_, _> = items.iter().map(|item| (item["id"].as_u64().unwrap(), item)).collect();
        assert_eq!(by_id.len(), items.len(), "{collection} shows a number twice");
        by_id
    }

    pub(crate) fn assert_same_bytes(&self, other: &Self) {
        for collection in COLLECTIONS {
            let (here, there) = (&self.raw[collection], &other.raw[collection]);
            if here != there {
                for (one, other) in self.items(collection).iter().zip(other.items(collection)) {
                    assert_eq!(one, other, "{collection} is another after it was rebuilt");
                }
                panic!("{collection} is another after it was rebuilt:\n{here}\n{there}");
            }
        }
    }
}
