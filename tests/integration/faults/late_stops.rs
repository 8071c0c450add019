//! A timeout, a cancellation or a dropped call while a durable commit is under way: the statement has changed nothing,
//! or it ends with the outcome of its commit.

use std::time::Duration;

use futures::future::{Either, select};
use futures::{pin_mut, poll};
use rhei_datafusion::object_store::memory::InMemory;
use rhei_datafusion::{CancelHandle, ErrorKind, OlapEngine, StatementOptions};

use super::engine;
use super::store::{Fault, FaultyStore};
use crate::common::{number, run};

/// `call` up to the moment when a PUT waits.
macro_rules! until_held {
    ($call:ident, $store:ident) => {
        match select(&mut $call, std::pin::pin!($store.held_put())).await {
            Either::Left((ended, _)) => panic!("no PUT: {ended:?}"),
            Either::Right(_) => {}
        }
    };
}

/// Several polls, between which everything else may run: a call that is stopped would end in one of them.
macro_rules! assert_waits {
    ($call:ident) => {
        for _ in 0..100 {
            assert!(poll!(&mut $call).is_pending());
            tokio::task::yield_now().await;
        }
    };
}

#[tokio::test]
async fn a_cancelled_statement_whose_commit_has_begun_ends_with_the_outcome_of_its_commit() {
    let store = FaultyStore::new(InMemory::new(), usize::MAX, Fault::Before);
    let engine = engine(store.clone() as _);
    run(&engine, "CREATE TABLE t (id BIGINT)").await;
    for (id, sql) in [
        "INSERT INTO t VALUES (0)",
        "INSERT INTO t SELECT 1",
        "UPDATE t SET id = id",
    ]
    .iter()
    .enumerate()
    {
        store.hold_puts();
        let handle = CancelHandle::new();
        let options = StatementOptions::default().cancel(&handle);
        let call = engine.execute_with(sql, options);
        pin_mut!(call);
        until_held!(call, store);
        handle.cancel();
        assert_waits!(call);
        store.release_puts();
        let changed = call.await.unwrap();
        assert_eq!(changed, [1, 1, 2][id], "{sql}");
    }
    assert_eq!(number(&engine, "SELECT count(*) FROM t").await, 2);
}

#[tokio::test]
async fn a_statement_that_waits_for_another_commit_is_stopped_and_changes_nothing() {
    let store = FaultyStore::new(InMemory::new(), usize::MAX, Fault::Before);
    let engine = engine(store.clone() as _);
    run(&engine, "CREATE TABLE t (id BIGINT)").await;

    store.hold_puts();
    let begun = CancelHandle::new();
    let options = StatementOptions::default().cancel(&begun);
    let first = engine.execute_with("INSERT INTO t VALUES (1)", options);
    pin_mut!(first);
    until_held!(first, store);

    let handle = CancelHandle::new();
    let options = StatementOptions::default().cancel(&handle);
    let second = engine.execute_with("INSERT INTO t VALUES (2)", options);
    pin_mut!(second);
    assert_waits!(second);
    handle.cancel();
    assert_eq!(second.await.unwrap_err().kind(), ErrorKind::Cancelled);

    {
        let dropped = engine.execute("INSERT INTO t VALUES (3)");
        pin_mut!(dropped);
        assert_waits!(dropped);
    }

    let timeout = StatementOptions::default().timeout(Duration::from_millis(20));
    let fourth = engine.execute_with("INSERT INTO t VALUES (4)", timeout);
    assert_eq!(fourth.await.unwrap_err().kind(), ErrorKind::Timeout);
    begun.cancel();
    assert_waits!(first);

    store.release_puts();
    assert_eq!(first.await.unwrap(), 1);
    run(&engine, "INSERT INTO t VALUES (5)").await;
    assert_eq!(number(&engine, "SELECT sum(id) FROM t").await, 6);
}

#[tokio::test]
async fn a_cancelled_statement_whose_entry_lost_its_number_changes_nothing() {
    let store = FaultyStore::new(InMemory::new(), usize::MAX, Fault::Before);
    let other = engine(store.inner.clone() as _);
    let engine = engine(store.clone() as _);
    run(&engine, "CREATE TABLE t (id BIGINT)").await;
    store.hold_puts();
    let handle = CancelHandle::new();
    let options = StatementOptions::default().cancel(&handle);
    let call = engine.execute_with("INSERT INTO t VALUES (1)", options);
    pin_mut!(call);
    until_held!(call, store);
    handle.cancel();
    assert_waits!(call);
    run(&other, "INSERT INTO t VALUES (10)").await;
    store.release_puts();
    assert_eq!(call.await.unwrap_err().kind(), ErrorKind::Cancelled);
    run(&engine, "INSERT INTO t VALUES (100)").await;
    assert_eq!(number(&engine, "SELECT sum(id) FROM t").await, 110);
}
