//! Finds the rows of a table by key, without a plan.
//!
//! Only fragments whose range of keys meets that of the wanted keys are looked at. Keys that are in order are searched
//! ([`ordered`]); for others there is an index beside the file, or segments of the table's index, of which those that
//! are missing are made ([`segments`]).

mod equality;
mod keys;
mod ordered;
mod search;
mod segments;

pub(crate) use self::equality::{KeysOfConditions, are_alike, is_worth_a_lookup, keys_of};
pub(crate) use self::keys::{KeysToFind, Missing};
