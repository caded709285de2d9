//! A store that runs as a process, and what tests ask of it.

use std::{
    fs,
    ops::{Deref, DerefMut},
    sync::mpsc,
    time::Duration,
};

use serde_json::Value;

use crate::{
    common::{Response, Server, Setup},
    wire::{self, Wire},
};

/// The store of one test.
pub(crate) struct Shop(Server);

impl Shop {
    /// With every default, running.
    pub(crate) fn open() -> Self {
        Self(Server::store())
    }

    pub(crate) fn with(config: &str) -> Self {
        Self(Setup::default().config(config).start())
    }

    pub(crate) fn of(server: Server) -> Self {
        Self(server)
    }

    pub(crate) fn wire(&self) -> Wire {
        Wire::new(&self.client())
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.client().send(&wire::get(path))
    }

    pub(crate) fn operators(&self, path: &str) -> Response {
        self.admin().send(&wire::get(path))
    }

    pub(crate) fn send(&self, method: &str, path: &str, key: &str, body: Option<&Value>) -> Response {
        self.client().send(&wire::command(method, path, key, body))
    }

    /// SIGTERM; the process must end well.
    pub(crate) fn close(&mut self) {
        let ended = self.terminate();
        assert!(ended.status.success(), "after SIGTERM: {ended:?}");
    }

    /// Removes everything that can be rebuilt.
    pub(crate) fn forget_tables(&self) {
        for unit in ["main", "alarm"] {
            fs::remove_dir_all(self.data().join(unit).join("sled")).unwrap();
        }
    }

    /// Waits until nothing is under way any more. Several times, for after 200 rounds views are rebuilt from thousands of
    /// events, on a machine that may have other things to do.
    pub(crate) fn quiesce(&self) {
        const TIMES: u32 = 8;
        for time in 1..=TIMES {
            let answer = self.operators("/admin/quiesce?within=15s");
            if answer.status == 200 {
                return;
            }
            assert!(time < TIMES, "the shop does not come to rest: {answer}");
        }
    }

    /// All items of a collection, in pages; also as they came, for comparing.
    pub(crate) fn all(&self, collection: &str) -> (Vec<Value>, String) {
        let (mut items, mut raw) = (Vec::new(), String::new());
        for page in 0.. {
            let answer = self.get(&format!("/{collection}?size=1000&page={page}")).is(200);
            assert_eq!(answer.header("x-view-lag"), None, "{collection} lags after everything came to rest");
            raw.push_str(&answer.text());
            let body = answer.json();
            items.extend(body["_embedded"][collection].as_array().unwrap().iter().cloned());
            if page + 1 >= body["page"]["totalPages"].as_u64().unwrap() {
                let total = body["page"]["totalElements"].as_u64().unwrap();
                assert_eq!(items.len() as u64, total, "{collection} has another count than items");
                break;
            }
        }
        (items, raw)
    }
}

impl Deref for Shop {
    type Target = Server;
    fn deref(&self) -> &Server {
        &self.0
    }
}

impl DerefMut for Shop {
    fn deref_mut(&mut self) -> &mut Server {
        &mut self.0
    }
}

/// Lets this thread wait; a channel that nobody writes to is the clock.
pub(crate) fn pause(time: Duration) {
    let (_keep, never) = mpsc::channel::<()>();
    assert!(never.recv_timeout(time).is_err(), "nobody writes");
}
