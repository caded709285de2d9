//! Axes: which numbers stand at them, and where.

use super::{
    super::tables::number,
    canvas::{Anchor, BOTTOM, Canvas, LEFT, RIGHT, TOP},
};

/// Lines across a plot, at most.
const LINES: f64 = 6.0;

/// The upward axis, from 0 to a round number above the greatest value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Upward {
    step: f64,
    top: f64,
}

impl Upward {
    pub(super) fn to(greatest: f64) -> Self {
        let greatest = if greatest > 0.0 { greatest } else { 1.0 };
        let rough = greatest / LINES;
        let decade = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|times| times * decade);
        let step = step.into_iter().find(|step| *step >= rough).unwrap_or(10.0 * decade);
        Self { step, top: (greatest / step).ceil() * step }
    }

    /// How far down a value is.
    pub(super) fn y(self, value: f64) -> f64 {
        BOTTOM - (value / self.top).clamp(0.0, 1.0) * (BOTTOM - TOP)
    }

    /// Its lines and their numbers.
    pub(super) fn draw(self, canvas: &mut Canvas) {
        let mut value = 0.0;
        while value <= self.top + self.step / 2.0 {
            let y = self.y(value);
            canvas.line((LEFT, y), (RIGHT, y), if value > 0.0 { "#dddddd" } else { "black" });
            canvas.text((LEFT - 6.0, y + 4.0), Anchor::End, "", &number(Some(rounded(value))));
            value += self.step;
        }
    }
}

/// Without what adding up has left behind the third decimal.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// What stands under the horizontal axis.
pub(super) fn under(canvas: &mut Canvas, varies: &str) {
    canvas.text((f64::midpoint(LEFT, RIGHT), BOTTOM + 42.0), Anchor::Middle, "", varies);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upward_axis_ends_at_a_round_number_above_the_greatest_value() {
        for (greatest, step, top) in [(27_345.0, 5_000.0, 30_000.0), (0.7, 0.2, 0.8), (6.0, 1.0, 6.0), (0.0, 0.2, 1.0)]
        {
            let axis = Upward::to(greatest);
            assert!((axis.step - step).abs() < 1e-9 && (axis.top - top).abs() < 1e-9, "{greatest}: {axis:?}");
        }
        let axis = Upward::to(10.0);
        assert!((axis.y(0.0) - BOTTOM).abs() < 1e-9 && (axis.y(axis.top) - TOP).abs() < 1e-9);
        assert!((axis.y(2.0 * axis.top) - TOP).abs() < 1e-9, "nothing is drawn outside");
    }
}
