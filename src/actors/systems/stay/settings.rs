use serde::{Deserialize, Serialize};

use crate::actors::entity::Settings;

/// The switches of stay, `[systems.stay]`. All of them may change while it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StaySettings {
    /// Whether a room is given to one guest on a date (D-8). False books like the source, which gives it
    /// to everybody; such bookings hold no date, also when it is true again.
    pub exclusive: bool,
    /// Whether rooms that nobody registered are refused (D-2). The source books them.
    pub strict_rooms: bool,
    /// How people are told.
    pub alarm: AlarmSettings,
}

/// `[systems.stay.alarm]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlarmSettings {
    /// What the text of an alarm begins with (D-6). Alarms keep what it was when they were written.
    pub prefix: String,
}

impl Default for StaySettings {
    fn default() -> Self {
        Self { exclusive: true, strict_rooms: false, alarm: AlarmSettings::default() }
    }
}

impl Settings for StaySettings {
    const SYSTEM: &'static str = super::NAME;
}
