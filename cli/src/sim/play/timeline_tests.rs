//! Scenarios as text against what they do, and what is wrong with bad ones.

use super::super::script::parse;
use super::*;

/// Time in ms and the essence of each thing to do.
fn plan(text: &str) -> Vec<(u128, String)> {
    let script = parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let line = |timed: Timed| {
        let said = match timed.act {
            Act::Ask(Request::Link { from, to, change }) => {
                format!("{from} {to} {}", change.delay_ms.map_or("other".to_owned(), |ms| format!("{ms:.1}")))
            }
            Act::Ask(Request::Cut { from, to }) => format!("cut {from} {to}"),
            Act::Ask(Request::Heal { from, to }) => format!("heal {from:?} {to:?}"),
            other => format!("{other:?}"),
        };
        (timed.at.as_millis(), said)
    };
    expand(&script).map(line).collect()
}

#[test]
fn steps_become_requests_by_time() {
    let text = "
name: all of it
steps:
- {at_s: 2, kill: leader}
- {at_s: 0, ramp: {between: [a, b], from_rtt_ms: 10, to_rtt_ms: 40, over_s: 0.3}}
- {at_s: 1, flap: {between: [a, b], down_s: 0.5, up_s: 0.25, times: 2}}
- at_s: 2
  expect: {write_within_s: 5}
- {at_s: 2.1, cut: {from: a, to: b}}
- {at_s: 2.2, heal: {from: a, to: b}}
- {at_s: 2.2, heal: c}
- {at_s: 2.5, heal: all}
- {at_s: 2.5, link: {between: [a, b], set: {loss: 0.1}}}
";
    let expected: [(u128, &str); 24] = [
        (0, "a b 5.0"),
        (0, "b a 5.0"),
        (100, "a b 10.0"),
        (100, "b a 10.0"),
        (200, "a b 15.0"),
        (200, "b a 15.0"),
        (300, "a b 20.0"),
        (300, "b a 20.0"),
        (1_000, "cut a b"),
        (1_000, "cut b a"),
        (1_500, "heal Some(\"a\") Some(\"b\")"),
        (1_500, "heal Some(\"b\") Some(\"a\")"),
        (1_750, "cut a b"),
        (1_750, "cut b a"),
        (2_000, "Ask(Kill { host: \"leader\" })"),
        (2_000, "Expect(WriteWithinS(Seconds(5s)))"),
        (2_100, "cut a b"),
        (2_200, "heal Some(\"a\") Some(\"b\")"),
        (2_200, "heal Some(\"c\") None"),
        (2_250, "heal Some(\"a\") Some(\"b\")"),
        (2_250, "heal Some(\"b\") Some(\"a\")"),
        (2_500, "heal None None"),
        (2_500, "a b other"),
        (2_500, "b a other"),
    ];
    let plan = plan(text);
    assert_eq!(plan.iter().map(|(at, said)| (*at, said.as_str())).collect::<Vec<_>>(), expected);
}

/// Made in advance, these would be 1.7 billion changes.
#[test]
fn the_longest_scenario_begins_at_once() {
    let ramp = "- {at_s: 1, ramp: {between: [a, b], from_rtt_ms: 10, to_rtt_ms: 20, over_s: 86400}}\n";
    let script = parse(&format!("name: long\nsteps:\n{}", ramp.repeat(1_000))).unwrap();
    let mut all = expand(&script);
    let first: Vec<u128> = all.by_ref().take(4_000).map(|timed| timed.at.as_millis()).collect();
    // Of each ramp both directions, and of the next change too.
    assert_eq!((&first[..2_000], &first[2_000..]), (&[1_000; 2_000][..], &[1_100; 2_000][..]));
}

#[test]
fn mistakes_are_named_with_their_line() {
    let cases = [
        ("name: x\nsteps: []\n", "0 steps; a scenario has 1 to 1000", ""),
        (
            "name: x\nsteps:\n- {at_s: 0, kill: a}\n- {at_s: 1}\n",
            "a step has exactly one of link, ramp",
            "line 4",
        ),
        ("name: x\nsteps:\n- {at_s: 1, kill: a, heal: a}\n", "a step has exactly one of", "line 3"),
        (
            "name: x\nsteps:\n- {at_s: -1, kill: a}\n",
            "-1: must be a number of seconds from 0 to 86400",
            "line 3",
        ),
        ("name: x\nsteps:\n- {at_s: 0, kill: a}\n- {at_s: 0, kil: a}\n", "unknown field `kil`", "line 4"),
        (
            "name: x\nsteps:\n- {at_s: 0, link: {between: [a, b], set: {loss: 2}}}\n",
            "loss = 2.0: must be a share",
            "line 3",
        ),
        (
            "name: x\nsteps:\n- {at_s: 0, link: {between: [a], set: {loss: 1}}}\n",
            "array of length 2",
            "line 3",
        ),
        (
            "name: x\nsteps:\n- {at_s: 0, heal: {from: a}}\n",
            "the name of a cloud or host, all, or {from: NAME, to: NAME}",
            "line 3",
        ),
        ("name: x\nsteps:\n- {at_s: 0, cut: a}\n", "expected {from: NAME, to: NAME}", "line 3"),
        (
            "name: x\nsteps:\n- {at_s: 0, flap: {between: [a, b], down_s: 1, up_s: 1, times: 0}}\n",
            "nonzero",
            "line 3",
        ),
        ("name: x\nsteps:\n- {at_s: 0, expect: {writes: 1}}\n", "unknown variant `writes`", "line 3"),
        ("name: [\n", "", "line 1"),
    ];
    for (text, what, line) in cases {
        let error = parse(text).unwrap_err();
        assert!(error.contains(what) && error.contains(line), "{text}: {error}");
    }
}

#[test]
fn the_scenarios_that_ship_can_be_played() {
    for (name, text) in super::super::SHIPPED {
        assert!(!plan(text).is_empty(), "{name}");
    }
}
