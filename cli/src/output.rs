//! What a command prints: a table for people, JSON or YAML for programs. All three come from the same serialised
//! value, so that they cannot differ in content.

use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use crate::failure::Failure;

/// How data is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// One JSON document, stable: fields are added, never renamed.
    Json,
    /// The same as YAML.
    Yaml,
}

/// Data that a command prints.
pub(crate) trait Show: Serialize {
    /// As people read it, without a final line feed.
    fn table(&self) -> String;
}

/// Prints `data` to standard output.
pub(crate) fn print<T: Show>(format: Format, data: &T) -> Result<(), Failure> {
    let text = match format {
        Format::Table => data.table(),
        Format::Json => serde_json::to_string_pretty(data).map_err(Failure::failed)?,
        Format::Yaml => serde_yaml_ng::to_string(data).map_err(Failure::failed)?.trim_end().to_owned(),
    };
    write_line(&text)
}

/// Writes a line to standard output; a closed pipe (`| head`) is not a failure.
pub(crate) fn write_line(text: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    until_closed(writeln!(std::io::stdout().lock(), "{text}"))
}

/// Writes a line to standard error. One that nobody can read any more, since the terminal is gone, is lost: `eprintln!`
/// would panic, and what was begun would not be taken down.
pub(crate) fn say_aside(text: &str) {
    use std::io::Write as _;
    let _unread = writeln!(std::io::stderr().lock(), "{text}");
}

/// What came of writing to standard output; a reader that has enough is not a failure.
pub(crate) fn until_closed(written: std::io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(Failure::from),
    }
}

/// A plain table: headings, rows, two blanks between columns.
pub(crate) fn rows<const N: usize>(
    headings: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    grid(headings.map(str::to_owned).into(), rows.into_iter().map(Vec::from))
}

/// A plain table whose width is known only when it is printed.
pub(crate) fn grid(headings: Vec<String>, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(headings);
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let text = table.to_string();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// Bytes as people read them: `1.5 MiB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut whole = count;
    let mut rest = 0;
    let mut unit = 0;
    while whole >= 1024 && unit + 1 < UNITS.len() {
        rest = whole % 1024;
        whole /= 1024;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or("B");
    if unit == 0 { format!("{whole} {name}") } else { format!("{whole}.{} {name}", rest * 10 / 1024) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_readable() {
        for (count, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_572_864, "1.5 MiB"),
            (u64::MAX, "16777215.9 TiB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn a_table_has_no_trailing_blanks() {
        let text = rows(
            ["NAME", "STATE"],
            [["a".to_owned(), "up".to_owned()], ["longer".to_owned(), "down".to_owned()]],
        );
        assert_eq!(text, "NAME    STATE\na       up\nlonger  down");
    }
}
