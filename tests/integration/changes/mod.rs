//! Row changes of another database.

mod columns;
pub mod events;
mod found;
mod histories;
mod kept;
mod kept_histories;
mod killed;
mod meaning;
mod once;
