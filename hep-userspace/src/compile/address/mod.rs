//! Address partitions in the shape of the maps: DXR tables (see `hep_common::address`).

#[cfg(test)]
mod tests;
mod v4;
mod v6;

pub(super) use v4::{Tables4, tables4};
pub(super) use v6::{Tables6, tables6};

/// Packs `ranges` into blocks of `N`; the last is filled up with defaults. At least one block.
fn blocks<R: Copy + Default, const N: usize, B>(
    ranges: &[R],
    block: impl Fn([R; N]) -> B,
) -> Vec<B> {
    let mut blocks: Vec<B> = ranges
        .chunks(N)
        .map(|chunk| {
            let mut padded = [R::default(); N];
            padded[..chunk.len()].copy_from_slice(chunk);
            block(padded)
        })
        .collect();
    if blocks.is_empty() {
        blocks.push(block([R::default(); N]));
    }
    blocks
}

/// A table index.
fn index(length: usize) -> u32 {
    u32::try_from(length).expect("the ranges of MAX_CLASSES sets' members stay below 2^31")
}
