//! What waits in which lane, and how much is on its way.

use std::collections::VecDeque;

use super::{carrier::Lane, delivery::Outgoing};
use crate::maps::Map;

/// The lanes of one run. Deliveries of a lane are on their way alone, or in a series; the others of it wait behind them,
/// bounded by the windows of their partitions.
#[derive(Default)]
pub(super) struct Lanes {
    /// A lane is here while something of it is on its way.
    waiting: Map<Lane, VecDeque<Outgoing>>,
    on_their_way: usize,
}

impl Lanes {
    /// How many deliveries are on their way.
    pub(super) fn on_their_way(&self) -> usize {
        self.on_their_way
    }

    /// A new delivery: it goes on its way at once, or waits behind others of its lane.
    pub(super) fn enter(&mut self, outgoing: Outgoing) -> Option<Outgoing> {
        if let Some(queue) = self.waiting.get_mut(&outgoing.lane) {
            queue.push_back(outgoing);
            return None;
        }
        self.waiting.insert(outgoing.lane.clone(), VecDeque::new());
        self.on_their_way += 1;
        Some(outgoing)
    }

    /// So many are not on their way any more.
    pub(super) fn came_back(&mut self, deliveries: usize) {
        self.on_their_way = self.on_their_way.saturating_sub(deliveries);
    }

    /// Deliveries that came back and for which nothing was done: they go before all that waits in their lane.
    pub(super) fn again(&mut self, lane: &Lane, deliveries: Vec<Outgoing>) {
        if let Some(queue) = self.waiting.get_mut(lane) {
            deliveries.into_iter().rev().for_each(|outgoing| queue.push_front(outgoing));
        }
    }

    /// The next of a lane of which nothing is on its way any more, in order, at most `most`; they are on their way.
    pub(super) fn next(&mut self, lane: &Lane, most: usize) -> Vec<Outgoing> {
        let Some(queue) = self.waiting.get_mut(lane) else { return Vec::new() };
        let next: Vec<_> = queue.drain(..queue.len().min(most)).collect();
        if next.is_empty() {
            self.waiting.remove(lane);
        }
        self.on_their_way += next.len();
        next
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{by_number, of_event},
        *,
    };

    fn offsets(deliveries: &[Outgoing]) -> Vec<u64> {
        deliveries.iter().map(|outgoing| outgoing.fact.position.offset).collect()
    }

    #[test]
    fn what_waits_in_a_lane_goes_together_in_order_up_to_the_limit_and_what_comes_back_goes_first() {
        let (mut lanes, lane) = (Lanes::default(), by_number(1));
        assert_eq!(lanes.enter(of_event(1)).map(|outgoing| outgoing.fact.position.offset), Some(1));
        for offset in 2..=6 {
            assert!(lanes.enter(of_event(offset)).is_none(), "behind the first");
        }
        lanes.came_back(1);
        let mut series = lanes.next(&lane, 3);
        assert_eq!((offsets(&series), lanes.on_their_way()), (vec![2, 3, 4], 3));
        lanes.came_back(3);
        lanes.again(&lane, series.split_off(1));
        assert_eq!(offsets(&lanes.next(&lane, 9)), [3, 4, 5, 6]);
        lanes.came_back(4);
        assert!(lanes.next(&lane, 9).is_empty());
        assert!(lanes.enter(of_event(7)).is_some(), "nothing is on its way any more");
    }
}
