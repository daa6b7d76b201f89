//! That the manifests speak the programs' language: variables, probes and settings.

use std::process::Command;

use sluice_integration_tests::kubernetes_tools::KubernetesTools;
use sluice_integration_tests::programs::Programs;
use sluice_translate::EdgeSettings;

use super::{manifests, text};

#[test]
fn every_variable_is_one_of_the_programs() {
    let programs = Programs::built_once().unwrap();
    let rendered = rendered();
    for (plane, program) in [
        ("control-plane", &programs.control_plane),
        ("data-plane", &programs.data_plane),
    ] {
        let help = Command::new(program).arg("--help").output().unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        let workload = (rendered.split("\n---\n"))
            .find(|object| object.contains(&format!("image: sluice.dev/{plane}:")))
            .unwrap();
        let variables: Vec<_> = (workload.lines())
            .filter_map(|line| line.trim().strip_prefix("- name: "))
            .filter(|name| name.starts_with("SLUICE_"))
            .collect();
        assert!(!variables.is_empty(), "{workload}");
        for variable in variables {
            assert!(help.contains(&format!("[env: {variable}=")), "{variable}");
        }
    }
}

#[test]
fn the_settings_that_are_installed_can_be_used() {
    let default = EdgeSettings::default();
    assert_eq!(settings("base/settings.yaml"), default);
    let mut example = settings("settings.example.yaml");
    assert!(!example.edge.trusted_ranges.is_empty());
    example.edge.trusted_ranges.clear();
    assert_eq!(example, default, "it says that it shows the defaults");

    let beside_traefik = settings("overlays/migrate-from-traefik/settings.yaml");
    assert!(!beside_traefik.status.publish, "that is Traefik's to write");
}

fn settings(file: &str) -> EdgeSettings {
    let file = manifests().join(file);
    let settings = std::fs::read_to_string(&file).unwrap();
    EdgeSettings::parse(&settings)
        .unwrap_or_else(|error| panic!("{} cannot be used: {error}", file.display()))
}

/// The base as Kustomize makes it, for which no cluster is needed.
fn rendered() -> String {
    let kubectl = KubernetesTools::find().unwrap();
    let rendered = Command::new(kubectl.program("kubectl").unwrap())
        .args(["kustomize", text(&manifests())])
        .output()
        .unwrap();
    assert!(rendered.status.success(), "{rendered:?}");
    String::from_utf8(rendered.stdout).unwrap()
}
