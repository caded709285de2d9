//! The access log: a line for each request, or for a sample of them, written off everybody's way.
//!
//! Whoever answers a request hands its line to a bounded queue and goes on; when that is full, the line is dropped and
//! counted. One thread writes what is in the queue, and flushes when nothing is left.

use std::{
    fmt,
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use http::Method;
use serde_json::json;
use xxhash_rust::xxh3::xxh3_64;

use tracing::Span;

use crate::{RequestMeters, RouteMeter, Timestamp, spans};

/// Lines that wait for the writer: half a second of what one core serves, at some hundred bytes each.
const QUEUE: usize = 8_192;

/// Bytes of a path that are kept.
const LONGEST_PATH: usize = 512;

/// The name of standard output.
const STANDARD_OUTPUT: &str = "-";

/// The access log could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("the access log {} cannot be opened", .path.display())]
pub struct AccessLogError {
    /// Where it should be.
    pub path: PathBuf,
    /// What the system says.
    #[source]
    pub source: io::Error,
}

/// Takes lines of all listeners. All clones are one; the last one waits until all lines are written.
#[derive(Clone)]
pub struct AccessLog(Arc<Inner>);

struct Inner {
    one_in: u64,
    /// Taken when it ends, so that the writer does.
    to: Option<SyncSender<Line>>,
    writer: Option<JoinHandle<()>>,
}

/// One request that was answered.
#[derive(Debug)]
pub(crate) struct Answered<'a> {
    pub(crate) at: Timestamp,
    pub(crate) method: &'a Method,
    /// Without the query, which may hold what is nobody's business.
    pub(crate) path: &'a str,
    pub(crate) route: &'a Arc<RouteMeter>,
    pub(crate) status: u16,
    pub(crate) took: Duration,
    /// Of the answer's body, where that is known by then.
    pub(crate) bytes: Option<usize>,
    pub(crate) correlation: &'a Arc<str>,
}

impl Answered<'_> {
    /// Counts it in the figures of its route, says in its span what was answered, and has a line written, where one is wanted.
    pub(crate) fn keep(self, meters: &RequestMeters, traced: &Span, access: Option<&AccessLog>) {
        let Self { at, method, path, route, status, took, bytes, correlation } = self;
        route.answered(method.as_str(), status, took);
        spans::answered(traced, route.route(), status);
        if let Some(access) = access.filter(|access| access.wants(correlation, status)) {
            let path = path.get(..path.floor_char_boundary(LONGEST_PATH)).unwrap_or_default().to_owned();
            let (method, route, correlation) = (method.clone(), route.clone(), correlation.clone());
            meters.count_line(access.take(Line { at, method, path, route, status, took, bytes, correlation }));
        }
    }
}

/// The line of a request.
#[derive(Debug)]
struct Line {
    at: Timestamp,
    method: Method,
    path: String,
    route: Arc<RouteMeter>,
    status: u16,
    took: Duration,
    bytes: Option<usize>,
    correlation: Arc<str>,
}

impl AccessLog {
    /// Appends to the file at `path`, `-` for standard output, a line for one request of `one_in`; 1 for every one.
    ///
    /// # Errors
    /// [`AccessLogError`]: the file cannot be opened, or there is no thread to write it.
    pub fn open(path: &Path, one_in: u64) -> Result<Self, AccessLogError> {
        let failed = |source| AccessLogError { path: path.to_owned(), source };
        let out: Box<dyn Write + Send> = if path == Path::new(STANDARD_OUTPUT) {
            Box::new(io::stdout())
        } else {
            Box::new(File::options().create(true).append(true).open(path).map_err(failed)?)
        };
        Self::to(out, one_in).map_err(failed)
    }

    fn to(out: impl Write + Send + 'static, one_in: u64) -> io::Result<Self> {
        let (to, lines) = sync_channel(QUEUE);
        let write = move || write_all(&lines, &mut BufWriter::new(out));
        let writer = thread::Builder::new().name("access-log".to_owned()).spawn(write)?;
        Ok(Self(Arc::new(Inner { one_in: one_in.max(1), to: Some(to), writer: Some(writer) })))
    }

    /// Whether a request gets a line: chosen by its correlation id, so that all that belongs to one is chosen alike. An
    /// answer that is our fault always does.
    fn wants(&self, correlation: &str, status: u16) -> bool {
        self.0.one_in == 1 || status >= 500 || xxh3_64(correlation.as_bytes()).is_multiple_of(self.0.one_in)
    }

    /// Hands a line over; false when it was dropped, because too many wait.
    fn take(&self, line: Line) -> bool {
        self.0.to.as_ref().is_some_and(|to| to.try_send(line).is_ok())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.to = None;
        // A panic in there was reported by its own thread.
        self.writer.take().map(JoinHandle::join);
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessLog").field("one_in", &self.0.one_in).finish_non_exhaustive()
    }
}

fn write_all(lines: &Receiver<Line>, out: &mut impl Write) {
    let mut fails = false;
    loop {
        let line = match lines.try_recv() {
            Ok(line) => line,
            Err(TryRecvError::Disconnected) => break,
            Err(TryRecvError::Empty) => {
                fails = told(out.flush(), fails);
                match lines.recv() {
                    Ok(line) => line,
                    Err(_) => break,
                }
            }
        };
        fails = told(writeln!(out, "{}", shown(line)), fails);
    }
    told(out.flush(), fails);
}

/// Says that lines are lost when that begins; whether they are.
fn told(written: io::Result<()>, before: bool) -> bool {
    match written {
        Ok(()) => false,
        Err(error) => {
            if !before {
                tracing::error!(%error, "the access log cannot be written; lines are lost");
            }
            true
        }
    }
}

fn shown(line: Line) -> serde_json::Value {
    let Line { at, method, path, route, status, took, bytes, correlation } = line;
    let moment = i64::try_from(at.as_millis()).ok().and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
    json!({
        "at": moment.map(|moment| moment.to_string()),
        "method": method.as_str(),
        "path": path,
        "route": route.route(),
        "system": route.system(),
        "service": route.service(),
        "status": status,
        "micros": u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        "bytes": bytes,
        "correlation": correlation,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc::channel};

    use serde_json::Value;

    use super::*;
    use crate::RequestMeters;

    fn answer(correlation: &str, meters: &RequestMeters, log: &AccessLog) {
        let answered = Answered {
            at: Timestamp::from_millis(1_625_721_994_123),
            method: &Method::POST,
            path: &format!("/order/{}", "호".repeat(400)),
            route: &meters.route("store", "order", "/orders/{id}"),
            status: 201,
            took: Duration::from_micros(1500),
            bytes: Some(7),
            correlation: &correlation.into(),
        };
        answered.keep(meters, &Span::none(), Some(log));
    }

    /// Writes nothing until it is told to.
    struct Gated(Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Gated {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.recv().ok(); // an error once the test has let go of it: then it writes at once
            self.1.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_queue_drops_lines_and_the_others_are_written_before_it_ends() {
        let (open, gate) = channel();
        let written = Arc::new(Mutex::new(Vec::new()));
        let log = AccessLog::to(Gated(gate, written.clone()), 1).unwrap();
        // The writer holds some in its buffer before it blocks.
        let meters = RequestMeters::default();
        (0..QUEUE * 3).for_each(|n| answer(&n.to_string(), &meters, &log));
        let (taken, dropped) = meters.lines();
        let taken = usize::try_from(taken).unwrap();
        assert!((QUEUE..QUEUE * 3).contains(&taken) && dropped > 0, "{taken}, {dropped}");
        drop((open, log));
        let text = String::from_utf8(std::mem::take(&mut *written.lock().unwrap())).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), taken);
        let first = &lines[0];
        assert_eq!(first["at"], "2021-07-08T05:26:34.123Z");
        assert_eq!(first["path"].as_str().unwrap().len(), 511, "cut between two letters");
        assert_eq!(
            (&first["route"], &first["micros"], &first["correlation"]),
            (&"/orders/{id}".into(), &1500.into(), &"0".into())
        );
    }

    #[test]
    fn a_sample_is_about_its_share_and_always_the_same_and_faults_of_ours_are_in_it() {
        let log = AccessLog::to(io::sink(), 10).unwrap();
        let chosen = || (0..10_000).filter(|n| log.wants(&format!("request-{n}"), 200)).collect::<Vec<_>>();
        assert!((800..1200).contains(&chosen().len()), "{}", chosen().len());
        assert_eq!(chosen(), chosen());
        assert!((0..100).all(|n| log.wants(&format!("request-{n}"), 503)));
    }
}
