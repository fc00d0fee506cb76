//! The invented customers: names, mail addresses and postal addresses, with the oddities the store is known for.
//!
//! Everything is visibly fictional: two words that make no company, and mail only at example.test or example.com.

use super::catalog::{Country, pick};
use chrono::NaiveDate;

const FIRST: [&str; 40] = [
    "Copper", "Amber", "Silver", "Velvet", "Paper", "Lunar", "Northern", "Quiet", "Crimson", "Hollow", "Misty",
    "Golden", "Wooden", "Cobalt", "Rapid", "Gentle", "Polar", "Sunny", "Hidden", "Ivory", "Marble", "Nimble", "Olive",
    "Pebble", "Rustic", "Scarlet", "Tidal", "Umber", "Violet", "Windy", "Zesty", "Bright", "Clever", "Dusty", "Elder",
    "Frosty", "Glass", "Humble", "Indigo", "Jolly",
];
const SECOND: [&str; 41] = [
    "Otter", "Lantern", "Teapot", "Compass", "Meadow", "Falcon", "Anchor", "Biscuit", "Cactus", "Dolphin", "Ember",
    "Fiddle", "Garden", "Hammock", "Igloo", "Jigsaw", "Kettle", "Lobster", "Magnet", "Noodle", "Orchard", "Pelican",
    "Quill", "Rocket", "Saddle", "Trumpet", "Umbrella", "Violin", "Walrus", "Yarrow", "Zeppelin", "Acorn", "Bramble",
    "Candle", "Drum", "Easel", "Feather", "Glacier", "Harbour", "Inkwell", "Juniper",
];
const PERSONS: [&str; 16] = [
    "Ada Sample",
    "Ben Placeholder",
    "Cleo Fixture",
    "Dev Example",
    "Ela Mock",
    "Finn Invented",
    "Gia Specimen",
    "Hal Dummy",
    "Ida Pretend",
    "Jon Fictive",
    "Kim Standin",
    "Lea Notional",
    "Max Sketch",
    "Nia Template",
    "Oto Imagine",
    "Pia Draft",
];
const TOWNS: [&str; 10] = [
    "Sampleton",
    "Mockburg",
    "Fixture Falls",
    "Example City",
    "Port Placebo",
    "New Nowhere",
    "Inventia",
    "Draftville",
    "Specimen Springs",
    "Testford",
];

/// One customer of the partner, in one store.
pub(super) struct Customer {
    pub(super) org_id: String,
    pub(super) zuid: String,
    pub(super) email: String,
    pub(super) org_name: String,
    pub(super) company: String,
    pub(super) country: usize,
    /// The address object, ready as JSON.
    pub(super) address: String,
    pub(super) subscriptions: Vec<usize>,
    /// The partner lost the customer: its subscriptions left the list.
    pub(super) is_untagged: bool,
    /// Mapped to the partner only on that day; later commissions have only a part of the amount as their base.
    pub(super) mapped_late: Option<(NaiveDate, i64)>,
}

/// The `number`-th customer of a store; the names of two stores never meet because the numbers do not.
pub(super) fn customer(random: &mut fastrand::Rng, number: usize, countries: &[Country]) -> Customer {
    let place = pick(random, countries.iter().map(|country| country.weight));
    let country = &countries[place];
    let person = PERSONS[random.usize(..PERSONS.len())];
    let (first, second) = (FIRST[number % FIRST.len()], SECOND[number % SECOND.len()]);
    let round = number / (FIRST.len() * SECOND.len());
    let serial = if round == 0 { String::new() } else { format!(" {}", round + 1) };
    let name = format!("{first} {second}{serial}");
    let domain = if random.u8(..3) == 0 { "example.com" } else { "example.test" };
    let host = name.to_lowercase().replace(' ', "-");
    let org_name = match random.u8(..12) {
        0 => format!("{name} &amp; Partners"),
        1 => format!("{name} &amp;amp; Söhne"),
        2 | 3 => format!("{name} Ltd"),
        4 => format!("{name} B.V."),
        _ => name.clone(),
    };
    let company = if random.u8(..10) == 0 { format!("{name} Holding") } else { org_name.clone() };
    Customer {
        org_id: (70_000_000_000 + number * 137).to_string(),
        zuid: (60_000_000_000 + number * 211).to_string(),
        email: format!("{}@{host}.{domain}", person.to_lowercase().replace(' ', ".")),
        org_name,
        company,
        country: place,
        address: address(random, country, person, number),
        subscriptions: Vec::new(),
        is_untagged: false,
        mapped_late: None,
    }
}

fn address(random: &mut fastrand::Rng, country: &Country, person: &str, number: usize) -> String {
    let house = number % 97 + 1;
    let street = match random.u8(..10) {
        0 => format!("Unit {house} &amp; {}, Imaginary Lane", house + 1),
        1 => format!("{house} Nowhere Road\nFloor {}", house % 7 + 1),
        2 => format!("&amp;lt;Hangar {house}&amp;gt; Pretend Park"),
        3 => "-".to_owned(),
        _ => format!("{house} Imaginary Lane"),
    };
    let city = if random.u8(..25) == 0 { "--Select State--" } else { TOWNS[number % TOWNS.len()] };
    let mut object = super::json::Object::new();
    object.text("address", &street);
    object.text("city", city);
    object.text("state", country.state);
    object.text("zip", &format!("{:05}", number * 13 % 99_999));
    object.text("country", country.name);
    object.text("phone", &format!("{}{:04}", country.phone, number % 10_000));
    object.text("fax", "-");
    object.text("main_contact", if random.u8(..3) == 0 { person } else { "-" });
    object.finish()
}
