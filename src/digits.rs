//! Digits without the machinery of formatting, where every request needs some. A leaf: it knows nothing of ours.

/// Two digits of each byte.
#[expect(clippy::indexing_slicing, reason = "checked when it is compiled")]
const PAIRS: [[u8; 2]; 256] = {
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < pairs.len() {
        let digits = b"0123456789abcdef";
        pairs[byte] = [digits[byte >> 4], digits[byte & 0xf]];
        byte += 1;
    }
    pairs
};

/// The lowest `N` hexadecimal digits, lower case; an even number, and at most the 32 that there are.
pub(crate) fn hex<const N: usize>(bits: u128) -> [u8; N] {
    const { assert!(N.is_multiple_of(2) && N <= 32, "digits come in pairs, and there are 32") };
    let mut digits = [b'0'; N];
    for (pair, byte) in digits.rchunks_exact_mut(2).zip(bits.to_le_bytes()) {
        pair.copy_from_slice(PAIRS.get(usize::from(byte)).unwrap_or(&[b'0'; 2]));
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_formatting() {
        for bits in [0, 1, 0x0123_4567_89ab_cdef_fedc_ba98_7654_3210, u128::MAX] {
            assert_eq!(std::str::from_utf8(&hex::<32>(bits)), Ok(format!("{bits:032x}").as_str()));
            assert_eq!(std::str::from_utf8(&hex::<4>(bits)), Ok(format!("{:04x}", bits & 0xffff).as_str()));
        }
    }
}
