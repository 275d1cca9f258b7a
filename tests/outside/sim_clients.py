"""Calls the simulated AWS with botocore, boto3 and the AWS CLI, and checks what they make of it.

The one argument is a JSON object: the address of a simulation by the name of what is wrong with it.
Replies are held against the service models that botocore ships: members, types, enum values, patterns.
Every check runs; what fails is listed at the end.
"""

import datetime
import functools
import http.client
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import boto3
import botocore.auth
import botocore.exceptions as exceptions
from botocore.config import Config
from botocore.parsers import ResponseParserError
from botocore.validate import ParamValidator

HUB, MEMBER, OUTSIDER = "111122223333", "444455556666", "777788889999"
KEYS = {
    HUB: ("AKIAHUBHUBHUBHUBHUB2", "hub-secret"),
    MEMBER: ("AKIAMEMBERMEMBERMEM2", "member-secret"),
    OUTSIDER: ("AKIAOUTOUTOUTOUTOUT2", "outsider-secret"),
}
ROLE = f"arn:aws:iam::{MEMBER}:role/regwatch"
ASSUME = {"RoleArn": ROLE, "RoleSessionName": "regwatch", "ExternalId": "a-1:b"}

# The operations, by a short name: who calls, and how.
OPERATIONS = {
    "fleetwise": ("iotfleetwise", MEMBER, "get_register_account_status", {}),
    "govcloud": ("account", HUB, "get_gov_cloud_account_information", {"StandardAccountId": MEMBER}),
    "assume": ("sts", HUB, "assume_role", ASSUME),
    "identity": ("sts", HUB, "get_caller_identity", {}),
    "list": ("organizations", HUB, "list_accounts", {}),
    "roots": ("organizations", HUB, "list_roots", {}),
    "units": ("organizations", HUB, "list_organizational_units_for_parent", {"ParentId": "r-exam"}),
    "within": ("organizations", HUB, "list_accounts_for_parent", {"ParentId": "r-exam"}),
    "tags": ("organizations", HUB, "list_tags_for_resource", {"ResourceId": MEMBER}),
}

# Those that Organizations answers as it does `list`.
LISTS = ["roots", "units", "within", "tags"]
BY_CLI = [name for name in OPERATIONS if name not in LISTS]

# What each fault is to a client: for each operation an error code and HTTP status, or the exception of
# a call that was never answered, or None for a good reply.
FAULTS = {
    "throttle": {
        "fleetwise": ("ThrottlingException", 400),
        "govcloud": ("TooManyRequestsException", 429),
        "assume": ("Throttling", 400),
        "identity": ("Throttling", 400),
        "list": ("TooManyRequestsException", 400),
    },
    "denied": {
        "fleetwise": ("AccessDeniedException", 400),
        "govcloud": ("AccessDeniedException", 403),
        "assume": ("AccessDenied", 403),
        "identity": ("AccessDenied", 403),
        "list": ("AccessDeniedException", 400),
    },
    "server_error": {
        "fleetwise": ("InternalServerException", 500),
        "govcloud": ("InternalServerException", 500),
        "assume": ("InternalFailure", 500),
        "identity": ("InternalFailure", 500),
        "list": ("ServiceException", 500),
    },
    "unavailable": {
        "fleetwise": ("ServiceUnavailableException", 503),
        "govcloud": ("ResourceUnavailableException", 424),
        "assume": ("ServiceUnavailable", 503),
        "identity": ("ServiceUnavailable", 503),
        "list": ("ServiceUnavailableException", 503),
    },
    "expired_token": {
        "fleetwise": ("ExpiredTokenException", 400),
        "govcloud": ("ExpiredTokenException", 403),
        "assume": ("ExpiredToken", 403),
        "identity": ("ExpiredToken", 403),
        "list": ("ExpiredTokenException", 400),
    },
    # Without a code botocore shows the status, or nothing for XML.
    "uncoded": {
        "fleetwise": ("404", 404),
        "govcloud": ("404", 404),
        "assume": (None, 404),
        "identity": (None, 404),
        "list": ("404", 404),
    },
    "html_503": dict.fromkeys(OPERATIONS, ("503", 503)),
    "hang": dict.fromkeys(OPERATIONS, exceptions.ReadTimeoutError),
    "disconnect": dict.fromkeys(OPERATIONS, exceptions.ConnectionClosedError),
    "delay": dict.fromkeys(OPERATIONS),
    "slow_drip": dict.fromkeys(OPERATIONS),
}
FAULTS["throttle_with_hint"] = FAULTS["throttle"]
for outcomes in FAULTS.values():
    outcomes.update(dict.fromkeys(LISTS, outcomes["list"]))

# The exceptions that the service models have; all others are a plain ClientError.
MODELED = {
    "iotfleetwise": {"ThrottlingException", "AccessDeniedException", "InternalServerException"},
    "account": {
        "TooManyRequestsException",
        "AccessDeniedException",
        "InternalServerException",
        "ResourceUnavailableException",
    },
    "sts": set(),
    "organizations": {"TooManyRequestsException", "AccessDeniedException", "ServiceException"},
}

urls = json.loads(sys.argv[1])

# Only what is given here decides, and no file or variable of whoever runs this.
home = tempfile.TemporaryDirectory()
for variable in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[variable]
os.environ |= {"HOME": home.name, "AWS_EC2_METADATA_DISABLED": "true"}

session = boto3.session.Session()
session_lock = threading.Lock()


def new_client(world, service, keys, region="us-east-1", **config):
    key, secret, *token = keys
    defaults = {"retries": {"total_max_attempts": 1}, "read_timeout": 5}
    with session_lock:
        return session.client(
            service,
            region_name=region,
            endpoint_url=urls[world],
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token[0] if token else None,
            config=Config(**(defaults | config)),
        )


# Making one takes longer than hundreds of calls; threads may share it.
client = functools.cache(new_client)


def call(world, name, region="us-east-1", **config):
    service, caller, method, arguments = OPERATIONS[name]
    return getattr(client(world, service, KEYS[caller], region, **config), method)(**arguments)


def error_of(action):
    """The ClientError that an action ends with."""
    try:
        reply = action()
    except exceptions.ClientError as error:
        return error
    raise AssertionError(f"no error but {reply}")


def code_of(action):
    return error_of(action).response["Error"].get("Code")


def check_equal(what, seen, expected):
    assert seen == expected, f"{what}: {seen!r} and not {expected!r}"


# --- Replies against the models -----------------------------------------------------------------------


def check_values(path, shape, value):
    """Enum values, patterns and lengths, which ParamValidator leaves to the service."""
    if shape.type_name == "structure":
        for name, member in value.items():
            check_values(f"{path}.{name}", shape.members[name], member)
    elif shape.type_name == "list":
        for index, member in enumerate(value):
            check_values(f"{path}[{index}]", shape.member, member)
    elif shape.type_name == "string":
        metadata = shape.metadata
        assert not metadata.get("enum") or value in metadata["enum"], f"{path}: {value!r} is no value"
        # Python knows no classes of Unicode, and what is answered here is ASCII.
        classes = {r"\p{L}": "a-zA-Z", r"\p{Z}": " ", r"\p{N}": "0-9"}
        pattern = metadata.get("pattern")
        for name, letters in classes.items():
            pattern = pattern and pattern.replace(name, letters)
        assert not pattern or re.fullmatch(pattern, value), f"{path}: {value!r} does not match {pattern}"
        assert metadata.get("min", 0) <= len(value) <= metadata.get("max", 1 << 30), f"{path}: {value!r}"


def check_shape(name, reply):
    """A reply is complete, of the right types and made of allowed values."""
    service, caller, method, _ = OPERATIONS[name]
    here = client("none", service, KEYS[caller])
    shape = here.meta.service_model.operation_model(here.meta.method_to_api_mapping[method]).output_shape
    members = {key: value for key, value in reply.items() if key != "ResponseMetadata"}
    report = ParamValidator().validate(members, shape)
    assert not report.has_errors(), report.generate_report()
    check_values(name, shape, members)
    metadata = reply["ResponseMetadata"]
    check_equal("HTTP status", metadata["HTTPStatusCode"], 200)
    uuid = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    assert re.fullmatch(uuid, metadata["RequestId"]), metadata
    check_equal("request id", metadata["HTTPHeaders"]["x-amzn-requestid"], metadata["RequestId"])


def good_replies():
    for name in OPERATIONS:
        check_shape(name, call("none", name))
    check_equal("identity", call("none", "identity")["Account"], HUB)
    check_equal("govcloud", call("none", "govcloud")["AccountState"], "ACTIVE")


def registrations_of_each_region():
    for region, status, timestream, message in [
        ("us-east-1", "REGISTRATION_SUCCESS", True, None),
        ("eu-central-1", "REGISTRATION_FAILURE", True, "the role cannot be assumed"),
        ("ap-south-1", "REGISTRATION_PENDING", False, None),
    ]:
        reply = call("none", "fleetwise", region)
        check_shape("fleetwise", reply)
        check_equal(region, reply["accountStatus"], status)
        check_equal(region, "timestreamRegistrationResponse" in reply, timestream)
        check_equal(region, reply["iamRegistrationResponse"].get("errorMessage"), message)
        now = datetime.datetime.now(datetime.timezone.utc)
        age = (now - reply["creationTime"]).total_seconds()
        least = 60 if region == "us-east-1" else 0
        assert least <= age < least + 300, f"{region}: created {age} s ago"
    error = error_of(lambda: call("none", "fleetwise", "eu-west-1"))
    check_equal("class", type(error).__name__, "ResourceNotFoundException")
    check_equal("members", (error.response["resourceId"], error.response["resourceType"]), (MEMBER, "Account"))


def pages_of_accounts():
    organizations = client("none", "organizations", KEYS[HUB])
    first = organizations.list_accounts()
    check_equal("default page", len(first["Accounts"]), 20)
    for size, expected in [(None, [20, 7]), (7, [7, 7, 7, 6]), (20, [20, 7])]:
        pages = organizations.get_paginator("list_accounts").paginate(
            PaginationConfig={"PageSize": size} if size else {}
        )
        pages = list(pages)
        for page in pages:
            check_shape("list", page)
        check_equal(f"pages of {size}", [len(page["Accounts"]) for page in pages], expected)
        accounts = [account for page in pages for account in page["Accounts"]]
        check_equal("distinct", len({account["Id"] for account in accounts}), 27)
    both = {(account["State"], account["Status"]) for account in accounts}
    check_equal(
        "states",
        both,
        {
            ("PENDING_ACTIVATION", "ACTIVE"),
            ("ACTIVE", "ACTIVE"),
            ("SUSPENDED", "SUSPENDED"),
            ("PENDING_CLOSURE", "PENDING_CLOSURE"),
            ("CLOSED", "SUSPENDED"),
        },
    )
    unchecked = client("none", "organizations", KEYS[HUB], parameter_validation=False)
    for arguments, reason in [
        ({"MaxResults": 0}, "MIN_VALUE_EXCEEDED"),
        ({"MaxResults": 21}, "MAX_VALUE_EXCEEDED"),
        ({"NextToken": "elsewhere"}, "INVALID_NEXT_TOKEN"),
    ]:
        error = error_of(lambda: unchecked.list_accounts(**arguments))
        check_equal(str(arguments), type(error).__name__, "InvalidInputException")
        check_equal(str(arguments), error.response["Reason"], reason)
    for caller, expected in [(MEMBER, "AccessDeniedException"), (OUTSIDER, "AWSOrganizationsNotInUseException")]:
        other = client("none", "organizations", KEYS[caller])
        check_equal(caller, type(error_of(other.list_accounts)).__name__, expected)


def units_and_tags():
    organizations = client("none", "organizations", KEYS[HUB])
    root = organizations.list_roots()
    check_shape("roots", root)
    check_equal("roots", [one["Id"] for one in root["Roots"]], ["r-exam"])

    def below(parent):
        units = organizations.list_organizational_units_for_parent(ParentId=parent)
        check_shape("units", units)
        return {unit["Name"]: unit["Id"] for unit in units["OrganizationalUnits"]}

    def within(parent):
        pages = list(organizations.get_paginator("list_accounts_for_parent").paginate(ParentId=parent))
        for page in pages:
            check_shape("within", page)
        return [account["Id"] for page in pages for account in page["Accounts"]]

    top = below("r-exam")
    check_equal("units", sorted(top), ["Vehicles"])
    prod = below(top["Vehicles"])
    check_equal("units below", sorted(prod), ["Prod"])
    check_equal("at the top", len(within("r-exam")), 1)
    check_equal("in a unit", within(top["Vehicles"]), [MEMBER])
    check_equal("below it", len(within(prod["Prod"])), 25)
    tags = organizations.list_tags_for_resource(ResourceId=MEMBER)
    check_shape("tags", tags)
    check_equal("tags", tags["Tags"], [{"Key": "stage", "Value": "prod"}])
    check_equal("no tags", organizations.list_tags_for_resource(ResourceId=HUB)["Tags"], [])
    for expected, what in [
        ("ParentNotFoundException", lambda: organizations.list_accounts_for_parent(ParentId="ou-exam-11112222")),
        ("TargetNotFoundException", lambda: organizations.list_tags_for_resource(ResourceId=OUTSIDER)),
    ]:
        check_equal("error", type(error_of(what)).__name__, expected)


def govcloud_rules():
    for caller, about, expected, status in [
        (HUB, HUB, "ValidationException", 400),
        (HUB, OUTSIDER, "AccessDeniedException", 403),
        (HUB, "200000000000", "ResourceNotFoundException", 404),
        (HUB, "12345", "ValidationException", 400),
        (MEMBER, MEMBER, "AccessDeniedException", 403),
        (OUTSIDER, MEMBER, "AccessDeniedException", 403),
        (OUTSIDER, None, "ResourceNotFoundException", 404),
    ]:
        account = client("none", "account", KEYS[caller], parameter_validation=False)
        arguments = {} if about is None else {"StandardAccountId": about}
        error = error_of(lambda: account.get_gov_cloud_account_information(**arguments))
        what = f"{caller} about {about}"
        check_equal(what, type(error).__name__, expected)
        check_equal(what, error.response["ResponseMetadata"]["HTTPStatusCode"], status)
        if expected == "ValidationException":
            check_equal(what, error.response["reason"], "fieldValidationFailed")
            check_equal(what, error.response["fieldList"][0]["name"], "standardAccountId")
        else:
            check_equal(what, error.response["errorType"], expected)
    own = client("none", "account", KEYS[MEMBER]).get_gov_cloud_account_information()
    check_equal("its own", own["GovCloudAccountId"], MEMBER[::-1])


# --- Credentials and signatures ------------------------------------------------------------------------


def session_keys(world="none"):
    credentials = call(world, "assume")["Credentials"]
    return credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"]


def sessions_work():
    keys = session_keys()
    reply = client("none", "iotfleetwise", keys).get_register_account_status()
    check_equal("account", reply["customerAccountId"], MEMBER)
    sts = client("none", "sts", keys)
    check_equal("arn", sts.get_caller_identity()["Arn"], f"arn:aws:sts::{MEMBER}:assumed-role/regwatch/regwatch")
    onwards = {"RoleArn": ROLE.replace("regwatch", "onwards"), "RoleSessionName": "a+b=c,d.e@f-g_h"}
    check_shape("assume", sts.assume_role(**onwards, DurationSeconds=3600))
    error = error_of(lambda: sts.assume_role(**onwards, DurationSeconds=3601))
    check_equal("chained", error.response["Error"]["Code"], "ValidationError")
    for change in [{"ExternalId": "other"}, {"RoleArn": ROLE + "s"}]:
        refused = error_of(lambda: client("none", "sts", KEYS[HUB]).assume_role(**(ASSUME | change)))
        check_equal(str(change), refused.response["Error"]["Code"], "AccessDenied")
        check_equal(str(change), refused.response["Error"]["Type"], "Sender")


def wrong_credentials_are_refused():
    key, secret, token = session_keys()
    mismatch = {"sts": "SignatureDoesNotMatch", "": "InvalidSignatureException"}
    unknown = {"sts": "InvalidClientTokenId", "": "UnrecognizedClientException"}
    for what, keys, codes in [
        ("secret", (KEYS[MEMBER][0], "other"), mismatch),
        ("session's secret", (key, "other", token), mismatch),
        ("key", ("AKIANOBODYNOBODYNOBO", "secret"), unknown),
        ("token", (key, secret, token[::-1]), unknown),
        ("no token", (key, secret), unknown),
        ("token of a user", (*KEYS[MEMBER], token), unknown),
    ]:
        for service, _, method, arguments in OPERATIONS.values():
            refused = code_of(lambda: getattr(client("none", service, keys), method)(**arguments))
            check_equal(f"{what} at {service}", refused, codes.get(service, codes[""]))


def expired_sessions_are_refused():
    keys = session_keys("ending")
    expected = {"sts": "ExpiredToken", "": "ExpiredTokenException"}
    deadline = datetime.datetime.now() + datetime.timedelta(seconds=20)
    while datetime.datetime.now() < deadline:
        try:
            client("ending", "sts", keys).get_caller_identity()
        except exceptions.ClientError:
            break
        time.sleep(0.1)
    for service, _, method, arguments in OPERATIONS.values():
        refused = code_of(lambda: getattr(client("ending", service, keys), method)(**arguments))
        check_equal(service, refused, expected.get(service, expected[""]))


def requests_changed_on_their_way_are_refused():
    def spoil(request, **_):
        body = request.body if isinstance(request.body, bytes) else request.body.encode()
        request.body = body + b" "
        request.headers["Content-Length"] = str(len(request.body))

    for service, caller, method, arguments in OPERATIONS.values():
        spoilt = new_client("none", service, KEYS[caller])
        spoilt.meta.events.register("before-send", spoil)
        expected = "SignatureDoesNotMatch" if service == "sts" else "InvalidSignatureException"
        check_equal(service, code_of(lambda: getattr(spoilt, method)(**arguments)), expected)


def raw(url, path, headers, body):
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=5)
    connection.request("POST", path, body, headers)
    response = connection.getresponse()
    return response, response.read().decode()


def unsigned_requests_are_refused():
    json10 = {
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": "IoTAutobahnControlPlane.GetRegisterAccountStatus",
    }
    response, body = raw(urls["none"], "/", json10, "{}")
    check_equal("status", response.status, 400)
    check_equal("type", json.loads(body)["__type"], "com.amazon.coral.service#MissingAuthenticationTokenException")
    check_equal("header", response.headers["x-amzn-ErrorType"], "MissingAuthenticationTokenException")
    check_equal("media type", response.headers["content-type"], "application/x-amz-json-1.0")
    rest = {"content-type": "application/json"}
    response, body = raw(urls["none"], "/getGovCloudAccountInformation", rest, "{}")
    error_type = response.headers["x-amzn-ErrorType"].split(":")[0]
    check_equal("rest", (response.status, error_type), (403, "MissingAuthenticationTokenException"))
    form = {"content-type": "application/x-www-form-urlencoded"}
    response, body = raw(urls["none"], "/", form, "Action=GetCallerIdentity&Version=2011-06-15")
    assert response.status == 403 and "<Code>MissingAuthenticationToken</Code>" in body, body
    response, body = raw(urls["none"], "/", form, "Action=GetSessionToken&Version=2011-06-15")
    check_equal("unknown", (response.status, body), (404, "<UnknownOperationException/>\n"))
    assert response.headers["x-amzn-RequestId"], response.headers


def clocks_may_differ_by_a_quarter_of_an_hour():
    """Runs alone: it changes botocore's clock."""
    true_time = botocore.auth.get_current_datetime
    try:
        for minutes, expected in [(-14, None), (14, None), (-16, "expired"), (16, "not yet current")]:
            shift = datetime.timedelta(minutes=minutes)
            botocore.auth.get_current_datetime = lambda *args, **kwargs: true_time(*args, **kwargs) + shift
            for name, code in [("identity", "SignatureDoesNotMatch"), ("fleetwise", "InvalidSignatureException")]:
                if expected is None:
                    check_shape(name, call("none", name))
                else:
                    error = error_of(lambda: call("none", name)).response["Error"]
                    check_equal(f"{minutes} min", error["Code"], code)
                    assert f"Signature {expected}: " in error["Message"], error
    finally:
        botocore.auth.get_current_datetime = true_time


# --- Faults and quotas ---------------------------------------------------------------------------------


def check_error(name, error, code, status):
    service = OPERATIONS[name][0]
    check_equal("code", error.response["Error"].get("Code"), code)
    check_equal("status", error.response["ResponseMetadata"]["HTTPStatusCode"], status)
    modeled = code if code in MODELED[service] else "ClientError"
    check_equal("class", type(error).__name__, modeled)


def fault(world, name, expected):
    def check():
        action = lambda: call(world, name, read_timeout=1 if world == "hang" else 5)  # noqa: E731
        if expected is None:
            check_shape(name, action())
        elif isinstance(expected, tuple):
            check_error(name, error_of(action), *expected)
        else:
            try:
                reply = action()
            except expected:
                return
            raise AssertionError(f"no {expected.__name__} but {reply}")

    check.__name__ = f"{world} at {name}"
    return check


def throttling_members():
    response = error_of(lambda: call("throttle_with_hint", "fleetwise")).response
    members = {key: response[key] for key in ("quotaCode", "serviceCode", "retryAfterSeconds")}
    check_equal("members", members, {"quotaCode": "L-6ED070A2", "serviceCode": "iotfleetwise", "retryAfterSeconds": 7})
    assert "retryAfterSeconds" not in error_of(lambda: call("throttle", "fleetwise")).response
    for name in ["govcloud", "assume", "identity", "list"]:
        headers = error_of(lambda: call("throttle_with_hint", name)).response["ResponseMetadata"]["HTTPHeaders"]
        check_equal(name, headers["retry-after"], "7")


def replies_that_are_not_what_they_should_be():
    validator = ParamValidator()
    for name in ["fleetwise", "govcloud"]:
        service, caller, method, _ = OPERATIONS[name]
        here = client("none", service, KEYS[caller])
        shape = here.meta.service_model.operation_model(here.meta.method_to_api_mapping[method]).output_shape
        # Half of an object is read by botocore as one without members.
        for world in ["empty_object", "html", "cut_body"]:
            try:
                reply = call(world, name)
            except exceptions.ClientError as error:
                raise AssertionError(f"{world} at {name} is an error: {error}") from error
            del reply["ResponseMetadata"]
            check_equal(f"{world} at {name}", reply, {})
            assert validator.validate(reply, shape).has_errors()
    for name in ["assume", "identity", "list"]:
        check_equal(name, call("empty_object", name).keys(), {"ResponseMetadata"})
    for world in ["html", "cut_body"]:
        check_equal(f"{world} at list", call(world, "list").keys(), {"ResponseMetadata"})
    for world, name in itertools.product(["html", "cut_body"], ["assume", "identity"]):
        try:
            reply = call(world, name)
        except (KeyError, ResponseParserError):
            continue
        raise AssertionError(f"{world} at {name} was read as {reply}")
    reply = call("unknown_enum", "fleetwise")
    check_equal("status", reply["accountStatus"], "UNDER_REVIEW")
    check_equal("iam", reply["iamRegistrationResponse"]["registrationStatus"], "UNDER_REVIEW")
    check_equal("govcloud", call("unknown_enum", "govcloud")["AccountState"], "UNDER_REVIEW")
    check_equal("member", call("unknown_enum", "list")["Accounts"][0]["State"], "UNDER_REVIEW")
    for name in ["assume", "identity"]:
        check_shape(name, call("unknown_enum", name))
    for name in ["fleetwise", "govcloud", "assume", "identity", "list"]:
        check_shape(name, call("wrong_account", name))
    check_equal("fleetwise", call("wrong_account", "fleetwise")["customerAccountId"], "999999999999")
    check_equal("identity", call("wrong_account", "identity")["Account"], "999999999999")
    assert "999999999999" in call("wrong_account", "assume")["AssumedRoleUser"]["Arn"]


def quotas_count_by_caller_service_and_region():
    for name in ["fleetwise", "govcloud", "assume", "list"]:
        for region in ["us-east-1", "eu-central-1"]:
            check_shape(name, call("exhausted", name, region))
            check_error(name, error_of(lambda: call("exhausted", name, region)), *FAULTS["throttle"][name])
    check_error("identity", error_of(lambda: call("exhausted", "identity")), *FAULTS["throttle"]["identity"])
    check_shape("identity", call("exhausted", "identity", "ap-south-1"))
    other = client("exhausted", "sts", KEYS[MEMBER]).get_caller_identity()
    check_equal("another caller", other["Account"], MEMBER)


# --- The AWS CLI ---------------------------------------------------------------------------------------


def cli(world, name):
    service, caller, method, arguments = OPERATIONS[name]
    options = {
        "StandardAccountId": "--standard-account-id",
        "RoleArn": "--role-arn",
        "RoleSessionName": "--role-session-name",
        "ExternalId": "--external-id",
    }
    words = [word for key, value in arguments.items() for word in (options[key], value)]
    key, secret = KEYS[caller]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": home.name,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
    }
    command = ["aws", "--endpoint-url", urls[world], "--cli-read-timeout", "3", "--output", "json"]
    command += [service, method.replace("_", "-"), *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def cli_check(world, name, expected):
    def check():
        done = cli(world, name)
        if expected is None:
            check_equal(done.stderr, done.returncode, 0)
            assert json.loads(done.stdout), done.stdout
        elif isinstance(expected, tuple):
            assert done.returncode != 0, done.stdout
            # The CLI has a word for an error without a code.
            assert f"An error occurred ({expected[0] or 'Unknown'}) when calling" in done.stderr, done.stderr
        else:
            assert done.returncode != 0 and "An error occurred (" not in done.stderr, done.stderr

    check.__name__ = f"aws: {world} at {name}"
    return check


def cli_shows_no_answer(world, name):
    """A reply without members, or no AWS reply at all: whatever the CLI makes of it, it shows no state."""

    def check():
        done = cli(world, name)
        assert "An error occurred (" not in done.stderr, done.stderr
        if done.returncode == 0 and done.stdout.strip():
            shown = json.loads(done.stdout)
            assert not any(shown.values()), shown

    check.__name__ = f"aws: {world} at {name}"
    return check


def main():
    checks = [
        good_replies,
        registrations_of_each_region,
        pages_of_accounts,
        units_and_tags,
        govcloud_rules,
        sessions_work,
        wrong_credentials_are_refused,
        expired_sessions_are_refused,
        requests_changed_on_their_way_are_refused,
        unsigned_requests_are_refused,
        throttling_members,
        replies_that_are_not_what_they_should_be,
        quotas_count_by_caller_service_and_region,
    ]
    for world, expectations in FAULTS.items():
        checks += [fault(world, name, expected) for name, expected in expectations.items()]
        checks += [cli_check(world, name, expectations[name]) for name in BY_CLI]
    for world in ["none", "wrong_account", "unknown_enum"]:
        checks += [cli_check(world, name, None) for name in BY_CLI]
    for world in ["empty_object", "html", "cut_body"]:
        checks += [cli_shows_no_answer(world, name) for name in BY_CLI]

    def run(check):
        try:
            check()
        except Exception as error:  # Whatever goes wrong is this check's result.
            return f"{check.__name__}: {type(error).__name__}: {error}"
        return None

    with ThreadPoolExecutor(4) as pool:
        failures = [failure for failure in pool.map(run, checks) if failure]
    last = run(clocks_may_differ_by_a_quarter_of_an_hour)
    failures += [last] if last else []
    print("\n".join(failures))
    print(f"{len(checks) + 1} checks, {len(failures)} failed")
    sys.exit(1 if failures else 0)


main()
