//! Changes of a shape, and the way from a shape to its keys and back.

use super::*;
use crate::shape::{Codel, Jitter, Loss, Queue, Spread};

fn keys(toml: &str) -> ShapeKeys {
    let value = crate::document::parse_value(&format!("{{ {toml} }}")).unwrap();
    value.deserialize().unwrap()
}

/// Shapes of every kind, as keys.
const SHAPES: &[&str] = &[
    "delay_ms = 25",
    "delay_ms = 25, jitter_ms = 2",
    "delay_ms = 25, jitter_ms = 2, jitter_distribution = \"uniform\", jitter_memory_ms = 0",
    "delay_ms = 0, jitter_quantiles_ms = [0, 0.5, 9]",
    "delay_ms = 25, loss = 0.1, rate_mbit = 10, queue_bytes = 3000",
    "delay_ms = 25, loss_gilbert = { enter = 0.01, leave = 0.3 }",
    "delay_ms = 25, rate_mbit = 10, queue = \"codel\", codel_target_ms = 1",
    "delay_ms = 25, reorder = 0.1, duplicate = 0.2, corrupt = 0.3",
];

#[test]
fn a_shape_is_its_keys() {
    for text in SHAPES {
        let shape = keys(text).shape();
        assert_eq!(shape.check(), Ok(()), "{text}");
        assert_eq!(ShapeKeys::from(&shape).shape(), shape, "{text}");
        assert_eq!(ShapeKeys::default().apply(&shape), Ok(shape), "{text}: no change");
    }
}

#[test]
fn a_change_keeps_what_it_does_not_name_and_ends_what_it_excludes() {
    // Shape, change, and what comes out, all as keys.
    let cases = [
        (4, "delay_ms = 40", "delay_ms = 40, loss = 0.1, rate_mbit = 10, queue_bytes = 3000"),
        (4, "rate_mbit = 0", "delay_ms = 25, loss = 0.1"),
        (6, "rate_mbit = 0", "delay_ms = 25"),
        (6, "queue = \"tail\"", "delay_ms = 25, rate_mbit = 10"),
        (5, "loss = 0.2", "delay_ms = 25, loss = 0.2"),
        (
            4,
            "loss_gilbert = { enter = 0, leave = 1 }",
            "delay_ms = 25, loss_gilbert = { enter = 0, leave = 1 }, rate_mbit = 10, queue_bytes = 3000",
        ),
        (2, "jitter_ms = 3", "delay_ms = 25, jitter_ms = 3, jitter_distribution = \"uniform\""),
        (2, "jitter_ms = 0", "delay_ms = 25"),
        (
            2,
            "jitter_memory_ms = 7",
            "delay_ms = 25, jitter_ms = 2, jitter_distribution = \"uniform\", jitter_memory_ms = 7",
        ),
        (2, "jitter_quantiles_ms = [1, 2]", "delay_ms = 25, jitter_quantiles_ms = [1, 2]"),
        (3, "jitter_ms = 1, delay_ms = 1", "delay_ms = 1, jitter_ms = 1"),
        (7, "corrupt = 0", "delay_ms = 25, reorder = 0.1, duplicate = 0.2"),
    ];
    for (shape, change, expected) in cases {
        let shape = keys(SHAPES[shape]).shape();
        assert_eq!(keys(change).apply(&shape), Ok(keys(expected).shape()), "{change} on {shape:?}");
    }
}

#[test]
fn what_is_not_allowed_is_refused_by_name() {
    let cases = [
        ("delay_ms = -1", "delay_ms = -1.0: must be a number of milliseconds from 0 to 60000"),
        ("delay_ms = nan", "delay_ms = nan: must be a number"),
        ("loss = 1.5", "loss = 1.5: must be a share"),
        ("jitter_ms = 26", "jitter_ms = 26: must be at most the one-way delay, 25 ms"),
        (
            "jitter_distribution = \"pareto\", jitter_ms = 1",
            "jitter_distribution = \"pareto\": must be \"normal\" or",
        ),
        ("jitter_distribution = \"uniform\"", "jitter_distribution = \"uniform\": says how jitter_ms"),
        (
            "jitter_quantiles_ms = [2, 1]",
            "jitter_quantiles_ms = [2.0, 1.0]: must be a list of 2 to 1001 ascending",
        ),
        ("jitter_quantiles_ms = [2, 3], jitter_ms = 1", "jitter_ms = 1: excludes jitter_quantiles_ms"),
        ("jitter_memory_ms = 1", "jitter_memory_ms = 1: is how long"),
        ("loss = 0.1, loss_gilbert = { enter = 0.1, leave = 0.1 }", "loss = 0.1: excludes loss_gilbert"),
        ("loss_gilbert = { enter = 2, leave = 1 }", "loss_gilbert.enter = 2.0: must be a share"),
        (
            "loss_gilbert = { enter = 0.5, leave = 0 }",
            "loss_gilbert.leave = 0.0: must be a number from 0.000001 to 1",
        ),
        ("rate_mbit = -3", "rate_mbit = -3.0: must be a number of Mbit/s"),
        ("queue_bytes = 3000", "queue_bytes = 3000: bounds what waits"),
        ("queue_bytes = 30, rate_mbit = 1", "queue_bytes = 30: must be a whole number of bytes from 1500"),
        ("queue = \"codel\"", "queue = \"codel\": needs a queue"),
        ("queue = \"red\", rate_mbit = 1", "queue = \"red\": must be \"tail\" or \"codel\""),
        ("codel_target_ms = 1, rate_mbit = 1", "codel_target_ms = 1: is a parameter of CoDel"),
        (
            "queue = \"codel\", rate_mbit = 1, codel_target_ms = 200",
            "codel_target_ms = 200: the target, 200 ms,",
        ),
        (
            "queue = \"codel\", rate_mbit = 1, codel_interval_ms = 1",
            "codel_interval_ms = 1: the target, 5 ms,",
        ),
        ("duplicate = 2", "duplicate = 2.0: must be a share"),
    ];
    let shape = keys("delay_ms = 25").shape();
    for (change, expected) in cases {
        let error = keys(change).apply(&shape).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{change}: {error}");
    }
}

#[test]
fn shapes_out_of_range_are_refused_too() {
    let table = Spread::Normal { deviation_ms: f64::INFINITY };
    let bad = [
        LinkShape { delay_ms: f64::NAN, ..LinkShape::default() },
        LinkShape { jitter: Some(Jitter::new(table)), ..LinkShape::default() },
        LinkShape { rate_mbit: Some(0.0), ..LinkShape::default() },
        LinkShape { loss: Loss::Independent(-0.1), ..LinkShape::default() },
        LinkShape { queue: Queue::Codel(Codel::default()), ..LinkShape::default() },
    ];
    for shape in bad {
        assert!(shape.check().is_err(), "{shape:?}");
    }
}
