//! Archives of Debian packages: their texts, and selections of small universes.

use rootcast::source::package::deb::archive::{Release, parse_list, parse_sources};
use rootcast::source::package::deb::index::Index;
use rootcast::source::package::deb::preferences::{Preferences, ReleaseFacts};
use rootcast::source::package::deb::resolve::{Request, Variant, resolve};
use rootcast::source::package::deb::universe::{Ranked, Universe};
use rootcast::source::package::deb::{relation, version};

use crate::{Choices, Outcome};

/// Parses a text as each of the files of an archive. Whatever is accepted can be read, an index also
/// after it was encoded.
pub fn check_text(bytes: &[u8]) -> Outcome {
    let (a, b) = bytes.split_at(bytes.len() / 2);
    let (order, back) = (version::compare(a, b), version::compare(b, a));
    assert_eq!(order, back.reverse());
    assert!(version::compare(a, a).is_eq());
    for group in relation::groups(bytes) {
        assert!(!group.alternatives.is_empty());
        assert!(group.alternatives.iter().all(|one| !one.name.is_empty()));
    }
    let text = String::from_utf8_lossy(bytes);
    let parsed = [
        parse_list(bytes).is_ok(),
        parse_sources(bytes).is_ok_and(|entries| !entries.is_empty()),
        Preferences::default().add(bytes).is_ok(),
        Release::parse(&text).is_ok(),
    ];
    let Ok(index) = Index::parse(bytes.to_vec()) else {
        return if parsed.contains(&true) { Outcome::Checked } else { Outcome::Refused };
    };
    assert_eq!(Index::decode(index.encode()).as_ref(), Some(&index));
    let count = index.names().len();
    for package in index.packages() {
        assert!(package.name < count && version::is_valid(package.version));
    }
    // Damaged bytes are refused, or can be read.
    let decoded = Index::decode(bytes.to_vec()).unwrap_or_default();
    assert!(decoded.packages().all(|package| package.name < decoded.names().len()));
    Outcome::Checked
}

/// Returns a text of one of the kinds.
pub fn text(bytes: &[u8]) -> Vec<u8> {
    let mut choices = Choices::new(bytes);
    universe(&mut choices).iter().map(Package::paragraph).collect::<String>().into_bytes()
}

/// A relation: the number of a name, and a limit on its version, if there is one.
type Relation = (usize, Option<(&'static str, u64)>);

struct Package {
    number: usize,
    version: u64,
    /// Groups of alternatives.
    depends: Vec<Vec<Relation>>,
    conflicts: Vec<Relation>,
    /// A name that it provides, with or without a version.
    provides: Option<(usize, Option<u64>)>,
}

/// The number of packages; further names are of none of them.
const COUNT: usize = 7;

fn universe(choices: &mut Choices<'_>) -> Vec<Package> {
    let count = 2 + choices.index(COUNT - 1);
    let relation = |choices: &mut Choices<'_>| -> Relation {
        let limit =
            choices.rarely(3).then(|| (choices.one_of(&["<<", "<=", "=", ">=", ">>"]), 1 + choices.up_to(2)));
        (choices.index(count + 2), limit)
    };
    let mut packages = Vec::new();
    for number in 0..count {
        let groups = choices.index(3);
        let mut depends = Vec::new();
        for _ in 0..groups {
            let alternatives = 1 + choices.index(3);
            depends.push((0..alternatives).map(|_| relation(choices)).collect());
        }
        let conflicts = if choices.rarely(3) { vec![relation(choices)] } else { Vec::new() };
        let provides = choices
            .rarely(3)
            .then(|| (choices.index(count + 2), choices.rarely(2).then(|| 1 + choices.up_to(2))));
        packages.push(Package { number, version: 1 + choices.up_to(2), depends, conflicts, provides });
    }
    packages
}

impl Package {
    fn paragraph(&self) -> String {
        let relation = |(number, limit): &Relation| match limit {
            Some((operator, version)) => format!("p{number} ({operator} {version})"),
            None => format!("p{number}"),
        };
        let join = |all: &[Relation], with: &str| all.iter().map(relation).collect::<Vec<_>>().join(with);
        let mut text = format!("Package: p{}\nVersion: {}\nArchitecture: all\n", self.number, self.version);
        if !self.depends.is_empty() {
            let groups: Vec<String> = self.depends.iter().map(|group| join(group, " | ")).collect();
            text += &format!("Depends: {}\n", groups.join(", "));
        }
        if !self.conflicts.is_empty() {
            text += &format!("Conflicts: {}\n", join(&self.conflicts, ", "));
        }
        match self.provides {
            Some((number, Some(version))) => text += &format!("Provides: p{number} (= {version})\n"),
            Some((number, None)) => text += &format!("Provides: p{number}\n"),
            None => {}
        }
        text + "\n"
    }

    /// Returns true if it is of a relation, by its name or by one that it provides.
    fn meets(&self, (number, limit): &Relation) -> bool {
        let is_within = |version: u64| match limit {
            None => true,
            Some(("<<", limit)) => version < *limit,
            Some(("<=", limit)) => version <= *limit,
            Some(("=", limit)) => version == *limit,
            Some((">=", limit)) => version >= *limit,
            Some((_, limit)) => version > *limit,
        };
        let by_name = self.number == *number && is_within(self.version);
        let provided =
            self.provides.filter(|(name, _)| name == number).is_some_and(|(_, version)| match version {
                Some(version) => is_within(version),
                None => limit.is_none(),
            });
        by_name || provided
    }
}

/// Returns true if all packages of a set can be installed together.
fn is_consistent(packages: &[Package], set: u32) -> bool {
    let is_in = |package: &&Package| set >> package.number & 1 == 1;
    packages.iter().filter(is_in).all(|package| {
        let met = |group: &Vec<Relation>| {
            group.iter().any(|one| packages.iter().filter(is_in).any(|other| other.meets(one)))
        };
        let refused = |one: &Relation| {
            packages.iter().filter(is_in).any(|other| other.number != package.number && other.meets(one))
        };
        package.depends.iter().all(met) && !package.conflicts.iter().any(refused)
    })
}

/// Selects packages of a small universe: the answer is one, and there is one if a trial of all sets
/// finds one.
pub fn check_selection(bytes: &[u8]) -> Outcome {
    let mut choices = Choices::new(bytes);
    let packages = universe(&mut choices);
    let wanted = choices.index(packages.len());
    let text: String = packages.iter().map(Package::paragraph).collect();
    let index = Index::parse(text.clone().into_bytes()).expect("it is valid");
    let ranked = [Ranked { index: &index, priority: 500, release: Some(ReleaseFacts::default()) }];
    let mut universe = Universe::new(&ranked, vec!["amd64".to_owned()], &Preferences::default());
    let request =
        Request { variant: Variant::Custom, include: vec![format!("p{wanted}")], ..Request::default() };
    let is_possible = |set: &u32| set >> wanted & 1 == 1 && is_consistent(&packages, *set);
    match resolve(&mut universe, &request) {
        Ok(answer) => {
            let number = |name: String| name[1..].parse::<u32>().expect("a number");
            let numbers = answer.packages.iter().map(|one| number(universe.display_name(one.id)));
            let set = numbers.fold(0, |set, number| set | 1 << number);
            assert!(is_possible(&set), "{set:b} of p{wanted}:\n{text}");
            Outcome::Checked
        }
        Err(why) => {
            let found = (0..1 << packages.len()).find(is_possible);
            assert_eq!(found, None, "{why}\n{text}");
            Outcome::Checked
        }
    }
}
