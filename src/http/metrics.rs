//! `/metrics`: live figures in Prometheus' form, for who shows the token that is configured.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use schemars::json_schema;
use secrecy::{ExposeSecret as _, SecretString};

use super::answer::Answer;
use super::openapi::shape::{Input, Media, Reply, Shape};
use super::problem::Problem;
use crate::app::App;
use crate::app::metrics::{self, InstanceCalls};

/// What a collector shows; without one nobody reads figures. Cheap to clone.
#[derive(Clone, Default)]
pub struct Collector(Option<Arc<SecretString>>);

impl Collector {
    /// `None`: there are no figures.
    #[must_use]
    pub fn new(token: Option<SecretString>) -> Self {
        Self(token.map(Arc::new))
    }

    fn admit(&self, shown: &Shown) -> Result<(), Problem> {
        let token = self.0.as_ref().ok_or_else(Problem::not_found)?;
        let is_right = shown.0.as_ref().is_some_and(|shown| {
            let [shown, token] = [shown, &**token].map(|secret| secret.expose_secret().as_bytes());
            verify_slices_are_equal(shown, token).is_ok()
        });
        let refused = || {
            let advice = "show the token of `metrics.token` as bearer token";
            Problem::new(StatusCode::UNAUTHORIZED, "credentials_invalid", advice)
        };
        is_right.then_some(()).ok_or_else(refused)
    }
}

/// The bearer token of a request, whosever it is.
pub struct Shown(Option<SecretString>);

impl<S: Send + Sync> FromRequestParts<S> for Shown {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let value = parts
            .headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let token = value
            .and_then(|value| value.split_once(' '))
            .and_then(|(scheme, token)| scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().into()));
        Ok(Self(token))
    }
}

impl Input for Shown {
    fn describe(_: &mut Shape) {}
}

/// Figures in `OpenMetrics` text.
pub struct Figures(String);

const FORM: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

impl IntoResponse for Figures {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, FORM)], self.0).into_response()
    }
}

impl Answer for Figures {
    fn replies() -> Vec<Reply> {
        vec![Reply {
            status: 200,
            body: vec![Media {
                name: "application/openmetrics-text",
                schema: |_| json_schema!({"type": "string"}),
            }],
            headers: Vec::new(),
        }]
    }
}

/// `GET /metrics`: calls that are up, by PBX and by tenant.
pub async fn show(
    State(app): State<App>,
    State(collector): State<Collector>,
    shown: Shown,
) -> Result<Figures, Problem> {
    collector.admit(&shown)?;
    let calls = metrics::calls(&app).await?;
    written(&calls)
        .map(Figures)
        .map_err(|error| Problem::internal(&error))
}

/// Of a PBX: its name has letters, digits, `.`, `_` and `-` only.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct OfInstance {
    instance: String,
}

/// Of a tenant on a PBX: by its id, for what a tenant is called is its own to choose.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct OfTenant {
    instance: String,
    tenant: String,
}

/// Made anew each time, so that nothing is left of what there is no more.
fn written(calls: &[InstanceCalls]) -> Result<String, std::fmt::Error> {
    let total = Family::<OfInstance, Gauge>::default();
    let by_tenant = Family::<OfTenant, Gauge>::default();
    let stale = Family::<OfInstance, Gauge>::default();
    let as_of = Family::<OfInstance, Gauge>::default();
    let corrected = Family::<OfInstance, Counter<u64, AtomicU64>>::default();
    for of in calls {
        let instance = of.instance.to_string();
        let label = OfInstance {
            instance: instance.clone(),
        };
        stale.get_or_create(&label).set(i64::from(of.freshness.stale));
        corrected.get_or_create(&label).inc_by(of.corrected);
        // Of one that was never heard of no count is known, not even none.
        let Some(known) = of.freshness.as_of else {
            continue;
        };
        as_of.get_or_create(&label).set(known.as_second());
        total.get_or_create(&label).set(gauge(of.total));
        for (tenant, calls) in &of.by_tenant {
            let label = OfTenant {
                instance: instance.clone(),
                tenant: tenant.to_string(),
            };
            by_tenant.get_or_create(&label).set(gauge(*calls));
        }
    }
    let mut registry = Registry::with_prefix("switchyard");
    registry.register("active_calls", "Calls that are up", total);
    registry.register("tenant_active_calls", "Calls that are up, of a tenant", by_tenant);
    registry.register(
        "active_calls_stale",
        "Whether the calls of a PBX may be others by now",
        stale,
    );
    let help = "When the calls of a PBX were known, in seconds since 1970";
    registry.register("active_calls_as_of_seconds", help, as_of);
    let help = "Legs of calls that polls have put right although no event seemed to be lost";
    registry.register("active_calls_corrected", help, corrected);
    let mut written = String::new();
    text::encode(&mut written, &registry)?;
    Ok(written)
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::call::Freshness;
    use crate::domain::ids::TenantId;
    use jiff::Timestamp;
    use uuid::Uuid;

    fn shown(token: &str) -> Shown {
        Shown(Some(SecretString::from(token)))
    }

    #[test]
    fn o10_figures_are_for_who_shows_the_token_and_for_nobody_where_there_is_none() {
        let status =
            |collector: &Collector, shown: &Shown| collector.admit(shown).map_err(|p| p.status().as_u16());
        let none = Collector::default();
        assert_eq!(status(&none, &shown("")), Err(404));
        let collector = Collector::new(Some(SecretString::from("a-long-enough-token")));
        assert_eq!(status(&collector, &shown("a-long-enough-token")), Ok(()));
        for other in [shown("a-long-enough-tokeN"), shown(""), Shown(None)] {
            assert_eq!(status(&collector, &other), Err(401));
        }
    }

    #[test]
    fn o10_figures_are_written_by_pbx_and_by_tenant() {
        let tenant = TenantId::from_uuid(Uuid::from_u128(7));
        let known = InstanceCalls {
            instance: "pbx1".parse().unwrap(),
            total: 3,
            by_tenant: vec![(tenant, 2)],
            freshness: Freshness {
                as_of: Timestamp::from_second(1_800_000_000).ok(),
                stale: true,
            },
            corrected: 4,
        };
        let unknown = InstanceCalls {
            instance: "pbx2".parse().unwrap(),
            total: 0,
            by_tenant: Vec::new(),
            freshness: Freshness::UNKNOWN,
            corrected: 0,
        };
        let text = written(&[known, unknown]).unwrap();
        for line in [
            "switchyard_active_calls{instance=\"pbx1\"} 3".to_owned(),
            format!("switchyard_tenant_active_calls{{instance=\"pbx1\",tenant=\"{tenant}\"}} 2"),
            "switchyard_active_calls_stale{instance=\"pbx1\"} 1".to_owned(),
            "switchyard_active_calls_as_of_seconds{instance=\"pbx1\"} 1800000000".to_owned(),
            "switchyard_active_calls_corrected_total{instance=\"pbx1\"} 4".to_owned(),
            "switchyard_active_calls_stale{instance=\"pbx2\"} 1".to_owned(),
        ] {
            assert!(text.lines().any(|written| written == line), "{line}: {text}");
        }
        for figure in ["active_calls", "active_calls_as_of_seconds"] {
            let unknown = format!("switchyard_{figure}{{instance=\"pbx2\"}}");
            assert!(!text.contains(&unknown), "{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
