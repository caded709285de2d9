//! A flame graph of what `perf script` says, as SVG without scripts: the same bytes for the same samples.
//!
//! Each sample is a stack of functions. Stacks with the same callers are drawn as one box, as wide as its share of all
//! samples, above the box of their caller. A box says its function, its share, and its samples when it is pointed at.

use std::{collections::BTreeMap, fmt::Write as _, io::BufRead};

use anyhow::{Result, ensure};

/// Points.
const WIDTH: f64 = 1_200.0;
const LINE: f64 = 16.0;
const ABOVE: f64 = 34.0;
/// Of a box that is drawn, and of one whose function is written in it.
const LEAST: f64 = 1.2;
const LEAST_NAMED: f64 = 30.0;
/// A letter of 11 points.
const LETTER: f64 = 6.4;

/// What only calls the next function: how threads begin, and how tokio comes to a task. Not drawn, unless it is where a
/// sample was taken.
const WAYS: [&str; 13] = [
    "clone3",
    "start_thread",
    "Thread::thread_start",
    "new::thread_start",
    "FnOnce::call_once",
    "backtrace::__rust_begin_short_backtrace",
    "BlockingTask::poll",
    "Core::poll",
    "Harness::poll",
    "Inner::run",
    "Scoped::set",
    "runtime::enter_runtime",
    "worker::run",
];

/// A function as it was called by those above it.
#[derive(Debug, Default, PartialEq)]
struct Called {
    samples: u64,
    calls: BTreeMap<String, Self>,
}

/// Reads what `perf script --fields comm,ip,sym` prints, and draws it.
///
/// # Errors
/// It cannot be read, or there are no samples in it.
pub(crate) fn draw(script: impl BufRead, title: &str) -> Result<String> {
    let all = gathered(script)?;
    ensure!(all.samples > 0, "there are no samples in it");
    let height = ABOVE + (all.depth(all.samples) as f64) * LINE + 10.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"monospace\" font-size=\"11\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n\
         <text x=\"4\" y=\"20\" font-size=\"15\" font-family=\"sans-serif\">{}, {} samples</text>\n",
        escaped(title),
        all.samples
    );
    all.boxes(&mut svg, 0.0, height - 6.0, all.samples);
    svg += "</svg>\n";
    Ok(svg)
}

/// The threads of a process call what runs in them.
fn gathered(script: impl BufRead) -> Result<Called> {
    let (mut all, mut thread, mut stack) = (Called::default(), String::new(), Vec::new());
    for line in script.lines() {
        let line = line?;
        if line.trim().is_empty() {
            all.add(&thread, &mut stack);
        } else if line.starts_with(char::is_whitespace) {
            // An address and a name; the innermost function first.
            let name = line.trim().split_once(' ').map_or("?", |(_, name)| name);
            stack.push(readable(name));
        } else {
            all.add(&thread, &mut stack);
            line.trim().clone_into(&mut thread);
        }
    }
    all.add(&thread, &mut stack);
    Ok(all)
}

impl Called {
    /// Adds a sample and empties its stack.
    fn add(&mut self, thread: &str, stack: &mut Vec<String>) {
        if stack.is_empty() {
            return;
        }
        self.samples += 1;
        let mut at = self;
        let last = stack.len() - 1;
        let called = stack.drain(..).rev().enumerate();
        let drawn = called.filter(|(nth, name)| *nth == last || !WAYS.contains(&short(name).as_str()));
        for name in std::iter::once(thread.to_owned()).chain(drawn.map(|(_, name)| name)) {
            at = at.calls.entry(name).or_default();
            at.samples += 1;
        }
    }

    /// Boxes on each other, of those that are wide enough.
    fn depth(&self, all: u64) -> usize {
        let drawn = self.calls.values().filter(|called| width(called.samples, all) >= LEAST);
        drawn.map(|called| 1 + called.depth(all)).max().unwrap_or(0)
    }

    fn boxes(&self, svg: &mut String, mut x: f64, bottom: f64, all: u64) {
        for (name, called) in &self.calls {
            let wide = width(called.samples, all);
            if wide >= LEAST {
                let (y, share) = (bottom - LINE, called.samples as f64 / all as f64 * 100.0);
                let _infallible = writeln!(
                    svg,
                    "<g><title>{}: {share:.1} %, {} samples</title><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" \
                     height=\"{:.1}\" fill=\"{}\"/>{}</g>",
                    escaped(name),
                    called.samples,
                    wide - 0.4,
                    LINE - 1.0,
                    colour(name),
                    label(name, wide, (x + 2.0, y + 11.5)),
                );
                called.boxes(svg, x, y, all);
            }
            x += wide;
        }
    }
}

fn width(samples: u64, all: u64) -> f64 {
    samples as f64 / all as f64 * WIDTH
}

/// As much of the name as there is room for.
fn label(name: &str, wide: f64, (x, y): (f64, f64)) -> String {
    if wide < LEAST_NAMED {
        return String::new();
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some letters")]
    let room = ((wide - 4.0) / LETTER) as usize;
    let name = short(name);
    let text: String = if name.chars().count() <= room {
        name
    } else {
        name.chars().take(room.saturating_sub(2)).chain("..".chars()).collect()
    };
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escaped(&text))
}

/// Ours blue, tokio's green, the kernel's and everybody else's in warm colours: by where a name begins.
fn colour(name: &str) -> &'static str {
    let inner = name.trim_start_matches(['<', '&']);
    if inner.starts_with("steadfast") {
        "#8fc1e8"
    } else if inner.starts_with("tokio") || inner.starts_with("futures") || inner.starts_with("hyper") {
        "#a5d6a7"
    } else if inner.contains("::") {
        "#ffe0a3"
    } else {
        "#f2b8a2"
    }
}

/// The last two parts of a path, or the type and its method: `Writer::run` of `a::b::Writer<C>::run::{{closure}}`.
fn short(name: &str) -> String {
    let parts: Vec<&str> = parts(name).into_iter().filter(|part| !part.starts_with("{{")).collect();
    let last = parts.iter().skip(parts.len().saturating_sub(2)).map(|part| match part.strip_prefix('<') {
        // `<impl a::Host<E>>` and `<a::Host<E> as b::Trait>`
        Some(inner) if parts.len() > 1 => {
            let of = inner.strip_suffix('>').unwrap_or(inner).trim_start_matches("impl ");
            let of = of.split_once(" as ").map_or(of, |(of, _)| of);
            self::parts(of).last().copied().map(plain).unwrap_or_default()
        }
        Some(_) | None => plain(part),
    });
    last.collect::<Vec<&str>>().join("::")
}

/// Without type arguments, and without what the compiler says in braces.
fn plain(part: &str) -> &str {
    let end = part.find("{{").into_iter().chain(part.find('<')).filter(|at| *at > 0).min();
    end.and_then(|at| part.get(..at)).unwrap_or(part)
}

/// A path at its `::`, those within angle brackets apart.
fn parts(name: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut begin) = (Vec::new(), 0_usize, 0);
    for (at, byte) in name.bytes().enumerate() {
        match byte {
            b'<' => depth += 1,
            b'>' => depth = depth.saturating_sub(1),
            b':' if depth == 0 && at >= begin && name.get(at..at + 2) == Some("::") => {
                parts.extend(name.get(begin..at));
                begin = at + 2;
            }
            _ => {}
        }
    }
    parts.extend(name.get(begin..));
    parts
}

/// Without the hash that the compiler ends a name with, and not endless.
fn readable(name: &str) -> String {
    const LONGEST: usize = 200;
    let name = match name.rsplit_once("::h") {
        Some((name, hash)) if hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => name,
        _ => name,
    };
    if name.chars().count() <= LONGEST {
        return name.to_owned();
    }
    name.chars().take(LONGEST).chain("..".chars()).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "tokio-rt\n\t    55d0 core::decide::h0123456789abcdef\n\t    55d1 main\n\n\
                          tokio-rt\n\t    55d0 core::decide::h0123456789abcdef\n\t    55d1 main\n\n\
                          tokio-rt\n\t    55d2 <a & b>::write\n\t    55d1 main\n\n\
                          journal\n\t    ffff [unknown]\n";

    #[test]
    fn samples_with_the_same_callers_are_one_box() -> Result<()> {
        let all = gathered(SCRIPT.as_bytes())?;
        let of = |samples, calls: Vec<(&str, Called)>| Called {
            samples,
            calls: calls.into_iter().map(|(name, called)| (name.to_owned(), called)).collect(),
        };
        let main = of(3, vec![("<a & b>::write", of(1, vec![])), ("core::decide", of(2, vec![]))]);
        let threads =
            vec![("journal", of(1, vec![("[unknown]", of(1, vec![]))])), ("tokio-rt", of(3, vec![("main", main)]))];
        assert_eq!(all, of(4, threads));
        Ok(())
    }

    #[test]
    fn a_box_is_as_wide_as_its_share_and_stands_on_its_caller() -> Result<()> {
        let svg = draw(SCRIPT.as_bytes(), "a < b")?;
        assert!(
            svg.contains("a &lt; b, 4 samples") && svg.contains("&lt;a &amp; b&gt;::write: 25.0 %, 1 samples"),
            "{svg}"
        );
        let place = |name: &str| -> Option<(f64, f64, f64)> {
            let line = svg.lines().find(|line| line.contains(&format!("<title>{name}:")))?;
            let of = |name: &str| line.split(&format!(" {name}=\"")).nth(1)?.split('"').next()?.parse::<f64>().ok();
            Some((of("x")?, of("y")?, of("width")?))
        };
        let (main, decide) = (place("main").unwrap_or_default(), place("core::decide").unwrap_or_default());
        assert_eq!((main.2, decide.2), (899.6, 599.6));
        assert_eq!((main.1 - decide.1, decide.0 - main.0), (LINE, 300.0));
        Ok(())
    }

    #[test]
    fn a_box_is_named_by_the_end_of_a_path() {
        let named = [
            ("steadfast::persistence::segments::writer::Writer::run", "Writer::run"),
            ("a::turn::<impl a::host::Host<E>>::turn", "Host::turn"),
            ("<a::AskRequest<E,C> as core::future::IntoFuture>::into_future::{{closure}}", "AskRequest::into_future"),
            ("core::ptr::drop_in_place<a::B<c::D>>", "ptr::drop_in_place"),
            ("tokio::runtime::task::core::Core<T,S>::poll", "Core::poll"),
            ("core::ops::function::FnOnce::call_once{{vtable.shim}}", "FnOnce::call_once"),
            ("clone3", "clone3"),
            ("[unknown]", "[unknown]"),
            ("<&a>", "<&a>"),
        ];
        for (name, short_name) in named {
            assert_eq!(short(name), short_name, "{name}");
        }
    }

    #[test]
    fn what_only_calls_the_next_is_left_out_unless_it_is_the_last() -> Result<()> {
        let script = "t\n\t 1 work\n\t 2 tokio::Core<T>::poll\n\t 3 clone3\n\nt\n\t 3 clone3\n";
        let all = gathered(script.as_bytes())?;
        let names: Vec<&str> = all.calls["t"].calls.keys().map(String::as_str).collect();
        assert_eq!(names, ["clone3", "work"]);
        Ok(())
    }

    #[test]
    fn what_has_no_samples_is_an_error_and_long_names_are_cut() {
        assert!(draw("".as_bytes(), "none").is_err());
        assert_eq!(readable(&"x".repeat(300)).len(), 202);
        assert_eq!(readable("a::h0123456789abcdef"), "a");
        assert_eq!(readable("a::hash"), "a::hash");
    }
}
