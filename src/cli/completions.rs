//! `regwatch completions`: what makes a shell complete regwatch's commands and options.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;
use super::terminal::print;

/// What `--help` says below the options.
pub(super) const AFTER_HELP: &str = "\
Where the shells look for them:
  bash        /usr/share/bash-completion/completions/regwatch, or ~/.local/share/bash-completion/completions/regwatch
  zsh         _regwatch in a folder of fpath
  fish        ~/.config/fish/completions/regwatch.fish
  elvish      eval (regwatch completions elvish | slurp), in rc.elv
  powershell  regwatch completions powershell | Out-String | Invoke-Expression, in $PROFILE";

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl Completions {
    pub(super) fn execute(self) -> anyhow::Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "regwatch", &mut script);
        print(&script)
    }
}
