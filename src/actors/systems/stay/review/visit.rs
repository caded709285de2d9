//! What the review service knows of a booking, and the one writer of its review: one per booking, of a
//! booking that stands as far as is known here.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Review, ReviewItem, ReviewRejection, ReviewText, WriteReview};
use crate::actors::{
    entity::{
        AnyContinuation, Ask, AskError, Command, CommandContext, Continuation, Decision, DomainEvent, Effects, Entity,
        Key, Number, Outcome, Step, Unavailable, persist,
    },
    systems::{
        Refusal, RefusalClass,
        stay::values::{Field, InvalidValue, StayDetails, StayWish, id, note, required, within},
    },
};

/// The step in which the review is written. It derives the review's key: on disk, never rename.
const WRITE_REVIEW: &str = "write-review";

/// How long one ask waits for the review, which is of the same service.
const WRITES_WITHIN: Duration = Duration::from_secs(5);

/// One booking, as the review service hears of it. Its key is the booking's number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Visit {
    booking: Heard,
    review: Progress,
    /// Counted from 1 with every review that is begun.
    round: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Heard {
    #[default]
    Nothing,
    Booked(StayDetails),
    Canceled,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Progress {
    #[default]
    None,
    Writing(ReviewText),
    Written,
}

/// What happens to a visit. All of it is internal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum VisitEvent {
    /// It is booked.
    BookingNoted(StayDetails),
    /// It is not any more.
    CancellationNoted,
    /// A guest reviews it.
    ReviewStarted(ReviewText),
    /// Whether the review is written is not known yet; it is asked again.
    ReviewContinued,
    /// The review is written.
    ReviewWritten,
    /// The review is not written.
    ReviewGivenUp,
}

impl DomainEvent for VisitEvent {
    const PUBLIC: &'static [&'static str] = &[];

    fn name(&self) -> &'static str {
        match self {
            Self::BookingNoted(_) => "BookingNoted",
            Self::CancellationNoted => "CancellationNoted",
            Self::ReviewStarted(_) => "ReviewStarted",
            Self::ReviewContinued => "ReviewContinued",
            Self::ReviewWritten => "ReviewWritten",
            Self::ReviewGivenUp => "ReviewGivenUp",
        }
    }
    fn on_bus(&self, _: Number) -> Map<String, Value> {
        Map::new()
    }
}

/// Why a booking is not reviewed.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum VisitRejection {
    /// The request has a value that no review can have.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    /// The review service has not heard of such a booking.
    #[error("booking {0} is not known")]
    Unknown(u64),
    /// The booking was canceled.
    #[error("booking {0} was canceled")]
    Canceled(u64),
    /// It is reviewed already, or just now.
    #[error("booking {0} is reviewed already")]
    AlreadyReviewed(u64),
}

impl Refusal for VisitRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(value) => value.code(),
            Self::Unknown(_) => "BOOKING_UNKNOWN",
            Self::Canceled(_) => "BOOKING_CANCELED",
            Self::AlreadyReviewed(_) => "ALREADY_REVIEWED",
        }
    }
    fn class(&self) -> RefusalClass {
        match self {
            Self::Invalid(value) => value.class(),
            Self::Unknown(_) | Self::Canceled(_) | Self::AlreadyReviewed(_) => RefusalClass::Conflict,
        }
    }
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::Invalid(value) => value.field(),
            Self::Unknown(_) | Self::Canceled(_) | Self::AlreadyReviewed(_) => None,
        }
    }
}

impl Entity for Visit {
    const KIND: &'static str = "stay.visit";
    const SNAPSHOT: u32 = 1;
    type Id = Key;
    type Event = VisitEvent;
    type Rejection = VisitRejection;
    const COMMANDS: &'static [&'static str] =
        &[NoteBooking::NAME, NoteCancellation::NAME, RegisterReview::NAME, FinishReview::NAME];
    const ASKS: &'static [&'static str] = &[Review::KIND];

    fn evolve(&mut self, event: &VisitEvent) {
        match event {
            VisitEvent::BookingNoted(details) => self.booking = Heard::Booked(details.clone()),
            VisitEvent::CancellationNoted => self.booking = Heard::Canceled,
            VisitEvent::ReviewStarted(text) => {
                (self.review, self.round) = (Progress::Writing(text.clone()), self.round.saturating_add(1));
            }
            VisitEvent::ReviewContinued => {}
            VisitEvent::ReviewWritten => self.review = Progress::Written,
            VisitEvent::ReviewGivenUp => self.review = Progress::None,
        }
    }

    fn resume(&self) -> Vec<AnyContinuation<Self>> {
        match &self.review {
            Progress::Writing(text) => vec![self.ask_for(text).erase()],
            Progress::None | Progress::Written => Vec::new(),
        }
    }
}

impl Visit {
    /// The visit of the booking with this number.
    pub fn of(booking: u64) -> Key {
        Key::new(booking.to_string()).expect("digits are a key")
    }

    /// The ask that the event before has begun.
    fn write(&self) -> Continuation<Self, ReviewItem> {
        let Progress::Writing(text) = &self.review else { unreachable!("the event before has begun a review") };
        self.ask_for(text)
    }

    /// Used by the decision and by recovery, so that they cannot differ.
    fn ask_for(&self, text: &ReviewText) -> Continuation<Self, ReviewItem> {
        Ask::<Review, _>::create(Step(WRITE_REVIEW, self.round), WriteReview(text.clone()), WRITES_WITHIN)
            .then(|outcome| FinishReview { outcome })
    }
}

/// The booking stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoteBooking(pub StayDetails);

impl Command<Visit> for NoteBooking {
    const NAME: &'static str = "note-booking";
    type Reply = ();
    fn decide(self, visit: &Visit, _: &CommandContext) -> Decision<Visit, ()> {
        match visit.booking {
            Heard::Nothing => Ok(persist([VisitEvent::BookingNoted(self.0)]).reply(())),
            Heard::Booked(_) | Heard::Canceled => Ok(Effects::reply(())),
        }
    }
}

/// The booking was canceled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoteCancellation;

impl Command<Visit> for NoteCancellation {
    const NAME: &'static str = "note-cancellation";
    type Reply = ();
    fn decide(self, visit: &Visit, _: &CommandContext) -> Decision<Visit, ()> {
        match visit.booking {
            Heard::Nothing | Heard::Booked(_) => Ok(persist([VisitEvent::CancellationNoted]).reply(())),
            Heard::Canceled => Ok(Effects::reply(())),
        }
    }
}

/// Reviews a booking. What is not said of it is filled from what is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RegisterReview {
    /// The booking; 0 when the client names none.
    pub book_id: u64,
    /// The room.
    pub room_id: u64,
    /// The room's name.
    pub name: Option<String>,
    /// Whose it is.
    pub host: Option<String>,
    /// Who stayed.
    pub guest: Option<String>,
    /// When.
    pub usedate: Option<String>,
    /// 1 to 5, required.
    pub score: Option<i64>,
    /// In words.
    pub content: Option<String>,
}

impl Command<Visit> for RegisterReview {
    const NAME: &'static str = "register-review";
    type Reply = ReviewItem;
    fn decide(self, visit: &Visit, _: &CommandContext) -> Decision<Visit, ReviewItem> {
        let book_id = id(Field::BookId, self.book_id)?;
        let score = within(Field::Score, 1, 5, required(Field::Score, self.score)?)?;
        let content = note(Field::Content, self.content)?;
        let (room_id, name, usedate) = (self.room_id, self.name, self.usedate);
        let wish = StayWish { room_id, name, host: self.host, guest: self.guest, usedate, ..Default::default() };
        let said = wish.checked()?;
        let known = match &visit.booking {
            Heard::Nothing => return Err(VisitRejection::Unknown(book_id)),
            Heard::Canceled => return Err(VisitRejection::Canceled(book_id)),
            Heard::Booked(details) => details.clone(),
        };
        if visit.review != Progress::None {
            return Err(VisitRejection::AlreadyReviewed(book_id));
        }
        let text = ReviewText {
            book_id,
            room_id: said.room_id.or(known.room_id),
            name: said.name.or(known.name),
            host: said.host.or(known.host),
            guest: said.guest.or(known.guest),
            usedate: said.usedate.or(known.usedate),
            score,
            content,
        };
        Ok(persist([VisitEvent::ReviewStarted(text)]).then(Visit::write))
    }
}

/// The review's answer to [`RegisterReview`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FinishReview {
    /// The review, or why there is none.
    pub outcome: Result<ReviewItem, AskError<ReviewRejection>>,
}

impl Command<Visit> for FinishReview {
    const NAME: &'static str = "finish-review";
    type Reply = ReviewItem;
    fn decide(self, visit: &Visit, _: &CommandContext) -> Decision<Visit, ReviewItem> {
        if !matches!(visit.review, Progress::Writing(_)) {
            return Ok(persist([]).not_done(unavailable("this try was given up before".to_owned())));
        }
        match self.outcome {
            Ok(review) => Ok(persist([VisitEvent::ReviewWritten]).reply(review)),
            Err(error) if error.outcome() == Outcome::Unknown => {
                Ok(persist([VisitEvent::ReviewContinued]).then(Visit::write))
            }
            Err(AskError::Unavailable(why)) => Ok(persist([VisitEvent::ReviewGivenUp]).not_done(why)),
            Err(error) => Ok(persist([VisitEvent::ReviewGivenUp]).not_done(unavailable(error.to_string()))),
        }
    }
}

fn unavailable(reason: String) -> Unavailable {
    Unavailable::Partner { partner: "stay/review".to_owned(), reason, retry_after: Duration::from_secs(1) }
}
