//! Under what something was measured, and whether two records were measured under the same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// A cloud that took part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cloud {
    /// Its label in the configuration.
    pub label: String,
    /// Region as the provider names it; empty when unknown.
    pub region: String,
    /// Kind of machine as the provider names it; empty when there is none.
    pub instance_type: String,
}

/// Under what something was measured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dimensions {
    /// When the recording began: RFC 3339, UTC. See [`rfc3339`].
    pub when: String,
    /// Version of the binary.
    pub version: String,
    /// Kernel release.
    pub kernel: String,
    /// Logical processors.
    pub processors: usize,
    /// What shaped the network: one line.
    pub backend: String,
    /// Name of the link preset; empty when the links came from the file.
    pub preset: String,
    /// SHA-256 of the configuration in hexadecimal; empty when there was none.
    pub config_sha256: String,
    /// The clouds, in the configuration's order.
    pub clouds: Vec<Cloud>,
    /// Further ones, such as `outstanding`.
    pub more: BTreeMap<String, String>,
}

/// A dimension in which two records differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its name, as `--across` takes it.
    pub name: String,
    /// Its value in the first record; empty when it has none.
    pub a: String,
    /// Its value in the second.
    pub b: String,
}

impl Dimensions {
    /// Every dimension that a comparison looks at, with its value as people read it, by name.
    ///
    /// `when` is not among them, because two recordings are never made at the same time, and `version` is not, because
    /// comparing two versions is what a comparison is for.
    pub fn compared(&self) -> BTreeMap<String, String> {
        let of_clouds = |value: fn(&Cloud) -> &str| {
            let known = self.clouds.iter().filter(|cloud| !value(cloud).is_empty());
            known.map(|cloud| format!("{} {}", cloud.label, value(cloud))).collect::<Vec<_>>().join(", ")
        };
        let labels: Vec<&str> = self.clouds.iter().map(|cloud| cloud.label.as_str()).collect();
        let mut compared = self.more.clone();
        compared.extend([
            ("kernel".to_owned(), self.kernel.clone()),
            ("processors".to_owned(), self.processors.to_string()),
            ("backend".to_owned(), self.backend.clone()),
            ("preset".to_owned(), self.preset.clone()),
            ("config_sha256".to_owned(), self.config_sha256.clone()),
            ("clouds".to_owned(), labels.join(", ")),
            ("regions".to_owned(), of_clouds(|cloud| &cloud.region)),
            ("instance_types".to_owned(), of_clouds(|cloud| &cloud.instance_type)),
        ]);
        compared
    }

    /// Every dimension in which two records differ, by name.
    pub fn differences(&self, other: &Self) -> Vec<Difference> {
        let (mine, theirs) = (self.compared(), other.compared());
        let names: BTreeSet<&String> = mine.keys().chain(theirs.keys()).collect();
        let value =
            |side: &BTreeMap<String, String>, name: &String| side.get(name).cloned().unwrap_or_default();
        let difference = |name: &String| {
            let (a, b) = (value(&mine, name), value(&theirs, name));
            (a != b).then(|| Difference { name: name.clone(), a, b })
        };
        names.into_iter().filter_map(difference).collect()
    }
}

/// A time as `when` wants it: `2026-01-31T12:00:00Z`, cut to whole seconds.
pub fn rfc3339(time: SystemTime) -> String {
    let t = OffsetDateTime::from(time);
    let (month, day) = (u8::from(t.month()), t.day());
    format!("{:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", t.year(), t.hour(), t.minute(), t.second())
}

/// Whether this is a time as [`rfc3339`] writes it, with or without a fraction of a second.
pub(super) fn is_rfc3339(text: &str) -> bool {
    let Some(text) = text.strip_suffix('Z') else { return false };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let Some((date, clock)) = whole.split_once('T') else { return false };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let number = |part: &str, width: usize| {
        let number = (part.len() == width && digits(part)).then(|| part.parse::<u16>().ok());
        number.flatten()
    };
    let date: Vec<&str> = date.split('-').collect();
    let clock: Vec<&str> = clock.split(':').collect();
    let ([year, month, day], [hour, minute, second]) = (date.as_slice(), clock.as_slice()) else {
        return false;
    };
    let within =
        |part: &str, from: u16, to: u16| number(part, 2).is_some_and(|value| (from..=to).contains(&value));
    number(year, 4).is_some()
        && within(month, 1, 12)
        && within(day, 1, 31)
        && within(hour, 0, 23)
        && within(minute, 0, 59)
        && within(second, 0, 60)
        && !fraction.is_empty()
        && digits(fraction)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_time_is_written_as_it_is_read() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        assert_eq!(rfc3339(time), "2001-09-09T01:46:40Z");
        for good in ["2001-09-09T01:46:40Z", "2001-09-09T01:46:40.25Z"] {
            assert!(is_rfc3339(good), "{good}");
        }
        for bad in ["", "yesterday", "2001-09-09", "2001-13-09T01:46:40Z", "2001-09-09T01:46:40+02:00"] {
            assert!(!is_rfc3339(bad), "{bad}");
        }
    }

    #[test]
    fn when_and_version_may_differ_and_nothing_else() {
        let cloud =
            |region: &str| Cloud { label: "aws".to_owned(), region: region.to_owned(), ..Cloud::default() };
        let one = Dimensions { clouds: vec![cloud("us-east-1")], ..Dimensions::default() };
        let later = Dimensions { when: "later".to_owned(), version: "9".to_owned(), ..one.clone() };
        assert_eq!(one.differences(&later), []);
        let mut other = Dimensions { clouds: vec![cloud("us-west-2")], ..later };
        other.more.insert("outstanding".to_owned(), "4".to_owned());
        let difference =
            |name: &str, a: &str, b: &str| Difference { name: name.into(), a: a.into(), b: b.into() };
        let expected =
            [difference("outstanding", "", "4"), difference("regions", "aws us-east-1", "aws us-west-2")];
        assert_eq!(one.differences(&other), expected);
    }
}
