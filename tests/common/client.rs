//! A blocking HTTP/1.1 client that sends what `HTTPie` sends.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Map, Value};

/// Longer than any deadline of the server's, and than it is asked to become quiet in: an answer that takes longer is missing.
const PATIENCE: Duration = Duration::from_secs(90);

/// A request, not sent yet.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Request {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.to_owned(), headers: Vec::new(), body: None }
    }

    /// Sets a header; one of the same name is replaced.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A JSON body, with the headers that `HTTPie` gives it.
    pub(crate) fn json(self, body: &Value) -> Self {
        let accept = "application/json, */*;q=0.5";
        self.body(body.to_string().as_bytes()).header("Accept", accept).header("Content-Type", "application/json")
    }

    /// A form body, with the headers that `HTTPie` gives it.
    pub(crate) fn form(self, fields: &[(&str, &str)]) -> Self {
        let pairs: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={}", form_encode(name), form_encode(value))).collect();
        let kind = "application/x-www-form-urlencoded; charset=utf-8";
        self.body(pairs.join("&").as_bytes()).header("Content-Type", kind)
    }

    /// A body as it is, without a content type.
    pub(crate) fn body(mut self, body: &[u8]) -> Self {
        self.body = Some(body.to_vec());
        self
    }

    /// The request of a `HTTPie` command line: `http [-f] [METHOD] URL [ITEM...]`, the first word optional. Of the URL
    /// only path and query count; an item is `name=text`, `name:=json`, `name==query` or `Header:value`.
    pub(crate) fn of_httpie(line: &str) -> Self {
        let mut words = words(line).into_iter().peekable();
        words.next_if(|word| word == "http");
        let form = words.next_if(|word| word == "-f").is_some();
        let is_method = |word: &String| word.bytes().all(|byte| byte.is_ascii_uppercase());
        let method = words.next_if(is_method);
        let url = words.next().expect("a URL");
        let mut target = target_of(&url);
        let (mut headers, mut fields, mut members) = (Vec::new(), Vec::new(), Map::new());
        for item in words {
            match Item::of(&item) {
                Item::Query(name, value) => {
                    let separator = if target.contains('?') { '&' } else { '?' };
                    target = format!("{target}{separator}{}={}", form_encode(name), form_encode(value));
                }
                Item::Header(name, value) => headers.push((name.to_owned(), value.to_owned())),
                Item::Json(name, value) => {
                    members.insert(name.to_owned(), serde_json::from_str(value).expect("JSON after :="));
                }
                Item::Text(name, value) => {
                    fields.push((name.to_owned(), value.to_owned()));
                    members.insert(name.to_owned(), value.into());
                }
            }
        }
        let method = method.unwrap_or_else(|| if members.is_empty() { "GET" } else { "POST" }.to_owned());
        let mut request = Self::new(&method, &target);
        if form {
            let fields: Vec<(&str, &str)> =
                fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            request = request.form(&fields);
        } else if !members.is_empty() {
            request = request.json(&members.into());
        }
        headers.into_iter().fold(request, |request, (name, value)| request.header(&name, &value))
    }

    fn write_to(&self, out: &mut impl Write, host: &str) -> io::Result<()> {
        let mut headers = vec![
            ("Host".to_owned(), host.to_owned()),
            ("User-Agent".to_owned(), "HTTPie/3.2.4".to_owned()),
            ("Accept-Encoding".to_owned(), "gzip, deflate".to_owned()),
            ("Accept".to_owned(), "*/*".to_owned()),
            ("Connection".to_owned(), "keep-alive".to_owned()),
        ];
        if let Some(body) = &self.body {
            headers.push(("Content-Length".to_owned(), body.len().to_string()));
        }
        headers.retain(|(name, _)| !self.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)));
        headers.extend_from_slice(&self.headers);
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        for (name, value) in headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(self.body.as_deref().unwrap_or_default());
        out.write_all(&bytes)
    }
}

/// An item of a `HTTPie` command line.
enum Item<'a> {
    Text(&'a str, &'a str),
    Json(&'a str, &'a str),
    Query(&'a str, &'a str),
    Header(&'a str, &'a str),
}

impl<'a> Item<'a> {
    fn of(item: &'a str) -> Self {
        let at = item.find([':', '=']).unwrap_or_else(|| panic!("no item: {item}"));
        let (name, rest) = item.split_at(at);
        let after = |sign| rest.strip_prefix(sign);
        if let Some(value) = after(":=") {
            Self::Json(name, value)
        } else if let Some(value) = after("==") {
            Self::Query(name, value)
        } else if let Some(value) = after("=") {
            Self::Text(name, value)
        } else {
            Self::Header(name, after(":").expect("found above"))
        }
    }
}

/// The words of a command line as a shell takes them apart: blanks and quotes.
pub(crate) fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            Some(_) | None => word.get_or_insert_default().push(c),
        }
    }
    assert_eq!(quote, None, "a quote is open: {line}");
    words.extend(word);
    words
}

/// Path and query of `:PORT/path?query`, with what no URL may hold encoded.
fn target_of(url: &str) -> String {
    let target = url.trim_start_matches(|c: char| c == ':' || c.is_ascii_digit());
    let encode = |byte: u8| match byte {
        b'!'..=b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    target.bytes().map(encode).collect()
}

fn form_encode(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b' ' => "+".to_owned(),
        b'-' | b'.' | b'_' | b'*' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// The first header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self}"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The item's number: the last segment of its address.
    #[track_caller]
    pub(crate) fn created(&self) -> u64 {
        assert_eq!(self.status, 201, "{self}");
        self.header("location").and_then(|at| at.rsplit('/').next()?.parse().ok()).expect("Location ends with a number")
    }

    /// Fails the test unless the status is this.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self}");
        self
    }
}

impl std::fmt::Display for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?} {}", self.status, self.headers, self.text())
    }
}

/// Sends requests to one address, each over a connection of its own.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    address: String,
}

impl Client {
    pub(crate) fn new(address: &str) -> Self {
        Self { address: address.to_owned() }
    }

    /// The answer; an error when there was none, and then nobody knows what was done.
    pub(crate) fn try_send(&self, request: &Request) -> io::Result<Response> {
        self.connect()?.try_send(request)
    }

    #[track_caller]
    pub(crate) fn send(&self, request: &Request) -> Response {
        self.try_send(request).unwrap_or_else(|error| panic!("no answer to {request:?}: {error}"))
    }

    /// Sends what `HTTPie` sends for this command line.
    #[track_caller]
    pub(crate) fn http(&self, line: &str) -> Response {
        self.send(&Request::of_httpie(line))
    }

    #[track_caller]
    pub(crate) fn get(&self, target: &str) -> Response {
        self.send(&Request::new("GET", target))
    }

    #[track_caller]
    pub(crate) fn post(&self, target: &str) -> Response {
        self.send(&Request::new("POST", target))
    }

    /// The body of a successful `GET`.
    #[track_caller]
    pub(crate) fn json(&self, target: &str) -> Value {
        self.get(target).is(200).json()
    }

    /// A connection for several requests, one after the other.
    pub(crate) fn connect(&self) -> io::Result<Connection> {
        let stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Connection { host: self.address.clone(), stream: BufReader::new(stream) })
    }
}

/// A connection that is kept.
#[derive(Debug)]
pub(crate) struct Connection {
    host: String,
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// The answer; an error when there was none, and then nobody knows what was done.
    pub(crate) fn try_send(&mut self, request: &Request) -> io::Result<Response> {
        let mut response = self.begin(request)?;
        if request.method != "HEAD" && !matches!(response.status, 204 | 304) {
            response.body = self.body(&response)?;
        }
        Ok(response)
    }

    /// The head of the answer, without waiting for more: of one that goes on, [`chunk`](Self::chunk) has the rest.
    pub(crate) fn begin(&mut self, request: &Request) -> io::Result<Response> {
        // A server that refuses a body early answers and closes: the answer counts, not the broken pipe.
        let written = request.write_to(self.stream.get_mut(), &self.host);
        match (self.head(), written) {
            (Ok(response), _) => Ok(response),
            (Err(_), Err(error)) | (Err(error), Ok(())) => Err(error),
        }
    }

    fn head(&mut self) -> io::Result<Response> {
        let status = self.line()?;
        let status = status.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| bad(&status))?;
        let mut response = Response { status, headers: Vec::new(), body: Vec::new() };
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| bad(&line))?;
            response.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(response)
    }

    /// The next piece of an answer that comes in pieces; `None` behind the last.
    pub(crate) fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let size = self.line()?;
        let length = u64::from_str_radix(size.trim(), 16).map_err(|_| bad(&size))?;
        let mut chunk = Vec::new();
        self.exactly(length, &mut chunk)?;
        self.line()?;
        Ok((length > 0).then_some(chunk))
    }

    fn body(&mut self, response: &Response) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        if response.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            while let Some(chunk) = self.chunk()? {
                body.extend_from_slice(&chunk);
            }
            return Ok(body);
        }
        match response.header("content-length") {
            Some(length) => self.exactly(length.parse().map_err(|_| bad(length))?, &mut body)?,
            None => _ = self.stream.read_to_end(&mut body)?,
        }
        Ok(body)
    }

    fn exactly(&mut self, length: u64, body: &mut Vec<u8>) -> io::Result<()> {
        let read = (&mut self.stream).take(length).read_to_end(body)?;
        if read as u64 == length { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        match line.strip_suffix("\r\n") {
            Some(line) => Ok(line.to_owned()),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

fn bad(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not HTTP: {line}"))
}
