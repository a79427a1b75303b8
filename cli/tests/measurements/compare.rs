//! Verdicts, their exit codes, and the three ways in which they are printed.

use serde_json::Value;

use crate::{folder, ran};

#[test]
fn every_verdict_has_its_exit_code_and_its_words() {
    let cases: &[(&[&str], i32, &[&str])] = &[
        (&["a.json", "a.json"], 0, &["pass: B agrees with A: all 6 quantiles that were judged"]),
        (&["a.json", "same.json"], 0, &["rtt aws -> gcp", "p50", "51.39", "ms", "2.5 %"]),
        (
            &["a.json", "slower.json"],
            1,
            &["fail: B differs from A:", "p50 of rtt", "5.4 % higher", "tolerance 2.5 %"],
        ),
        (&["slower.json", "a.json"], 1, &["5.2 % lower"]),
        (&["a.json", "slower.json", "--tolerance", "p50=20,p90=20,p99=20"], 0, &["20 %"]),
        (
            &["a.json", "slower.json", "--tolerance", "p50=off", "--tolerance", "rtt.p90=9"],
            0,
            &["all 4 quantiles"],
        ),
        (
            &["a.json", "few.json"],
            5,
            &["inconclusive, needs 20 samples", "15 samples are too few: p50 needs 20"],
        ),
        (
            &["a.json", "invalid.json"],
            5,
            &["note: B is marked invalid: lateness p99 4 ms", "inconclusive: No verdict"],
        ),
        (
            &["a.json", "other.json", "--across", "backend,kernel"],
            0,
            &["note: kernel differs and was allowed to"],
        ),
    ];
    let folder = folder();
    for (args, code, words) in cases {
        let args = [&["compare"][..], args].concat();
        let ran = ran(folder.path(), &args).code(*code).prints(words);
        assert_eq!(ran.err, "", "{ran}");
    }
}

#[test]
fn json_and_yaml_hold_the_same() {
    let folder = folder();
    let args = ["compare", "a.json", "slower.json", "-o"];
    let json = ran(folder.path(), &[&args[..], &["json"]].concat()).code(1).json();
    let yaml = ran(folder.path(), &[&args[..], &["yaml"]].concat()).code(1).yaml();
    assert_eq!(rounded(yaml), rounded(json.clone()));
    assert_eq!(
        (&json["verdict"], &json["a"], &json["judged"]),
        (&"fail".into(), &"a.json".into(), &6.into())
    );
    let median = &json["quantities"][0]["quantiles"][0];
    assert_eq!((&median["quantile"], &median["verdict"]), (&"p50".into(), &"fail".into()));
    let number = |name: &str| median[name].as_f64().unwrap();
    assert!(number("low") < number("ratio") && number("ratio") < number("high"), "{median}");
}

/// Numbers to nine decimals: reading JSON may cost the last binary digit of one.
fn rounded(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => format!("{:.9}", number.as_f64().unwrap()).into(),
        Value::Array(items) => items.into_iter().map(rounded).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, rounded(value))).collect(),
        other => other,
    }
}

#[test]
fn the_report_is_one_file_with_verdict_and_plots() {
    let folder = folder();
    ran(folder.path(), &["compare", "a.json", "slower.json", "--html", "report.html"]).code(1);
    let page = std::fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(page.contains("<header class=\"verdict fail\">") && page.contains("B differs from A"));
    // Two directed pairs with two plots each.
    assert_eq!(page.matches("<svg class=\"plot\"").count(), 4);
    for outside in ["http:", "https:", "//", "<script", "<link", "<img", "@import", "url("] {
        assert!(!page.contains(outside), "the page holds {outside:?}");
    }
}
