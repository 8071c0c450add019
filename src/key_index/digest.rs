//! Keys as numbers of 64 or 128 bits.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray};
use arrow::buffer::Buffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float16Type, Float32Type, Float64Type};
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// The digests of some keys.
#[derive(Debug)]
pub(crate) enum Digests {
    /// Of a key of one column of at most 64 bits: equal keys and only they have equal digests, and the digests have the
    /// order of the keys. Not mixed.
    Narrow(Vec<u64>),
    /// Of any other key: a hash, which two keys share with a probability of 2^-128.
    Wide(Vec<u128>),
}

impl Digests {
    /// The digests of keys without NULL, one array for each column of the key; `None` if a type has none.
    pub fn of(columns: &[ArrayRef], seed: u64) -> Option<Self> {
        if let [column] = columns
            && let Some(narrow) = NarrowColumn::of(column)
        {
            return Some(Self::Narrow(narrow.values().collect()));
        }
        let rows = columns.first()?.len();
        let columns = columns.iter().map(Bytes::of);
        let columns = columns.collect::<Option<Vec<Bytes>>>()?;
        let mut digests = Vec::with_capacity(rows);
        if let [column] = columns.as_slice() {
            digests.extend((0..rows).map(|row| xxh3_128_with_seed(column.get(row), seed)));
        } else {
            let mut key = Vec::new();
            for row in 0..rows {
                key.clear();
                for column in &columns {
                    let bytes = column.get(row);
                    key.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
                    key.extend_from_slice(bytes);
                }
                digests.push(xxh3_128_with_seed(&key, seed));
            }
        }
        Some(Self::Wide(digests))
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Narrow(digests) => digests.len(),
            Self::Wide(digests) => digests.len(),
        }
    }

    /// The digests, if they ascend and so do their keys, none twice.
    pub fn ascending(&self) -> Option<&[u64]> {
        match self {
            Self::Narrow(digests) if digests.is_sorted_by(|a, b| a < b) => Some(digests),
            _ => None,
        }
    }

    /// Adds the digests of keys to those of other keys of the same columns.
    pub fn gather(self, all: &mut Option<Self>) {
        match all {
            None => *all = Some(self),
            Some(all) => all.extend(self),
        }
    }

    fn extend(&mut self, others: Self) {
        match (self, others) {
            (Self::Narrow(digests), Self::Narrow(others)) => digests.extend(others),
            (Self::Wide(digests), Self::Wide(others)) => digests.extend(others),
            _ => debug_assert!(false, "digests of two kinds of keys"),
        }
    }
}

/// Digests, each once.
#[derive(Debug)]
pub(crate) enum DigestSet {
    Narrow(HashSet<u64>),
    Wide(HashSet<u128>),
}

impl DigestSet {
    pub fn of(digests: &Digests) -> Self {
        match digests {
            Digests::Narrow(digests) => Self::Narrow(digests.iter().copied().collect()),
            Digests::Wide(digests) => Self::Wide(digests.iter().copied().collect()),
        }
    }
}

impl Digests {
    /// The index of the first digest that is equal to one before it.
    pub fn first_again(&self) -> Option<usize> {
        fn first_again<T: Eq + Hash + Copy>(digests: &[T]) -> Option<usize> {
            let mut seen = HashSet::with_capacity(digests.len());
            digests.iter().position(|digest| !seen.insert(*digest))
        }
        match self {
            Self::Narrow(digests) => first_again(digests),
            Self::Wide(digests) => first_again(digests),
        }
    }

    /// Hands the indices of the digests that are in `set` to `take`.
    pub fn for_each_in(&self, set: &DigestSet, mut take: impl FnMut(usize)) {
        match (self, set) {
            (Self::Narrow(digests), DigestSet::Narrow(set)) => {
                let digests = digests.iter().enumerate();
                let there = digests.filter(|(_, digest)| set.contains(digest));
                there.for_each(|(index, _)| take(index));
            }
            (Self::Wide(digests), DigestSet::Wide(set)) => {
                let digests = digests.iter().enumerate();
                let there = digests.filter(|(_, digest)| set.contains(digest));
                there.for_each(|(index, _)| take(index));
            }
            _ => debug_assert!(false, "digests of two kinds of keys"),
        }
    }

    /// The index of the first digest that is the one at `index` of `other`.
    pub fn index_of(&self, other: &Self, index: usize) -> Option<usize> {
        match (self, other) {
            (Self::Narrow(digests), Self::Narrow(other)) => {
                digests.iter().position(|digest| *digest == other[index])
            }
            (Self::Wide(digests), Self::Wide(other)) => {
                digests.iter().position(|digest| *digest == other[index])
            }
            _ => None,
        }
    }
}

/// Digests that are evenly distributed.
#[derive(Debug)]
pub(crate) enum Hashes {
    Narrow(Vec<u64>),
    Wide(Vec<u128>),
}

impl Hashes {
    /// `seed` is that of the digests.
    pub fn of(digests: Digests, seed: u64) -> Self {
        match digests {
            Digests::Narrow(mut digests) => {
                for digest in &mut digests {
                    *digest = mix(*digest ^ seed);
                }
                Self::Narrow(digests)
            }
            Digests::Wide(digests) => Self::Wide(digests),
        }
    }
}

/// A bijection: the last steps of splitmix64.
fn mix(number: u64) -> u64 {
    let mut mixed = number;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Keys to find.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub hashes: Hashes,
    /// The numbers of the keys, in the order of their hashes.
    pub order: Vec<u32>,
}

impl From<Hashes> for Wanted {
    fn from(hashes: Hashes) -> Self {
        let order = |len: usize| (0..len as u32).collect::<Vec<u32>>();
        let order = match &hashes {
            Hashes::Narrow(hashes) => {
                let mut order = order(hashes.len());
                order.sort_unstable_by_key(|number| hashes[*number as usize]);
                order
            }
            Hashes::Wide(hashes) => {
                let mut order = order(hashes.len());
                order.sort_unstable_by_key(|number| hashes[*number as usize]);
                order
            }
        };
        Self { hashes, order }
    }
}

/// A column of at most 64 bits, read as unsigned numbers of the same order.
pub(crate) struct NarrowColumn {
    bytes: Buffer,
    width: usize,
    sign: u64,
}

impl NarrowColumn {
    /// `None` for a column of another type. The values must not be NULL.
    pub fn of(column: &ArrayRef) -> Option<Self> {
        let data_type = column.data_type();
        if data_type.is_floating() {
            return None;
        }
        let width = data_type.primitive_width().filter(|width| *width <= 8)?;
        Some(Self {
            bytes: fixed_bytes(column, width),
            width,
            sign: match data_type.is_unsigned_integer() {
                true => 0,
                false => 1 << (8 * width - 1),
            },
        })
    }

    pub fn len(&self) -> usize {
        self.bytes.len() / self.width
    }

    pub fn get(&self, row: usize) -> u64 {
        let mut whole = [0; 8];
        let begin = row * self.width;
        whole[..self.width].copy_from_slice(&self.bytes[begin..begin + self.width]);
        u64::from_le_bytes(whole) ^ self.sign
    }

    pub fn values(&self) -> impl Iterator<Item = u64> + '_ {
        (0..self.len()).map(|row| self.get(row))
    }

    /// The first row whose value is not less.
    pub fn first_at_least(&self, value: u64) -> usize {
        let (mut from, mut to) = (0, self.len());
        while from < to {
            let middle = from.midpoint(to);
            match self.get(middle) < value {
                true => from = middle + 1,
                false => to = middle,
            }
        }
        from
    }
}

/// A column of floats whose zeros are all positive: in SQL, 0.0 and -0.0 are equal. Other columns stay as they are.
pub(crate) fn one_zero(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Float16 => {
            let column = column.as_primitive::<Float16Type>();
            let zero = <Float16Type as ArrowPrimitiveType>::Native::ZERO;
            Arc::new(
                column.unary::<_, Float16Type>(|value| if value == zero { zero } else { value }),
            )
        }
        DataType::Float32 => Arc::new(
            column
                .as_primitive::<Float32Type>()
                .unary::<_, Float32Type>(|v| v + 0.0),
        ),
        DataType::Float64 => Arc::new(
            column
                .as_primitive::<Float64Type>()
                .unary::<_, Float64Type>(|v| v + 0.0),
        ),
        _ => Arc::clone(column),
    }
}

/// The values of a column of a fixed width.
fn fixed_bytes(column: &ArrayRef, width: usize) -> Buffer {
    let data = column.to_data();
    data.buffers()[0].slice_with_length(data.offset() * width, data.len() * width)
}

/// The values of a column as bytes; equal values and only they have equal bytes.
enum Bytes {
    Fixed(Buffer, usize),
    Variable(ArrayRef),
}

impl Bytes {
    fn of(column: &ArrayRef) -> Option<Self> {
        let data_type = column.data_type();
        if data_type.is_floating() {
            let column = one_zero(column);
            let width = data_type.primitive_width()?;
            return Some(Self::Fixed(fixed_bytes(&column, width), width));
        }
        if let Some(width) = data_type.primitive_width() {
            return Some(Self::Fixed(fixed_bytes(column, width), width));
        }
        let plain = match data_type {
            DataType::Utf8 | DataType::Utf8View | DataType::Binary => DataType::Binary,
            DataType::LargeUtf8 | DataType::LargeBinary => DataType::LargeBinary,
            DataType::BinaryView => DataType::Binary,
            DataType::Boolean => DataType::UInt8,
            DataType::FixedSizeBinary(width) => {
                let width = usize::try_from(*width).ok().filter(|width| *width > 0)?;
                return Some(Self::Fixed(fixed_bytes(column, width), width));
            }
            DataType::Dictionary(_, values) => {
                return Self::of(&cast(column, values).ok()?);
            }
            _ => return None,
        };
        let plain = cast(column, &plain).ok()?;
        match plain.data_type() {
            DataType::UInt8 => Self::of(&plain),
            _ => Some(Self::Variable(plain)),
        }
    }

    fn get(&self, row: usize) -> &[u8] {
        match self {
            Self::Fixed(bytes, width) => &bytes[row * width..(row + 1) * width],
            Self::Variable(values) => match values.as_binary_opt::<i32>() {
                Some(values) => values.value(row),
                None => values.as_binary::<i64>().value(row),
            },
        }
    }
}
