//! A full disk, and a record that cannot be written at all.

use std::path::Path;
use std::process::Command;

use farquorum_baseline::{Record, RecordError, Series};

use super::{record, saved};

/// Where the test below runs itself again, with a file system of 64 KiB.
const FOLDER: &str = "RECORDS_FULL_DISK_FOLDER";

#[test]
fn a_full_disk_leaves_what_was_there() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return inside(Path::new(&folder));
    }
    let folder = tempfile::TempDir::new().unwrap();
    let script = "mount -t tmpfs -o size=64k tmpfs \"$1\" && exec \"$2\" --exact disk::a_full_disk_leaves_what_was_there";
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]).arg(folder.path());
    let output = command.arg(std::env::current_exe().unwrap()).env(FOLDER, folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}\n{output:?}");
}

fn inside(folder: &Path) {
    let path = folder.join("kept.json");
    record().save(&path).unwrap();
    let mut large = record();
    let rtt = &mut large.series[0];
    // Digits without a pattern, so that compression does not save the day.
    let mut state = 1.0_f64;
    for at in 0..20_000 {
        state = (state * 16_807.0) % 2_147_483_647.0;
        rtt.push(2, 100.0 + f64::from(at), state / 7.0);
    }
    let error = large.save(&path).unwrap_err();
    assert!(matches!(error, RecordError::Full { .. }), "{error:?}");
    assert!(
        error.to_string().contains("kept.samples.csv.gz: cannot be written: the disk is full"),
        "{error}"
    );
    assert_eq!(Record::load(&path).unwrap(), record());
    assert_eq!(folder.read_dir().unwrap().count(), 2, "a half file is left");
}

#[test]
fn a_record_that_could_not_be_read_again_is_not_written() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("new.json");
    let mut series = Series::new("commit time", "ms");
    series.push(0, 0.0, 1.0);
    let mut negative = Series::new("commit", "ms");
    negative.push(0, 0.0, -1.0);
    for (series, message) in
        [(series, "series[0].name: is \"commit time\""), (negative, "series[0]: a sample is")]
    {
        let error = Record { series: vec![series], ..record() }.save(&path).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }
    let nowhere = folder.path().join("none/new.json");
    let error = record().save(&nowhere).unwrap_err();
    assert!(matches!(error, RecordError::Write { .. }), "{error:?}");
}

#[test]
fn files_can_be_read_by_others() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_folder, path) = saved(&record());
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o444, 0o444);
}
