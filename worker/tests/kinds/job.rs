//! The kinds of a job called one after the other against a real store: the output equals a single pass over the text
//! (JOB-1), and appears once (JOB-2).

use std::collections::BTreeMap;

use crate::lab::Lab;
use farquorum_core::InputSplit;
use farquorum_core::work::{Map, Object, Publish, Reduce, Report};
use farquorum_worker::tasks::{Manifest, TaskError, partition_of};
use farquorum_worker::{InputError, Skipped, plan_splits, resolve, upload};
use proptest::prelude::*;
use unicode_segmentation::UnicodeSegmentation;

const BUCKET: &str = "s3://pipeline-data";

/// Counts in one pass, without splits, partitions or files: one output per partition.
fn reference(text: &[u8], reducers: u32) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    let mut parts = vec![BTreeMap::<String, u64>::new(); reducers as usize];
    for word in text.unicode_words().map(str::to_lowercase) {
        *parts[partition_of(&word, reducers) as usize].entry(word).or_default() += 1;
    }
    let lines = |part: &BTreeMap<String, u64>| {
        part.iter().map(|(word, count)| format!("{word}\t{count}\n")).collect()
    };
    parts.iter().map(lines).collect()
}

async fn map_all(lab: &Lab, splits: &[InputSplit], output: &str, reducers: u32) -> Vec<Object> {
    let mut objects = Vec::new();
    for (task, input) in (1..).zip(splits) {
        let work = Map { input: input.clone(), reducers, output: output.to_owned() };
        let report = lab.attempt("wordcount-map", (task, 10), &work).await.unwrap();
        assert_eq!(report.bytes_in, input.length);
        objects.extend(report.objects);
    }
    objects
}

async fn reduce_all(lab: &Lab, mapped: &[Object], output: &str, reducers: u32) -> Vec<Object> {
    let mut parts = Vec::new();
    for partition in 0..reducers {
        let inputs = mapped.iter().filter(|object| object.partition == partition).cloned().collect();
        let work = Reduce { partition, inputs, output: output.to_owned() };
        let report = lab.attempt("wordcount-reduce", (1000 + u64::from(partition), 20), &work).await.unwrap();
        parts.extend(report.objects);
    }
    parts
}

async fn publish(lab: &Lab, parts: &[Object], output: &str, attempt: u64) -> Result<Report, TaskError> {
    let work = Publish { parts: parts.to_vec(), output: output.to_owned() };
    lab.attempt("publish", (2000, attempt), &work).await
}

async fn whole_job(lab: &Lab, text: &[u8], output: &str, target: u64, reducers: u32) -> (usize, Vec<String>) {
    let input = format!("{output}-input");
    lab.put(&input, text.to_vec()).await;
    let splits = plan_splits(&lab.store, &[input], target, "aws").await.unwrap();
    let mapped = map_all(lab, &splits, output, reducers).await;
    let parts = reduce_all(lab, &mapped, output, reducers).await;
    let report = publish(lab, &parts, output, 30).await.unwrap();
    let mut texts = Vec::new();
    for object in &report.objects {
        texts.push(lab.text(&object.url).await);
    }
    (splits.len(), texts)
}

const TEXT: &str = "To be, or not to be: that is the question.\nWhether 'tis nobler in the mind to suffer\n\n\
                    The slings and arrows of outrageous fortune,\nOr to take arms against a sea of troubles\n";

#[tokio::test]
async fn a_job_equals_a_single_pass() {
    let lab = Lab::start().await;
    let output = format!("{BUCKET}/jobs/small");
    let (splits, texts) = whole_job(&lab, TEXT.as_bytes(), &output, 40, 3).await;
    assert_eq!(splits, 4);
    assert_eq!(texts, reference(TEXT.as_bytes(), 3));
    let names = ["_claim", "_manifest.json", "part-00000", "part-00001", "part-00002"];
    assert_eq!(
        lab.urls(&output).await,
        names.map(|name| format!("{output}/{name}")),
        "attempts are cleaned up"
    );
    let manifest: Manifest =
        serde_json::from_str(&lab.text(&format!("{output}/_manifest.json")).await).unwrap();
    assert_eq!((manifest.output.as_str(), manifest.parts.len()), (output.as_str(), 3));
}

/// Text with line ends, words, and bytes that are no UTF-8.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "[a-cA-C]{1,3}".prop_map(String::into_bytes),
        2 => Just(b"\n".to_vec()),
        2 => Just(b" ".to_vec()),
        1 => "\\PC{1,4}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 1..3),
    ];
    proptest::collection::vec(piece, 1..80).prop_map(|pieces| pieces.concat())
}

#[test]
fn any_text_cut_anywhere_equals_a_single_pass() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let lab = runtime.block_on(Lab::start());
    let run = std::cell::Cell::new(0);
    let config = ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(text in text(), target in 1u64..60, reducers in 1u32..5)| {
        run.set(run.get() + 1);
        let output = format!("{BUCKET}/any/{}", run.get());
        let (_, texts) = runtime.block_on(whole_job(&lab, &text, &output, target, reducers));
        prop_assert_eq!(texts, reference(&text, reducers));
    });
}

#[tokio::test]
async fn splits_end_behind_line_ends_and_cover_all() {
    let lab = Lab::start().await;
    let long_line = format!("{}\nend", "x".repeat(200_000));
    for (text, target, expected) in [
        ("a\nb\nc\n", 1, vec![2, 2, 2]),
        ("a\nb\nc\n", 2, vec![2, 2, 2]),
        ("a\nb\nc\n", 3, vec![4, 2]),
        ("a\nb\nc", 6, vec![5]),
        ("abc", 1, vec![3]),
        ("\n\n\n", 1, vec![1, 1, 1]),
        (long_line.as_str(), 10, vec![200_001, 3]),
    ] {
        let url = format!("{BUCKET}/split/input");
        lab.put(&url, text.to_owned()).await;
        let splits = plan_splits(&lab.store, std::slice::from_ref(&url), target, "gcp").await.unwrap();
        let mut offset = 0;
        for split in &splits {
            assert_eq!(
                (split.offset, split.url.as_str(), split.cloud.as_str()),
                (offset, url.as_str(), "gcp")
            );
            offset += split.length;
        }
        let lengths: Vec<_> = splits.iter().map(|split| split.length).collect();
        assert_eq!(lengths, expected, "target {target}");
    }
}

#[tokio::test]
async fn an_input_that_is_not_there_is_a_clear_error() {
    let lab = Lab::start().await;
    let missing = format!("{BUCKET}/nothing/here");
    let error = plan_splits(&lab.store, std::slice::from_ref(&missing), 10, "").await.unwrap_err();
    assert!(matches!(error, InputError::Missing(_)) && error.to_string().contains(&missing), "{error}");
    let empty = format!("{BUCKET}/empty");
    lab.put(&empty, "").await;
    assert!(matches!(plan_splits(&lab.store, &[empty], 10, "").await, Err(InputError::Empty(_))));
    let error = upload(&lab.store, "/no/such/folder".as_ref(), BUCKET, |_| {}).await.unwrap_err();
    assert!(
        matches!(error, InputError::Local { .. }) && error.to_string().contains("/no/such/folder"),
        "{error}"
    );
}

#[tokio::test]
async fn a_folder_is_uploaded_as_text_in_order() {
    let lab = Lab::start().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    for (name, content) in
        [("b.txt", &b"two"[..]), ("a.txt", b"one\n"), ("sub/c", b"three"), ("z.bin", b"\0\x01")]
    {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    for (name, target) in
        [("circle", folder.path()), ("dangling", "nowhere".as_ref()), ("zz", "a.txt".as_ref())]
    {
        std::os::unix::fs::symlink(target, folder.path().join(name)).unwrap();
    }
    // Nobody writes to it: who opens it waits for ever.
    nix::unistd::mkfifo(&folder.path().join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut last = None;
    let done = upload(&lab.store, folder.path(), &format!("{BUCKET}/up"), |p| last = Some(p)).await.unwrap();
    assert_eq!(done.urls, [format!("{BUCKET}/up/input-00000")]);
    assert_eq!(lab.text(&done.urls[0]).await, "one\ntwo\nthree\none\n");
    assert_eq!((done.progress.files, done.progress.files_total), (5, 5));
    assert_eq!(done.progress.skipped, Skipped { not_text: 1, not_readable: 0, links: 2, special: 1 });
    assert_eq!(last, Some(done.progress));
    // The object and the claim.
    assert_eq!(resolve(&lab.store, &format!("{BUCKET}/up")).await.unwrap().len(), 2);
    assert_eq!(resolve(&lab.store, BUCKET).await.unwrap().len(), 2);
    let pipe = folder.path().join("pipe");
    let error = upload(&lab.store, &pipe, &format!("{BUCKET}/pipe"), |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("it is a pipe, a socket or a device"), "{error}");
}

#[tokio::test]
async fn an_upload_never_replaces_what_another_one_brought() {
    let lab = Lab::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (mine, theirs) = (folder.path().join("mine"), folder.path().join("theirs"));
    std::fs::write(&mine, "mine\n").unwrap();
    std::fs::write(&theirs, "theirs\n").unwrap();
    let prefix = format!("{BUCKET}/input");
    let done = upload(&lab.store, &mine, &prefix, |_| {}).await.unwrap();
    let error = upload(&lab.store, &theirs, &prefix, |_| {}).await.unwrap_err();
    assert!(matches!(&error, InputError::Taken(taken) if *taken == prefix), "{error}");
    assert_eq!(lab.text(&done.urls[0]).await, "mine\n");
}

#[tokio::test]
async fn changed_bytes_are_never_reduced_or_published() {
    let lab = Lab::start().await;
    let output = format!("{BUCKET}/jobs/damaged");
    let input = format!("{BUCKET}/damaged-input");
    lab.put(&input, "one two three\n").await;
    let splits = plan_splits(&lab.store, &[input], 100, "").await.unwrap();
    let mapped = map_all(&lab, &splits, &output, 1).await;
    let parts = reduce_all(&lab, &mapped, &output, 1).await;

    // Same length, still sorted and well formed: only the digest tells.
    lab.put(&mapped[0].url, "one\t1\nthree\t1\ntwo\t2\n").await;
    let work = Reduce { partition: 0, inputs: mapped.clone(), output: output.clone() };
    let error = lab.attempt("wordcount-reduce", (1, 2), &work).await.unwrap_err();
    assert!(error.message.contains("another content") && error.retryable, "{error}");

    lab.put(&parts[0].url, "one\t1\nthree\t1\ntwo\t2\n").await;
    let error = publish(&lab, &parts, &output, 1).await.unwrap_err();
    assert!(error.message.contains("another content"), "{error}");
    let urls = lab.urls(&output).await;
    assert!(
        !urls.iter().any(|url| url.ends_with("part-00000") || url.ends_with("_manifest.json")),
        "{urls:?}"
    );
}

#[tokio::test]
async fn an_output_is_published_once() {
    let lab = Lab::start().await;
    let output = format!("{BUCKET}/jobs/once");
    let (_, texts) = whole_job(&lab, b"mine\n", &output, 100, 1).await;
    let parts = [Object {
        url: format!("{BUCKET}/other-part"),
        length: 8,
        sha256: sha256(b"theirs\t1"),
        partition: 0,
    }];
    lab.put(&parts[0].url, "theirs\t1").await;
    let error = publish(&lab, &parts, &output, 2).await.unwrap_err();
    assert!(error.message.contains("another job") && !error.retryable, "{error}");
    assert_eq!(lab.text(&format!("{output}/part-00000")).await, texts[0], "nothing was touched");
}

#[tokio::test]
async fn publishing_again_after_a_lost_report_gives_the_same() {
    let lab = Lab::start().await;
    let output = format!("{BUCKET}/jobs/again");
    let part = format!("{output}/_attempts/7/8/part-0");
    lab.put(&part, "word\t1\n").await;
    let parts = [Object { url: part, length: 7, sha256: sha256(b"word\t1\n"), partition: 0 }];
    let first = publish(&lab, &parts, &output, 1).await.unwrap();
    // The attempts' objects are gone by now.
    assert_eq!(publish(&lab, &parts, &output, 2).await.unwrap(), first);
}

#[tokio::test]
async fn two_jobs_with_one_output_at_once_have_one_winner() {
    let lab = Lab::start().await;
    let output = format!("{BUCKET}/jobs/both");
    let mut parts = Vec::new();
    for (name, text) in [("x", "left\t1\n"), ("y", "right\t1\n")] {
        let url = format!("{BUCKET}/{name}");
        lab.put(&url, text).await;
        let length = text.len() as u64;
        parts.push([Object { url, length, sha256: sha256(text.as_bytes()), partition: 0 }]);
    }
    let (left, right) =
        tokio::join!(publish(&lab, &parts[0], &output, 1), publish(&lab, &parts[1], &output, 1));
    assert!(left.is_ok() != right.is_ok(), "{left:?} {right:?}");
    let expected = if left.is_ok() { "left\t1\n" } else { "right\t1\n" };
    assert_eq!(lab.text(&format!("{output}/part-00000")).await, expected);
}

#[tokio::test]
async fn payloads_that_make_no_sense_are_refused() {
    let lab = Lab::start().await;
    let map = |length, reducers| {
        let input = InputSplit { url: format!("{BUCKET}/x"), offset: 0, length, cloud: String::new() };
        Map { input, reducers, output: format!("{BUCKET}/y") }
    };
    for (work, reason) in
        [(map(1, 0), "reducers 0"), (map(1, 1001), "reducers 1001"), (map(1 << 40, 1), "a split of")]
    {
        let error = lab.attempt("wordcount-map", (1, 1), &work).await.unwrap_err();
        assert!(error.message.contains(reason) && !error.retryable, "{error}");
    }
    for kind in ["wordcount-map", "wordcount-reduce", "publish", "command", "matmul"] {
        let error = lab.run(kind, (1, 1), b"\xff nonsense").await.unwrap_err();
        assert!(error.message.contains(&format!("payload of {kind}")) && !error.retryable, "{error}");
    }
}

fn sha256(content: &[u8]) -> Vec<u8> {
    use sha2::Digest;
    sha2::Sha256::digest(content).to_vec()
}
