//! A constant stream of requests over connections that are kept, to see what a change does to those who call meanwhile.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::client::{DEADLINE, Request, read_response};

/// How often each answer came: status and reason, or the error of the connection.
pub type Answers = BTreeMap<String, usize>;

/// A running stream of one request; it ends when dropped.
pub struct Load {
    over: Arc<AtomicBool>,
    answers: Arc<Mutex<Answers>>,
    opened: Arc<AtomicUsize>,
    callers: Vec<JoinHandle<()>>,
}

impl Load {
    /// Sends the request again and again over so many connections, and opens each anew when the server closes it.
    pub fn start<S, F>(
        runtime: &Handle,
        connections: usize,
        request: &Request,
        connect: impl Fn() -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
        F: Future<Output = io::Result<S>> + Send,
    {
        let (over, answers) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Answers>>::default());
        let opened = Arc::<AtomicUsize>::default();
        let caller = |_| {
            let (over, answers) = (Arc::clone(&over), Arc::clone(&answers));
            let (bytes, connect, opened) =
                (request.to_bytes(), connect.clone(), Arc::clone(&opened));
            runtime.spawn(async move {
                let mut stream = None;
                while !over.load(Ordering::Relaxed) {
                    let exchange = exchange(&mut stream, &bytes, || {
                        opened.fetch_add(1, Ordering::Relaxed);
                        connect()
                    });
                    let answer = match timeout(DEADLINE, exchange).await {
                        Ok(Ok(answer)) => answer,
                        Ok(Err(error)) => error.to_string(),
                        Err(_) => "no answer in time".to_owned(),
                    };
                    *answers.lock().unwrap().entry(answer).or_default() += 1;
                    sleep(Duration::from_millis(5)).await;
                }
            })
        };
        let callers = (0..connections).map(caller).collect();
        Self { over, answers, opened, callers }
    }

    /// The answers so far.
    pub fn answers(&self) -> Answers {
        self.answers.lock().unwrap().clone()
    }

    /// How many connections were opened so far.
    pub fn opened(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
    }

    /// Waits for the answers to the requests under way; all answers.
    pub async fn end(mut self) -> Answers {
        self.over.store(true, Ordering::Relaxed);
        for caller in self.callers.drain(..) {
            caller.await.unwrap();
        }
        self.answers()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// One request; the connection is kept unless the answer or an error closes it.
async fn exchange<S, F>(
    kept: &mut Option<S>,
    bytes: &[u8],
    connect: impl Fn() -> F,
) -> io::Result<String>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = io::Result<S>>,
{
    let mut stream = match kept.take() {
        Some(stream) => stream,
        None => connect().await?,
    };
    stream.write_all(bytes).await?;
    stream.flush().await?;
    let (answer, open) = read_response(&mut stream, false).await?;
    if open {
        *kept = Some(stream);
    }
    Ok(format!("{} {}", answer.status, answer.reason()).trim_end().to_owned())
}
