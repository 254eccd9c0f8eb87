//! Users and contexts as FusionPBX's Lua handler makes them of its tables, with its cache in between.
//!
//! Read in versions 5.4.4, 5.5.7 and after, and simulated here:
//! - A user is looked for in the cache first, under the name that was asked for. What is **not** found is never cached.
//! - The domain is the last row of this `domain_name`, letters and all; then its `domain_enabled` and the extension's
//!   `enabled` must be true, and `extension` or `number_alias` be the name. Of several rows the last one that PostgreSQL
//!   happens to give counts, for there is no order.
//! - What was made is cached under `number_alias` (where there is one) and under `extension`.
//! - `v_extension_settings` are taken by `extension_uuid` and `extension_setting_enabled` alone, in no order: those of type
//!   `param` become params behind all others, `variable` variables. Other types are passed over.
//! - NULL is the empty text wherever it stands. So an extension with a password of NULL is served, with an empty one.
//! - Values are cleaned of `$` and escaped, but for `&`; the password and the dial string are not touched at all.
//! - A context is all enabled `v_dialplans` of this `dialplan_context`, and but for `public` (and names with an `@`) those of
//!   `${domain_name}` and `global` too, on this host or any, by `dialplan_order`. Neither the row's domain nor whether it is
//!   enabled matters. Details rows are not read. A context without a row is not cached.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, PgPool, Row as _};

use super::cache::Cache;
use super::gate::Gate;
use super::served::{self, Served};

/// Under which keys the cache has users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keys {
    #[default]
    Plain,
    /// As version 5.5.7 does: the host's name stands before.
    WithHostname,
}

/// How often rows are read again that got too old on the way.
const TRIES: usize = 20;

/// What stands for a setting that is not there.
const NO_SETTING: &str = "(none)";

/// The handler.
#[derive(Debug)]
pub struct Fusion {
    pool: PgPool,
    pub cache: Cache,
    /// Between an extension's row and its settings, which are two statements.
    pub halfway: Gate,
    keys: Keys,
    hostname: String,
    /// Whether booleans are text here, as until version 5.4.
    text: bool,
}

/// A row of texts, NULL being the empty one.
type Texts = Vec<(String, String)>;

impl Fusion {
    pub async fn new(pool: PgPool, keys: Keys, hostname: &str) -> Self {
        let kind = "select data_type::text from information_schema.columns \
                    where table_schema = current_schema() and table_name = 'v_extensions' and column_name = 'enabled'";
        let kind: String = sqlx::query_scalar(kind).fetch_one(&pool).await.unwrap();
        Self {
            pool,
            cache: Cache::default(),
            halfway: Gate::default(),
            keys,
            hostname: hostname.to_owned(),
            text: kind == "text",
        }
    }

    /// The key of a user.
    pub fn user_key(&self, user: &str, domain: &str) -> String {
        let prefix = match self.keys {
            Keys::Plain => String::new(),
            Keys::WithHostname => format!("{}:", self.hostname),
        };
        format!("{prefix}directory:{user}@{domain}")
    }

    /// The document for a user, or none.
    pub async fn user(&self, user: &str, domain: &str) -> Option<String> {
        if user.is_empty() || user == "*97" {
            return None;
        }
        if let Some(cached) = self.cache.get(&self.user_key(user, domain)) {
            return Some(cached);
        }
        let mut found = None;
        for _ in 0..TRIES {
            let at = Instant::now();
            let (served, was_held) = self.read_user(user, domain).await?;
            let read = self.cache.pause(at).await.or_held(was_held);
            let keys = [&served.number, &served.extension].map(|name| self.user_key(name, domain));
            let xml = served.xml();
            let written = self.cache.put(&keys, &xml, read);
            found = Some(xml);
            if written {
                break;
            }
        }
        found
    }

    async fn read_user(&self, user: &str, domain: &str) -> Option<(Served, bool)> {
        let domains = self
            .rows("v_domains", &["domain_uuid"], "domain_name = $1", &[domain])
            .await;
        let domain_uuid = get(domains.last()?, "domain_uuid").to_owned();
        let of_domain = [domain_uuid.as_str(), user];
        let extensions = self
            .rows(
                "v_extensions",
                served::COLUMNS,
                "domain_uuid = $1::uuid and (extension = $2 or number_alias = $2) and enabled = 'true' and exists ( \
                   select 1 from v_domains d where d.domain_uuid = t.domain_uuid and d.domain_enabled = 'true')",
                &of_domain,
            )
            .await;
        let row = extensions.last()?.clone();
        let uuid = get(&row, "extension_uuid").to_owned();
        let number_alias = get(&row, "number_alias").to_owned();
        let was_held = self.halfway.pass(Duration::ZERO).await;
        let settings = self
            .rows(
                "v_extension_settings",
                &[
                    "extension_setting_type",
                    "extension_setting_name",
                    "extension_setting_value",
                ],
                "extension_uuid = $1::uuid and extension_setting_enabled = 'true'",
                &[&uuid],
            )
            .await;
        let box_id = if number_alias.is_empty() {
            user
        } else {
            &number_alias
        };
        let boxes = self
            .rows(
                "v_voicemails",
                &[
                    "voicemail_enabled",
                    "voicemail_password",
                    "voicemail_mail_to",
                    "voicemail_attach_file",
                    "voicemail_local_after_email",
                ],
                "domain_uuid = $1::uuid and voicemail_id = $2",
                &[&domain_uuid, box_id],
            )
            .await;
        let person = self
            .rows(
                "v_extension_users",
                &["user_uuid"],
                "domain_uuid = $1::uuid and extension_uuid = $2::uuid",
                &[&domain_uuid, &uuid],
            )
            .await;
        let dial_string = self.setting(&domain_uuid, domain).await;
        let served = Served {
            domain: domain.to_owned(),
            domain_uuid,
            extension: get(&row, "extension").to_owned(),
            number: if number_alias.is_empty() {
                get(&row, "extension").to_owned()
            } else {
                number_alias
            },
            row,
            user_uuid: person
                .first()
                .map(|row| get(row, "user_uuid").to_owned())
                .unwrap_or_default(),
            voicemail: boxes.last().cloned(),
            settings,
            dial_string,
            text: self.text,
        };
        Some((served, was_held))
    }

    /// The dial string that all users have, unless it is set for nobody. Settings are cached, those that are not there too.
    async fn setting(&self, domain_uuid: &str, domain: &str) -> Option<String> {
        let key = format!("setting:{domain}:domain:dial_string:text");
        if let Some(cached) = self.cache.get(&key) {
            return (cached != NO_SETTING).then_some(cached);
        }
        let at = Instant::now();
        let mut value = None;
        for (table, prefix, own) in [
            ("v_domain_settings", "domain", "domain_uuid::text = $1 and "),
            ("v_default_settings", "default", "$1 <> '' and "),
        ] {
            let column = format!("{prefix}_setting_value");
            let condition = format!(
                "{own}{prefix}_setting_enabled = 'true' and {prefix}_setting_category = 'domain' and \
                 {prefix}_setting_subcategory = 'dial_string' and {prefix}_setting_name = 'text' and {column} is not null"
            );
            let rows = self.rows(table, &[&column], &condition, &[domain_uuid]).await;
            value = rows.last().map(|row| get(row, &column).to_owned());
            if value.is_some() {
                break;
            }
        }
        let read = self.cache.pause(at).await;
        self.cache
            .put(&[key], value.as_deref().unwrap_or(NO_SETTING), read);
        value
    }

    /// The document for a call to `number` in a context, or none.
    ///
    /// With the default setting `destinations`/`dialplan_mode` at `single`, `public` is put together for each number alone
    /// and cached under `dialplan:public:<number>`. The setting's own `enabled` is not asked.
    pub async fn context(&self, context: &str, number: &str) -> Option<String> {
        let public = context == "public" || context.starts_with("public@") || context.ends_with(".public");
        let single = public && self.is_single().await;
        let key = if single {
            format!("dialplan:{context}:{number}")
        } else {
            format!("dialplan:{context}")
        };
        if let Some(cached) = self.cache.get(&key) {
            return Some(cached);
        }
        let mut found = None;
        for _ in 0..TRIES {
            let at = Instant::now();
            let rows = if single {
                self.inbound(number).await
            } else {
                self.dialplans(context, public).await
            };
            if rows.is_empty() {
                return None;
            }
            let read = self.cache.pause(at).await;
            let extensions: Vec<&str> = rows.iter().map(|row| get(row, "dialplan_xml")).collect();
            let extensions = extensions.join("\n");
            let document = format!(
                "<document type=\"freeswitch/xml\"><section name=\"dialplan\"><context name=\"{context}\">\n\
                 {extensions}\n</context></section></document>"
            );
            let written = self.cache.put(std::slice::from_ref(&key), &document, read);
            found = Some(document);
            if written {
                break;
            }
        }
        found
    }

    async fn is_single(&self) -> bool {
        let key = "dialplan:mode".to_owned();
        if let Some(cached) = self.cache.get(&key) {
            return cached == "single";
        }
        let condition =
            "default_setting_category = 'destinations' and default_setting_subcategory = 'dialplan_mode'";
        let mut mode = String::new();
        for _ in 0..TRIES {
            let at = Instant::now();
            let rows = self
                .rows("v_default_settings", &["default_setting_value"], condition, &[])
                .await;
            let Some(row) = rows.first() else { return false };
            get(row, "default_setting_value").clone_into(&mut mode);
            let read = self.cache.pause(at).await;
            if self.cache.put(std::slice::from_ref(&key), &mode, read) {
                break;
            }
        }
        mode == "single"
    }

    async fn dialplans(&self, context: &str, public: bool) -> Vec<Texts> {
        let contexts = if public || context.contains('@') {
            ""
        } else {
            ", '${domain_name}', 'global'"
        };
        let condition = format!(
            "dialplan_context in ($1{contexts}) and (hostname = $2 or hostname is null) and dialplan_enabled = 'true' \
             order by dialplan_order"
        );
        self.rows(
            "v_dialplans",
            &["dialplan_xml"],
            &condition,
            &[context, &self.hostname],
        )
        .await
    }

    /// The dialplans of the destinations that this number means, in any of the ways in which it can be put together, and
    /// those of `public` that belong to no domain.
    async fn inbound(&self, number: &str) -> Vec<Texts> {
        let part = |name: &str| format!("coalesce(d.destination_{name}, '')");
        let (prefix, trunk, area, own) = (
            part("prefix"),
            part("trunk_prefix"),
            part("area_code"),
            part("number"),
        );
        let condition = format!(
            "(dialplan_uuid in (select d.dialplan_uuid from v_destinations d where $1 in ({prefix} || {area} || {own}, \
             {trunk} || {area} || {own}, {prefix} || {own}, '+' || {prefix} || {own}, '+' || {prefix} || {area} || {own}, \
             {area} || {own}, {own})) or (dialplan_context like '%public%' and domain_uuid is null)) \
             and (hostname = $2 or hostname is null) and dialplan_enabled = 'true' order by dialplan_order"
        );
        self.rows(
            "v_dialplans",
            &["dialplan_xml"],
            &condition,
            &[number, &self.hostname],
        )
        .await
    }

    /// The extensions of each call group of a domain, cached under `directory:groups:<domain>`.
    ///
    /// From version 5.5 on the handler's statement lacks an `and`, so there is no group at all, and nothing is cached.
    /// Before, an extension that is disabled stays in its groups.
    pub async fn groups(&self, domain: &str) -> Vec<(String, String)> {
        if !self.text {
            return Vec::new();
        }
        let key = format!("directory:groups:{domain}");
        let cached = self.cache.get(&key);
        let document = if let Some(cached) = cached {
            cached
        } else {
            let at = Instant::now();
            let condition = "domain_uuid in (select d.domain_uuid from v_domains d where d.domain_name = $1) order by call_group";
            let columns = ["call_group", "extension"];
            let rows = self.rows("v_extensions", &columns, condition, &[domain]).await;
            let members = rows.iter().flat_map(|row| {
                let groups = get(row, "call_group").split(',').map(str::trim);
                let groups = groups.filter(|group| !group.is_empty());
                groups.map(move |group| format!("{group}\t{}", get(row, "extension")))
            });
            let document = members.collect::<Vec<String>>().join("\n");
            let read = self.cache.pause(at).await;
            self.cache.put(&[key], &document, read);
            document
        };
        let members = document.lines().filter_map(|line| line.split_once('\t'));
        members
            .map(|(group, extension)| (group.to_owned(), extension.to_owned()))
            .collect()
    }

    async fn rows(&self, table: &str, columns: &[&str], condition: &str, values: &[&str]) -> Vec<Texts> {
        let texts: Vec<String> = columns
            .iter()
            .map(|column| format!("coalesce(t.{column}::text, '') as {column}"))
            .collect();
        let sql = format!("select {} from {table} t where {condition}", texts.join(", "));
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for value in values {
            query = query.bind((*value).to_owned());
        }
        let rows = query.fetch_all(&self.pool).await.unwrap();
        rows.iter()
            .map(|row| {
                columns
                    .iter()
                    .map(|c| ((*c).to_owned(), row.get::<String, _>(*c)))
                    .collect()
            })
            .collect()
    }
}

/// A cell of a row; empty where it is NULL.
pub fn get<'a>(row: &'a [(String, String)], column: &str) -> &'a str {
    let found = row.iter().find(|(name, _)| name == column);
    found.map_or("", |(_, value)| value)
}
