//! A server of HTTP on 127.0.0.1, whose answers are those of a function.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustls::{ServerConnection, StreamOwned};

/// The most requests that a server answers: a client without an end must not make a test endless.
const MAX_REQUESTS: usize = 500;

/// The time that a server waits for a client.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A connection, encrypted or not.
pub(super) trait Stream: Read + Write {
    /// Lets reads wait no longer than this.
    fn wait(&mut self, _time: Duration) {}
}

impl Stream for TcpStream {
    fn wait(&mut self, time: Duration) {
        self.set_read_timeout(Some(time)).expect("a timeout");
    }
}

impl Stream for StreamOwned<ServerConnection, TcpStream> {}

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Got {
    /// The method and the target, such as `GET /file`.
    pub(super) line: String,
    headers: Vec<(String, String)>,
    /// The number of requests before it.
    pub(super) number: usize,
}

impl Got {
    /// Returns the value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Returns the first byte of the range that is requested.
    pub(super) fn range(&self) -> Option<usize> {
        self.header("Range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }

    /// Reads the head of a request; none if the connection ended.
    pub(super) fn read(stream: &mut dyn Stream) -> Option<Self> {
        let mut reader = BufReader::with_capacity(1, stream);
        let mut got = Self::default();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim_end();
            match line.split_once(": ") {
                _ if line.is_empty() => return Some(got),
                Some((name, value)) => got.headers.push((name.to_owned(), value.to_owned())),
                None => got.line = line.trim_end_matches(" HTTP/1.1").to_owned(),
            }
        }
    }
}

/// Answers a request.
type Answer = dyn Fn(&Got, &mut dyn Stream) -> io::Result<()> + Send + Sync;

/// The encryption of connections.
pub(super) type Wrap = dyn Fn(TcpStream) -> Box<dyn Stream> + Send + Sync;

/// A server that ends on drop.
pub(crate) struct Server {
    address: SocketAddr,
    scheme: &'static str,
    got: Arc<Mutex<Vec<Got>>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server. Each connection gets one answer.
    pub(super) fn start(
        answer: impl Fn(&Got, &mut dyn Stream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::wrapped("http", Box::new(|stream| Box::new(stream)), answer)
    }

    /// Starts a server whose connections are encrypted.
    pub(super) fn wrapped(
        scheme: &'static str,
        wrap: Box<Wrap>,
        answer: impl Fn(&Got, &mut dyn Stream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("it has an address");
        let (got, ended): (Arc<Mutex<Vec<Got>>>, _) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let (answer, wrap): (Arc<Answer>, Arc<Wrap>) = (Arc::new(answer), wrap.into());
        let thread = {
            let (got, ended) = (Arc::clone(&got), Arc::clone(&ended));
            thread::spawn(move || {
                let mut clients = Vec::new();
                for stream in listener.incoming().take(MAX_REQUESTS) {
                    if ended.load(Ordering::SeqCst) {
                        break;
                    }
                    let Ok(stream) = stream else { continue };
                    stream.set_read_timeout(Some(TIMEOUT)).expect("a timeout");
                    stream.set_write_timeout(Some(TIMEOUT)).expect("a timeout");
                    let (got, answer, wrap) = (Arc::clone(&got), Arc::clone(&answer), Arc::clone(&wrap));
                    clients.push(thread::spawn(move || {
                        let mut stream = wrap(stream);
                        let Some(mut request) = Got::read(&mut *stream) else { return };
                        {
                            let mut got = got.lock().expect("no test panics with it");
                            request.number = got.len();
                            got.push(request.clone());
                        }
                        // A client that went away is part of some tests.
                        let _ = answer(&request, &mut *stream).and_then(|()| stream.flush());
                    }));
                }
            })
        };
        Self { address, scheme, got, ended, thread: Some(thread) }
    }

    /// Starts a server of one file.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let bytes = bytes.to_vec();
        Self::start(move |_, stream| ok(stream, &bytes))
    }

    /// Starts a server of the files of a directory.
    pub(crate) fn of_directory(directory: &Path) -> Self {
        let directory = directory.to_owned();
        Self::start(move |got, stream| {
            let path = got.line.trim_start_matches("GET /");
            match std::fs::read(directory.join(path)) {
                Ok(bytes) => ok(stream, &bytes),
                Err(_) => empty(stream, "404 Not Found", &[]),
            }
        })
    }

    /// Returns the URL of a path on it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// The address.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the requests that came.
    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.lock().expect("no test panics with it").clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // It wakes the thread.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Writes a whole answer with a length.
pub(super) fn ok(stream: &mut dyn Stream, bytes: &[u8]) -> io::Result<()> {
    head(stream, "200 OK", &[&format!("Content-Length: {}", bytes.len())])?;
    stream.write_all(bytes)
}

/// Writes the head of an answer.
pub(super) fn head(stream: &mut dyn Stream, status: &str, headers: &[&str]) -> io::Result<()> {
    let lines: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\n{lines}\r\n")
}

/// Writes an answer without a body.
pub(super) fn empty(stream: &mut dyn Stream, status: &str, headers: &[&str]) -> io::Result<()> {
    head(stream, status, &[headers, &["Content-Length: 0"]].concat())
}
