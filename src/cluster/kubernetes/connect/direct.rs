//! A TCP connection to the address of a pod.
//!
//! Nothing is looked up: the address comes from the API server. What does not come back within a moment counts as no
//! route, because networks drop what they do not carry; who says no is there and has been reached.

use super::Failure;
use crate::cluster::ClusterError;
use rustix::net::sockopt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;

/// How long a pod may take to accept a connection. The kernel repeats a lost packet after one second.
const PATIENCE: Duration = Duration::from_millis(2_500);
/// A silent connection is asked after this long whether its other end is still there, and then this often.
const QUIET: Duration = Duration::from_secs(30);
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// Connects, or says why not.
pub async fn open(address: SocketAddr) -> Result<TcpStream, Failure> {
    let opened = match tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await {
        Ok(connected) => connected.and_then(|stream| prepare(&stream).map(|()| stream)),
        Err(_) => Err(ErrorKind::TimedOut.into()),
    };
    opened.map_err(|error| failure(&error, address))
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, QUIET)?;
    Ok(sockopt::set_tcp_keepintvl(stream, ASK_AGAIN)?)
}

fn failure(error: &io::Error, address: SocketAddr) -> Failure {
    match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => {
            Failure::Other(ClusterError::Transient("the agent of the workspace does not accept connections yet".to_owned()))
        }
        ErrorKind::TimedOut => Failure::NoRoute(format!("{} does not answer from here", address.ip())),
        _ => Failure::NoRoute(format!("{} cannot be reached from here ({error})", address.ip())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_no_has_been_reached_and_silence_is_no_route() {
        let address = SocketAddr::from(([10, 1, 2, 3], 7681));
        assert!(matches!(failure(&ErrorKind::ConnectionRefused.into(), address), Failure::Other(ClusterError::Transient(_))));
        for kind in [ErrorKind::TimedOut, ErrorKind::HostUnreachable, ErrorKind::NetworkUnreachable, ErrorKind::PermissionDenied] {
            assert!(matches!(failure(&kind.into(), address), Failure::NoRoute(why) if why.contains("10.1.2.3")), "{kind:?}");
        }
    }
}
