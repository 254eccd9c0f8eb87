//! One route: a path and method with its handler, what it asks of its caller, and what it leaves in the audit log.

use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};

use crate::auth::access::{Access, Act};
use crate::http::openapi::operation::Operation;
use crate::http::openapi::problems;
use crate::http::openapi::shape::{Problems, Shape};

/// What a change leaves in the audit log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Audits {
    /// One entry, with the one of these actions that was done.
    Entry(&'static [&'static str]),
    /// Nothing, for this reason.
    Nothing(&'static str),
}

/// One route.
///
/// There is no way to make one without saying what it asks of its caller, what it does, and, where it changes something,
/// what it leaves in the audit log:
///
/// ```
/// use switchyard::auth::access::Access;
/// use switchyard::http::answer::NoContent;
/// use switchyard::http::routes::{Audits, Route};
///
/// let looks = Route::<()>::get("/open", Access::Public, "Does nothing", async || NoContent);
/// let audits = Audits::Nothing("it changes nothing");
/// let changes = Route::<()>::post("/open", Access::Public, audits, "Does nothing", async || NoContent);
/// ```
///
/// ```compile_fail
/// use switchyard::http::answer::NoContent;
/// use switchyard::http::routes::Route;
///
/// let route = Route::<()>::get("/open", "Does nothing", async || NoContent);
/// ```
///
/// ```compile_fail
/// use switchyard::auth::access::Access;
/// use switchyard::http::answer::NoContent;
/// use switchyard::http::routes::Route;
///
/// let route = Route::<()>::post("/open", Access::Public, "Does nothing", async || NoContent);
/// ```
///
/// A handler that does not tell its answer is none:
///
/// ```compile_fail
/// use switchyard::auth::access::Access;
/// use switchyard::http::routes::Route;
///
/// let route = Route::<()>::get("/open", Access::Public, "Does nothing", async || "text");
/// ```
pub struct Route<S> {
    method: Method,
    path: &'static str,
    access: Access,
    audits: Option<Audits>,
    summary: &'static str,
    section: &'static str,
    handler_name: &'static str,
    shape: Shape,
    pub(super) handler: MethodRouter<S>,
}

macro_rules! changing {
    ($($(#[doc = $doc:literal])* $name:ident = $method:ident),+ $(,)?) => {$(
        $(#[doc = $doc])*
        pub fn $name<T: 'static, H: Operation<T, S>>(
            path: &'static str,
            access: Access,
            audits: Audits,
            summary: &'static str,
            handler: H,
        ) -> Self {
            let audits = Some(audits);
            Self::new(Method::$method, MethodFilter::$method, path, access, audits, summary, handler)
        }
    )+};
}

impl<S: Clone + Send + Sync + 'static> Route<S> {
    /// Answers GET, and HEAD without the body.
    pub fn get<T: 'static, H: Operation<T, S>>(
        path: &'static str,
        access: Access,
        summary: &'static str,
        handler: H,
    ) -> Self {
        Self::new(
            Method::GET,
            MethodFilter::GET,
            path,
            access,
            None,
            summary,
            handler,
        )
    }

    changing! {
        /// Answers POST.
        post = POST,
        /// Answers PUT.
        put = PUT,
        /// Answers PATCH.
        patch = PATCH,
        /// Answers DELETE.
        delete = DELETE,
    }

    fn new<T: 'static, H: Operation<T, S>>(
        method: Method,
        filter: MethodFilter,
        path: &'static str,
        access: Access,
        audits: Option<Audits>,
        summary: &'static str,
        handler: H,
    ) -> Self {
        let act = if method.is_safe() { Act::Read } else { Act::Change };
        let mut shape = H::shape();
        shape.problems.extend(&problems::of_access(access, act));
        Self {
            method,
            path,
            access,
            audits,
            summary,
            section: "",
            handler_name: std::any::type_name::<H>(),
            shape,
            handler: on(filter, handler),
        }
    }

    /// The same route, which its use case refuses with these codes as well.
    #[must_use]
    pub fn or(mut self, status: u16, codes: &[&'static str]) -> Self {
        self.shape.problems.add(status, codes);
        self
    }

    /// The same route, in a section of the API's description.
    #[must_use]
    pub fn in_section(self, section: &'static str) -> Self {
        Self { section, ..self }
    }
}

impl<S> Route<S> {
    /// Its method.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// Its path, parameters in braces.
    #[must_use]
    pub const fn path(&self) -> &'static str {
        self.path
    }

    /// The name of the parameter in its path.
    #[must_use]
    pub fn parameter(&self) -> Option<&'static str> {
        let (_, rest) = self.path.split_once('{')?;
        rest.split_once('}').map(|(name, _)| name)
    }

    /// What it asks of its caller.
    #[must_use]
    pub const fn access(&self) -> Access {
        self.access
    }

    /// What it leaves in the audit log; none where nothing is changed.
    #[must_use]
    pub const fn audits(&self) -> Option<Audits> {
        self.audits
    }

    /// What it does, in a few words.
    #[must_use]
    pub const fn summary(&self) -> &'static str {
        self.summary
    }

    /// The section of the API's description that it is in.
    #[must_use]
    pub const fn section(&self) -> &'static str {
        self.section
    }

    /// Its handler's module and name: `extensions_index`.
    #[must_use]
    pub fn id(&self) -> String {
        let mut parts = self.handler_name.rsplit("::");
        let name = parts.next().unwrap_or_default();
        format!("{}_{name}", parts.next().unwrap_or_default())
    }

    /// What it reads and answers.
    #[must_use]
    pub const fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The problems that it answers.
    #[must_use]
    pub const fn problems(&self) -> &Problems {
        &self.shape.problems
    }
}

/// What a row says of the audit log.
macro_rules! audits {
    (nothing $why:literal) => {
        $crate::http::routes::Audits::Nothing($why)
    };
    ($($action:literal),+) => {
        $crate::http::routes::Audits::Entry(&[$($action),+])
    };
}

/// Rows of the table: method and path, what is asked of the caller, what a change leaves in the audit log, the handler,
/// what it does, and the problems that its use case adds.
macro_rules! routes {
    ($($method:ident $path:literal, $access:expr $(, audits $($audits:literal),* $(nothing $why:literal)?)?
        => $handler:expr, $summary:literal $(, $status:literal $codes:expr)*;)+) => {
        vec![$(
            $crate::http::routes::Route::$method(
                $path,
                $access,
                $($crate::http::routes::route::audits!($($audits),* $(nothing $why)?),)?
                $summary,
                $handler,
            )$(.or($status, &$codes))*
        ),+]
    };
}

pub(super) use {audits, routes};
