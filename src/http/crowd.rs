//! How much one client has of what all clients share.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use crate::AddressRange;

/// What clients have of one thing, each by its address. At most as many entries as there are guests. All clones are one.
#[derive(Clone, Debug, Default)]
pub(super) struct Crowd(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// What one of them took at once, until dropped.
#[derive(Debug)]
pub(super) struct Guest {
    crowd: Crowd,
    client: IpAddr,
    taken: usize,
}

impl Crowd {
    /// Takes so much for `address`; also tells how much that client has then.
    pub(super) fn enter(&self, address: IpAddr, taken: usize) -> (Guest, usize) {
        let mut guest = Guest { crowd: self.clone(), client: AddressRange::client(address), taken: 0 };
        let all = guest.take(taken);
        (guest, all)
    }
}

impl Guest {
    /// Takes so much more; tells how much its client has then.
    pub(super) fn take(&mut self, more: usize) -> usize {
        let mut counts = self.crowd.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all = counts.entry(self.client).or_default();
        *all += more;
        self.taken += more;
        *all
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut counts = self.crowd.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(all) = counts.get_mut(&self.client) {
            *all -= self.taken;
            if *all == 0 {
                counts.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_has_is_counted_and_leaves_no_trace() {
        let crowd = Crowd::default();
        let [anna, bert, network]: [IpAddr; 3] =
            ["10.0.0.1", "10.0.0.2", "2001:db8::1"].map(|address| address.parse().unwrap());
        let (first, all) = crowd.enter(anna, 1);
        assert_eq!(all, 1);
        let (mut second, all) = crowd.enter(anna, 2);
        assert_eq!(all, 3);
        assert_eq!(crowd.enter(bert, 1).1, 1, "another client has its own");
        drop(first);
        assert_eq!(second.take(3), 5);
        let (of_network, _) = crowd.enter(network, 1);
        assert_eq!(crowd.enter("2001:db8::2".parse().unwrap(), 1).1, 2, "a network of IPv6 is one client");
        drop((second, of_network));
        assert!(crowd.0.lock().unwrap().is_empty());
    }
}
