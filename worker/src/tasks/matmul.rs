//! `matmul`: blocked multiplication of integer matrices.
//!
//! Work for the processor alone, with a result that anyone can check: same payload, same digest, on every machine.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Context, TaskError, blocking, from_json, to_json};

/// Largest matrix: three of them take 384 MiB.
const N_MAX: usize = 4096;
/// Default block: three blocks of 64 x 64 fit into a level 2 cache.
const BLOCK_DEFAULT: usize = 64;
/// Largest magnitude of an element, so that a product of `N_MAX` terms fits into 64 bits.
const ELEMENT_MAX: i64 = 1_000_000;

/// What to multiply: random matrices from a seed, or `a` and `b` themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatmulPayload {
    /// Rows and columns, 1 to 4096.
    pub n: usize,
    /// Rows of `b` that are used before going on, 1 to n; no influence on the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<usize>,
    /// Seed of both matrices; 0 when not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Rows of the left matrix; then `b` must be there too and `seed` not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub a: Option<Vec<Vec<i64>>>,
    /// Rows of the right matrix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub b: Option<Vec<Vec<i64>>>,
}

/// What came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatmulResult {
    /// Rows and columns.
    pub n: usize,
    /// Sum of the diagonal of the product, as a decimal number.
    pub trace: String,
    /// SHA-256 of the product: its elements row by row, 8 bytes little-endian each; hexadecimal.
    pub sha256: String,
}

/// A square matrix, row by row.
#[derive(Clone, PartialEq, Eq)]
struct Matrix {
    n: usize,
    elements: Vec<i64>,
}

impl fmt::Debug for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.elements.chunks(self.n.max(1))).finish()
    }
}

pub(super) async fn run(context: Context, payload: Vec<u8>) -> Result<Vec<u8>, TaskError> {
    let work: MatmulPayload = from_json("matmul", &payload)?;
    let block = check(&work)?;
    let result = blocking(move || {
        let (a, b) = matrices(&work)?;
        let product = multiply(&a, &b, block, || context.is_stopped());
        let product = product.ok_or_else(|| TaskError::transient("stopped"))?;
        Ok::<_, TaskError>(summary(&product))
    });
    to_json(&result.await??)
}

fn check(work: &MatmulPayload) -> Result<usize, TaskError> {
    if !(1..=N_MAX).contains(&work.n) {
        return Err(TaskError::fatal(format!("matmul: n is {}, allowed are 1 to {N_MAX}", work.n)));
    }
    let block = work.block.unwrap_or_else(|| BLOCK_DEFAULT.min(work.n));
    if !(1..=work.n).contains(&block) {
        return Err(TaskError::fatal(format!("matmul: block is {block}, allowed are 1 to n ({})", work.n)));
    }
    Ok(block)
}

fn matrices(work: &MatmulPayload) -> Result<(Matrix, Matrix), TaskError> {
    match (&work.a, &work.b, work.seed) {
        (None, None, seed) => {
            let seed = seed.unwrap_or_default();
            Ok((from_seed(work.n, seed, 0), from_seed(work.n, seed, 1)))
        }
        (Some(a), Some(b), None) => Ok((from_rows(work.n, "a", a)?, from_rows(work.n, "b", b)?)),
        _ => Err(TaskError::fatal("matmul: give either seed, or both a and b")),
    }
}

/// Elements from -1000 to 1000 by SplitMix64 (Steele, Lea, Flood 2014).
fn from_seed(n: usize, seed: u64, which: u64) -> Matrix {
    let mut state = seed.wrapping_mul(2).wrapping_add(which);
    let elements = std::iter::repeat_with(|| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        i64::try_from((z ^ (z >> 31)) % 2001).unwrap_or_default().saturating_sub(1000)
    });
    Matrix { n, elements: elements.take(n.saturating_mul(n)).collect() }
}

fn from_rows(n: usize, name: &str, rows: &[Vec<i64>]) -> Result<Matrix, TaskError> {
    if rows.len() != n || rows.iter().any(|row| row.len() != n) {
        return Err(TaskError::fatal(format!("matmul: {name} must have n ({n}) rows of n numbers each")));
    }
    let elements: Vec<i64> = rows.iter().flatten().copied().collect();
    match elements.iter().find(|element| !(-ELEMENT_MAX..=ELEMENT_MAX).contains(*element)) {
        Some(bad) => Err(TaskError::fatal(format!(
            "matmul: {name} holds {bad}, allowed are -{ELEMENT_MAX} to {ELEMENT_MAX}"
        ))),
        None => Ok(Matrix { n, elements }),
    }
}

/// The product, `block` rows of `b` at a time; none when stopped in between.
fn multiply(a: &Matrix, b: &Matrix, block: usize, is_stopped: impl Fn() -> bool) -> Option<Matrix> {
    let n = a.n;
    let mut product = vec![0i64; n.checked_mul(n)?];
    for (place, b_block) in b.elements.chunks(block.checked_mul(n)?).enumerate() {
        for (a_row, row) in a.elements.chunks(n).zip(product.chunks_mut(n)) {
            if is_stopped() {
                return None;
            }
            let factors = a_row.chunks(block).nth(place)?;
            for (factor, b_row) in factors.iter().zip(b_block.chunks(n)) {
                for (sum, element) in row.iter_mut().zip(b_row) {
                    *sum = sum.wrapping_add(factor.wrapping_mul(*element));
                }
            }
        }
    }
    Some(Matrix { n, elements: product })
}

fn summary(product: &Matrix) -> MatmulResult {
    let diagonal = product.elements.iter().step_by(product.n.saturating_add(1));
    let trace: i128 = diagonal.map(|element| i128::from(*element)).sum();
    let mut hasher = Sha256::new();
    product.elements.iter().for_each(|element| hasher.update(element.to_le_bytes()));
    MatmulResult { n: product.n, trace: trace.to_string(), sha256: hex::encode(hasher.finalize()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the definition, one element at a time.
    fn naive(a: &Matrix, b: &Matrix) -> Matrix {
        let n = a.n;
        let element =
            |i: usize, j: usize| (0..n).map(|k| a.elements[i * n + k] * b.elements[k * n + j]).sum();
        Matrix { n, elements: (0..n * n).map(|at| element(at / n, at % n)).collect() }
    }

    #[test]
    fn every_block_gives_the_product_by_definition() {
        for n in [1, 2, 3, 7, 16, 33] {
            let (a, b) = (from_seed(n, 42, 0), from_seed(n, 42, 1));
            assert_ne!(a, b);
            let expected = naive(&a, &b);
            for block in 1..=n {
                assert_eq!(multiply(&a, &b, block, || false).unwrap(), expected, "n {n}, block {block}");
            }
        }
    }

    #[test]
    fn a_stop_ends_it() {
        let a = from_seed(8, 1, 0);
        assert_eq!(multiply(&a, &a, 2, || true), None);
    }

    #[test]
    fn wrong_payloads_are_named() {
        for (payload, reason) in [
            (r#"{}"#, "missing field `n`"),
            (r#"{"n": 0}"#, "allowed are 1 to 4096"),
            (r#"{"n": 4097}"#, "allowed are 1 to 4096"),
            (r#"{"n": 2, "block": 3}"#, "allowed are 1 to n (2)"),
            (r#"{"n": 1, "sede": 1}"#, "unknown field `sede`"),
            (r#"{"n": 1, "a": [[1]]}"#, "both a and b"),
            (r#"{"n": 2, "a": [[1, 2], [3]], "b": [[1, 2], [3, 4]]}"#, "a must have n (2) rows"),
            (r#"{"n": 1, "a": [[1]], "b": [[1000001]]}"#, "b holds 1000001"),
        ] {
            let error = from_json("matmul", payload.as_bytes())
                .and_then(|work| check(&work).and_then(|_| matrices(&work)))
                .unwrap_err();
            assert!(error.message.contains(reason) && !error.retryable, "{payload}: {error}");
        }
    }
}
