//! Whether a fault happens this time, and to whom at all. The same seed and the same questions get the same answers.

use std::time::Duration;

use xxhash_rust::xxh3::Xxh3Default;

/// A seeded source of draws (`SplitMix64`): small, and the same on every machine.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// True in a share `probability` of all draws. Certainty draws nothing.
    pub(crate) fn hits(&mut self, probability: f64) -> bool {
        probability >= 1.0 || share_of(self.next()) < probability
    }

    /// `base` and a uniform part of `spread`.
    pub(crate) fn between(&mut self, base: Duration, spread: Duration) -> Duration {
        if spread.is_zero() {
            return base;
        }
        base.saturating_add(spread.mul_f64(share_of(self.next())))
    }
}

/// Whether an entity is among the `share` of all that a fault may hit: by a hash of its kind and key, so that the same
/// ones stay hit, and a greater share hits those of a smaller one as well.
pub(crate) fn is_in_share(share: f64, kind: &str, key: &str) -> bool {
    if share >= 1.0 {
        return true;
    }
    let mut hash = Xxh3Default::new();
    hash.update(kind.as_bytes());
    hash.update(&[0]);
    hash.update(key.as_bytes());
    share_of(hash.digest()) < share
}

/// A number as a share of all numbers, from 0 up to and without 1.
fn share_of(number: u64) -> f64 {
    // The upper half is fine enough, and an f64 holds it exactly.
    let upper = u32::try_from(number >> 32).unwrap_or(u32::MAX);
    f64::from(upper) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_and_another_one_does_not() {
        let draws = |seed| {
            let mut dice = Dice::new(seed);
            (0..64).map(|_| dice.hits(0.5)).collect::<Vec<_>>()
        };
        assert_eq!(draws(7), draws(7));
        assert_ne!(draws(7), draws(8));
    }

    #[test]
    fn a_probability_is_met_in_its_share_of_the_draws() {
        for probability in [0.0, 0.15, 0.5, 1.0] {
            let mut dice = Dice::new(1);
            let hits = (0..10_000).filter(|_| dice.hits(probability)).count();
            assert!(
                (f64::from(u32::try_from(hits).unwrap()) / 10_000.0 - probability).abs() < 0.02,
                "{probability} {hits}"
            );
        }
    }

    #[test]
    fn a_latency_lies_within_its_spread_and_uses_all_of_it() {
        let (base, spread) = (Duration::from_millis(400), Duration::from_millis(220));
        let mut dice = Dice::new(3);
        let drawn: Vec<Duration> = (0..1000).map(|_| dice.between(base, spread)).collect();
        assert!(drawn.iter().all(|drawn| (base..base + spread).contains(drawn)));
        assert!(drawn.iter().max().unwrap() > &Duration::from_millis(610));
        assert!(drawn.iter().min().unwrap() < &Duration::from_millis(410));
        assert_eq!(dice.between(base, Duration::ZERO), base);
    }

    #[test]
    fn a_share_keeps_to_the_same_entities_and_a_greater_one_has_those_of_a_smaller_one() {
        let hit =
            |share| (0..2000).filter(|n: &u32| is_in_share(share, "store.order", &n.to_string())).collect::<Vec<_>>();
        let (tenth, half) = (hit(0.1), hit(0.5));
        assert!(
            (150..250).contains(&tenth.len()) && (900..1100).contains(&half.len()),
            "{} {}",
            tenth.len(),
            half.len()
        );
        assert!(tenth.iter().all(|entity| half.contains(entity)));
        assert_eq!(hit(0.1), tenth);
        assert_eq!((hit(0.0).len(), hit(1.0).len()), (0, 2000));
    }
}
