//! Bulkheads that have no room: it costs time, and only where there are too many.

use super::*;

/// One that answers nobody before the sender is dropped.
fn held() -> (mpsc::Sender<()>, Gateway) {
    let (open, gate) = mpsc::channel();
    let gate = Mutex::new(gate);
    let gateway = Gateway::new(move |_, _| {
        gate.lock().unwrap().recv().expect_err("nothing is sent; it opens with the end of the other side");
        Ok(())
    });
    (open, gateway)
}

async fn write_all(system: &System, count: usize) {
    let written = (0..count).map(|n| async move { write(system, &format!("n{n}"), "x").await });
    futures::future::join_all(written).await;
}

#[tokio::test]
async fn a_full_bulkhead_costs_time_and_no_attempt() {
    let shared = r#"
[bulkhead.one]
threads = 1
queue = 4
[connector.t.pager]
bulkhead = "one"
attempts = 1
deadline = "11s"
[connector.t.mail]
bulkhead = "one"
attempts = 1
"#;
    // Each channel has as many on their way as may wait; both together are too many.
    let ((open, pager), (open_too, mail)) = (held(), held());
    let system = start(&memory(), shared, &pager, &mail).await;
    let threads = || system.bulkheads().into_iter().filter(|bulkhead| bulkhead.kind == "threads").collect::<Vec<_>>();
    assert_eq!(threads().len(), 1);
    write_all(&system, 60).await;
    until("it is full", async || threads()[0].refused > 0).await;
    drop((open, open_too));
    settled(&system).await;
    assert_eq!((pager.tries().len(), mail.tries().len()), (60, 60));
    assert!(letters(&system).await.is_empty());
}

/// More notices than a bulkhead has room for once were on their way together: it refused most of them, and each waited for
/// another try although nobody else was there.
#[tokio::test]
async fn a_bulkhead_of_its_own_has_room_for_all_that_is_on_its_way() {
    let own = "[bulkhead.t-pager]\nthreads = 2\nqueue = 3\n[connector.t.pager]\ndeadline = \"11s\"\n";
    let (open, pager) = held();
    let system = start(&memory(), own, &pager, &Gateway::good()).await;
    let pool = || system.bulkheads().into_iter().find(|bulkhead| bulkhead.name == "t-pager").expect("there");
    until("it has its threads", async || pool().current == 2).await;
    write_all(&system, 100).await;
    until("the first is tried", async || !pager.tries().is_empty()).await;
    drop(open);
    settled(&system).await;
    let pool = pool();
    assert_eq!((pager.tries().len(), pool.refused), (100, 0), "{pool:?}");
}
