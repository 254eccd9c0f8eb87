//! The shape of good answers: `{"data":…}`, and for lists `meta` beside it.

use std::fmt::Display;

use axum::Json;
use serde::Serialize;

use crate::domain::page::Page;

/// `{"data":…}`.
#[derive(Serialize, Debug)]
pub struct Single<T> {
    data: T,
}

/// `{"data":[…],"meta":{"page","per_page","total","last_page"}}`.
#[derive(Serialize, Debug)]
pub struct List<T> {
    data: Vec<T>,
    meta: Meta,
}

#[derive(Serialize, Debug)]
struct Meta {
    page: i64,
    per_page: i64,
    total: i64,
    last_page: i64,
}

/// `{"data":[…],"meta":{"next_cursor"}}`.
#[derive(Serialize, Debug)]
pub struct Behind<T> {
    data: Vec<T>,
    meta: Next,
}

#[derive(Serialize, Debug)]
struct Next {
    next_cursor: Option<String>,
}

/// One thing.
pub fn single<T: Serialize>(data: T) -> Json<Single<T>> {
    Json(Single { data })
}

/// All things that there are, which are few.
pub fn all<T: Serialize>(data: impl IntoIterator<Item = T>) -> Json<Single<Vec<T>>> {
    single(data.into_iter().collect())
}

/// One page of things.
pub fn list<T: Serialize>(page: Page<T>) -> Json<List<T>> {
    let meta = Meta {
        page: page.request.page(),
        per_page: page.request.per_page(),
        total: page.total,
        last_page: page.last_page(),
    };
    Json(List {
        data: page.items,
        meta,
    })
}

/// One page of things, behind the cursor of the page before; `next` is absent on the last one.
pub fn behind<T: Serialize>(data: impl Iterator<Item = T>, next: Option<impl Display>) -> Json<Behind<T>> {
    let next_cursor = next.map(|cursor| cursor.to_string());
    Json(Behind {
        data: data.collect(),
        meta: Next { next_cursor },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::page::PageRequest;
    use serde_json::json;

    #[test]
    fn o20_a_list_says_which_part_of_the_whole_it_is() {
        let page = Page {
            items: vec!["a", "b"],
            total: 5,
            request: PageRequest::new(2, 2).unwrap(),
        };
        assert_eq!(
            serde_json::to_value(list(page).0).unwrap(),
            json!({"data": ["a", "b"], "meta": {"page": 2, "per_page": 2, "total": 5, "last_page": 3}})
        );
        assert_eq!(serde_json::to_value(single("x").0).unwrap(), json!({"data": "x"}));
    }
}
