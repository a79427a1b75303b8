//! The links that `farquorum fit` prints.

use crate::{folder, ran};

#[test]
fn links_are_printed_or_written() {
    let folder = folder();
    let printed = ran(folder.path(), &["fit", "a.json"]).ok();
    let links: toml::Table = printed.text().parse().unwrap();
    let links = links["links"].as_array().unwrap();
    assert_eq!(links.len(), 2);
    let text = |link: usize, key: &str| links[link][key].as_str().unwrap();
    assert_eq!((text(0, "from"), text(0, "to")), ("aws", "gcp"));
    assert_eq!((text(1, "from"), text(1, "to")), ("gcp", "aws"));
    let delay = |link: usize| links[link]["delay_ms"].as_float().unwrap();
    // p1 of the recording is 50.02 ms.
    assert!((delay(0) - 25.01).abs() < 0.005 && delay(0) == delay(1));
    assert_eq!(links[0]["jitter_quantiles_ms"].as_array().unwrap().len(), 1001);
    assert!(links[1].get("jitter_quantiles_ms").is_none());

    let told = ran(folder.path(), &["fit", "a.json", "--out", "links.toml"]).ok();
    let told = told.prints(&["aws - gcp", "6000", "25.01 ms", "51.39 / 54.60 / 59.18"]);
    assert_eq!(std::fs::read_to_string(folder.path().join("links.toml")).unwrap(), printed.text(), "{told}");
    let json = ran(folder.path(), &["fit", "a.json", "-o", "json"]).ok().json();
    assert_eq!(json["links"].as_str().unwrap(), printed.text());
    assert_eq!(json["pairs"][0]["samples"], 6000);
}
