//! Traces: a recorded series of round trips, played on a link. Pure: it says which RTT holds at a time; the caller has
//! the clock and the link.
//!
//! A value holds until the next line (steps, no interpolation: a round trip between two recorded ones was measured by
//! nobody). Times count from the first line, whatever it says, so a part of a longer recording plays from its start. The
//! last value holds as long as the one before it, which gives the trace a length to be repeated after.
//!
//! Limits: round trips only; the two directions get half each, since a round trip cannot tell them apart.

use std::time::Duration;

/// Most lines: a day of ten values a second.
const LINES_MAX: usize = 1_000_000;
/// Largest RTT, ms: as in the configuration.
const RTT_MS_MAX: f64 = 120_000.0;
/// Largest time, seconds: also what a clock of seconds since 1970 says.
const SECONDS_MAX: f64 = 1e11;

/// A recorded series.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// When each value begins to hold. Invariant: at least two; the first at 0, each later than the one before.
    points: Vec<Point>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Point {
    at: Duration,
    rtt_ms: f64,
}

/// What holds at a time of playing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Playing {
    /// Round trip, ms.
    pub rtt_ms: f64,
    /// When something else holds, on the same clock; never earlier than asked.
    pub until: Duration,
}

/// A text is no trace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TraceError {
    /// A value is not allowed.
    #[error("line {line}, column {column}: `{found}`: {allowed}")]
    Value {
        /// Line, from 1.
        line: usize,
        /// Character of the line, from 1.
        column: usize,
        /// What is there.
        found: String,
        /// What should be.
        allowed: &'static str,
    },
    /// There are too few or too many lines.
    #[error("has {found} lines of values; a trace has 2 to {LINES_MAX}")]
    Lines {
        /// How many; counting stops at the first that is too many.
        found: usize,
    },
}

impl Trace {
    /// Reads lines `seconds,rtt_ms`. Empty lines, lines that begin with `#` and a first line of names are skipped.
    ///
    /// # Errors
    /// The first value that is not allowed, by line and column.
    pub fn parse(text: &str) -> Result<Trace, TraceError> {
        let mut points: Vec<(f64, Point)> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let skipped = line.trim().is_empty() || line.trim_start().starts_with('#');
            if skipped || points.is_empty() && is_names(line) {
                continue;
            }
            if points.len() == LINES_MAX {
                return Err(TraceError::Lines { found: LINES_MAX + 1 });
            }
            points.push(parse_line(line, index + 1, &points)?);
        }
        if points.len() < 2 {
            return Err(TraceError::Lines { found: points.len() });
        }
        Ok(Trace { points: points.into_iter().map(|(_, point)| point).collect() })
    }

    /// How long it plays.
    pub fn length(&self) -> Duration {
        let mut last = self.points.iter().rev().map(|point| point.at);
        let (end, before) = (last.next().unwrap_or_default(), last.next().unwrap_or_default());
        end + (end - before)
    }

    /// Lines of values.
    pub fn lines(&self) -> usize {
        self.points.len()
    }

    /// What holds `elapsed` after the start; none after the end, unless it is repeated.
    pub fn at(&self, elapsed: Duration, repeat: bool) -> Option<Playing> {
        let length = self.length();
        if !repeat && elapsed >= length {
            return None;
        }
        let round = u32::try_from(elapsed.as_nanos() / length.as_nanos()).ok()?;
        let start = length.checked_mul(round)?;
        let after = self.points.partition_point(|point| start + point.at <= elapsed);
        let rtt_ms = self.points.get(after.checked_sub(1)?)?.rtt_ms;
        let until = start + self.points.get(after).map_or(length, |point| point.at);
        Some(Playing { rtt_ms, until })
    }
}

/// Whether a line names the columns: not one field begins as a number does.
fn is_names(line: &str) -> bool {
    let begins =
        |field: &str| field.trim_start().chars().next().is_some_and(|first| first.is_ascii_alphabetic());
    line.split(',').all(begins) && line.split(',').all(|field| field.trim().parse::<f64>().is_err())
}

/// The seconds that the line gives, and its point; `earlier` are those of the lines before it.
fn parse_line(line: &str, number: usize, earlier: &[(f64, Point)]) -> Result<(f64, Point), TraceError> {
    let wrong = |field: &str, offset: usize, allowed| TraceError::Value {
        line: number,
        column: line.get(..offset).map_or(0, |before| before.chars().count()) + 1,
        found: field.trim().chars().take(40).collect(),
        allowed,
    };
    let Some((seconds, rtt)) = line.split_once(',') else {
        return Err(wrong(line, 0, "must be two numbers: seconds,rtt_ms"));
    };
    let seconds_value = number_in(seconds, SECONDS_MAX)
        .ok_or_else(|| wrong(seconds, 0, "must be a number of seconds from 0 to 100000000000"))?;
    let offset = seconds.len() + 1;
    let rtt_ms = number_in(rtt, RTT_MS_MAX)
        .ok_or_else(|| wrong(rtt, offset, "must be a number of milliseconds from 0 to 120000"))?;
    let start = earlier.first().map_or(seconds_value, |(start, _)| *start);
    let at = Duration::try_from_secs_f64(seconds_value - start).unwrap_or_default();
    if earlier.last().is_some_and(|(_, last)| at <= last.at) {
        return Err(wrong(seconds, 0, "must be later than the line before"));
    }
    Ok((seconds_value, Point { at, rtt_ms }))
}

fn number_in(field: &str, max: f64) -> Option<f64> {
    field.trim().parse().ok().filter(|value| (0.0..=max).contains(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_value_holds_until_the_next_line_and_the_last_as_long_as_the_one_before() {
        let text = "seconds, rtt_ms\n# a recording\n\n1000.5, 20\n1001.5,30.5\r\n1001.75,10\n";
        let trace = Trace::parse(text).unwrap();
        assert_eq!((trace.lines(), trace.length()), (3, ms(1_500)));
        // Time, value, until; none behind the end.
        let once = [
            (0, Some((20.0, 1_000))),
            (999, Some((20.0, 1_000))),
            (1_000, Some((30.5, 1_250))),
            (1_250, Some((10.0, 1_500))),
            (1_499, Some((10.0, 1_500))),
            (1_500, None),
            (9_000, None),
        ];
        let repeated =
            [(1_500, Some((20.0, 2_500))), (2_500, Some((30.5, 2_750))), (15_100, Some((20.0, 16_000)))];
        let cases = once.map(|case| (false, case)).into_iter().chain(repeated.map(|case| (true, case)));
        for (repeat, (at, expected)) in cases {
            let expected = expected.map(|(rtt_ms, until)| Playing { rtt_ms, until: ms(until) });
            assert_eq!(trace.at(ms(at), repeat), expected, "at {at} ms");
        }
    }

    #[test]
    fn mistakes_are_named_by_line_and_column() {
        let cases = [
            ("", "has 0 lines of values"),
            ("0,10\n", "has 1 lines of values; a trace has 2 to 1000000"),
            ("0,10\n1\n", "line 2, column 1: `1`: must be two numbers: seconds,rtt_ms"),
            ("0,10\n1,\n", "line 2, column 3: ``: must be a number of milliseconds"),
            ("0,10\n1,ten\n", "line 2, column 3: `ten`: must be a number of milliseconds"),
            ("0,10\n1,20,30\n", "line 2, column 3: `20,30`: must be a number of milliseconds"),
            (
                "seconds,rtt_ms\n0,-1\n",
                "line 2, column 3: `-1`: must be a number of milliseconds from 0 to 120000",
            ),
            ("0,10\n-1,10\n", "line 2, column 1: `-1`: must be a number of seconds"),
            ("0,10\nnan,10\n", "line 2, column 1: `nan`: must be a number of seconds"),
            ("0,10\n0,inf\n", "line 2, column 3: `inf`: must be a number of milliseconds"),
            ("5,10\n5,11\n", "line 2, column 1: `5`: must be later than the line before"),
            ("5,10\n6,10\n4,11\n", "line 3, column 1: `4`: must be later than the line before"),
            ("0,10\nseconds,rtt_ms\n", "line 2, column 1: `seconds`: must be a number of seconds"),
        ];
        for (text, expected) in cases {
            let error = Trace::parse(text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text:?}: {error}");
        }
        let long: String = (0..=LINES_MAX).map(|line| format!("{line},1\n")).collect();
        assert_eq!(Trace::parse(&long), Err(TraceError::Lines { found: LINES_MAX + 1 }));
    }

    #[test]
    fn a_trace_that_is_played_step_by_step_comes_to_its_end() {
        let trace = Trace::parse("0,1\n0.1,2\n0.3,3\n").unwrap();
        let (mut now, mut seen) = (Duration::ZERO, Vec::new());
        while let Some(playing) = trace.at(now, false) {
            assert!(playing.until > now, "{playing:?} at {now:?}");
            seen.push(playing.rtt_ms);
            now = playing.until;
        }
        assert_eq!((seen, now), (vec![1.0, 2.0, 3.0], trace.length()));
    }
}
