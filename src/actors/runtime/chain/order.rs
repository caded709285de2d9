//! The order of a chain: causes first, otherwise by time.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use super::ChainLink;

/// A chain in order.
pub(super) struct Ordered {
    pub(super) links: Vec<ChainLink>,
    /// Whether the cause of each is there.
    pub(super) all_caused: bool,
}

/// Puts each link behind its cause, and sets its depth. One whose cause is not there begins a part of its own.
pub(super) fn ordered(found: Vec<ChainLink>) -> Ordered {
    let mut by_id: HashMap<String, usize> = HashMap::new();
    for (index, link) in found.iter().enumerate() {
        // The command that began a step has the same id as nothing else; its first record is the one that is meant.
        by_id
            .entry(link.command.to_string())
            .and_modify(|first| {
                if found.get(*first).is_some_and(|first| first.at > link.at) {
                    *first = index;
                }
            })
            .or_insert(index);
        by_id.extend(link.events.iter().map(|event| (event.id.clone(), index)));
    }
    let cause = |index: usize| {
        let cause = found.get(index)?.cause.as_ref()?;
        by_id.get(cause).copied().filter(|cause| *cause != index)
    };
    let mut effects: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut next: BinaryHeap<Reverse<(u64, String, usize, u32)>> = BinaryHeap::new();
    let place = |index: usize, depth: u32| {
        found.get(index).map(|link| {
            let first = link.events.first().map_or_else(String::new, |event| event.id.clone());
            Reverse((link.at.as_millis(), first, index, depth))
        })
    };
    let mut all_caused = true;
    for (index, link) in found.iter().enumerate() {
        if let Some(cause) = cause(index) {
            effects.entry(cause).or_default().push(index);
        } else {
            all_caused &= link.cause.is_none();
            next.extend(place(index, 0));
        }
    }
    let mut order = Vec::with_capacity(found.len());
    while let Some(Reverse((_, _, index, depth))) = next.pop() {
        order.push((index, depth));
        next.extend(effects.remove(&index).into_iter().flatten().filter_map(|effect| place(effect, depth + 1)));
    }
    let mut found: Vec<Option<ChainLink>> = found.into_iter().map(Some).collect();
    let links = order.into_iter().filter_map(|(index, depth)| {
        let link = found.get_mut(index)?.take()?;
        Some(ChainLink { depth, ..link })
    });
    Ordered { links: links.collect(), all_caused }
}

#[cfg(test)]
mod tests {
    use super::{super::ChainEvent, *};
    use crate::actors::entity::{CommandId, Number, Timestamp};

    fn link(command: u128, cause: Option<&str>, at: u64, event: &str) -> ChainLink {
        ChainLink {
            command: CommandId::from_bits(command),
            by: "request",
            policy: None,
            depth: 9,
            cause: cause.map(str::to_owned),
            at: Timestamp::from_millis(at),
            kind: "store.order".to_owned(),
            key: "k".to_owned(),
            number: Number::NONE,
            began: None,
            events: vec![ChainEvent { id: event.to_owned(), name: "It".to_owned(), sequence: 1, public: true }],
        }
    }

    fn told(ordered: &Ordered) -> Vec<(&str, u32)> {
        ordered.links.iter().map(|link| (link.events[0].id.as_str(), link.depth)).collect()
    }

    #[test]
    fn causes_come_first_also_against_the_clock_and_the_rest_is_by_time() {
        let first = CommandId::from_bits(1).to_string();
        let found = vec![
            link(4, Some("main:0:2"), 5, "main:0:4"), // before its cause, by a clock that was put back
            link(3, Some(&first), 30, "main:0:3"),
            link(2, Some(&first), 20, "main:0:2"),
            link(1, None, 10, "main:0:1"),
        ];
        let ordered = ordered(found);
        assert_eq!(told(&ordered), [("main:0:1", 0), ("main:0:2", 1), ("main:0:4", 2), ("main:0:3", 1)]);
        assert!(ordered.all_caused);
    }

    #[test]
    fn one_whose_cause_is_missing_is_shown_and_the_chain_is_not_whole() {
        let ordered = ordered(vec![link(2, Some("main:0:9"), 20, "main:0:2"), link(1, None, 10, "main:0:1")]);
        assert_eq!(told(&ordered), [("main:0:1", 0), ("main:0:2", 0)]);
        assert!(!ordered.all_caused);
    }

    #[test]
    fn a_command_that_wrote_twice_is_its_own_cause_never() {
        let own = CommandId::from_bits(1).to_string();
        let ordered = ordered(vec![link(1, None, 10, "main:0:1"), link(1, Some(&own), 20, "main:0:2")]);
        assert_eq!(told(&ordered), [("main:0:1", 0), ("main:0:2", 1)]);
    }
}
