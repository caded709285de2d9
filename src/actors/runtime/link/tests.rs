//! A link by itself.

use super::*;

#[test]
fn a_full_link_refuses_at_once_and_has_room_again_when_a_call_ends() {
    let config = LinkConfig { in_flight: 2, ..LinkConfig::default() };
    let link = Link::new("t.a.b".to_owned(), "t/b".to_owned(), config, Semaphore::new("t/b", None), None);
    let calls: Vec<Call> = (0..2).map(|_| link.enter().expect("room")).collect();
    assert!(matches!(link.enter(), Err(Unavailable::Partner { .. })));
    assert_eq!((link.status().in_flight, link.status().refused_full), (2, 1));
    drop(calls);
    let call = link.enter().expect("room");
    call.end::<(), ()>(&Ok(()));
    let status = link.status();
    assert_eq!((status.in_flight, status.calls, status.window_calls), (0, 3, 1), "what was dropped says nothing");
}

#[test]
fn what_an_answer_says_about_the_callee() {
    let second = Duration::from_secs(1);
    let unavailable = AskError::<()>::Unavailable;
    let stopped = Unavailable::ServiceStopped { service: "t/b".to_owned() };
    for (error, expected) in [
        (AskError::Rejected(()), Verdict::Succeeded),
        (AskError::Reused, Verdict::Succeeded),
        (AskError::TimedOut(second), Verdict::Failed),
        (AskError::Expired(second), Verdict::Failed),
        (unavailable(Unavailable::Panicked), Verdict::Failed),
        (unavailable(stopped), Verdict::Void),
        (unavailable(Unavailable::Storage { reason: String::new(), retry_after: second }), Verdict::Void),
        (AskError::Overloaded { retry_after: second }, Verdict::Void),
        (AskError::InProgress { retry_after: second }, Verdict::Void),
    ] {
        assert_eq!(verdict::<(), ()>(&Err(error.clone())), expected, "{error:?}");
    }
    assert_eq!(verdict::<(), ()>(&Ok(())), Verdict::Succeeded);
}
