use std::{any::Any, fmt, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};

/// The switches of one system, `[systems.<name>]` in the configuration: an input of decisions like the clock.
///
/// They may change while the system runs, so what a later decision depends on belongs into the event.
/// `#[serde(default, deny_unknown_fields)]` makes every key optional and a mistyped one an error.
pub trait Settings:
    Default + Clone + PartialEq + fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The system's name.
    const SYSTEM: &'static str;
    /// Environment variables that are read under their very own names, and the key that each is: what
    /// the old deployments set. They win over the configuration.
    const ENVIRONMENT: &'static [(&'static str, &'static str)] = &[];
}

/// Settings whose type is forgotten, on their way to the decisions of their system. Cheap to clone.
#[derive(Clone)]
pub struct AnySettings {
    system: &'static str,
    settings: Arc<dyn Any + Send + Sync>,
    shown: fn(&(dyn Any + Send + Sync), &mut fmt::Formatter<'_>) -> fmt::Result,
}

impl AnySettings {
    /// Forgets the type.
    pub fn of<S: Settings>(settings: S) -> Self {
        let shown = |settings: &(dyn Any + Send + Sync), f: &mut fmt::Formatter<'_>| match settings.downcast_ref::<S>()
        {
            Some(settings) => settings.fmt(f),
            None => Ok(()),
        };
        Self { system: S::SYSTEM, settings: Arc::new(settings), shown }
    }

    /// [`Settings::SYSTEM`].
    pub fn system(&self) -> &'static str {
        self.system
    }

    /// The settings.
    ///
    /// # Panics
    /// When they are of another system: no decision may depend on those.
    pub fn get<S: Settings>(&self) -> Arc<S> {
        let settings = self.settings.clone().downcast::<S>();
        settings.unwrap_or_else(|_| foreign(S::SYSTEM, self.system))
    }
}

#[expect(clippy::panic, reason = "a mistake of a system's author, found by the first decision")]
fn foreign(asked: &str, system: &str) -> ! {
    panic!("the settings of {asked} were asked for where those of {system} are")
}

impl fmt::Debug for AnySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.shown)(self.settings.as_ref(), f)
    }
}
