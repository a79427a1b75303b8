//! Requests against bytes written out by hand from the kernel's headers, and counters from an answer of that form.

use super::*;

fn netem() -> Netem {
    Netem {
        delay_ns: 25_000_000,
        jitter_ns: 1_000_000,
        table: vec![-8192, 0, 8192],
        loss: NetemLoss::Share(0.5),
        duplicate: 0.0,
        rate: 12_500_000,
        limit: 500,
        seed: 7,
    }
}

/// The bytes of numbers, as this machine writes them.
fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// Head of an attribute.
fn head(length: u16, kind: u16) -> Vec<u8> {
    [length.to_ne_bytes(), kind.to_ne_bytes()].concat()
}

#[test]
fn a_netem_is_said_in_full() {
    let expected = [
        words(&[0, 3, 0x0001_0000, 0xffff_ffff, 0]), // struct tcmsg
        head(10, 1),
        b"netem\0\0\0".to_vec(),
        head(4 + 24 + 12 + 12 + 12 + 12 + 20 + 12, 2),
        words(&[390_625, 500, 0x8000_0000, 0, 0, 15_625]), // struct tc_netem_qopt
        head(12, 10),
        25_000_000_u64.to_ne_bytes().to_vec(),
        head(12, 11),
        1_000_000_u64.to_ne_bytes().to_vec(),
        head(10, 2),
        [-8192_i16, 0, 8192, 0].iter().flat_map(|value| value.to_ne_bytes()).collect(),
        head(12, 8),
        12_500_000_u64.to_ne_bytes().to_vec(),
        head(20, 6),
        words(&[12_500_000, 0xffff_fff2, 0, 0]), // less 14 bytes of Ethernet for each packet
        head(12, 14),
        7_u64.to_ne_bytes().to_vec(),
    ];
    assert_eq!(netem().message(0, 3).body(), expected.concat());
}

#[test]
fn bursts_of_loss_are_a_nested_model() {
    let loss = NetemLoss::Gilbert { enter: 0.25, leave: 0.5, lost_in_bad: 1.0, lost_in_good: 0.0 };
    let message = Netem { loss, ..netem() }.message(0, 3);
    let model = [head(24, 5), head(20, 2), words(&[0x4000_0000, 0x8000_0000, 0, 0])].concat();
    assert!(message.body().windows(model.len()).any(|part| part == model), "{:?}", message.body());
    // The share of independent losses is zero then.
    assert_eq!(message.body()[20 + 12 + 4 + 8..][..4], [0; 4]);
}

#[test]
fn a_rate_beyond_32_bits_has_a_place_of_its_own() {
    let message = Netem { rate: 1 << 40, ..netem() }.message(0, 3);
    let wide = [head(12, 8), (1_u64 << 40).to_ne_bytes().to_vec(), head(20, 6), words(&[u32::MAX])].concat();
    assert!(message.body().windows(wide.len()).any(|part| part == wide));
}

#[test]
fn counters_are_read_and_other_disciplines_are_not() {
    let answer = |kind: &[u8]| {
        let stats = [
            head(20, 1),
            5_140_u64.to_ne_bytes().to_vec(), // 10 packets of 500 bytes and 14 of Ethernet
            words(&[10, 0]),
            head(24, 3),
            words(&[2, 1_028, 4, 0, 0]),
        ]
        .concat();
        let kind = [head(10, 1), kind.to_vec(), vec![0; 2]].concat();
        let length = u16::try_from(stats.len() + 4).expect("short");
        [words(&[0, 9, 0, 0, 0]), kind, head(length, 7), stats].concat()
    };
    let passed = Passed { packets: 10, bytes: 5_000, dropped: 4, inside: 2 };
    assert_eq!(read(&answer(b"netem\0")), Some((9, passed)));
    assert_eq!(read(&answer(b"pfifo\0")), None);
    assert_eq!(read(&answer(b"netem\0")[..60]), None);
}
