//! Records known by their fingerprint are not read; and whatever changes, by whomever, a push plans what it would plan
//! if it read them all.

use fastrand::Rng;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use storemirror::config::AccountMatch;
use storemirror::model::Kind;
use storemirror::push::Options;

use super::desk::{Desk, commission, expect, subscriptions, transaction, with};
use super::{SUBSCRIPTIONS, chain};
use crate::support::{subscription, try_seeds};

const SEEDS: u64 = 12;
const KINDS: [Kind; 3] = [Kind::Subscriptions, Kind::Transactions, Kind::Commissions];

/// What a push would do now, without what only tells when.
fn planned(desk: &Desk) -> Value {
    desk.run(&Options { dry_run: true, show: usize::MAX, ..Options::default() }).json()
}

/// Breaks every stored payload, so that whoever reads one finds another.
fn break_payloads(desk: &Desk) {
    desk.execute("update payloads set body = '{}'");
}

#[test]
fn an_unchanged_record_is_not_read_whether_it_was_just_sent_or_only_looked_at() {
    let desk = Desk::new(&["us"]);
    chain(&desk);
    desk.push();
    assert_eq!(desk.row("select count(*) from crm_fingerprints"), [json!(3)], "noted with the acknowledgement");
    break_payloads(&desk);
    assert_eq!(desk.push()["requests"], 0);

    let desk = Desk::new(&["us"]);
    chain(&desk);
    desk.push();
    desk.execute("delete from crm_fingerprints");
    planned(&desk);
    assert_eq!(desk.row("select count(*) from crm_fingerprints"), [json!(0)], "a dry run writes nothing");
    let push = desk.push();
    expect(&push, 0, &json!({ "unchanged": 1 }));
    assert_eq!((&push["requests"], desk.row("select count(*) from crm_fingerprints")), (&json!(0), vec![json!(3)]));
    break_payloads(&desk);
    assert_eq!(desk.push()["requests"], 0);
    desk.execute("delete from crm_fingerprints");
    expect(&planned(&desk), 0, &json!({ "update": 1, "unchanged": 0 }));
}

#[test]
fn a_link_that_anyone_touches_is_looked_at_again() {
    for edit in [
        "update crm_links set fields_sent = '{}'",
        "update crm_links set state = 'gone'",
        "delete from crm_links",
        "insert or replace into crm_links select target, store_id, kind, record_id, crm_id, '', '', state, '{}', null from crm_links",
    ] {
        let desk = Desk::new(&["us"]);
        desk.save("us", Kind::Subscriptions, &subscriptions([1]));
        desk.push();
        desk.execute(edit);
        assert_eq!(desk.row("select count(*) from crm_fingerprints"), [json!(0)], "{edit}");
        expect(&planned(&desk), 0, &json!({ "unchanged": 0 }));
    }
}

#[test]
fn whatever_changes_the_plan_is_that_of_reading_everything() {
    try_seeds("push::fingerprints", SEEDS, |seed| Trial::new(seed).run());
}

struct Trial {
    random: Rng,
    desk: Desk,
    /// Records made so far, of each kind.
    made: [u64; 3],
    /// Edits so far, for a failure to tell.
    done: Vec<String>,
}

impl Trial {
    fn new(seed: u64) -> Self {
        let mut desk = Desk::new(&["us"]);
        desk.sim.with(|world| {
            world.switches.accounts.throttle = false;
            for org in 0..12 {
                let fields = json!({ "Account_Name": format!("Company {org}"), "Org_ID": format!("7{org}") });
                let now = world.now;
                world.crm.add_record("Accounts", fields.as_object().unwrap().clone(), now);
            }
        });
        desk.crm.rules.usd_tolerance = Decimal::new(1, 2);
        let mut trial = Self { random: Rng::with_seed(seed), desk, made: [0; 3], done: Vec::new() };
        (0..25).for_each(|_| trial.make());
        trial.desk.push();
        trial
    }

    fn run(mut self) {
        let mut known_before = 0;
        for _ in 0..25 {
            for _ in 0..=self.random.usize(..3) {
                self.edit();
            }
            known_before += self.count("crm_fingerprints");
            self.plans_are_the_same();
            if self.random.u8(..3) == 0 {
                self.done.push("push".to_owned());
                let options = Options { allow_mass_change: true, ..Options::default() };
                self.desk.run(&options);
                self.plans_are_the_same();
            }
        }
        assert!(known_before > 100, "the trial was about {known_before} fingerprints");
    }

    fn count(&self, table: &str) -> i64 {
        self.desk.row(&format!("select count(*) from {table}"))[0].as_i64().unwrap()
    }

    fn plans_are_the_same(&self) {
        let quick = planned(&self.desk);
        self.desk.execute("create table kept as select * from crm_fingerprints; delete from crm_fingerprints;");
        let full = planned(&self.desk);
        self.desk.execute("insert into crm_fingerprints select * from kept; drop table kept;");
        assert_eq!(quick, full, "after {:?}", self.done);
    }

    /// A record that there was not, whose parents may be there or not.
    fn make(&mut self) {
        let place = self.random.usize(..3);
        self.made[place] += 1;
        let id = self.made[place] + 1_000 * place as u64;
        self.put(place, id, &json!({}));
    }

    fn put(&mut self, place: usize, id: u64, changes: &Value) {
        let parents = (id % (self.made[0] + 1), 1_000 + id % (self.made[1] + 1));
        let body = match place {
            0 => subscription(id),
            1 => transaction(id, parents.0),
            _ => commission(id, parents.0, parents.1),
        };
        self.desk.save("us", KINDS[place], &[with(&body, changes)]);
    }

    fn edit(&mut self) {
        let place = self.random.usize(..3);
        let id = 1_000 * place as u64 + self.random.u64(1..=self.made[place].max(1));
        let choice = self.random.u8(..22);
        let number = self.random.u8(..5);
        self.done.push(format!("{choice} ({}, {id}, {number})", KINDS[place]));
        let rules = &mut self.desk.crm.rules;
        let fields = &mut self.desk.crm.fields;
        match choice {
            0..3 => self.make(),
            3 => self.put(0, id % 1_000, &json!({ "subscription_type": format!("type {number}") })),
            4 => self.put(0, id % 1_000, &json!({ "next_recurring_amount_usd": format!("12.0{number}") })),
            5 => self.put(place, id, &json!({ "exchange_rate": format!("1.00{number}"), "status": "active" })),
            6 => self.put(place, id, &json!({ "service_name": format!("Service {number}") })),
            7 => self.put(0, id % 1_000, &json!({ "email_id": if number > 2 { "nobody" } else { "a@b.test" } })),
            8 => self.put(place, id, &json!({ "license_description": "x".repeat(600 * usize::from(number)) })),
            9 => self.desk.remove("us", KINDS[place], id),
            10 => {
                let ways = [AccountMatch::None, AccountMatch::Name, AccountMatch::Field("Org_ID".to_owned())];
                rules.account_match = ways[usize::from(number) % 3].clone();
            }
            11 => rules.usd_tolerance = Decimal::new(i64::from(number % 2), 2),
            12 => rules.untagged_status = format!("Gone {number}"),
            13 => {
                let columns = fields.entry(KINDS[place]).or_default();
                let names = [None, Some("Company_Name".to_owned()), Some("Service_Name".to_owned())];
                columns.insert("service_name".to_owned(), names[usize::from(number) % 3].clone());
            }
            14 => {
                let columns = rules.create_only.entry(KINDS[place]).or_default();
                if !columns.remove("status") {
                    columns.insert("status".to_owned());
                }
            }
            15 => self.sql("update crm_accounts set crm_id = case when crm_id is null then '7' end where value like '%{}'", number),
            16 => self.sql("update crm_fields set length = 3 + {} where api_name in ('Company_Name', 'Payload', 'Description')", number),
            17 => self.sql("update crm_links set fields_sent = '{\"Name\":\"x\"}' where record_id like '%{}'", number),
            18 => self.sql("delete from crm_links where record_id like '%{}'", number),
            19 => self.sql("update crm_links set state = 'gone' where record_id like '%0{}'", number),
            // as if rows were derived by other code
            20 => self.sql("update subscription_records set company_name = 'Other', subscription_type = 'other' where subscription_id % 5 = {}", number),
            _ => drop(self.desk.db.rebuild(&|_| ()).unwrap()),
        }
        if self.random.u8(..6) == 0 {
            self.desk.later(1);
        }
    }

    fn sql(&self, statement: &str, number: u8) {
        self.desk.execute(&statement.replace("{}", &number.to_string()));
    }
}

#[test]
fn a_refused_record_is_looked_at_until_it_is_settled() {
    let desk = Desk::new(&["us"]);
    desk.save("us", Kind::Subscriptions, &subscriptions([1, 2]));
    desk.push();
    desk.save("us", Kind::Subscriptions, &[with(&subscription(1), &json!({ "email_id": "nobody" }))]);
    expect(&desk.push(), 0, &json!({ "rejected": 1 }));
    assert_eq!(desk.row("select group_concat(record_number) from crm_fingerprints"), [json!("2")]);
    desk.save("us", Kind::Subscriptions, &subscriptions([1]));
    let push = desk.push();
    assert_eq!((&push["requests"], &push["exit"]), (&json!(0), &json!(0)), "what was acknowledged is wanted again");
    assert_eq!(desk.row("select count(*) from crm_rejections"), [json!(0)]);
    assert_eq!(desk.value(SUBSCRIPTIONS, "1", "Email"), "c1@example.test");
}
