//! Generates load: many HTTP/1.1 connections on one thread, with the latency of each response.

use std::{
    collections::VecDeque,
    io::{ErrorKind, Read, Write},
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use mio::{Events, Interest, Poll, Token, net::TcpStream};

/// A request that is sent repeatedly, and a text that each response must contain.
#[derive(Debug, Clone)]
pub struct Call {
    /// The whole HTTP request.
    pub request: Vec<u8>,
    /// The text that the body of a response must contain.
    pub expected: &'static str,
}

/// The pace of the calls.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// Each connection makes its next call as soon as it has its response.
    Saturating,
    /// This many calls a second, even while earlier calls have no response yet.
    Constant(f64),
}

/// The result of a measurement.
#[derive(Debug)]
pub struct Seen {
    /// The number of responses per second.
    pub per_second: f64,
    /// The time from the moment at which a call was due to its response, for each call; sorted.
    latencies: Vec<Duration>,
}

impl Seen {
    /// The latency that this many of a thousand calls did not exceed.
    pub fn permille(&self, permille: usize) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get(last * permille / 1_000).copied().unwrap_or_default()
    }

    /// The number of calls that took longer than `limit`.
    pub fn slower_than(&self, limit: Duration) -> usize {
        self.latencies.len() - self.latencies.partition_point(|latency| *latency <= limit)
    }

    /// The number of calls.
    pub fn calls(&self) -> usize {
        self.latencies.len()
    }
}

struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
    due: Option<Instant>,
}

/// Makes calls for `warm_up` and then for `length`. Only the calls of `length` are reported.
pub fn run(
    address: SocketAddr,
    calls: &[Call],
    connections: usize,
    pace: Pace,
    (warm_up, length): (Duration, Duration),
) -> Result<Seen> {
    let mut poll = Poll::new()?;
    let mut all = vec![];
    for number in 0..connections {
        let stream = std::net::TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        poll.registry().register(&mut stream, Token(number), Interest::READABLE)?;
        all.push(Connection { stream, answer: Vec::with_capacity(4096), due: None });
    }
    let mut load = Load { calls, next: 0, latencies: vec![] };
    let begin = Instant::now();
    let (from, end) = (begin + warm_up, begin + warm_up + length);
    let mut idle: VecDeque<usize> = (0..connections).collect();
    let mut due = begin;
    let mut events = Events::with_capacity(connections);
    loop {
        let now = Instant::now();
        if now >= end {
            break;
        }
        match pace {
            Pace::Saturating => {
                while let Some(number) = idle.pop_front() {
                    load.call(&mut all[number], now)?;
                }
                poll.poll(&mut events, Some(end - now))?;
            }
            Pace::Constant(rate) => {
                while due <= now
                    && let Some(number) = idle.pop_front()
                {
                    load.call(&mut all[number], due)?;
                    due += Duration::from_secs_f64(1.0 / rate);
                }
                // Polls without sleeping, because a wake-up would add to the latency.
                poll.poll(&mut events, Some(Duration::ZERO))?;
            }
        }
        for event in &events {
            let number = event.token().0;
            if load.read(&mut all[number], from)? {
                idle.push_back(number);
            }
        }
    }
    let measured = end.min(Instant::now()) - from;
    load.latencies.sort_unstable();
    #[expect(clippy::cast_precision_loss, reason = "a count below 2^52 is exact")]
    let per_second = load.latencies.len() as f64 / measured.as_secs_f64();
    Ok(Seen { per_second, latencies: load.latencies })
}

struct Load<'a> {
    calls: &'a [Call],
    next: usize,
    latencies: Vec<Duration>,
}

impl Load<'_> {
    fn call(&mut self, connection: &mut Connection, due: Instant) -> Result<()> {
        let call = &self.calls[self.next % self.calls.len()];
        self.next += 1;
        connection.due = Some(due);
        // One write is enough, because a request is far smaller than the socket's buffer, and the
        // buffer is empty: a connection has one call at a time.
        let written = connection.stream.write(&call.request)?;
        ensure!(written == call.request.len(), "a request did not fit the socket");
        Ok(())
    }

    /// Reads from a connection, and returns whether its response is complete.
    fn read(&mut self, connection: &mut Connection, from: Instant) -> Result<bool> {
        let mut buffer = [0; 16 * 1024];
        loop {
            match connection.stream.read(&mut buffer) {
                Ok(0) => bail!("the server closed a connection"),
                Ok(read) => connection.answer.extend_from_slice(&buffer[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        let Some(body) = whole_body(&connection.answer)? else { return Ok(false) };
        let expected = self.calls[0].expected.as_bytes();
        ensure!(
            body.windows(expected.len()).any(|window| window == expected),
            "unexpected answer: {}",
            String::from_utf8_lossy(&connection.answer)
        );
        connection.answer.clear();
        let due = connection.due.take().context("an answer to no call")?;
        let now = Instant::now();
        if due >= from {
            self.latencies.push(now - due);
        }
        Ok(true)
    }
}

/// The body of a response with status 200, or `None` while the response is incomplete.
fn whole_body(answer: &[u8]) -> Result<Option<&[u8]>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(start) = head.parse(answer)? else { return Ok(None) };
    let body = &answer[start..];
    let is_ok = head.code == Some(200);
    let find =
        |name: &str| head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
    let (is_whole, length) = match find("content-length") {
        Some(header) => {
            let length = std::str::from_utf8(header.value)?.trim().parse()?;
            (body.len() >= length, length)
        }
        None => (body.ends_with(b"0\r\n\r\n"), body.len()),
    };
    if !is_whole {
        return Ok(None);
    }
    ensure!(is_ok, "refused: {}", String::from_utf8_lossy(answer));
    Ok(Some(&body[..length]))
}

/// Makes one call on a new connection, to find out whether a server answers.
pub fn once(address: SocketAddr, call: &Call) -> Result<()> {
    exchange(&mut std::net::TcpStream::connect(address)?, call).map(drop)
}

/// Makes one call on a connection, and returns the body of its response.
pub fn exchange(stream: &mut std::net::TcpStream, call: &Call) -> Result<String> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(&call.request)?;
    let mut answer = vec![];
    let mut buffer = [0; 16 * 1024];
    loop {
        let read = stream.read(&mut buffer)?;
        ensure!(read > 0, "the server closed the connection");
        answer.extend_from_slice(&buffer[..read]);
        if let Some(body) = whole_body(&answer)? {
            let body = String::from_utf8_lossy(body);
            ensure!(body.contains(call.expected), "unexpected answer: {body}");
            return Ok(body.into_owned());
        }
    }
}
