//! Notices as HTTP POSTs.

use std::{
    io::{self, Read},
    path::PathBuf,
    time::Duration,
};

use ureq::{
    Agent,
    http::{HeaderMap, StatusCode, header},
};

use super::excerpt;
use crate::{Connector, DeliveryError, Notification};

/// What is read of an answer. The rest is left; its connection is then not used again.
const READ_BYTES: u64 = 4096;

/// Posts each notice as JSON to one address. `Idempotency-Key` and `X-Notification-Id` carry the notice's id,
/// which is the same for every try: a receiver that remembers it does nothing twice.
#[derive(Debug)]
pub(super) struct Webhook {
    url: String,
    token_file: Option<PathBuf>,
    agent: Agent,
}

impl Webhook {
    /// A POST has until `deadline`, from looking up the host to the end of the answer.
    /// The token in `token_file` is shown to the receiver.
    pub(super) fn new(url: &str, token_file: Option<PathBuf>, deadline: Duration) -> Self {
        let agent = Agent::config_builder()
            .timeout_global(Some(deadline))
            .http_status_as_error(false)
            // A POST that follows a redirect would become a GET; an address that has moved is configured anew.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(concat!("steadfast/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Self { url: url.to_owned(), token_file, agent }
    }

    /// What stands in `Authorization`. Read anew for each try, so that a token may change while we run.
    fn authorization(&self) -> Result<Option<String>, DeliveryError> {
        let Some(file) = &self.token_file else { return Ok(None) };
        let token = std::fs::read_to_string(file)
            .map_err(|error| DeliveryError::failed(format!("the token in {}: {error}", file.display())))?;
        Ok(Some(format!("Bearer {}", token.trim())))
    }
}

impl Connector for Webhook {
    fn deliver(&self, notification: &Notification) -> Result<(), DeliveryError> {
        let body = serde_json::to_vec(notification).map_err(DeliveryError::failed)?;
        let mut request = self
            .agent
            .post(&self.url)
            .header(header::CONTENT_TYPE, "application/json")
            .header("Idempotency-Key", &notification.id)
            .header("X-Notification-Id", &notification.id)
            .header("X-Request-Id", printable(&notification.correlation_id));
        if let Some(authorization) = self.authorization()? {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        // The URL is the operator's and may hold a secret: errors name neither it nor its host.
        let mut response = request.send(&body[..]).map_err(|error| DeliveryError::failed(failure(&error)))?;
        let mut said = Vec::new();
        let read = response.body_mut().as_reader().take(READ_BYTES).read_to_end(&mut said);
        match answered(response.status(), response.headers(), &said) {
            // It has said yes; that the rest of its answer is lost changes nothing.
            Ok(()) => Ok(()),
            Err(no @ DeliveryError::Refused { .. }) => Err(no),
            Err(failed) => Err(read.err().map_or(failed, |error: io::Error| DeliveryError::failed(error))),
        }
    }
}

/// A header holds visible ASCII only; ids that clients gave may hold more.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() { c } else { '_' }).collect()
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is rare and says itself what it is")]
fn failure(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(timeout) => format!("no answer within the deadline ({timeout})"),
        ureq::Error::Io(error) => format!("the connection failed: {error}"),
        ureq::Error::HostNotFound => "the host was not found".to_owned(),
        ureq::Error::ConnectionFailed => "the connection failed".to_owned(),
        other => format!("the request failed: {other}"),
    }
}

/// | status | |
/// |---|---|
/// | 2xx | delivered |
/// | 408, 425, 429, 5xx | tried again, when the receiver says |
/// | the rest of 4xx | refused: the same request would be refused again |
/// | 1xx, 3xx | tried again: it was not delivered, and somebody may be about to repair the address |
fn answered(status: StatusCode, headers: &HeaderMap, said: &[u8]) -> Result<(), DeliveryError> {
    if status.is_success() {
        return Ok(());
    }
    let reason = format!("it answered {status}: {}", excerpt(said));
    if status.is_client_error() && !matches!(status.as_u16(), 408 | 425 | 429) {
        return Err(DeliveryError::refused(reason));
    }
    Err(DeliveryError::Failed { reason, retry_after: retry_after(headers) })
}

/// In seconds, or as a date; a date is measured by the answer's own, for the clocks may differ.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let after = text(header::RETRY_AFTER)?;
    if let Ok(seconds) = after.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let moment = |date| jiff::fmt::rfc2822::parse(date).ok();
    let (at, now) = (moment(after)?, moment(text(header::DATE)?)?);
    Some(Duration::try_from(at.duration_since(&now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        net::{TcpListener, TcpStream},
        thread,
    };

    use super::*;
    use crate::outbound::notification;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn what_a_status_means() {
        let told = |status: u16| answered(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), b"why");
        for delivered in [200, 201, 202, 204, 299] {
            assert_eq!(told(delivered), Ok(()), "{delivered}");
        }
        for refused in [400, 401, 403, 404, 409, 410, 413, 422, 451] {
            assert!(matches!(told(refused), Err(DeliveryError::Refused { .. })), "{refused}");
        }
        for failed in [301, 307, 308, 408, 425, 429, 500, 502, 503, 504] {
            assert!(matches!(told(failed), Err(DeliveryError::Failed { retry_after: None, .. })), "{failed}");
        }
        assert_eq!(told(404), Err(DeliveryError::refused("it answered 404 Not Found: why")));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_measured_by_the_answers_own() {
        let (date, later) = ("Sat, 21 Nov 2026 07:28:00 GMT", "Sat, 21 Nov 2026 07:28:30 GMT");
        for (given, pause) in [
            (headers(&[("retry-after", "7")]), Some(7)),
            (headers(&[("retry-after", later), ("date", date)]), Some(30)),
            (headers(&[("retry-after", date), ("date", later)]), Some(0)),
            (headers(&[("retry-after", later)]), None),
            (headers(&[("retry-after", "soon")]), None),
            (headers(&[("retry-after", "-1")]), None),
            (headers(&[]), None),
        ] {
            assert_eq!(retry_after(&given), pause.map(Duration::from_secs), "{given:?}");
        }
    }

    /// Delivers to a listener that does this with the connection; what came of it, and what arrived.
    fn delivered(answer: impl FnOnce(TcpStream) + Send + 'static) -> Result<(), DeliveryError> {
        delivered_with(None, answer)
    }

    fn delivered_with(
        token_file: Option<PathBuf>,
        answer: impl FnOnce(TcpStream) + Send + 'static,
    ) -> Result<(), DeliveryError> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/alarms?to=a%20b", listener.local_addr().unwrap());
        let server = thread::spawn(move || answer(listener.accept().unwrap().0));
        let delivered = Webhook::new(&url, token_file, Duration::from_millis(300)).deliver(&notification());
        server.join().unwrap();
        delivered
    }

    /// Reads a request to its end: head, and the body that its length tells.
    fn request(stream: &mut TcpStream) -> String {
        let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            let read = stream.read(&mut buffer).unwrap();
            seen.extend_from_slice(&buffer[..read]);
            let text = String::from_utf8_lossy(&seen);
            let length = |head: &str| {
                let line = head
                    .lines()
                    .find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
                line.unwrap().parse::<usize>().unwrap()
            };
            if text.split_once("\r\n\r\n").is_some_and(|(head, body)| body.len() >= length(head)) {
                return text.into_owned();
            }
            assert_ne!(read, 0, "the request ended early: {text}");
        }
    }

    #[test]
    fn a_notice_is_posted_as_json_with_its_id() {
        let done = delivered(|mut stream| {
            let request = request(&mut stream);
            let (head, body) = request.split_once("\r\n\r\n").unwrap();
            let head = head.to_lowercase();
            assert!(!head.contains("authorization"), "{head}");
            assert!(head.starts_with("post /alarms?to=a%20b http/1.1\r\n"), "{head}");
            for line in
                ["idempotency-key: 0f", "x-notification-id: 0f", "x-request-id: c", "content-type: application/json"]
            {
                assert!(head.contains(line), "{line} in {head}");
            }
            assert_eq!(serde_json::from_str::<Notification>(body).unwrap(), notification());
            stream.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok").unwrap();
        });
        assert_eq!(done, Ok(()));
    }

    #[test]
    fn the_token_of_the_file_is_shown_and_a_missing_file_is_a_failure() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("token");
        std::fs::write(&file, "s3cret\n").unwrap();
        let done = delivered_with(Some(file.clone()), |mut stream| {
            let request = request(&mut stream);
            assert!(request.contains("\r\nauthorization: Bearer s3cret\r\n"), "{request}");
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        });
        assert_eq!(done, Ok(()));
        std::fs::remove_file(&file).unwrap();
        let failed = Webhook::new("http://127.0.0.1:9/", Some(file), Duration::from_secs(1)).deliver(&notification());
        let Err(DeliveryError::Failed { reason, .. }) = failed else { panic!("{failed:?}") };
        assert!(reason.starts_with("the token in "), "{reason}");
    }

    /// Trust cannot be tested without a certificate authority; that no text goes out in the open can.
    #[test]
    fn an_https_address_is_spoken_to_in_tls_only() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
        let server = thread::spawn(move || {
            let mut hello = [0; 3];
            listener.accept().unwrap().0.read_exact(&mut hello).unwrap();
            hello
        });
        let failed = Webhook::new(&url, None, Duration::from_secs(5)).deliver(&notification());
        assert!(matches!(failed, Err(DeliveryError::Failed { .. })), "{failed:?}");
        let [kind, major, _] = server.join().unwrap();
        assert_eq!((kind, major), (0x16, 3), "a handshake record");
    }

    #[test]
    fn a_receiver_that_never_answers_fails_at_the_deadline_and_one_that_closes_at_once() {
        let failed = delivered(|mut stream| {
            request(&mut stream);
            // Until the other side has given up and closed.
            assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0);
        });
        let Err(DeliveryError::Failed { reason, .. }) = &failed else { panic!("{failed:?}") };
        assert!(reason.starts_with("no answer within the deadline"), "{reason}");
        let failed = delivered(drop);
        assert!(matches!(failed, Err(DeliveryError::Failed { retry_after: None, .. })), "{failed:?}");
    }

    #[test]
    fn an_answer_without_end_costs_no_more_than_the_deadline_and_little_memory() {
        let failed = delivered(|mut stream| {
            request(&mut stream);
            let head = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nConnection: close\r\n\r\n";
            stream.write_all(head).unwrap();
            while stream.write_all(&[b'x'; 1024]).is_ok() {}
        });
        let Err(DeliveryError::Failed { reason, retry_after }) = failed else { panic!("{failed:?}") };
        assert_eq!(retry_after, Some(Duration::from_secs(2)));
        assert!(reason.starts_with("it answered 503 Service Unavailable: xxx") && reason.len() < 400, "{reason}");
    }
}
