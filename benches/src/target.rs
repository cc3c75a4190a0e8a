//! Starts the servers as processes, waits for them, sends requests to them, and stops them.

use std::{
    fmt,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::issuer::{Issuer, Subject};
use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use jsonwebtoken::Algorithm;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

use crate::{
    cores::Cores,
    generator::{Call, exchange, once},
    serve::{SERVER, many},
    todo,
};

/// A server to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// rmcp without any authorization
    Bare,
    /// Scopeward
    Scopeward,
    /// Scopeward with `audit = "required"`
    ScopewardRequired,
    /// tower-mcp with its OAuth layer and scope policy
    #[cfg(feature = "rivals")]
    TowerMcp,
    /// rmcp without any authorization, with the todo server's database
    BareTodo,
    /// The todo server as it ships, with its database
    Todo,
    /// `FastMCP` with its JWT verification and scope check
    Fastmcp,
}

impl Kind {
    /// The servers that do the same work.
    pub const COMPARED: &'static [Self] = &[
        Self::Bare,
        Self::Scopeward,
        #[cfg(feature = "rivals")]
        Self::TowerMcp,
        Self::Fastmcp,
    ];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bare => "bare rmcp",
            Self::Scopeward => "Scopeward",
            Self::ScopewardRequired => "Scopeward, required",
            #[cfg(feature = "rivals")]
            Self::TowerMcp => "tower-mcp",
            Self::BareTodo => "bare rmcp, SQLite",
            Self::Todo => "todo server",
            Self::Fastmcp => "FastMCP",
        })
    }
}

/// The issuer and the cores, which all servers share.
#[derive(Debug)]
pub struct World {
    /// The issuer of the tokens.
    pub issuer: Issuer,
    /// The issuer's URL, from which the servers fetch the keys.
    pub issuer_url: String,
    /// The cores of the servers and of the load.
    pub cores: Cores,
}

impl World {
    /// Creates an issuer, and serves its keys.
    pub fn new() -> Result<Self> {
        let issuer = Issuer::new()?;
        let issuer_url = issuer.serve()?;
        Ok(Self { issuer, issuer_url, cores: Cores::here()? })
    }
}

/// A running server. Dropping the value kills the server.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// The address on which the server listens.
    pub address: SocketAddr,
    /// The address of Scopeward's `/health`; the other servers ignore it.
    monitor: SocketAddr,
    folder: TempDir,
    url: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Errors are ignored, because the server may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The policy of the comparison, with one rule for each of `tools`.
pub fn policy<'a>(world: &World, url: &str, tools: impl Iterator<Item = &'a str>) -> String {
    let tools: String = tools.map(|name| format!("{name} = {{ read = \"todo\" }}\n")).collect();
    format!(
        "version = 1\n[server]\nurl = \"{url}\"\nprovider = \"oidc\"\nissuer = \"{}\"\n\
         [scopes]\n\"todo:read\" = \"See your todos\"\n\"todo:write\" = \"Change your todos\"\n\
         \"admin:access\" = \"See everyone's todos\"\n[tools]\n{tools}",
        world.issuer_url,
    )
}

/// The kind of request that is sent to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum What {
    /// A call of one tool, as clients of revision 2025-11-25 write it
    Call,
    /// A call of one tool, as clients of revision 2026-07-28 write it
    CallOfLatest,
    /// A list of a thousand tools
    List,
}

/// An address with a free port.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

impl Running {
    /// Starts a server with one tool, and waits until the server answers.
    pub fn start(kind: Kind, world: &World) -> Result<Self> {
        match kind {
            Kind::BareTodo | Kind::Todo => Self::start_todo(kind, world),
            _ => Self::start_with(kind, false, world),
        }
    }

    /// Starts the todo server, or rmcp alone on the same database, and waits until the server
    /// answers.
    fn start_todo(kind: Kind, world: &World) -> Result<Self> {
        let mut command = match kind {
            Kind::Todo => Command::new(todo::program()?),
            _ => Command::new(std::env::current_exe()?),
        };
        command.env(SERVER, "bare-todo");
        let running = Self::spawn(world, &mut command, |url| todo::policy(world, url))?;
        running.wait(&running.call_for(kind, world, 0, What::Call)?)?;
        Ok(running)
    }

    /// Starts a server with a thousand tools, and waits until the server answers.
    pub fn start_many(kind: Kind, world: &World) -> Result<Self> {
        Self::start_with(kind, true, world)
    }

    fn start_with(kind: Kind, many: bool, world: &World) -> Result<Self> {
        let this = std::env::current_exe()?;
        let mut command = match kind {
            Kind::Fastmcp => {
                let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("fastmcp");
                let mut command = Command::new(here.join(".venv/bin/python"));
                command.arg(here.join("server.py"));
                command
            }
            _ => Command::new(this),
        };
        match (kind, many) {
            (Kind::Bare, false) => command.env(SERVER, "bare"),
            (Kind::Bare, true) => command.env(SERVER, "bare-many"),
            (Kind::Scopeward | Kind::ScopewardRequired, false) => command.env(SERVER, "scopeward"),
            (Kind::Scopeward | Kind::ScopewardRequired, true) => {
                command.env(SERVER, "scopeward-many")
            }
            #[cfg(feature = "rivals")]
            (Kind::TowerMcp, _) => command.env(SERVER, "tower-mcp"),
            (Kind::Fastmcp | Kind::BareTodo | Kind::Todo, _) => &mut command,
        };
        let running = Self::spawn(world, &mut command, |url| {
            let policy = if many {
                policy(world, url, many::names())
            } else {
                policy(world, url, ["get_todo"].into_iter())
            };
            match kind {
                Kind::ScopewardRequired => {
                    policy.replace("[scopes]", "audit = \"required\"\n[scopes]")
                }
                _ => policy,
            }
        })?;
        let what = if many { What::List } else { What::Call };
        running.wait(&running.call_for(kind, world, 0, what)?)?;
        Ok(running)
    }

    /// Starts a program on the server's cores, with its own address, folder and policy.
    pub fn spawn(
        world: &World,
        command: &mut Command,
        policy: impl FnOnce(&str) -> String,
    ) -> Result<Self> {
        // High limits, in calls a second, because one caller makes all calls. The server checks the
        // limits for each call and never refuses one.
        let settings = [("RATE_PER_CALLER", "1000000"), ("RATE_PER_ADDRESS", "1000000")];
        Self::spawn_with(world, command, &settings, policy)
    }

    /// Starts a program like [`spawn`](Self::spawn), with these settings and else with its defaults.
    pub fn spawn_with(
        world: &World,
        command: &mut Command,
        settings: &[(&str, &str)],
        policy: impl FnOnce(&str) -> String,
    ) -> Result<Self> {
        let (address, monitor) = (free_address()?, free_address()?);
        let url = format!("http://{address}/mcp");
        let folder = tempfile::tempdir()?;
        let policy_file = folder.path().join("policy.toml");
        std::fs::write(&policy_file, policy(&url))?;
        command
            .current_dir(folder.path())
            .env("PORT", address.port().to_string())
            .env("HOST", "127.0.0.1")
            .env("MONITOR", monitor.to_string())
            .envs(settings.iter().copied())
            .env("ISSUER", &world.issuer_url)
            .env("AUDIENCE", &url)
            .env("PUBLIC_KEY", world.issuer.rsa_pem())
            .env("SCOPEWARD_POLICY", &policy_file)
            .env("SCOPEWARD_DATA", folder.path().join("data"))
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("log"))?);
        let child = world.cores.spawn(command)?;
        Ok(Self { child, address, monitor, folder, url })
    }

    /// Waits until the call is answered as expected, for at most 2 minutes, because valgrind starts
    /// a server slowly on a busy machine.
    pub fn wait(&self, call: &Call) -> Result<()> {
        let begin = Instant::now();
        loop {
            match once(self.address, call) {
                Ok(()) => return Ok(()),
                Err(error) if begin.elapsed() > Duration::from_mins(2) => {
                    let log = std::fs::read_to_string(self.folder.path().join("log"));
                    bail!("{error:#}; the server said: {}", log.unwrap_or_default());
                }
                Err(_) => thread::sleep(Duration::from_micros(500)),
            }
        }
    }

    /// The call by which servers of this kind are compared. Each number of `subject` is another
    /// caller.
    pub fn call_for(&self, kind: Kind, world: &World, subject: usize, what: What) -> Result<Call> {
        match (kind, what) {
            (Kind::BareTodo | Kind::Todo, _) => todo::call(self, world, Algorithm::RS256, subject),
            (_, What::List) => self.list(world, subject),
            (_, What::Call) => self.call(world, subject),
            (_, What::CallOfLatest) => self.call_of_latest(world, subject),
        }
    }

    /// A call of `get_todo`, as clients of revision 2026-07-28 write it.
    fn call_of_latest(&self, world: &World, subject: usize) -> Result<Call> {
        const HEADERS: &str =
            "mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: get_todo\r\n";
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_todo","arguments":{"id":"todo-42"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}"#;
        let token = self.token(world, Algorithm::RS256, subject)?;
        Ok(Call { request: self.request(&token, HEADERS, body), expected: "Buy 42 stamps" })
    }

    /// A call of `get_todo`, as clients of revision 2025-11-25 write it.
    pub fn call(&self, world: &World, subject: usize) -> Result<Call> {
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_todo","arguments":{"id":"todo-42"}}}"#;
        self.asked(world, Algorithm::RS256, subject, body, "Buy 42 stamps")
    }

    /// A request for the list of the thousand tools.
    fn list(&self, world: &World, subject: usize) -> Result<Call> {
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        self.asked(world, Algorithm::RS256, subject, body, "tool_0999")
    }

    /// A call of one of the many tools.
    pub fn call_of(&self, world: &World, tool: &str) -> Result<Call> {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{{}}}}}}"#
        );
        self.asked(world, Algorithm::RS256, 0, &body, "Buy 42 stamps")
    }

    /// A call with this body, whose response must contain `expected`. Each number of `subject` is
    /// another caller.
    pub fn asked(
        &self,
        world: &World,
        algorithm: Algorithm,
        subject: usize,
        body: &str,
        expected: &'static str,
    ) -> Result<Call> {
        let token = self.token(world, algorithm, subject)?;
        // The header of clients of revision 2025-11-25.
        let headers = "mcp-protocol-version: 2025-11-25\r\n";
        Ok(Call { request: self.request(&token, headers, body), expected })
    }

    /// A POST to the MCP endpoint with a caller's token. `headers` are further headers, each with its
    /// line end.
    pub fn post(
        &self,
        world: &World,
        algorithm: Algorithm,
        subject: usize,
        headers: &str,
        body: &str,
    ) -> Result<Vec<u8>> {
        let token = self.token(world, algorithm, subject)?;
        Ok(self.request(&token, headers, body))
    }

    fn token(&self, world: &World, algorithm: Algorithm, subject: usize) -> Result<String> {
        let name = format!("usr_58327482062864{subject}");
        let to = Subject { name: &name, audience: &self.url, scope: "todo:read todo:write" };
        world.issuer.token(algorithm, &world.issuer_url, &to)
    }

    /// The body of Scopeward's `/health`.
    pub fn health(&self) -> Result<String> {
        let request = format!("GET /health HTTP/1.1\r\nhost: {}\r\n\r\n", self.monitor);
        let call = Call { request: request.into_bytes(), expected: "" };
        exchange(&mut TcpStream::connect(self.monitor)?, &call)
    }

    /// A POST to the MCP endpoint. `headers` are the headers of its revision, each with its line
    /// end.
    fn request(&self, token: &str, headers: &str, body: &str) -> Vec<u8> {
        format!(
            "POST /mcp HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\naccept: application/json, text/event-stream\r\n\
             {headers}content-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .into_bytes()
    }

    /// Makes the call this many times, one after the other, on one connection.
    pub fn repeat(&self, call: &Call, times: u64) -> Result<()> {
        let mut stream = TcpStream::connect(self.address)?;
        for _ in 0..times {
            exchange(&mut stream, call)?;
        }
        Ok(())
    }

    /// Asks the server to stop, and waits until it has ended, for at most `patience`.
    pub fn stop(mut self, patience: Duration) -> Result<()> {
        let id = i32::try_from(self.child.id())?;
        kill(Pid::from_raw(id), Signal::SIGINT)?;
        let begin = Instant::now();
        while self.child.try_wait()?.is_none() {
            ensure!(begin.elapsed() < patience, "the server does not stop");
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// The path of a file in the server's folder, which holds its policy and data.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The server's resident memory, in bytes.
    pub fn memory(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.context("no VmRSS")?.trim().trim_end_matches(" kB").parse::<u64>()?;
        Ok(kilobytes * 1024)
    }
}
