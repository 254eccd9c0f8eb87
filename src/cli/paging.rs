//! Lists that come in pages.

use std::io;

use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::Failure;
use super::output::{Output, Text};
use crate::domain::page::{Page, PageRequest};

/// Which page of a list.
#[derive(Args)]
pub struct Paging {
    /// Which page
    #[arg(long, value_name = "N", default_value_t = 1)]
    page: i64,
    /// How many on a page, at most 100
    #[arg(long, value_name = "N", default_value_t = 25)]
    per_page: i64,
}

impl Paging {
    /// The page that is asked for.
    pub fn request(&self) -> Result<PageRequest, Failure> {
        PageRequest::new(self.page, self.per_page).map_err(|errors| Failure::input(&errors))
    }
}

/// Writes a page: `{"data":[…],"meta":{…}}` as the API answers, or what `table` makes of it, with where in the list it is.
pub fn write<T: Serialize>(
    output: &mut Output<'_>,
    page: &Page<T>,
    table: impl FnOnce(&mut Text<'_>) -> io::Result<()>,
) -> Result<(), Failure> {
    let (number, last) = (page.request.page(), page.last_page());
    let meta =
        json!({"page": number, "per_page": page.request.per_page(), "total": page.total, "last_page": last});
    output.result(&json!({"data": page.items, "meta": meta}), |text| {
        table(text)?;
        if last > 1 || number > last {
            text.line(&format!(
                "page {number} of {last}, {} in all; `--page` shows another",
                page.total
            ))?;
        }
        Ok(())
    })
}
