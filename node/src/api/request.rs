//! What every service asks of a request: until when, by whom, how large.

use std::time::Duration;

use farquorum_tls::{PeerInfo, Role};
use tokio::time::Instant;
use tonic::metadata::MetadataMap;
use tonic::{Request, Status};

use super::errors;

/// Longest deadline that a client may set; a longer one is cut. Bounds how long a request can hold memory here.
const DEADLINE_MAX: Duration = Duration::from_secs(90);

/// Kept of the client's time for the answer's way back, at most and as a share: an answer that says why must come
/// before the client gives up.
const WAY_BACK_MAX: Duration = Duration::from_millis(200);
const WAY_BACK_SHARE: u32 = 10;

/// When the answer must leave: by the client's `grpc-timeout`, else by `default`.
pub(crate) fn deadline(metadata: &MetadataMap, default: Duration) -> Instant {
    let asked = metadata.get("grpc-timeout").and_then(|value| value.to_str().ok()).and_then(parse_timeout);
    Instant::now() + time_allowed(asked, default)
}

fn time_allowed(asked: Option<Duration>, default: Duration) -> Duration {
    let Some(asked) = asked else { return default };
    let asked = asked.min(DEADLINE_MAX);
    asked.saturating_sub(WAY_BACK_MAX.min(asked / WAY_BACK_SHARE))
}

/// The value of a `grpc-timeout` header: at most eight digits and a unit (gRPC over HTTP/2, "Requests").
fn parse_timeout(value: &str) -> Option<Duration> {
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number.saturating_mul(3600))),
        "M" => Some(Duration::from_secs(number.saturating_mul(60))),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

/// Refuses a worker that speaks for another one. Admins may speak for all (where the table lets them).
pub(crate) fn speaks_for<T>(request: &Request<T>, worker: &str) -> Result<(), Status> {
    let caller = request.extensions().get::<PeerInfo>().map(|info| &info.identity);
    match caller {
        Some(identity) if identity.role == Role::Admin || identity.name == worker => Ok(()),
        Some(identity) => {
            tracing::warn!(target: "audit", %identity, worker, "call refused: speaks for another worker");
            Err(errors::not_this_worker(identity, worker))
        }
        None => Err(Status::unauthenticated("no verified identity")),
    }
}

/// Refuses bytes that are too many, naming the limit.
pub(crate) fn check_size(what: &str, length: usize, max: u64, limit: &str) -> Result<(), Status> {
    if u64::try_from(length).is_ok_and(|length| length <= max) {
        return Ok(());
    }
    Err(errors::invalid(format!("{what} has {length} bytes, at most {max} are allowed ({limit})")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_read_as_specified() {
        for (value, expected) in [
            ("1H", Some(3_600_000)),
            ("2M", Some(120_000)),
            ("5S", Some(5_000)),
            ("250m", Some(250)),
            ("7000u", Some(7)),
            ("8000000n", Some(8)),
            ("99999999H", Some(359_999_996_400_000)),
            ("100000000S", None),
            ("S", None),
            ("", None),
            ("-1S", None),
            ("1s", None),
            ("1\u{b5}", None),
        ] {
            assert_eq!(parse_timeout(value), expected.map(Duration::from_millis), "{value}");
        }
    }

    #[test]
    fn an_answer_leaves_before_the_client_gives_up() {
        let (ms, default) = (Duration::from_millis, Duration::from_secs(10));
        assert_eq!(time_allowed(None, default), default);
        assert_eq!(time_allowed(Some(ms(1000)), default), ms(900));
        assert_eq!(time_allowed(Some(ms(60_000)), default), ms(59_800));
        assert_eq!(time_allowed(Some(ms(0)), default), ms(0));
        assert_eq!(time_allowed(Some(Duration::MAX), default), DEADLINE_MAX - WAY_BACK_MAX);
    }

    #[test]
    fn a_size_names_its_limit() {
        assert!(check_size("the key", 4096, 4096, "limits.key_bytes_max").is_ok());
        let status = check_size("the key", 4097, 4096, "limits.key_bytes_max").unwrap_err();
        assert_eq!(
            status.message(),
            "the key has 4097 bytes, at most 4096 are allowed (limits.key_bytes_max)"
        );
    }
}
