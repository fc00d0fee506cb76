//! The HTTP side: one thread with its own runtime, requests in, answers and faults out.
//!
//! It reads a request to its end, takes the world's lock for the answer, gives the lock back, and only then waits or
//! writes; so a stalled request never holds up the others.

use super::Options;
use super::answer::{Answer, Call, pairs};
use super::faults::{FaultKind, Faults};
use super::world::{Reply, World};
use anyhow::Context as _;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep};

type Shared = Arc<Mutex<World>>;

/// Pieces a slow body comes in.
const PIECES: usize = 3;

/// The running servers; dropping it stops them.
pub struct Running {
    base: String,
    world: Shared,
    connections: Arc<AtomicUsize>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub fn base_url(&self) -> String {
        self.base.clone()
    }

    /// What `simulate --json` prints: where everything is, and the secrets that open it.
    pub fn connection(&self) -> serde_json::Value {
        lock(&self.world).connection()
    }

    /// Waits until what clients have sent so far is done, also what a killed one sent with its last breath.
    ///
    /// # Errors
    /// When the servers themselves no longer answer.
    pub fn finish_requests(&self) -> io::Result<()> {
        // connections are taken in the order in which they came: once this one is answered, all before it are counted
        let mut stream = TcpStream::connect(self.base.trim_start_matches("http://"))?;
        stream.write_all(b"GET /_sim/switches HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        stream.read_to_end(&mut Vec::new())?;
        drop(stream);
        while self.connections.load(Ordering::SeqCst) > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Looks at or changes the world; the servers wait meanwhile.
    pub fn with<R>(&self, act: impl FnOnce(&mut World) -> R) -> R {
        act(&mut lock(&self.world))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(world: &Shared) -> MutexGuard<'_, World> {
    // a test that panicked inside `with` must not take the servers down with it
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn start(options: &Options) -> anyhow::Result<Running> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))
        .with_context(|| format!("cannot listen on 127.0.0.1:{}", options.port))?;
    listener.set_nonblocking(true).context("cannot prepare the simulator's socket")?;
    let address = listener.local_addr().context("cannot read the simulator's address")?;
    let base = format!("http://{address}");
    let world = Arc::new(Mutex::new(World::new(options, base.clone())));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (stop, stopped) = oneshot::channel();
    let shared = Arc::clone(&world);
    let connections = Arc::new(AtomicUsize::new(0));
    let open = Arc::clone(&connections);
    let thread = std::thread::Builder::new()
        .name("simulator".to_owned())
        .spawn(move || runtime.block_on(serve(listener, shared, open, stopped)))
        .context("cannot start the simulator's thread")?;
    Ok(Running { base, world, connections, stop: Some(stop), thread: Some(thread) })
}

async fn serve(listener: TcpListener, world: Shared, open: Arc<AtomicUsize>, mut stopped: oneshot::Receiver<()>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stopped => return,
        };
        // a connection that failed before it began is the client's to repeat
        let Ok((stream, _)) = accepted else { continue };
        let _ = stream.set_nodelay(true);
        let (world, open) = (Arc::clone(&world), Arc::clone(&open));
        open.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(Arc::clone(&world), request));
            // an error here is a client that went away, or a fault that was meant
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

async fn answer(world: Shared, request: Request<Incoming>) -> io::Result<Response<Pieces>> {
    let call = read(request).await?;
    let (reply, plan) = {
        let mut world = lock(&world);
        (world.reply(&call), world.switches.faults.clone())
    };
    match reply.fault {
        Some(FaultKind::Reset | FaultKind::LostAnswer) => Err(cut()),
        Some(FaultKind::Stall) => {
            sleep(Duration::from_millis(plan.stall_ms)).await;
            Err(cut())
        }
        _ => respond(reply, &plan),
    }
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "cut by the fault plan")
}

async fn read(request: Request<Incoming>) -> io::Result<Call> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes().to_vec();
    let query_text = head.uri.query().unwrap_or_default().to_owned();
    let headers = head
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
    Ok(Call {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: pairs(query_text.as_bytes()),
        query_text,
        headers: headers.collect(),
        body,
    })
}

fn respond(reply: Reply, plan: &Faults) -> io::Result<Response<Pieces>> {
    let Answer { status, headers, body } = reply.answer;
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(Pieces::of(body, reply.fault, plan)).map_err(io::Error::other)
}

/// A body that comes whole, in slow pieces, or breaks off before its announced length.
struct Pieces {
    left: VecDeque<Bytes>,
    /// What the client is told and what is still to come of it.
    length: u64,
    pause: Option<Duration>,
    sleeping: Option<Pin<Box<Sleep>>>,
    breaks: bool,
}

impl Pieces {
    fn of(mut body: Vec<u8>, fault: Option<FaultKind>, plan: &Faults) -> Self {
        let mut breaks = false;
        let mut length = body.len();
        let half = body.len() / 2;
        let mut pause = None;
        match fault {
            Some(FaultKind::BadJson) => {
                body.truncate(half);
                length = half;
            }
            Some(FaultKind::Truncated) => {
                body.truncate(half);
                breaks = true;
                // time to send what there is; an error at once would take the whole answer with it
                pause = Some(Duration::from_millis(20));
                // a body without content cannot break off within its length
                length = length.max(1);
            }
            Some(FaultKind::SlowBody) => pause = Some(Duration::from_millis(plan.slow_body_ms) / 3),
            _ => {}
        }
        let body = Bytes::from(body);
        let left = match pause {
            Some(_) if !breaks => {
                let size = body.len().div_ceil(PIECES).max(1);
                (0..body.len()).step_by(size).map(|at| body.slice(at..body.len().min(at + size))).collect()
            }
            _ if body.is_empty() => VecDeque::new(),
            _ => VecDeque::from([body]),
        };
        Self { left, length: u64::try_from(length).unwrap_or(0), pause, sleeping: None, breaks }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(pause) = self.pause {
            let sleeping = self.sleeping.get_or_insert_with(|| Box::pin(sleep(pause)));
            if sleeping.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            sleeping.as_mut().reset(Instant::now() + pause);
        }
        match self.left.pop_front() {
            Some(piece) => {
                self.length = self.length.saturating_sub(u64::try_from(piece.len()).unwrap_or(0));
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            None if self.breaks => Poll::Ready(Some(Err(cut()))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty() && !self.breaks
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}
