//! The inbound HTTP adapter: requests become commands and reads, answers become HAL and problems.
//!
//! ```text
//! socket --serve--> warp filter --routes--> frame (limits, correlation, CORS, panics)
//!                                             +--> Gateway: /<system>/<collection>/<key> --> Resource
//!                                             +--> Admin:   /admin/...                    --> System
//! ```
//!
//! No route rejects: every request ends in an answer, and every refusal is a [`Problem`]. What a resource looks like is declared ([`Resource`]), not programmed.

mod admin;
mod api;
mod body;
mod coerce;
mod correlation;
mod cors;
mod gateway;
mod hal;
mod health;
mod idempotency;
mod limits;
mod list;
mod paging;
mod problem;
mod query;
mod request;
mod resource;
mod routes;
mod serve;
mod table;

pub use api::store;
pub use coerce::{Field, FieldType, Fields};
pub use gateway::{admin, public};
pub use hal::Item;
pub use health::Readiness;
pub use limits::HttpLimits;
pub use problem::Problem;
pub use resource::{
    Action, Address, Call, Change, Done, EntitySource, Find, Finder, Found, Keep, Resource, RowPage, Source,
    ViewSource, by_number, by_stream, command, numeric, shown, unchanged,
};
pub use routes::Edge;
pub use serve::{BindError, HttpServer, Listener};
