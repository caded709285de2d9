//! The fields of a line of text: as tracing-subscriber writes them, and quicker for texts that need no escape, which it
//! looks at character by character, with tables for what is not ASCII.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing_subscriber::{
    field::{MakeVisitor, VisitFmt, VisitOutput},
    fmt::format::{DefaultVisitor, Writer},
};

/// How fields are written.
#[derive(Debug)]
pub(super) struct Fields;

impl<'a> MakeVisitor<Writer<'a>> for Fields {
    type Visitor = Line<'a>;

    fn make_visitor(&self, to: Writer<'a>) -> Line<'a> {
        Line { to, is_empty: true, written: Ok(()) }
    }
}

/// The fields of one line, or of one span.
#[derive(Debug)]
pub(super) struct Line<'a> {
    to: Writer<'a>,
    /// Whether no field has been written yet.
    is_empty: bool,
    written: fmt::Result,
}

impl Line<'_> {
    /// Whether a field is written as name and value, and nothing else.
    fn is_simple(&self, field: &Field) -> bool {
        let name = field.name();
        !self.to.has_ansi_escapes() && name != "message" && !name.starts_with("r#") && !name.starts_with("log.")
    }

    fn simply(&mut self, field: &Field, write: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        if self.written.is_err() {
            return;
        }
        let separator = if std::mem::take(&mut self.is_empty) { "" } else { " " };
        let mut begin = || {
            self.to.write_str(separator)?;
            self.to.write_str(field.name())?;
            self.to.write_char('=')
        };
        self.written = begin().and_then(|()| write(&mut self.to));
    }

    fn by_default(&mut self, act: impl FnOnce(&mut DefaultVisitor<'_>)) {
        if self.written.is_err() {
            return;
        }
        let mut default = DefaultVisitor::new(self.to.by_ref(), self.is_empty);
        act(&mut default);
        self.written = default.finish();
        self.is_empty = false;
    }
}

impl Visit for Line<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if self.is_simple(field) && is_plain(value) {
            self.simply(field, |to| {
                to.write_char('"')?;
                to.write_str(value)?;
                to.write_char('"')
            });
        } else {
            self.by_default(|default| default.record_str(field, value));
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.by_default(|default| default.record_error(field, value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if self.is_simple(field) {
            self.simply(field, |to| write!(to, "{value:?}"));
        } else {
            self.by_default(|default| default.record_debug(field, value));
        }
    }
}

impl VisitOutput<fmt::Result> for Line<'_> {
    fn finish(self) -> fmt::Result {
        self.written
    }
}

impl VisitFmt for Line<'_> {
    fn writer(&mut self) -> &mut dyn Write {
        &mut self.to
    }
}

/// Whether a text between quotes is the same with and without escapes: letters, figures and what is printed of ASCII.
fn is_plain(text: &str) -> bool {
    let is_plain_ascii = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    // All of them, whatever the first ones are: that is many bytes at a time.
    if text.bytes().fold(true, |all, byte| all & is_plain_ascii(byte)) {
        return true;
    }
    text.chars().all(|char| match char {
        '"' | '\\' => false,
        ' '..='~' | '가'..='힣' => true, // Hangul: most of what is written here, and the slowest to look up
        _ => char.is_alphanumeric(),
    })
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use tracing_subscriber::{Layer, fmt, layer::SubscriberExt};

    use super::*;

    /// Where lines go.
    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(
        layer: impl Layer<tracing_subscriber::Registry> + Send + Sync,
        page: &Page,
        act: impl FnOnce(),
    ) -> String {
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), act);
        String::from_utf8(page.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn lines_are_those_of_the_library() {
        let say = || {
            let texts = [
                "",
                "plain",
                "\"quoted\" \\",
                "two\nlines",
                "\u{1b}[31mred",
                "주문이 접수되었습니다. 1개",
                "a\u{85}b",
                "\u{202e}turned",
                "“marks” – ₩ 🙂",
                "e\u{301}",
                "\u{300}",
                "\u{ad}",
                "\u{e000}",
            ];
            for text in texts {
                let span = tracing::info_span!("request", text, number = 7);
                let _in = span.enter();
                let source = io::Error::other(text);
                let error: &(dyn std::error::Error + 'static) = &source;
                tracing::info!(text, r#type = text, shown = %text, debugged = ?text, error, yes = true, "said {text}");
                tracing::warn!(message = text, last = text);
            }
        };
        for ansi in [false, true] {
            let (ours, theirs) = (Page::default(), Page::default());
            let to = |page: &Page| {
                let page = page.clone();
                fmt::layer().without_time().with_ansi(ansi).with_writer(move || page.clone())
            };
            let ours = written(to(&ours).fmt_fields(Fields), &ours, say);
            let theirs = written(to(&theirs), &theirs, say);
            assert_eq!(ours, theirs);
            assert!(ours.contains("주문이 접수되었습니다. 1개"), "{ours}");
        }
    }
}
