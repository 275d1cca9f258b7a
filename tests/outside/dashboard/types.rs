//! Its form before the types of `@grafana/schema`: no key is misspelt, and no value is none that Grafana
//! knows.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::DASHBOARD;

/// What the compiler of TypeScript says.
fn complaints(dashboard: &str) -> String {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = TempDir::new().expect("a temporary folder");
    let packages = here.join("target/tools/dashboard/node_modules");
    symlink(&packages, folder.path().join("node_modules")).expect("a link");
    fs::copy(here.join("tests/outside/dashboard/types.ts"), folder.path().join("types.ts")).expect("a copy");
    let module = format!(
        "import type {{ Dashboard }} from \"./types\";\nexport const dashboard: Dashboard = {dashboard};\n"
    );
    fs::write(folder.path().join("dashboard.ts"), module).expect("it can be written");
    let mut compiler = Command::new("node");
    compiler.arg(packages.join("typescript/bin/tsc")).current_dir(&folder);
    compiler.args(["--noEmit", "--strict", "--skipLibCheck", "--pretty", "false", "--target", "esnext"]);
    compiler.args(["--module", "esnext", "--moduleResolution", "bundler", "dashboard.ts"]);
    let output = compiler.output().expect("tests/run has installed it");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.success(), said.is_empty(), "{said}");
    said
}

#[test]
fn it_is_of_the_types_that_grafana_publishes() {
    let said = complaints(DASHBOARD);
    assert!(said.is_empty(), "{said}");
    // The types are not so wide that anything goes.
    for (right, wrong) in [("\"perPage\"", "\"perpage\""), ("\"mode\": \"multi\"", "\"mode\": \"many\"")] {
        assert!(DASHBOARD.contains(right), "{right}");
        let said = complaints(&DASHBOARD.replacen(right, wrong, 1));
        assert!(said.contains("dashboard.ts") && said.contains("error TS"), "{wrong}: {said}");
    }
}
