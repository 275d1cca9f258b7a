"""What one would write instead of regwatch: boto3, a pool of threads, prometheus_client.

    exporter.py TARGETS PORT INTERVAL

TARGETS is a file with an account on each line, and a region where it is to ask for its registration with
FleetWise there, or nothing where it is to ask for its GovCloud account. Each is asked every INTERVAL
seconds, and the metrics are on PORT.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from prometheus_client import Counter, Gauge, start_http_server

THREADS = 16
SESSION = 3600
STATUSES = ("REGISTRATION_PENDING", "REGISTRATION_SUCCESS", "REGISTRATION_FAILURE")
STATES = ("PENDING_ACTIVATION", "ACTIVE", "SUSPENDED", "CLOSED")
NAMES = ["aws_account_id", "aws_region"]
ONCE = Config(retries={"total_max_attempts": 1}, connect_timeout=3, read_timeout=10, max_pool_connections=THREADS)

status = Gauge("aws_fleetwise_registration_status", "The status.", [*NAMES, "resource", "status"])
modified = Gauge("aws_fleetwise_registration_last_modified_timestamp_seconds", "When it changed.", NAMES)
state = Gauge("aws_govcloud_account_state", "The state.", ["aws_account_id", "state"])
up = Gauge("exporter_target_up", "Whether the last poll succeeded.", NAMES)
last_success = Gauge("exporter_target_last_success_timestamp_seconds", "When it last did.", NAMES)
polls = Counter("exporter_polls", "Polls.", NAMES)
failures = Counter("exporter_poll_failures", "Polls that failed.", [*NAMES, "reason"])

sts = boto3.client("sts")
management = boto3.client("account", region_name="us-east-1", config=ONCE)


class Target:
    """An account in a region, with a client that has its role's credentials; or an account's GovCloud one."""

    def __init__(self, account, region=""):
        self.names = (account, region)
        self.client = None
        self.expires = 0.0 if region else float("inf")

    def sign_in(self):
        account, region = self.names
        role = f"arn:aws:iam::{account}:role/regwatch"
        session = sts.assume_role(RoleArn=role, RoleSessionName="exporter", DurationSeconds=SESSION)
        issued = session["Credentials"]
        self.client = boto3.client(
            "iotfleetwise",
            region_name=region,
            aws_access_key_id=issued["AccessKeyId"],
            aws_secret_access_key=issued["SecretAccessKey"],
            aws_session_token=issued["SessionToken"],
            config=ONCE,
        )
        self.expires = time.time() + SESSION - 300

    def poll(self):
        polls.labels(*self.names).inc()
        try:
            if self.client:
                self.show(self.client.get_register_account_status())
            else:
                self.show_govcloud(management.get_gov_cloud_account_information(StandardAccountId=self.names[0]))
            up.labels(*self.names).set(1)
            last_success.labels(*self.names).set_to_current_time()
        except (BotoCoreError, ClientError) as error:
            up.labels(*self.names).set(0)
            failures.labels(*self.names, type(error).__name__).inc()

    def show_govcloud(self, reply):
        for one in STATES:
            state.labels(self.names[0], one).set(one == reply["AccountState"])

    def show(self, reply):
        resources = {"account": reply["accountStatus"]}
        for resource, member in (("iam", "iamRegistrationResponse"), ("timestream", "timestreamRegistrationResponse")):
            if member in reply:
                resources[resource] = reply[member]["registrationStatus"]
        for resource, now in resources.items():
            for one in STATUSES:
                status.labels(*self.names, resource, one).set(one == now)
        modified.labels(*self.names).set(reply["lastModificationTime"].timestamp())


def main(path, port, interval):
    with open(path, encoding="utf-8") as lines:
        targets = [Target(*line.split()) for line in lines]
    start_http_server(int(port), addr="127.0.0.1")
    with ThreadPoolExecutor(THREADS) as pool:
        while True:
            began = time.monotonic()
            # One after the other: making a client is not safe in threads.
            for target in targets:
                if target.expires < time.time():
                    target.sign_in()
            list(pool.map(Target.poll, targets))
            time.sleep(max(0.0, began + float(interval) - time.monotonic()))


if __name__ == "__main__":
    main(*sys.argv[1:])
