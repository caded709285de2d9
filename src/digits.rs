//! Digits without the machinery of formatting, where every request needs some. A leaf: it knows nothing of ours.

/// The lowest `N` hexadecimal digits, lower case; at most the 32 that there are. Without a table, so that all of them are
/// made at a time.
pub(crate) fn hex<const N: usize>(bits: u128) -> [u8; N] {
    const { assert!(N <= 32, "there are 32") };
    let mut digits = [0; 32];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bits.to_be_bytes()) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
    }
    *digits.last_chunk().expect("checked when it is compiled")
}

/// Of what is less than 16.
const fn digit(value: u8) -> u8 {
    value + if value < 10 { b'0' } else { b'a' - 10 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_formatting() {
        for bits in [0, 1, 0x0123_4567_89ab_cdef_fedc_ba98_7654_3210, u128::MAX] {
            assert_eq!(std::str::from_utf8(&hex::<32>(bits)), Ok(format!("{bits:032x}").as_str()));
            assert_eq!(std::str::from_utf8(&hex::<4>(bits)), Ok(format!("{:04x}", bits & 0xffff).as_str()));
            assert_eq!(std::str::from_utf8(&hex::<3>(bits)), Ok(format!("{:03x}", bits & 0xfff).as_str()));
        }
    }
}
