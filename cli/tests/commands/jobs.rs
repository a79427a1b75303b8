//! `farquorum job`.

use crate::lab::Sim;
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
    ran(sim, &follow).ok().prints(&["(wordcount): completed", "3 parts below s3://pipeline-data/jobs/"]);
}

/// What cannot be run says why before anything is submitted.
pub(crate) fn bad_input(sim: &Sim) {
    let before = sim.json(&["job", "list"]);
    let cases: &[(&[&str], &[&str])] = &[
        (&["--input", "/no/such/text"], &["input /no/such/text", "No such file or directory"]),
        (&["--input", "s3://pipeline-data/no/such"], &["s3://pipeline-data/no/such does not exist"]),
        (&["--input", "http://example.org/text"], &["the scheme \"http\" is not known", "s3://bucket/key"]),
        (&["--input", INPUT, "--reducers", "0"], &["invalid value '0' for '--reducers", "1..=1000"]),
        (&["--input", INPUT, "--output", "nowhere"], &["nowhere"]),
    ];
    for (args, words) in cases {
        ran(sim, &[&["job", "run", "wordcount"], *args].concat()).code(2).says(words);
    }
    ran(sim, &["job", "run", "sort", "--input", INPUT]).code(2).says(&["possible values: wordcount"]);
    ran(sim, &["job", "get", "999"]).code(1).says(&["there is no job 999"]);
    ran(sim, &["job", "cancel", "999"]).code(1).says(&["there is no job 999"]);
    assert_eq!(sim.json(&["job", "list"]), before, "something was submitted");
}
