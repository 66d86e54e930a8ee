"""A client acts as a role: one call per role and hour, keys renewed in time and shown nowhere."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import official as sdk
from tests.cloud.stub import Stub, reply
from tests.cloud.test_credentials import Clock
from tests.cloud.test_oracle import SDK_ONLY, official, sent_by
from tests.cloud.test_policy import allowed
from tests.cloud.test_secrets import FORMS, secrets_in
from tests.leaks import TEST_SECRET, TEST_TOKEN
from vcokit import errors
from vcokit.cloud.client import Client
from vcokit.cloud.connect import connect
from vcokit.cloud.credentials import EARLY, Credentials, Keyring
from vcokit.cloud.operations import OPERATIONS
from vcokit.cloud.policy import policy_document
from vcokit.simulator import Account, Connection, Fault, Role, Simulator

NOW = 1_767_323_045.0
HOUR = 3600.0
ARN = "acs:ram::22:role/vcokit"
ASSUME = "AssumeRole"


def clouded(*faults: Fault, clock: Callable[[], float], **options: Any) -> Simulator:
    """Return a simulator in which account 11 may assume two roles of account 22."""
    roles = [Role("vcokit", ["11"]), Role("asked", ["11"], external_id="an-id")]
    return Simulator(
        [Connection("vco-1", account_id="22")],
        accounts=[
            Account("11", "LTAIcaller", TEST_SECRET, **options),
            Account("22", "LTAImember", "secret-22", roles=roles),
        ],
        faults=faults,
        wall=clock,
        monotonic=clock,
    )


def connected(cloud: Simulator, clock: Callable[[], float], role: str = ARN, **more: Any) -> Client:
    """Return a client of a role that never waits."""
    return connect(
        cloud, region="cn-hangzhou", role_arn=role, clock=clock, sleep=lambda _: None, **more
    )


@pytest.fixture
def clock() -> Clock:
    """A clock of this machine and of the cloud."""
    return Clock(NOW)


def calls(cloud: Simulator) -> list[tuple[str, str]]:
    """Return operation and account of each call."""
    found = cloud.calls()
    return list(zip(found["operation"], found["account_id"], strict=True))


def look(client: Client) -> str:
    """Make a call; return the state that it is answered."""
    return client.describe_vpn_connection(vpn_connection_id="vco-1")["State"]


# -- it acts as the role --------------------------------------------------------------------------


def test_the_service_is_busy_at_first(clock: Clock) -> None:
    """A client is made in spite of lost answers and limits, as a list is read in spite of them."""
    faults = [
        Fault("drop_after", operation=ASSUME, count=1),
        Fault("throttle", operation=ASSUME, count=1),
    ]
    with clouded(*faults, clock=clock) as cloud, connected(cloud, clock) as client:
        assert look(client) == "attached"


def test_one_call_for_all_clients_of_a_role(clock: Clock) -> None:
    """Clients in many threads share a key; another role or another external id has its own."""
    with clouded(clock=clock) as cloud:
        states: list[str] = []

        def use() -> None:
            with connected(cloud, clock) as client:
                states.append(look(client))

        threads = [threading.Thread(target=use) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert states == ["attached"] * 8
        assert calls(cloud).count((ASSUME, "11")) == 1
        with connected(cloud, clock, "acs:ram::22:role/asked", external_id="an-id") as client:
            assert look(client) == "attached"
        asked = cloud.calls().query("operation == @ASSUME")["parameters"].tolist()
    assert asked == [
        {"RoleArn": ARN, "RoleSessionName": "vcokit"},
        {
            "RoleArn": "acs:ram::22:role/asked",
            "RoleSessionName": "vcokit",
            "ExternalId": "an-id",
        },
    ]


@pytest.mark.parametrize("behind", [0.0, 600.0])
def test_renewed_before_it_ends(clock: Clock, behind: float) -> None:
    """Shortly before its end by the cloud's clock, also if this machine's clock is behind."""

    def here() -> float:
        return clock.now - behind

    with clouded(clock=clock) as cloud, connected(cloud, here) as client:
        for clock.now in (
            NOW + 1,
            NOW + HOUR - EARLY - 2,
            NOW + HOUR - EARLY + 2,
            NOW + 1.5 * HOUR,
        ):
            assert look(client) == "attached"
        made = cloud.calls().query("operation == @ASSUME")["time"].tolist()
    assert made == [0.0, HOUR - EARLY + 2]


def test_the_service_does_not_answer_for_a_while(clock: Clock) -> None:
    """The key in hand is used to its end; then a call fails as if the cloud did not answer."""
    silent = Fault("drop_before", operation=ASSUME, after=1, count=2)
    with clouded(silent, clock=clock) as cloud, connected(cloud, clock) as client:
        clock.now = NOW + HOUR - 60
        assert look(client) == "attached"
        clock.now = NOW + HOUR
        asked = {"RegionId": "cn-hangzhou", "VpnConnectionId": "vco-1"}
        with pytest.raises(errors.NoAnswerError) as caught:
            client.call(OPERATIONS["DescribeVpnConnection"], asked, attempts=1)
        assert caught.value.operation == ASSUME
        assert look(client) == "attached"
        assert calls(cloud).count((ASSUME, "11")) == 4


def test_a_refused_key_is_not_used_again(clock: Clock) -> None:
    """If the cloud refuses the key of a role before its end, the next call gets another one."""
    refusal = Fault(
        "refuse", operation="DescribeVpnConnection", code="InvalidSecurityToken.Expired", count=1
    )
    with clouded(refusal, clock=clock) as cloud, connected(cloud, clock) as client:
        with pytest.raises(errors.AuthError, match=r"InvalidSecurityToken\.Expired"):
            look(client)
        assert look(client) == "attached"
        assert calls(cloud).count((ASSUME, "11")) == 2


def test_others_go_on_while_a_key_is_renewed() -> None:
    """Only who renews a key that is still valid waits for the new one."""
    clock, begun, go = Clock(0.0), threading.Event(), threading.Event()
    keys = iter(("LTAI1", "LTAI2"))

    def source() -> Credentials:
        key = next(keys)
        if key == "LTAI2":
            begun.set()
            assert go.wait(30)
        return Credentials(key, "x" * 8, expires=clock.now + HOUR)

    ring = Keyring(source, clock=clock)
    ring()
    clock.now = HOUR - EARLY
    renewal = threading.Thread(target=ring)
    renewal.start()
    assert begun.wait(30)
    assert ring().access_key_id == "LTAI1"
    go.set()
    renewal.join(30)
    assert ring().access_key_id == "LTAI2"


# -- how it is asked for --------------------------------------------------------------------------


def test_the_same_request_as_the_official_sdk() -> None:
    """Method, parameters and signed headers of the call are those of the SDK."""
    asked = {"role_arn": ARN, "external_id": "a=1,b/2"}

    def by_us(stub: Stub) -> object:
        return stub.client(**asked, session_name="me@host")

    def by_them(stub: Stub) -> object:
        request = sdk.model(ASSUME, "Request")(**asked, role_session_name="me@host")
        return official(ASSUME, stub.endpoint, "LTAIexample", "any-secret", None).assume_role(
            request
        )

    mine, other = sent_by(by_us), sent_by(by_them)
    assert (mine.method, mine.parameters) == (other.method, other.parameters)
    for header in ("x-acs-action", "x-acs-version", "x-acs-content-sha256"):
        assert mine.headers[header] == other.headers[header]
    assert other.signed - mine.signed == SDK_ONLY


@pytest.mark.parametrize("endpoint", [None, "https://vpc.example.com"])
def test_the_service_has_a_host_of_its_own(endpoint: str | None) -> None:
    """Its calls go there, whatever endpoint the other calls have."""
    hosts: list[str] = []
    given = {"AccessKeyId": "STS.x", "AccessKeySecret": "x" * 8, "SecurityToken": "y" * 8}
    answers: Iterator[dict[str, Any]] = iter(
        [
            {"Credentials": {**given, "Expiration": "2126-01-01T00:00:00Z"}},
            {"State": "attached", "VpnConnectionId": "vco-1"},
        ]
    )

    def answer(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        return httpx.Response(200, json={"RequestId": "r", **next(answers)})

    client = connect(
        "eu-central-1",
        endpoint=endpoint,
        access_key_id="LTAIexample",
        access_key_secret="any-secret",
        role_arn=ARN,
        transport=httpx.MockTransport(answer),
    )
    assert look(client) == "attached"
    own = "vpc.eu-central-1.aliyuncs.com" if endpoint is None else "vpc.example.com"
    assert hosts == ["sts.aliyuncs.com", own]


# -- it cannot be assumed -------------------------------------------------------------------------

DENY = {"Statement": [{"Effect": "Deny", "Action": "sts:*", "Resource": "*"}]}
REFUSED = [
    ("acs:ram::22:role/other", {}, {}, r"EntityNotExist\.Role.*Create the role in account 22"),
    ("acs:ram::22:role/asked", {}, {}, r"NoPermission.*Let the trust policy of acs:ram::22:role/a"),
    ("acs:ram::22:role/asked", {"external_id": "no"}, {}, "NoPermission.*with this external_id"),
    (ARN, {}, {"policy": DENY}, r"NoPermission.*sts:AssumeRole \(vcokit policy roles\)"),
    (ARN, {}, {"active": False}, r"InvalidAccessKeyId\.Inactive.*Enable the AccessKey"),
]


@pytest.mark.parametrize(("role", "given", "account", "said"), REFUSED)
def test_a_role_that_cannot_be_assumed(
    clock: Clock, role: str, given: dict[str, str], account: dict[str, Any], said: str
) -> None:
    """One error that names the role, the answer and the remedy; the external id is not shown."""
    with (
        clouded(clock=clock, **account) as cloud,
        pytest.raises(
            errors.CredentialsError, match=f"^{role} cannot be assumed .{said}"
        ) as caught,
    ):
        connected(cloud, clock, role, **given)
    assert caught.value.__context__ is None
    assert "an-id" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"role_arn": "acs:ram::22:user/x"}, "role_arn is .*Write it like acs:ram::1"),
        ({"role_arn": ""}, "role_arn is ''"),
        ({"role_arn": ARN, "session_name": "a b"}, "session_name is 'a b'"),
        ({"role_arn": ARN, "external_id": "a b"}, "external_id cannot be used"),
        ({"external_id": "an-id"}, "Pass role_arn= as well"),
        ({"session_name": "me"}, "Pass role_arn= as well"),
    ],
)
def test_what_is_no_role(given: dict[str, str], said: str) -> None:
    """It is refused before anything is sent."""
    with pytest.raises(errors.InputError, match=said):
        connect("r", access_key_id="LTAIx", access_key_secret="any-secret", **given)


@pytest.mark.parametrize("form", FORMS[:3])
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("cut", "truncated or not JSON"),
        ("incomplete", r"an answer with Credentials\.Expiration missing"),
        (
            "of another type",
            r"an answer with Credentials\.AccessKeyId missing or of the wrong type",
        ),
        ("no date", "ValueError: Invalid isoformat"),
    ],
)
def test_an_answer_that_cannot_be_used_shows_no_key(answer: str, said: str, form: Callable) -> None:
    """Neither the error nor a traceback with local variables repeats the key in the answer."""
    key: dict[str, Any] = {
        "SecurityToken": TEST_TOKEN,
        "AccessKeySecret": TEST_SECRET,
        "AccessKeyId": "STS.x",
        "Expiration": "soon",
    }
    if answer == "incomplete":
        del key["Expiration"]
    if answer == "of another type":
        key["AccessKeyId"] = 5
    data = json.dumps({"RequestId": "r", "Credentials": key}).encode()
    sent = reply(data[:-40] if answer == "cut" else data)
    with Stub([sent]) as stub, pytest.raises(errors.VcokitError, match=said) as caught:
        stub.client(role_arn=ARN, read_attempts=1)
    assert secrets_in(f"{caught.value} {vars(caught.value)}") == []
    traceback = caught.value.__traceback__
    while traceback is not None and "/vcokit/" not in traceback.tb_frame.f_code.co_filename:
        traceback = traceback.tb_next
    assert secrets_in(form(caught.value.with_traceback(traceback))) == []


# -- what the calling key may do ------------------------------------------------------------------


def test_the_policy_of_the_calling_key(shell, clock: Clock) -> None:
    """It allows what assumes the role, and nothing else; the commands alone do not ask for it."""
    code, out, _ = shell("policy", "roles", "--role", "vcokit", "--account", "22")
    document = json.loads(out)
    assert (code, allowed(document)) == (0, {"sts:AssumeRole": ["acs:ram:*:22:role/vcokit"]})
    assert "sts:AssumeRole" not in allowed(json.loads(shell("policy")[1]))
    assert allowed(policy_document([ASSUME])) == {"sts:AssumeRole": ["acs:ram:*:*:role/*"]}
    code, _, err = shell("policy", "roles", "--role", "vco*")
    assert (code, "is not the name of a role" in err) == (2, True)
    with clouded(clock=clock, policy=document) as cloud:
        assert look(connected(cloud, clock)) == "attached"
        with pytest.raises(errors.CredentialsError, match="NoPermission"):
            connected(cloud, clock, "acs:ram::22:role/asked", external_id="an-id")


def test_a_role_is_kept_out_of_the_recording(tmp_path: Path, clock: Clock) -> None:
    """The recording begins with the first call of the role."""
    with (
        clouded(clock=clock) as cloud,
        connected(cloud, clock, record=tmp_path / "record") as client,
    ):
        look(client)
    lines = (tmp_path / "record" / "exchanges.jsonl").read_text("utf-8").splitlines()
    operations = [json.loads(line)["operation"] for line in lines[1:]]
    assert operations == ["DescribeVpnConnection"]
