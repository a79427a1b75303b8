//! YAML that every reader takes for the same data. YAML 1.1, which most readers still are, sees a truth value in `yes`
//! and a date in `2020-01-01`: a text without quotes is one only if it can be nothing else. The quoted form is that of
//! JSON, which YAML has too.

use farquorum_config::quoted;
use serde_yaml_ng::{Mapping, Value};

/// Words that YAML 1.1 takes for null or a truth value, in small letters (<https://yaml.org/type/bool.html>).
const WORDS: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];

/// A document without a final line end.
pub(crate) fn text(value: &Value) -> String {
    let mut lines = Vec::new();
    node(value, "", "", &mut lines);
    lines.join("\n")
}

/// Adds a value. `first` stands before its first line (the indentation, and what it belongs to), `rest` before the others.
fn node(value: &Value, first: &str, rest: &str, lines: &mut Vec<String>) {
    match value {
        Value::Mapping(fields) if !fields.is_empty() => mapping(fields, first, rest, lines),
        Value::Sequence(items) if !items.is_empty() => {
            for (place, item) in items.iter().enumerate() {
                let start = if place == 0 { first } else { rest };
                node(item, &format!("{start}- "), &format!("{rest}  "), lines);
            }
        }
        scalar => lines.push(format!("{first}{}", inline(scalar))),
    }
}

fn mapping(fields: &Mapping, first: &str, rest: &str, lines: &mut Vec<String>) {
    for (place, (key, value)) in fields.iter().enumerate() {
        let start = format!("{}{}:", if place == 0 { first } else { rest }, inline(key));
        let nested = match value {
            Value::Mapping(fields) => !fields.is_empty(),
            Value::Sequence(items) => !items.is_empty(),
            _ => false,
        };
        if nested {
            lines.push(start);
            let deeper = format!("{rest}  ");
            node(value, &deeper, &deeper, lines);
        } else {
            lines.push(format!("{start} {}", inline(value)));
        }
    }
}

/// What fits on the line of its key.
fn inline(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        Value::String(text) => quoted(text),
        Value::Mapping(_) => "{}".to_owned(),
        Value::Sequence(_) => "[]".to_owned(),
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Tagged(tagged) => inline(&tagged.value),
    }
}

/// Whether a text can be nothing else: it begins with a letter, has only letters, digits and a few signs that mean
/// nothing, and is no word of YAML 1.1.
fn is_plain(text: &str) -> bool {
    let harmless = |char: char| char.is_ascii_alphanumeric() || "_-./".contains(char);
    text.starts_with(|char: char| char.is_ascii_alphabetic())
        && text.chars().all(harmless)
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_another_reader_takes_for_something_else_is_quoted() {
        let value = json!({ "a": "yes", "b": "2020-01-01", "no": "0x1f", "c": "1:30", "d": "plain-text", "e": 5, "f": "" });
        let text = text(&serde_yaml_ng::to_value(value).unwrap());
        let expected =
            "a: \"yes\"\nb: \"2020-01-01\"\nc: \"1:30\"\nd: plain-text\ne: 5\nf: \"\"\n\"no\": \"0x1f\"";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_reader_gets_back_what_was_written() {
        let value = json!({
            "empty": [{}, []],
            "nested": [[1, [2.5, null]], { "x": { "y": [true] }, "z": "a: b # c" }],
            "texts": ["line\nline\r\n", "\u{0}\u{1b}\u{7f}\u{85}\u{2028}\u{feff}", "\"\\'", " - x", "Être", "~", "-1", "1e3"],
        });
        let text = text(&serde_yaml_ng::to_value(&value).unwrap());
        let back: serde_json::Value = serde_yaml_ng::from_str(&text).unwrap();
        assert_eq!(back, value, "{text}");
    }
}
