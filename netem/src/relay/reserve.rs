//! Ports that are kept for a process which listens on them later, and again after a restart.
//!
//! A socket that is bound and does not listen keeps the kernel from giving its port to anybody who asks for any; a
//! process that asks for this one and allows address reuse, as servers do, gets it (Linux, socket(7), SO_REUSEADDR).

use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

use crate::error::{Doing, LabError};

/// A kept port.
#[derive(Debug)]
pub struct Reserved {
    /// The address with the port.
    pub address: SocketAddr,
    _socket: Socket,
}

impl Reserved {
    /// Keeps a free port of 127.0.0.1.
    ///
    /// # Errors
    /// None is free.
    pub fn port() -> Result<Reserved, LabError> {
        let doing = || "keep a free port of 127.0.0.1".to_string();
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).doing(doing)?;
        socket.set_reuse_address(true).doing(doing)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).doing(doing)?;
        let address = socket.local_addr().doing(doing)?.as_socket();
        let address =
            address.ok_or_else(|| LabError::Spec("a socket of IPv4 has another address".to_string()))?;
        Ok(Reserved { address, _socket: socket })
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_kept_port_can_be_listened_on_again_and_again() {
        let kept = Reserved::port().unwrap();
        for _start in 0..3 {
            let listener = TcpListener::bind(kept.address).unwrap();
            assert!(std::net::TcpStream::connect(kept.address).is_ok());
            drop(listener);
        }
        assert!(std::net::TcpStream::connect(kept.address).is_err(), "nobody listens");
    }
}
