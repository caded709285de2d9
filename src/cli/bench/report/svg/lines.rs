//! Lines: one for each subject, over what is varied.

use super::{
    super::tables::number,
    Picture,
    axis::{Upward, under},
    canvas::{Anchor, BOTTOM, Canvas, LEFT, RIGHT, colour},
};

/// Numbers under the axis, at most.
const NUMBERS: usize = 12;
/// Room beside the outermost points.
const BESIDE: f64 = 25.0;

/// Draws it; `decades` when each step to the right is ten times the last, with a dot for each point and its rounds.
pub(in super::super) fn lines(picture: &Picture, decades: bool) -> String {
    let (mut canvas, axis) = (Canvas::new(&picture.title), Upward::to(picture.greatest()));
    axis.draw(&mut canvas);
    canvas.legend(picture.series.iter().map(|series| series.name.as_str()));
    let places = picture.places();
    let along = Along::over(&places, decades);
    for place in places.iter().step_by(places.len().div_ceil(NUMBERS).max(1)) {
        let shown = number(Some(precise(*place)));
        canvas.text((along.x(*place), BOTTOM + 20.0), Anchor::Middle, "", &shown);
    }
    for (nth, series) in picture.series.iter().enumerate() {
        let points: Vec<_> = series.points.iter().map(|point| (along.x(point.at), axis.y(point.middle()))).collect();
        canvas.path(&points, colour(nth));
        if decades {
            for (point, at) in series.points.iter().zip(points) {
                canvas.whisker(at.0, axis.y(point.least()), axis.y(point.greatest()));
                canvas.dot(at, colour(nth));
            }
        }
    }
    under(&mut canvas, &picture.varies);
    canvas.end()
}

/// The horizontal axis.
struct Along {
    decades: bool,
    first: f64,
    last: f64,
}

impl Along {
    fn over(places: &[u64], decades: bool) -> Self {
        let end = |place: Option<&u64>| scaled(place.copied().unwrap_or_default(), decades);
        Self { decades, first: end(places.first()), last: end(places.last()) }
    }

    /// How far to the right a place is; in the middle when there is only one.
    fn x(&self, place: u64) -> f64 {
        let span = self.last - self.first;
        let share = if span > 0.0 { (scaled(place, self.decades) - self.first) / span } else { 0.5 };
        LEFT + BESIDE + share * (RIGHT - LEFT - 2.0 * BESIDE)
    }
}

/// Nothing is less than 1 where steps are decades.
fn scaled(place: u64, decades: bool) -> f64 {
    if decades { precise(place.max(1)).log10() } else { precise(place) }
}

#[expect(clippy::cast_precision_loss, reason = "a place in a drawing")]
fn precise(place: u64) -> f64 {
    place as f64
}
