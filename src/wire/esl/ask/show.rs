//! Tables in JSON, as `show … as json` prints them.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::form;
use crate::wire::esl::AnswerError;

/// A table without rows may lack the list of them.
#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Table<T> {
    row_count: u64,
    #[serde(default = "Vec::new")]
    rows: Vec<T>,
}

/// All rows. A table that holds another number of them than it says is not believed.
pub fn rows<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, AnswerError> {
    let table: Table<T> = serde_json::from_str(text).map_err(|_| form("a table of these columns", text))?;
    if u64::try_from(table.rows.len()) != Ok(table.row_count) {
        return Err(AnswerError::RowCount {
            said: table.row_count,
            got: table.rows.len(),
        });
    }
    Ok(table.rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Row {
        name: String,
    }

    fn read(text: &str) -> Result<Vec<Row>, AnswerError> {
        rows(text)
    }

    #[test]
    fn an_empty_table_may_lack_its_rows() {
        for text in ["{\"row_count\": 0}\n", "{\"row_count\":0,\"rows\":[]}"] {
            assert_eq!(read(text), Ok(Vec::new()));
        }
    }

    #[test]
    fn columns_that_nobody_asked_for_are_passed_over() {
        let row = Row { name: "a".to_owned() };
        assert_eq!(
            read(r#"{"row_count":1,"rows":[{"new":{"x":[1]},"name":"a"}],"more":1}"#),
            Ok(vec![row])
        );
    }

    #[test]
    fn a_table_with_another_number_of_rows_is_not_believed() {
        for (text, said, got) in [
            ("{\"row_count\": 3}", 3, 0),
            (r#"{"row_count":0,"rows":[{"name":"a"}]}"#, 0, 1),
        ] {
            assert_eq!(read(text), Err(AnswerError::RowCount { said, got }));
        }
    }

    #[test]
    fn what_is_no_such_table_is_told_as_it_came() {
        for text in [
            "",
            "\n0 total.\n",
            "{\"row_count\":-1}",
            "{\"row_count\":1,\"rows\":[{\"name\":7}]}",
            "[]",
        ] {
            let expected = "a table of these columns";
            let got = text.trim().to_owned();
            assert_eq!(read(text), Err(AnswerError::Form { expected, got }));
        }
    }
}
