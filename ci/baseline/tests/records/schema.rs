//! The published schema takes what we write and refuses what our reader refuses.

use boon::{Compiler, SchemaIndex, Schemas};
use farquorum_baseline::{Record, SCHEMA};
use serde_json::{Value, json};

use super::{record, saved};

fn compiled() -> (Schemas, SchemaIndex) {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource("record.json", serde_json::from_str(SCHEMA).unwrap()).unwrap();
    let index = compiler.compile("record.json", &mut schemas).unwrap();
    (schemas, index)
}

fn written(record: &Record) -> Value {
    let (_folder, path) = saved(record);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn what_is_written_obeys_the_schema() {
    let (schemas, index) = compiled();
    let mut broken = record();
    broken.invalid.push("late".to_owned());
    broken.incomplete = Some("interrupted".to_owned());
    for record in [Record { series: Vec::new(), ..record() }, record(), broken] {
        let document = written(&record);
        schemas.validate(&document, index).unwrap_or_else(|error| panic!("{error}\n{document:#}"));
    }
}

#[test]
fn broken_documents_are_refused_by_schema_and_reader() {
    let (schemas, index) = compiled();
    let cases = [
        ("/format", json!(2)),
        ("/dimensions/when", json!("yesterday")),
        ("/dimensions/processors", json!("four")),
        ("/dimensions/config_sha256", json!("abc")),
        ("/dimensions/clouds/0/label", json!("a,b")),
        ("/valid", json!(false)),
        ("/invalid_reasons", json!(["late"])),
        ("/complete", json!(false)),
        ("/samples", json!({"file": "good.samples.csv.gz"})),
        ("/samples/rows", json!(-1)),
        ("/samples/file", json!("../other.gz")),
        ("/series/0/name", json!("")),
        ("/series/0/unit", json!("")),
        ("/series/0/lost", json!("some")),
        ("/series/0/quantiles/p50", json!("fast")),
        ("/series/0/blocks/0/count", json!(0)),
        ("/series/0", json!({"name": "rtt", "colour": "red"})),
    ];
    for (place, value) in cases {
        let (_folder, path) = saved(&record());
        let mut document = written(&record());
        *document.pointer_mut(place).unwrap() = value;
        assert!(schemas.validate(&document, index).is_err(), "the schema takes {place}");
        std::fs::write(&path, document.to_string()).unwrap();
        assert!(Record::load(&path).is_err(), "the reader takes {place}");
    }
}
