//! A guest's review of a stay (service review, section 12): added without touching any other service.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::values::{InvalidValue, UseDate};
use crate::actors::{
    entity::{Command, CommandContext, Decision, DomainEvent, Entity, Listed, Number, NumberedId, Presence, persist},
    systems::{Refusal, RefusalClass},
};

mod visit;

pub use visit::{FinishReview, NoteBooking, NoteCancellation, RegisterReview, Visit, VisitEvent, VisitRejection};

/// One review.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Review(Option<ReviewText>);

/// What a guest says of a stay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReviewText {
    /// The booking.
    pub book_id: u64,
    /// The room.
    pub room_id: Option<u64>,
    /// The room's name.
    pub name: Option<String>,
    /// Whose it is.
    pub host: Option<String>,
    /// Who stayed.
    pub guest: Option<String>,
    /// When.
    pub usedate: Option<UseDate>,
    /// 1 to 5.
    pub score: i64,
    /// In words.
    pub content: Option<String>,
}

/// What happens to a review.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ReviewEvent {
    /// A guest wrote it.
    ReviewRegistered(ReviewText),
}

impl DomainEvent for ReviewEvent {
    const PUBLIC: &'static [&'static str] = &["ReviewRegistered"];

    fn name(&self) -> &'static str {
        match self {
            Self::ReviewRegistered(_) => "ReviewRegistered",
        }
    }
    fn on_bus(&self, number: Number) -> Map<String, Value> {
        let Self::ReviewRegistered(text) = self;
        let mut fields = Map::from_iter([("id".to_owned(), number.get().into())]);
        if let Ok(Value::Object(own)) = serde_json::to_value(text) {
            fields.extend(own.into_iter().filter(|(name, _)| name != "content"));
        }
        fields.insert("status".to_owned(), self.name().into());
        fields
    }
}

/// Why a review is not written.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum ReviewRejection {
    /// The same review was written before.
    #[error("the review exists already")]
    AlreadyWritten,
    /// The request has a value that no review can have.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
}

impl Refusal for ReviewRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::AlreadyWritten => "ALREADY_REVIEWED",
            Self::Invalid(value) => value.code(),
        }
    }
    fn class(&self) -> RefusalClass {
        match self {
            Self::AlreadyWritten => RefusalClass::Conflict,
            Self::Invalid(value) => value.class(),
        }
    }
}

impl Entity for Review {
    const KIND: &'static str = "stay.review";
    const SNAPSHOT: u32 = 1;
    type Id = NumberedId;
    type Event = ReviewEvent;
    type Rejection = ReviewRejection;
    const COMMANDS: &'static [&'static str] = &[WriteReview::NAME];

    fn evolve(&mut self, event: &ReviewEvent) {
        let ReviewEvent::ReviewRegistered(text) = event;
        self.0 = Some(text.clone());
    }
}

impl Listed for Review {
    const LIST: &'static str = "stay.reviews";
    fn presence(&self) -> Presence {
        if self.0.is_some() { Presence::Listed } else { Presence::Hidden }
    }
}

/// A review as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReviewItem {
    /// The review's number.
    pub id: u64,
    /// What it says.
    #[serde(flatten)]
    pub text: ReviewText,
}

impl Review {
    /// The review as clients see it; `None` when there is none.
    pub fn item(&self, number: Number) -> Option<ReviewItem> {
        Some(ReviewItem { id: number.get(), text: self.0.clone()? })
    }
}

/// Writes the review that a visit has accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WriteReview(pub ReviewText);

impl Command<Review> for WriteReview {
    const NAME: &'static str = "write-review";
    type Reply = ReviewItem;
    fn decide(self, review: &Review, ctx: &CommandContext) -> Decision<Review, ReviewItem> {
        if review.0.is_some() {
            return Err(ReviewRejection::AlreadyWritten);
        }
        let item = ReviewItem { id: ctx.number.get(), text: self.0.clone() };
        Ok(persist([ReviewEvent::ReviewRegistered(self.0)]).reply(item))
    }
}
