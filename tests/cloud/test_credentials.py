"""Keys are found where they should be, renewed before they end, and shown nowhere."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from alibabacloud_credentials.provider import CLIProfileCredentialsProvider
from alibabacloud_credentials.utils import auth_util

from tests.leaks import TEST_SECRET, TEST_TOKEN
from vcokit import errors
from vcokit.cloud import credentials
from vcokit.cloud.connect import connect
from vcokit.cloud.credentials import (
    ASK_AGAIN,
    EARLY,
    OURS,
    THEIRS,
    Credentials,
    Keyring,
    find,
    from_object,
)

KEY = {"access_key_id": "LTAIprofile", "access_key_secret": TEST_SECRET}
AK = {"name": "work", "mode": "AK", "region_id": "eu-central-1", **KEY}
STS = {"name": "temporary", "mode": "StsToken", **KEY, "sts_token": TEST_TOKEN}
ENVIRONMENT = {
    "ALIBABA_CLOUD_ACCESS_KEY_ID": "LTAIenvironment",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": TEST_SECRET,
}


class Clock:
    """A clock that stands where it is put."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def home(folder: Path, *entries: dict, current: str = "work", text: str | None = None) -> Path:
    """Write a configuration of the vendor's CLI; return the home it stands in."""
    path = folder / ".aliyun" / "config.json"
    path.parent.mkdir(exist_ok=True)
    body = {"current": current, "profiles": list(entries), "meta_path": ""}
    path.write_text(json.dumps(body) if text is None else text, encoding="utf-8")
    return folder


@pytest.fixture
def no_chain(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let nobody ask the official package; note who would have."""
    asked: list[str] = []

    def official(profile: str | None = None, path: Path | None = None):
        asked.append(f"profile {profile}" if profile else "default chain")
        return lambda: Credentials("LTAIchain", TEST_SECRET)

    monkeypatch.setattr(credentials, "official", official)
    return asked


# -- where they are found -------------------------------------------------------------------------


def test_the_order(tmp_path: Path, no_chain: list[str]) -> None:
    """Explicit, environment, profile, official chain: the first that has a key decides."""
    place = home(tmp_path, AK)
    given = ("LTAIexplicit", TEST_SECRET)
    assert find(*given, environ=ENVIRONMENT, home=place)().access_key_id == "LTAIexplicit"
    assert find(environ=ENVIRONMENT, home=place)().access_key_id == "LTAIenvironment"
    assert find(environ={}, home=place)().access_key_id == "LTAIprofile"
    assert no_chain == []
    assert find(environ={}, home=tmp_path / "nobody")().access_key_id == "LTAIchain"
    disabled = {"ALIBABA_CLOUD_CLI_PROFILE_DISABLED": "true"}
    assert find(environ=disabled, home=place)().access_key_id == "LTAIchain"
    assert no_chain == ["default chain"] * 2


def test_which_profile(tmp_path: Path, no_chain: list[str]) -> None:
    """The named one, else that of the environment, else the current one; a name beats the key."""
    place = home(tmp_path, AK, STS, {"name": "empty", "mode": "AK", "access_key_id": ""})
    assert find(environ={}, home=place)().security_token is None
    named = {"ALIBABA_CLOUD_PROFILE": "temporary"}
    assert find(environ=named, home=place)().security_token == TEST_TOKEN
    ring = find(profile="work", environ={**named, **ENVIRONMENT}, home=place)
    assert (ring().access_key_id, ring.region) == ("LTAIprofile", "eu-central-1")
    empty = find(environ={"ALIBABA_CLOUD_PROFILE": "empty"}, home=place)
    assert empty().access_key_id == "LTAIchain"


def test_a_profile_gives_the_region_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls that name no region go to that of the profile, unless one is given."""
    monkeypatch.setattr(Path, "home", lambda: home(tmp_path, AK))
    assert connect(profile="work").target.region == "eu-central-1"
    assert connect("cn-beijing", profile="work").target.region == "cn-beijing"


@pytest.mark.parametrize("mode", THEIRS)
def test_modes_of_the_official_package(mode: str, tmp_path: Path, no_chain: list[str]) -> None:
    """A profile that needs a call to somebody is left to the package that knows how."""
    place = home(tmp_path, {"name": "role", "mode": mode.lower(), "region_id": "r"})
    ring = find(profile="role", environ={}, home=place)
    assert (ring().access_key_id, ring.region) == ("LTAIchain", "r")
    assert no_chain == ["profile role"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not a configuration file"),
        ("[]", "not a configuration file"),
        ('{"profiles": [1]}', "not a configuration file"),
        (json.dumps({"profiles": [AK]})[:-1], "not a configuration file"),
        (json.dumps({"profiles": [AK]}), "no profile 'default'.*There is: work"),
        (json.dumps({"current": "x", "profiles": [{"name": "x", "mode": "RsaKeyPair"}]}), "mode"),
        (json.dumps({"current": "x", "profiles": [{"name": "x"}]}), "mode"),
    ],
)
def test_files_that_cannot_be_used(text: str, words: str, tmp_path: Path) -> None:
    """The error names the file and the remedy, and holds nothing of its text."""
    with pytest.raises(errors.CredentialsError, match=words) as caught:
        find(environ={}, home=home(tmp_path, text=text))
    assert "config.json" in str(caught.value)
    assert caught.value.remedy
    assert TEST_SECRET not in f"{caught.value!r} {caught.value.__context__!r}"


def test_profiles_without_a_key(tmp_path: Path) -> None:
    """A named profile that is half, empty or not there is an error, not a reason to look on."""
    half = {"name": "half", "mode": "AK", "access_key_id": "LTAIhalf"}
    place = home(tmp_path, half, {"name": "none", "mode": "AK"})
    for name, words in (
        ("half", "is incomplete"),
        ("none", "no AccessKey"),
        ("gone", "no profile"),
    ):
        with pytest.raises(errors.CredentialsError, match=words):
            find(profile=name, environ={}, home=place)
    with pytest.raises(errors.CredentialsError, match="cannot be read"):
        find(profile="work", environ={}, home=tmp_path / "nobody")


def test_one_way_at_a_time() -> None:
    """A key that is given twice is refused, for nobody can tell which one signs."""
    for ways in (
        {"profile": "x", "access_key_id": "a"},
        {"profile": "x", "credentials": lambda: None},
        {"access_key_id": "a", "credentials": lambda: None},
    ):
        with pytest.raises(errors.InputError, match="more than one way"):
            connect(**ways)


def test_without_the_official_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is not installed the error says what to install, or what else to do."""
    monkeypatch.setitem(sys.modules, "alibabacloud_credentials.provider", None)
    with pytest.raises(errors.CredentialsError, match=r"vcokit\[credentials\]"):
        find(environ={}, home=tmp_path)
    place = home(tmp_path, {"name": "role", "mode": "RamRoleArn"})
    with pytest.raises(errors.CredentialsError, match=r"'role' needs.*vcokit\[credentials\]"):
        find(profile="role", environ={}, home=place)


def test_the_official_package_reads_a_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that an external command prints comes through the official package."""
    monkeypatch.setattr(auth_util, "environment_cli_profile_disabled", "false")
    key = {"mode": "AK", "access_key_id": "LTAIexternal", "access_key_secret": "said-by-command"}
    script = tmp_path / "print_key.py"
    script.write_text(f"print({json.dumps(key)!r})\n")
    command = f"{sys.executable} {script}"
    place = home(tmp_path, {"name": "sso", "mode": "External", "process_command": command})
    found = find(profile="sso", environ={}, home=place)()
    assert (found.access_key_id, found.access_key_secret) == ("LTAIexternal", "said-by-command")


def test_the_official_package_finds_nothing(tmp_path: Path) -> None:
    """Its own error becomes ours, in one line."""
    with pytest.raises(errors.CredentialsError, match="no AccessKey was found") as caught:
        find(environ={}, home=tmp_path)
    assert "\n" not in str(caught.value)


def test_the_official_package_is_not_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a key there is one error, ended at a word; what the package logs is not shown."""
    log = logging.getLogger("credentials")
    handler = logging.StreamHandler(sys.stderr)
    monkeypatch.setattr(log, "handlers", [handler])
    words = " ".join(f"word{place}" for place in range(100))

    def get_credentials() -> None:
        log.error("a page of traceback", exc_info=ValueError("deep inside"))
        # Another thread of the program is heard as before.
        other = threading.Thread(target=log.error, args=("of somebody else",))
        other.start()
        other.join()
        raise RuntimeError(f"unable to load:\n{words}")

    chain = SimpleNamespace(get_credentials=get_credentials)
    stub = SimpleNamespace(DefaultCredentialsProvider=lambda: chain)
    monkeypatch.setitem(sys.modules, "alibabacloud_credentials.provider", stub)
    with pytest.raises(errors.CredentialsError, match="unable to load: word0") as caught:
        find(environ={}, home=tmp_path)
    (why,) = re.findall(r"\((.*)\)[.]", str(caught.value))
    assert re.fullmatch(r"RuntimeError: unable to load:( word\d+)+ …", why)
    assert set(re.findall(r"word\d+", why)) < set(words.split())
    assert capsys.readouterr().err == "of somebody else\n"
    log.error("after it")
    assert capsys.readouterr().err == "after it\n"


# -- what others keep keys in ---------------------------------------------------------------------


def test_keys_of_others() -> None:
    """A callable, an object of parts and the official client all serve as a source."""
    parts = SimpleNamespace(access_key_id="LTAIx", access_key_secret=TEST_SECRET)
    official = SimpleNamespace(get_credential=lambda: parts)
    for given in (parts, lambda: parts, official, lambda: Credentials("LTAIx", TEST_SECRET)):
        client = connect("r", credentials=given)
        assert client.target.credentials() == Credentials("LTAIx", TEST_SECRET)
    with pytest.raises(errors.CredentialsError, match="int has no access_key_id"):
        connect("r", credentials=lambda: 5)


# -- renewal --------------------------------------------------------------------------------------


def ring_of(clock: Clock, life: float, **options) -> tuple[Keyring, list[float]]:
    """Return a keyring whose source makes a key of a certain life, and when it was asked."""
    asked: list[float] = []

    def source() -> Credentials:
        asked.append(clock.now)
        return Credentials(f"LTAI{len(asked)}", TEST_SECRET, TEST_TOKEN, clock.now + life)

    return Keyring(source, clock=clock, **options), asked


def test_renewed_before_the_end() -> None:
    """A key is kept until shortly before its end, and then another one signs."""
    clock = Clock(0.0)
    ring, asked = ring_of(clock, 900.0)
    for clock.now in (0.0, 1.0, 900.0 - EARLY - 1, 900.0 - EARLY, 900.0, 2000.0):
        ring()
    assert asked == [0.0, 900.0 - EARLY, 2000.0]
    assert ring().access_key_id == "LTAI3"


def test_a_source_that_fails_for_a_while() -> None:
    """The key in hand signs while it is good; when it has ended the failure is raised."""
    clock, broken = Clock(0.0), False
    ring, asked = ring_of(clock, 900.0)
    source = ring._source

    def now_and_then() -> Credentials:
        if broken:
            asked.append(clock.now)
            raise OSError("no route to the metadata service")
        return source()

    ring._source = now_and_then
    ring()
    broken = True
    for clock.now in (700.0, 700.0 + ASK_AGAIN - 1, 700.0 + ASK_AGAIN):
        assert ring().access_key_id == "LTAI1"
    assert asked == [0.0, 700.0, 700.0 + ASK_AGAIN]
    clock.now = 900.0
    with pytest.raises(errors.CredentialsError, match="no route to the metadata") as caught:
        ring()
    assert isinstance(caught.value.__cause__, OSError)
    assert "a new AccessKey could not" in caught.value.message
    assert "vk.connect" in caught.value.remedy
    broken = False
    assert ring().access_key_id == "LTAI5"


def test_a_source_of_somebody_else_that_fails() -> None:
    """Whatever it raises is one error of ours, masked, in one line; our own stay as they are."""
    said = "metadata service is down\nSecurityToken: abcdef"

    def source() -> Credentials:
        raise RuntimeError(said)

    with pytest.raises(errors.CredentialsError, match="RuntimeError: metadata service") as caught:
        Keyring(source)()
    assert "\n" not in str(caught.value)
    assert "abcdef" not in str(caught.value)
    mine = errors.CredentialsError("half a key")

    def own() -> Credentials:
        raise mine

    with pytest.raises(errors.CredentialsError) as caught:
        Keyring(own)()
    assert caught.value is mine


def test_a_key_that_has_ended_is_none() -> None:
    """A source that hands out a key whose time is over has no key."""
    ring, _ = ring_of(Clock(), -1.0)
    with pytest.raises(errors.CredentialsError, match="expired"):
        ring()


def test_a_profile_is_read_again(tmp_path: Path) -> None:
    """The vendor's CLI renews a token in its file: the new one signs within a minute."""
    clock = Clock()
    place = home(tmp_path, {**STS, "sts_expiration": int(clock.now + 3600)}, current="temporary")
    ring = find(environ={}, home=place, clock=clock)
    home(tmp_path, {**STS, "access_key_id": "LTAInew"}, current="temporary")
    clock.now += 3600 - EARLY - 1
    assert ring().access_key_id == "LTAIprofile"
    clock.now += 1
    assert ring().access_key_id == "LTAInew"
    home(tmp_path, {**STS, "access_key_id": "LTAInewer"}, current="temporary")
    clock.now += ASK_AGAIN
    assert ring().access_key_id == "LTAInewer"


def test_one_renewal_for_many_threads() -> None:
    """Threads that meet an old key wait for one renewal, not for one each."""
    begun, go = threading.Event(), threading.Event()
    asked: list[int] = []

    def slow() -> Credentials:
        asked.append(1)
        begun.set()
        assert go.wait(10)
        return Credentials("LTAIx", TEST_SECRET)

    ring = Keyring(slow)
    threads = [threading.Thread(target=ring) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert begun.wait(10)
    go.set()
    for thread in threads:
        thread.join(10)
    assert len(asked) == 1


def test_nowhere_shown(tmp_path: Path) -> None:
    """No repr of anything that holds a key shows more of it than its first four letters."""
    ring = find(profile="temporary", environ={}, home=home(tmp_path, STS))
    client = connect("r", credentials=ring)
    for thing in (ring, ring(), [ring()], client, client.target, client._signer, vars(ring)):
        assert TEST_SECRET not in repr(thing)
        assert TEST_TOKEN not in repr(thing)
    assert repr(ring) == (
        "Credentials(access_key_id='LTAI***', access_key_secret='***', security_token='***')"
    )
    assert repr(Keyring(lambda: None)) == "<no AccessKey yet>"


@pytest.mark.parametrize("mode", [*THEIRS, "Unknown"])
def test_modes_left_to_the_official_package_are_its_own(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No mode is read by both, and the official package knows each mode that is left to it."""
    monkeypatch.setattr(auth_util, "environment_cli_profile_disabled", "false")
    assert mode not in OURS
    config = home(tmp_path, {"name": "x", "mode": mode}) / ".aliyun" / "config.json"
    # A profile of a mode alone is never enough, whatever error says so.
    with pytest.raises(Exception) as caught:  # noqa: PT011
        CLIProfileCredentialsProvider(
            profile_name="x", profile_file=str(config), allow_config_force_rewrite=False
        ).get_credentials()
    assert ("unsupported profile mode" in str(caught.value)) == (mode == "Unknown")


def test_from_object_asks_each_time() -> None:
    """A source is asked at each call: what it returned first is not kept here."""
    keys = iter([Credentials("LTAI1", "x" * 8), Credentials("LTAI2", "x" * 8)])
    source = from_object(lambda: next(keys))
    assert [source().access_key_id, source().access_key_id] == ["LTAI1", "LTAI2"]
