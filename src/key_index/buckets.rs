//! [`Buckets`]: a compact, immutable map from digests to positions.
//!
//! A digest of n keys is cut in two: its upper bits (as many as a position has, at least log2 n) are the number of a
//! bucket, and only the others are stored, together with the position, in as many bits as a digest has. How many
//! entries each bucket has is coded in one bit for each entry and each bucket (an Elias-Fano code), with a sample of
//! the places of buckets. So an entry takes 8.3 to 8.5 bytes for a digest of 64 bits and 16.3 to 16.5 for one of 128,
//! and no bit of a digest is lost.

use std::hint::black_box;

/// A stored digest: the lower bits of the digest, and a position.
pub(crate) trait Entry: Copy + Default + Eq {
    /// The upper `bits` bits.
    fn bucket(self, bits: u32) -> usize;

    /// The digest without its upper `bits` bits, and a position of at most `bits` bits.
    fn with_position(self, bits: u32, position: u32) -> Self;

    /// The position, if the entry is of this digest.
    fn position_of(self, digest: Self, bits: u32) -> Option<u32>;

    /// The digest and the position of an entry of a bucket.
    fn read(self, bucket: u32, bits: u32) -> (Self, u32);
}

macro_rules! entry {
    ($number:ty) => {
        impl Entry for $number {
            fn bucket(self, bits: u32) -> usize {
                (self >> (<$number>::BITS - bits)) as usize
            }

            fn with_position(self, bits: u32, position: u32) -> Self {
                (self << bits) | <$number>::from(position)
            }

            fn position_of(self, digest: Self, bits: u32) -> Option<u32> {
                let difference = self ^ (digest << bits);
                ((difference >> bits) == 0).then_some(difference as u32)
            }

            fn read(self, bucket: u32, bits: u32) -> (Self, u32) {
                let upper = <$number>::from(bucket) << (<$number>::BITS - bits);
                let position = self & ((1 << bits) - 1);
                (upper | (self >> bits), position as u32)
            }
        }
    };
}

entry!(u64);
entry!(u128);

/// The number of bits of a bucket's number and of a position, for so many digests.
pub(crate) fn bits_for(digests: usize) -> u32 {
    digests.max(2).next_power_of_two().trailing_zeros()
}

/// The place of each bucket of this many is sampled.
const SAMPLED: usize = 64;

/// So many digests are found at once.
const AT_ONCE: usize = 64;

#[derive(Debug)]
pub(crate) struct Buckets<E> {
    /// The number of bits of a position and of a bucket's number.
    bits: u32,
    /// The entries, ordered by bucket.
    entries: Vec<E>,
    /// For each bucket a one for each of its entries, then a zero.
    counts: Vec<u64>,
    /// For each `SAMPLED`-th bucket, where it begins in `counts`.
    samples: Vec<u32>,
}

impl<E: Entry> Buckets<E> {
    /// A map from each digest to its index. Digests must be evenly distributed.
    pub fn new(digests: &[E]) -> Self {
        let bits = bits_for(digests.len());
        let buckets = 1_usize << bits;
        let mut ends = vec![0_u32; buckets];
        for digest in digests {
            ends[digest.bucket(bits)] += 1;
        }
        let mut counts = vec![0_u64; (digests.len() + buckets).div_ceil(64)];
        let mut samples = Vec::with_capacity(buckets.div_ceil(SAMPLED));
        let mut before = 0_u32;
        for (bucket, end) in ends.iter_mut().enumerate() {
            let begin = before as usize + bucket;
            if bucket % SAMPLED == 0 {
                samples.push(begin as u32);
            }
            for place in begin..begin + *end as usize {
                counts[place / 64] |= 1 << (place % 64);
            }
            before += *end;
            *end = before;
        }
        // From the end to the beginning of each bucket.
        let mut entries = vec![E::default(); digests.len()];
        for (position, digest) in digests.iter().enumerate().rev() {
            let end = &mut ends[digest.bucket(bits)];
            *end -= 1;
            entries[*end as usize] = digest.with_position(bits, position as u32);
        }
        Self {
            bits,
            entries,
            counts,
            samples,
        }
    }

    /// Hands the index of each digest that is equal to `digest` to `take`, in order.
    #[cfg(test)]
    pub fn find(&self, digest: E, mut take: impl FnMut(u32)) {
        self.find_each(&[digest], |_, position| take(position));
    }

    /// `place` is where the bucket of the digest begins in `counts`.
    fn find_from(&self, digest: E, mut place: usize, mut take: impl FnMut(u32)) {
        let mut entry = place - digest.bucket(self.bits);
        while self.is_entry(place) {
            if let Some(position) = self.entries[entry].position_of(digest, self.bits) {
                take(position);
            }
            place += 1;
            entry += 1;
        }
    }

    /// [`find`](Self::find) for many digests; `take` gets the number of a digest too. Takes a step for all of some
    /// digests before the next step, and first reads what the next step needs: reads of memory overlap if nothing
    /// depends on what was read.
    pub fn find_each(&self, digests: &[E], mut take: impl FnMut(usize, u32)) {
        let mut places = [0; AT_ONCE];
        for (part, digests) in digests.chunks(AT_ONCE).enumerate() {
            for (digest, place) in digests.iter().zip(&mut places) {
                *place = self.samples[digest.bucket(self.bits) / SAMPLED] as usize;
                black_box(self.counts.get(*place / 64).copied());
            }
            for (digest, place) in digests.iter().zip(&mut places) {
                *place = self.begin(digest.bucket(self.bits), *place);
            }
            for (digest, place) in digests.iter().zip(&places) {
                black_box(self.entries.get(*place - digest.bucket(self.bits)).copied());
            }
            for (number, (digest, place)) in digests.iter().zip(&places).enumerate() {
                self.find_from(*digest, *place, |position| {
                    take(part * AT_ONCE + number, position);
                });
            }
        }
    }

    /// The number of bits of a position and of a bucket's number.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Hands each bucket that has entries to `take`, in order.
    pub fn for_each_bucket(&self, mut take: impl FnMut(u32, &[E])) {
        let (mut bucket, mut begin, mut end) = (0, 0, 0);
        let places = self.counts.len() * 64;
        for place in 0..places {
            if self.is_entry(place) {
                end += 1;
                continue;
            }
            if end > begin {
                take(bucket, &self.entries[begin..end]);
                begin = end;
            }
            bucket += 1;
        }
    }

    #[cfg(test)]
    fn memory_bytes(&self) -> usize {
        size_of_val(self.entries.as_slice())
            + size_of_val(self.counts.as_slice())
            + size_of_val(self.samples.as_slice())
    }

    fn is_entry(&self, place: usize) -> bool {
        self.counts[place / 64] & (1 << (place % 64)) != 0
    }

    /// Where a bucket begins in `counts`: after the zero of the bucket before it. `place` is where the sampled bucket
    /// before it begins.
    fn begin(&self, bucket: usize, mut place: usize) -> usize {
        // How many more zeros are before the bucket.
        let mut zeros = bucket % SAMPLED;
        while zeros > 0 {
            let rest = !self.counts[place / 64] >> (place % 64);
            let there = rest.count_ones() as usize;
            if there < zeros {
                zeros -= there;
                place = (place / 64 + 1) * 64;
            } else {
                let mut rest = rest;
                for _ in 1..zeros {
                    rest &= rest - 1;
                }
                return place + rest.trailing_zeros() as usize + 1;
            }
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    /// For each kind of digest and many sizes: each digest is found at all of its positions, and no other is found.
    fn finds_what_is_there<E: Entry + std::fmt::Debug>(next: impl Fn(&mut StdRng) -> E) {
        let mut random = StdRng::seed_from_u64(1);
        for rows in [0, 1, 2, 3, 4, 5, 63, 64, 65, 127, 1000, 4096, 70_000] {
            let mut digests: Vec<E> = (0..rows).map(|_| next(&mut random)).collect();
            for at in (7..rows).step_by(5) {
                digests[at] = digests[at / 2];
            }
            let buckets = Buckets::new(&digests);
            let all = |digest: E| {
                let same = digests
                    .iter()
                    .enumerate()
                    .filter(|(_, other)| **other == digest);
                same.map(|(at, _)| at as u32).collect::<Vec<u32>>()
            };
            let found = |digest: E| {
                let mut found = Vec::new();
                buckets.find(digest, |position| found.push(position));
                found
            };
            for digest in digests.iter().step_by(1 + rows / 500) {
                assert_eq!(found(*digest), all(*digest), "{rows} rows: {digest:?}");
            }
            for _ in 0..100 {
                assert!(found(next(&mut random)).is_empty(), "{rows} rows");
            }
            if rows > 1000 {
                let bytes = buckets.memory_bytes() as f64 / rows as f64;
                let most = size_of::<E>() as f64 + 0.5;
                assert!(bytes <= most, "{bytes} bytes a row of {rows}");
            }
        }
    }

    #[test]
    fn a_digest_of_64_bits_is_found_where_it_is() {
        finds_what_is_there(|random| random.random::<u64>());
    }

    #[test]
    fn a_digest_of_128_bits_is_found_where_it_is() {
        finds_what_is_there(|random| random.random::<u128>());
    }
}
