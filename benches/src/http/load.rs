//! Clients that each send, wait for the answer, and send again; the same for every server that speaks HTTP.

use std::{
    cell::RefCell,
    net::SocketAddr,
    rc::Rc,
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tokio::{
    task::{JoinSet, LocalSet},
    time::{sleep, sleep_until},
};

use super::{histogram::Histogram, wire::Wire};

/// Threads that send. The server has as many cores, and the kernel shares them.
const THREADS: usize = 2;
/// A refusal that does not say when to come back.
const COME_BACK: Duration = Duration::from_secs(1);

/// What makes the requests of a load, written into the buffer.
pub(crate) trait Requests: Clone + Send + 'static {
    fn write(&self, into: &mut Vec<u8>, random: &mut fastrand::Rng);
}

impl<F: Fn(&mut Vec<u8>, &mut fastrand::Rng) + Clone + Send + 'static> Requests for F {
    fn write(&self, into: &mut Vec<u8>, random: &mut fastrand::Rng) {
        self(into, random);
    }
}

/// A load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) to: SocketAddr,
    pub(crate) connections: usize,
    pub(crate) lasting: Duration,
    /// Requests a second of all connections together; `None` for as many as are answered.
    pub(crate) pace: Option<f64>,
}

/// What came of it.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) done: u64,
    /// 429 and 503: not done, and said so.
    pub(crate) refused: u64,
    /// How long what was done took.
    pub(crate) took: Histogram,
    pub(crate) lasted: Duration,
}

impl Heard {
    /// Requests done a second.
    pub(crate) fn rate(&self) -> f64 {
        self.done as f64 / self.lasted.as_secs_f64()
    }

    /// The time within which `share` of what was done was answered, in milliseconds.
    pub(crate) fn millis(&self, share: f64) -> f64 {
        self.took.quantile(share).as_secs_f64() * 1000.0
    }

    fn add(&mut self, other: &Self) {
        self.done += other.done;
        self.refused += other.refused;
        self.took.add(&other.took);
        self.lasted = self.lasted.max(other.lasted);
    }
}

impl Load {
    /// Puts the load on; returns when every client has its last answer. Connections are made before it begins.
    ///
    /// # Errors
    /// A connection breaks, or an answer is neither a success nor a refusal: a rate of errors is no rate.
    pub(crate) fn run(self, requests: &impl Requests) -> Result<Heard> {
        let threads = THREADS.min(self.connections);
        let begin = Arc::new(Barrier::new(threads));
        let threads: Vec<_> = (0..threads)
            .map(|nth| {
                let (requests, begin) = (requests.clone(), begin.clone());
                thread::spawn(move || self.part(nth, &requests, &begin))
            })
            .collect();
        let mut heard = Heard::default();
        let mut failed = None;
        for thread in threads {
            match thread.join() {
                Ok(Ok(part)) => heard.add(&part),
                Ok(Err(error)) => failed = Some(error),
                Err(_) => bail!("a thread of the load panicked"),
            }
        }
        failed.map_or(Ok(heard), Err)
    }

    /// The share of one thread.
    fn part(self, nth: usize, requests: &impl Requests, start: &Barrier) -> Result<Heard> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, async {
            let mut wires = Vec::new();
            let mut failed = None;
            for client in (nth..self.connections).step_by(THREADS) {
                match Wire::connect(self.to).await {
                    Ok(wire) => wires.push((client, wire)),
                    Err(error) => failed = Some(error),
                }
            }
            // Also after a failure, for the other thread waits.
            start.wait();
            if let Some(error) = failed {
                return Err(error);
            }
            let begun = Instant::now();
            let (mut clients, heard) = (JoinSet::new(), Rc::<RefCell<Heard>>::default());
            for (client, wire) in wires {
                clients.spawn_local(self.client(client, wire, requests.clone(), begun, heard.clone()));
            }
            while let Some(ended) = clients.join_next().await {
                ended.context("a client panicked")??;
            }
            let mut heard = heard.take();
            heard.lasted = begun.elapsed();
            Ok(heard)
        })
    }

    async fn client(
        self,
        nth: usize,
        mut wire: Wire,
        requests: impl Requests,
        begun: Instant,
        heard: Rc<RefCell<Heard>>,
    ) -> Result<()> {
        let mut bytes = Vec::with_capacity(512);
        let mut random = fastrand::Rng::with_seed(nth as u64);
        let end = begun + self.lasting;
        let period = self.pace.map(|rate| Duration::from_secs_f64(self.connections as f64 / rate));
        // Clients of a pace begin one after the other, evenly.
        let mut due = begun + period.unwrap_or_default().mul_f64(nth as f64 / self.connections as f64);
        loop {
            let mut sent = Instant::now();
            if let Some(period) = period {
                if due > sent {
                    sleep_until(due.into()).await;
                    // The timer's millisecond is not the server's.
                    sent = Instant::now();
                } else {
                    // Late, because the answer before was: that counts.
                    sent = due;
                }
                due += period;
            }
            if sent >= end {
                return Ok(());
            }
            requests.write(&mut bytes, &mut random);
            let answer = wire.exchange(&bytes).await?;
            match answer.status {
                200..=299 => {
                    let mut heard = heard.borrow_mut();
                    heard.done += 1;
                    heard.took.record(sent.elapsed());
                }
                429 | 503 => {
                    heard.borrow_mut().refused += 1;
                    let later = answer.retry_after.map_or(COME_BACK, Duration::from_secs);
                    sleep(later.min(end.saturating_duration_since(Instant::now()))).await;
                }
                status => bail!(
                    "{status} to {}: {}",
                    String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default(),
                    String::from_utf8_lossy(answer.body)
                ),
            }
        }
    }
}

/// Sends `count` requests over 64 connections, each made from its number.
///
/// # Errors
/// One of them is not done.
pub(crate) fn each(to: SocketAddr, count: usize, write: impl Fn(usize, &mut Vec<u8>)) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let senders = (0..64).map(|first| {
            let write = &write;
            async move {
                let (mut wire, mut bytes) = (Wire::connect(to).await?, Vec::new());
                for nth in (first..count).step_by(64) {
                    write(nth, &mut bytes);
                    let answer = wire.exchange(&bytes).await?;
                    if !(200..300).contains(&answer.status) {
                        bail!("{}: {}", answer.status, String::from_utf8_lossy(answer.body));
                    }
                }
                Ok(())
            }
        });
        futures::future::try_join_all(senders).await.map(drop)
    })
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
    };

    use super::*;

    /// A server that answers every second request of a connection with `second`, the others with 200.
    fn server(second: &'static str) -> Result<SocketAddr> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        thread::spawn(move || {
            for stream in listener.incoming() {
                thread::spawn(move || {
                    let (mut stream, mut bytes) = (stream?, [0; 1024]);
                    for nth in 0.. {
                        if stream.read(&mut bytes)? == 0 {
                            break;
                        }
                        let status = if nth % 2 == 0 { "200 OK" } else { second };
                        write!(stream, "HTTP/1.1 {status}\r\nretry-after: 0\r\ncontent-length: 2\r\n\r\nhi")?;
                    }
                    std::io::Result::Ok(())
                });
            }
        });
        Ok(address)
    }

    fn load(second: &'static str, pace: Option<f64>) -> Result<Heard> {
        let load = Load { to: server(second)?, connections: 3, lasting: Duration::from_millis(300), pace };
        load.run(&|bytes: &mut Vec<u8>, _: &mut fastrand::Rng| super::super::wire::request(bytes, "GET", "/", None))
    }

    #[test]
    fn refusals_are_counted_apart_and_an_error_ends_the_load() -> Result<()> {
        let heard = load("503 Service Unavailable", None)?;
        assert!(heard.done > 0 && heard.done.abs_diff(heard.refused) <= 3, "{} {}", heard.done, heard.refused);
        let error = load("500 Internal Server Error", None).err().context("an error")?.to_string();
        assert_eq!(error, "500 to GET / HTTP/1.1: hi");
        Ok(())
    }

    #[test]
    fn a_pace_is_kept_by_all_clients_together() -> Result<()> {
        let heard = load("200 OK", Some(100.0))?;
        // Three clients, each every 30 ms; on a busy machine the last of each may come too late.
        assert!((20..=30).contains(&heard.done), "{} in 300 ms at 100 a second", heard.done);
        Ok(())
    }
}
