//! Addresses that are reached elsewhere. All members know a host by one address; a process that has detours connects,
//! and listens, at their ends instead. Certificates, the log and what members tell each other keep the address that
//! everybody knows.

use std::collections::BTreeMap;

use serde::Serialize;

/// Detours of one process: from the address of a service to where it is reached from here, both host:port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Detours(BTreeMap<String, String>);

/// There are detours, and none for this address. The address itself is not used: a process that must go through relays
/// would pass them by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no detour for {address}, and the configuration has detours for others: {known}")]
pub struct NoDetour {
    /// What was to be reached.
    pub address: String,
    /// What has one.
    pub known: String,
}

impl Detours {
    /// Where a service is reached, or listens: the address itself when there are no detours at all.
    ///
    /// # Errors
    /// There are some, and none for this address.
    pub fn of<'a>(&'a self, address: &'a str) -> Result<&'a str, NoDetour> {
        if self.0.is_empty() {
            return Ok(address);
        }
        self.0.get(address).map(String::as_str).ok_or_else(|| NoDetour {
            address: address.to_owned(),
            known: self.0.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
        })
    }

    /// Whether every address is reached as it is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them: from where, to where.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(from, to)| (from.as_str(), to.as_str()))
    }

    /// The detours as the end of a configuration file.
    pub fn to_toml(&self) -> String {
        let detour = |(address, to): (&String, &String)| {
            format!("\n[[detours]]\naddress = \"{address}\"\nto = \"{to}\"\n")
        };
        self.0.iter().map(detour).collect()
    }
}

impl FromIterator<(String, String)> for Detours {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(detours: I) -> Self {
        Self(detours.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_detours_every_address_is_itself_and_with_some_none_is() {
        assert_eq!(Detours::default().of("10.10.0.11:7379"), Ok("10.10.0.11:7379"));
        let detours: Detours =
            [("10.10.0.11:7379".to_owned(), "127.0.0.1:40001".to_owned())].into_iter().collect();
        assert_eq!(detours.of("10.10.0.11:7379"), Ok("127.0.0.1:40001"));
        let refused = detours.of("10.20.0.11:7379").map_err(|error| error.to_string());
        assert_eq!(
            refused,
            Err("no detour for 10.20.0.11:7379, and the configuration has detours for others: 10.10.0.11:7379"
                .to_owned())
        );
        let loaded =
            crate::load_text(&(crate::BUILT_IN.to_owned() + &detours.to_toml()), None, &Default::default());
        assert_eq!(loaded.unwrap().config.detours, detours, "what it writes is read again");
    }
}
