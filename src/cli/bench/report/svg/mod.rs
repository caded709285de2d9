//! Plots as SVG, the same bytes for the same results: no times, no random names, coordinates with one decimal.

mod axis;
mod bars;
mod canvas;
mod lines;

pub(super) use self::{bars::bars, lines::lines};

/// The rounds of one subject at one place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) at: u64,
    /// At least one.
    pub(super) values: Vec<f64>,
}

/// One subject's points.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) points: Vec<Point>,
}

/// What a plot shows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Picture {
    pub(super) title: String,
    /// Under the horizontal axis.
    pub(super) varies: String,
    pub(super) series: Vec<Series>,
}

impl Picture {
    /// Every place that any subject has a point at, in order.
    fn places(&self) -> Vec<u64> {
        let mut places: Vec<u64> =
            self.series.iter().flat_map(|series| series.points.iter().map(|point| point.at)).collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    /// The greatest value of all.
    fn greatest(&self) -> f64 {
        let points = self.series.iter().flat_map(|series| &series.points);
        points.flat_map(|point| &point.values).copied().fold(0.0, f64::max)
    }
}

impl Point {
    fn middle(&self) -> f64 {
        super::results::median(&self.values).unwrap_or_default()
    }

    fn least(&self) -> f64 {
        self.values.iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn greatest(&self) -> f64 {
        self.values.iter().copied().fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Picture {
        let series = |name: &str, points: &[(u64, &[f64])]| Series {
            name: name.to_owned(),
            points: points.iter().map(|(at, values)| Point { at: *at, values: values.to_vec() }).collect(),
        };
        Picture {
            title: "rates & <others>".into(),
            varies: "connections".into(),
            series: vec![
                series("steadfast", &[(64, &[100.0, 120.0, 90.0]), (256, &[200.0])]),
                series("other", &[(64, &[50.0])]),
            ],
        }
    }

    /// How often each element is there.
    fn count(svg: &str, element: &str) -> usize {
        svg.matches(&format!("<{element} ")).count()
    }

    #[test]
    fn the_same_results_are_drawn_as_the_same_bytes() {
        assert_eq!(bars(&picture()), bars(&picture()));
        assert_eq!(lines(&picture(), true), lines(&picture(), true));
    }

    #[test]
    fn there_is_a_bar_for_each_point_with_its_value_and_its_rounds() {
        let svg = bars(&picture());
        // The background, three bars, and a square of the legend for each of two.
        assert_eq!(count(&svg, "rect"), 1 + 3 + 2, "{svg}");
        for text in ["rates &amp; &lt;others&gt;", ">100<", ">200<", ">50<", ">steadfast<", ">other<", ">64<", ">256<"]
        {
            assert!(svg.contains(text), "{text}: {svg}");
        }
        assert!(svg.starts_with("<svg xmlns=") && svg.ends_with("</svg>\n"));
    }

    #[test]
    fn the_height_of_a_bar_is_its_value() {
        let svg = bars(&picture());
        let heights: Vec<f64> = svg
            .lines()
            .filter(|line| line.contains("class=\"bar\""))
            .map(|line| line.split("height=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap())
            .collect();
        let [a, b, c] = heights.as_slice() else { panic!("{heights:?}") };
        assert!((a / b - 2.0).abs() < 0.02 && (c / a - 2.0).abs() < 0.02, "{heights:?}");
    }

    #[test]
    fn a_line_goes_through_its_points_in_order_and_decades_are_evenly_apart() {
        let mut picture = picture();
        picture.series.truncate(1);
        picture.series[0].points = [1, 10, 100].map(|at| Point { at, values: vec![10.0] }).to_vec();
        let svg = lines(&picture, true);
        let points = svg.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
        let x: Vec<f64> = points.split(' ').map(|point| point.split(',').next().unwrap().parse().unwrap()).collect();
        assert!(x[0] < x[1] && (x[2] - x[1] - (x[1] - x[0])).abs() < 0.2, "{x:?}");
        assert_eq!(count(&svg, "circle"), 3);
        let linear = lines(&picture, false);
        assert_ne!(svg, linear);
    }

    #[test]
    fn a_picture_of_nothing_and_one_of_nought_are_drawn_as_well() {
        let mut picture = picture();
        for series in &mut picture.series {
            series.points = vec![Point { at: 0, values: vec![0.0] }];
        }
        for svg in [bars(&picture), lines(&picture, true), lines(&picture, false)] {
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
        picture.series.clear();
        for svg in [bars(&picture), lines(&picture, true)] {
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }
}
