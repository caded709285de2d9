//! How many connections one address has.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use crate::AddressRange;

/// The connections of a listener by their client. At most as many entries as connections. All clones are one.
#[derive(Clone, Debug, Default)]
pub(super) struct Crowd(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A connection of a client, until dropped.
#[derive(Debug)]
pub(super) struct Guest {
    crowd: Crowd,
    client: IpAddr,
}

impl Crowd {
    /// Lets a connection of `address` in, unless it has `most` already.
    pub(super) fn enter(&self, address: IpAddr, most: usize) -> Option<Guest> {
        let client = AddressRange::client(address);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(client).or_default();
        if *count >= most {
            // an entry of ours has a connection at least, unless nobody may have any
            if *count == 0 {
                counts.remove(&client);
            }
            return None;
        }
        *count += 1;
        Some(Guest { crowd: self.clone(), client })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut counts = self.crowd.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_at_most_its_connections_and_leaves_no_trace() {
        let crowd = Crowd::default();
        let [anna, bert, network]: [IpAddr; 3] =
            ["10.0.0.1", "10.0.0.2", "2001:db8::1"].map(|address| address.parse().unwrap());
        let first = crowd.enter(anna, 2).unwrap();
        let second = crowd.enter(anna, 2).unwrap();
        assert!(crowd.enter(anna, 2).is_none());
        assert!(crowd.enter(bert, 2).is_some(), "another client has its own");
        drop(first);
        let third = crowd.enter(anna, 2).unwrap();
        let of_network = crowd.enter(network, 1).unwrap();
        assert!(crowd.enter("2001:db8::2".parse().unwrap(), 1).is_none(), "a network of IPv6 is one client");
        drop((second, third, of_network));
        assert!(crowd.enter(anna, 0).is_none());
        assert!(crowd.0.lock().unwrap().is_empty());
    }
}
