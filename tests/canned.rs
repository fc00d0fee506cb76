//! A server that gives canned answers, for what the simulated store never says: refusals with long bodies, throttle
//! words under odd statuses, redirects. It hands out a token for every token request.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use crate::support::{NOW, Ran, finish, program};

/// Status, more header lines, body.
#[derive(Clone)]
pub struct Reply(pub u16, pub &'static str, pub String);

pub struct Canned {
    url: String,
    folder: TempDir,
    /// Request lines, token requests too, in the order of their arrival.
    seen: Arc<Mutex<Vec<String>>>,
}

impl Canned {
    /// Gives the replies to store requests in their order, then the last one for ever.
    pub fn saying(replies: &[Reply]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let (log, replies) = (Arc::clone(&seen), replies.to_vec());
        std::thread::spawn(move || {
            let mut given = 0;
            for stream in listener.incoming().flatten() {
                // a client that goes away has what it wanted
                let _ = serve(stream, &replies, &mut given, &log);
            }
        });
        Self { url, folder: tempfile::tempdir().expect("a folder"), seen }
    }

    /// Ingests subscriptions from it.
    pub fn ingest(&self) -> Ran {
        self.run(&["ingest", "subscriptions", "--json"])
    }

    /// Ingests subscriptions from it as for a person who wants to know more.
    pub fn ingest_as_text(&self) -> Ran {
        self.run(&["ingest", "subscriptions", "-vv"])
    }

    /// The program with this server as its one store.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        let config = format!(
            "[stores.us]\ndata_center = \"com\"\nclient_id = \"1000.X\"\nthrottle_wait_seconds = 0\napi_url = \"{0}/api\"\naccounts_url = \"{0}\"\n",
            self.url
        );
        let path = self.folder.path().join("config.toml");
        std::fs::write(&path, config).expect("the configuration is written");
        let mut command = program(self.folder.path());
        command
            .env("STOREMIRROR_CONFIG", path)
            .env("STOREMIRROR_DB", self.folder.path().join("mirror.db"))
            .env("STOREMIRROR_NOW", NOW)
            .env("STOREMIRROR_STORES_US_CLIENT_SECRET", "client-secret")
            .env("STOREMIRROR_STORES_US_REFRESH_TOKEN", "refresh-secret");
        finish(command.args(arguments))
    }

    /// Requests to the store so far.
    pub fn store_requests(&self) -> usize {
        self.seen.lock().unwrap().iter().filter(|line| line.contains(" /api/")).count()
    }

    /// Whether anything was asked for at this path.
    pub fn was_asked_for(&self, path: &str) -> bool {
        self.seen.lock().unwrap().iter().any(|line| line.contains(path))
    }
}

/// Reads one request to its end; returns its first line.
pub fn read_request(stream: &TcpStream) -> std::io::Result<String> {
    let mut reader = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let lower = line.trim().to_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if lower.is_empty() {
            break;
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    Ok(first.trim().to_owned())
}

fn serve(mut stream: TcpStream, replies: &[Reply], given: &mut usize, log: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let first = read_request(&stream)?;
    log.lock().unwrap().push(first.clone());
    let token = Reply(200, "", r#"{"access_token":"1000.token-secret","expires_in":3600}"#.to_owned());
    let Reply(status, headers, body) = if first.starts_with("POST") {
        token
    } else {
        *given += 1;
        replies[(*given - 1).min(replies.len() - 1)].clone()
    };
    write!(
        stream,
        "HTTP/1.1 {status} Said\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}
