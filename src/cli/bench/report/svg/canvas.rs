//! The elements of a drawing, as text.

use std::fmt::Write as _;

/// Points of a drawing; a page shows it at its own width.
pub(super) const WIDTH: f64 = 760.0;
pub(super) const HEIGHT: f64 = 380.0;
/// Room for what is around the plot.
pub(super) const LEFT: f64 = 70.0;
pub(super) const RIGHT: f64 = 740.0;
pub(super) const TOP: f64 = 70.0;
pub(super) const BOTTOM: f64 = 325.0;

/// Colours that those who see red as green tell apart as well (Okabe and Ito).
const COLOURS: [&str; 7] = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#999999"];

/// Of the series of that number; after the last, they begin again.
pub(super) fn colour(nth: usize) -> &'static str {
    COLOURS.get(nth % COLOURS.len()).copied().unwrap_or("black")
}

/// Where a text begins.
#[derive(Clone, Copy, Debug)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A drawing that grows.
#[derive(Debug)]
pub(super) struct Canvas {
    text: String,
}

impl Canvas {
    /// With its background and title.
    pub(super) fn new(title: &str) -> Self {
        let mut canvas = Self { text: String::new() };
        canvas.line_of_text(&format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
             height=\"{HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\" role=\"img\">"
        ));
        canvas.line_of_text(&format!("<title>{}</title>", escaped(title)));
        canvas.line_of_text(&format!("<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>"));
        canvas.text((LEFT, 22.0), Anchor::Start, "font-size=\"15\" font-weight=\"bold\"", title);
        canvas
    }

    pub(super) fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, style: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escaped(text);
        self.line_of_text(&format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" {style}>{text}</text>"));
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: &str) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.line_of_text(&format!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{stroke}\"/>"
        ));
    }

    /// A rectangle from its upper left corner.
    pub(super) fn rectangle(&mut self, (x, y): (f64, f64), width: f64, height: f64, fill: &str, class: &str) {
        self.line_of_text(&format!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             fill=\"{fill}\"/>"
        ));
    }

    pub(super) fn dot(&mut self, (x, y): (f64, f64), fill: &str) {
        self.line_of_text(&format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{fill}\"/>"));
    }

    pub(super) fn path(&mut self, points: &[(f64, f64)], stroke: &str) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        self.line_of_text(&format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{stroke}\" stroke-width=\"2\"/>",
            points.join(" ")
        ));
    }

    /// From the least round to the greatest.
    pub(super) fn whisker(&mut self, x: f64, from: f64, to: f64) {
        if (from - to).abs() >= 0.5 {
            self.line((x, from), (x, to), "black");
            for y in [from, to] {
                self.line((x - 3.0, y), (x + 3.0, y), "black");
            }
        }
    }

    /// The names of the series with their colours, in one row.
    pub(super) fn legend<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        let mut x = LEFT;
        for (nth, name) in names.enumerate() {
            self.rectangle((x, 34.0), 10.0, 10.0, colour(nth), "legend");
            self.text((x + 15.0, 43.0), Anchor::Start, "", name);
            // Letters are some seven points wide.
            x += 35.0 + 6.6 * f64::from(u32::try_from(name.chars().count()).unwrap_or(u32::MAX));
        }
    }

    pub(super) fn end(mut self) -> String {
        self.line_of_text("</svg>");
        self.text
    }

    fn line_of_text(&mut self, line: &str) {
        let _infallible = writeln!(self.text, "{line}");
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
