//! What a command prints: a table for people, JSON or YAML for programs. All three come from the same serialised
//! value, so that they cannot differ in content.

use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use crate::failure::Failure;
use crate::yaml;

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
        Format::Yaml => yaml::text(&serde_yaml_ng::to_value(data).map_err(Failure::failed)?),
    };
    write_line(&text)
}

/// Lines below what was measured: why it does not count.
pub(crate) fn not_valid(doubts: &[String]) -> String {
    doubts.iter().map(|why| format!("\nNOT VALID: {why}")).collect()
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

/// Longest cell of a table: longer than any URL or message of one line, and no value makes every row endless.
const CELL_CHARS_MAX: usize = 400;

/// Text as it may stand on one line of a terminal: control characters as in Rust, such as `\n` and `\u{1b}`, and not
/// more than so many characters of what is longer.
pub(crate) fn cell(text: &str, chars_max: usize) -> String {
    let mut line = String::new();
    for (place, char) in text.chars().enumerate() {
        if place >= chars_max {
            line.push_str("...");
            break;
        }
        if char.is_control() { line.extend(char.escape_debug()) } else { line.push(char) }
    }
    line
}

/// A plain table whose width is known only when it is printed.
pub(crate) fn grid(headings: Vec<String>, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(headings);
    for row in rows {
        table.add_row(row.iter().map(|text| cell(text, CELL_CHARS_MAX)));
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
    fn what_is_in_a_cell_stays_on_its_line_and_commands_no_terminal() {
        let row = ["a\nb\r".to_owned(), "\u{1b}[31mred\tÊtre".to_owned(), "x".repeat(1 << 20)];
        let text = rows(["ONE", "TWO", "THREE"], [row]);
        let [_, line] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
        assert!(line.starts_with(r"a\nb\r  \u{1b}[31mred\tÊtre  xxx") && line.ends_with("xxx..."), "{line}");
        assert!(line.len() < 600, "{}", line.len());
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
