//! A connection that costs little, so that the load is not what is measured: requests are bytes made by hand, answers
//! are read as far as needed.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Headers that an answer may have.
const HEADERS: usize = 64;
/// An answer that is longer is none that a bench asks for.
const LONGEST: usize = 16 << 20;

/// An answer, read to its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    /// Seconds to wait before coming back, when it says so.
    pub(crate) retry_after: Option<u64>,
    /// As it was sent: a chunked body with the lengths of its chunks.
    pub(crate) body: &'a [u8],
    /// Bytes of all of it.
    length: usize,
}

impl<'a> Answer<'a> {
    /// The answer that `bytes` begin with; `None` when the rest of it has not come yet.
    ///
    /// # Errors
    /// Not HTTP/1.1.
    fn parse(bytes: &'a [u8]) -> Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut head = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(begins) = head.parse(bytes)? else { return Ok(None) };
        let rest = bytes.get(begins..).unwrap_or_default();
        let (status, mut retry_after) = (head.code.unwrap_or_default(), None);
        let (mut length, mut is_chunked) = (0, false);
        for header in head.headers.iter() {
            let value = || std::str::from_utf8(header.value).context("a header is no text");
            if header.name.eq_ignore_ascii_case("content-length") {
                length = value()?.parse()?;
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                is_chunked = value()?.eq_ignore_ascii_case("chunked");
            } else if header.name.eq_ignore_ascii_case("retry-after") {
                retry_after = value()?.parse().ok();
            }
        }
        let length = if is_chunked { chunked(rest)? } else { Some(length) };
        let body = length.and_then(|length| rest.get(..length));
        Ok(body.map(|body| Self { status, retry_after, body, length: begins + body.len() }))
    }
}

/// Bytes of a chunked body; `None` when its end has not come yet.
fn chunked(bytes: &[u8]) -> Result<Option<usize>> {
    let mut at = 0;
    loop {
        let parsed = httparse::parse_chunk_size(bytes.get(at..).unwrap_or_default());
        let parsed = parsed.ok().context("the length of a chunk is no number")?;
        let httparse::Status::Complete((head, size)) = parsed else { return Ok(None) };
        // Each chunk, also the empty last one, ends with a line end. None of these servers sends trailers.
        at += head + usize::try_from(size)? + 2;
        if at > bytes.len() {
            return Ok(None);
        }
        if size == 0 {
            return Ok(Some(at));
        }
    }
}

/// Writes a request with an empty body or one of JSON.
pub(crate) fn request(into: &mut Vec<u8>, method: &str, path: &str, json: Option<&str>) {
    into.clear();
    for part in [method, " ", path, " HTTP/1.1\r\nhost: localhost\r\n"] {
        into.extend_from_slice(part.as_bytes());
    }
    if let Some(json) = json {
        let length = json.len().to_string();
        for part in ["content-type: application/json\r\ncontent-length: ", length.as_str(), "\r\n"] {
            into.extend_from_slice(part.as_bytes());
        }
    }
    into.extend_from_slice(b"\r\n");
    into.extend_from_slice(json.unwrap_or_default().as_bytes());
}

/// One connection, one request at a time.
pub(crate) struct Wire {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Wire {
    pub(crate) async fn connect(to: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(to).await.with_context(|| format!("cannot connect to {to}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(4096) })
    }

    /// Sends a request and reads its answer.
    ///
    /// # Errors
    /// The connection broke, or what came is no HTTP.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.received.clear();
        self.stream.write_all(request).await?;
        loop {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                bail!("the connection was closed before the answer");
            }
            if let Some(answer) = Answer::parse(&self.received)? {
                let length = answer.length;
                if length != self.received.len() {
                    bail!("there is more than one answer to one request");
                }
                break;
            }
            if self.received.len() > LONGEST {
                bail!("the answer has more than {LONGEST} bytes");
            }
        }
        Answer::parse(&self.received)?.context("what was whole is whole")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_last_byte_has_come_and_not_before() -> Result<()> {
        let whole = b"HTTP/1.1 201 Created\r\nLocation: /orders/17\r\nContent-Length: 5\r\n\r\n{\"\":1";
        for length in 0..whole.len() {
            assert_eq!(Answer::parse(&whole[..length])?, None, "{length}");
        }
        let answer = Answer::parse(whole)?.context("whole")?;
        assert_eq!((answer.status, answer.retry_after, answer.body), (201, None, &b"{\"\":1"[..]));
        assert_eq!(answer.length, whole.len());
        Ok(())
    }

    #[test]
    fn a_chunked_answer_is_whole_after_its_empty_chunk() -> Result<()> {
        let whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        for length in 0..whole.len() {
            assert_eq!(Answer::parse(&whole[..length])?, None, "{length}");
        }
        assert_eq!(Answer::parse(whole)?.context("whole")?.length, whole.len());
        Ok(())
    }

    #[test]
    fn a_refusal_says_when_to_come_back_and_what_is_no_http_is_an_error() -> Result<()> {
        let refusal = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 2\r\ncontent-length: 0\r\n\r\n";
        let answer = Answer::parse(refusal)?.context("whole")?;
        assert_eq!((answer.status, answer.retry_after), (503, Some(2)));
        assert!(Answer::parse(b"SSH-2.0-OpenSSH\r\n\r\n").is_err());
        assert!(chunked(b"xyz\r\n").is_err());
        Ok(())
    }

    #[test]
    fn a_request_says_how_long_its_body_is() {
        let mut bytes = b"left over".to_vec();
        request(&mut bytes, "POST", "/orders", Some("{}"));
        let expected = "POST /orders HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                        content-length: 2\r\n\r\n{}";
        assert_eq!(String::from_utf8_lossy(&bytes), expected);
        request(&mut bytes, "GET", "/", None);
        assert_eq!(bytes, b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
    }
}
