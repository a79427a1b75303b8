//! Binds all ports before anything else happens; when one is in use, says which and by whom.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};

use thiserror::Error;
use tokio::net::{TcpListener, lookup_host};

/// A port that cannot be had.
#[derive(Debug, Error)]
pub enum PortError {
    /// The address means nothing here.
    #[error("{what} port: {address} is not an address of this host: {source}")]
    Address {
        /// Which port.
        what: &'static str,
        /// host:port.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// Somebody else has it.
    #[error("{what} port: {address} is in use by {holder}; stop it or set {key}")]
    InUse {
        /// Which port.
        what: &'static str,
        /// Address.
        address: SocketAddr,
        /// Process id and name, as far as this user may see.
        holder: String,
        /// What to change.
        key: &'static str,
    },
    /// Another reason.
    #[error("{what} port: cannot listen on {address}: {source}")]
    Bind {
        /// Which port.
        what: &'static str,
        /// Address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// Binds `address` (host:port); `what` and `key` name the port in messages.
///
/// # Errors
/// [`PortError`]
pub async fn bind(what: &'static str, key: &'static str, address: &str) -> Result<TcpListener, PortError> {
    let unknown = |source| PortError::Address { what, address: address.to_owned(), source };
    let resolved = lookup_host(address).await.map_err(unknown)?.next();
    let nothing = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let address = resolved.ok_or_else(nothing).map_err(unknown)?;
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => PortError::InUse { what, address, holder: holder(address), key },
        _ => PortError::Bind { what, address, source },
    })
}

/// Who listens on this address.
fn holder(address: SocketAddr) -> String {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    let inode = tables.iter().find_map(|table| listening_inode(table, address));
    match inode.and_then(process_with_socket) {
        Some((pid, name)) => format!("process {pid} ({name})"),
        None => "a process that this user may not see".to_owned(),
    }
}

/// The inode of the socket that listens on the address, or on all addresses of its port, in a table as
/// `/proc/net/tcp` has it: fields 1 (local address, hexadecimal, in host byte order), 3 (state, 0A: listening), 9.
fn listening_inode(table: &str, address: SocketAddr) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (ip, port) = fields.get(1)?.split_once(':')?;
        let same_port = u16::from_str_radix(port, 16).is_ok_and(|port| port == address.port());
        let listening = *fields.get(3)? == "0A";
        let same_ip = ip.bytes().all(|digit| digit == b'0') || ip == kernel_form(address.ip());
        (same_port && listening && same_ip).then(|| fields.get(9)?.parse().ok())?
    })
}

fn kernel_form(ip: IpAddr) -> String {
    let word = |bytes: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(bytes));
    match ip {
        IpAddr::V4(ip) => word(ip.octets()),
        IpAddr::V6(ip) => ip.octets().as_chunks::<4>().0.iter().map(|chunk| word(*chunk)).collect(),
    }
}

/// The process that has the socket with this inode open.
fn process_with_socket(inode: u64) -> Option<(u32, String)> {
    let wanted = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").ok()?;
    let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut pids = pids.filter(|pid| {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        open.filter_map(|entry| fs::read_link(entry.path()).ok())
            .any(|link| link.as_os_str() == wanted.as_str())
    });
    let pid = pids.next()?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some((pid, name.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_in_use_names_its_holder() {
        let first = bind("Raft", "ports.raft", "127.0.0.1:0").await.unwrap();
        let address = first.local_addr().unwrap();
        let error = bind("gRPC", "ports.grpc", &address.to_string()).await.unwrap_err().to_string();
        let me = std::process::id();
        let expected = format!("gRPC port: {address} is in use by process {me} (");
        assert!(error.starts_with(&expected) && error.ends_with("set ports.grpc"), "{error}");
    }

    #[tokio::test]
    async fn a_foreign_address_is_named() {
        let error = bind("HTTP", "ports.http", "192.0.2.1:8080").await.unwrap_err().to_string();
        assert!(error.starts_with("HTTP port: cannot listen on 192.0.2.1:8080"), "{error}");
        let error = bind("HTTP", "ports.http", "nonsense").await.unwrap_err().to_string();
        assert!(error.contains("nonsense is not an address"), "{error}");
    }

    #[test]
    fn the_kernels_table_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1\n\
             1: 00000000:C383 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4712 1\n\
             2: 0100007F:0050 0200007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 4713 1\n";
        let inode = |address: &str| listening_inode(table, address.parse().unwrap());
        assert_eq!(inode("127.0.0.1:8080"), cfg!(target_endian = "little").then_some(4711));
        assert_eq!(inode("10.1.2.3:50051"), Some(4712));
        assert_eq!(inode("127.0.0.1:80"), None, "a connection does not listen");
        assert_eq!(inode("127.0.0.2:8080"), None);
    }
}
