//! The commands and configurations that the documentation shows: this program takes each of them.

use std::path::{Path, PathBuf};

use clap::CommandFactory;

use super::Cli;
use crate::config::Config;

/// Programs of others that the documentation shows, whose arguments are theirs.
const OTHERS: [&str; 13] = [
    "cargo",
    "promtool",
    "amtool",
    "docker",
    "kubectl",
    "systemctl",
    "systemd-analyze",
    "journalctl",
    "apt-get",
    "apt",
    "install",
    "aws",
    "terraform",
];

#[test]
fn each_command_of_the_documentation_is_understood() {
    let mut ours = 0;
    for file in pages(Path::new(env!("CARGO_MANIFEST_DIR"))) {
        let text = std::fs::read_to_string(&file).unwrap();
        for command in commands(&text) {
            let words = command.split_whitespace().map(|word| word.trim_matches(['"', '\'']));
            let words: Vec<_> = words.skip_while(|word| *word == "sudo").collect();
            let arguments = match words[0] {
                "regwatch" => &words[1..],
                "cargo" if words.contains(&"--") => words.rsplit(|word| *word == "--").next().unwrap(),
                script if script.contains('/') => {
                    let [top, here] = [Path::new(env!("CARGO_MANIFEST_DIR")), file.parent().unwrap()];
                    assert!([top, here].iter().any(|folder| folder.join(script).is_file()), "{command}");
                    continue;
                }
                other if OTHERS.contains(&other) => continue,
                other => panic!("{}: nobody knows {other}: {command}", file.display()),
            };
            let parsed = Cli::command().try_get_matches_from(["regwatch"].iter().chain(arguments));
            if let Err(error) = parsed {
                panic!("{}: {command}\n{error}", file.display());
            }
            ours += 1;
        }
    }
    assert!(ours >= 10, "only {ours} commands were found");
}

#[test]
fn each_configuration_of_the_documentation_can_be_used() {
    const REST: &str = "identities: {hub: {}}\naccounts: [{id: '111122223333', govcloud: {identity: hub}}]\n";
    let mut ours = 0;
    for file in pages(Path::new(env!("CARGO_MANIFEST_DIR"))) {
        let text = std::fs::read_to_string(&file).unwrap();
        for (place, block) in text.split("```yaml\n").skip(1).enumerate() {
            let block = block.split("```").next().unwrap();
            let rest = match block.split(':').next().unwrap() {
                "identities" => "",
                "store" | "events" => REST,
                _ => continue,
            };
            let name = format!("{}, block {place}", file.display());
            if let Err(error) = Config::parse(&name, &format!("{block}{rest}")) {
                panic!("{error}");
            }
            ours += 1;
        }
    }
    assert!(ours >= 3, "only {ours} configurations were found");
}

/// The pages that people read.
fn pages(top: &Path) -> Vec<PathBuf> {
    let mut pages = vec![top.join("README.md")];
    let mut folders = vec![top.join("deploy")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages
}

/// The commands of the shell blocks of a page, without comments, redirections and what they are piped to.
fn commands(page: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut in_block = false;
    for line in page.replace("\\\n", " ").lines() {
        match line.trim() {
            "```sh" => in_block = true,
            "```" => in_block = false,
            command if in_block => {
                let end = command.find(['#', '|', '>']).unwrap_or(command.len());
                let command = command[..end].trim();
                commands.extend((!command.is_empty()).then(|| command.to_owned()));
            }
            _ => {}
        }
    }
    commands
}
