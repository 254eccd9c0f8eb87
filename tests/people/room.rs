//! C14: a tenant has no more extensions than it may, however many are made at once and in whichever way.

use futures_util::future::join_all;
use rstest::rstest;
use switchyard::app::error::AppError;
use switchyard::app::extension_import::{self, ImportReport, Row};
use switchyard::app::extensions;
use switchyard::auth::caller::Caller;
use switchyard::domain::extension::Extension;
use switchyard::domain::extension_input::ExtensionInput;

use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{MANY, World, code};

fn input(number: &str) -> ExtensionInput {
    ExtensionInput {
        number: Some(number.to_owned()),
        name: Some("Ann".to_owned()),
        ..ExtensionInput::default()
    }
}

impl World {
    pub async fn extension(&self, caller: &Caller, number: &str) -> Result<Extension, AppError> {
        let made = extensions::create(&self.app, caller, input(number)).await?;
        Ok(made.0)
    }

    async fn import(
        &self,
        caller: &Caller,
        numbers: &[String],
        dry_run: bool,
    ) -> Result<ImportReport, AppError> {
        let rows: Vec<Row> = numbers
            .iter()
            .zip(1..)
            .map(|(number, line)| Row {
                line,
                number: Some(number.clone()),
                input: Ok(input(number)),
            })
            .collect();
        let done = extension_import::import(&self.app, caller, rows, dry_run, None).await?;
        Ok(done.into_inner())
    }

    async fn extensions(&self) -> Vec<String> {
        self.texts("select count(*) || '' from extensions").await
    }
}

#[rstest]
#[tokio::test]
async fn c14_of_many_who_want_the_last_extension_one_gets_it(#[values(Sqlite, Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    let caller = world.caller(&ann.token).await;
    world.bench.sql("update tenants set max_extensions = 1").await;
    let numbers: Vec<String> = (0..MANY).map(|n| (1000 + n).to_string()).collect();
    let done = join_all(numbers.iter().map(|number| world.extension(&caller, number))).await;
    let (made, refused): (Vec<_>, Vec<_>) = done.into_iter().partition(Result::is_ok);
    assert_eq!(made.len(), 1);
    for refusal in refused {
        assert_eq!(code(refusal), "max_extensions_reached");
    }
    assert_eq!(world.extensions().await, ["1"]);
    assert_eq!(world.audited().await.len(), 1);
}

#[rstest]
#[tokio::test]
async fn c14_of_many_imports_and_extensions_at_once_no_more_are_made_than_may_be(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    let caller = world.caller(&ann.token).await;
    world.bench.sql("update tenants set max_extensions = 7").await;
    let files: Vec<Vec<String>> = (0..MANY / 2)
        .map(|n| (0..3).map(|row| (2000 + 10 * n + row).to_string()).collect())
        .collect();
    let numbers: Vec<String> = (0..MANY / 2).map(|n| (1000 + n).to_string()).collect();
    let imports = join_all(files.iter().map(|file| world.import(&caller, file, false)));
    let single = join_all(numbers.iter().map(|number| world.extension(&caller, number)));
    let (imports, single) = tokio::join!(imports, single);
    for refused in imports.into_iter().filter(Result::is_err) {
        assert_eq!(code(refused), "max_extensions_reached");
    }
    for refused in single.into_iter().filter(Result::is_err) {
        assert_eq!(code(refused), "max_extensions_reached");
    }
    assert_eq!(world.extensions().await, ["7"]);
}

#[rstest]
#[tokio::test]
async fn c14_an_import_of_more_than_may_be_makes_none_and_a_dry_run_says_so_before(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let ann = world.person("ann", &world.acme, "owner").await;
    let caller = world.caller(&ann.token).await;
    world.bench.sql("update tenants set max_extensions = 2").await;
    world.extension(&caller, "1001").await.unwrap();
    let file = ["1002".to_owned(), "1003".to_owned()];
    for dry_run in [true, false] {
        let refused = world.import(&caller, &file, dry_run).await;
        assert_eq!(code(refused), "max_extensions_reached");
    }
    // What is wrong with rows comes first: with them put right it may fit.
    let twice = world
        .import(&caller, &[file[0].clone(), file[0].clone()], false)
        .await;
    assert_eq!(twice.unwrap().bad, 1);
    assert!(world.import(&caller, &file[..1], false).await.unwrap().imported);
    assert_eq!(world.extensions().await, ["2"]);
    // The other tenant has room of its own.
    let eve = world.person("eve", &world.globex, "owner").await;
    let eve = world.caller(&eve.token).await;
    assert!(world.extension(&eve, "1001").await.is_ok());
}
