//! Every key that the file may hold, once: type, range, default and meaning. The check, the defaults, the
//! suggestions for unknown keys and `farquorum config explain` all read this table.

mod form;
mod table;

use figment::value::{Num, Value};

use crate::shape::quantiles::{self, Quantiles};
pub use form::Form;
pub(crate) use form::{parse_host_port, parse_network};
use table::KEYS;

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Dotted name: `raft.heartbeat_ms`, `clouds.<label>.network`, `nodes[].id`.
    pub name: &'static str,
    /// Type and range.
    pub kind: Kind,
    /// What holds when it is not set.
    pub default: Fallback,
    /// What it means, in one or two sentences.
    pub meaning: &'static str,
}

/// Type and range of a value.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A whole number of `unit` (may be empty) from `min` to `max`.
    Whole {
        /// Least.
        min: i64,
        /// Greatest.
        max: i64,
        /// Unit in the plural, as `milliseconds`; empty: a bare number.
        unit: &'static str,
    },
    /// A finite number from `min` to `max`.
    Number {
        /// Least.
        min: f64,
        /// Greatest.
        max: f64,
        /// Unit in the plural; empty: a bare number.
        unit: &'static str,
    },
    /// true or false.
    Switch,
    /// Text of a form.
    Text(Form),
    /// A share from 0 to 1.
    Share,
    /// `min` to `max` texts of a form.
    TextList {
        /// Form of each.
        form: Form,
        /// Fewest.
        min: usize,
        /// Most.
        max: usize,
    },
    /// 2 to 1001 ascending numbers of milliseconds: the quantiles of a distribution.
    Quantiles,
    /// One of these texts.
    Choice(&'static [&'static str]),
}

/// What holds when a key is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// This value, written as TOML.
    Value(&'static str),
    /// Nothing: it must be set.
    Required,
    /// Computed from what the text names.
    Derived(&'static str),
    /// It stays unset, which means what the text says.
    Unset(&'static str),
}

/// What stands at a dotted pattern.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// A key.
    Key(&'static Key),
    /// A table of keys.
    Table,
    /// A list of tables.
    List,
    /// Nothing that is known.
    Unknown,
}

/// All known keys.
pub fn keys() -> &'static [Key] {
    KEYS
}

/// What stands at this pattern.
pub(crate) fn shape(pattern: &str) -> Shape {
    for key in KEYS {
        match key.name.strip_prefix(pattern) {
            Some("") => return Shape::Key(key),
            Some(rest) if rest.starts_with("[].") => return Shape::List,
            Some(rest) if rest.starts_with('.') => return Shape::Table,
            _ => {}
        }
    }
    Shape::Unknown
}

/// Keys directly inside the table at this pattern.
pub(crate) fn inside(pattern: &str) -> impl Iterator<Item = (&'static Key, &'static str)> {
    KEYS.iter().filter_map(move |key| {
        let (table, name) = key.name.rsplit_once('.')?;
        (table == pattern).then_some((key, name))
    })
}

/// Names that may stand directly inside the table at this pattern, each once.
pub(crate) fn names_inside(table: &str) -> Vec<&'static str> {
    let mut names: Vec<&str> = KEYS
        .iter()
        .filter_map(|key| {
            let rest =
                if table.is_empty() { key.name } else { key.name.strip_prefix(table)?.strip_prefix('.')? };
            rest.split(['.', '[']).next()
        })
        .collect();
    names.dedup();
    names
}

/// Pattern of a child, where a cloud's label becomes `<label>`.
pub(crate) fn child_pattern(pattern: &str, name: &str) -> String {
    let name = if pattern == "clouds" { "<label>" } else { name };
    crate::document::join(pattern, name)
}

/// Pattern of a concrete path: `nodes[1].id` and `nodes.id` become `nodes[].id`.
pub(crate) fn pattern_of(path: &str) -> String {
    let mut pattern = String::new();
    for part in path.split('.') {
        let name = part.split('[').next().unwrap_or_default();
        pattern = child_pattern(&pattern, name);
        if matches!(shape(&pattern), Shape::List) {
            pattern.push_str("[]");
        }
    }
    pattern
}

impl Kind {
    /// What is allowed, to stand behind "must be".
    pub fn allowed(&self) -> String {
        match self {
            Self::Whole { min, max: i64::MAX, unit } => {
                format!("a whole number{} of at least {min}", of(unit))
            }
            Self::Whole { min, max, unit } => format!("a whole number{} from {min} to {max}", of(unit)),
            Self::Number { min, max, unit } => format!("a number{} from {min} to {max}", of(unit)),
            Self::Switch => "true or false".to_owned(),
            Self::Text(form) => form.allowed().to_owned(),
            Self::Share => "a share from 0 to 1 (0.05 is 5 %)".to_owned(),
            Self::TextList { form, min, max } if min == max => {
                format!("a list of {max} texts, each {}", form.allowed())
            }
            Self::TextList { form, min, max } => {
                format!("a list of {min} to {max} texts, each {}", form.allowed())
            }
            Self::Quantiles => {
                let ((min, max), largest) = (quantiles::COUNT, quantiles::LARGEST_MS);
                format!("a list of {min} to {max} ascending numbers of milliseconds from 0 to {largest}")
            }
            Self::Choice(texts) => {
                texts.iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>().join(" or ")
            }
        }
    }

    /// Whether the value has this type and range.
    pub(crate) fn accepts(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Whole { min, max, .. }, Value::Num(_, number)) => {
                to_whole(*number).is_some_and(|number| (min..=max).contains(&&number))
            }
            (Self::Number { min, max, .. }, Value::Num(_, number)) => in_range(*number, *min, *max),
            (Self::Share, Value::Num(_, number)) => in_range(*number, 0.0, 1.0),
            (Self::Switch, Value::Bool(..)) => true,
            (Self::Text(form), Value::String(_, text)) => form.accepts(text),
            (Self::TextList { form, min, max }, Value::Array(_, list)) => {
                (*min..=*max).contains(&list.len())
                    && list.iter().all(|text| text.as_str().is_some_and(|text| form.accepts(text)))
            }
            (Self::Quantiles, Value::Array(_, list)) => {
                let number = |value: &Value| value.to_num().and_then(to_f64);
                let numbers: Option<Vec<f64>> = list.iter().map(number).collect();
                numbers.is_some_and(|numbers| Quantiles::new(numbers).is_ok())
            }
            (Self::Choice(texts), Value::String(_, text)) => texts.contains(&text.as_str()),
            _ => false,
        }
    }

    /// A value from a variable or flag: TOML, except that texts may stand without quotes.
    pub(crate) fn read(&self, text: &str) -> Value {
        let quoted = text.trim_start().starts_with(['"', '\'']);
        match self {
            Self::Text(_) | Self::Choice(_) if !quoted => text.into(),
            _ => crate::document::parse_value(text).unwrap_or_else(|| text.into()),
        }
    }
}

/// Whether a number, whole or not, lies in the range; NaN and whole numbers beyond 32 bits do not lie in any.
fn in_range(number: Num, min: f64, max: f64) -> bool {
    to_f64(number).is_some_and(|number| (min..=max).contains(&number))
}

/// A number as a float, when that is exact.
pub(crate) fn to_f64(number: Num) -> Option<f64> {
    let whole = || number.to_i128().and_then(|whole| i32::try_from(whole).ok()).map(f64::from);
    number.to_f64().or_else(whole)
}

/// A whole number; a number with a fraction, or one beyond 64 bits, is none.
fn to_whole(number: Num) -> Option<i64> {
    let unsigned = || number.to_u128().and_then(|whole| i64::try_from(whole).ok());
    number.to_i128().and_then(|whole| i64::try_from(whole).ok()).or_else(unsigned)
}

fn of(unit: &str) -> String {
    if unit.is_empty() { String::new() } else { format!(" of {unit}") }
}
