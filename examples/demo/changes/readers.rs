//! The two readers: a stream that is read in small steps, and a task that queries the totals.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt;
use rhei_datafusion::{DataFusionEngine, OlapEngine, RecordBatchBoxStream, SharedDataFusionEngine};
use tokio::task::JoinHandle;

use crate::Failure;
use crate::flights::Totals;
use crate::report::integers;

/// The pause between two queries of the totals, which leaves the cores to the writer.
const REST: Duration = Duration::from_millis(20);

/// A stream over all flights that is read in small steps.
pub struct OpenStream {
    batches: RecordBatchBoxStream,
    pub seen: Totals,
}

impl OpenStream {
    pub async fn start(engine: &DataFusionEngine) -> Result<Self, Failure> {
        let mut reader = Self {
            batches: engine.query_stream("SELECT id, delay FROM flights").await?,
            seen: Totals::default(),
        };
        reader.read(1).await?;
        Ok(reader)
    }

    pub async fn read(&mut self, most_batches: usize) -> Result<(), Failure> {
        for _ in 0..most_batches {
            let Some(batch) = self.batches.next().await else {
                break;
            };
            let batch = [batch?];
            for (id, delay) in integers(&batch, "id")?
                .into_iter()
                .zip(integers(&batch, "delay")?)
            {
                self.seen.add(id, delay);
            }
        }
        Ok(())
    }
}

/// A task that queries the totals until it is stopped.
pub struct Asking {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Result<Vec<Totals>, Failure>>,
}

impl Asking {
    pub fn start(engine: SharedDataFusionEngine) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let mut answers = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                answers.push(Totals::ask(&engine).await?);
                tokio::time::sleep(REST).await;
            }
            Ok::<_, Failure>(answers)
        });
        Self { stop, task }
    }

    pub async fn stop(self) -> Result<Vec<Totals>, Failure> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await?
    }
}

/// The answers that match no state between two statements, or only a state before an earlier answer's.
pub fn invalid_answers(states: &[Totals], answers: &[Totals]) -> Vec<Totals> {
    let mut now = 0;
    let mut invalid_answers = Vec::new();
    for answer in answers {
        match states[now..].iter().position(|state| state == answer) {
            Some(later) => now += later,
            None => invalid_answers.push(*answer),
        }
    }
    invalid_answers
}
