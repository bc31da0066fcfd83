//! A small web server for tests: files of a folder, and as many bytes as a path asks for, over http or https. It counts
//! the bytes of its connections as the network carries them.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Bytes and requests of a server.
#[derive(Default)]
pub struct Counts {
    pub sent: AtomicU64,
    pub received: AtomicU64,
    /// The first lines of the requests, in the order in which they came.
    pub requests: Mutex<Vec<String>>,
}

/// Serves until the process ends.
pub struct FileServer {
    pub port: u16,
    pub counts: Arc<Counts>,
}

/// Its address: loopback, but not the one that programs reach without a proxy.
pub const ADDRESS: &str = "127.0.0.2";

struct Counted {
    stream: TcpStream,
    counts: Arc<Counts>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.stream.read(buffer)?;
        self.counts.received.fetch_add(n as u64, Ordering::SeqCst);
        Ok(n)
    }
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.stream.write(bytes)?;
        self.counts.sent.fetch_add(n as u64, Ordering::SeqCst);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl FileServer {
    pub fn plain(folder: &Path) -> Self {
        Self::start(folder, None)
    }

    /// With a certificate of its own for this name; gives it in PEM.
    pub fn encrypted(folder: &Path, name: &str) -> (Self, String) {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
        (Self::start(folder, Some(Arc::new(config))), made.cert.pem())
    }

    fn start(folder: &Path, tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let listener = TcpListener::bind((ADDRESS, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (counts, folder): (Arc<Counts>, PathBuf) = (Arc::default(), folder.to_owned());
        let shared = Arc::clone(&counts);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (counts, folder, tls) = (Arc::clone(&shared), folder.clone(), tls.clone());
                std::thread::spawn(move || {
                    let stream = Counted { stream, counts: Arc::clone(&counts) };
                    let _ = match tls {
                        None => converse(stream, &folder, &counts),
                        Some(config) => {
                            let session = rustls::ServerConnection::new(config).unwrap();
                            converse(rustls::StreamOwned::new(session, stream), &folder, &counts)
                        }
                    };
                });
            }
        });
        Self { port, counts }
    }

    pub fn requests(&self) -> Vec<String> {
        self.counts.requests.lock().unwrap().clone()
    }
}

/// Answers requests until the client ends the connection.
fn converse(stream: impl Read + Write, folder: &Path, counts: &Counts) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut first = String::new();
        if stream.read_line(&mut first)? == 0 {
            return Ok(());
        }
        let mut line = String::new();
        while stream.read_line(&mut line)? > 2 {
            line.clear();
        }
        counts.requests.lock().unwrap().push(first.trim_end().to_owned());
        let mut words = first.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        answer(stream.get_mut(), method == "HEAD", target.split('?').next().unwrap_or_default(), folder)?;
    }
}

fn answer(stream: &mut impl Write, head_only: bool, path: &str, folder: &Path) -> io::Result<()> {
    if let Some(megabytes) = path.strip_prefix("/zeros/").and_then(|n| n.parse::<usize>().ok()) {
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", megabytes << 20)?;
        let chunk = vec![0_u8; 1 << 20];
        for _ in 0..megabytes {
            stream.write_all(&chunk)?;
        }
        return stream.flush();
    }
    assert!(!path.contains(".."), "{path}");
    let file = if path.ends_with('/') { format!("{path}index.html") } else { path.to_owned() };
    let kind = match file.rsplit('.').next() {
        Some("html") => "text/html",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    };
    match fs::read(folder.join(file.trim_start_matches('/'))) {
        Ok(bytes) => {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", bytes.len())?;
            stream.write_all(if head_only { &[] } else { &bytes })?;
        }
        Err(_) => stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?,
    }
    stream.flush()
}
