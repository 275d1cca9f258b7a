//! `regwatch man`: the manual page, made of what `--help` says, with all commands on one page.

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man as Page;
use clap_mangen::roff::{Roff, bold, roman};

use super::Cli;
use super::terminal::print;

/// What `--help` says below the options.
pub(super) const AFTER_HELP: &str = "\
To install it: regwatch man | sudo tee /usr/local/share/man/man1/regwatch.1 >/dev/null
To look at it: regwatch man | man -l -";

/// What is true of all commands: sections, and what each has for which word.
const SECTIONS: [(&str, &[(&str, &str)]); 4] = [
    (
        "EXIT STATUS",
        &[
            ("0", "It did what it was asked for; of poll, that all is well."),
            ("1", "It could not; of poll, that something needs somebody."),
            ("2", "The command line is wrong; of poll, also that something could not be asked."),
            ("78", "The configuration is wrong. A service manager need not try again until it is mended."),
        ],
    ),
    (
        "FILES",
        &[
            (
                "config.yaml",
                "The configuration, in the folder that regwatch is started in, unless --config.file names another.",
            ),
            ("/etc/regwatch/config.yaml", "Where the configuration of a service usually is."),
            (
                "/var/lib/regwatch/regwatch.db",
                "Where the store of a service usually is; the configuration names it.",
            ),
        ],
    ),
    (
        "ENVIRONMENT",
        &[
            (
                "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_PROFILE, AWS_CONFIG_FILE",
                "Credentials, as for every program that uses an AWS SDK; so are those of service accounts, containers and instances.",
            ),
            ("AWS_REGION", "Where STS is called."),
            (
                "AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_IOTFLEETWISE, AWS_ENDPOINT_URL_ACCOUNT, AWS_ENDPOINT_URL_STS",
                "Where AWS is called instead.",
            ),
            ("HTTPS_PROXY, NO_PROXY", "The proxy to AWS and to webhooks, and whom to call without it."),
            ("SSL_CERT_FILE, SSL_CERT_DIR", "The certificates that are trusted."),
            ("NO_COLOR", "If it is not empty, nothing is coloured."),
            ("TERM", "With dumb there are no colours, and no progress bar."),
        ],
    ),
    (
        "EXAMPLES",
        &[
            ("regwatch demo", "Look at it without an AWS account."),
            (
                "regwatch iam --format cloudformation --for member >members.json",
                "Make the template for the role in each account.",
            ),
            (
                "regwatch check-config config.yaml && regwatch poll",
                "See that the configuration is sound and the roles work.",
            ),
            ("regwatch run --config.file /etc/regwatch/config.yaml", "Watch."),
        ],
    ),
];

#[derive(Debug, Args)]
pub(super) struct Man {}

impl Man {
    pub(super) fn execute(self) -> anyhow::Result<()> {
        print(&page()?)
    }
}

fn page() -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let command = Cli::command();
    let commands: Vec<_> = command.get_subcommands().cloned().collect();
    let source = concat!("regwatch ", env!("CARGO_PKG_VERSION"));
    let page = Page::new(command).title("REGWATCH").source(source).manual("User Commands");
    page.render_title(&mut text)?;
    // Options and paths are there to be copied: no hyphens in them, and no gaps around.
    control(&mut text, "nh", "")?;
    control(&mut text, "ad", "l")?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    control(&mut text, "SH", "COMMANDS")?;
    for command in commands {
        let name = format!("regwatch {}", command.get_name());
        let below: Vec<_> = command.get_subcommands().cloned().collect();
        if below.is_empty() {
            subcommand(&mut text, command, name)?;
            continue;
        }
        for command in below {
            let name = format!("{name} {}", command.get_name());
            subcommand(&mut text, command, name)?;
        }
    }
    for (title, entries) in SECTIONS {
        let mut section = Roff::new();
        section.control("SH", [title]);
        for (word, about) in entries {
            tagged(&mut section, word, about);
        }
        section.to_writer(&mut text)?;
    }
    Ok(text)
}

/// A command as a part of the section of commands.
fn subcommand(text: &mut Vec<u8>, command: Command, name: String) -> std::io::Result<()> {
    control(text, "SS", &name)?;
    let after = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    // By itself: what all commands have stands once above.
    let page = Page::new(command.bin_name(name).disable_help_flag(true).disable_version_flag(true));
    text.extend(without_heading(|text| page.render_synopsis_section(text))?);
    control(text, "PP", "")?;
    text.extend(without_heading(|text| page.render_description_section(text))?);
    text.extend(without_heading(|text| page.render_options_section(text))?);
    let mut roff = Roff::new();
    for line in after.lines() {
        match line.trim_start().split_once("  ") {
            Some((word, about)) if line.starts_with(' ') => tagged(&mut roff, word, about.trim_start()),
            _ if line.trim().is_empty() => {}
            _ => {
                roff.control("PP", []);
                roff.text([roman(line.trim())]);
            }
        }
    }
    roff.to_writer(text)
}

fn tagged(roff: &mut Roff, word: &str, about: &str) {
    roff.control("TP", []);
    roff.text([bold(word)]);
    roff.text([roman(about)]);
}

fn control(text: &mut Vec<u8>, request: &'static str, argument: &str) -> std::io::Result<()> {
    let mut roff = Roff::new();
    roff.control(request, Some(argument).filter(|argument| !argument.is_empty()));
    roff.to_writer(text)
}

/// A section without its first line, which is its heading.
fn without_heading(render: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    render(&mut text)?;
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    Ok(lines.skip_while(|line| !line.starts_with(b".SH")).skip(1).flatten().copied().collect())
}
