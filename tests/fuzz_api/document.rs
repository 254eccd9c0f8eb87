//! The document itself.

use switchyard::http::openapi::document::document;
use switchyard::http::routes::table;

use super::tools::{program, succeed};

#[test]
fn the_document_is_valid_as_openapi_3_1() {
    let file = tempfile::NamedTempFile::with_suffix(".json").unwrap();
    std::fs::write(file.path(), document(&table()).to_string()).unwrap();
    let mut validator = program("SWITCHYARD_TEST_OPENAPI_VALIDATOR");
    let said = succeed(validator.args(["--schema", "3.1"]).arg(file.path()));
    assert!(said.contains("OK"), "{said}");
}
