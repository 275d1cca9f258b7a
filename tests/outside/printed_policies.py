"""Holds the policies that regwatch prints before cfn-lint, moto and python-hcl2, and against each other.

Standard input has one JSON object: `documents`, `terraform`, and `templates` by identity, as they were
printed.
"""

import json
import os
import re
import subprocess
import sys
import tempfile

# Nothing is asked of the real AWS.
os.environ.update(AWS_ACCESS_KEY_ID="key", AWS_SECRET_ACCESS_KEY="secret", AWS_DEFAULT_REGION="us-east-1")

import boto3
import hcl2
from moto import mock_aws

ACCOUNT = "123456789012"
HUB = f"arn:aws:iam::{ACCOUNT}:role/hub"
OPEN = {"account_id": ACCOUNT, "hub_principal_arn": HUB, "organization_id": "o-exampleorgid"}

shown = json.load(sys.stdin)


def filled(value):
    """With everything that is open filled in."""
    return json.loads(re.sub(r"\{(\w+)\}", lambda found: OPEN[found[1]], json.dumps(value)))


def canonical(document):
    """A text that is equal for documents that mean the same."""

    def many(value):
        return sorted(value) if isinstance(value, list) else [value]

    statements = []
    for statement in document["Statement"]:
        conditions = statement.get("Condition", {}).get("StringEquals", {})
        statements.append(
            {
                "Sid": statement["Sid"],
                "Effect": statement["Effect"],
                "Action": many(statement["Action"]),
                "Resource": many(statement.get("Resource", [])),
                "Principal": many(statement.get("Principal", {}).get("AWS", [])),
                "Condition": {key: many(value) for key, value in conditions.items()},
            }
        )
    return json.dumps(statements, sort_keys=True)


def by_identity():
    """The printed documents: identity, trust policy or None, policies."""
    documents = json.loads(shown["documents"])
    for grant in documents["principals"] + documents["roles"]:
        policies = [policy["document"] for policy in grant["policies"]]
        yield grant["identity"], filled(grant.get("trust_policy")), filled(policies)


@mock_aws
def iam_takes_the_documents():
    iam = boto3.client("iam")
    for identity, trust, policies in by_identity():
        if trust:
            iam.create_role(RoleName=identity, AssumeRolePolicyDocument=json.dumps(trust))
        for number, policy in enumerate(policies):
            text = json.dumps(policy, separators=(",", ":"))
            assert len(text) <= 6144, (identity, number, len(text))
            iam.create_policy(PolicyName=f"{identity}-{number}", PolicyDocument=text)
        assert len(policies) <= 10, (identity, len(policies))


def cfn_lint_is_content():
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for identity, template in shown["templates"].items():
            paths.append(os.path.join(folder, f"{identity}.json"))
            with open(paths[-1], "w", encoding="utf-8") as file:
                file.write(template)
        # The size is one for S3 and not for a request, which AWS says at once; the rest has to be sound.
        lint = ["cfn-lint", "--non-zero-exit-code", "informational", "--include-checks", "I", "--ignore-checks", "I1002", "I3042", "--"]
        said = subprocess.run(lint + paths, capture_output=True, text=True, check=False)
        assert said.returncode == 0, said.stdout + said.stderr


@mock_aws
def stacks_make_what_the_documents_say():
    cloudformation, iam = boto3.client("cloudformation"), boto3.client("iam")
    iam.create_role(RoleName="runs-regwatch", AssumeRolePolicyDocument="{}")
    for identity, trust, policies in by_identity():
        template = shown["templates"][identity]
        known = {"HubPrincipalArn": HUB, "OrganizationId": OPEN["organization_id"], "RoleName": "runs-regwatch"}
        parameters = [
            {"ParameterKey": name, "ParameterValue": known[name]}
            for name in json.loads(template).get("Parameters", {})
        ]
        # Without white space, which a request has little room for.
        body = json.dumps(json.loads(template), separators=(",", ":"))
        name = identity.replace(".", "-")
        cloudformation.create_stack(
            StackName=name, TemplateBody=body, Parameters=parameters, Capabilities=["CAPABILITY_NAMED_IAM"]
        )
        made = cloudformation.list_stack_resources(StackName=name)["StackResourceSummaries"]
        ids = lambda kind: [one["PhysicalResourceId"] for one in made if one["ResourceType"] == kind]
        documents = [
            iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"]
            for arn in ids("AWS::IAM::ManagedPolicy")
        ]
        assert sorted(map(canonical, documents)) == sorted(map(canonical, policies)), (documents, policies)
        roles = ids("AWS::IAM::Role")
        assert len(roles) == (trust is not None), made
        for role in roles:
            made_role = iam.get_role(RoleName=role)["Role"]
            assert canonical(made_role["AssumeRolePolicyDocument"]) == canonical(trust), made_role
        holder = roles[0] if roles else "runs-regwatch"
        attached = iam.list_attached_role_policies(RoleName=holder)["AttachedPolicies"]
        assert {one["PolicyArn"] for one in attached} >= set(ids("AWS::IAM::ManagedPolicy")), attached


def plain(text):
    """A text of HCL with what it refers to filled in."""
    text = text.strip('"')
    text = text.replace("${data.aws_caller_identity.current.account_id}", ACCOUNT)
    found = re.fullmatch(r"\$?\{?var\.(\w+)\}?", text)
    return OPEN[found[1]] if found else text


def hcl_says_the_same():
    parsed = hcl2.loads(shown["terraform"])
    found = []
    for block in parsed["data"]:
        for kind, named in block.items():
            if kind.strip('"') != "aws_iam_policy_document":
                continue
            for body in named.values():
                found.append({"Statement": [statement_of(one) for one in body["statement"]]})
    expected = []
    for _, trust, policies in by_identity():
        expected += policies + ([trust] if trust else [])
    assert sorted(map(canonical, found)) == sorted(map(canonical, expected)), (found, expected)


def statement_of(block):
    values = lambda value: [plain(one) for one in value]
    statement = {"Sid": plain(block["sid"]), "Effect": "Allow", "Action": values(block["actions"])}
    if "resources" in block:
        statement["Resource"] = values(block["resources"])
    for principals in block.get("principals", []):
        assert plain(principals["type"]) == "AWS", principals
        statement["Principal"] = {"AWS": values(principals["identifiers"])}
    for condition in block.get("condition", []):
        assert plain(condition["test"]) == "StringEquals", condition
        keys = {plain(condition["variable"]): values(condition["values"])}
        statement["Condition"] = {"StringEquals": keys}
    return statement


for check in (iam_takes_the_documents, cfn_lint_is_content, stacks_make_what_the_documents_say, hcl_says_the_same):
    check()
    print(f"{check.__name__}: yes")
