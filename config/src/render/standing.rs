//! Whether a file on disk is what would be written now.

use super::Rendered;

/// How a file stands to what would be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The same bytes.
    Current,
    /// There is none.
    Missing,
    /// Made from another content of the TOML file, whose SHA-256 it carries. Whether it was edited too, nobody can tell
    /// any more: it counts as a render, and may be replaced.
    Stale {
        /// The digest that it carries.
        sha256: String,
    },
    /// Made from this content of the TOML file and changed since, or made by another version of the binary.
    Edited {
        /// The lines that differ, as `diff` writes them: `-` in the file, `+` as rendered.
        lines: String,
    },
    /// It carries no digest: `farquorum render` did not write it.
    Foreign,
}

/// Compares what is on disk with what would be written from a file of this digest.
pub fn standing(rendered: &Rendered, sha256: &str, found: Option<&str>) -> Standing {
    match found {
        None => Standing::Missing,
        Some(text) if text == rendered.text => Standing::Current,
        Some(text) => match digest_in(text) {
            None => Standing::Foreign,
            Some(carried) if carried == sha256 => {
                Standing::Edited { lines: difference(text, &rendered.text) }
            }
            Some(carried) => Standing::Stale { sha256: carried.to_owned() },
        },
    }
}

/// The first word of exactly 64 hexadecimal digits: no format puts another one before the digest.
fn digest_in(text: &str) -> Option<&str> {
    text.split(|char: char| !char.is_ascii_alphanumeric())
        .find(|word| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Most lines that are shown of each text: enough for a few edits, and a screen holds them.
const SHOWN_MAX: usize = 8;

/// From the first line that differs to the last one; of texts of the same length the lines that differ alone.
fn difference(found: &str, rendered: &str) -> String {
    let (mut found, mut rendered): (Vec<&str>, Vec<&str>) =
        (found.split('\n').collect(), rendered.split('\n').collect());
    let same =
        |one: &[&str], other: &[&str]| one.iter().zip(other).take_while(|(one, other)| one == other).count();
    let before = same(&found, &rendered);
    for lines in [&mut found, &mut rendered] {
        lines.drain(..before);
        lines.reverse();
    }
    let after = same(&found, &rendered);
    for lines in [&mut found, &mut rendered] {
        lines.drain(..after);
    }
    if found.len() == rendered.len() {
        (found, rendered) =
            std::iter::zip(found, rendered).filter(|(found, rendered)| found != rendered).unzip();
    }
    let mut shown = Vec::new();
    for (sign, lines) in [('-', found), ('+', rendered)] {
        let more = lines.len().saturating_sub(SHOWN_MAX);
        shown.extend(lines.iter().rev().take(SHOWN_MAX).map(|line| format!("{sign} {}", visible(line))));
        if more > 0 {
            shown.push(format!("{sign} and {more} lines more"));
        }
    }
    shown.join("\n")
}

/// A line without what a terminal would obey or not show, as the `\r` of another system's line end.
fn visible(line: &str) -> String {
    line.chars()
        .map(|char| if char.is_control() { char.escape_default().to_string() } else { char.to_string() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::Target;
    use super::*;

    #[test]
    fn every_way_in_which_a_file_can_differ() {
        let (now, before) = ("0a".repeat(32), "0b".repeat(32));
        let text = |digest: &str, rest: &str| format!("# farquorum.toml SHA-256: {digest}\n{rest}\n");
        let rendered = Rendered { target: Target::Peers, path: "rendered/peers", text: text(&now, "a=b:1") };
        let edited = |lines: &str| Standing::Edited { lines: lines.to_owned() };
        let cases = [
            (None, Standing::Missing),
            (Some(rendered.text.clone()), Standing::Current),
            (Some(text(&now, "a=b:2")), edited("- a=b:2\n+ a=b:1")),
            (Some(text(&now, "a=b:1\nc=d:1")), edited("- c=d:1")),
            (
                Some(text(&now, "a=b:2").replace("farq", "FARQ")),
                edited(&format!(
                    "- # FARQuorum.toml SHA-256: {now}\n- a=b:2\n+ # farquorum.toml SHA-256: {now}\n+ a=b:1"
                )),
            ),
            (Some(text(&now, "a=b:1").trim_end().to_owned()), edited("+ ")),
            (Some(text(&now, "a=b:1").replace("1\n", "1\r\n")), edited("- a=b:1\\r\n+ a=b:1")),
            (Some(text(&before, "a=b:1")), Standing::Stale { sha256: before.clone() }),
            (Some(text(&before, "a=b:2")), Standing::Stale { sha256: before.clone() }),
            (Some(String::new()), Standing::Foreign),
            (Some(text(&now[1..], "a=b:1")), Standing::Foreign),
            (
                Some(format!("# {now}")),
                edited(&format!("- # {now}\n+ # farquorum.toml SHA-256: {now}\n+ a=b:1\n+ ")),
            ),
        ];
        for (found, expected) in cases {
            assert_eq!(standing(&rendered, &now, found.as_deref()), expected, "{found:?}");
        }
    }

    #[test]
    fn a_long_difference_is_cut_at_its_end() {
        let found: String = (0..30).map(|at| format!("{at}\n")).collect();
        let shown = difference(&found, "0\n29\n");
        assert_eq!(shown.lines().count(), SHOWN_MAX + 1, "{shown}");
        assert!(shown.starts_with("- 1\n") && shown.ends_with("\n- and 20 lines more"), "{shown}");
        assert_eq!(difference("a\nsame\nb\n", "c\nsame\nd\n"), "- a\n- b\n+ c\n+ d");
    }
}
