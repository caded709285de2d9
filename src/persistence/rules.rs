//! Which appends a journal takes: pure, and the same for every backend.

use super::{Append, AppendError, Appended, Causation, Lease, Origin, Refusal, StreamHead, StreamId, codec::MAX_TEXT};

/// What a journal keeps in memory of each stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Sequence of the last event.
    pub(super) sequence: u64,
    /// The entity's public number.
    pub(super) number: u64,
    /// Epoch of the last append.
    pub(super) epoch: u64,
    /// Incarnation of the last append, within that epoch.
    pub(super) incarnation: u64,
    /// The last append's command.
    pub(super) command: u128,
    /// Position of the last append's first event.
    pub(super) offset: u64,
    /// How many events the last append has.
    pub(super) events: u16,
    /// Whether the stream has open asks.
    pub(super) open_asks: bool,
}

/// What an append says of its place in its stream: all that decides whether it is the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Successor {
    pub(super) lease: Lease,
    pub(super) incarnation: u64,
    pub(super) expected: u64,
    pub(super) number: u64,
    pub(super) command: u128,
    pub(super) events: u16,
    pub(super) open_asks: bool,
}

impl Successor {
    /// `append` has passed [`check_size`].
    pub(super) fn of(append: &Append) -> Self {
        Self {
            lease: append.lease,
            incarnation: append.incarnation,
            expected: append.expected,
            number: append.number,
            command: append.command,
            events: u16::try_from(append.events.len()).expect("sizes are checked against MAX_EVENTS"),
            open_asks: append.open_asks,
        }
    }

    /// The head of its stream once it stands at `offset`.
    pub(super) fn head(self, offset: u64) -> Head {
        let Self { lease, incarnation, expected, number, command, events, open_asks } = self;
        let sequence = expected + u64::from(events);
        Head { sequence, number, epoch: lease.epoch, incarnation, command, offset, events, open_asks }
    }

    /// Whether it is the next of its stream. In this order: the lease, the writer, the sequence.
    ///
    /// | lease | (epoch, incarnation) against the stream's last | expected | answer |
    /// |---|---|---|---|
    /// | another partition's, or another epoch | | | `Fenced` |
    /// | current | older | | `Fenced` |
    /// | current | same or newer | the stream's sequence | taken |
    /// | current | same or newer | that of the stream's last append, same command | `Duplicate` |
    /// | current | same or newer | any other | `Conflict` |
    pub(super) fn judge(self, stream: &StreamId, head: Option<&Head>, current: Lease) -> Result<(), AppendError> {
        let writer = (self.lease.epoch, self.incarnation);
        let newest = head.map_or((0, 0), |head| (head.epoch, head.incarnation));
        if self.lease != current || writer < newest {
            return Err(AppendError::Fenced { stream: stream.clone() });
        }
        let (expected, actual) = (self.expected, head.map_or(0, |head| head.sequence));
        if expected == actual {
            return Ok(());
        }
        match head {
            Some(head) if head.command == self.command && expected + u64::from(head.events) == actual => {
                Err(AppendError::Duplicate(head.appended()))
            }
            _ => Err(AppendError::Conflict { stream: stream.clone(), expected, actual }),
        }
    }
}

impl Head {
    /// The head once `append` stands at `offset`.
    pub(super) fn after(append: &Append, offset: u64) -> Self {
        Successor::of(append).head(offset)
    }

    /// What others may know of it.
    pub(super) fn shown(&self) -> StreamHead {
        StreamHead { sequence: self.sequence, number: self.number, open_asks: self.open_asks }
    }

    /// Where the last append came to stand.
    fn appended(&self) -> Appended {
        Appended { offset: self.offset, sequence: self.sequence }
    }
}

/// Whether `append` has a size that a record may have.
///
/// # Errors
/// [`Refusal::TooLarge`], also for an append without events.
pub(super) fn check_size(append: &Append) -> Result<(), Refusal> {
    let events = append.events.len();
    let settled = append.settled.iter().flat_map(|settled| [&settled.reply, &settled.why]);
    let told = [&append.reply].into_iter().chain(settled).flatten();
    let bytes = told
        .chain(append.events.iter().map(|event| &event.payload))
        .fold(0, |sum: usize, bytes| sum.saturating_add(bytes.len()));
    let names: usize = append.events.iter().map(|event| event.name.len()).fold(0, usize::saturating_add);
    let fits = (1..=Append::MAX_EVENTS).contains(&events)
        && bytes <= Append::MAX_BYTES
        && names <= MAX_NAMES
        && texts(append).all(|text| text.len() <= MAX_TEXT);
    if fits { Ok(()) } else { Err(Refusal::TooLarge { bytes: bytes.saturating_add(names), events }) }
}

/// Bytes of all event names of one append together: 1024 events with names of 1 KiB. Keeps a record, whatever is in
/// it, below 8 MiB.
const MAX_NAMES: usize = 1 << 20;

/// Every text of an append.
fn texts(append: &Append) -> impl Iterator<Item = &str> {
    let StreamId { kind, key } = &append.stream;
    let origins = [
        Some(&append.origin),
        append.begun.as_ref().map(|begun| &begun.how),
        append.settled.as_ref().map(|settled| &settled.how),
    ];
    let marks = origins.into_iter().flatten().flat_map(|origin| match origin {
        Origin::Dispatch(mark) => vec![&*mark.policy, &*mark.unit],
        Origin::Fresh | Origin::Repeatable { .. } => Vec::new(),
    });
    let step = append.begun.as_ref().map(|begun| &*begun.step);
    let cause = match &append.causation {
        Causation::Event { unit, .. } => Some(&**unit),
        Causation::Request | Causation::Command(_) => None,
    };
    [&**kind, &**key, &*append.correlation]
        .into_iter()
        .chain(marks)
        .chain(step)
        .chain(cause)
        .chain(append.events.iter().map(|event| &*event.name))
}
