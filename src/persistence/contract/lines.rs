//! Appends in a line.

use std::sync::mpsc::{Receiver, channel};

use super::{Failing, Reopen, next, wait};
use crate::persistence::{
    Append, AppendError, Appended, Journal, Lease, Line, Refusal, StreamId,
    sample::{self, event},
};

type Told = Receiver<Result<Appended, AppendError>>;

/// Hands it over, and waits for nothing.
fn hand_over(journal: &dyn Journal, append: Append, line: Option<&Line>) -> Told {
    let (sender, told) = channel();
    journal.hand_over(append, line.cloned(), Box::new(move |outcome| sender.send(outcome).unwrap()));
    told
}

fn streams() -> Vec<StreamId> {
    (0..6).map(|n| sample::stream(&format!("s{n}"))).collect()
}

fn is_cut(told: &Result<Appended, AppendError>) -> bool {
    matches!(told, Err(AppendError::Refused(Refusal::LineCut)))
}

/// Whichever of a line is not taken, for whichever reason: what is before it is written, what is behind it is not, and
/// nobody else is concerned.
pub(super) fn behind_one_that_is_refused_nothing_of_its_line_is_written(mut open: Reopen<dyn Journal>) {
    let journal = open();
    let conflict = |append: Append| Append { expected: 1000, ..append };
    let too_large = |append| Append { events: vec![event(vec![0; Append::MAX_BYTES + 1])], ..append };
    let fenced = |append: Append| Append { lease: Lease { epoch: 1000, ..append.lease }, ..append };
    let mut at = 0;
    for spoil in [&conflict as &dyn Fn(Append) -> Append, &too_large, &fenced] {
        for bad in 0..streams().len() {
            let (line, before) = (Line::default(), at);
            let append = |stream: &StreamId, n: u64| next(&*journal, stream, at + n, u128::from(at + n));
            let mut told: Vec<Told> = Vec::new();
            let mut others: Vec<Told> = Vec::new();
            for (n, stream) in streams().iter().enumerate() {
                let next = append(stream, 0);
                told.push(hand_over(&*journal, if n == bad { spoil(next) } else { next }, Some(&line)));
                let other = StreamId { kind: "other".into(), key: stream.key.clone() };
                others.push(hand_over(&*journal, append(&other, 0), None));
            }
            let told: Vec<_> = told.iter().map(|told| told.recv().unwrap()).collect();
            assert!(told[..bad].iter().all(Result::is_ok), "{told:?}");
            assert!(told[bad].is_err() && !is_cut(&told[bad]), "{told:?}");
            assert!(told[bad + 1..].iter().all(is_cut), "{told:?}");
            assert!(line.is_cut() && others.iter().all(|other| other.recv().unwrap().is_ok()));
            let heads = || streams().into_iter().map(|stream| journal.head(&stream).map_or(0, |head| head.sequence));
            let written: Vec<u64> = (0..streams().len()).map(|n| before + u64::from(n < bad)).collect();
            assert_eq!(heads().collect::<Vec<_>>(), written);
            // All of them stand at the same sequence again.
            for (stream, at) in streams().iter().zip(heads().collect::<Vec<_>>()).filter(|(_, at)| *at == before) {
                wait(&*journal, next(&*journal, stream, at, u128::from(at))).unwrap();
            }
            at = before + 1;
        }
    }
}

/// What is unknown may be written; what is behind it is not, also when the journal takes writes again.
pub(super) fn behind_one_that_is_unknown_nothing_of_its_line_is_written((journal, mut reopen): Failing) {
    let line = Line::default();
    let streams = streams();
    let in_line = |stream| hand_over(&*journal, next(&*journal, stream, 0, 1), Some(&line));
    let (first, others) = streams.split_at(2);
    assert!(first.iter().all(|stream| in_line(stream).recv().unwrap().is_ok()));
    let told: Vec<Told> = others.iter().map(in_line).collect();
    let told: Vec<_> = told.iter().map(|told| told.recv().unwrap()).collect();
    assert!(matches!(told[0], Err(AppendError::Unknown(_))), "the third commit fails: {told:?}");
    assert!(told.iter().all(Result::is_err) && line.is_cut());
    journal.close();
    drop(journal);

    let journal = reopen();
    let there: Vec<bool> = streams.iter().map(|stream| journal.head(stream).is_some()).collect();
    let beginning = there.iter().take_while(|there| **there).count();
    assert!(beginning >= first.len() && !there[beginning..].contains(&true), "a beginning, without a hole: {there:?}");
    let late = sample::stream("late");
    assert!(is_cut(&hand_over(&*journal, next(&*journal, &late, 0, 1), Some(&line)).recv().unwrap()));
    assert_eq!(journal.head(&late), None);
}
