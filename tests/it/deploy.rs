//! What stands in `deploy/` is what its readers take it for.

use std::{
    collections::BTreeSet,
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

fn deploy(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(folder)
}

/// Every resource; kustomize's own file is none.
fn manifests() -> Vec<PathBuf> {
    let found = fs::read_dir(deploy("kubernetes")).unwrap().map(|entry| entry.unwrap().path());
    let is_yaml = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "yaml");
    found.filter(|path| is_yaml(path) && !path.ends_with("kustomization.yaml")).collect()
}

/// Checks every manifest against Kubernetes' own schema. Where the checker is missing, that is said; in CI it is an error.
#[test]
fn the_kubernetes_manifests_match_their_schema() {
    let manifests = manifests();
    assert!(manifests.len() >= 5, "{manifests:?}");
    let check = |arguments: &[&str]| {
        let mut command = Command::new("kubernetes-validate");
        command.args(arguments).stdin(Stdio::null());
        command
    };
    if check(&["--version"]).output().is_err() {
        assert!(env::var_os("CI").is_none(), "kubernetes-validate is not on the PATH, and CI is set");
        // not eprintln: the test runner would keep the line to itself
        writeln!(std::io::stderr(), "skipped: the Kubernetes manifests: no `kubernetes-validate` on the PATH").unwrap();
        return;
    }
    let output = check(&["--strict"]).args(&manifests).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches(" passed for ").count(), manifests.len(), "{said}");
    // And it would have said so.
    let scratch = tempfile::tempdir().unwrap();
    let wrong = scratch.path().join("wrong.yaml");
    let whole = fs::read_to_string(deploy("kubernetes").join("statefulset.yaml")).unwrap();
    fs::write(&wrong, whole.replace("serviceName:", "servceName:")).unwrap();
    assert!(!check(&["--strict"]).arg(wrong).output().unwrap().status.success());
}

/// systemd's own reader of units takes ours. Where it is missing, that is said; in CI it is an error.
#[test]
fn the_systemd_units_are_understood_and_belong_together() {
    let scratch = tempfile::tempdir().unwrap();
    let units: Vec<PathBuf> = fs::read_dir(deploy("systemd")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(units.len(), 3, "{units:?}");
    let mut copies = Vec::new();
    for unit in &units {
        // the program is not installed here
        let text =
            fs::read_to_string(unit).unwrap().replace("/usr/local/bin/steadfast", env!("CARGO_BIN_EXE_steadfast"));
        let copy = scratch.path().join(unit.file_name().unwrap());
        fs::write(&copy, text).unwrap();
        copies.push(copy);
    }
    let verify =
        |copies: &[PathBuf]| Command::new("systemd-analyze").args(["verify", "--man=no"]).args(copies).output();
    let Ok(output) = verify(&copies) else {
        assert!(env::var_os("CI").is_none(), "systemd-analyze is not on the PATH, and CI is set");
        writeln!(std::io::stderr(), "skipped: the systemd units: no `systemd-analyze` on the PATH").unwrap();
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}");
    // And it would have said so.
    let service = scratch.path().join("steadfast.service");
    let whole = fs::read_to_string(&service).unwrap();
    fs::write(&service, whole.replace("ExecStart=", "ExecStrat=")).unwrap();
    let output = verify(&copies).unwrap();
    assert!(!output.status.success() || !output.stderr.is_empty());
    // The names that the sockets have are those that the program knows.
    for (unit, name) in [("steadfast.socket", "public"), ("steadfast-admin.socket", "admin")] {
        let text = fs::read_to_string(deploy("systemd").join(unit)).unwrap();
        assert!(text.contains(&format!("FileDescriptorName={name}\n")), "{unit}");
        assert!(whole.lines().any(|line| line.starts_with("Requires=") && line.contains(unit)), "{unit}");
    }
}

#[test]
fn the_config_map_is_a_configuration_that_the_program_takes() {
    let file = deploy("kubernetes").join("supervision.toml");
    let output = Command::new(env!("CARGO_BIN_EXE_steadfast")).args(["config", "check"]).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_kustomization_names_every_manifest() {
    let folder = deploy("kubernetes");
    let text = fs::read_to_string(folder.join("kustomization.yaml")).unwrap();
    let named: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("  - ").filter(|it| !it.contains(':')))
        .map(str::to_owned)
        .collect();
    let name_of = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(named, manifests().iter().map(name_of).collect());
}

#[test]
fn what_listens_for_others_says_who_may_come() {
    let check = |text: &str| {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("supervision.toml");
        fs::write(&file, text).unwrap();
        let output =
            Command::new(env!("CARGO_BIN_EXE_steadfast")).args(["config", "check"]).arg(file).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let shipped = fs::read_to_string(deploy("kubernetes").join("supervision.toml")).unwrap();
    let (code, said) = check(&shipped);
    assert!(code == Some(0) && said.contains("is not here, and was not looked at"), "{said}");
    let keys = tempfile::NamedTempFile::new().unwrap();
    let (code, said) = check(&format!("[auth]\nsecret_file = {:?}\n", keys.path()));
    assert!(code == Some(2) && said.contains(keys.path().to_str().unwrap()), "{said}");
    let (code, said) = check(&shipped.replace("secret_file", "# secret_file"));
    assert!(code == Some(2) && said.contains("nobody is asked who he is"), "{said}");
    let (code, said) = check(&shipped.replace("127.0.0.1:9900", "0.0.0.0:9900"));
    assert!(code == Some(2) && said.contains("[admin] token_file"), "{said}");
    let image = fs::read_to_string(deploy("docker").join("Dockerfile")).unwrap();
    assert!(
        image.contains("LISTEN=0.0.0.0") && !image.lines().any(|line| !line.starts_with('#') && line.contains("OPEN"))
    );
}
