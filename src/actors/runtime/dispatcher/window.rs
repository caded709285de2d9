//! Which events of a partition are not dealt with yet.

use std::collections::VecDeque;

/// Events with commands on their way, and the settled ones behind the first of them.
#[derive(Debug, Default)]
pub(super) struct Window(VecDeque<(u64, usize)>);

impl Window {
    /// Events remembered above the first unsettled one; then the partition waits.
    pub(super) const LIMIT: usize = 4096;

    /// An event led to `commands` commands. Offsets come in order.
    pub(super) fn open(&mut self, offset: u64, commands: usize) {
        self.0.push_back((offset, commands));
    }

    /// One command of the event is done with.
    pub(super) fn settle(&mut self, offset: u64) {
        if let Ok(at) = self.0.binary_search_by_key(&offset, |(offset, _)| *offset)
            && let Some((_, open)) = self.0.get_mut(at)
        {
            *open = open.saturating_sub(1);
        }
        while self.0.front().is_some_and(|(_, open)| *open == 0) {
            self.0.pop_front();
        }
    }

    /// Everything up to here is dealt with, when everything up to `read` has been read.
    pub(super) fn cursor(&self, read: u64) -> u64 {
        self.0.front().map_or(read, |(offset, _)| offset.saturating_sub(1))
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= Self::LIMIT
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_never_passes_an_event_with_a_command_on_its_way() {
        let mut window = Window::default();
        window.open(3, 2);
        window.open(5, 1);
        window.open(9, 1);
        assert_eq!(window.cursor(10), 2);
        window.settle(5);
        window.settle(3);
        assert_eq!(window.cursor(10), 2, "one command of event 3 is still on its way");
        window.settle(3);
        assert_eq!(window.cursor(10), 8);
        window.settle(9);
        assert_eq!(window.cursor(10), 10);
    }

    #[test]
    fn completions_above_a_blocked_event_are_remembered_up_to_the_limit() {
        let mut window = Window::default();
        for offset in 1..=Window::LIMIT as u64 {
            window.open(offset, 1);
        }
        for offset in 2..=Window::LIMIT as u64 {
            window.settle(offset);
        }
        assert!(window.is_full());
        window.settle(1);
        assert_eq!((window.len(), window.cursor(4096)), (0, 4096));
    }
}
