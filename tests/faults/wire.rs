//! Commands that tell whether they may have arrived.

use serde_json::Value;

use crate::common::{Client, Connection, Request, Response};

/// The same for every process and port, so that representations can be compared byte for byte.
const HOST: &str = "localhost";

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
    client: Client,
    open: Option<Connection>,
}

impl Wire {
    pub(crate) fn new(client: &Client) -> Self {
        Self { client: client.clone(), open: None }
    }

    pub(crate) fn send(&mut self, request: &Request) -> Result<Response, Lost> {
        let mut connection = match self.open.take() {
            Some(connection) => connection,
            None => self.client.connect().map_err(|_| Lost::Unsent)?,
        };
        let response = connection.try_send(request).map_err(|_| Lost::Unanswered)?;
        self.open = Some(connection);
        Ok(response)
    }
}

pub(crate) fn get(path: &str) -> Request {
    Request::new("GET", path).header("Host", HOST)
}

/// A command with its key.
pub(crate) fn command(method: &str, path: &str, key: &str, body: Option<&Value>) -> Request {
    let request = Request::new(method, path).header("Host", HOST).header("Idempotency-Key", key);
    match body {
        Some(body) => request.json(body),
        None => request,
    }
}
