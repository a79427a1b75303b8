//! The samples' file: gzip over CSV, one line per sample, header `series,from,to,block,at_s,value`.
//!
//! Values are written with as many digits as it takes to read the same number again. Names hold no comma, quote or
//! line break (`document` sees to it), so there is nothing to quote.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::{Record, RecordError, Sample};

const HEADER: &str = "series,from,to,block,at_s,value";

/// Longest line, bytes: three names and three numbers take less, and a file that is no CSV does not fill the memory.
const LINE_MAX: u64 = 1024;

/// Compresses every sample of a record.
pub(super) fn write(record: &Record, to: impl Write) -> io::Result<()> {
    let mut out = io::BufWriter::new(GzEncoder::new(to, Compression::default()));
    writeln!(out, "{HEADER}")?;
    for series in &record.series {
        let (name, from, to) = series.key();
        let prefix = format!("{name},{},{}", from.unwrap_or_default(), to.unwrap_or_default());
        for Sample { block, at_s, value } in &series.samples {
            writeln!(out, "{prefix},{block},{at_s},{value}")?;
        }
    }
    let encoder = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    encoder.finish()?.flush()
}

/// Reads the samples of `path` out of `compressed` into the series that a record already has; at most `rows` of them.
pub(super) fn read(
    path: &Path,
    compressed: impl Read,
    rows: u64,
    into: &mut Record,
) -> Result<(), RecordError> {
    let mut lines = Lines { reader: BufReader::new(MultiGzDecoder::new(compressed)), path, number: 0 };
    match lines.next()? {
        Some(line) if line == HEADER => {}
        other => {
            let message = format!("the header is {:?}; expected {HEADER}", other.unwrap_or_default());
            return Err(lines.wrong(message));
        }
    }
    let mut found = 0;
    let mut last = 0;
    while let Some(line) = lines.next()? {
        found += 1;
        if found > rows {
            return Err(lines.wrong(format!("more samples than the {rows} that the record counts")));
        }
        let (key, sample) = parse(&line).map_err(|message| lines.wrong(message))?;
        // Samples of a series follow each other: the series of the line before is nearly always the right one.
        let is = |place: &usize| into.series.get(*place).is_some_and(|series| series.key() == key);
        let place = Some(last).filter(is).or_else(|| (0..into.series.len()).find(is));
        let Some((place, series)) = place.and_then(|place| Some((place, into.series.get_mut(place)?))) else {
            return Err(lines.wrong(format!("{line:?} belongs to no series of the record")));
        };
        last = place;
        series.samples.push(sample);
    }
    if found < rows {
        return Err(lines.wrong(format!("the samples end after {found}; the record counts {rows}")));
    }
    Ok(())
}

type Key<'a> = (&'a str, Option<&'a str>, Option<&'a str>);

fn parse(line: &str) -> Result<(Key<'_>, Sample), String> {
    let fields: Vec<&str> = line.split(',').collect();
    let &[name, from, to, block, at_s, value] = fields.as_slice() else {
        return Err(format!("{} fields; expected the six of {HEADER}", fields.len()));
    };
    let place = |text| Some(text).filter(|text: &&str| !text.is_empty());
    let number = |field: &str, text: &str| match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        _ => Err(format!("{field} is {text:?}; expected a number of at least 0")),
    };
    let block = block.parse().map_err(|_| format!("block is {block:?}; expected a whole number from 0"))?;
    let sample = Sample { block, at_s: number("at_s", at_s)?, value: number("value", value)? };
    Ok(((name, place(from), place(to)), sample))
}

struct Lines<'a, R> {
    reader: R,
    path: &'a Path,
    number: usize,
}

impl<R: BufRead> Lines<'_, R> {
    fn next(&mut self) -> Result<Option<String>, RecordError> {
        self.number += 1;
        let mut line = Vec::new();
        let read = self.reader.by_ref().take(LINE_MAX).read_until(b'\n', &mut line);
        read.map_err(|error| self.wrong(format!("the compressed samples are cut or damaged: {error}")))?;
        if line.is_empty() {
            return Ok(None);
        }
        match line.pop() {
            Some(b'\n') => {}
            _ => return Err(self.wrong("the line has no end; expected at most 1,023 bytes and a line feed")),
        }
        String::from_utf8(line).map(Some).map_err(|_| self.wrong("not UTF-8"))
    }

    fn wrong(&self, message: impl Into<String>) -> RecordError {
        RecordError::Samples { path: self.path.to_owned(), line: self.number, message: message.into() }
    }
}
