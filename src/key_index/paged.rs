//! [`PagedKeys`]: a map from digests to positions in pages of 4 KiB, of which a lookup reads one.
//!
//! It has the entries of [`Buckets`], cut into pages. A [`Directory`] says with which bucket each page begins, and the
//! checksum of the page. Only a bucket that does not fit into a page is cut in two; then the next page begins with the
//! same bucket.
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

use xxhash_rust::xxh3::xxh3_64;

use super::buckets::{Buckets, Entry};

pub(crate) const PAGE_BYTES: usize = 4096;
const PAGE_HEADER: usize = 8;
const DIRECTORY_HEADER: usize = 16;

/// An entry as bytes.
pub(crate) trait StoredEntry: Entry + Ord {
    const BYTES: usize;

    fn write(self, to: &mut [u8]);

    /// `from` has `BYTES` bytes.
    fn read(from: &[u8]) -> Self;
}

macro_rules! stored_entry {
    ($number:ty) => {
        impl StoredEntry for $number {
            const BYTES: usize = size_of::<$number>();

            fn write(self, to: &mut [u8]) {
                to.copy_from_slice(&self.to_le_bytes());
            }

            fn read(from: &[u8]) -> Self {
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
fn count_bytes(buckets: usize, entries: usize) -> usize {
    (buckets + entries).div_ceil(64) * 8
}

/// Hands the pages of a map to `take`, and returns their directory.
pub(crate) fn write_pages<E: StoredEntry, Error>(
    map: &Buckets<E>,
    mut take: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<Directory, Error> {
    let mut directory = Directory {
        bits: map.bits(),
        rows: map.len() as u32,
        entry_bytes: E::BYTES,
        first_buckets: Vec::new(),
        checksums: Vec::new(),
    };
    let mut page = NewPage::<E>::default();
    let mut bytes = [0; PAGE_BYTES];
    let mut finish = |page: &NewPage<E>| {
        page.write(&mut bytes);
        directory.first_buckets.push(page.first);
        directory.checksums.push(xxh3_64(&bytes));
        take(&bytes)
    };
    let mut ended = Ok(());
    map.for_each_bucket(|bucket, mut entries| {
        if ended.is_err() {
            return;
        }
        if !page.fits(bucket, entries.len()) {
            ended = finish(&page);
            page = NewPage::default();
        }
        while ended.is_ok() && !page.fits(bucket, entries.len()) {
            let (now, later) = entries.split_at(NewPage::<E>::MOST_OF_ONE_BUCKET);
            page.push(bucket, now);
            ended = finish(&page);
            page = NewPage::default();
            entries = later;
        }
        page.push(bucket, entries);
    });
    ended?;
    if !page.entries.is_empty() {
        finish(&page)?;
    }
    Ok(directory)
}

/// A page that is being made.
struct NewPage<E> {
    first: u32,
    /// For each bucket from `first` on the number of its entries.
    counts: Vec<u32>,
    entries: Vec<E>,
}

impl<E> Default for NewPage<E> {
    fn default() -> Self {
        Self {
            first: 0,
            counts: Vec::new(),
            entries: Vec::new(),
        }
    }
}

impl<E: StoredEntry> NewPage<E> {
    /// So many entries fit with their counts.
    const MOST_OF_ONE_BUCKET: usize = (PAGE_BYTES - PAGE_HEADER) * 8 / (E::BYTES * 8 + 1) - 8;

    fn fits(&self, bucket: u32, entries: usize) -> bool {
        let first = match self.entries.is_empty() {
            true => bucket,
            false => self.first,
        };
        let buckets = (bucket - first) as usize + 1;
        let entries = self.entries.len() + entries;
        PAGE_HEADER + count_bytes(buckets, entries) + entries * E::BYTES <= PAGE_BYTES
    }

    /// Adds a bucket after the others.
    fn push(&mut self, bucket: u32, entries: &[E]) {
        if self.entries.is_empty() {
            self.first = bucket;
        }
        self.counts.resize((bucket - self.first) as usize, 0);
        self.counts.push(entries.len() as u32);
        self.entries.extend_from_slice(entries);
    }

    fn write(&self, page: &mut [u8; PAGE_BYTES]) {
        page.fill(0);
        page[..2].copy_from_slice(&(self.counts.len() as u16).to_le_bytes());
        page[2..4].copy_from_slice(&(self.entries.len() as u16).to_le_bytes());
        let mut place = 0;
        for count in &self.counts {
            for one in place..place + *count as usize {
                page[PAGE_HEADER + one / 8] |= 1 << (one % 8);
            }
            place += *count as usize + 1;
        }
        let begin = PAGE_HEADER + count_bytes(self.counts.len(), self.entries.len());
        let places = page[begin..].chunks_exact_mut(E::BYTES);
        for (entry, place) in self.entries.iter().zip(places) {
            entry.write(place);
        }
    }
}

/// What is in the pages of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Directory {
    bits: u32,
    rows: u32,
    entry_bytes: usize,
    /// Of each page.
    first_buckets: Vec<u32>,
    /// Of each page.
    checksums: Vec<u64>,
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
        first_buckets.is_sorted().then(|| Self {
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
        let number = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
        let (buckets, entries) = (number(0), number(2));
        let begin = PAGE_HEADER + count_bytes(buckets, entries);
        if nth as usize >= buckets || begin + entries * E::BYTES > PAGE_BYTES {
            return;
        }
        let counts = &bytes[PAGE_HEADER..begin];
        let mut place = after_zeros(counts, nth as usize);
        let mut entry = place - nth as usize;
        while entry < entries && counts[place / 8] & (1 << (place % 8)) != 0 {
            let at = begin + entry * E::BYTES;
            let stored = E::read(&bytes[at..at + E::BYTES]);
            if let Some(position) = stored.position_of(digest, self.bits) {
                take(position);
            }
            place += 1;
            entry += 1;
        }
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    /// The pages of a map of these digests, and their directory as it is read.
    fn stored<E: StoredEntry>(digests: &[E]) -> (Vec<[u8; PAGE_BYTES]>, Directory) {
        let mut pages = Vec::new();
        let written = write_pages(&Buckets::new(digests), |page| {
            pages.push(page.try_into().expect("a page"));
            Ok::<(), Infallible>(())
        });
        let Ok(written) = written;
        let bytes = written.encode();
        assert_eq!(bytes.len(), Directory::bytes_of(pages.len()));
        let read = Directory::decode(&bytes).expect("a directory");
        assert_eq!(read, written);
        assert_eq!(read.pages(), pages.len());
        (pages, read)
    }

    fn found<E: StoredEntry>(
        (pages, directory): &(Vec<[u8; PAGE_BYTES]>, Directory),
        digest: E,
    ) -> Vec<u32> {
        let mut found = Vec::new();
        for page in directory.pages_of(digest) {
            assert!(directory.is_page(page, &pages[page]));
            directory.find(page, &pages[page], digest, |position| found.push(position));
        }
        found
    }

    /// For many sizes: each digest is found at all of its positions, no other is found, and the size is as promised.
    fn finds_what_is_there<E: StoredEntry + std::fmt::Debug>(next: impl Fn(&mut StdRng) -> E) {
        let mut random = StdRng::seed_from_u64(1);
        for rows in [0, 1, 2, 3, 64, 65, 1000, 4096, 70_000, 140_000] {
            let mut digests: Vec<E> = (0..rows).map(|_| next(&mut random)).collect();
            for at in (7..rows).step_by(5) {
                digests[at] = digests[at / 2];
            }
            let stored = stored(&digests);
            let map = Buckets::new(&digests);
            for digest in digests.iter().step_by(1 + rows / 5000) {
                let mut expected = Vec::new();
                map.find(*digest, |position| expected.push(position));
                assert!(!expected.is_empty());
                assert_eq!(found(&stored, *digest), expected, "{rows} rows: {digest:?}");
            }
            for _ in 0..1000 {
                assert!(found(&stored, next(&mut random)).is_empty(), "{rows} rows");
            }
            if rows > 10_000 {
                let bytes = stored.0.len() * PAGE_BYTES + stored.1.encode().len();
                let most = size_of::<E>() as f64 * 17.0 / 16.0;
                let of_row = bytes as f64 / rows as f64;
                assert!(of_row <= most, "{of_row} bytes a row of {rows}");
            }
        }
    }

    #[test]
    fn a_digest_of_64_bits_is_found_in_its_page() {
        finds_what_is_there(|random| random.random::<u64>());
    }

    #[test]
    fn a_digest_of_128_bits_is_found_in_its_page() {
        finds_what_is_there(|random| random.random::<u128>());
    }

    #[test]
    fn a_bucket_of_many_pages_is_found_whole() {
        let mut random = StdRng::seed_from_u64(1);
        for rows in [1000, 5000, 20_000] {
            let mut digests = vec![random.random::<u64>(); rows];
            digests.extend((0..rows).map(|_| random.random::<u64>()));
            let stored = stored(&digests);
            let same: Vec<u32> = (0..rows as u32).collect();
            assert_eq!(found(&stored, digests[0]), same);
            for (at, digest) in digests.iter().enumerate().skip(rows) {
                assert_eq!(found(&stored, *digest), [at as u32]);
            }
        }
    }

    #[test]
    fn other_bytes_are_no_directory() {
        let digests: Vec<u64> = (0..5000u64).map(|n| n << 40).collect();
        let bytes = stored(&digests).1.encode();
        for length in 0..bytes.len() {
            assert_eq!(Directory::decode(&bytes[..length]), None, "{length}");
        }
        for (at, value) in [(0, 1), (8, 7), (8, 0), (9, 0), (9, 33)] {
            let mut bytes = bytes.clone();
            bytes[at] = value;
            assert_eq!(Directory::decode(&bytes), None, "{value} at {at}");
        }
    }

    #[test]
    fn bytes_that_are_no_page_are_read_without_a_panic() {
        let mut random = StdRng::seed_from_u64(1);
        let digests: Vec<u64> = (0..5000).map(|_| random.random()).collect();
        let (_, directory) = stored(&digests);
        for fill in [0, 1, 0x7f, 0xff] {
            let mut bytes = [fill; PAGE_BYTES];
            for digest in &digests {
                for page in directory.pages_of(*digest) {
                    assert!(!directory.is_page(page, &bytes));
                    directory.find(page, &bytes, *digest, |_| {});
                    random.fill(&mut bytes[..8]);
                    bytes[1] &= 0x0f;
                    bytes[3] &= 0x01;
                    directory.find(page, &bytes, *digest, |_| {});
                }
            }
        }
    }
}
