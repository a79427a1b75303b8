//! `farquorum job`.

use crate::lab::{Sim, file};
use crate::ran;

/// Real text on every Debian and Ubuntu.
const INPUT: &str = "/usr/share/common-licenses";

/// The result is what a single process counts.
pub(crate) fn equals_the_reference(sim: &Sim) {
    let job = sim.json(&[
        "job",
        "run",
        "wordcount",
        "--input",
        INPUT,
        "--output",
        "s3://pipeline-data/licences",
        "--reducers",
        "3",
        "--split-bytes",
        "30000",
    ]);
    assert_eq!((&job["state"], job["parts"].as_array().unwrap().len()), (&"completed".into(), 3));
    assert!(job["stages"][0]["tasks"].as_u64() > Some(3), "one split is no test: {job}");
    let urls = job["parts"].as_array().unwrap().iter();
    let parts: Vec<String> = urls.map(|url| url.as_str().unwrap().to_owned()).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(sim.equals_the_reference(&parts, INPUT));

    let id = job["id"].to_string();
    assert_eq!(sim.json(&["job", "get", &id]), job);
    let table = ran(sim, &["job", "list"]).ok();
    table.prints(&["s3://pipeline-data/licences", "completed"]);
}

/// A job goes on without the command; another command watches it to its end.
pub(crate) fn detach_and_follow(sim: &Sim) {
    let printed = ran(sim, &["job", "run", "wordcount", "--input", INPUT, "--detach"]).ok().text();
    let (_, follow) = printed.trim().split_once("follow it with: farquorum ").unwrap();
    let follow: Vec<&str> = follow.split(' ').collect();
    assert_eq!((follow[0], follow[1], follow[3]), ("job", "get", "--follow"), "{printed}");
    let over = ran(sim, &follow).ok();
    let over = over.prints(&["(wordcount): completed", "3 parts below s3://pipeline-data/jobs/"]);
    let part = over.text().lines().find(|line| line.ends_with("/part-00002")).unwrap().trim().to_owned();
    let listed = ran(sim, &["storage", "list", &part, "-o", "json"]).ok().json();
    let length = ran(sim, &["storage", "get", &part]).ok().out.len();
    assert_eq!(listed["objects"], serde_json::json!([{ "url": part, "bytes": length }]));
    ran(sim, &["storage", "list", "s3://pipeline-data/none"]).ok().prints(&["no objects below"]);
}

/// Two jobs with the same output read each their own input, and the one that publishes later is told.
pub(crate) fn one_output(sim: &Sim) {
    let workers = ["worker-aws-1", "worker-aws-2", "worker-gcp-1", "worker-azure-1"];
    workers.iter().for_each(|worker| drop(sim.verb(&["pause", worker])));
    let submit = |name: &str, text: &str| {
        let input = file(&sim.lab, name, text);
        let args = ["job", "run", "wordcount", "--input", &input, "--output", "s3://pipeline-data/shared"];
        ran(sim, &[&args[..], &["--reducers", "1", "--detach", "-o", "json"]].concat()).ok().json()["id"]
            .to_string()
    };
    let ids = [submit("left.txt", "left left\n"), submit("right.txt", "right\n")];
    workers.iter().for_each(|worker| drop(sim.verb(&["resume", worker])));
    let over = ids.map(|id| ran(sim, &["job", "get", &id, "--follow"]));
    let published = ran(sim, &["storage", "get", "s3://pipeline-data/shared/part-00000"]).ok().text();
    let [won, lost] = match &published[..] {
        "left\t2\n" => over,
        "right\t1\n" => {
            let [left, right] = over;
            [right, left]
        }
        other => panic!("neither job's result: {other:?}"),
    };
    won.ok();
    lost.code(1).says(&["s3://pipeline-data/shared holds the output of another job"]);
}

/// What is no text file is left out, counted, and said, on a terminal or not.
pub(crate) fn skipped(sim: &Sim) {
    file(&sim.lab, "mixed/text", "a b a\n");
    file(&sim.lab, "mixed/binary", b"\0\x01");
    let folder = sim.lab.state.path().join("mixed");
    std::os::unix::fs::symlink("text", folder.join("again")).unwrap();
    std::os::unix::fs::symlink(".", folder.join("circle")).unwrap();
    nix::unistd::mkfifo(&folder.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let input = folder.display().to_string();
    let job =
        ran(sim, &["job", "run", "wordcount", "--input", &input, "--reducers", "1", "-o", "json"]).code(0);
    let job = job.says(&["1 not text, 1 link to a folder or to nothing, 1 pipe, socket or device"]).json();
    let counted = ran(sim, &["storage", "get", job["parts"][0].as_str().unwrap()]).ok().text();
    assert_eq!(counted, "a\t4\nb\t2\n");
    assert_eq!(ran(sim, &["job", "reference", "--input", &input]).ok().text(), counted);
    let pipe = folder.join("pipe").display().to_string();
    ran(sim, &["job", "run", "wordcount", "--input", &pipe])
        .code(2)
        .says(&["it is a pipe, a socket or a device"]);
    ran(sim, &["job", "reference", "--input", &pipe]).code(2).says(&["neither a file nor a folder"]);
}

/// Not the command line is wrong then.
pub(crate) fn store_down(sim: &Sim) {
    sim.verb(&["kill", "object-store"]);
    let job = ran(sim, &["job", "run", "wordcount", "--input", INPUT]);
    sim.verb(&["restart", "object-store"]);
    job.code(3).says(&["cannot create s3://pipeline-data/jobs/", "try: farquorum storage check"]);
}

/// What cannot be run says why before anything is submitted.
pub(crate) fn bad_input(sim: &Sim) {
    let before = sim.json(&["job", "list"]);
    let cases: &[(&[&str], &[&str])] = &[
        (&["--input", "/no/such/text"], &["input /no/such/text", "No such file or directory"]),
        (&["--input", "s3://pipeline-data/no/such"], &["s3://pipeline-data/no/such does not exist"]),
        (&["--input", "http://example.org/text"], &["the scheme \"http\" is not known", "s3://bucket/key"]),
        (&["--input", INPUT, "--reducers", "0"], &["invalid value '0' for '--reducers", "1..=1000"]),
        (&["--input", INPUT, "--output", "nowhere"], &["\"nowhere\" is no place", "s3://bucket/prefix"]),
        (&["--input", INPUT, "--output", "http://a/b"], &["the scheme \"http\" is not known"]),
        (
            &["--input", INPUT, "--split-bytes", "1023"],
            &["invalid value '1023' for '--split-bytes", "1024.."],
        ),
    ];
    for (args, words) in cases {
        ran(sim, &[&["job", "run", "wordcount"], *args].concat()).code(2).says(words);
    }
    let local = sim.lab.state.path().join("output");
    let args = ["job", "run", "wordcount", "--input", INPUT, "--output", &local.display().to_string()];
    ran(sim, &args).code(2).says(&["is no place that every worker reaches"]);
    assert!(!local.exists(), "something was uploaded for an output that cannot be");
    ran(sim, &["job", "run", "sort", "--input", INPUT]).code(2).says(&["possible values: wordcount"]);
    ran(sim, &["job", "get", "999"]).code(1).says(&["there is no job 999"]);
    ran(sim, &["job", "cancel", "999"]).code(1).says(&["there is no job 999"]);
    assert_eq!(sim.json(&["job", "list"]), before, "something was submitted");
}
