//! A configuration before it is understood: values, each with its place. File first, environment on top.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Place, Problem};

/// What the names of environment variables begin with.
const PREFIX: &str = "STEADFAST__";

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) place: Place,
    pub(super) value: Value,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    Table(Table),
    Array(Vec<Entry>),
    Text(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    /// From the environment: what it is depends on the key.
    Untyped(String),
}

pub(super) type Table = BTreeMap<String, Entry>;

impl Value {
    /// The value in the words of an error.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Table(_) => "a table".into(),
            Self::Array(_) => "a list".into(),
            Self::Text(text) | Self::Untyped(text) => format!("\"{text}\""),
            Self::Integer(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            Self::Bool(truth) => truth.to_string(),
        }
    }

    pub(super) fn into_toml(self) -> toml::Value {
        match self {
            Self::Table(table) => {
                toml::Value::Table(table.into_iter().map(|(key, entry)| (key, entry.value.into_toml())).collect())
            }
            Self::Array(entries) => toml::Value::Array(entries.into_iter().map(|e| e.value.into_toml()).collect()),
            Self::Text(text) => toml::Value::String(text),
            Self::Integer(number) => toml::Value::Integer(number),
            Self::Float(number) => toml::Value::Float(number),
            Self::Bool(truth) => toml::Value::Boolean(truth),
            Self::Untyped(text) => match (text.parse(), text.parse()) {
                (Ok(truth), _) => toml::Value::Boolean(truth),
                (_, Ok(number)) => toml::Value::Integer(number),
                _ => toml::Value::String(text),
            },
        }
    }
}

/// Reads a file's text.
pub(super) fn from_text(text: &str, file: &str) -> Result<Table, ConfigError> {
    let source = Source { text, file };
    match DeTable::parse(text) {
        Ok(table) => source.table(table.into_inner()),
        Err(error) => {
            let problem = Problem::Syntax(error.message().to_owned());
            Err(ConfigError::refused(source.place(error.span().map_or(0, |span| span.start)), problem))
        }
    }
}

struct Source<'a> {
    text: &'a str,
    file: &'a str,
}

impl Source<'_> {
    fn place(&self, offset: usize) -> Place {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Place::File {
            name: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).map_or(0, |line| line.chars().count()) + 1,
        }
    }

    fn table(&self, table: DeTable<'_>) -> Result<Table, ConfigError> {
        table
            .into_iter()
            .map(|(key, value)| {
                let place = self.place(key.span().start);
                let value = self.value(key.get_ref(), value.into_inner(), &place)?;
                Ok((key.into_inner().into_owned(), Entry { place, value }))
            })
            .collect()
    }

    fn value(&self, key: &str, value: DeValue<'_>, place: &Place) -> Result<Value, ConfigError> {
        let unreadable = |value: String, expected: &str| {
            ConfigError::refused(
                place.clone(),
                Problem::Unreadable { key: key.to_owned(), value, expected: expected.to_owned() },
            )
        };
        Ok(match value {
            DeValue::String(text) => Value::Text(text.into_owned()),
            DeValue::Boolean(truth) => Value::Bool(truth),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Value::Integer(number),
                Err(_) => return Err(unreadable(number.as_str().to_owned(), "a number of 64 bits")),
            },
            DeValue::Float(number) => match number.as_str().parse() {
                Ok(number) => Value::Float(number),
                Err(_) => return Err(unreadable(number.as_str().to_owned(), "a number")),
            },
            DeValue::Datetime(moment) => return Err(unreadable(moment.to_string(), "no date or time")),
            DeValue::Table(table) => Value::Table(self.table(table)?),
            DeValue::Array(entries) => {
                let entry = |entry: toml::Spanned<DeValue<'_>>| {
                    let place = self.place(entry.span().start);
                    let value = self.value(key, entry.into_inner(), &place)?;
                    Ok(Entry { place, value })
                };
                Value::Array(entries.into_iter().map(entry).collect::<Result<_, _>>()?)
            }
        })
    }
}

/// Lays the variables named `STEADFAST__SECTION__KEY` over `root`; others are none of ours. Elements of
/// `[[supervisor]]` are addressed by name: `STEADFAST__SUPERVISOR__EDGE__AT_MOST`.
pub(super) fn overlay(
    root: &mut Table,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<(), ConfigError> {
    for (variable, text) in variables {
        let Some(name) = variable.strip_prefix(PREFIX) else { continue };
        let name = name.to_ascii_lowercase();
        let place = Place::Variable(variable);
        let mut path: Vec<&str> = name.split("__").collect();
        if path.contains(&"") {
            return Err(ConfigError::refused(place, Problem::EmptyName));
        }
        let Some(key) = path.pop() else { continue };
        let table = match path.as_slice() {
            ["supervisor", name, rest @ ..] => descend(supervisor(root, name, &place), rest, &place),
            sections => descend(root, sections, &place),
        };
        table.insert(key.to_owned(), Entry { place, value: Value::Untyped(text) });
    }
    Ok(())
}

/// A flag of the command line that says what a key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagValue {
    /// As it is written: `--data`.
    pub flag: &'static str,
    /// The key with its section: `storage.data`.
    pub key: &'static str,
    /// The value as text.
    pub value: String,
}

/// Lays flags over `root`.
pub(super) fn overlay_flags(root: &mut Table, flags: impl IntoIterator<Item = FlagValue>) {
    for FlagValue { flag, key, value } in flags {
        let place = Place::Flag(flag);
        let (sections, key) = key.rsplit_once('.').unwrap_or(("", key));
        let path: Vec<&str> = sections.split('.').filter(|section| !section.is_empty()).collect();
        let table = descend(root, &path, &place);
        table.insert(key.to_owned(), Entry { place, value: Value::Untyped(value) });
    }
}

fn descend<'t>(table: &'t mut Table, path: &[&str], place: &Place) -> &'t mut Table {
    path.iter().fold(table, |table, name| {
        let new = || Entry { place: place.clone(), value: Value::Table(Table::new()) };
        as_table(table.entry((*name).to_owned()).or_insert_with(new), place)
    })
}

/// What is not a table becomes one: the later layer wins.
fn as_table<'t>(entry: &'t mut Entry, place: &Place) -> &'t mut Table {
    if !matches!(entry.value, Value::Table(_)) {
        *entry = Entry { place: place.clone(), value: Value::Table(Table::new()) };
    }
    let Value::Table(table) = &mut entry.value else { unreachable!("it was made a table just now") };
    table
}

fn supervisor<'t>(root: &'t mut Table, name: &str, place: &Place) -> &'t mut Table {
    let text = |value: Value| Entry { place: place.clone(), value };
    let all = root.entry("supervisor".to_owned()).or_insert_with(|| text(Value::Array(vec![])));
    if !matches!(all.value, Value::Array(_)) {
        all.value = Value::Array(vec![]);
    }
    let Value::Array(elements) = &mut all.value else { unreachable!("it was made a list just now") };
    let is_text = |entry: &Entry| matches!(&entry.value, Value::Text(text) if text == name);
    let named = |entry: &Entry| matches!(&entry.value, Value::Table(table) if table.get("name").is_some_and(is_text));
    let index = elements.iter().position(named).unwrap_or(elements.len());
    if index == elements.len() {
        let named = Table::from([("name".to_owned(), text(Value::Text(name.to_owned())))]);
        elements.push(text(Value::Table(named)));
    }
    let element = elements.get_mut(index).expect("it was found, or pushed just now");
    as_table(element, place)
}
