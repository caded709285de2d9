//! Bars: for each place a group, in it a bar for each subject.

use super::{
    super::tables::number,
    Picture,
    axis::{Upward, under},
    canvas::{Anchor, BOTTOM, Canvas, LEFT, RIGHT, colour},
};

/// The share of a group that is not between it and the next.
const FILLED: f64 = 0.86;
/// No bar is wider.
const WIDEST: f64 = 90.0;

/// Draws it; the rounds of each bar as a line from the least to the greatest.
pub(in super::super) fn bars(picture: &Picture) -> String {
    let (mut canvas, axis) = (Canvas::new(&picture.title), Upward::to(picture.greatest()));
    axis.draw(&mut canvas);
    canvas.legend(picture.series.iter().map(|series| series.name.as_str()));
    let places = picture.places();
    let count = |things: usize| f64::from(u32::try_from(things.max(1)).unwrap_or(u32::MAX));
    let group = (RIGHT - LEFT) / count(places.len());
    let width = (group * FILLED / count(picture.series.len())).min(WIDEST);
    let mut middle = LEFT + group / 2.0;
    for place in places {
        canvas.text((middle, BOTTOM + 20.0), Anchor::Middle, "", &place.to_string());
        let mut x = middle - width * count(picture.series.len()) / 2.0;
        for (nth, series) in picture.series.iter().enumerate() {
            if let Some(point) = series.points.iter().find(|point| point.at == place) {
                let y = axis.y(point.middle());
                canvas.rectangle((x + 1.0, y), width - 2.0, BOTTOM - y, colour(nth), "bar");
                canvas.whisker(x + width / 2.0, axis.y(point.least()), axis.y(point.greatest()));
                let above = axis.y(point.greatest()) - 5.0;
                canvas.text((x + width / 2.0, above), Anchor::Middle, "", &number(Some(point.middle())));
            }
            x += width;
        }
        middle += group;
    }
    under(&mut canvas, &picture.varies);
    canvas.end()
}
