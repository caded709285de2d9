//! Takes the values of one section by key; what nobody took is an unknown key.

use std::{cell::RefCell, collections::BTreeSet, net::SocketAddr, ops::RangeInclusive, path::PathBuf, time::Duration};

use super::super::strategy::Strategy;

use super::{
    addresses::AddressRange,
    error::{ConfigError, Place, Problem},
    server::ServicePorts,
    shown::discreet,
    units::{self, ByteCount},
    value::{Entry, Table, Value},
};

/// The keys that were asked for, so that a test can compare them with the shipped file.
pub(super) type Asked = RefCell<BTreeSet<String>>;

pub(super) struct Section<'a> {
    path: String,
    entries: Table,
    known: Vec<&'static str>,
    asked: &'a Asked,
}

/// A value and where it stands; the default stands nowhere.
#[derive(Debug, Clone)]
pub(super) struct Placed<T> {
    pub(super) key: String,
    pub(super) value: T,
    pub(super) place: Option<Place>,
}

/// How a key's value is read.
pub(super) trait Read: Sized {
    const EXPECTED: &'static str;
    fn read(value: &Value) -> Option<Self>;
}

impl<'a> Section<'a> {
    pub(super) fn root(entries: Table, asked: &'a Asked) -> Self {
        Self { path: String::new(), entries, known: vec![], asked }
    }

    pub(super) fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn take(&mut self, key: &'static str) -> Option<Entry> {
        self.known.push(key);
        self.asked.borrow_mut().insert(self.key(key));
        self.entries.remove(key)
    }

    pub(super) fn optional<T: Read>(&mut self, key: &'static str) -> Result<Option<Placed<T>>, ConfigError> {
        let Some(Entry { place, value }) = self.take(key) else { return Ok(None) };
        let key = self.key(key);
        match T::read(&value) {
            Some(value) => Ok(Some(Placed { key, value, place: Some(place) })),
            None => Err(unreadable(place, key, &value, T::EXPECTED)),
        }
    }

    pub(super) fn or<T: Read>(&mut self, key: &'static str, default: T) -> Result<Placed<T>, ConfigError> {
        let full = self.key(key);
        Ok(self.optional(key)?.unwrap_or(Placed { key: full, value: default, place: None }))
    }

    /// A value of the section, or the default, within bounds.
    pub(super) fn bounded<T: Read + Show + PartialOrd>(
        &mut self,
        key: &'static str,
        default: T,
        bounds: RangeInclusive<T>,
    ) -> Result<Placed<T>, ConfigError> {
        let placed = self.or(key, default)?;
        match placed.place {
            Some(place) if !bounds.contains(&placed.value) => {
                let problem = Problem::OutOfBounds {
                    key: placed.key,
                    value: placed.value.show(),
                    least: bounds.start().show(),
                    most: bounds.end().show(),
                };
                Err(ConfigError::refused(place, problem))
            }
            _ => Ok(placed),
        }
    }

    /// A value of the section within bounds, if it is there.
    pub(super) fn optionally_bounded<T: Read + Show + PartialOrd + Clone>(
        &mut self,
        key: &'static str,
        bounds: RangeInclusive<T>,
    ) -> Result<Option<T>, ConfigError> {
        if !self.entries.contains_key(key) {
            self.known.push(key);
            self.asked.borrow_mut().insert(self.key(key));
            return Ok(None);
        }
        let least = bounds.start().clone();
        self.bounded(key, least, bounds).map(|placed| Some(placed.value))
    }

    /// The section `key`, empty when it is absent.
    pub(super) fn section(&mut self, key: &'static str) -> Result<Self, ConfigError> {
        let path = self.key(key);
        let entry = self.take(key);
        self.enter(path, entry)
    }

    /// The elements of the list of tables `key`.
    pub(super) fn sections(&mut self, key: &'static str) -> Result<Vec<(Place, Self)>, ConfigError> {
        let path = self.key(key);
        match self.take(key) {
            None => Ok(vec![]),
            Some(Entry { value: Value::Array(elements), .. }) => elements
                .into_iter()
                .map(|element| Ok((element.place.clone(), self.enter(path.clone(), Some(element))?)))
                .collect(),
            Some(Entry { place, value }) => Err(unreadable(place, path, &value, "a list of tables")),
        }
    }

    /// The tables in it that nobody took by key: those whose keys are names.
    pub(super) fn named(&mut self) -> Result<Vec<(String, Place, Self)>, ConfigError> {
        let is_table = |_: &String, entry: &mut Entry| matches!(entry.value, Value::Table(_));
        let tables: Vec<_> = self.entries.extract_if(.., is_table).collect();
        tables
            .into_iter()
            .map(|(name, entry)| {
                let (path, place) = (self.key(&name), entry.place.clone());
                Ok((name.to_ascii_lowercase(), place, self.enter(path, Some(entry))?))
            })
            .collect()
    }

    fn enter(&self, path: String, entry: Option<Entry>) -> Result<Self, ConfigError> {
        let entries = match entry {
            None => Table::new(),
            Some(Entry { value: Value::Table(entries), .. }) => entries,
            Some(Entry { place, value }) => return Err(unreadable(place, path, &value, "a table")),
        };
        Ok(Self { path, entries, known: vec![], asked: self.asked })
    }

    /// Everything in it, for a reader who knows more.
    pub(super) fn into_entries(self) -> Table {
        self.entries
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Refuses what is left.
    pub(super) fn finish(self) -> Result<(), ConfigError> {
        let Some((key, entry)) = self.entries.first_key_value() else { return Ok(()) };
        let near = self.known.iter().map(|known| (distance(known, key), *known)).min();
        let suggestion = near.filter(|(distance, _)| *distance <= 2).map(|(_, known)| known.to_owned());
        let problem = Problem::UnknownKey { key: self.key(key), suggestion };
        Err(ConfigError::refused(entry.place.clone(), problem))
    }
}

impl<T: Show + PartialOrd> Placed<T> {
    /// Refuses when this is more than `limit`; stands where the one of the two stands that was set.
    pub(super) fn at_most(&self, limit: &Self) -> Result<(), ConfigError> {
        match self.place.as_ref().or(limit.place.as_ref()) {
            Some(place) if self.value > limit.value => {
                let problem = Problem::MoreThan {
                    key: self.key.clone(),
                    value: self.value.show(),
                    limit_key: limit.key.clone(),
                    limit: limit.value.show(),
                };
                Err(ConfigError::refused(place.clone(), problem))
            }
            _ => Ok(()),
        }
    }
}

fn unreadable(place: Place, key: String, value: &Value, expected: &str) -> ConfigError {
    let value = discreet(&key, &value.describe());
    let problem = Problem::Unreadable { key, value, expected: expected.to_owned() };
    ConfigError::refused(place, problem)
}

/// The number of letters to insert, remove or replace to make one of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((b, kept), (removed, inserted_before)) in other.iter().zip(&row).zip(row.iter().skip(1).zip(0..)) {
            let left = next.get(inserted_before).copied().unwrap_or(usize::MAX);
            next.push((kept + usize::from(a != *b)).min(removed + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

/// A value as a person would write it in the file.
pub(super) trait Show {
    fn show(&self) -> String;
}

impl Show for u32 {
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Show for f64 {
    fn show(&self) -> String {
        format!("{self:?}")
    }
}

impl Show for Duration {
    fn show(&self) -> String {
        format!("{self:?}")
    }
}

impl Show for ByteCount {
    fn show(&self) -> String {
        self.to_string()
    }
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) | Value::Untyped(text) => Some(text),
        Value::Table(_) | Value::Array(_) | Value::Integer(_) | Value::Float(_) | Value::Bool(_) => None,
    }
}

impl Read for String {
    const EXPECTED: &'static str = "a text";
    fn read(value: &Value) -> Option<Self> {
        text(value).map(str::to_owned)
    }
}

impl Read for ServicePorts {
    const EXPECTED: &'static str = "\"off\", \"fixed\" or \"free\"";
    fn read(value: &Value) -> Option<Self> {
        match text(value)? {
            "off" => Some(Self::Off),
            "fixed" => Some(Self::Fixed),
            "free" => Some(Self::Free),
            _ => None,
        }
    }
}

impl Read for PathBuf {
    const EXPECTED: &'static str = "a path";
    fn read(value: &Value) -> Option<Self> {
        text(value).filter(|path| !path.is_empty()).map(Self::from)
    }
}

impl Read for SocketAddr {
    const EXPECTED: &'static str = "an address and a port, as \"127.0.0.1:8088\"";
    fn read(value: &Value) -> Option<Self> {
        text(value)?.parse().ok()
    }
}

impl Read for Duration {
    const EXPECTED: &'static str = "a duration with its unit, as \"250ms\", \"2s\", \"5m\", \"1h\" or \"90d\"";
    fn read(value: &Value) -> Option<Self> {
        units::duration(text(value)?)
    }
}

impl Read for ByteCount {
    const EXPECTED: &'static str = "a size with its unit, as \"512 B\", \"64 KiB\", \"1 MiB\" or \"2 GiB\"";
    fn read(value: &Value) -> Option<Self> {
        units::byte_count(text(value)?)
    }
}

impl Read for bool {
    const EXPECTED: &'static str = "true or false";
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(truth) => Some(*truth),
            Value::Untyped(text) => text.parse().ok(),
            Value::Table(_) | Value::Array(_) | Value::Text(_) | Value::Integer(_) | Value::Float(_) => None,
        }
    }
}

impl Read for u32 {
    const EXPECTED: &'static str = "a whole number from 0";
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(number) => Self::try_from(*number).ok(),
            Value::Untyped(text) => text.parse().ok(),
            Value::Table(_) | Value::Array(_) | Value::Text(_) | Value::Bool(_) | Value::Float(_) => None,
        }
    }
}

impl Read for f64 {
    const EXPECTED: &'static str = "a number, as 0.2";
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Float(number) => Some(*number),
            Value::Integer(number) => i32::try_from(*number).ok().map(Self::from),
            Value::Untyped(text) => text.parse().ok(),
            Value::Table(_) | Value::Array(_) | Value::Text(_) | Value::Bool(_) => None,
        }
    }
}

impl Read for Vec<String> {
    const EXPECTED: &'static str = "a list of texts";
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Array(entries) => entries.iter().map(|entry| String::read(&entry.value)).collect(),
            Value::Untyped(text) => Some(text.split(',').map(|part| part.trim().to_owned()).collect()),
            Value::Table(_) | Value::Text(_) | Value::Integer(_) | Value::Float(_) | Value::Bool(_) => None,
        }
    }
}

impl Read for Vec<AddressRange> {
    const EXPECTED: &'static str = "a list of addresses and ranges, as \"10.0.0.0/8\"";
    fn read(value: &Value) -> Option<Self> {
        Vec::<String>::read(value)?.iter().filter(|text| !text.is_empty()).map(|text| text.parse().ok()).collect()
    }
}

impl Read for Strategy {
    const EXPECTED: &'static str = "\"one_for_one\", \"one_for_all\" or \"rest_for_one\"";
    fn read(value: &Value) -> Option<Self> {
        match text(value)? {
            "one_for_one" => Some(Self::OneForOne),
            "one_for_all" => Some(Self::OneForAll),
            "rest_for_one" => Some(Self::RestForOne),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn the_distance_counts_the_letters_that_differ() {
        for (one, other, letters) in [
            ("", "", 0),
            ("abc", "abc", 0),
            ("at_most", "atmost", 1),
            ("listen", "lisetn", 2),
            ("", "ab", 2),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(one, other), letters, "{one} {other}");
        }
    }
}
