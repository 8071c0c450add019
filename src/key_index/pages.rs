//! [`Pages`]: how the pages of [`super::paged`] are written.

use xxhash_rust::xxh3::xxh3_64;

use super::buckets::Buckets;
use super::paged::{Directory, PAGE_BYTES, PAGE_HEADER, StoredEntry, count_bytes};

/// The pages of a map that is being written, and their directory.
pub(crate) struct Pages<E> {
    /// The pages that are complete. Who takes some away leaves the rest to be found after them.
    pub bytes: Vec<u8>,
    page: NewPage<E>,
    directory: Directory,
}

impl<E: StoredEntry> Pages<E> {
    /// `bits` is the number of bits of a bucket's number and of a position.
    pub fn new(bits: u32) -> Self {
        Self {
            bytes: Vec::new(),
            page: NewPage::default(),
            directory: Directory {
                bits,
                rows: 0,
                entry_bytes: E::BYTES,
                first_buckets: Vec::new(),
                checksums: Vec::new(),
            },
        }
    }

    /// All pages of a map.
    pub fn of(map: &Buckets<E>) -> Self {
        let mut pages = Self::new(map.bits());
        pages.bytes.reserve(map.len() * (E::BYTES + 1));
        map.for_each_bucket(|bucket, entries| pages.push(bucket, entries));
        pages
    }

    /// Adds the entries of a bucket. Buckets come in order.
    pub fn push(&mut self, bucket: u32, mut entries: &[E]) {
        self.directory.rows += entries.len() as u32;
        if !self.page.entries.is_empty() && !self.page.fits(bucket, entries.len()) {
            self.end_page();
        }
        while !self.page.fits(bucket, entries.len()) {
            let (now, later) = entries.split_at(NewPage::<E>::MOST_OF_ONE_BUCKET);
            self.page.push(bucket, now);
            self.end_page();
            entries = later;
        }
        self.page.push(bucket, entries);
    }

    fn end_page(&mut self) {
        let start = self.bytes.len();
        self.bytes.resize(start + PAGE_BYTES, 0);
        let bytes = &mut self.bytes[start..];
        self.page.write(bytes);
        self.directory.first_buckets.push(self.page.first);
        self.directory.checksums.push(xxh3_64(bytes));
        self.page.clear();
    }

    /// The bytes of the pages that were not taken away, and the directory of all.
    pub fn finish(mut self) -> (Vec<u8>, Directory) {
        if !self.page.entries.is_empty() {
            self.end_page();
        }
        (self.bytes, self.directory)
    }
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

    fn clear(&mut self) {
        self.counts.clear();
        self.entries.clear();
    }

    /// `page` has `PAGE_BYTES` zeros.
    fn write(&self, page: &mut [u8]) {
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

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    /// The pages of a map of these digests, and their directory as it is read.
    fn stored<E: StoredEntry>(digests: &[E]) -> (Vec<[u8; PAGE_BYTES]>, Directory) {
        let (bytes, written) = Pages::of(&Buckets::new(digests)).finish();
        let (pages, rest) = bytes.as_chunks::<PAGE_BYTES>();
        assert!(rest.is_empty());
        let pages = pages.to_vec();
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
            let mut all = Vec::new();
            for (number, page) in stored.0.iter().enumerate() {
                stored.1.for_each(number, page, |digest: E, position| {
                    all.push((digest, position));
                });
            }
            assert!(all.is_sorted_by_key(|(digest, _)| digest.bucket(stored.1.bits())));
            all.sort_unstable_by_key(|(_, position)| *position);
            let expected = digests.iter().copied().zip(0..);
            assert!(all.into_iter().eq(expected), "{rows} rows");
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
                    directory.for_each(page, &bytes, |_: u64, _| {});
                    random.fill(&mut bytes[..8]);
                    bytes[1] &= 0x0f;
                    bytes[3] &= 0x01;
                    directory.find(page, &bytes, *digest, |_| {});
                }
            }
        }
    }
}
