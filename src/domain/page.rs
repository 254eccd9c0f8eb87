//! Pages of a list: which one is asked for, and what comes back.

use super::invalid::FieldErrors;

/// One page of a list: pages count from 1 and hold 25 items unless told otherwise, at most 100.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PageRequest {
    page: i64,
    per_page: i64,
}

impl PageRequest {
    /// The most items of a page.
    pub const LARGEST: i64 = 100;

    /// Beyond this the first item's position would not fit the database's integers.
    pub const LAST: i64 = 1_000_000_000;

    /// Refuses what is no page, by the field's name.
    pub fn new(page: i64, per_page: i64) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        if !(1..=Self::LAST).contains(&page) {
            errors.add("page", "must be 1 or more");
        }
        if !(1..=Self::LARGEST).contains(&per_page) {
            errors.add("per_page", "must be 1 to 100");
        }
        errors.check().map(|()| Self { page, per_page })
    }

    /// Which page.
    #[must_use]
    pub const fn page(self) -> i64 {
        self.page
    }

    /// How many items at most.
    #[must_use]
    pub const fn per_page(self) -> i64 {
        self.per_page
    }

    /// How many items come before it.
    #[must_use]
    pub const fn offset(self) -> i64 {
        (self.page - 1) * self.per_page
    }
}

impl Default for PageRequest {
    fn default() -> Self {
        Self {
            page: 1,
            per_page: 25,
        }
    }
}

/// A page of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<T> {
    /// Its items; none when the page is beyond the last one.
    pub items: Vec<T>,
    /// How many items all pages have together.
    pub total: i64,
    /// Which page it is.
    pub request: PageRequest,
}

impl<T> Page<T> {
    /// The number of the last page; an empty list has one page.
    #[must_use]
    pub fn last_page(&self) -> i64 {
        let per_page = self.request.per_page;
        ((self.total + per_page - 1) / per_page).max(1)
    }

    /// The same page of something else.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(change).collect(),
            total: self.total,
            request: self.request,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(0, 25, "page must be 1 or more")]
    #[case(-1, 25, "page must be 1 or more")]
    #[case(i64::MAX, 25, "page must be 1 or more")]
    #[case(1, 0, "per_page must be 1 to 100")]
    #[case(1, 101, "per_page must be 1 to 100")]
    fn o20_what_is_no_page_is_refused(#[case] page: i64, #[case] per_page: i64, #[case] reason: &str) {
        assert_eq!(PageRequest::new(page, per_page).unwrap_err().to_string(), reason);
    }

    #[rstest]
    #[case(0, 1)]
    #[case(25, 1)]
    #[case(26, 2)]
    #[case(50, 2)]
    fn o20_the_last_page_is_counted(#[case] total: i64, #[case] last: i64) {
        let page = Page::<()> {
            items: vec![],
            total,
            request: PageRequest::default(),
        };
        assert_eq!(page.last_page(), last);
    }
}
