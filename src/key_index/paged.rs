//! A map from digests to positions in pages of 4 KiB, of which a lookup reads one: how its pages are read.
//!
//! It has the entries of [`super::buckets::Buckets`], cut into pages. A [`Directory`] says with which bucket each page
//! begins, and the checksum of the page. Only a bucket that does not fit into a page is cut in two; then the next page
//! begins with the same bucket.
//!
//! ```text
//! page
//! 0     2  number of buckets, b
//! 2     2  number of entries, n
//! 4     4  zero
//! 8  8 × ⌈(b + n) / 64⌉  for each bucket a one for each of its entries, then a zero; the lowest bit is the first
//! .    w × n  the entries of all buckets in order, of w = 8 or 16 bytes; then zeros
//!
//! directory
//! 0     4  number of pages, p
//! 4     4  number of rows
//! 8     1  w
//! 9     1  the number of bits of a bucket's number and of a position
//! 10    6  zero
//! 16    4 × p  the number of the first bucket of each page
//! .     8 × p  the XXH3-64 of each page
//! ```

use std::marker::PhantomData;

use xxhash_rust::xxh3::xxh3_64;

use super::buckets::Entry;

pub(crate) const PAGE_BYTES: usize = 4096;
pub(super) const PAGE_HEADER: usize = 8;
const DIRECTORY_HEADER: usize = 16;

/// An entry as bytes.
pub(crate) trait StoredEntry: Entry + Ord {
    const BYTES: usize;

    fn write(self, to: &mut [u8]);

    /// `from` has `BYTES` bytes.
    fn from_bytes(from: &[u8]) -> Self;
}

macro_rules! stored_entry {
    ($number:ty) => {
        impl StoredEntry for $number {
            const BYTES: usize = size_of::<$number>();

            fn write(self, to: &mut [u8]) {
                to.copy_from_slice(&self.to_le_bytes());
            }

            fn from_bytes(from: &[u8]) -> Self {
                let mut bytes = [0; size_of::<$number>()];
                bytes.copy_from_slice(from);
                Self::from_le_bytes(bytes)
            }
        }
    };
}

stored_entry!(u64);
stored_entry!(u128);

/// The number of bytes of the counts of so many buckets and entries.
pub(super) fn count_bytes(buckets: usize, entries: usize) -> usize {
    (buckets + entries).div_ceil(64) * 8
}

/// What is in the pages of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Directory {
    pub(super) bits: u32,
    pub(super) rows: u32,
    pub(super) entry_bytes: usize,
    /// Of each page.
    pub(super) first_buckets: Vec<u32>,
    /// Of each page.
    pub(super) checksums: Vec<u64>,
}

impl Directory {
    /// The number of bytes of the directory of so many pages.
    pub const fn bytes_of(pages: usize) -> usize {
        DIRECTORY_HEADER + pages * 12
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::bytes_of(self.pages()));
        bytes.extend_from_slice(&(self.pages() as u32).to_le_bytes());
        bytes.extend_from_slice(&self.rows.to_le_bytes());
        bytes.extend_from_slice(&[self.entry_bytes as u8, self.bits as u8]);
        bytes.resize(DIRECTORY_HEADER, 0);
        let firsts = self.first_buckets.iter();
        bytes.extend(firsts.flat_map(|first| first.to_le_bytes()));
        let sums = self.checksums.iter();
        bytes.extend(sums.flat_map(|sum| sum.to_le_bytes()));
        bytes
    }

    /// `None` if these are not the bytes of a directory.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (header, rest) = bytes.split_at_checked(DIRECTORY_HEADER)?;
        let number = |at: usize| {
            u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let pages = number(0) as usize;
        let (entry_bytes, bits) = (header[8] as usize, u32::from(header[9]));
        let is_known = matches!(entry_bytes, 8 | 16) && (1..=32).contains(&bits);
        if !is_known || Some(rest.len()) != pages.checked_mul(12) {
            return None;
        }
        let (firsts, sums) = rest.split_at(pages * 4);
        let first_buckets = firsts.as_chunks::<4>().0.iter();
        let first_buckets: Vec<u32> = first_buckets.map(|n| u32::from_le_bytes(*n)).collect();
        let sums = sums.as_chunks::<8>().0.iter();
        let last = first_buckets.last().map_or(0, |last| u64::from(*last));
        let are_buckets = first_buckets.is_sorted() && last < 1 << bits;
        are_buckets.then(|| Self {
            bits,
            rows: number(4),
            entry_bytes,
            first_buckets,
            checksums: sums.map(|n| u64::from_le_bytes(*n)).collect(),
        })
    }

    pub fn pages(&self) -> usize {
        self.first_buckets.len()
    }

    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Whether the entries are of this type.
    pub fn has<E: StoredEntry>(&self) -> bool {
        self.entry_bytes == E::BYTES
    }

    pub fn memory_bytes(&self) -> usize {
        size_of_val(self.first_buckets.as_slice()) + size_of_val(self.checksums.as_slice())
    }

    /// Whether these are the bytes of the page.
    pub fn is_page(&self, page: usize, bytes: &[u8]) -> bool {
        bytes.len() == PAGE_BYTES && self.checksums.get(page) == Some(&xxh3_64(bytes))
    }

    /// The pages that may have entries of a digest.
    pub fn pages_of<E: StoredEntry>(&self, digest: E) -> std::ops::Range<usize> {
        let bucket = digest.bucket(self.bits) as u32;
        let from = self.first_buckets.partition_point(|first| *first < bucket);
        let same = self.first_buckets[from..].iter();
        let same = same.take_while(|first| **first == bucket).count();
        match same {
            // The bucket is in the page that begins before it.
            0 => from.saturating_sub(1)..from,
            same => from..from + same,
        }
    }

    /// The number of bits of a bucket's number and of a position.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// Hands the digest and the position of each entry of a page to `take`, ordered by bucket.
    pub fn for_each<E: StoredEntry>(
        &self,
        page: usize,
        bytes: &[u8],
        mut take: impl FnMut(E, u32),
    ) {
        let Some(parts) = Parts::<E>::of(bytes) else {
            return;
        };
        let (mut bucket, mut entry, mut place) = (self.first_buckets[page], 0, 0);
        while entry < parts.entries && place < parts.counts.len() * 8 {
            match parts.is_entry(place) {
                true => {
                    let (digest, position) = parts.entry(entry).read(bucket, self.bits);
                    take(digest, position);
                    entry += 1;
                }
                false => match bucket.checked_add(1) {
                    Some(next) => bucket = next,
                    None => return,
                },
            }
            place += 1;
        }
    }

    /// Hands the position of each entry of a digest in a page to `take`.
    pub fn find<E: StoredEntry>(
        &self,
        page: usize,
        bytes: &[u8],
        digest: E,
        mut take: impl FnMut(u32),
    ) {
        let bucket = digest.bucket(self.bits) as u32;
        let Some(nth) = bucket.checked_sub(self.first_buckets[page]) else {
            return;
        };
        let Some(parts) = Parts::<E>::of(bytes).filter(|parts| (nth as usize) < parts.buckets)
        else {
            return;
        };
        let mut place = after_zeros(parts.counts, nth as usize);
        let mut entry = place - nth as usize;
        while entry < parts.entries && parts.is_entry(place) {
            if let Some(position) = parts.entry(entry).position_of(digest, self.bits) {
                take(position);
            }
            place += 1;
            entry += 1;
        }
    }
}

/// The parts of a page.
struct Parts<'a, E> {
    buckets: usize,
    entries: usize,
    counts: &'a [u8],
    bytes: &'a [u8],
    entry: PhantomData<E>,
}

impl<'a, E: StoredEntry> Parts<'a, E> {
    /// `None` if these are not the bytes of a page.
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let number = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
        let (buckets, entries) = (number(0), number(2));
        let begin = PAGE_HEADER + count_bytes(buckets, entries);
        (begin + entries * E::BYTES <= PAGE_BYTES).then(|| Self {
            buckets,
            entries,
            counts: &bytes[PAGE_HEADER..begin],
            bytes: &bytes[begin..],
            entry: PhantomData,
        })
    }

    fn is_entry(&self, place: usize) -> bool {
        self.counts[place / 8] & (1 << (place % 8)) != 0
    }

    fn entry(&self, number: usize) -> E {
        E::from_bytes(&self.bytes[number * E::BYTES..(number + 1) * E::BYTES])
    }
}

/// The place after the first `zeros` zeros.
fn after_zeros(counts: &[u8], mut zeros: usize) -> usize {
    if zeros == 0 {
        return 0;
    }
    for (at, word) in counts.as_chunks::<8>().0.iter().enumerate() {
        let mut rest = !u64::from_le_bytes(*word);
        let there = rest.count_ones() as usize;
        if there < zeros {
            zeros -= there;
            continue;
        }
        for _ in 1..zeros {
            rest &= rest - 1;
        }
        return at * 64 + rest.trailing_zeros() as usize + 1;
    }
    counts.len() * 8
}
