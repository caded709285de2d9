//! A blocking HTTP/1.1 client that knows whether a request may have arrived.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

/// Longer than any deadline of the server: what takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// The same for every process and port, so that representations can be compared byte for byte.
const HOST: &str = "shop.test";

/// An answer that came whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn is_replayed(&self) -> bool {
        self.header("idempotency-replayed") == Some("true")
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Lost {
    /// The request cannot have arrived.
    Unsent,
    /// It may have, and may have been obeyed.
    Unanswered,
}

/// One connection at a time, kept between requests.
pub(crate) struct Wire {
    address: SocketAddr,
    open: Option<BufReader<TcpStream>>,
}

impl Wire {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, open: None }
    }

    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Answer, Lost> {
        if self.open.is_none() {
            self.open = Some(self.connect().map_err(|_| Lost::Unsent)?);
        }
        let stream = self.open.as_mut().unwrap();
        match exchange(stream, &request(method, path, key, body)) {
            Ok(answer) => Ok(answer),
            Err(_) => {
                self.open = None;
                Err(Lost::Unanswered)
            }
        }
    }

    fn connect(&self) -> io::Result<BufReader<TcpStream>> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(BufReader::new(stream))
    }
}

/// A read, which may be repeated, from a server that must answer.
pub(crate) fn get(address: SocketAddr, path: &str) -> Answer {
    let answer = Wire::new(address).send("GET", path, None, None);
    answer.unwrap_or_else(|lost| panic!("GET {path} of a running server: {lost:?}"))
}

fn request(method: &str, path: &str, key: Option<&str>, body: Option<&Value>) -> String {
    let key = key.map(|key| format!("idempotency-key: {key}\r\n")).unwrap_or_default();
    let body = body.map(Value::to_string).unwrap_or_default();
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: {HOST}\r\n{key}content-type: application/json\r\ncontent-length: \
         {length}\r\n\r\n{body}"
    )
}

fn exchange(stream: &mut BufReader<TcpStream>, request: &str) -> io::Result<Answer> {
    stream.get_mut().write_all(request.as_bytes())?;
    let status = line(stream)?;
    let status = status.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(broken)?;
    let mut headers = Vec::new();
    loop {
        let line = line(stream)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").ok_or_else(broken)?;
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    let mut answer = Answer { status, headers, body: String::new() };
    let length = answer.header("content-length").map_or(Ok(0), str::parse).map_err(|_| broken())?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    answer.body = String::from_utf8(body).map_err(|_| broken())?;
    Ok(answer)
}

fn line(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    line.strip_suffix("\r\n").map(str::to_owned).ok_or_else(broken)
}

fn broken() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}
