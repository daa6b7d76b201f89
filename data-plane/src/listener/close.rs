//! Closes a listening socket for good, without a connection that is opened and then reset.
//!
//! Linux resets what is in a socket's queue, and what comes between the last accept and the close. So new connections are
//! kept out first, by a filter on the socket that drops a client's first packet (SYN) and nothing else: handshakes that are
//! under way end and are accepted; a client whose first packet was dropped sends it again after a second, and is refused by
//! then, which makes it try another node.
//!
//! The filter belongs to the socket, not to a copy of it: it would cut off another process that has one, too.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use arc_swap::ArcSwap;
use socket2::{SockFilter, SockRef};
use tokio::time::sleep;

use crate::listener::OpenedBy;
use crate::listener::accept::{Cores, accept, accept_waiting};

/// Accepts until nothing can come any more, and closes the socket. Of one that is `shared` with another process, only what
/// waits in its queue is accepted.
pub(super) async fn close(
    socket: TcpListener,
    opened_by: &ArcSwap<OpenedBy>,
    cores: &Cores,
    shared: bool,
) {
    if shared {
        return accept_waiting(&socket, opened_by, cores).await;
    }
    match keep_new_ones_out(&socket).and_then(|()| socket.try_clone()) {
        Ok(copy) => accept(copy, opened_by, cores, sleep(HANDSHAKE)).await,
        Err(error) => {
            tracing::warn!(%error, "connections that are being opened to a closing listener may be reset");
        }
    }
    accept_waiting(&socket, opened_by, cores).await;
}

fn keep_new_ones_out(socket: &TcpListener) -> io::Result<()> {
    SockRef::from(socket).attach_filter(&FIRST_PACKETS_DROPPED)
}

/// How long a handshake may still take: the client's answer to an answer that was sent already.
const HANDSHAKE: Duration = Duration::from_millis(300);

// Classic BPF, as in linux/filter.h; the filter sees the packet from its TCP header on.
const LOAD_BYTE: u16 = 0x30;
const AND: u16 = 0x54;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
// RFC 9293, section 3.1: the control bits are the 14th byte of the header.
const CONTROL_BITS: u32 = 13;
const SYN: u32 = 0x02;
const ACK: u32 = 0x10;
const FIRST_PACKETS_DROPPED: [SockFilter; 5] = [
    SockFilter::new(LOAD_BYTE, 0, 0, CONTROL_BITS),
    SockFilter::new(AND, 0, 0, SYN | ACK),
    SockFilter::new(JUMP_IF_EQUAL, 0, 1, SYN),
    SockFilter::new(RETURN, 0, 0, 0),
    SockFilter::new(RETURN, 0, 0, u32::MAX),
];

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read as _, Write as _};
    use std::net::TcpStream;

    use socket2::{Domain, Socket, Type};
    use tokio::net::TcpListener as Acceptor;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn new_connections_are_kept_out_and_open_ones_go_on() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut client = TcpStream::connect(address).unwrap();
        keep_new_ones_out(&listener).unwrap();
        let (mut accepted, _) = listener.accept().unwrap();
        client.write_all(b"hello").unwrap();
        let mut heard = [0; 5];
        accepted.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"hello");
        let late = TcpStream::connect_timeout(&address, HANDSHAKE);
        assert_eq!(late.unwrap_err().kind(), ErrorKind::TimedOut);
    }

    // The client hears nothing for a while, so that its handshake is under way while the listener closes.
    #[tokio::test]
    async fn a_handshake_that_is_under_way_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        client.set_nonblocking(true).unwrap();
        client
            .attach_filter(&[SockFilter::new(RETURN, 0, 0, 0)])
            .unwrap();
        let _under_way = client.connect(&address.into());
        keep_new_ones_out(&listener).unwrap();
        client.detach_filter().unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = Acceptor::from_std(listener).unwrap();
        // The kernel says its part of the handshake again after a second.
        let accepted = timeout(Duration::from_secs(10), listener.accept()).await;
        accepted.unwrap().unwrap();
    }
}
