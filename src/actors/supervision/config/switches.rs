//! `[systems.<name>]`: switches that only their system understands, read late but refused with their place.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
};

use toml::{Table as Toml, Value as TomlValue};

use super::{
    error::{ConfigError, Place, Problem},
    section::Section,
    shown::ShownValue,
    value::{Table, Value},
};
use crate::actors::entity::Settings;

/// What a key ends with that names a file with the value: a secret that stands in no configuration.
const IN_FILE: &str = "_file";

/// The switches of one system as they were configured.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Switches {
    /// Where their table stands.
    place: Option<Place>,
    values: Toml,
    /// Where each key stands, by its dotted path.
    places: BTreeMap<String, Place>,
    /// Keys from the environment: what their text means depends on the switch.
    untyped: BTreeSet<String>,
    /// Keys whose value stood in a file of its own: nobody's business.
    secret: BTreeSet<String>,
}

/// What reading needs of the world.
pub(super) struct World<'a> {
    /// The text of a file.
    pub(super) file: &'a dyn Fn(&Path) -> io::Result<String>,
    /// The value of an environment variable.
    pub(super) variable: &'a dyn Fn(&str) -> Option<String>,
}

impl Switches {
    pub(super) fn of(place: Place, section: Section<'_>) -> Self {
        let mut switches = Self { place: Some(place), ..Self::default() };
        switches.values = switches.taken("", section.into_entries());
        switches
    }

    fn taken(&mut self, above: &str, table: Table) -> Toml {
        let mut taken = Toml::new();
        for (key, entry) in table {
            let path = joined(above, &key);
            self.places.insert(path.clone(), entry.place);
            let value = match entry.value {
                Value::Table(table) => TomlValue::Table(self.taken(&path, table)),
                Value::Untyped(text) => {
                    self.untyped.insert(path);
                    TomlValue::String(text)
                }
                typed @ (Value::Array(_) | Value::Text(_) | Value::Integer(_) | Value::Float(_) | Value::Bool(_)) => {
                    typed.into_toml()
                }
            };
            taken.insert(key, value);
        }
        taken
    }

    /// The settings that these switches are: defaults, then the configuration, with `<key>_file` read, then
    /// the variables that the settings name.
    pub(super) fn read<S: Settings>(self, world: &World<'_>) -> Result<S, ConfigError> {
        self.completed::<S>(world)?.understood()
    }

    /// Each switch with its origin.
    pub(super) fn shown<S: Settings>(self, world: &World<'_>) -> Result<Vec<ShownValue>, ConfigError> {
        let switches = self.completed::<S>(world)?;
        let mut shown = Vec::new();
        if let Ok(values) = Toml::try_from(switches.understood::<S>()?) {
            switches.show(S::SYSTEM, "", &values, &mut shown);
        }
        Ok(shown)
    }

    fn show(&self, system: &str, above: &str, values: &Toml, shown: &mut Vec<ShownValue>) {
        for (key, value) in values {
            let path = joined(above, key);
            if let TomlValue::Table(below) = value {
                self.show(system, &path, below, shown);
                continue;
            }
            let (key, place) = (format!("systems.{system}.{path}"), self.places.get(&path));
            shown.push(if self.secret.contains(&path) {
                ShownValue::hidden(key, place)
            } else {
                ShownValue::of(key, &value.to_string(), place)
            });
        }
    }

    /// With what stands in other files, and in the variables that the settings name.
    fn completed<S: Settings>(mut self, world: &World<'_>) -> Result<Self, ConfigError> {
        self.read_files(world)?;
        for (variable, key) in S::ENVIRONMENT {
            if let Some(text) = (world.variable)(variable) {
                self.set(key, text.trim().to_owned());
                self.places.insert((*key).to_owned(), Place::Variable((*variable).to_owned()));
                self.untyped.insert((*key).to_owned());
            }
        }
        Ok(self)
    }

    fn understood<S: Settings>(&self) -> Result<S, ConfigError> {
        // A text from the environment is tried as what it looks like, then as a text.
        let mut texts = BTreeSet::new();
        loop {
            let error = match serde_path_to_error::deserialize(TomlValue::Table(self.typed(&texts))) {
                Ok(settings) => return Ok(settings),
                Err(error) => error,
            };
            let at = error.path().to_string();
            if !self.untyped.contains(&at) || !texts.insert(at.clone()) {
                return Err(self.refused(S::SYSTEM, &at, &error.into_inner()));
            }
        }
    }

    /// The values, with those from the environment as what they look like, except for `texts`.
    fn typed(&self, texts: &BTreeSet<String>) -> Toml {
        let mut values = self.values.clone();
        for path in self.untyped.difference(texts) {
            if let Some(value) = find(&mut values, path)
                && let Some(text) = value.as_str()
            {
                *value = Value::Untyped(text.to_owned()).into_toml();
            }
        }
        values
    }

    fn read_files(&mut self, world: &World<'_>) -> Result<(), ConfigError> {
        let named: Vec<String> = self.places.keys().filter(|path| path.ends_with(IN_FILE)).cloned().collect();
        for path in named {
            let Some(file) = find(&mut self.values, &path).and_then(|value| value.as_str().map(str::to_owned)) else {
                continue; // no text: it is refused as an unknown key
            };
            let text = (world.file)(Path::new(&file))
                .map_err(|source| ConfigError::Unreadable { path: file.clone().into(), source })?;
            let key = path.trim_end_matches(IN_FILE).to_owned();
            self.set(&key, text.trim().to_owned());
            self.remove(&path);
            self.secret.insert(key.clone());
            if let Some(place) = self.places.remove(&path) {
                self.places.insert(key, place);
            }
        }
        Ok(())
    }

    fn set(&mut self, path: &str, text: String) {
        let mut table = &mut self.values;
        let mut keys = path.split('.').peekable();
        while let Some(key) = keys.next() {
            if keys.peek().is_none() {
                table.insert(key.to_owned(), TomlValue::String(text));
                return;
            }
            let below = table.entry(key).or_insert_with(|| TomlValue::Table(Toml::new()));
            match below.as_table_mut() {
                Some(below) => table = below,
                None => return, // no table where one has to be: refused by whoever reads it
            }
        }
    }

    fn remove(&mut self, path: &str) {
        match path.rsplit_once('.') {
            Some((above, key)) => {
                if let Some(table) = find(&mut self.values, above).and_then(TomlValue::as_table_mut) {
                    table.remove(key);
                }
            }
            None => drop(self.values.remove(path)),
        }
    }

    /// The nearest place that is known: of the key, or of what it stands in.
    fn refused(&self, system: &str, at: &str, error: &toml::de::Error) -> ConfigError {
        let message = error.message().trim().to_owned();
        // serde names an unknown key, but stands at the table around it
        let unknown = message.split('`').nth(1).map(|key| joined(if at == "." { "" } else { at }, key));
        let known = |path: &str| self.places.get(path).map(|place| (path.to_owned(), place.clone()));
        let mut above = Some(at);
        let around = std::iter::from_fn(|| {
            let path = above?;
            above = path.rsplit_once('.').map(|(above, _)| above);
            Some(path)
        });
        let found = unknown.as_deref().and_then(known).or_else(|| around.into_iter().find_map(known));
        let (key, place) = found.unwrap_or_else(|| (String::new(), self.anywhere(system)));
        ConfigError::refused(
            place,
            Problem::Switch { key: joined(&format!("systems.{system}"), &key), reason: message },
        )
    }

    /// That no system of this name reads any; those of `known` do.
    pub(super) fn of_nobody(&self, system: &str, known: &[&'static str]) -> ConfigError {
        let place = self.place.clone().unwrap_or_else(|| self.anywhere(system));
        ConfigError::refused(place, Problem::UnknownSystem { key: format!("systems.{system}"), known: known.to_vec() })
    }

    fn anywhere(&self, system: &str) -> Place {
        let first = self.places.values().next().cloned();
        first.unwrap_or_else(|| Place::Variable(format!("STEADFAST__SYSTEMS__{}", system.to_uppercase())))
    }
}

fn joined(above: &str, key: &str) -> String {
    match (above, key) {
        ("", key) => key.to_owned(),
        (above, "") => above.to_owned(),
        (above, key) => format!("{above}.{key}"),
    }
}

fn find<'a>(table: &'a mut Toml, path: &str) -> Option<&'a mut TomlValue> {
    match path.split_once('.') {
        Some((first, rest)) => find(table.get_mut(first)?.as_table_mut()?, rest),
        None => table.get_mut(path),
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::{super::SupervisionConfig, Path, World, io};
    use crate::actors::entity::Settings;

    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Inn {
        exclusive: bool,
        name: String,
        alarm: Alarm,
    }

    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Alarm {
        prefix: String,
    }

    impl Settings for Inn {
        const SYSTEM: &'static str = "inn";
        const ENVIRONMENT: &'static [(&'static str, &'static str)] = &[("inn_nm", "name")];
    }

    fn read(text: &str, variables: &[(&str, &str)]) -> Result<Inn, String> {
        let given = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let config =
            SupervisionConfig::parse_with(text, "supervision.toml", given).map_err(|error| error.to_string())?;
        let variable = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        config.settings::<Inn>(variable).map_err(|error| error.to_string())
    }

    #[test]
    fn every_layer_of_switches_wins_over_the_one_before() {
        assert_eq!(read("", &[]), Ok(Inn::default()));
        let file = "[systems.inn]\nexclusive = true\nname = \"file\"\nalarm.prefix = \"Hello\"";
        let from_file = Inn { exclusive: true, name: "file".into(), alarm: Alarm { prefix: "Hello".into() } };
        assert_eq!(read(file, &[]), Ok(from_file.clone()));
        let variables =
            [("STEADFAST__SYSTEMS__INN__ALARM__PREFIX", "007"), ("STEADFAST__SYSTEMS__INN__EXCLUSIVE", "false")];
        let laid_over = Inn { exclusive: false, alarm: Alarm { prefix: "007".into() }, ..from_file };
        assert_eq!(read(file, &variables), Ok(laid_over.clone()));
        let with_old_name = [variables.as_slice(), &[("inn_nm", " 12 ")]].concat();
        assert_eq!(read(file, &with_old_name), Ok(Inn { name: "12".into(), ..laid_over }));
    }

    #[test]
    fn a_value_may_stand_in_a_file_of_its_own() {
        let config = SupervisionConfig::parse("[systems.inn]\nname_file = \"/run/name\"", "supervision.toml").unwrap();
        let switches = config.systems["inn"].clone();
        let read = |file: &dyn Fn(&Path) -> io::Result<String>| {
            switches.clone().read::<Inn>(&World { file, variable: &|_| None }).map_err(|error| error.to_string())
        };
        let secret = |path: &Path| {
            assert_eq!(path, Path::new("/run/name"));
            Ok("SK Imme \r\n".to_owned())
        };
        assert_eq!(read(&secret).unwrap().name, "SK Imme");
        let world = World { file: &secret, variable: &|_| None };
        let shown = switches.clone().shown::<Inn>(&world).unwrap();
        let shown: Vec<_> = shown.iter().map(|it| (it.key.as_str(), it.value.as_str(), it.origin.as_str())).collect();
        assert!(shown.contains(&("systems.inn.name", "\"***\"", "supervision.toml:2")), "{shown:?}");
        assert!(shown.contains(&("systems.inn.alarm.prefix", "\"\"", "default")), "{shown:?}");
        assert_eq!(read(&|_| Err(io::ErrorKind::NotFound.into())), Err("cannot read /run/name".to_owned()));
    }

    #[test]
    fn a_wrong_switch_is_refused_where_it_stands() {
        let refused = |text: &str| read(text, &[]).unwrap_err();
        let unknown = refused("\n[systems.inn]\nexclusiv = true");
        assert!(unknown.starts_with("supervision.toml:3:1: `systems.inn.exclusiv`: unknown field"), "{unknown}");
        let wrong = refused("[systems.inn.alarm]\nprefix = 3");
        assert!(wrong.starts_with("supervision.toml:2:1: `systems.inn.alarm.prefix`: invalid type"), "{wrong}");
        let variable = read("", &[("STEADFAST__SYSTEMS__INN__EXCLUSIVE", "maybe")]).unwrap_err();
        assert!(variable.starts_with("STEADFAST__SYSTEMS__INN__EXCLUSIVE: `systems.inn.exclusive`"), "{variable}");
    }
}
