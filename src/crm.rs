//! The `crm` commands: opens the file, makes the client, and prints what the push's rooms found.

use std::io::Write;

use anyhow::Result;

use crate::Session;
use crate::cli::Crm;
use crate::db::Db;
use crate::failure::Failure;
use crate::model::Kind;
use crate::model::instant::format_instant;
use crate::push::setup::{self, Wish};
use crate::push::{self, Options, check, link, trace, verify};

pub(crate) async fn run(session: &Session, command: &Crm, out: &mut dyn Write) -> Result<u8> {
    match command {
        Crm::Check => check(session, out).await,
        Crm::Setup { dry_run, create_modules } => {
            let wish = Wish { dry_run: *dry_run, create_modules: *create_modules };
            setup(session, wish, out).await
        }
        Crm::Trace { kind, id } => trace(session, kind, id, out),
        Crm::Verify { kinds, repair, allow_mass_change } => {
            let options =
                Options { kinds: crate::kinds(kinds)?, allow_mass_change: *allow_mass_change, ..Options::default() };
            verify(session, &options, *repair, out).await
        }
        Crm::Link { kinds } => link(session, &crate::kinds(kinds)?, out).await,
    }
}

async fn check(session: &Session, out: &mut dyn Write) -> Result<u8> {
    let crm = session.config.crm()?;
    let api = session.crm_client(crm)?;
    let db = session.open_writer()?;
    let check = check::check(&db, crm, &api, &format_instant(session.now())).await?;
    session.answer(out, &check.json(), || check.text())?;
    Ok(check.exit())
}

async fn setup(session: &Session, wish: Wish, out: &mut dyn Write) -> Result<u8> {
    let crm = session.config.crm()?;
    let api = session.crm_client(crm)?;
    let db = session.open_writer()?;
    let setup = setup::setup(&db, crm, &api, wish, &format_instant(session.now())).await?;
    session.answer(out, &setup.json(), || setup.text())?;
    Ok(setup.exit())
}

async fn link(session: &Session, kinds: &[Kind], out: &mut dyn Write) -> Result<u8> {
    push::check_kinds(kinds)?;
    let crm = session.config.crm()?;
    let db = open_existing(session)?;
    let api = session.crm_client(crm)?;
    let summary = link::link(&db, crm, &session.store_ids(), &api, kinds, session.now(), &session.progress).await?;
    session.answer(out, &summary.json(), || summary.text())?;
    Ok(summary.exit())
}

fn trace(session: &Session, kind: &str, id: &str, out: &mut dyn Write) -> Result<u8> {
    let kind: Kind = kind.parse().map_err(Failure::config)?;
    push::check_kinds(&[kind])?;
    let crm = session.config.crm()?;
    let db = session.open_reader()?;
    let trace = trace::trace(&db, crm, &session.store_ids(), kind, id, session.now())?;
    session.answer(out, &trace.json(), || trace.text())?;
    Ok(0)
}

async fn verify(session: &Session, options: &Options, repair: bool, out: &mut dyn Write) -> Result<u8> {
    push::check_kinds(&options.kinds)?;
    let crm = session.config.crm()?;
    let db = if repair { open_existing(session)? } else { session.open_reader()? };
    let api = session.crm_client(crm)?;
    let mut verification = verify::verify(&db, crm, &api, &options.kinds, &session.progress).await?;
    if repair && verification.differs() {
        verification.repair(&db, crm)?;
        verification.repaired(session.push(&db, options, &|| session.now()).await?);
    }
    session.answer(out, &verification.json(), || verification.text())?;
    Ok(verification.exit())
}

/// The mirror for writing; one that is not there is not made.
fn open_existing(session: &Session) -> Result<Db> {
    let path = &session.config.paths.database;
    if path.exists() { session.open_writer() } else { session.open_reader() }
}
