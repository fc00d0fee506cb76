//! The real schema against the declaration of columns, and what happens to old, new and foreign files.

use std::collections::BTreeSet;
use std::process::Command;

use rusqlite::Connection;
use storemirror::db::Db;
use storemirror::failure::{Code, Failure};
use storemirror::model::objects;

use crate::support::has_sqlite3;

fn fresh() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mirror.db");
    drop(Db::open(&path).unwrap());
    (folder, path)
}

fn columns(connection: &Connection) -> BTreeSet<(String, String)> {
    let mut statement = connection
        .prepare(
            "select m.name, c.name from sqlite_schema m, pragma_table_info(m.name) c
             where m.type in ('table', 'view') and m.name not like 'sqlite_%' and m.name <> 'refinery_schema_history'",
        )
        .unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[test]
fn the_dictionary_has_every_column_and_no_other() {
    let (_folder, path) = fresh();
    let connection = Connection::open(path).unwrap();
    let declared: BTreeSet<(String, String)> =
        objects::dictionary().into_iter().map(|entry| (entry.object, entry.column)).collect();
    let real = columns(&connection);
    assert_eq!(real.symmetric_difference(&declared).collect::<Vec<_>>(), Vec::<&(String, String)>::new());
    let stored: i64 = connection.query_row("select count(*) from data_dictionary", [], |row| row.get(0)).unwrap();
    assert_eq!(usize::try_from(stored).unwrap(), declared.len());
}

#[test]
fn tables_have_the_declared_types_and_are_strict() {
    let (_folder, path) = fresh();
    let connection = Connection::open(path).unwrap();
    for entry in objects::dictionary() {
        let (kind, declared): (String, String) = connection
            .query_row(
                "select m.type, c.type from sqlite_schema m, pragma_table_info(m.name) c where m.name = ?1 and c.name = ?2",
                [&entry.object, &entry.column],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .unwrap();
        if kind == "table" {
            assert_eq!(declared, entry.sql_type, "{}.{}", entry.object, entry.column);
        }
    }
    let loose: i64 = connection
        .query_row(
            "select count(*) from pragma_table_list where type = 'table' and strict = 0
             and name not like 'sqlite_%' and name <> 'refinery_schema_history'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(loose, 0);
}

#[test]
fn every_view_opens_in_the_plain_shell() {
    if !has_sqlite3("every_view_opens_in_the_plain_shell") {
        return;
    }
    let (_folder, path) = fresh();
    let views = "select group_concat('select count(*) from ' || name, ';') from sqlite_schema where type = 'view'";
    let shell = |sql: &str| {
        let output = Command::new("sqlite3").arg("-bail").arg(&path).arg(sql).output().unwrap();
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let all = shell(views);
    assert!(all.contains("from commissions"), "{all}");
    shell(all.trim());
}

#[test]
fn every_migration_in_the_folder_is_embedded() {
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap().count();
    let (_folder, path) = fresh();
    let applied: i64 = Connection::open(path)
        .unwrap()
        .query_row("select count(*) from refinery_schema_history", [], |row| row.get(0))
        .unwrap();
    assert_eq!(usize::try_from(applied).unwrap(), files, "touch src/db/migrate.rs when a migration was added");
}

/// A file as the program left it when `version` was its newest migration.
pub fn older(path: &std::path::Path, version: i64) {
    let (_folder, newest) = fresh();
    let connection = Connection::open(path).unwrap();
    let mut files: Vec<(i64, std::path::PathBuf)> =
        std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| {
                (path.file_name().unwrap().to_str().unwrap()[1..].split("__").next().unwrap().parse().unwrap(), path)
            })
            .collect();
    files.sort();
    for (_, file) in files.iter().filter(|(number, _)| *number <= version) {
        connection.execute_batch(&std::fs::read_to_string(file).unwrap()).unwrap();
    }
    let attach = format!(
        "attach '{}' as newest;
         create table refinery_schema_history (version int4 primary key, name varchar(255), applied_on varchar(255), checksum varchar(255));
         insert into refinery_schema_history select * from newest.refinery_schema_history where version <= {version};
         insert into stores (store_id, data_center, api_url) values ('us', 'com', 'x');",
        newest.display()
    );
    connection.execute_batch(&attach).unwrap();
}

#[test]
fn an_older_file_is_migrated_after_a_backup_copy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mirror.db");
    older(&path, 6);
    drop(Db::open(&path).unwrap());
    let version = |path: &std::path::Path| -> (i64, i64) {
        Connection::open(path)
            .unwrap()
            .query_row("select max(version), (select count(*) from stores) from refinery_schema_history", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap()
    };
    let newest = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
        .unwrap()
        .filter_map(|file| file.ok()?.file_name().to_str()?.strip_prefix('V')?.split_once("__")?.0.parse::<i64>().ok())
        .max()
        .unwrap();
    assert_eq!(version(&path), (newest, 1));
    assert_eq!(version(&path.with_file_name("mirror.db.v6.backup")), (6, 1));
    let (_folder, fresh) = fresh();
    let schema = |path: &std::path::Path| columns(&Connection::open(path).unwrap());
    assert_eq!(schema(&path), schema(&fresh), "migrated step by step and made at once are the same");
}

#[track_caller]
fn refused(path: &std::path::Path) -> Failure {
    let failure = Failure::of(&Db::open(path).err().expect("refused"));
    assert_eq!(failure.code, Code::Config);
    failure
}

#[test]
fn a_foreign_file_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    Connection::open(&path).unwrap().execute_batch("create table theirs (x)").unwrap();
    let before = std::fs::read(&path).unwrap();
    assert!(refused(&path).message.contains("is not a storemirror database"));
    assert_eq!(std::fs::read(&path).unwrap(), before);

    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "not a database at all, but long enough to look like one to nobody\n".repeat(20)).unwrap();
    assert!(refused(&text).message.contains("is not a storemirror database"));
}

#[test]
fn a_file_left_by_a_kill_before_the_first_migration_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mirror.db");
    // the history is made before the transaction that fills it
    let history = "create table refinery_schema_history (version int4 primary key, name varchar(255),
        applied_on varchar(255), checksum varchar(255))";
    Connection::open(&path).unwrap().execute_batch(&format!("pragma journal_mode = wal; {history}")).unwrap();
    drop(Db::open(&path).unwrap());
    assert!(Db::open_reader(&path).is_ok());
}

#[test]
fn a_newer_file_is_refused() {
    let (_folder, path) = fresh();
    Connection::open(&path)
        .unwrap()
        .execute(
            "insert into refinery_schema_history (version, name, applied_on, checksum) values (9999, 'x', 'x', '1')",
            [],
        )
        .unwrap();
    let failure = refused(&path);
    assert!(failure.message.contains("9999"), "{}", failure.message);
    assert!(failure.hint.unwrap().contains("newer"));
}

#[test]
fn a_second_writer_is_refused() {
    let (_folder, path) = fresh();
    let _first = Db::open(&path).unwrap();
    let failure = Failure::of(&Db::open(&path).err().unwrap());
    assert_eq!(failure.code, Code::Locked);
    assert!(Db::open_reader(&path).is_ok(), "readers are never blocked");
}
