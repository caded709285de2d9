//! The outbound adapters: what carries a system's notices to somebody outside, and its asks to other processes.
//!
//! | kind | a notice becomes | delivered | refused: a dead letter at once | anything else |
//! |---|---|---|---|---|
//! | log | a line | always | never | |
//! | webhook | a POST | 2xx | 4xx but 408, 425, 429 | tried again, Retry-After is heeded |
//! | command | a run of a program | exit code 0 | 65, 67, 68, 77 of `sysexits.h` | tried again |
//!
//! Each of these blocks: it runs on a thread of a bulkhead. Asks ([`HttpAsks`]) wait without one. Ids, order, retries and dead letters are the runtime's.

mod command;
mod log;
mod remote;
mod webhook;

use std::sync::Arc;

pub use remote::HttpAsks;

use crate::{Connector, ConnectorConfig, ConnectorKind};

/// The connector that a section of the configuration describes.
pub fn connector(config: &ConnectorConfig) -> Arc<dyn Connector> {
    match &config.kind {
        ConnectorKind::Log => Arc::new(log::Log),
        ConnectorKind::Webhook { url, token_file } => {
            Arc::new(webhook::Webhook::new(url, token_file.clone(), config.deadline))
        }
        ConnectorKind::Command { program, args } => {
            Arc::new(command::Program::new(program.clone(), args.clone(), config.deadline))
        }
    }
}

/// At most so many characters of what a receiver says are kept: it goes into a dead letter and the log.
const KEPT_CHARACTERS: usize = 300;

/// One line of what a receiver said, for the log and the operator.
fn excerpt(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().filter(|c| !c.is_control()).take(KEPT_CHARACTERS).collect()
}

#[cfg(test)]
fn notification() -> crate::Notification {
    use crate::{Notice, Number, Timestamp};
    let notice = Notice::new("owner", "상품 ID : 1").with("messageId", 4);
    crate::Notification {
        id: "0f".to_owned(),
        system: "store".to_owned(),
        channel: "alarm".to_owned(),
        receiver: notice.receiver,
        text: notice.text,
        fields: notice.fields,
        event: "MessageWritten".to_owned(),
        kind: "store.message".to_owned(),
        number: Number::new(4),
        at: Timestamp::from_millis(1000),
        correlation_id: "c".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_receiver_says_is_kept_on_one_line_and_not_for_ever() {
        assert_eq!(excerpt(b"no\r\n  such\tnumber\x07\xff\n"), "no such number\u{fffd}");
        assert_eq!(excerpt("품".repeat(KEPT_CHARACTERS + 1).as_bytes()).chars().count(), KEPT_CHARACTERS);
    }
}
