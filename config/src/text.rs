//! Values as TOML text: in messages, in `config show` and in `config explain`.

use figment::value::{Num, Value};

/// Longest value that a message shows, in characters; a longer one says nothing more about the mistake.
const SHOWN_MAX: usize = 60;

/// A value as one line of TOML.
pub(crate) fn toml(value: &Value) -> String {
    match value {
        Value::String(_, text) => quoted(text),
        Value::Char(_, char) => quoted(&char.to_string()),
        Value::Bool(_, switch) => switch.to_string(),
        Value::Num(_, number) => number_text(*number),
        Value::Empty(..) => "\"\"".to_owned(),
        Value::Dict(_, table) => {
            let items: Vec<_> =
                table.iter().map(|(name, value)| format!("{name} = {}", toml(value))).collect();
            format!("{{ {} }}", items.join(", "))
        }
        Value::Array(_, list) => format!("[{}]", list.iter().map(toml).collect::<Vec<_>>().join(", ")),
    }
}

/// A value as a message shows it: shortened.
pub(crate) fn shown(value: &Value) -> Option<String> {
    let text = toml(value);
    if text.chars().count() <= SHOWN_MAX {
        return Some(text);
    }
    Some(text.chars().take(SHOWN_MAX).chain("...".chars()).collect())
}

/// A text in double quotes, as TOML, JSON and YAML have it: every character escaped that one of them takes for a line end
/// or no character at all.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            // Line ends of YAML 1.1 that are no control characters, and the byte order mark.
            char if char.is_control() || "\u{2028}\u{2029}\u{feff}".contains(char) => {
                out.push_str(&format!("\\u{:04X}", u32::from(char)));
            }
            char => out.push(char),
        }
    }
    out.push('"');
    out
}

/// A float always shows that it is one, as TOML asks.
fn number_text(number: Num) -> String {
    match number {
        Num::F64(float) if float.is_finite() && float.fract() == 0.0 => format!("{float:.1}"),
        Num::F64(float) => float.to_string().to_lowercase(),
        Num::F32(float) => float.to_string().to_lowercase(),
        other => other
            .to_i128()
            .map(|whole| whole.to_string())
            .or_else(|| other.to_u128().map(|w| w.to_string()))
            .unwrap_or_default(),
    }
}
