use std::fmt;

use serde::{Deserialize, Serialize};

use super::NAME;
use crate::actors::entity::Settings;

/// The switches of the station: `[systems.station]`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StationSettings {
    /// Whether a sale may take more than there is, as the original let it (D-12).
    pub allow_negative_stock: bool,
    /// The station's code; `station_cd` in the environment (N8).
    pub code: String,
    /// The station's name; `station_nm` in the environment (N8, D-10). The old deployment kept it in a
    /// secret: it is shown to whoever asks for it and nowhere else.
    pub name: String,
}

impl Default for StationSettings {
    /// Stock is never negative; code and name are those of the old deployment.
    fn default() -> Self {
        Self { allow_negative_stock: false, code: "ST0001".to_owned(), name: "SK Imme".to_owned() }
    }
}

impl Settings for StationSettings {
    const SYSTEM: &'static str = NAME;
    const ENVIRONMENT: &'static [(&'static str, &'static str)] = &[("station_cd", "code"), ("station_nm", "name")];
}

impl StationSettings {
    /// Name and code as `POST /orders/station` answers them, without the blanks around the values that a
    /// secret made by hand tends to have (D-10).
    pub fn label(&self) -> String {
        format!("{}, {}", self.name.trim(), self.code.trim())
    }
}

impl fmt::Debug for StationSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StationSettings")
            .field("allow_negative_stock", &self.allow_negative_stock)
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}
