//! The connections to servers and proxies.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::transport::{Connector as _, TcpConnector};
use ureq::{Agent, Proxy};

use super::credentials::Credentials;
use super::forward::{AbsoluteForm, ProxyAddress};
use super::options::{FetchOptions, Retries};
use super::proxy;
use super::url::{self, Login, Remote, Url};
use crate::error::{Error, ErrorKind, Result};
use crate::shown;

/// The name of the client in requests.
const USER_AGENT: &str = concat!("rootcast/", env!("CARGO_PKG_VERSION"));

/// The connections of a run, shared by its threads.
pub(super) struct Client {
    options: FetchOptions,
    agents: Mutex<BTreeMap<Route, Agent>>,
}

/// The properties of a URL that decide about the connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Route {
    https: bool,
    proxy: Option<String>,
    /// The number of the client certificate.
    certificate: Option<usize>,
}

/// The connections for a URL.
pub(super) struct Connections {
    pub(super) agent: Agent,
    /// The login for the proxy that the request has to state.
    pub(super) proxy_login: Option<Login>,
}

impl Client {
    pub(super) fn new(options: FetchOptions) -> Result<Self> {
        for proxy in options.proxies.iter().filter_map(|rule| rule.proxy.as_deref()) {
            Proxy::new(proxy).map_err(|_| unusable(proxy))?;
        }
        Ok(Self { options, agents: Mutex::default() })
    }

    pub(super) fn credentials(&self) -> &Credentials {
        &self.options.credentials
    }

    pub(super) fn retries(&self) -> &Retries {
        &self.options.retries
    }

    /// Returns the connections for a URL.
    ///
    /// # Errors
    /// If a file of certificates cannot be used.
    pub(super) fn connections(&self, url: &Remote) -> Result<Connections> {
        let proxy = proxy::of(&self.options.proxies, url).map(str::to_owned);
        let certificates = &self.options.client_certificates;
        let is_for =
            |host: &Option<String>| host.as_ref().is_none_or(|host| host.eq_ignore_ascii_case(&url.host));
        let certificate = certificates.iter().position(|certificate| is_for(&certificate.host));
        let route = Route { https: url.https, proxy, certificate: certificate.filter(|_| url.https) };
        let proxy_login = match &route.proxy {
            Some(proxy) if is_forwarded(&route) => match Url::parse(&with_scheme(proxy)) {
                Ok(Url::Remote(proxy)) => proxy.login,
                _ => None,
            },
            _ => None,
        };
        // Agents are whole when they are inserted.
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(agent) = agents.get(&route) {
            return Ok(Connections { agent: agent.clone(), proxy_login });
        }
        let agent = self.agent(&route)?;
        agents.insert(route, agent.clone());
        Ok(Connections { agent, proxy_login })
    }

    /// Ends all connections, also those that other threads wait for.
    pub(super) fn shut_down(&self) {
        let agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        agents.values().for_each(|agent| agent.clone().shutdown());
    }

    fn agent(&self, route: &Route) -> Result<Agent> {
        let Retries { stall, .. } = self.options.retries;
        let connections = self.options.connections.get();
        let mut config = Config::builder()
            // Those of the environment are among the options.
            .proxy(None)
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(USER_AGENT)
            .accept_encoding("identity")
            .max_idle_connections(connections.saturating_mul(2))
            .max_idle_connections_per_host(connections)
            .timeout_resolve(Some(stall))
            .timeout_connect(Some(stall))
            .timeout_send_request(Some(stall))
            .timeout_recv_response(Some(stall))
            .timeout_per_read(Some(stall));
        if route.https || route.proxy.as_deref().is_some_and(|proxy| proxy.starts_with("https:")) {
            let certificate = route.certificate.map(|number| &self.options.client_certificates[number]);
            config = config.tls_config(super::tls::config(&self.options.roots, certificate)?);
        }
        let Some(proxy) = &route.proxy else { return Ok(config.build().new_agent()) };
        if is_forwarded(route) {
            let address: Uri = with_scheme(proxy).parse().map_err(|_| unusable(proxy))?;
            let connector = ().chain(TcpConnector::default()).chain(AbsoluteForm);
            return Ok(Agent::with_parts(config.build(), connector, ProxyAddress(address)));
        }
        let proxy = Proxy::new(proxy).map_err(|_| unusable(proxy))?;
        Ok(config.proxy(Some(proxy)).build().new_agent())
    }
}

/// Returns true if requests name whole URLs to the proxy. Others are sent through a tunnel.
fn is_forwarded(route: &Route) -> bool {
    let is_http = |proxy: &str| !proxy.contains("://") || proxy.starts_with("http://");
    !route.https && route.proxy.as_deref().is_some_and(is_http)
}

/// Returns the URL of a proxy of which the scheme may be left out.
fn with_scheme(proxy: &str) -> String {
    if proxy.contains("://") { proxy.to_owned() } else { format!("http://{proxy}") }
}

fn unusable(proxy: &str) -> Error {
    let shown = url::without_login(&with_scheme(proxy));
    let message = format!(
        "the proxy {} is not a URL such as http://HOST:PORT (http, https and socks5 are supported)",
        shown::name(shown.as_ref())
    );
    Error::new(ErrorKind::Usage, message)
}
