use super::*;
use crate::source::package::deb::index::Index;
use crate::source::package::deb::preferences::{Preferences, ReleaseFacts};
use crate::source::package::deb::universe::Ranked;

/// Returns an index of packages, each given as `NAME VERSION [ARCHITECTURE]` and further fields,
/// separated by semicolons.
fn index(packages: &[&str]) -> Index {
    let paragraph = |text: &&str| {
        let mut parts = text.split(';').map(str::trim);
        let mut words = parts.next().unwrap_or_default().split(' ');
        let (name, version) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let architecture = words.next().unwrap_or("amd64");
        let rest: String = parts.map(|field| format!("{field}\n")).collect();
        format!("Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n{rest}\n")
    };
    Index::parse(packages.iter().map(paragraph).collect::<String>().into_bytes()).expect("an index")
}

fn select_of(packages: &[&str], request: &Request) -> Result<Vec<String>, String> {
    let index = index(packages);
    let release = Some(ReleaseFacts::default());
    let ranked = [Ranked { index: &index, priority: 500, release }];
    let architectures = vec!["amd64".to_owned(), "i386".to_owned()];
    let mut universe = Universe::new(&ranked, architectures, &Preferences::default());
    let answer = resolve(&mut universe, request)?;
    Ok(answer.packages.iter().map(|one| universe.display_name(one.id)).collect())
}

fn request(include: &[&str]) -> Request {
    let include = include.iter().map(|name| (*name).to_owned()).collect();
    Request { variant: Variant::Custom, include, ..Request::default() }
}

fn select(packages: &[&str], include: &[&str]) -> Result<Vec<String>, String> {
    select_of(packages, &request(include))
}

#[test]
fn the_first_alternative_that_can_be_installed_is_selected() {
    let packages = ["a 1; Depends: x (>= 2) | b | c", "b 1; Depends: nobody", "c 1", "x 1"];
    assert_eq!(select(&packages, &["a"]), Ok(vec!["a".to_owned(), "c".to_owned()]));
    // One that is selected anyway comes before the first one.
    let packages = ["a 1; Depends: b | c", "b 1", "c 1"];
    assert_eq!(select(&packages, &["a", "c"]), Ok(vec!["a".to_owned(), "c".to_owned()]));
}

#[test]
fn the_solver_goes_back_where_the_order_leads_nowhere() {
    let packages = ["a 1; Depends: b | c, d", "b 1", "c 1", "d 1; Conflicts: b"];
    let index = index(&packages);
    let ranked = [Ranked { index: &index, priority: 500, release: Some(ReleaseFacts::default()) }];
    let universe = Universe::new(&ranked, vec!["amd64".to_owned()], &Preferences::default());
    let excluded = [false; 4];
    let needs = Needs::new(&universe, &excluded);
    let a = universe.find(b"a", None).expect("a package");
    assert_eq!(greedy::select(&needs, &[a], false), None);
    assert_eq!(select(&packages, &["a"]), Ok(["a", "c", "d"].map(str::to_owned).to_vec()));
}

#[test]
fn virtual_packages_have_versions_or_not() {
    let packages =
        ["a 1; Depends: v (>= 2)", "b 1; Provides: v", "c 1; Provides: v (= 1)", "d 1; Provides: v (= 2)"];
    assert_eq!(select(&packages, &["a"]), Ok(vec!["a".to_owned(), "d".to_owned()]));
    let packages =
        ["a 1; Depends: v", "b 1; Provides: v; Priority: extra", "c 1; Provides: v; Priority: optional"];
    assert_eq!(select(&packages, &["a"]), Ok(vec!["a".to_owned(), "c".to_owned()]));
    // A package is not in conflict with what it provides itself.
    let packages = ["a 1; Provides: v; Conflicts: v", "b 1; Provides: v; Conflicts: v"];
    assert_eq!(select(&packages, &["a"]), Ok(vec!["a".to_owned()]));
    assert!(select(&packages, &["a", "b"]).is_err());
}

#[test]
fn architectures_meet_dependencies_by_multi_arch() {
    let packages = [
        "a:x 1", // not a name
    ];
    assert!(std::panic::catch_unwind(|| index(&packages)).is_err());
    let packages = [
        "a 1 i386; Depends: f, s, l:any",
        "f 1; Multi-Arch: foreign",
        "s 1; Multi-Arch: same",
        "s 1 i386; Multi-Arch: same",
        "l 1; Multi-Arch: allowed",
        "n 1",
        "b 1 i386; Depends: n",
        "all 1 all; Depends: f",
    ];
    let found = select(&packages, &["a:i386", "s", "all"]).expect("an answer");
    assert_eq!(found, ["a:i386", "all", "f", "l", "s", "s:i386"]);
    let error = select(&packages, &["b:i386"]).expect_err("n is of another architecture");
    assert!(error.contains("b:i386 1 depends: n, but the archives have n 1"), "{error}");
    // Two versions of one library cannot be installed together.
    let packages = ["s 1; Multi-Arch: same", "s 2 i386; Multi-Arch: same", "m 1", "m 1 i386"];
    for pair in [["s", "s:i386"], ["m", "m:i386"]] {
        let error = select(&packages, &pair).expect_err("they cannot be installed together");
        assert!(error.contains("cannot be installed together with"), "{error}");
    }
}

#[test]
fn variants_select_by_priority() {
    let packages = [
        "essential 1; Essential: yes; Priority: extra",
        "required 1; Priority: required",
        "important 1; Priority: important",
        "standard 1; Priority: standard",
        "optional 1; Priority: optional",
        "apt 1; Priority: optional",
        "foreign 1 i386; Priority: required",
    ];
    for (variant, expected) in [
        (Variant::Custom, &[][..]),
        (Variant::Essential, &["essential"]),
        (Variant::Apt, &["apt", "essential"]),
        (Variant::Required, &["essential", "required"]),
        (Variant::Minbase, &["apt", "essential", "required"]),
        (Variant::Important, &["essential", "important", "required"]),
        (Variant::Standard, &["essential", "important", "required", "standard"]),
    ] {
        let found = select_of(&packages, &Request { variant, ..Request::default() });
        assert_eq!(found.expect("an answer"), expected, "{variant}");
    }
}

#[test]
fn recommended_packages_are_selected_where_they_can() {
    let packages = ["a 1; Recommends: b, c, none", "b 1", "c 1; Conflicts: a"];
    let request = Request { recommends: true, ..request(&["a"]) };
    assert_eq!(select_of(&packages, &request), Ok(vec!["a".to_owned(), "b".to_owned()]));
    // The solver keeps to that, too.
    let packages = [
        "a 1; Depends: x | y, z; Recommends: b, c",
        "x 1",
        "y 1",
        "z 1; Breaks: x",
        "b 1",
        "c 1; Conflicts: a",
    ];
    assert_eq!(select_of(&packages, &request), Ok(["a", "b", "y", "z"].map(str::to_owned).to_vec()));
}

#[test]
fn versions_and_suites_can_be_named() {
    let (stable, backports) =
        (index(&["a 1", "b 1; Depends: a (>= 2)"]), index(&["a 2", "a 3; Provides: v"]));
    let facts = |suite| Some(ReleaseFacts { suite, ..ReleaseFacts::default() });
    let ranked = [
        Ranked { index: &stable, priority: 500, release: facts("stable") },
        Ranked { index: &backports, priority: 100, release: facts("stable-backports") },
    ];
    let version = |include: &str| {
        let mut universe = Universe::new(&ranked, vec!["amd64".to_owned()], &Preferences::default());
        let answer = resolve(&mut universe, &request(&[include]))?;
        let version = universe.package(answer.packages[0].id).listed.version;
        Ok::<_, String>(version.escape_ascii().to_string())
    };
    for (include, expected) in [("a", "1"), ("a=2", "2"), ("a/stable-backports", "3"), ("a/stable", "1")] {
        assert_eq!(version(include).as_deref(), Ok(expected), "{include}");
    }
    assert_eq!(version("a=4"), Err("a has no version 4: the archives have a 1, 2, 3".to_owned()));
    assert_eq!(version("b/none"), Err("none has no b; the archives have b 1".to_owned()));
    let error = version("b").expect_err("a is too old");
    assert!(error.ends_with("b 1 depends: a (>= 2), but the archives have a 1, 2, 3"), "{error}");
}

#[test]
fn failures_are_explained() {
    let packages = [
        "a 1; Depends: b",
        "b 1; Depends: c (>= 3) | d",
        "c 2",
        "e 1; Depends: f",
        "f 1; Breaks: g (<< 2)",
        "g 1",
        "v1 1; Provides: v",
        "v2 1; Provides: v",
        "w1 1; Provides: w",
    ];
    let error = |include: &[&str]| select(&packages, include).expect_err("no answer");
    let expected = "the packages cannot be installed together:\n  \
                    a 1 needs b 1 depends: c (>= 3) | d, but the archives have c 2; d is not in the archives";
    assert_eq!(error(&["a"]), expected);
    let expected = "the packages cannot be installed together:\n  \
                    f 1 breaks g 1 (Breaks: g (<< 2))\n    e 1 needs f 1\n    g 1 is requested";
    assert_eq!(error(&["e", "g"]), expected);
    assert_eq!(
        error(&["nothing", "v"]),
        "nothing is not in the archives; v is provided by v1, v2: include one of them by its name"
    );
    assert_eq!(select(&packages, &["w"]), Ok(vec!["w1".to_owned()]));
    let excluding = Request { exclude: vec!["g".to_owned()], ..request(&["g"]) };
    assert_eq!(select_of(&packages, &excluding), Err("g is both included and excluded".to_owned()));
    let excluding = Request { exclude: vec!["f".to_owned()], ..request(&["e"]) };
    let error = select_of(&packages, &excluding).expect_err("f is excluded");
    assert!(error.ends_with("e 1 depends: f, but f is excluded by --exclude-package"), "{error}");
    let excluding = Request { exclude: vec!["f:amd64".to_owned()], ..request(&["e"]) };
    let error = select_of(&packages, &excluding).expect_err("f is excluded");
    assert!(error.ends_with("e 1 depends: f, but f is excluded by --exclude-package"), "{error}");
}

#[test]
fn long_chains_are_followed() {
    let count = 1500;
    let packages: Vec<String> =
        (0..count).map(|number| format!("p{number} 1; Depends: p{}", (number + 1) % count)).collect();
    let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
    assert_eq!(select(&packages, &["p0"]).map(|found| found.len()), Ok(count));
}

#[test]
fn relations_name_architectures() {
    let packages = [
        "p 1; Provides: v, w:any; Multi-Arch: allowed",
        "q 1 i386; Provides: v, s",
        "t 1; Provides: u",
        "x 1",
        "y 1 i386",
        "a 1; Depends: v:i386",
        "b 1; Depends: v:any",
        "c 1; Depends: v:native",
        "d 1; Depends: w:any",
        "e 1; Depends: y:i386",
        "f 1; Conflicts: y:native",
        "g 1; Conflicts: y:amd64",
        "h 1; Conflicts: v (>= 2)",
        "no1 1; Depends: x:any",
        "no2 1; Depends: y:native",
        "no3 1; Depends: y:amd64",
        "no4 1; Depends: u:any",
        "no5 1; Depends: s:native",
        "no6 1; Depends: s",
        "no7 1; Depends: y",
    ];
    for (include, expected) in [
        (&["a"][..], &["a", "q:i386"][..]),
        (&["b"], &["b", "p"]),
        (&["c"], &["c", "p"]),
        (&["d"], &["d", "p"]),
        (&["e"], &["e", "y:i386"]),
        (&["f", "y:i386"], &["f", "y:i386"]),
        (&["g", "y:i386"], &["g", "y:i386"]),
        (&["h", "p"], &["h", "p"]),
    ] {
        assert_eq!(select(&packages, include).expect("an answer"), expected);
    }
    for name in ["no1", "no2", "no3", "no4", "no5", "no6", "no7"] {
        let error = select(&packages, &[name]).expect_err(name);
        assert!(error.contains(&format!("{name} 1 depends: ")), "{error}");
    }
    assert_eq!(select(&packages, &["u:i386"]), Err("u is provided by t for i386".to_owned()));
}

#[test]
fn providers_are_preferred_in_the_order_of_apt() {
    for (packages, expected) in [
        // The package of the name, essential ones, the native architecture, and the last one.
        (["a 1; Depends: v", "p 1; Essential: yes; Provides: v", "v 1"], "v"),
        (["a 1; Depends: v", "p 1; Essential: yes; Provides: v", "q 1; Provides: v"], "p"),
        (["a 1; Depends: v", "p 1; Provides: v", "q 1 i386; Provides: v; Multi-Arch: foreign"], "p"),
        (["a 1; Depends: v", "p 1; Provides: v", "q 1; Provides: v"], "q"),
    ] {
        assert_eq!(select(&packages, &["a"]), Ok(vec!["a".to_owned(), expected.to_owned()]), "{packages:?}");
    }
}

#[test]
fn provided_names_are_those_of_the_version_that_is_taken() {
    let first = index(&["a 1; Provides: old", "x 1; Depends: new", "y 1; Depends: old", "z 1"]);
    let second = index(&["a 3; Provides: new", "z 1"]);
    let select = |priority: i32, include: &[&str]| {
        let facts = |codename| Some(ReleaseFacts { codename, ..ReleaseFacts::default() });
        let ranked = [
            Ranked { index: &first, priority: 500, release: facts("one") },
            Ranked { index: &second, priority, release: facts("two") },
        ];
        let mut universe = Universe::new(&ranked, vec!["amd64".to_owned()], &Preferences::default());
        let answer = resolve(&mut universe, &request(include))?;
        let last = answer.packages.last().expect("a package").id;
        Ok::<_, String>((answer.packages.len(), universe.package(last).index))
    };
    assert_eq!(select(100, &["a", "y"]), Ok((2, 0)));
    assert!(select(100, &["a", "x"]).is_err() && select(500, &["a", "y"]).is_err());
    assert_eq!(select(500, &["a", "x"]), Ok((2, 0)));
    for three in ["a=3", "a/two"] {
        assert_eq!(select(100, &[three, "x"]), Ok((2, 0)));
        let error = select(100, &[three, "y"]).expect_err("version 3 does not provide it");
        assert!(error.ends_with("y 1 depends: old, but old is not in the archives"), "{error}");
    }
    assert_eq!(select(500, &["z"]), Ok((1, 0)), "of equal ones, the first counts");
    assert_eq!(select(-1, &["a=3"]).map(|(_, index)| index), Ok(1));
    assert!(select(-1, &["x"]).is_err(), "packages of a priority below 0 are left out");
    let apt = Request { variant: Variant::Apt, ..Request::default() };
    assert_eq!(select_of(&["a 1"], &apt), Err("apt is not in the archives".to_owned()));
}

#[test]
fn long_explanations_are_shortened() {
    let names: Vec<String> =
        (1..=14).map(|number| format!("n{number} 1; Provides: v; Depends: nobody")).collect();
    let mut packages: Vec<&str> = names.iter().map(String::as_str).collect();
    let include: Vec<String> = (1..=14).map(|number| format!("n{number}")).collect();
    let include: Vec<&str> = include.iter().map(String::as_str).collect();
    let error = select(&packages, &include).expect_err("nobody is missing");
    assert!(error.ends_with("\n  and 2 more") && error.lines().count() == 14, "{error}");
    packages.truncate(6);
    let error = select(&packages, &["v"]).expect_err("it has several providers");
    assert_eq!(error, "v is provided by n1, n2, n3, n4 and 2 more: include one of them by its name");
    // A version is named once, and a recommendation is not a reason.
    let packages = ["b 1; Recommends: c", "c 1; Depends: d (>= 2)", "d 1", "d 1 i386", "e 1; Depends: c"];
    let error = select(&packages, &["b", "e"]).expect_err("d is too old");
    assert!(error.ends_with("e 1 needs c 1 depends: d (>= 2), but the archives have d 1"), "{error}");
}

#[test]
fn reasons_are_the_first_dependencies() {
    let reasons = |packages: &[&str], include: &[&str]| {
        let index = index(packages);
        let ranked = [Ranked { index: &index, priority: 500, release: Some(ReleaseFacts::default()) }];
        let mut universe = Universe::new(&ranked, vec!["amd64".to_owned()], &Preferences::default());
        let answer = resolve(&mut universe, &request(include)).expect("an answer");
        let why = answer.packages.iter().map(|one| match &one.why {
            Why::Dependency { by, relation, .. } => format!("{}: {relation}", universe.display_name(*by)),
            other => format!("{other:?}"),
        });
        why.collect::<Vec<_>>()
    };
    // c is needed by b first, and is another alternative of a.
    let packages = ["a 1; Depends: b | c", "b 1; Depends: c", "c 1"];
    assert_eq!(reasons(&packages, &["a"]), ["Requested", "a: b | c", "b: c"]);
}
