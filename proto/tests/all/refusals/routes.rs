//! Routes that cannot be accepted.

use sluice_proto::{Kind, wire};

use super::{Case, case, path};

pub(super) fn routes() -> Vec<Case> {
    let with_path = |path| wire::Route { path, ..good() };
    let host = "a..b".to_owned();
    let sticky = wire::Sticky {
        cookie: "a b".to_owned(),
        ..wire::Sticky::default()
    };
    let backend = wire::WeightedBackend {
        matches: vec![wire::RequestMatch::default()],
        ..wire::WeightedBackend::default()
    };
    [
        ("host, \"a..b\"", wire::Route { host, ..good() }),
        ("path", with_path(None)),
        ("path.kind, 0", with_path(Some(path(0, "/")))),
        ("path, \"foo\", slash", with_path(Some(path(2, "foo")))),
        ("path, \"/a//b\"", with_path(Some(path(1, "/a//b")))),
        (
            "ingress",
            wire::Route {
                ingress: None,
                ..good()
            },
        ),
        (
            "backends",
            wire::Route {
                backends: Vec::new(),
                ..good()
            },
        ),
        (
            "matches.by",
            wire::Route {
                backends: vec![backend],
                ..good()
            },
        ),
        (
            "name, empty",
            wire::Route {
                policies: vec![String::new()],
                ..good()
            },
        ),
        (
            "sticky.cookie, \"a b\"",
            wire::Route {
                sticky: Some(sticky),
                ..good()
            },
        ),
    ]
    .map(|(what, message)| case(what, Kind::Route, "shop/web example.com /", &message))
    .into()
}

fn good() -> wire::Route {
    wire::Route {
        path: Some(path(2, "/")),
        ingress: Some(wire::ObjectReference::default()),
        backends: vec![wire::WeightedBackend::default()],
        ..wire::Route::default()
    }
}
