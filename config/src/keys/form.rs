//! Forms that texts in the configuration take. Each says what it allows and judges one text; whether a named cloud or
//! node exists is judged later, when all of them are known.

use std::net::Ipv4Addr;

use crate::types::Ipv4Net;

/// Form of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A label: cluster, cloud, node, worker.
    Label,
    /// An IPv4 network.
    Network,
    /// An IPv4 address or a host name.
    Host,
    /// host:port.
    HostPort,
    /// Name of an S3 bucket.
    Bucket,
    /// Name of a storage account of Azure.
    Account,
    /// Name of a region.
    Region,
    /// One argument of a program.
    Argument,
    /// A folder.
    Folder,
    /// A file.
    File,
    /// Any text of at most 64 characters.
    Free,
}

impl Form {
    /// What is allowed, to stand behind "must be".
    pub fn allowed(self) -> &'static str {
        match self {
            Self::Label => "1 to 63 characters of a-z, 0-9 and '-', not starting or ending with '-'",
            Self::Network => "an IPv4 network a.b.c.d/len with a length from 8 to 30 and no host bits set",
            Self::Host => "an IPv4 address or a host name (letters, digits, '-' and '.'), without a port",
            Self::HostPort => "host:port with a port from 1 to 65535",
            Self::Bucket => {
                "3 to 63 characters of a-z, 0-9, '-' and '.', starting and ending with a letter or digit"
            }
            Self::Account => "3 to 24 characters of a-z and 0-9",
            Self::Region => "1 to 63 characters of a-z, 0-9 and '-', not starting or ending with '-'",
            Self::Argument => "a text of at most 4096 characters without NUL",
            Self::Folder => "a path of 1 to 4096 characters",
            Self::File => "an absolute path (/...) of at most 4096 characters",
            Self::Free => "a text of at most 64 characters without control characters",
        }
    }

    /// Whether the text has this form.
    pub(crate) fn accepts(self, text: &str) -> bool {
        match self {
            Self::Label => is_label(text),
            Self::Network => parse_network(text).is_some(),
            Self::Host => is_host(text),
            Self::HostPort => parse_host_port(text).is_some(),
            Self::Bucket => is_bucket(text),
            Self::Account => (3..=24).contains(&text.len()) && is_label(text) && !text.contains('-'),
            Self::Region => is_label(text),
            Self::Argument => text.chars().count() <= 4096 && !text.contains('\0'),
            Self::Folder => (1..=4096).contains(&text.chars().count()) && !text.contains('\0'),
            Self::File => text.starts_with('/') && Self::Folder.accepts(text),
            Self::Free => text.chars().count() <= 64 && !text.chars().any(char::is_control),
        }
    }
}

fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_bucket(text: &str) -> bool {
    (3..=63).contains(&text.len()) && !text.contains("..") && text.split('.').all(is_label)
}

/// RFC 1123; a last part of digits only is a mistyped address, not a name.
fn is_host(text: &str) -> bool {
    if text.parse::<Ipv4Addr>().is_ok() {
        return true;
    }
    let last_is_number =
        text.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    text.len() <= 253 && !last_is_number && text.split('.').all(|part| is_label(&part.to_ascii_lowercase()))
}

/// Host and port of `host:port`.
pub(crate) fn parse_host_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|port| digits && *port > 0)?;
    is_host(host).then_some((host, port))
}

/// The network of `a.b.c.d/len`.
pub(crate) fn parse_network(text: &str) -> Option<Ipv4Net> {
    let (base, len) = text.split_once('/')?;
    let net =
        Ipv4Net { base: base.parse().ok()?, len: len.parse().ok().filter(|len| (8..=30).contains(len))? };
    let host_bits = u32::MAX >> net.len;
    (u32::from(net.base) & host_bits == 0).then_some(net)
}

#[cfg(test)]
mod tests {
    use super::Form;

    #[test]
    fn forms_accept_and_refuse() {
        let cases: &[(Form, &str, bool)] = &[
            (Form::Label, "cp-aws-1", true),
            (Form::Label, "", false),
            (Form::Label, "-a", false),
            (Form::Label, "AWS", false),
            (Form::Label, "a.b", false),
            (Form::Network, "10.10.0.0/24", true),
            (Form::Network, "10.10.0.1/24", false),
            (Form::Network, "10.10.0.0", false),
            (Form::Network, "10.10.0.0/31", false),
            (Form::Host, "10.10.0.11", true),
            (Form::Host, "10.10.0.999", false),
            (Form::Host, "Node-1.example.com", true),
            (Form::Host, "a_b", false),
            (Form::Host, "", false),
            (Form::HostPort, "cp-aws-1:50051", true),
            (Form::HostPort, "cp-aws-1:0", false),
            (Form::HostPort, "cp-aws-1:+5", false),
            (Form::HostPort, "http://cp-aws-1:50051", false),
            (Form::HostPort, "cp-aws-1", false),
            (Form::Bucket, "pipeline-data", true),
            (Form::Bucket, "ab", false),
            (Form::Bucket, "a..b", false),
            (Form::Bucket, "Data", false),
            (Form::Account, "farquorumaz", true),
            (Form::Account, "farquorum-az", false),
            (Form::Account, "ab", false),
            (Form::Region, "eu-central-1", true),
            (Form::Region, "https://example.com", false),
            (Form::File, "/etc/farquorum/store-ca.pem", true),
            (Form::File, "store-ca.pem", false),
            (Form::File, "", false),
        ];
        for (form, text, expected) in cases {
            assert_eq!(form.accepts(text), *expected, "{form:?} {text:?}");
        }
    }
}
