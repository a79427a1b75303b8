//! Drawing: an axis with round ticks, a frame with grid and labels, and text that is safe to show.

use std::fmt::Write as _;

use crate::number::{ceil, grouped, real};

/// Size of a plot in its own units; the page scales it.
pub(super) const SIZE: (f64, f64) = (480.0, 340.0);

/// Where the data is: left, top, right, bottom.
const FRAME: (f64, f64, f64, f64) = (76.0, 14.0, 466.0, 288.0);

/// Text from a record, which may hold anything.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

/// One axis: what it shows from where to where, and labelled places on it.
pub(super) struct Axis {
    pub(super) title: String,
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) ticks: Vec<(f64, String)>,
}

impl Axis {
    /// From and to these values, or a little beyond, with about `count` round ticks.
    pub(super) fn linear(title: String, from: f64, to: f64, count: usize) -> Self {
        let span = if to > from { to - from } else { from.abs().max(1.0) * 0.02 };
        let (from, to) =
            if to > from { (from - span * 0.02, to + span * 0.02) } else { (from - span, from + span) };
        let raw = (to - from) / real(count.max(1));
        let power = 10_f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= raw);
        let step = step.unwrap_or(raw);
        let digits = ceil(-step.log10().floor());
        let label = |at: f64| {
            // Adding 0 makes a 0 of a negative one.
            if step >= 1000.0 { grouped(at) } else { format!("{:.digits$}", at + 0.0) }
        };
        let first = (from / step).ceil();
        let tick = |number: usize| (first + real(number)) * step;
        let ticks = (0..=count + 1).map(tick).filter(|at| *at <= to);
        Self { title, from, to, ticks: ticks.map(|at| (at, label(at))).collect() }
    }

    fn share(&self, value: f64) -> f64 {
        (value - self.from) / (self.to - self.from)
    }

    /// Whether a value is on it.
    pub(super) fn holds(&self, value: f64) -> bool {
        (self.from..=self.to).contains(&value)
    }
}

/// A plot that grows.
pub(super) struct Plot {
    x: Axis,
    y: Axis,
    body: String,
}

impl Plot {
    /// Frame, grid and labels. `label` says in words what the plot shows.
    pub(super) fn new(label: &str, x: Axis, y: Axis) -> Self {
        let (left, top, right, bottom) = FRAME;
        let mut body = String::new();
        let _infallible = write!(
            body,
            r#"<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">"#,
            SIZE.0,
            SIZE.1,
            escape(label)
        );
        let mut plot = Self { x, y, body };
        for (at, text) in plot.x.ticks.clone() {
            let x = plot.x(at);
            plot.line("grid", &[(x, top), (x, bottom)]);
            plot.text("tick", (x, bottom + 18.0), "middle", &text);
        }
        for (at, text) in plot.y.ticks.clone() {
            let y = plot.y(at);
            plot.line("grid", &[(left, y), (right, y)]);
            plot.text("tick", (left - 7.0, y + 4.0), "end", &text);
        }
        plot.line("frame", &[(left, top), (left, bottom), (right, bottom)]);
        let titles = (plot.x.title.clone(), plot.y.title.clone());
        plot.text("axis", ((left + right) / 2.0, SIZE.1 - 8.0), "middle", &titles.0);
        let (x, y) = (14.0, (top + bottom) / 2.0);
        let turned = format!(r#"transform="rotate(-90 {x} {y})""#);
        plot.raw_text("axis", (x, y), "middle", &titles.1, &turned);
        plot
    }

    /// Place of a value across.
    fn x(&self, value: f64) -> f64 {
        FRAME.0 + self.x.share(value) * (FRAME.2 - FRAME.0)
    }

    /// Place of a value upwards.
    fn y(&self, value: f64) -> f64 {
        FRAME.3 - self.y.share(value) * (FRAME.3 - FRAME.1)
    }

    /// A line through values; what is outside the frame is cut off.
    pub(super) fn curve(&mut self, class: &str, values: &[(f64, f64)]) {
        let points: Vec<(f64, f64)> = values.iter().map(|(x, y)| (self.x(*x), self.y(*y))).collect();
        self.line(class, &points);
    }

    /// A filled area through values; what is outside the frame is cut off.
    pub(super) fn area(&mut self, class: &str, values: &[(f64, f64)]) {
        let points = values.iter().map(|(x, y)| format!("{:.1},{:.1}", self.x(*x), self.y(*y)));
        let points = points.collect::<Vec<_>>().join(" ");
        self.push(&format!(r#"<polygon class="{class}" points="{points}"/>"#));
    }

    /// A dot at a value, if it is inside.
    pub(super) fn dot(&mut self, class: &str, (x, y): (f64, f64), radius: f64) {
        if self.x.holds(x) && self.y.holds(y) {
            let (x, y) = (self.x(x), self.y(y));
            self.push(&format!(r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="{radius}"/>"#));
        }
    }

    /// Labels of values that ascend: every other one above to the left, so that neighbours do not cover each other; one
    /// that would still cover the last but one moves down.
    pub(super) fn labels(&mut self, labels: &[((f64, f64), &str)]) {
        let mut placed: Vec<(f64, f64)> = Vec::new();
        for (number, ((x, y), text)) in labels.iter().enumerate() {
            if !self.x.holds(*x) || !self.y.holds(*y) {
                continue;
            }
            let left = number % 2 == 1 || self.x(*x) > FRAME.2 - 50.0;
            let (dx, dy, anchor) = if left { (-9.0, -7.0, "end") } else { (9.0, 15.0, "start") };
            let (x, mut y) = (self.x(*x) + dx, self.y(*y) + dy);
            while placed
                .iter()
                .any(|(other_x, other_y)| (x - other_x).abs() < 32.0 && (y - other_y).abs() < 14.0)
            {
                y += 14.0;
            }
            placed.push((x, y));
            self.text("mark", (x, y), anchor, text);
        }
    }

    /// Colours and names of the two records in the corner that a rising curve leaves empty.
    pub(super) fn legend(&mut self, entries: &[(&str, &str)]) {
        let (mut y, x) = (FRAME.1 + 14.0, FRAME.0 + 12.0);
        for (class, text) in entries {
            self.line(class, &[(x, y - 4.0), (x + 22.0, y - 4.0)]);
            self.text("mark", (x + 28.0, y), "start", text);
            y += 18.0;
        }
    }

    fn line(&mut self, class: &str, points: &[(f64, f64)]) {
        let points = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect::<Vec<_>>().join(" ");
        self.push(&format!(r#"<polyline class="{class}" points="{points}"/>"#));
    }

    fn text(&mut self, class: &str, at: (f64, f64), anchor: &str, text: &str) {
        self.raw_text(class, at, anchor, text, "");
    }

    fn raw_text(&mut self, class: &str, (x, y): (f64, f64), anchor: &str, text: &str, more: &str) {
        let text = escape(text);
        self.push(&format!(
            r#"<text class="{class}" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" {more}>{text}</text>"#
        ));
    }

    fn push(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }

    /// The drawing.
    pub(super) fn finish(self) -> String {
        self.body + "</svg>"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let cases = [
            (48.0, 80.0, "50 60 70 80"),
            (0.0, 1.0, "0.0 0.2 0.4 0.6 0.8 1.0"),
            (21_000.0, 24_000.0, "21,000 22,000 23,000 24,000"),
            (50.12, 50.18, "50.12 50.14 50.16 50.18"),
            (7.0, 7.0, "6.90 6.95 7.00 7.05 7.10"),
            (0.0, 0.0, "-0.02 -0.01 0.00 0.01 0.02"),
        ];
        for (from, to, expected) in cases {
            let axis = Axis::linear(String::new(), from, to, 6);
            let ticks: Vec<&str> = axis.ticks.iter().map(|(_, text)| text.as_str()).collect();
            assert_eq!(ticks.join(" "), expected);
            assert!(axis.ticks.iter().all(|(at, _)| axis.holds(*at)));
        }
    }

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(escape("<a href='x'>\"&\n"), "&lt;a href=&#39;x&#39;&gt;&quot;&amp; ");
    }
}
