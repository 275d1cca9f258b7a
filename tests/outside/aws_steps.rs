//! The steps of `deploy/aws/README.md`, taken with the AWS CLI on top of moto: commands and files are right,
//! and the hub role, the StackSet and the delegated administrator are there in the end.

use std::process::Command;

use serde_json::Value;

use crate::program::Program;

const README: &str = include_str!("../../deploy/aws/README.md");

/// The account of the README that regwatch runs in.
const HUB: &str = "111122223333";

/// What the organization has to trust, and what stands in for it where moto does not know it.
const ACCOUNT_MANAGEMENT: &str = "account.amazonaws.com";
const DELEGATED: &str = "ssm.amazonaws.com";

/// An organization of moto's, and the AWS CLI that is signed in to its management account.
struct Cli {
    moto: Program,
}

impl Cli {
    /// What a command line says.
    fn run(&self, line: &str) -> String {
        let mut words = line.split(' ');
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/aws"));
        let endpoint = self.moto.url.as_str();
        command.envs([("AWS_ENDPOINT_URL", endpoint), ("AWS_DEFAULT_REGION", "us-east-1")]);
        command.envs([("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "secret"), ("AWS_PAGER", "")]);
        let output = command.output().unwrap_or_else(|error| panic!("{line}: {error}"));
        assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// The same of one that answers in JSON.
    fn ask(&self, line: &str) -> Value {
        serde_json::from_str(&self.run(line)).unwrap_or_else(|error| panic!("{line}: {error}"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_steps_of_the_readme_can_be_taken() {
    let mut moto = Command::new("moto_server");
    let moto = Program::start(moto.args(["-H", "127.0.0.1", "-p", "0"]), "Running on").await;
    let cli = Cli { moto };
    cli.run("aws organizations create-organization --feature-set ALL");
    let made = cli.ask("aws organizations create-account --account-name tooling --email tooling@example.com");
    let hub = made["CreateAccountStatus"]["AccountId"].as_str().expect("an id");
    let root = cli.ask("aws organizations list-roots");
    let root = root["Roots"][0]["Id"].as_str().expect("an id");
    let unit =
        cli.ask(&format!("aws organizations create-organizational-unit --name fleet --parent-id {root}"));
    let unit = unit["OrganizationalUnit"]["Id"].as_str().expect("an id");

    let steps: Vec<_> = README.lines().filter(|line| line.starts_with("aws ")).collect();
    assert_eq!(steps.len(), 6, "{steps:#?}");
    for step in steps {
        let step = step.replace(HUB, hub).replace("ou-abcd-11112222", unit);
        // Of the services that an administrator can be delegated for, moto knows others.
        let is_delegation = step.starts_with("aws organizations register-delegated-administrator ");
        cli.run(&if is_delegation { step.replace(ACCOUNT_MANAGEMENT, DELEGATED) } else { step });
    }

    let attached = cli.ask("aws iam list-attached-role-policies --role-name regwatch-hub");
    assert_eq!(attached["AttachedPolicies"].as_array().map(Vec::len), Some(1), "{attached}");
    let set = cli.ask("aws cloudformation describe-stack-set --stack-set-name regwatch-member");
    let trusted = &set["StackSet"]["Parameters"][0];
    assert_eq!(trusted["ParameterValue"], format!("arn:aws:iam::{hub}:role/regwatch-hub"), "{set}");
    let services = cli.run("aws organizations list-aws-service-access-for-organization");
    assert!(services.contains(ACCOUNT_MANAGEMENT), "{services}");
    let chosen = cli.ask("aws organizations list-delegated-administrators");
    assert_eq!(chosen["DelegatedAdministrators"][0]["Id"], hub, "{chosen}");
}
