//! The runtime: hosts entities, performs what their decisions say, feeds policies and views.
//!
//! ```text
//! Entities::ask -> mailbox -> turn (decide, evolve) -> journal -> commit -> reply, ask
//!                                                        |
//!                                                        +-> feed -> dispatcher (policies) -> mailbox
//!                                                                 -> dispatcher (connectors) -> bulkhead
//!                                                                 -> projector (views) -> Views
//! ```

mod ahead;
mod answers;
mod asker;
mod asks;
mod book;
mod budget;
mod builder;
mod bulkhead;
mod bus;
mod cell;
mod chain;
mod checks;
mod clock;
mod code;
mod codec;
mod commit;
mod configured;
mod connector;
mod consumer;
mod declare;
mod dedup;
mod dispatcher;
mod door;
mod entities;
mod failure;
mod faults;
mod feed;
mod gate;
mod give_way;
mod hand_over;
mod history;
mod host;
mod idle;
mod inspect;
mod kinds;
mod known;
mod lane;
mod leaving;
mod limits;
mod link;
mod mailbox;
mod meters;
mod numbers;
mod off_thread;
mod operate;
mod outcome;
mod patience;
mod probe;
mod projector;
mod quarantine;
mod reading;
mod recovery;
mod redeploy;
mod reload;
mod remote;
mod run;
mod seeds;
mod series;
mod service;
mod settings;
mod skips;
mod stall;
mod storage;
mod system;
#[cfg(test)]
mod tests;
mod tree;
mod turn;
mod unit;
mod views;

pub use budget::BudgetStatus;
pub use builder::{StartError, SystemBuilder};
pub use bulkhead::BulkheadStatus;
pub use bus::{EventPage, EventQuery, EventsError, FollowedEvent};
pub use chain::{Chain, ChainError, ChainEvent, ChainLink};
pub use clock::Clock;
pub use code::KindCode;
pub use codec::UnreadableEvent;
pub use configured::{ConfigurationStatus, ReadBy, RefusedReading};
pub use connector::{Connector, DeliveryError, RETRY_AFTER_LIMIT};
pub use declare::Service;
pub use dispatcher::LetterError;
pub use entities::{Answered, AskRequest, Current, Entities};
pub use faults::{AppendFault, Fault, FaultEnd, FaultId, FaultPlan, FaultStatus, Faults, InjectError, UnknownFault};
pub use inspect::{
    ENTITY_PAGE, EntityEvent, EntityHistory, EntityPage, EntityRow, EventCause, HISTORY_PAGE, InspectError, PastState,
};
pub use known::{CommandOutcome, OutcomeError};
pub use link::{BreakerState, LinkStatus};
pub use meters::{CommandFigures, JournalFigures, KindFigures, LetterCount, RequestMeters, RouteFigures, RouteMeter};
pub use operate::{ConsumerStatus, ServiceError, ServiceStatus, WaitingLetter};
pub use probe::{ProbeState, ProbeStatus};
pub use projector::{RebuildError, RebuildState, RebuildStatus, ViewError, Views};
pub use quarantine::{EntityFailure, FailedCommand, QUARANTINE_LIST, QuarantinedEntity, SkipError, Trouble};
pub use reload::{Configuration, ConfigurationSource, Prepared, ReloadError, Reloaded, Reloads};
pub use remote::{AnswerError, Remote, RemoteAnswer, RemoteAsk, RemoteError, RemoteTarget};
pub use skips::{NotRefused, RefusedCommand};
pub use system::{ShutdownReport, System};
