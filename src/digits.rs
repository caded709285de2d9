//! Digits without the machinery of formatting, where every request needs some. A leaf: it knows nothing of ours.

/// The lowest `N` hexadecimal digits, lower case; at most the 32 that there are.
pub(crate) fn hex<const N: usize>(bits: u128) -> [u8; N] {
    let mut digits = [b'0'; N];
    let mut rest = bits;
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef".get((rest & 0xf) as usize).copied().unwrap_or_default();
        rest >>= 4;
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
