//! Which name a message suggests for one that is not known.

use farquorum_config::known;

const HOSTS: [&str; 4] = ["cp-aws-1", "worker-gcp-1", "object-store", "operator"];

#[test]
fn the_nearest_name_is_suggested_and_a_far_one_is_not() {
    let near = [
        ("worker-gpc-1", "worker-gcp-1"),
        ("cp-aws1", "cp-aws-1"),
        ("opperator", "operator"),
        ("objectstore", "object-store"),
    ];
    for (word, meant) in near {
        let said = known(word, HOSTS);
        assert!(said.starts_with(&format!("did you mean {meant}? Known: cp-aws-1, ")), "{word}: {said}");
    }
    for word in ["nowhere", "", "gcp", "CP-AWS-1"] {
        assert_eq!(known(word, HOSTS), "known: cp-aws-1, worker-gcp-1, object-store, operator", "{word}");
    }
    assert_eq!(known("aws", [""; 0]), "none is known");
}
