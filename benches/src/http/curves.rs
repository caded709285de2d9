//! What a command costs over more and more connections.

use std::path::Path;

use anyhow::{Context, Result};
use rustix::process::{Resource, getrlimit, setrlimit};

use super::{compare::over_http, server::Store, store};
use crate::{results::Results, rounds::Times};

const CONNECTIONS: [usize; 8] = [1, 4, 16, 64, 256, 1_000, 4_000, 10_000];

/// As many connections as are measured, and a request under way on each of them: the server allows 1024 and 2048 unless
/// it is told otherwise, and lets 4096 commands of a service wait. The first connection waits for the last to be made.
const CONFIG: &str = "\
[server]
max_connections = 11000
header_deadline = \"2m\"
[limits]
requests = 20000
[service]
budget_messages = 20000
";

pub(crate) fn measure(dir: &Path, times: Times, results: &mut Results) -> Result<()> {
    open_many_files()?;
    let store = Store::start(dir, CONFIG)?;
    store::write_messages(store.public)?;
    store.rest()?;
    for _ in 0..times.rounds {
        for connections in CONNECTIONS {
            let requests = store::rewrite_message(store::KEYS);
            let figures = over_http(store.public, &[store.id()], connections, times.round, &requests);
            let figures = figures.with_context(|| format!("{connections} connections"))?;
            results.round("connections", "steadfast", connections, &figures);
            store.rest()?;
        }
    }
    store.stop()
}

/// Raises how many files this process and the server may have open to what the system allows.
fn open_many_files() -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).context("cannot raise the number of open files")
}
