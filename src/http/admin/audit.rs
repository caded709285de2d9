//! What operators changed: written down before it is done, and again with what came of it.
//!
//! One JSON object a line, in a file that is only appended to. A file that is full is put aside as `<name>.1`, the one
//! before it as `<name>.2`, and so on; the oldest goes.

use std::{
    fmt,
    fs::{self, File},
    future::Future,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use http::StatusCode;
use serde_json::{Map, Value};

use crate::{
    AdminConfig, Clock, ReadBy, Timestamp,
    http::{
        GuardError, Problem,
        request::{Request, Response},
    },
};

/// More of a body or a reason is left out: both are short.
const MOST_OF_BODY: usize = 1024;
/// More of a path or a query is left out.
const MOST_OF_URL: usize = 512;

/// The operators' audit log. All clones are one.
#[derive(Clone, Debug, Default)]
pub struct Audit(Option<Arc<Log>>);

#[derive(Debug)]
struct Log {
    path: PathBuf,
    most_bytes: u64,
    files: u32,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    file: File,
    bytes: u64,
}

impl Audit {
    /// Nothing is written down: for whoever puts a system together without operators.
    pub fn none() -> Self {
        Self::default()
    }

    /// Opens the log that `config` names, by default in the directory `data`, and makes it if need be.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn open(config: &AdminConfig, data: &Path) -> Result<Self, GuardError> {
        let path = config.audit_file.clone().unwrap_or_else(|| data.join("audit.log"));
        let most_bytes = config.audit_size.get();
        let opened = || {
            if let Some(directory) = path.parent() {
                fs::create_dir_all(directory)?;
            }
            Current::open(&path)
        };
        let current = opened().map_err(|error| GuardError::unreadable(&path, error))?.into();
        Ok(Self(Some(Arc::new(Log { path, most_bytes, files: config.audit_files, current }))))
    }

    /// Writes down that `who` asks for something, durably.
    ///
    /// # Errors
    /// 503: it could not be written, so nothing was done.
    pub(super) async fn asked(&self, request: &Request, who: &str) -> Result<(), Problem> {
        self.write(request, who, None).await.map_err(|error| {
            tracing::error!(%error, "the audit log cannot be written: operators can change nothing");
            let after = std::time::Duration::from_secs(5);
            Problem::unavailable("NOT_AUDITED", "the audit log cannot be written, so nothing was done", after)
                .with("outcome", "not done".into())
        })
    }

    /// Writes down what came of it. When that fails, it is done all the same, and the log says who asked for it.
    pub(super) async fn answered(&self, request: &Request, who: &str, answer: &Result<Response, Problem>) {
        let status = answer.as_ref().map_or_else(Problem::status, Response::status);
        if let Err(error) = self.write(request, who, Some(status)).await {
            tracing::error!(%error, "the audit log does not know what came of a request");
        }
    }

    /// Does what a signal or a changed file asks for, and writes that down before and after. Whoever sends a signal or
    /// replaces a file has the machine: a log that cannot be written does not keep a stolen key in use.
    ///
    /// # Errors
    /// Those of `act`.
    ///
    /// # Cancel safety
    /// That of `act`; what came of it may not be written down then.
    pub async fn around<T, E: fmt::Display>(
        &self,
        by: ReadBy,
        what: &'static str,
        clock: &Clock,
        act: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.note(unasked(clock.now(), by, what, "asked", None)).await;
        let done = act.await;
        let (outcome, why) = match &done {
            Ok(_) => ("done", None),
            Err(error) => ("refused", Some(error.to_string())),
        };
        self.note(unasked(clock.now(), by, what, outcome, why)).await;
        done
    }

    async fn note(&self, line: String) {
        if let Err(error) = self.append(line).await {
            tracing::error!(%error, "the audit log does not know of a reload");
        }
    }

    async fn write(&self, request: &Request, who: &str, status: Option<StatusCode>) -> io::Result<()> {
        self.append(line(request, who, status)).await
    }

    async fn append(&self, line: String) -> io::Result<()> {
        let Some(log) = self.0.clone() else { return Ok(()) };
        let written = tokio::task::spawn_blocking(move || log.append(&line)).await;
        written.unwrap_or_else(|_| Err(io::Error::other("writing it panicked")))
    }
}

/// On disk: never rename what an object has.
fn line(request: &Request, who: &str, status: Option<StatusCode>) -> String {
    let mut line = Map::new();
    let mut set = |name: &str, value: Value| {
        line.insert(name.to_owned(), value);
    };
    set("at", moment(request.at).into());
    set("who", who.into());
    set("from", request.peer.map(|address| address.to_string()).into());
    set("correlation", (*request.correlation.id).into());
    set("method", request.method.as_str().into());
    set("path", cut(&request.path, MOST_OF_URL).into());
    if !request.query.is_empty() {
        set("query", cut(&request.query, MOST_OF_URL).into());
    }
    match status {
        // what was asked is told once
        None => {
            if !request.body.is_empty() {
                set("body", cut(&String::from_utf8_lossy(&request.body), MOST_OF_BODY).into());
            }
            set("outcome", "asked".into());
        }
        Some(status) => {
            let outcome = if status.is_success() { "done" } else { "refused" };
            set("outcome", outcome.into());
            set("status", status.as_u16().into());
        }
    }
    Value::Object(line).to_string()
}

/// What nobody asked for by a request. On disk: never rename what an object has.
fn unasked(at: Timestamp, by: ReadBy, what: &str, outcome: &str, why: Option<String>) -> String {
    let mut line = Map::new();
    line.insert("at".to_owned(), moment(at).into());
    line.insert("who".to_owned(), serde_json::to_value(by).unwrap_or_default());
    line.insert("what".to_owned(), what.into());
    line.insert("outcome".to_owned(), outcome.into());
    line.extend(why.map(|why| ("why".to_owned(), cut(&why, MOST_OF_BODY).into())));
    Value::Object(line).to_string()
}

fn cut(text: &str, most: usize) -> String {
    text.get(..text.floor_char_boundary(most)).unwrap_or_default().to_owned()
}

/// As people read it, in UTC.
fn moment(at: Timestamp) -> String {
    let millis = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(millis).map(|at| at.to_string()).unwrap_or_default()
}

impl Current {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { file, bytes })
    }
}

impl Log {
    fn append(&self, line: &str) -> io::Result<()> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let line = format!("{line}\n");
        let length = line.len() as u64;
        if current.bytes > 0 && current.bytes.saturating_add(length) > self.most_bytes {
            self.put_aside()?;
            *current = Current::open(&self.path)?;
        }
        current.file.write_all(line.as_bytes())?;
        current.bytes = current.bytes.saturating_add(length);
        current.file.sync_data()
    }

    fn put_aside(&self) -> io::Result<()> {
        for number in (1..self.files).rev() {
            match fs::rename(self.aside(number), self.aside(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(&self.path, self.aside(1))
    }

    fn aside(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{ByteCount, http::request::tests::request};

    fn lines(path: &Path) -> Vec<Value> {
        fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[tokio::test]
    async fn what_was_asked_and_what_came_of_it_are_two_lines_with_one_correlation() {
        let directory = tempfile::tempdir().unwrap();
        let audit = Audit::open(&AdminConfig::default(), &directory.path().join("data")).unwrap();
        let request = request("POST", "/admin/faults?why=x", &[("x-request-id", "r-1")], r#"{"fault":"ü"}"#);
        audit.asked(&request, "anna").await.unwrap();
        audit.answered(&request, "anna", &Err(Problem::not_found("no"))).await;
        let lines = lines(&directory.path().join("data/audit.log"));
        let expected = json!({"at": "2021-07-08T05:26:34.123Z", "who": "anna", "from": null, "correlation": "r-1", "method": "POST",
            "path": "/admin/faults", "query": "why=x", "body": "{\"fault\":\"ü\"}", "outcome": "asked"});
        assert_eq!(lines[0], expected);
        assert_eq!(
            (&lines[1]["correlation"], &lines[1]["outcome"], &lines[1]["status"]),
            (&json!("r-1"), &json!("refused"), &json!(404))
        );
        assert_eq!(lines.len(), 2);
    }

    #[tokio::test]
    async fn the_log_is_bounded_and_only_its_oldest_file_goes() {
        let directory = tempfile::tempdir().unwrap();
        let config = AdminConfig { audit_size: ByteCount::kib(4), audit_files: 2, ..AdminConfig::default() };
        let audit = Audit::open(&config, directory.path()).unwrap();
        for number in 0..200 {
            let request = request("POST", &format!("/admin/{number}"), &[], &"x".repeat(4000));
            audit.asked(&request, "anna").await.unwrap();
        }
        let path = |end: &str| directory.path().join(format!("audit.log{end}"));
        let all: Vec<Value> = [".2", ".1", ""].into_iter().flat_map(|end| lines(&path(end))).collect();
        assert!(!path(".3").exists());
        for end in [".2", ".1", ""] {
            assert!(fs::metadata(path(end)).unwrap().len() <= 4096, "{end}");
        }
        let first = 200 - all.len();
        assert!(all.len() > 3, "{}", all.len());
        for (line, number) in all.iter().zip(first..) {
            assert_eq!(line["path"], format!("/admin/{number}"));
        }
        // Reopened, it goes on where it was.
        let audit = Audit::open(&config, directory.path()).unwrap();
        audit.asked(&request("POST", "/admin/last", &[], ""), "anna").await.unwrap();
        assert_eq!(lines(&path("")).last().unwrap()["path"], "/admin/last");
    }

    #[tokio::test]
    async fn what_a_signal_or_a_file_asks_for_is_written_down_around_it_and_done_in_any_case() {
        let directory = tempfile::tempdir().unwrap();
        let audit = Audit::open(&AdminConfig::default(), directory.path()).unwrap();
        let path = directory.path().join("audit.log");
        let clock = Clock::system();
        let seen = audit.around(ReadBy::Signal, "configuration", &clock, async { Ok::<_, String>(lines(&path).len()) });
        assert_eq!(seen.await, Ok(1), "it is written down before it is done");
        let refused = audit.around(ReadBy::File, "keys", &clock, async { Err::<(), _>("no JWK Set".repeat(1000)) });
        assert!(refused.await.is_err());
        let told = |line: &Value| json!([line["who"], line["what"], line["outcome"]]);
        let lines: Vec<Value> = lines(&path);
        assert_eq!(
            lines.iter().map(told).collect::<Vec<_>>(),
            [
                json!(["signal", "configuration", "asked"]),
                json!(["signal", "configuration", "done"]),
                json!(["file", "keys", "asked"]),
                json!(["file", "keys", "refused"]),
            ]
        );
        assert_eq!(lines[3]["why"].as_str().unwrap().len(), MOST_OF_BODY);
        assert!(lines[0]["at"].is_string() && lines[1].get("why").is_none());
        // A directory where the log has to be: nothing can be written any more.
        let config = AdminConfig { audit_size: ByteCount::bytes(1), audit_files: 1, ..AdminConfig::default() };
        let audit = Audit::open(&config, directory.path()).unwrap();
        fs::create_dir_all(directory.path().join("audit.log.1/x")).unwrap();
        let done = audit.around(ReadBy::Signal, "configuration", &clock, async { Ok::<_, String>(7) }).await;
        assert_eq!(done, Ok(7));
    }

    #[tokio::test]
    async fn what_cannot_be_written_down_is_not_done() {
        let directory = tempfile::tempdir().unwrap();
        let config = AdminConfig { audit_size: ByteCount::bytes(1), audit_files: 1, ..AdminConfig::default() };
        let audit = Audit::open(&config, directory.path()).unwrap();
        let request = request("POST", "/admin/reload", &[], "");
        audit.asked(&request, "anna").await.unwrap();
        // a directory where the full file has to go, that is not empty
        fs::create_dir_all(directory.path().join("audit.log.1/x")).unwrap();
        let refused = audit.asked(&request, "anna").await.unwrap_err();
        assert_eq!(refused.status(), 503);
        assert!(
            Audit::open(
                &AdminConfig { audit_file: Some("/proc/nowhere/audit.log".into()), ..config },
                directory.path()
            )
            .is_err()
        );
    }
}
