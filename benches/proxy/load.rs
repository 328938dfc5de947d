//! Requests over a few kept-open connections.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::Result;

/// Connections in use at once: the worker always has another request waiting.
const CONNECTIONS: usize = 8;
/// Longest wait for a reply.
const PATIENCE: Duration = Duration::from_secs(30);

/// A stream of requests to one listener, which goes on where it stopped.
pub struct Load<'a> {
    connections: Vec<Connection>,
    requests: &'a [Vec<u8>],
    expected: u16,
    sent: usize,
}

impl<'a> Load<'a> {
    /// Opens the connections. Requests are taken in order, again from the first at the end.
    pub fn open(address: SocketAddr, requests: &'a [Vec<u8>], expected: u16) -> Result<Self> {
        let open = |_| Connection::open(address);
        let connections = (0..CONNECTIONS).map(open).collect::<Result<_>>()?;
        Ok(Self { connections, requests, expected, sent: 0 })
    }

    /// Sends the next `count` requests. The first reply of another status than expected is an
    /// error.
    pub fn send(&mut self, count: usize) -> Result<()> {
        let start = self.sent.checked_rem(self.requests.len()).ok_or("there are no requests")?;
        let mut pending = self.requests.iter().cycle().skip(start).take(count);
        loop {
            let mut flight = 0;
            // `zip` asks the connections first, so that a full flight takes no request too many.
            for (connection, request) in self.connections.iter_mut().zip(pending.by_ref()) {
                connection.stream.write_all(request)?;
                flight += 1;
            }
            if flight == 0 {
                return Ok(());
            }
            for connection in self.connections.iter_mut().take(flight) {
                self.sent += 1;
                let status = connection.receive()?;
                if status != self.expected {
                    let (number, expected) = (self.sent, self.expected);
                    let reply = String::from_utf8_lossy(&connection.reply);
                    let text = format!("request {number}: {status}, not {expected}:\n{reply}");
                    return Err(text.into());
                }
            }
        }
    }
}

/// A client connection with at most one request in flight.
pub struct Connection {
    stream: TcpStream,
    reply: Vec<u8>,
}

impl Connection {
    /// Connects to `address`.
    pub fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, reply: Vec::new() })
    }

    /// Sends one request, reads until the server closes, and returns the whole reply.
    pub fn exchange(mut self, request: &[u8]) -> Result<String> {
        self.stream.write_all(request)?;
        self.stream.read_to_end(&mut self.reply)?;
        Ok(String::from_utf8_lossy(&self.reply).into_owned())
    }

    /// Reads one reply and returns its status.
    fn receive(&mut self) -> Result<u16> {
        self.reply.clear();
        let mut chunk = [0; 4096];
        loop {
            let read = self.stream.read(&mut chunk)?;
            self.reply.extend_from_slice(chunk.get(..read).unwrap_or_default());
            if let Some(status) = complete(&self.reply) {
                return Ok(status);
            }
            if read == 0 {
                let reply = String::from_utf8_lossy(&self.reply);
                return Err(format!("the connection ended inside a reply:\n{reply}").into());
            }
        }
    }
}

/// The status of `reply` once its head and as many bytes as `content-length` says are there.
fn complete(reply: &[u8]) -> Option<u16> {
    let end = reply.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(reply.get(..end)?).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let length = lines
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(Some(0), |(_, value)| value.parse::<usize>().ok())?;
    (reply.len() >= end.checked_add(4)?.checked_add(length)?).then_some(status)
}
