//! A proxy in front of a real S3 server makes one request fail, and a durable database must cope with the failure.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rhei_datafusion::{
    DataFusionEngine, DfOlapError, EngineBuilder, ErrorKind, OlapEngine, StorageMode,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::common::{number, run};
use crate::s3::fresh_url;

/// The fault that one request meets.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    /// The connection is closed before the request reaches the server …
    Closed,
    /// … or after the server has answered.
    ClosedAfter,
    Reset,
    /// The proxy itself answers, before the request reaches the server …
    Status(&'static str),
    /// … or after the server has carried out the request.
    StatusAfter(&'static str),
    Silence,
}

const TROUBLES: [Trouble; 10] = [
    Trouble::Closed,
    Trouble::ClosedAfter,
    Trouble::Reset,
    Trouble::Status("500 Internal Server Error"),
    Trouble::StatusAfter("500 Internal Server Error"),
    Trouble::Status("503 Slow Down"),
    Trouble::StatusAfter("503 Slow Down"),
    Trouble::Status("429 Too Many Requests"),
    Trouble::Status("409 Conflict"),
    Trouble::Silence,
];

/// Counts the requests, and makes request number `at` fail.
#[derive(Debug)]
struct Proxy {
    requests: AtomicUsize,
    at: usize,
    trouble: Trouble,
    server: SocketAddr,
}

impl Proxy {
    /// Starts a proxy and returns its URL too.
    async fn start(at: usize, trouble: Trouble) -> (String, Arc<Self>) {
        let server = std::env::var("AWS_ENDPOINT_URL").unwrap();
        let server = server.strip_prefix("http://").unwrap().parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let proxy = Arc::new(Self {
            requests: AtomicUsize::new(0),
            at,
            trouble,
            server,
        });
        let shared = Arc::clone(&proxy);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let proxy = Arc::clone(&shared);
                // A client that disconnects is not an error.
                tokio::spawn(async move { proxy.serve(client).await.ok() });
            }
        });
        (url, proxy)
    }

    fn met(&self) -> bool {
        self.requests.load(Ordering::SeqCst) >= self.at
    }

    /// Serves one request of a connection, which is then closed.
    async fn serve(&self, mut client: TcpStream) -> std::io::Result<()> {
        let Some(request) = read_request(&mut client).await? else {
            return Ok(());
        };
        if self.requests.fetch_add(1, Ordering::SeqCst) + 1 != self.at {
            return client.write_all(&self.forward(&request).await?).await;
        }
        match self.trouble {
            Trouble::Closed => Ok(()),
            Trouble::ClosedAfter => self.forward(&request).await.map(|_| ()),
            Trouble::Reset => client.set_zero_linger(),
            Trouble::Status(status) => client.write_all(&own_answer(status)).await,
            Trouble::StatusAfter(status) => {
                self.forward(&request).await?;
                client.write_all(&own_answer(status)).await
            }
            Trouble::Silence => std::future::pending().await,
        }
    }

    async fn forward(&self, request: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut server = TcpStream::connect(self.server).await?;
        // `connection: close` makes the server end the connection after its answer.
        let line = request.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        server.write_all(&request[..line]).await?;
        server.write_all(b"connection: close\r\n").await?;
        server.write_all(&request[line..]).await?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer).await?;
        Ok(answer)
    }
}

fn own_answer(status: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").into_bytes()
}

/// Reads a request's head and body.
async fn read_request(client: &mut TcpStream) -> std::io::Result<Option<Vec<u8>>> {
    let mut request = Vec::new();
    let mut buffer = [0; 16 << 10];
    loop {
        let end = request.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"))
                .map_or(0, |length| length.trim().parse().unwrap());
            if request.len() >= end + 4 + length {
                return Ok(Some(request));
            }
        }
        match client.read(&mut buffer).await? {
            0 => return Ok(None),
            read => request.extend_from_slice(&buffer[..read]),
        }
    }
}

fn open(url: &str) -> EngineBuilder {
    EngineBuilder::new().storage(StorageMode::Vortex { url: url.into() })
}

fn open_through(endpoint: &str, trouble: Trouble, url: &str) -> DataFusionEngine {
    let builder = open(url).s3_option("AWS_ENDPOINT_URL", endpoint);
    let builder = match trouble {
        // Only this trouble needs a short timeout: its answer never comes.
        Trouble::Silence => builder.answer_timeout(Duration::from_millis(500)),
        _ => builder,
    };
    builder.build().unwrap()
}

async fn change(engine: &DataFusionEngine, n: i64) -> Result<u64, DfOlapError> {
    let sql = match n % 3 {
        0 => format!("INSERT INTO t VALUES ({n}, 0)"),
        1 => format!("INSERT INTO t SELECT {n}, 0 FROM range(3000)"),
        _ => format!("UPDATE t SET changed = changed + 1, n = {n} WHERE n = -{n}"),
    };
    engine.execute(&sql).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_trouble_between_here_and_a_server_loses_or_doubles_a_change() {
    let Some(url) = fresh_url() else { return };
    let direct = open(&url).build().unwrap();
    run(&direct, "CREATE TABLE t (n BIGINT, changed BIGINT)").await;
    run(
        &direct,
        "INSERT INTO t SELECT -value, 0 FROM range(1, 1000)",
    )
    .await;
    let mut n = 0;
    for trouble in TROUBLES {
        for at in 1.. {
            n += 1;
            let (endpoint, proxy) = Proxy::start(at, trouble).await;
            let engine = open_through(&endpoint, trouble, &url);
            let place = format!("{trouble:?} at request {at}, change {n}");
            let done = change(&engine, n).await;
            let there = format!("SELECT count(*) FROM t WHERE n = {n}");
            let expected = if n % 3 == 1 { 3000 } else { 1 };
            if let Err(error) = done {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{place}: {error}");
                assert_eq!(number(&direct, &there).await, 0, "{place}: {error}");
                let again = change(&engine, n).await;
                again.unwrap_or_else(|error| panic!("{place}, again: {error}"));
            }
            assert_eq!(number(&direct, &there).await, expected, "{place}");
            if !proxy.met() {
                break;
            }
        }
    }
    let twice = "SELECT count(*) FROM t WHERE changed > 1";
    assert_eq!(number(&direct, twice).await, 0);
    assert!(n > 40, "{n} changes");
}
