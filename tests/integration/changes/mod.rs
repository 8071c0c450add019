//! Row changes of another database.

mod events;
mod found;
mod histories;
mod kept;
mod killed;
mod meaning;
mod once;
