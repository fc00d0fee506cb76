//! A server that sends whatever bytes a test likes, for ever if need be, and a program pointed at it whose peak memory
//! is measured.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use wait4::Wait4;

use crate::canned::read_request;
use crate::support::{NOW, Ran, finish, program};

/// Writes an answer to one request; it is given the request line.
pub type Manners = dyn Fn(&str, &mut TcpStream) -> std::io::Result<()> + Send + Sync;

/// Secrets that stand out wherever they turn up.
pub const CLIENT_SECRET: &str = "hush-client-5ecre7-0001";
pub const REFRESH_TOKEN: &str = "1000.hush-refresh-5ecre7-0002";
pub const ACCESS_TOKEN: &str = "1000.hush-access-5ecre7-0003";
pub const SECRETS: [&str; 3] = [CLIENT_SECRET, REFRESH_TOKEN, ACCESS_TOKEN];

pub struct Rude {
    pub url: String,
    folder: TempDir,
    /// Request lines in the order of their arrival, token requests too.
    seen: Arc<Mutex<Vec<String>>>,
}

impl Rude {
    /// Answers token requests with a token, and everything else as `manners` likes.
    pub fn serving(manners: impl Fn(&str, &mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let (log, manners): (_, Arc<Manners>) = (Arc::clone(&seen), Arc::new(manners));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, manners) = (Arc::clone(&log), Arc::clone(&manners));
                // a client that goes away has what it wanted
                std::thread::spawn(move || serve(stream, &*manners, &log));
            }
        });
        let rude = Self { url, folder: tempfile::tempdir().expect("a folder"), seen };
        rude.configure("");
        rude
    }

    /// Serves the same bytes as the whole answer (status line, headers, body) to every request.
    pub fn saying(answer: Vec<u8>) -> Self {
        Self::serving(move |_, stream| stream.write_all(&answer))
    }

    /// Lines added to both the store's and the CRM's table.
    #[must_use]
    pub fn with(self, lines: &str) -> Self {
        self.configure(lines);
        self
    }

    fn configure(&self, lines: &str) {
        let table = format!(
            "data_center = \"com\"\nclient_id = \"1000.X\"\nthrottle_wait_seconds = 0\naccounts_url = \"{}\"\n{lines}\n",
            self.url
        );
        let config = format!(
            "[database]\npath = \"mirror.db\"\n[stores.us]\nrequests_per_minute = 100000\napi_url = \"{0}/api\"\n{table}[crm]\napi_url = \"{0}/crm\"\n{table}",
            self.url
        );
        std::fs::write(self.path("config.toml"), config).expect("the configuration is written");
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program(self.folder.path());
        command.env("STOREMIRROR_CONFIG", self.path("config.toml")).env("STOREMIRROR_NOW", NOW);
        for party in ["STORES_US", "CRM"] {
            command.env(format!("STOREMIRROR_{party}_CLIENT_SECRET"), CLIENT_SECRET);
            command.env(format!("STOREMIRROR_{party}_REFRESH_TOKEN"), REFRESH_TOKEN);
        }
        command.args(arguments);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        finish(&mut self.command(arguments))
    }

    /// Runs it and gives its peak memory in MiB too.
    pub fn measure(&self, arguments: &[&str]) -> (Ran, u64) {
        measured(&mut self.command(arguments))
    }

    pub fn requests(&self, path: &str) -> usize {
        self.seen.lock().unwrap().iter().filter(|line| line.contains(path)).count()
    }

    pub fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path("mirror.db")).expect("the mirror opens")
    }
}

/// Runs a command whose output fits a pipe, and gives its peak memory in MiB too.
pub fn measured(command: &mut Command) -> (Ran, u64) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let read = |mut pipe: Box<dyn Read + Send>| {
        std::thread::spawn(move || {
            let mut text = String::new();
            pipe.read_to_string(&mut text).expect("UTF-8");
            text
        })
    };
    let stdout = read(Box::new(child.stdout.take().expect("a pipe")));
    let stderr = read(Box::new(child.stderr.take().expect("a pipe")));
    let ended = child.wait4().expect("the program ends");
    let ran = Ran {
        exit: ended.status.code().unwrap_or(-1),
        stdout: stdout.join().expect("stdout"),
        stderr: stderr.join().expect("stderr"),
    };
    (ran, ended.rusage.maxrss / 1024 / 1024)
}

/// A complete answer with status 200.
pub fn ok(body: &[u8]) -> Vec<u8> {
    answer(200, "", body)
}

pub fn answer(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let head =
        format!("HTTP/1.1 {status} Said\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn serve(mut stream: TcpStream, manners: &Manners, log: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let first = read_request(&stream)?;
    log.lock().unwrap().push(first.clone());
    if first.starts_with("POST /oauth/v2/token ") {
        let token = format!(r#"{{"access_token":"{ACCESS_TOKEN}","expires_in":3600}}"#);
        return stream.write_all(&ok(token.as_bytes()));
    }
    manners(&first, &mut stream)
}
