//! What goes into a pipe comes out, in order and not before its time.

use proptest::prelude::*;

use super::*;

/// Takes everything out that is due, a few bytes at a time.
fn drain(pipe: &mut Pipe, now_ns: u64, step: usize) -> Vec<u8> {
    pipe.ripen(now_ns, |_, _| {});
    let mut out = Vec::new();
    while !pipe.ready().is_empty() {
        let taken = pipe.ready()[..step.min(pipe.ready().len())].to_vec();
        pipe.consume(taken.len());
        out.extend(taken);
    }
    out
}

#[test]
fn bytes_wait_for_their_time_and_the_end_for_the_bytes() {
    let mut pipe = Pipe::default();
    pipe.push(b"one", 100);
    pipe.push(b"two", 200);
    pipe.finish(End::Finished, 150);
    assert_eq!((pipe.held(), pipe.next_ns()), (6 + 2 * PIECE_BYTES, Some(100)));
    assert_eq!(drain(&mut pipe, 99, 9), b"");
    assert_eq!(drain(&mut pipe, 100, 9), b"one");
    assert_eq!((pipe.ended(199), pipe.next_ns()), (None, Some(200)));
    pipe.ripen(250, |late_ns, length| assert_eq!((late_ns, length), (50, 3)));
    assert_eq!((pipe.next_ns(), pipe.ended(250)), (None, None), "the receiver has not taken it yet");
    assert_eq!(drain(&mut pipe, 250, 9), b"two");
    assert_eq!((pipe.ended(250), pipe.held()), (Some(End::Finished), 0));
}

#[test]
fn a_reset_is_not_before_its_time_either() {
    let mut pipe = Pipe::default();
    pipe.finish(End::Reset, 300);
    assert_eq!((pipe.ended(299), pipe.next_ns(), pipe.ended(300)), (None, Some(300), Some(End::Reset)));
}

#[test]
fn a_burst_gives_its_memory_back() {
    let mut pipe = Pipe::default();
    for at_ns in 0..2_000 {
        pipe.push(&[7; 1_000], at_ns);
    }
    assert_eq!(pipe.held(), 2_000 * (1_000 + PIECE_BYTES));
    assert_eq!(drain(&mut pipe, 2_000, 5_000).len(), 2_000_000);
    assert_eq!(pipe.held(), 0);
    assert!(pipe.bytes.capacity() <= KEPT_BYTES, "{} bytes kept", pipe.bytes.capacity());
    assert!(pipe.pieces.capacity() * PIECE_BYTES <= KEPT_BYTES, "{} pieces kept", pipe.pieces.capacity());
}

proptest! {
    /// First in, first out, nothing lost, nothing early, whatever the times.
    #[test]
    fn what_goes_in_comes_out(
        pieces in prop::collection::vec((prop::collection::vec(any::<u8>(), 1..50), 0u64..1_000), 1..40),
        step in 1usize..60,
    ) {
        let mut pipe = Pipe::default();
        let mut expected: Vec<u8> = Vec::new();
        let mut due = Vec::new();
        let mut last_ns = 0;
        for (bytes, at_ns) in &pieces {
            pipe.push(bytes, *at_ns);
            last_ns = last_ns.max(*at_ns);
            expected.extend_from_slice(bytes);
            due.extend(std::iter::repeat_n(last_ns, bytes.len()));
        }
        let mut out = Vec::new();
        for now_ns in (0..=1_000).step_by(7) {
            out.extend(drain(&mut pipe, now_ns, step));
            prop_assert_eq!(out.len(), due.iter().filter(|at_ns| **at_ns <= now_ns).count());
            prop_assert_eq!(out.len() + pipe.bytes.len(), expected.len());
        }
        out.extend(drain(&mut pipe, 1_000, step));
        prop_assert_eq!(out, expected);
    }
}
