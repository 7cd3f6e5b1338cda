//! One request for a file, with the redirects that it leads to.

use std::io;
use std::time::Duration;

use ureq::http::header::{self, HeaderMap, HeaderName};
use ureq::http::{Response, StatusCode};
use ureq::{Body, Error as HttpError, RequestBuilder};

use super::client::{Client, Connections};
use super::date;
use super::failure::Failure;
use super::url::{Login, Remote};
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::shown;

/// The most redirects of one request.
const MAX_REDIRECTS: usize = 10;

/// The reason for which an attempt failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// Another attempt may succeed, after this time if the server states one.
    Again { why: String, wait: Option<Duration> },
    /// No other attempt for this URL helps.
    Failure(Failure),
}

impl Fault {
    pub(super) fn again(why: impl Into<String>) -> Self {
        Self::Again { why: why.into(), wait: None }
    }

    pub(super) fn failed(why: impl Into<String>) -> Self {
        Self::Failure(Failure::Failed(why.into()))
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Failure(Failure::Final(error))
    }
}

/// The part of a file that is requested.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// The first byte that is missing.
    pub(super) start: u64,
    /// The validator of the file that the bytes before are of.
    pub(super) validator: Option<String>,
}

/// A request for a file.
pub(super) struct Attempt<'a> {
    pub(super) client: &'a Client,
    pub(super) cancel: &'a Interrupt,
    pub(super) part: &'a Part,
}

impl Attempt<'_> {
    /// Sends the request, and follows redirects to the response which has the file, or a part of it.
    pub(super) fn send(&self, url: &Remote) -> Result<Response<Body>, Fault> {
        let mut at = url.clone();
        let mut before = Vec::new();
        loop {
            self.cancel.check()?;
            let response = self.request(&at)?;
            if !is_redirect(response.status()) {
                return self.checked(&at, response);
            }
            let location = text(response.headers(), &header::LOCATION);
            let Some(location) = location else {
                return Err(Fault::failed(format!("{}: a redirect without a Location", named(&at))));
            };
            before.push(at);
            let from = &before[before.len() - 1];
            let target = from.redirected(location);
            at = target
                .map_err(|why| Fault::failed(format!("{}: {why} ({})", named(from), quoted(location))))?;
            if at.is_same_origin(url) {
                at.login.clone_from(&url.login);
            }
            if before.contains(&at) {
                return Err(Fault::failed(format!(
                    "{}: redirects lead in a circle, to {}",
                    named(url),
                    named(&at)
                )));
            }
            if before.len() > MAX_REDIRECTS {
                let more = format!(
                    "{}: more than {MAX_REDIRECTS} redirects, the last to {}",
                    named(url),
                    named(&at)
                );
                return Err(Fault::failed(more));
            }
        }
    }

    fn request(&self, url: &Remote) -> Result<Response<Body>, Fault> {
        let Connections { agent, proxy_login } = self.client.connections(url)?;
        let mut request = agent.get(url.to_string());
        if let Some(login) = self.client.credentials().login(url) {
            request = with_login(request, &header::AUTHORIZATION, login);
        }
        if let Some(login) = &proxy_login {
            request = with_login(request, &header::PROXY_AUTHORIZATION, login);
        }
        if self.part.start > 0 {
            request = request.header(header::RANGE, format!("bytes={}-", self.part.start));
            if let Some(validator) = &self.part.validator {
                request = request.header(header::IF_RANGE, validator);
            }
        }
        request.call().map_err(|error| fault(url, error))
    }

    /// Returns the response if it has bytes of the file.
    fn checked(&self, url: &Remote, response: Response<Body>) -> Result<Response<Body>, Fault> {
        let status = response.status();
        let line = format!("{}: {status}", named(url));
        Err(match status.as_u16() {
            200 => return Ok(response),
            206 if self.part.start > 0 => return Ok(response),
            // The file is shorter than what is there already: it is another one.
            416 if self.part.start > 0 => return Ok(response),
            404 | 410 => Fault::Failure(Failure::Missing(line)),
            401 | 403 => Fault::failed(line + &self.advice(url)),
            407 => Fault::failed(
                line + "; the URL of the proxy can have a login, as in http://NAME:PASSWORD@HOST:PORT",
            ),
            408 | 425 | 429 | 500 | 502..=504 => {
                Fault::Again { why: line, wait: retry_after(response.headers()) }
            }
            _ => Fault::failed(line),
        })
    }

    fn advice(&self, url: &Remote) -> String {
        let credentials = self.client.credentials();
        let mut advice = match credentials.login(url) {
            Some(login) => format!("; it was sent the login {}", quoted(&login.name)),
            None => format!("; no login for it is in auth.conf or netrc (machine {})", quoted(&url.origin())),
        };
        for path in credentials.unreadable() {
            advice += &format!("; {} cannot be read", shown::path(path));
        }
        advice
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn with_login<Any>(request: RequestBuilder<Any>, name: &HeaderName, login: &Login) -> RequestBuilder<Any> {
    let Login { name: user, password } = login;
    request.header(name, format!("Basic {}", base64(format!("{user}:{password}").as_bytes())))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let at = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4 {
            let value = (bits >> (18 - 6 * digit)) & 63;
            text.push(if digit <= group.len() { char::from(DIGITS[value as usize]) } else { '=' });
        }
    }
    text
}

/// Returns the text of a header.
pub(super) fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// Returns the time that a server asks to wait: seconds, or a date after that of the response.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text_of = |name| text(headers, &name);
    let after = text_of(header::RETRY_AFTER)?.trim();
    let seconds = match after.parse() {
        Ok(seconds) => seconds,
        Err(_) => {
            let span = date::parse(after)?.checked_sub(date::parse(text_of(header::DATE)?)?)?;
            u64::try_from(span).unwrap_or(0)
        }
    };
    Some(Duration::from_secs(seconds))
}

/// Returns a URL for messages.
pub(super) fn named(url: &Remote) -> String {
    shown::name(url.to_string().as_ref()).to_string()
}

fn quoted(text: &str) -> String {
    shown::name(text.as_ref()).to_string()
}

/// Returns the fault of a request without a response.
fn fault(url: &Remote, error: HttpError) -> Fault {
    let why = |text: String| format!("{}: {text}", named(url));
    match error {
        HttpError::Timeout(timeout) => Fault::again(why(stalled(timeout))),
        HttpError::Io(error) => of_io(why(error.to_string()), &error),
        HttpError::HostNotFound => Fault::failed(why("the host has no address".to_owned())),
        HttpError::ConnectionFailed => Fault::again(why("it cannot be connected to".to_owned())),
        HttpError::Protocol(error) => Fault::again(why(format!("the answer is not HTTP: {error}"))),
        HttpError::ConnectProxyFailed(text) => {
            Fault::failed(why(format!("the proxy makes no tunnel: {text}")))
        }
        HttpError::Rustls(error) => Fault::failed(why(untrusted(&error))),
        error => Fault::failed(why(error.to_string())),
    }
}

/// Returns the fault of a connection that failed. TLS reports its own errors as those of the
/// connection.
fn of_io(why: String, error: &io::Error) -> Fault {
    if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return Fault::failed(why.replace(&error.to_string(), &untrusted(error)));
    }
    match error.kind() {
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported => Fault::failed(why),
        _ => Fault::again(why),
    }
}

fn untrusted(error: &rustls::Error) -> String {
    let hint = match error {
        rustls::Error::InvalidCertificate(_) => "; SSL_CERT_FILE names a file of the authorities to trust",
        _ => "",
    };
    format!("TLS: {error}{hint}")
}

/// Returns the text of a timeout.
pub(super) fn stalled(timeout: ureq::Timeout) -> String {
    match timeout {
        ureq::Timeout::Resolve => "its name was not resolved in time".to_owned(),
        ureq::Timeout::Connect => "no connection in time".to_owned(),
        ureq::Timeout::RecvResponse => "no answer in time".to_owned(),
        _ => "it stalled".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_in_base64() {
        for (text, encoded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("fooba\u{ff}", "Zm9vYmHDvw==")]
        {
            assert_eq!(base64(text.as_bytes()), encoded);
        }
    }

    #[test]
    fn servers_state_a_pause_in_seconds_or_by_date() {
        let pause = |after: &str, date: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, after.parse().expect("a header"));
            if let Some(date) = date {
                headers.insert(header::DATE, date.parse().expect("a header"));
            }
            retry_after(&headers).map(|pause| pause.as_secs())
        };
        let (now, then) = ("Sat, 28 Nov 2026 08:25:00 GMT", "Sat, 28 Nov 2026 08:25:07 GMT");
        assert_eq!(pause("3", None), Some(3));
        assert_eq!(pause(then, Some(now)), Some(7));
        assert_eq!(pause(now, Some(then)), Some(0));
        assert_eq!(pause(then, None), None);
        assert_eq!(pause("soon", Some(now)), None);
    }
}
