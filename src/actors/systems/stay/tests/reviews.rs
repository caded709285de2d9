use super::*;

fn register() -> RegisterReview {
    RegisterReview { book_id: 1, score: Some(5), content: text("좋아요"), ..RegisterReview::default() }
}

fn review() -> ReviewText {
    ReviewText {
        book_id: 1,
        room_id: Some(1),
        name: text("호텔"),
        host: text("Superman"),
        guest: text("배트맨"),
        usedate: Some(date("20201010")),
        score: 5,
        content: text("좋아요"),
    }
}

fn item() -> ReviewItem {
    ReviewItem { id: 1, text: review() }
}

fn noted() -> VisitEvent {
    VisitEvent::BookingNoted(details())
}

#[test]
fn a_guest_reviews_a_booking_once_and_what_is_not_said_is_known() {
    given::<Visit>([noted()])
        .when(register())
        .then_events([VisitEvent::ReviewStarted(review())])
        .then_creates::<Review, _>(WriteReview(review()))
        .answered::<Review, WriteReview>(Ok(item()))
        .then_events([VisitEvent::ReviewWritten])
        .then_reply(item())
        .then_resumes_nothing()
        .when(register())
        .then_rejected(VisitRejection::AlreadyReviewed(1));
    given::<Review>([])
        .when(WriteReview(review()))
        .then_events([ReviewEvent::ReviewRegistered(review())])
        .then_reply(item())
        .when(WriteReview(review()))
        .then_rejected(ReviewRejection::AlreadyWritten);
}

#[test]
fn an_unknown_or_canceled_booking_is_not_reviewed() {
    for (history, refused, code) in [
        (vec![], VisitRejection::Unknown(1), "BOOKING_UNKNOWN"),
        (vec![noted(), VisitEvent::CancellationNoted], VisitRejection::Canceled(1), "BOOKING_CANCELED"),
        (vec![noted(), VisitEvent::ReviewWritten], VisitRejection::AlreadyReviewed(1), "ALREADY_REVIEWED"),
    ] {
        given::<Visit>(history).when(register()).then_rejected(refused.clone());
        assert_eq!(told(&refused), (RefusalClass::Conflict, code, None));
    }
}

#[test]
fn a_score_is_1_to_5() {
    let scored = |score| given::<Visit>([noted()]).when(RegisterReview { score, ..register() });
    for score in [1, 5] {
        scored(Some(score)).then_step(Step("write-review", 1));
    }
    let refused = InvalidValue::OutOfRange { field: Field::Score, least: 1, most: 5 };
    for score in [0, 6] {
        scored(Some(score)).then_rejected(refused.clone().into());
    }
    scored(None).then_rejected(InvalidValue::Missing(Field::Score).into());
    let nothing = RegisterReview { book_id: 0, ..register() };
    given::<Visit>([noted()]).when(nothing).then_rejected(InvalidValue::Missing(Field::BookId).into());
}

#[test]
fn whether_a_review_is_written_is_asked_until_it_is_known() {
    let unknown = given::<Visit>([noted()]).when(register()).answered::<Review, WriteReview>(Err(lost()));
    unknown.then_events([VisitEvent::ReviewContinued]).then_creates::<Review, _>(WriteReview(review()));
    let not_done = given::<Visit>([noted()]).when(register()).answered::<Review, WriteReview>(Err(away()));
    not_done
        .then_events([VisitEvent::ReviewGivenUp])
        .then_resumes_nothing()
        .when(register())
        .then_step(Step("write-review", 2));
    let late = FinishReview { outcome: Ok(item()) };
    given::<Visit>([noted()]).when(late).then_nothing_written().then_not_done(Duration::from_secs(1));
}

#[test]
fn a_visit_knows_what_its_booking_says_in_whatever_words() {
    given::<Visit>([])
        .when(NoteBooking(details()))
        .then_events([noted()])
        .when(NoteBooking(details()))
        .then_nothing_written()
        .when(NoteCancellation)
        .then_events([VisitEvent::CancellationNoted])
        .when(NoteCancellation)
        .then_nothing_written()
        .when(NoteBooking(details()))
        .then_nothing_written();
}

#[test]
fn reviews_keep_the_laws() {
    laws::<Review>([vec![ReviewEvent::ReviewRegistered(review())]]);
    laws::<Visit>([
        vec![noted(), VisitEvent::ReviewStarted(review()), VisitEvent::ReviewContinued, VisitEvent::ReviewWritten],
        vec![noted(), VisitEvent::CancellationNoted, VisitEvent::ReviewGivenUp],
    ]);
}

#[test]
fn the_bus_sees_reviews_as_the_topic_has_them() {
    let shown = serde_json::to_string(&ReviewEvent::ReviewRegistered(review()).on_bus(Number::new(7))).unwrap();
    let expected = concat!(
        r#"{"id":7,"bookId":1,"roomId":1,"name":"호텔","host":"Superman","guest":"배트맨","#,
        r#""usedate":"20201010","score":5,"status":"ReviewRegistered"}"#
    );
    assert_eq!(shown, expected);
}
