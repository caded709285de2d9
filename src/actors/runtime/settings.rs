//! The switches of the systems, replaceable while decisions read them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use crate::actors::entity::AnySettings;

/// The switches of one system as they stand, shared by its services.
#[derive(Clone, Debug, Default)]
pub(crate) struct SettingsCell(Arc<RwLock<Option<AnySettings>>>);

impl SettingsCell {
    /// What a decision made now sees.
    pub(crate) fn current(&self) -> Option<AnySettings> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The switches of all systems, by name: as many as there are systems.
#[derive(Debug, Default)]
pub(crate) struct SystemSettings(Mutex<HashMap<String, SettingsCell>>);

impl SystemSettings {
    /// The cell that a system's services read.
    pub(crate) fn of(&self, system: &str) -> SettingsCell {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(system.to_owned()).or_default().clone()
    }

    /// Replaces a system's switches for every decision from now on.
    pub(crate) fn set(&self, settings: AnySettings) {
        let cell = self.of(settings.system());
        *cell.0.write().unwrap_or_else(PoisonError::into_inner) = Some(settings);
    }
}
