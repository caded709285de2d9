//! The other servers, as the scripts in `benches/peers` have started them and told in the environment.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    iter,
    net::SocketAddr,
    path::Path,
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};

use super::histogram::Histogram;
use crate::rounds::Figures;

/// One transaction in so many is logged with its latency: a log of all of them costs the throughput.
const LOGGED: f64 = 0.05;

/// pgbench's time begins before its clients connect, and the rate that it tells when all of them have.
const CONNECTS: Duration = Duration::from_secs(2);

/// What there is to compare with.
pub(super) struct Peers {
    pub(super) postgres: Vec<Postgres>,
    pub(super) restates: Vec<Restate>,
}

/// A way to the cluster with 10 000 rows; `PGHOST` and the like say where that is.
pub(super) struct Postgres {
    pub(super) name: &'static str,
    pgbench: String,
    /// Instead of `PGHOST`, which is its local socket.
    host: Option<String>,
}

/// A Restate server with its service.
pub(super) struct Restate {
    pub(super) name: String,
    pub(super) ingress: SocketAddr,
    /// The server and the service.
    pub(super) processes: Vec<u32>,
}

/// What pgbench does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Script {
    /// `UPDATE ... RETURNING` of a row at random.
    Rows,
    /// The same of one row.
    HotRow,
}

impl Peers {
    /// # Errors
    /// What the environment says is not understood.
    pub(super) fn of_the_environment() -> Result<Self> {
        let postgres =
            Postgres::told(env::var("STEADFAST_PEER_PGBENCH").ok(), env::var("STEADFAST_PEER_PGHOST_TCP").ok());
        let named = [("Restate", "STEADFAST_PEER_RESTATE"), ("Restate, one partition", "STEADFAST_PEER_RESTATE_ONE")];
        let restates =
            named.into_iter().filter_map(|(name, variable)| Some((name, variable, env::var(variable).ok()?)));
        let restates = restates.map(|(name, variable, told)| {
            Restate::told(name, &told).with_context(|| format!("{variable}={told} is not `address pid pid`"))
        });
        Ok(Self { postgres, restates: restates.collect::<Result<_>>()? })
    }

    pub(super) fn names(&self) -> String {
        let mut names: Vec<&str> = self.restates.iter().map(|restate| restate.name.as_str()).collect();
        names.extend(self.postgres.iter().map(|postgres| postgres.name));
        if names.is_empty() { "none (benches/peers/all.sh starts them)".to_owned() } else { names.join(", ") }
    }

    pub(super) fn versions() -> impl Iterator<Item = (&'static str, String)> {
        let named = [
            ("postgresql", "STEADFAST_PEER_POSTGRES_VERSION"),
            ("restate", "STEADFAST_PEER_RESTATE_VERSION"),
            ("restate-sdk", "STEADFAST_PEER_RESTATE_SDK_VERSION"),
        ];
        named.into_iter().filter_map(|(of, variable)| Some((of, env::var(variable).ok()?)))
    }
}

impl Restate {
    fn told(name: &str, told: &str) -> Result<Self> {
        let mut words = told.split_whitespace();
        let ingress = words.next().context("no address")?.parse()?;
        let processes = words.map(str::parse).collect::<Result<Vec<u32>, _>>()?;
        Ok(Self { name: name.to_owned(), ingress, processes })
    }
}

impl Postgres {
    /// The local socket, which is the default of its clients, and TCP, by which everybody else here is asked.
    fn told(pgbench: Option<String>, tcp: Option<String>) -> Vec<Self> {
        let Some(pgbench) = pgbench else { return Vec::new() };
        let socket = Self { name: "PostgreSQL", pgbench: pgbench.clone(), host: None };
        let tcp = tcp.map(|host| Self { name: "PostgreSQL, over TCP", pgbench, host: Some(host) });
        iter::once(socket).chain(tcp).collect()
    }

    /// Has pgbench run the script with prepared statements, one connection a client.
    ///
    /// # Errors
    /// It fails, or a transaction does.
    pub(super) fn round(&self, script: Script, clients: usize, lasting: Duration) -> Result<Figures> {
        let dir = tempfile::tempdir()?;
        let (file, log) = (dir.path().join("script.sql"), dir.path().join("log"));
        let id = match script {
            Script::Rows => "\\set id random(1, 10000)\n",
            Script::HotRow => "\\set id 1\n",
        };
        fs::write(
            &file,
            format!("{id}UPDATE product SET quantity = quantity + 1 WHERE id = :id RETURNING quantity;\n"),
        )?;
        let mut command = Command::new(&self.pgbench);
        command.args(["--no-vacuum", "--protocol=prepared", "--jobs=2", "--log"]);
        command.arg(format!("--client={clients}")).arg(format!("--time={}", (lasting + CONNECTS).as_secs()));
        command.arg(format!("--sampling-rate={LOGGED}")).arg(format!("--log-prefix={}", log.display()));
        command.args(self.host.iter().map(|host| format!("--host={host}")));
        let output = command.arg("--file").arg(&file).output().context("cannot start pgbench")?;
        let said = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            bail!("pgbench: {}{said}", String::from_utf8_lossy(&output.stderr));
        }
        let rate = rate(&said).ok_or_else(|| anyhow!("pgbench tells no rate: {said}"))?;
        let took = latencies(dir.path())?;
        let millis = |share| took.quantile(share).as_secs_f64() * 1000.0;
        Ok(vec![("rate", rate), ("p50_ms", millis(0.5)), ("p99_ms", millis(0.99))])
    }
}

/// Transactions a second of what pgbench says.
fn rate(said: &str) -> Option<f64> {
    said.lines().find_map(|line| line.strip_prefix("tps = ")?.split_whitespace().next()?.parse().ok())
}

/// The latencies of all its logs: the third field of each line, in microseconds.
fn latencies(dir: &Path) -> Result<Histogram> {
    let mut took = Histogram::default();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("log.")) {
            continue;
        }
        for line in BufReader::new(fs::File::open(path)?).lines() {
            let line = line?;
            let micros = line.split_whitespace().nth(2).and_then(|micros| micros.parse().ok());
            took.record(Duration::from_micros(micros.with_context(|| format!("no latency in `{line}`"))?));
        }
    }
    Ok(took)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pgbench_says_and_logs_is_read() -> Result<()> {
        let said = "latency average = 4.2 ms\ntps = 15123.456 (without initial connection time)\n";
        assert_eq!((rate(said), rate("no")), (Some(15123.456), None));
        let dir = tempfile::tempdir()?;
        fs::write(dir.path().join("log.1"), "0 1 4000 0 1770000000 1\n1 1 6000 0 1770000000 2\n")?;
        fs::write(dir.path().join("log.1.1"), "2 1 8000 0 1770000000 1\n")?;
        fs::write(dir.path().join("script.sql"), "SELECT 1")?;
        assert_eq!(latencies(dir.path())?.longest(), Duration::from_millis(8));
        fs::write(dir.path().join("log.2"), "garbage\n")?;
        assert!(latencies(dir.path()).is_err());
        Ok(())
    }

    #[test]
    fn postgres_is_asked_on_its_socket_and_where_it_listens_over_tcp() {
        let told = |pgbench: Option<&str>, tcp: Option<&str>| {
            let told = Postgres::told(pgbench.map(str::to_owned), tcp.map(str::to_owned));
            told.into_iter().map(|postgres| (postgres.name, postgres.host)).collect::<Vec<_>>()
        };
        assert_eq!(told(None, Some("127.0.0.1")), []);
        assert_eq!(told(Some("pgbench"), None), [("PostgreSQL", None)]);
        let tcp = ("PostgreSQL, over TCP", Some("127.0.0.1".to_owned()));
        assert_eq!(told(Some("pgbench"), Some("127.0.0.1")), [("PostgreSQL", None), tcp]);
    }

    #[test]
    fn a_server_of_the_environment_is_its_address_and_its_processes() -> Result<()> {
        let restate = Restate::told("Restate", "127.0.0.1:18080 12 13")?;
        assert_eq!((restate.ingress.port(), restate.processes), (18080, vec![12, 13]));
        assert!(Restate::told("Restate", "localhost").is_err() && Restate::told("Restate", "").is_err());
        Ok(())
    }
}
