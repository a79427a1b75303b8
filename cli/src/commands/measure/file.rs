//! Where a record is written: looked at before the first measurement, not after the last.

use std::path::{Path, PathBuf};

use farquorum_baseline::samples_path;

use crate::failure::{Failure, Kind};

/// The path that was asked for, or one named after the time. Refuses what could not be written at the end.
pub(super) fn path(out: Option<&Path>, when: &str, force: bool) -> Result<PathBuf, Failure> {
    let path = out.map_or_else(|| PathBuf::from(format!("measure-{}.json", compact(when))), Path::to_owned);
    let shown = path.display();
    if path.extension().is_none_or(|extension| extension != "json") {
        return Err(Failure::usage(format!("--out {shown}: the name must end in .json")));
    }
    if path.is_dir() {
        return Err(Failure::usage(format!("--out {shown} is a folder; name a file in it")));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(Failure::usage(format!("--out {shown}: there is no folder {}", folder.display())));
    }
    // The same call that the record is written with: permissions, read-only disks and full ones show here.
    tempfile::Builder::new().prefix(".record-").tempfile_in(folder).map_err(|error| {
        Failure::failed(format!("--out {shown}: nothing can be written in {}: {error}", folder.display()))
    })?;
    let there = [path.clone(), samples_path(&path)].into_iter().find(|path| path.exists());
    match there {
        Some(there) if !force => {
            Err(Failure::new(Kind::Refused, format!("{} is there already", there.display()))
                .hint("--force replaces it, --out FILE writes another"))
        }
        _ => Ok(path),
    }
}

/// `2026-01-31T12:00:00Z` as a part of a file's name.
fn compact(when: &str) -> String {
    when.chars().filter(|letter| !matches!(letter, '-' | ':')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_named_after_the_time_or_refused_with_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        let kind = |out: &Path, force| path(Some(out), "", force).map_err(|failure| failure.kind());
        assert_eq!(compact("2026-01-31T12:00:00Z"), "20260131T120000Z");
        assert_eq!(kind(&file("a.json"), false), Ok(file("a.json")));
        for (bad, expected) in [
            (file("a.txt"), Kind::Usage),
            (file("none").join("a.json"), Kind::Usage),
            (folder.path().to_owned(), Kind::Usage),
        ] {
            assert_eq!(kind(&bad, true), Err(expected), "{}", bad.display());
        }
        std::fs::write(file("a.samples.csv.gz"), "old").unwrap();
        assert_eq!(kind(&file("a.json"), false), Err(Kind::Refused), "either file counts");
        assert_eq!(kind(&file("a.json"), true), Ok(file("a.json")));
    }
}
