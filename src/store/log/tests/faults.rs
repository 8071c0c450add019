//! Lost, late or wrong responses of the medium: a change is stored once or not at all, and the result of the append
//! tells which.

use std::collections::VecDeque;

use super::*;

/// What happens to one request to create an object.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    /// No fault.
    Honest,
    /// The request never arrives, and the connection breaks.
    LostBefore,
    /// The request is done, and the connection breaks.
    LostAfter,
    /// The request never arrives, and no response comes.
    Silent,
    /// The request is done, and no response comes.
    SilentAfter,
    /// The connection breaks; the request is done after one more request, before the next.
    Late,
    /// The connection breaks; the request is done long after the caller gave up.
    VeryLate,
    /// The response is `Exists`, though the name is free.
    Lie,
    /// Another writer gets the name first.
    Rival,
    /// The store refuses, and does nothing.
    Refused,
}

const ALL: [Fault; 10] = [
    Fault::Honest,
    Fault::LostBefore,
    Fault::LostAfter,
    Fault::Silent,
    Fault::SilentAfter,
    Fault::Late,
    Fault::VeryLate,
    Fault::Lie,
    Fault::Rival,
    Fault::Refused,
];

/// A medium whose first responses follow `script`, and all later ones have the fault `then`.
#[derive(Debug)]
struct Faulty {
    memory: Arc<Memory>,
    script: Mutex<VecDeque<Fault>>,
    then: Mutex<Fault>,
    requests: AtomicUsize,
    /// Requests in flight: the number of the request before which each is done, the name of the object, and its
    /// bytes.
    late: Mutex<Vec<(usize, String, Bytes)>>,
}

fn lost() -> object_store::Error {
    object_store::Error::Generic {
        store: "faulty",
        source: "the connection was closed".into(),
    }
}

impl Faulty {
    fn new(script: &[Fault], then: Fault) -> Arc<Self> {
        Arc::new(Self {
            memory: Arc::default(),
            script: Mutex::new(script.iter().copied().collect()),
            then: Mutex::new(then),
            requests: AtomicUsize::new(0),
            late: Mutex::default(),
        })
    }

    fn log(self: &Arc<Self>) -> Log {
        Log::new(Arc::clone(self) as _, "faulty".into(), quick())
    }

    fn heal(&self) {
        self.script.lock().clear();
        *self.then.lock() = Fault::Honest;
    }

    fn land_before(&self, request: usize, name: &str, bytes: Bytes) {
        self.late.lock().push((request, name.to_string(), bytes));
    }

    /// Does the late requests that are due before a request.
    async fn land(&self, request: usize) {
        let is_due = |late: &mut (usize, String, Bytes)| late.0 <= request;
        let due: Vec<_> = self.late.lock().extract_if(.., is_due).collect();
        for (_, name, bytes) in due {
            let _ = self.memory.create(&name, bytes).await;
        }
    }
}

#[async_trait]
impl Medium for Faulty {
    async fn create(&self, name: &str, bytes: Bytes) -> Result<Created, CreateError> {
        let request = self.requests.fetch_add(1, Ordering::Relaxed);
        self.land(request).await;
        let next = self.script.lock().pop_front();
        let fault = next.unwrap_or_else(|| *self.then.lock());
        let unknown = CreateError {
            error: lost(),
            is_final: false,
        };
        match fault {
            Fault::Honest => self.memory.create(name, bytes).await,
            Fault::LostBefore => Err(unknown),
            Fault::LostAfter => {
                let _ = self.memory.create(name, bytes).await;
                Err(unknown)
            }
            Fault::Silent => futures::future::pending().await,
            Fault::SilentAfter => {
                let _ = self.memory.create(name, bytes).await;
                futures::future::pending().await
            }
            Fault::Late => {
                self.land_before(request + 2, name, bytes);
                Err(unknown)
            }
            Fault::VeryLate => {
                self.land_before(usize::MAX, name, bytes);
                Err(unknown)
            }
            Fault::Lie => Ok(Created::Exists),
            Fault::Rival => {
                let (version, _) = parse_name(name).unwrap();
                let rival = entry(version, "rival").encode();
                let _ = self.memory.create(name, rival).await;
                self.memory.create(name, bytes).await
            }
            Fault::Refused => Err(CreateError {
                error: object_store::Error::PermissionDenied {
                    path: name.to_string(),
                    source: "403".into(),
                },
                is_final: true,
            }),
        }
    }

    async fn read(&self, name: &str) -> object_store::Result<Option<Bytes>> {
        let unreachable = matches!(
            *self.then.lock(),
            Fault::LostBefore | Fault::LostAfter | Fault::Silent | Fault::SilentAfter
        );
        if unreachable && self.script.lock().is_empty() {
            return Err(lost());
        }
        self.memory.read(name).await
    }

    async fn list(&self, after: Option<&str>) -> object_store::Result<Vec<String>> {
        self.memory.list(after).await
    }

    async fn replace(&self, name: &str, bytes: Bytes) -> object_store::Result<()> {
        self.memory.replace(name, bytes).await
    }

    async fn left_over(&self, _: SystemTime) -> object_store::Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn remove(&self, name: &str) -> object_store::Result<()> {
        self.memory.remove(name).await
    }
}

/// Commits a change against these faults, as a caller would: retries after an error other than `CommitUnknown`, and
/// takes the next number if another entry has this number. Returns the outcome of the first append.
async fn commit(medium: &Arc<Faulty>, context: &str) -> &'static str {
    let log = medium.log();
    let mut change = entry(0, "change");
    let mut first = None;
    loop {
        let outcome = match log.append(&change).await {
            Ok(Appended::Won) => "won",
            Ok(Appended::Lost(other)) => {
                assert_ne!(other.id, change.id, "{context}: lost to itself");
                change.version += 1;
                "lost"
            }
            Err(DfOlapError::CommitUnknown { id, version }) => {
                assert_eq!((id, version), (change.id.0, change.version), "{context}");
                medium.heal();
                match log.settle(change.version, change.id).await {
                    Some(true) => "unknown, then won",
                    Some(false) => {
                        change.version += 1;
                        "unknown, then lost"
                    }
                    None => panic!("{context}: not settled by a healthy medium"),
                }
            }
            Err(_) => {
                // The change was not stored: retry with a new commit after all existing entries.
                medium.heal();
                let there = log.entries_from(change.version).await.unwrap();
                change = entry(change.version + there.len() as u64, "change");
                "never"
            }
        };
        first.get_or_insert(outcome);
        if outcome.ends_with("won") {
            return first.unwrap();
        }
    }
}

async fn is_there_once(medium: &Arc<Faulty>, context: &str) {
    medium.land(usize::MAX).await;
    medium.heal();
    let entries = medium.log().entries_from(0).await.unwrap();
    let changes = entries.iter().filter(|e| e.body == "change").count();
    assert_eq!(changes, 1, "{context}: {entries:?}");
}

/// Proves A3, L2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_there_exactly_once_whatever_three_answers_come() {
    let mut runs = Vec::new();
    for a in ALL {
        for b in ALL {
            for c in ALL {
                runs.push(async move {
                    let context = format!("{a:?}, {b:?}, {c:?}");
                    let medium = Faulty::new(&[a, b, c], Fault::Honest);
                    let outcome = commit(&medium, &context).await;
                    is_there_once(&medium, &context).await;
                    outcome
                });
            }
        }
    }
    let outcomes = futures::future::join_all(runs).await;
    for expected in ["won", "lost", "never"] {
        assert!(outcomes.contains(&expected), "no run ended with {expected}");
    }
}

/// Proves L3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_storage_is_lost_for_good_the_commit_is_unknown_until_it_is_back() {
    let mut runs = Vec::new();
    for first in ALL {
        for then in [
            Fault::LostBefore,
            Fault::LostAfter,
            Fault::Silent,
            Fault::SilentAfter,
        ] {
            runs.push(async move {
                let context = format!("{first:?}, then {then:?}");
                let medium = Faulty::new(&[first], then);
                let outcome = commit(&medium, &context).await;
                is_there_once(&medium, &context).await;
                outcome
            });
        }
    }
    let outcomes = futures::future::join_all(runs).await;
    assert!(outcomes.contains(&"unknown, then won"));
    assert!(outcomes.contains(&"unknown, then lost"));
}

#[tokio::test]
async fn a_refusal_is_an_error_at_once_and_the_number_stays_free() {
    let medium = Faulty::new(&[Fault::Refused], Fault::Honest);
    let error = medium.log().append(&entry(0, "change")).await.unwrap_err();
    assert!(error.to_string().contains("403"), "{error}");
    assert!(medium.memory.objects.lock().is_empty());
}
