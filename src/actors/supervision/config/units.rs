//! Values with units: `"250ms"`, `"64 KiB"`.

use std::{fmt, time::Duration};

const KIB: u64 = 1024;

/// A number of bytes, written `"64 KiB"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteCount(u64);

impl ByteCount {
    /// `count` bytes.
    pub const fn bytes(count: u64) -> Self {
        Self(count)
    }

    /// `count` times 1024 bytes.
    pub const fn kib(count: u64) -> Self {
        Self(count.saturating_mul(KIB))
    }

    /// `count` times 1024 KiB.
    pub const fn mib(count: u64) -> Self {
        Self::kib(count.saturating_mul(KIB))
    }

    /// The number of bytes.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number of bytes for an address space in which it fits, else as many as fit.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, size) in [("TiB", KIB * KIB * KIB * KIB), ("GiB", KIB * KIB * KIB), ("MiB", KIB * KIB), ("KiB", KIB)]
        {
            if self.0 >= size && self.0.is_multiple_of(size) {
                return write!(f, "{} {unit}", self.0 / size);
            }
        }
        write!(f, "{} B", self.0)
    }
}

/// Reads `"250ms"`, `"2s"`, `"5m"`, `"1h"`, `"90d"`; a blank before the unit is allowed.
pub fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}

/// Reads `"512 B"`, `"64 KiB"`, `"1 MiB"`, `"2 GiB"`, `"1 TiB"`; the blank may be left out.
pub(super) fn byte_count(text: &str) -> Option<ByteCount> {
    let (number, unit) = split(text)?;
    let size = match unit {
        "B" => 1,
        "KiB" => KIB,
        "MiB" => KIB * KIB,
        "GiB" => KIB * KIB * KIB,
        "TiB" => KIB * KIB * KIB * KIB,
        _ => return None,
    };
    number.checked_mul(size).map(ByteCount)
}

fn split(text: &str) -> Option<(u64, &str)> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    Some((number.parse().ok()?, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{ByteCount, byte_count, duration};

    #[test]
    fn durations_have_a_unit() {
        for (text, millis) in [
            ("250ms", Some(250)),
            ("2s", Some(2000)),
            ("2 s", Some(2000)),
            ("5m", Some(300_000)),
            ("1h", Some(3_600_000)),
            ("90d", Some(7_776_000_000)),
            ("2", None),
            ("s", None),
            ("-2s", None),
            ("1.5s", None),
            ("2 seconds", None),
            ("99999999999999999h", None),
        ] {
            assert_eq!(duration(text), millis.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn byte_counts_have_a_unit_and_print_as_they_are_read() {
        for (text, bytes) in [
            ("512 B", Some(512)),
            ("64 KiB", Some(65_536)),
            ("1 MiB", Some(1_048_576)),
            ("2 GiB", Some(2_147_483_648)),
            ("1 TiB", Some(1_099_511_627_776)),
            ("1536 B", Some(1536)),
            ("64", None),
            ("64 kB", None),
            ("", None),
            ("99999999999 GiB", None),
        ] {
            assert_eq!(byte_count(text), bytes.map(ByteCount::bytes), "{text}");
            assert!(byte_count(text).is_none_or(|count| count.to_string() == text), "{text}");
        }
        assert_eq!(byte_count("64KiB"), Some(ByteCount::kib(64)));
    }
}
