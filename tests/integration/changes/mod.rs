//! Row changes of another database.

mod events;
mod histories;
mod kept;
mod killed;
mod meaning;
mod once;
