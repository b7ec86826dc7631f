//! Common starts and ends of texts.

/// Length in bytes of the common start of two texts, and of the common end of the rest.
#[must_use]
pub fn in_common(one: &[u8], two: &[u8]) -> [usize; 2] {
    let before = common_start(one, two);
    [before, common_end(&one[before..], &two[before..])]
}

/// Length of the common start.
pub(super) fn common_start(one: &[u8], two: &[u8]) -> usize {
    common(one.chunks(STRIDE), two.chunks(STRIDE), |a, b| {
        common_bytes(a.iter(), b.iter())
    })
}

/// Length of the common end.
pub(super) fn common_end(one: &[u8], two: &[u8]) -> usize {
    common(one.rchunks(STRIDE), two.rchunks(STRIDE), |a, b| {
        common_bytes(a.iter().rev(), b.iter().rev())
    })
}

/// Bytes that are compared at once.
const STRIDE: usize = 4096;

/// How many bytes are the same, stride by stride.
fn common<'b>(
    one: impl Iterator<Item = &'b [u8]>,
    two: impl Iterator<Item = &'b [u8]>,
    inside: impl Fn(&[u8], &[u8]) -> usize,
) -> usize {
    let mut same = 0;
    for (a, b) in one.zip(two) {
        if a != b {
            return same + inside(a, b);
        }
        same += a.len();
    }
    same
}

fn common_bytes<'b>(one: impl Iterator<Item = &'b u8>, two: impl Iterator<Item = &'b u8>) -> usize {
    one.zip(two).take_while(|(a, b)| a == b).count()
}
