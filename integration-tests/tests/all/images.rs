//! The images as `images/build` makes them: the right archive for programs that are given, without building them for
//! minutes. That the programs run in them is not shown here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustix::fs::getxattr;
use serde_json::{Value, json};
use tempfile::TempDir;

#[test]
fn the_same_programs_make_the_same_bytes() {
    let programs = programs(LOAD);
    let [one, other] = [(); 2].map(|()| built(programs.path()));
    for name in ["control-plane", "data-plane"] {
        let [one, other] = [&one, &other].map(|images| fs::read(archive(images, name)).unwrap());
        assert!(one == other && !one.is_empty(), "{name}");
    }
}

#[test]
fn an_archive_names_its_image_and_starts_its_program_as_nobody() {
    let images = built(programs(LOAD).path());
    for plane in ["control-plane", "data-plane"] {
        let unpacked = unpack(&archive(&images, plane));
        let root = unpacked.path();
        assert_eq!(
            json_of(&root.join("oci-layout")),
            json!({"imageLayoutVersion": "1.0.0"})
        );
        let entry = &json_of(&root.join("index.json"))["manifests"][0];
        let reference = format!("sluice.dev/{plane}:{}", env!("CARGO_PKG_VERSION"));
        for name in [
            "io.containerd.image.name",
            "org.opencontainers.image.ref.name",
        ] {
            assert_eq!(entry["annotations"][name], reference.as_str());
        }
        let manifest = json_of(&blob(root, entry));
        let config = json_of(&blob(root, &manifest["config"]));
        assert_eq!(config["config"]["User"], "65532:65532");
        assert_eq!(
            config["config"]["Entrypoint"],
            json!([format!("/sluice-{plane}")])
        );
        // "The layer DiffID is the digest over the layer's uncompressed tar archive."
        let layer = &manifest["layers"][0];
        assert_eq!(config["rootfs"]["diff_ids"], json!([layer["digest"]]));
        blob(root, layer);
    }
}

#[test]
fn a_layer_holds_the_program_and_its_user_of_no_time_and_no_owner() {
    let images = built(programs(LOAD).path());
    let (unpacked, layer) = layer(&images, "data-plane");
    let listed = run(Command::new("tar")
        .args([
            "--list",
            "--verbose",
            "--numeric-owner",
            "--utc",
            "--full-time",
        ])
        .arg("--file")
        .arg(&layer));
    let listed: Vec<Vec<&str>> = (listed.lines())
        .map(|line| line.split_whitespace().collect())
        .collect();
    let size = program(LOAD).len().to_string();
    let expected = [
        "-rwxr-xr-x",
        "0/0",
        &size,
        "1970-01-01",
        "00:00:00",
        "sluice-data-plane",
    ];
    assert_eq!(listed.last().unwrap(), &expected);
    let names: Vec<_> = listed.iter().map(|line| *line.last().unwrap()).collect();
    assert_eq!(
        names,
        ["etc/", "etc/passwd", "etc/group", "sluice-data-plane"]
    );
    assert!(
        listed
            .iter()
            .all(|line| line[1] == "0/0" && line[3] == "1970-01-01")
    );
    drop(unpacked);
}

#[test]
fn only_the_data_plane_may_bind_ports_below_1024() {
    let images = built(programs(LOAD).path());
    let capability = |plane: &str| {
        let (unpacked, layer) = layer(&images, plane);
        let root = unpacked.path().join("root");
        fs::create_dir(&root).unwrap();
        run(Command::new("tar")
            .args(["--extract", "--xattrs", "--xattrs-include=*", "--directory"])
            .args([&root, Path::new("--file"), &layer]));
        let mut value = [0; 64];
        let program = root.join(format!("sluice-{plane}"));
        let length = getxattr(program, "security.capability", &mut value);
        length.ok().map(|length| value[..length].to_vec())
    };
    // What `setcap cap_net_bind_service=+ep` writes: revision 2, effective; permitted is bit 10.
    let mut expected = vec![1, 0, 0, 2, 0, 4];
    expected.resize(20, 0);
    assert_eq!(capability("data-plane"), Some(expected));
    assert_eq!(capability("control-plane"), None);
}

#[test]
fn a_program_that_needs_a_loader_is_refused() {
    let output = tempfile::tempdir().unwrap();
    let refused = build(programs(INTERPRETER).path(), output.path());
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success(), "{told}");
    assert!(
        told.contains("sluice-control-plane is not static") && told.contains("+crt-static"),
        "{told}"
    );
    assert_eq!(fs::read_dir(output.path()).unwrap().count(), 0);
}

#[test]
fn manifests_and_container_files_name_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    for plane in ["control-plane", "data-plane"] {
        let manifest = read(&format!("manifests/base/{plane}.yaml"));
        let image = format!("image: sluice.dev/{plane}:{version}\n");
        assert!(manifest.contains(&image), "{image}");
        let file = read(&format!("images/{plane}.Containerfile"));
        let label = format!("org.opencontainers.image.version=\"{version}\"");
        assert!(file.contains(&label), "{label}");
        let compiler = read("rust-toolchain.toml");
        let compiler = compiler.split('"').nth(1).unwrap();
        for pin in [
            format!("rust:{compiler}-"),
            format!("RUSTUP_TOOLCHAIN={compiler}\n"),
        ] {
            assert!(file.contains(&pin), "{pin}");
        }
    }
}

/// A folder with both programs, each with one segment of this kind.
fn programs(segment: u8) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["sluice-control-plane", "sluice-data-plane"] {
        fs::write(folder.path().join(name), program(segment)).unwrap();
    }
    folder
}

fn built(programs: &Path) -> TempDir {
    let output = tempfile::tempdir().unwrap();
    let built = build(programs, output.path());
    assert!(built.status.success(), "{built:?}");
    output
}

fn build(programs: &Path, output: &Path) -> Output {
    Command::new(repository().join("images/build"))
        .arg("--target=x86_64-unknown-linux-gnu")
        .arg("--programs")
        .arg(programs)
        .arg("--output")
        .arg(output)
        .output()
        .expect("images/build needs Python 3: apt-get install python3")
}

fn archive(images: &TempDir, plane: &str) -> PathBuf {
    let name = format!("{plane}-{}-amd64.tar", env!("CARGO_PKG_VERSION"));
    images.path().join(name)
}

/// The unpacked archive of a plane, and in it its one layer.
fn layer(images: &TempDir, plane: &str) -> (TempDir, PathBuf) {
    let unpacked = unpack(&archive(images, plane));
    let index = json_of(&unpacked.path().join("index.json"));
    let manifest = json_of(&blob(unpacked.path(), &index["manifests"][0]));
    let layer = blob(unpacked.path(), &manifest["layers"][0]);
    (unpacked, layer)
}

fn unpack(archive: &Path) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    run(Command::new("tar")
        .args(["--extract", "--directory"])
        .args([folder.path(), Path::new("--file"), archive]));
    folder
}

/// The file of what a descriptor describes, after a look whether it is that.
fn blob(root: &Path, descriptor: &Value) -> PathBuf {
    let digest = descriptor["digest"].as_str().unwrap();
    let digest = digest.strip_prefix("sha256:").unwrap();
    let path = root.join("blobs/sha256").join(digest);
    assert_eq!(descriptor["size"], fs::metadata(&path).unwrap().len());
    let summed = run(Command::new("sha256sum").arg(&path));
    assert!(summed.starts_with(digest), "{summed}");
    path
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn run(command: &mut Command) -> String {
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    String::from_utf8(ran.stdout).unwrap()
}

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap()
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The least that the kernel's format asks of a program: a header, and one segment of this kind.
fn program(segment: u8) -> Vec<u8> {
    let mut program = vec![0; 120];
    program[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    program[32] = 64; // where the segments are described
    program[54] = 56; // how long a description is
    program[56] = 1; // how many there are
    program[64] = segment;
    program
}

/// `PT_LOAD`: something to load.
const LOAD: u8 = 1;
/// `PT_INTERP`: the name of a loader.
const INTERPRETER: u8 = 3;
