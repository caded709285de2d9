//! Receivers that hang and code that panics: nobody else feels it.

use super::*;

#[tokio::test]
async fn a_receiver_that_hangs_is_felt_by_nobody_else() {
    let (release, hung) = mpsc::channel::<()>();
    let hung = Mutex::new(hung);
    let pager = Gateway::new(move |notification, _| {
        if notification.text == "hang" {
            // Until the test ends: the sender is never used.
            assert!(hung.lock().unwrap().recv().is_err());
        }
        Ok(())
    });
    let mail = Gateway::good();
    let system = start(&memory(), QUICK, &pager, &mail).await;
    write(&system, "a", "hang").await;
    for n in 0..5 {
        write(&system, &format!("b{n}"), "fine").await;
    }
    until("it is a dead letter", async || letters(&system).await.len() == 1).await;
    let letter = &letters(&system).await[0].letter;
    assert_eq!((letter.attempts, letter.body["text"].as_str()), (3, Some("hang")));
    assert_eq!(letter.reason, "no end within 100ms; its thread was given up");
    settled(&system).await;
    assert_eq!(pager.texts().iter().filter(|text| *text == "fine").count(), 5, "the same channel goes on");
    assert_eq!(mail.tries().len(), 6, "and so does the other one");
    let status = system.bulkheads().into_iter().find(|status| status.name == "t-pager").unwrap();
    assert_eq!(
        (status.state, status.leaked, status.replaced, status.current),
        ("running", 3, 3, 1),
        "the fault was there"
    );
    drop(release);
    until("the threads end", async || system.bulkheads().iter().all(|status| status.leaked == 0)).await;
}

#[tokio::test]
async fn a_connector_that_panics_is_felt_by_nobody_else() {
    let pager = Gateway::new(|notification, before| match (notification.text.as_str(), before) {
        ("once", 0) | ("always", _) => panic!("a bug in the gateway's library"),
        _ => Ok(()),
    });
    let mail = Gateway::good();
    let system = start(&memory(), QUICK, &pager, &mail).await;
    for text in ["always", "once", "fine"] {
        write(&system, text, text).await;
    }
    settled(&system).await;
    let waiting = letters(&system).await;
    let [WaitingLetter { letter, .. }] = waiting.as_slice() else { panic!("one letter: {waiting:?}") };
    assert_eq!(letter.body["text"], "always");
    assert_eq!(letter.reason, "panicked: a bug in the gateway's library");
    let mut texts = pager.texts();
    texts.sort();
    assert_eq!(texts, ["always", "always", "always", "fine", "once", "once"]);
    assert_eq!(mail.tries().len(), 3);
    // A thread that dies answers first, and is counted when it has ended.
    let status = || system.bulkheads().into_iter().find(|status| status.name == "t-pager").unwrap();
    until("each that panicked is replaced", async || status().replaced == 4).await;
    assert_eq!(status().leaked, 0);
}

#[tokio::test]
async fn an_outbound_that_panics_is_a_dead_letter() {
    let (pager, mail) = (Gateway::good(), Gateway::good());
    let system = start(&memory(), QUICK, &pager, &mail).await;
    write(&system, "a", "impossible").await;
    write(&system, "b", "fine").await;
    settled(&system).await;
    let waiting = letters(&system).await;
    assert_eq!((waiting.len(), pager.texts()), (1, vec!["fine".to_owned()]));
    assert!(waiting[0].letter.reason.contains("an outbound that panics"), "{waiting:?}");
}
