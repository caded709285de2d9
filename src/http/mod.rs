//! The inbound HTTP adapter: requests become commands and reads, answers become HAL and problems.
//!
//! ```text
//! socket --serve--> warp filter --routes--> frame (limits, correlation, CORS, panics)
//!                                             +--> Gateway: /<system>/<collection>/<key> --> Resource
//!                                             +--> Admin:   /admin/...                    --> System
//! ```
//!
//! No route rejects: every request ends in an answer, and every refusal is a [`Problem`]. What a resource looks like is declared ([`Resource`]), not programmed.

mod access;
mod admin;
mod api;
mod arriving;
mod asks;
mod body;
mod catalog;
mod coerce;
mod contract;
mod correlation;
mod cors;
mod crowd;
mod fields;
mod gateway;
mod guard;
mod hal;
mod health;
mod idempotency;
mod limits;
mod list;
mod live;
mod members;
mod openapi;
mod paging;
mod problem;
mod query;
mod request;
mod resource;
mod room;
mod routes;
mod serve;
mod status;
mod table;

pub use access::{AccessLog, AccessLogError};
pub use admin::Audit;
pub use api::{library, procurement, station, stay, store};
pub use coerce::{Field, FieldType};
pub use contract::{admin_contract, contract};
pub use fields::Fields;
pub use gateway::{admin, public, service_port};
pub use guard::{Claims, Guard, GuardError, KeyWatch, SigningKey, new_api_key, new_secret};
pub use hal::Item;
pub use health::Readiness;
pub use limits::HttpLimits;
pub use members::Members;
pub use problem::Problem;
pub use resource::{
    Action, Address, By, Call, Change, ClientId, Commands, Done, EntitySource, Filter, Find, FindKeys, Finder, Found,
    Keep, Lookup, Make, Operation, Perform, Prepare, Procedure, Recalled, Resolve, Resource, RowPage, Said, Seen,
    Segment, Source, Tells, ViewSource, Wanted, action, ask, by_key, by_number, by_stream, command, key_in, keyed,
    number_in, numeric, perform, procedure, said, shown, shows, unchanged, when_sent,
};
pub use routes::Edge;
pub use serve::{BindError, HttpServer, Listener};
#[cfg(feature = "grpc")]
pub(crate) use {
    access::Answered,
    arriving::{Bounds, Sender, Unread, read_body},
    correlation::Correlation,
    guard::{Caller, Spent, may_command, may_read},
    room::{Class, Place, Room},
    routes::Peer,
    serve::{Answers, serve},
};
