//! Whatever is done to a file, the loader answers: with a configuration or with problems, never with a panic. Seeded,
//! so that a failure can be repeated: the message names the round.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

use farquorum_config::{BUILT_IN, Sources, load_text};

/// xorshift64*: a few lines, and no dependency for a test that only needs variety.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(mixed).unwrap() % bound
    }
}

/// Pieces that are likely to reach deep: odd numbers, odd types, odd tables.
const PIECES: &[&str] = &[
    "nan",
    "-inf",
    "-1",
    "0",
    "9223372036854775807",
    "1e308",
    "true",
    "\"\"",
    "[]",
    "{}",
    "[[1], {}]",
    "1979-05-27",
    "\"é\"",
    "[nodes]",
    "[[nodes]]",
    "[[raft]]",
    "[clouds]",
    "[clouds.\"a.b\"]",
    "links = 3",
    "nodes = [1, {}, \"x\"]",
    "a.b.c = 1",
    "=",
    "\n",
    "\u{0}",
    "\"10.0.0.0/8\"",
    "\"255.255.255.255\"",
];

/// One mutation of the lines of a file.
fn mutate(lines: &mut Vec<String>, random: &mut Random) {
    let at = random.below(lines.len().max(1)).min(lines.len().saturating_sub(1));
    let piece = PIECES[random.below(PIECES.len())];
    let Some(line) = lines.get_mut(at) else { return lines.push(piece.to_owned()) };
    match random.below(7) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(at, piece.to_owned()),
        2 => {
            let copy = line.clone();
            let there = random.below(lines.len());
            lines.insert(there, copy);
        }
        3 | 4 => {
            if let Some((key, _)) = line.split_once('=') {
                *line = format!("{key}= {piece}");
            }
        }
        5 => {
            let cut = random.below(line.chars().count() + 1);
            *line = line.chars().take(cut).collect();
        }
        _ => {
            let mut chars: Vec<char> = line.chars().collect();
            let there = random.below(chars.len() + 1);
            chars.insert(there, char::from_u32(u32::try_from(random.below(0x250)).unwrap()).unwrap_or('x'));
            *line = chars.into_iter().collect();
        }
    }
}

#[test]
fn a_mutated_file_never_panics() {
    let mut random = Random(0x5EED);
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..3_000 {
        let mut lines: Vec<String> = BUILT_IN.lines().map(str::to_owned).collect();
        for _ in 0..=random.below(6) {
            mutate(&mut lines, &mut random);
        }
        let text = lines.join("\n");
        let pick = |random: &mut Random| PIECES[random.below(PIECES.len())].to_owned();
        let names =
            ["RAFT_PEERS", "ORCHESTRATOR_ADDR", "CROSS_CLOUD_LATENCY_MS", "FARQUORUM_RAFT__HEARTBEAT_MS"];
        let sources = Sources {
            environment: match random.below(4) {
                0 => vec![(names[random.below(names.len())].to_owned(), pick(&mut random))],
                _ => Vec::new(),
            },
            topology: (random.below(4) == 0).then(|| "five".to_owned()),
            preset: (random.below(4) == 0).then(|| "observed".to_owned()),
            ..Sources::default()
        };
        let outcome = std::panic::catch_unwind(|| load_text(&text, None, &sources));
        match outcome.unwrap_or_else(|_| panic!("round {round} panicked on:\n{sources:?}\n{text}")) {
            Ok(_) => accepted += 1,
            Err(errors) => {
                assert!(!errors.findings.is_empty(), "round {round}: refused without a reason");
                refused += 1;
            }
        }
    }
    assert!(accepted > 100 && refused > 100, "mutations are too weak or too strong: {accepted} {refused}");
}
