//! A caller that comes back for another append when it is told.

use super::{metered::Meter, *};

/// A sync takes so long.
const LONG: Duration = Duration::from_millis(300);

/// The caller comes back so much later: far too late for whoever does not wait for it.
const LATER: Duration = Duration::from_millis(5);

/// Tries, because a busy machine may take longer.
const TRIES: u32 = 10;

#[test]
fn who_comes_back_soon_shares_the_next_sync_with_those_who_waited_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let meter = Arc::<Meter>::default();
    let journal = meter.journal(&SegmentsConfig { segment_bytes: 1 << 20, ..config(dir.path()) });
    let is_shared = (0..TRIES).any(|nth| {
        let [caller, other] = ["caller", "other"].map(|who| format!("{who} {nth}"));
        meter.take();
        meter.hold();
        let told = hand_over(&journal, &caller, 0);
        meter.until_it_waits();
        let waits = hand_over(&journal, &other, 0);
        assert!(told.recv_timeout(LONG).is_err(), "told before its sync");
        meter.release();
        told.recv().unwrap().unwrap();
        let waiting = waits.recv_timeout(LATER);
        hand_over(&journal, &caller, 1).recv().unwrap().unwrap();
        let is_waiting = waiting.is_err();
        waiting.unwrap_or_else(|_| waits.recv().unwrap()).unwrap();
        is_waiting && meter.take().syncs == 2
    });
    assert!(is_shared);
}
