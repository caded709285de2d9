//! What follows from what. One policy per kind of source and service, so that the events of one entity
//! reach each service in their order.

mod alarms;
mod calendars;
mod payments;
mod reviews;

pub use alarms::{AlarmOnBookings, AlarmOnPayments, AlarmOnReviews};
pub use calendars::{FreeDates, KnowRooms};
pub use payments::{RecordRefunds, SettlePayments};
pub use reviews::KnowBookings;
