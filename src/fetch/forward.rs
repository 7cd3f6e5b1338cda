//! Requests for `http:` URLs through a proxy of HTTP.
//!
//! The client knows tunnels only (`CONNECT`), which most proxies allow for port 443 alone. A request
//! to a proxy is one to a server, except that its first line has the whole URL (RFC 9112, 3.2.2): so
//! the address is that of the proxy, and the line is changed as it is sent.

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// Resolves each URL to the address of the proxy.
#[derive(Debug)]
pub(super) struct ProxyAddress(pub(super) Uri);

impl Resolver for ProxyAddress {
    fn resolve(&self, _: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        DefaultResolver::default().resolve(&self.0, config, timeout)
    }
}

/// Makes requests name whole URLs.
#[derive(Debug)]
pub(super) struct AbsoluteForm;

impl<In: Transport> Connector<In> for AbsoluteForm {
    type Out = Forwarded<In>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let authority = details.uri.authority().ok_or(Error::ConnectionFailed)?;
        let origin = format!("http://{authority}");
        Ok(chained.map(|transport| Forwarded { transport, origin }))
    }
}

/// A connection to a proxy for the files of one server.
#[derive(Debug)]
pub(super) struct Forwarded<T> {
    transport: T,
    origin: String,
}

/// The start of each request: the only method is GET, and no request has a body.
const START: &[u8] = b"GET ";

impl<T: Transport> Transport for Forwarded<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.transport.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let buffer = self.transport.buffers().output();
        let mut amount = amount;
        if buffer.starts_with(b"GET /") {
            let (from, to) = (START.len(), START.len() + self.origin.len());
            amount += self.origin.len();
            if amount > buffer.len() {
                return Err(Error::LargeResponseHeader(amount, buffer.len()));
            }
            buffer.copy_within(from..amount - self.origin.len(), to);
            buffer[from..to].copy_from_slice(self.origin.as_bytes());
        }
        self.transport.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.transport.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.transport.is_open()
    }
}
