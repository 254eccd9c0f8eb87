//! The API under load: the daemon as it is installed, asked by many at once over connections that stay open.

use std::io::{self, Write as _, stdout};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use switchyard::app::platform_users::{self, UserInput};
use switchyard::app::tenants;
use switchyard::domain::page::PageRequest;
use switchyard::domain::query::TenantQuery;
use tokio::task::JoinSet;

use super::box_of_tenants::{EXTENSIONS, Shadow, open, platform};
use super::connection::Connection;
use super::daemon::Daemon;
use super::pbx::open_directory;
use super::times::ms;
use super::{Outcome, own_process};

/// At the same time.
const CONNECTIONS: usize = 16;
/// How many tenants each connection goes on by with each request, where it asks in all of them: no divisor of their number, so
/// that it comes to every one.
const STRIDE: usize = 61;
const WARM_UP: Duration = Duration::from_secs(2);
const MEASURED: Duration = Duration::from_secs(8);
const ROUNDS: usize = 3;
/// So many pages of the platform's list are asked for, one after the other.
const PAGES: usize = 500;
const PASSWORD: &str = "quince medlar sloe";
/// Of each tenant.
const USERS: usize = 3;

pub fn measure(tenants: &str) -> Outcome<()> {
    let directory = open_directory()?;
    let count: usize = tenants.parse()?;
    writeln!(
        stdout(),
        "{count} tenants of {EXTENSIONS} extensions and {USERS} users each, on SQLite; the generator is part of this \
         program, in a process of its own on the same cores"
    )?;
    let path = directory.path().display().to_string();
    own_process(&["make", &path, tenants])?;
    own_process(&["people", &path])?;
    own_process(&["asked", &path])
}

/// Gives each tenant people, of whom some sign in by password, and the platform a manager.
pub async fn people(directory: &Path) -> Outcome<()> {
    let app = open(directory, Shadow::Never).await?.parts.app;
    let manager = UserInput {
        platform_manager: Some(true),
        ..person("manager")
    };
    platform_users::create(&app, &platform(), manager).await?;
    let mut query = TenantQuery::default();
    let mut made = 0;
    loop {
        let page = tenants::list(&app, &platform(), &query).await?;
        let last = page.request.page() >= page.last_page();
        for found in page.items {
            let owner = UserInput {
                tenant_id: Some(found.tenant.id.to_string()),
                role: Some("owner".to_owned()),
                ..person(&format!("owner{made}"))
            };
            if made < CONNECTIONS {
                platform_users::create(&app, &platform(), owner).await?;
            }
            for other in 0..USERS {
                let invited = UserInput {
                    tenant_id: Some(found.tenant.id.to_string()),
                    password: None,
                    invite: Some(true),
                    ..person(&format!("user{made}x{other}"))
                };
                platform_users::create(&app, &platform(), invited).await?;
            }
            made += 1;
        }
        if last {
            return Ok(());
        }
        query.page = PageRequest::new(query.page.page() + 1, query.page.per_page()).unwrap_or_default();
    }
}

/// Who signs in by password.
pub fn person(name: &str) -> UserInput {
    UserInput {
        name: Some(name.to_owned()),
        email: Some(format!("{name}@example.com")),
        password: Some(PASSWORD.into()),
        ..UserInput::default()
    }
}

/// Starts the daemon on it and asks.
pub async fn asked(directory: &Path) -> Outcome<()> {
    let daemon = Daemon::start(directory, Shadow::Never).await?;
    let address = daemon.address().to_owned();
    let mut tokens = Vec::new();
    for place in 0..CONNECTIONS {
        tokens.push(sign_in(&address, &format!("owner{place}@example.com")).await?);
    }
    let of_each = |path| tokens.iter().map(|token| vec![get(path, token, "")]).collect();
    at_once(&address, of_each(HEALTH), &NOTHING).await?;
    at_once(&address, of_each(PAGE), &BY_OWNERS).await?;
    let manager = sign_in(&address, "manager@example.com").await?;
    let everywhere = everywhere(&address, &manager).await?;
    at_once(&address, everywhere, &BY_THE_MANAGER).await?;
    for path in [
        "/api/v1/platform/tenants?per_page=25",
        "/api/v1/platform/tenants?per_page=25&sort=-extensions",
        "/api/v1/platform/tenants?per_page=25&sort=-owner",
        "/api/v1/platform/tenants?per_page=25&sort=-users",
        "/api/v1/platform/tenants?per_page=25&sort=-last_activity",
        "/api/v1/platform/tenants?per_page=100&page=5",
    ] {
        pages(&address, &manager, path).await?;
    }
    let (before, most) = (daemon.memory("VmRSS")?, daemon.memory("VmHWM")?);
    writeln!(
        stdout(),
        "memory of the daemon: {before} kB now, {most} kB at most"
    )?;
    daemon.stop().await
}

/// For each connection a page of every tenant's extensions, each at another place of the same round.
async fn everywhere(address: &str, manager: &str) -> Outcome<Vec<Vec<Vec<u8>>>> {
    let mut connection = Connection::open(address).await?;
    let mut requests = Vec::new();
    for page in 1.. {
        let path = format!("/api/v1/platform/tenants?sort=id&per_page=100&page={page}");
        let body = connection.ask(&get(&path, manager, "")).await?;
        let tenants = list(&body).ok_or("no list of tenants")?;
        for tenant in tenants {
            let id = tenant
                .get("id")
                .and_then(Value::as_str)
                .ok_or("a tenant without an id")?;
            let enters = format!("X-Operate-As-Tenant: {id}\r\n");
            requests.push(get(PAGE, manager, &enters));
        }
        if tenants.len() < 100 {
            break;
        }
    }
    let count = requests.len();
    let of = |place| {
        let turns = (0..count).map(|turn| (place * count / CONNECTIONS + turn * STRIDE) % count);
        turns.filter_map(|at| requests.get(at).cloned()).collect()
    };
    Ok((0..CONNECTIONS).map(of).collect())
}

/// What is asked of all connections at once, and what its answer must be.
struct Asked {
    path: &'static str,
    by: &'static str,
    is_right: fn(&Value) -> bool,
}

const HEALTH: &str = "/healthz";
const PAGE: &str = "/api/v1/extensions?per_page=25";

/// What the server and the generator take where nobody is authorised and no database asked.
const NOTHING: Asked = Asked {
    path: HEALTH,
    by: "of nobody, for comparison",
    is_right: Value::is_object,
};

const BY_OWNERS: Asked = Asked {
    path: PAGE,
    by: "each of another tenant's owner",
    is_right: is_a_page,
};

const BY_THE_MANAGER: Asked = Asked {
    path: PAGE,
    by: "of a platform manager, who enters another tenant with each request, all of them in turn",
    is_right: is_a_page,
};

fn is_a_page(body: &Value) -> bool {
    list(body).is_some_and(|items| items.len() == 25)
        && body.pointer("/meta/total") == Some(&json!(EXTENSIONS))
}

/// Each connection sends its own requests, one after the other, and begins again behind the last.
async fn at_once(address: &str, requests: Vec<Vec<Vec<u8>>>, asked: &Asked) -> Outcome<()> {
    let (path, by, is_right) = (asked.path, asked.by, asked.is_right);
    writeln!(stdout(), "GET {path}, {CONNECTIONS} connections, {by}")?;
    for _ in 0..ROUNDS {
        let mut asking = JoinSet::new();
        let begun = Instant::now();
        for requests in requests.clone() {
            let address = address.to_owned();
            asking.spawn(async move {
                let mut connection = Connection::open(&address).await?;
                if let Some(first) = requests.first() {
                    let body = connection.ask(first).await?;
                    if !is_right(&body) {
                        return Err(io::Error::other(format!("another answer than expected: {body}")));
                    }
                }
                let mut times = Vec::new();
                for request in requests.iter().cycle() {
                    if begun.elapsed() >= WARM_UP + MEASURED {
                        break;
                    }
                    let sent = Instant::now();
                    connection.send(request).await?;
                    let took = sent.elapsed();
                    if sent.duration_since(begun) >= WARM_UP {
                        times.push(took);
                    }
                }
                Ok(times)
            });
        }
        let mut times = Vec::new();
        while let Some(ended) = asking.join_next().await {
            times.extend(ended??);
        }
        let rate = u32::try_from(times.len())? / u32::try_from(MEASURED.as_secs())?;
        writeln!(stdout(), "  {rate} requests a second; {}", shares(&mut times))?;
    }
    Ok(())
}

async fn pages(address: &str, token: &str, path: &str) -> Outcome<()> {
    let request = get(path, token, "");
    let mut connection = Connection::open(address).await?;
    let mut times = Vec::new();
    for _ in 0..PAGES {
        let begun = Instant::now();
        let body = connection.ask(&request).await?;
        times.push(begun.elapsed());
        if list(&body).is_none_or(Vec::is_empty) {
            return Err(format!("no tenants: {body}").into());
        }
    }
    writeln!(stdout(), "GET {path}, {PAGES} times\n  {}", shares(&mut times))?;
    Ok(())
}

/// The middle one, the one that one in a hundred is longer than, and the longest.
pub fn shares(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 1000).copied().unwrap_or_default();
    let longest = times.last().copied().unwrap_or_default();
    format!(
        "half within {}, 99 % within {}, the longest {}",
        ms(at(500)),
        ms(at(990)),
        ms(longest)
    )
}

fn list(body: &Value) -> Option<&Vec<Value>> {
    body.get("data")?.as_array()
}

pub async fn sign_in(address: &str, email: &str) -> Outcome<String> {
    let body = json!({"email": email, "password": PASSWORD}).to_string();
    let request = request("POST", "/api/v1/auth/user-login", "", &body);
    let answer = Connection::open(address).await?.ask(&request).await?;
    let token = answer
        .get("token")
        .and_then(Value::as_str)
        .ok_or_else(|| format!("not signed in: {answer}"))?;
    Ok(token.to_owned())
}

/// `more`: further headers, each with its line end.
pub fn get(path: &str, token: &str, more: &str) -> Vec<u8> {
    request(
        "GET",
        path,
        &format!("Authorization: Bearer {token}\r\n{more}"),
        "",
    )
}

pub fn request(method: &str, path: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
