//! Lookup against a naive model: of all routes that match, the one with the least precedence.

use proptest::prelude::*;
use sluice_proto::{ObjectReference, PathMatch, Problem, RouteAction, SettingsName};

use super::*;
use crate::candidate::Loss;
use crate::request_host;

fn route(host: &str, path: PathMatch, created_unix_s: i64, ingress: &str) -> Route {
    let object = ObjectReference {
        kind: "Ingress".to_owned(),
        namespace: "shop".to_owned(),
        name: ingress.to_owned(),
    };
    Route {
        name: format!("shop/{ingress} {host} {path}").into(),
        host: HostPattern::parse(host).unwrap(),
        path,
        ingress: object.clone(),
        field: String::new(),
        created_unix_s,
        action: RouteAction::Unavailable(Problem {
            object,
            field: String::new(),
            code: "None".to_owned(),
            message: String::new(),
            remedy: String::new(),
        }),
        certificate: None,
        policies: Vec::new(),
        sticky: None,
        priority: None,
        settings: SettingsName::EDGE,
    }
}

fn prefix(path: &str) -> PathMatch {
    PathMatch::prefix(path).unwrap()
}

fn winner<'a>(table: &'a RouteTable<Route>, host: &str, path: &str) -> Option<&'a str> {
    table.lookup(host, path).map(|route| &*route.name)
}

#[test]
fn an_exact_host_whose_paths_do_not_match_falls_through() {
    let table = RouteTable::new([
        route("a.example.com", prefix("/api"), 0, "exact"),
        route("*.example.com", prefix("/web"), 0, "wild"),
        route("*", PathMatch::Default, 0, "any"),
    ]);
    assert_eq!(
        winner(&table, "a.example.com", "/api/x"),
        Some("shop/exact a.example.com Prefix /api")
    );
    assert_eq!(
        winner(&table, "a.example.com", "/web"),
        Some("shop/wild *.example.com Prefix /web")
    );
    assert_eq!(
        winner(&table, "a.example.com", "/"),
        Some("shop/any * Default")
    );
    assert_eq!(
        winner(&table, "b.a.example.com", "/web"),
        Some("shop/any * Default")
    );
    assert_eq!(winner(&table, "", "/web"), Some("shop/any * Default"));
}

#[test]
fn of_two_with_the_same_host_and_path_the_older_answers() {
    let table = RouteTable::new([
        route("a.example", prefix("/"), 2, "a"),
        route("a.example", prefix("/"), 1, "z"),
    ]);
    assert_eq!(
        winner(&table, "a.example", "/"),
        Some("shop/z a.example Prefix /")
    );
}

#[test]
fn a_priority_counts_instead_of_the_length_of_a_path() {
    let with = |priority, route| Route { priority, ..route };
    let table = RouteTable::new([
        with(Some(100), route("a.example", prefix("/"), 9, "high")),
        route("a.example", prefix("/long/path"), 1, "long"),
        with(Some(0), route("b.example", prefix("/long/path"), 1, "low")),
        route("b.example", prefix("/"), 9, "short"),
        route(
            "*.example",
            PathMatch::exact("/long/path").unwrap(),
            1,
            "wild",
        ),
    ]);
    let high = "shop/high a.example Prefix /";
    assert_eq!(winner(&table, "a.example", "/long/path"), Some(high));
    let short = "shop/short b.example Prefix /";
    assert_eq!(winner(&table, "b.example", "/long/path"), Some(short));
    // A priority is one among the routes of its host.
    let wild = "shop/wild *.example Exact /long/path";
    assert_eq!(winner(&table, "c.example", "/long/path"), Some(wild));
    let lost: Vec<_> = table
        .candidates("a.example", "/long/path")
        .into_iter()
        .map(|candidate| candidate.loss.map(|loss| loss.to_string()))
        .collect();
    assert_eq!(lost[0], None);
    let reason = "its priority is lower than that of (Prefix /)";
    assert_eq!(lost[1].as_deref(), Some(reason));
}

#[test]
fn candidates_say_why_they_lost() {
    let table = RouteTable::new([
        route("a.example", prefix("/api"), 5, "best"),
        route("a.example", prefix("/api"), 5, "later"),
        route("a.example", prefix("/api"), 9, "young"),
        route("a.example", prefix("/"), 1, "short"),
        route("a.example", prefix("/admin"), 1, "other"),
        route("*.example", prefix("/api/v1"), 1, "wild"),
        route("b.example", prefix("/api"), 1, "elsewhere"),
    ]);
    let candidates = table.candidates("a.example", "/api/v1");
    let found: Vec<_> = (candidates.iter())
        .map(|candidate| {
            (
                candidate.routed.ingress.name.as_str(),
                candidate.loss.as_ref(),
            )
        })
        .collect();
    let owner = "shop/best".to_owned();
    assert_eq!(
        found,
        [
            ("best", None),
            (
                "later",
                Some(&Loss::LaterName {
                    winner: owner.clone()
                })
            ),
            ("young", Some(&Loss::Younger { winner: owner })),
            (
                "short",
                Some(&Loss::LessSpecificPath {
                    own: prefix("/"),
                    winner: prefix("/api")
                })
            ),
            (
                "wild",
                Some(&Loss::Host {
                    own: HostPattern::parse("*.example").unwrap(),
                    winner: HostPattern::parse("a.example").unwrap(),
                })
            ),
            ("other", Some(&Loss::Path(prefix("/admin")))),
        ]
    );
}

// Few names, so that hosts and paths often meet.
fn host() -> impl Strategy<Value = String> {
    "(a|b|\\*)(\\.(a|b)){0,2}".prop_filter("not a host", |host| HostPattern::parse(host).is_ok())
}

fn request_path() -> impl Strategy<Value = String> {
    prop_oneof![9 => "(/(a|b|ab)?){1,5}", 1 => Just("*".to_owned()), 1 => Just(String::new())]
}

fn path() -> impl Strategy<Value = PathMatch> {
    let text = "(/(a|b|ab)){0,3}/?".prop_map(|path| {
        if path.is_empty() {
            "/".to_owned()
        } else {
            path
        }
    });
    prop_oneof![
        4 => text.clone().prop_map(|path| prefix(&path)),
        2 => text.prop_map(|path| PathMatch::exact(&path).unwrap()),
        1 => Just(PathMatch::Default),
    ]
}

/// Few routes have one, as in life: it changes how all of its host are found.
fn priority() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![9 => Just(None), 1 => (-1i64..10).prop_map(Some)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_least_precedence_that_matches_answers(
        routes in prop::collection::vec((host(), path(), 0i64..3, "[a-c]", priority()), 0..12),
        requests in prop::collection::vec(("[abAB]?(\\.[abAB]){0,3}\\.?(:80)?", request_path()), 1..8),
    ) {
        let routes: Vec<Route> = (routes.into_iter())
            .map(|(host, path, created, ingress, priority)| Route {
                priority,
                ..route(&host, path, created, &ingress)
            })
            .collect();
        let table = RouteTable::new(&routes);
        for (authority, path) in requests {
            let host = request_host(&authority).unwrap();
            let model = (routes.iter())
                .filter(|route| route.host.matches(&host) && route.path.matches(&path))
                .min_by_key(|route| Precedence::of(route));
            let found = table.lookup(&host, &path).copied();
            prop_assert_eq!(found.map(Precedence::of), model.map(Precedence::of), "{} {}", authority, path);

            let candidates = table.candidates(&host, &path);
            let sharing = routes.iter().filter(|route| route.host.matches(&host)).count();
            prop_assert_eq!(candidates.len(), sharing);
            let won = candidates.iter().filter(|candidate| candidate.loss.is_none()).count();
            prop_assert_eq!(won, usize::from(model.is_some()));
        }
    }

    #[test]
    fn a_table_that_was_changed_is_the_one_that_is_built_anew(
        steps in prop::collection::vec(prop::collection::vec((host(), path(), 0i64..3, "[a-c]"), 0..6), 1..4),
        requests in prop::collection::vec(("[ab](\\.[ab]){0,2}", request_path()), 1..8),
    ) {
        let mut held: HashMap<Arc<str>, Arc<Route>> = HashMap::new();
        let mut table = RouteTable::default();
        for step in steps {
            let new = step.into_iter().map(|(host, path, created, ingress)| {
                let mut route = route(&host, path, created, &ingress);
                // The same name may come back with another host.
                route.name = format!("{ingress}{created}").into();
                (Arc::clone(&route.name), Arc::new(route))
            });
            let new: HashMap<Arc<str>, Arc<Route>> = new.collect();
            let differs = |a: &HashMap<_, _>, (name, route): &(&Arc<str>, &Arc<Route>)| a.get(*name) != Some(*route);
            let removed = held.iter().filter(|held| differs(&new, held)).map(|(_, route)| &**route);
            let added = new.iter().filter(|new| differs(&held, new)).map(|(_, route)| Arc::clone(route));
            table = table.with(removed, added);
            held = new;
        }
        let anew = RouteTable::new(held.values().cloned());
        prop_assert_eq!(table.exact.len(), anew.exact.len());
        prop_assert_eq!(table.wildcard.len(), anew.wildcard.len());
        for (host, path) in requests {
            prop_assert_eq!(table.lookup(&host, &path), anew.lookup(&host, &path));
            prop_assert_eq!(table.candidates(&host, &path).len(), anew.candidates(&host, &path).len());
        }
    }
}
