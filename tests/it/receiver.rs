//! Somebody outside: a listener that takes webhooks and does with them what the test says.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::Value;

/// What it does with a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// Answers with this status.
    Answer(u16),
    /// Answers 503, and says to come again at once.
    Busy,
    /// Says nothing until the other side has gone.
    Hang,
    /// Closes the connection.
    Close,
}

/// One POST as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) notice: Value,
    pub(crate) act: Act,
}

type Decide = Arc<dyn Fn(&Value, usize) -> Act + Send + Sync>;

struct Shared {
    decide: Mutex<Decide>,
    arrived: Mutex<Vec<Arrived>>,
    closed: AtomicBool,
}

/// Listens until it is dropped.
pub(crate) struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Receiver {
    /// Decides by the notice, and by how often its id came before.
    pub(crate) fn new(decide: impl Fn(&Value, usize) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let decide: Decide = Arc::new(decide);
        let shared = Shared { decide: Mutex::new(decide), arrived: Mutex::default(), closed: AtomicBool::new(false) };
        let shared = Arc::new(shared);
        let serving = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if serving.closed.load(Ordering::Acquire) {
                    return;
                }
                let shared = serving.clone();
                thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn healthy() -> Self {
        Self::new(|_, _| Act::Answer(200))
    }

    /// From now on it decides so.
    pub(crate) fn decides(&self, decide: impl Fn(&Value, usize) -> Act + Send + Sync + 'static) {
        *self.shared.decide.lock().unwrap() = Arc::new(decide);
    }

    /// What has arrived so far.
    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.shared.arrived.lock().unwrap().clone()
    }

    /// A section that has the store's alarms sent here.
    pub(crate) fn section(&self, more: &str) -> String {
        self.section_of("store.alarm", more)
    }

    /// A section that has the notices of a channel sent here.
    pub(crate) fn section_of(&self, channel: &str, more: &str) -> String {
        format!("[connector.{channel}]\nkind = \"webhook\"\nurl = \"http://{}/alarms\"\n{more}\n", self.address)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        drop(TcpStream::connect(self.address)); // wakes the listener, which then ends
    }
}

/// Requests of one connection, until one of the two closes it.
fn serve(stream: TcpStream, shared: &Shared) {
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let mut reader = BufReader::new(stream);
    while let Some((id, key, notice)) = request(&mut reader) {
        let decide = shared.decide.lock().unwrap().clone();
        let act = {
            let mut arrived = shared.arrived.lock().unwrap();
            let before = arrived.iter().filter(|earlier| earlier.id == id).count();
            let act = decide(&notice, before);
            arrived.push(Arrived { id, key, notice, act });
            act
        };
        let answer = match act {
            Act::Answer(status) => format!("HTTP/1.1 {status} Status\r\nContent-Length: 2\r\n\r\nok"),
            Act::Busy => "HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n".to_owned(),
            Act::Hang => {
                while reader.read(&mut [0; 64]).is_ok_and(|read| read > 0) {}
                return;
            }
            Act::Close => return,
        };
        if reader.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// The ids in the two headers, and the body. `None` when the other side has closed.
fn request(reader: &mut BufReader<TcpStream>) -> Option<(String, String, Value)> {
    let (mut id, mut key, mut length) = (String::new(), String::new(), 0);
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    assert_eq!(line, "POST /alarms HTTP/1.1\r\n");
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "x-notification-id" => value.clone_into(&mut id),
            "idempotency-key" => value.clone_into(&mut key),
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((id, key, serde_json::from_slice(&body).unwrap()))
}
