//! Row changes of another database.

mod events;
mod histories;
mod killed;
mod meaning;
mod once;
