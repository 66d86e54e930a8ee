"""A secret stands in no traceback that shows local variables, and in no attribute of anything."""

from __future__ import annotations

import io
import json
import socket
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType, ModuleType

import pytest
from rich.console import Console
from rich.traceback import Traceback

from tests.cloud.stub import Stub, reply
from tests.leaks import TEST_SECRET, TEST_TOKEN
from vcokit import config, errors
from vcokit._text import printable
from vcokit.cloud.client import Client
from vcokit.cloud.connect import connect
from vcokit.cloud.credentials import Credentials

NAMES = {
    "ALIBABA_CLOUD_ACCESS_KEY_ID": "LTAIexample",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": TEST_SECRET,
    "ALIBABA_CLOUD_SECURITY_TOKEN": TEST_TOKEN,
}
PROXY = f"me:{TEST_SECRET}@127.0.0.1:9"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The key stands in the environment, so that no frame of a test holds it."""
    for name, value in NAMES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)


# -- forms of traceback ---------------------------------------------------------------------------


def by_rich(error: BaseException) -> str:
    """Return the traceback of rich with all local variables, whole."""
    whole = {"show_locals": True, "locals_max_string": None, "locals_max_length": None}
    made = Traceback.from_exception(type(error), error, error.__traceback__, **whole)
    out = io.StringIO()
    Console(file=out, width=300).print(made)
    return out.getvalue()


def by_standard_library(error: BaseException) -> str:
    """Return the traceback that services which collect errors make."""
    made = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(made.format())


def by_ipython(error: BaseException) -> str:
    """Return the traceback of a notebook with ``%xmode Verbose``."""
    ultratb = pytest.importorskip("IPython.core.ultratb")
    return ultratb.VerboseTB(theme_name="nocolor").text(type(error), error, error.__traceback__)


def by_attributes(error: BaseException) -> str:
    """Return all locals and what can be reached from them, more than ``cgitb`` shows."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    ours = [frame for frame in frames if "/vcokit/" in frame.f_code.co_filename]
    return "\n".join(text for frame in ours for text in texts_in(dict(frame.f_locals), 4))


FORMS = (by_rich, by_standard_library, by_ipython, by_attributes)


def texts_in(thing: object, depth: int = 12, seen: set[int] | None = None) -> Iterator[str]:
    """Yield every text that attributes and containers lead to; closures are not looked into."""
    seen = set() if seen is None else seen
    if id(thing) in seen or depth < 0 or isinstance(thing, ModuleType | FunctionType | type):
        return
    seen.add(id(thing))
    if isinstance(thing, str | bytes):
        yield thing if isinstance(thing, str) else thing.decode("latin-1")
        return
    yield repr(thing)
    inner: list[object] = list(getattr(thing, "__dict__", {}).values())
    for kind in type(thing).__mro__:
        slots = getattr(kind, "__slots__", ())
        names = [slots] if isinstance(slots, str) else slots
        inner += [getattr(thing, name, None) for name in names]
    if isinstance(thing, dict):
        inner += [*thing, *thing.values()]
    elif isinstance(thing, list | tuple | set | frozenset):
        inner += thing
    for one in inner:
        yield from texts_in(one, depth - 1, seen)


def secrets_in(text: str) -> list[str]:
    """Return which secrets stand in a text, whole or in a large part."""
    return [name for name in (TEST_SECRET, TEST_TOKEN) if name in text or name[:20] in text]


# -- calls that fail ------------------------------------------------------------------------------

REFUSED = {"RequestId": "r", "Code": "InvalidX", "Message": "m"}
ANSWERS = {
    "refused": reply(REFUSED, "400 Bad Request"),
    "throttled": reply({**REFUSED, "Code": "Throttling.User"}, "400 Bad Request"),
    "wrong clock": reply({**REFUSED, "Code": "InvalidTimeStamp.Expired"}, "400 Bad Request"),
    "html": reply("<html>"),
    "another": reply({"RequestId": "r", "VpnConnectionId": "vco-2", "State": "attached"}),
    "garbage": b"220 smtp\r\n\r\n",
    "closed": b"",
}


def failing(client: Client) -> errors.VcokitError:
    """Return the error of a call."""
    with client, pytest.raises(errors.VcokitError) as caught:
        client.describe_vpn_connection(vpn_connection_id="vco-1")
    return caught.value


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ANSWERS)
def test_no_secret_in_the_locals_of_a_failing_call(kind: str, form: Callable) -> None:
    """Whatever a call fails of, no form of traceback shows the key that signed it."""
    with Stub([ANSWERS[kind]]) as stub:
        client = connect(endpoint=stub.endpoint, region="cn-hangzhou", read_attempts=1)
        assert secrets_in(form(failing(client))) == []


@pytest.mark.parametrize("form", FORMS)
def test_no_secret_in_the_locals_of_a_call_that_finds_nobody(form: Callable) -> None:
    """The same where the connection cannot be opened."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    client = connect(endpoint=f"http://127.0.0.1:{port}", region="cn-hangzhou", read_attempts=1)
    assert secrets_in(form(failing(client))) == []


# -- what fails before a call ---------------------------------------------------------------------


def with_variable(name: str, value: str, then: Callable[[], object]) -> Callable:
    """Return something that sets a variable and goes on."""

    def run(monkeypatch: pytest.MonkeyPatch, _: Path) -> object:
        monkeypatch.setenv(name, value)
        return then()

    return run


def with_profile(monkeypatch: pytest.MonkeyPatch, home: Path) -> object:
    """Ask for a profile that is not among those of a file."""
    kept = {"name": "a", "mode": "StsToken", "access_key_id": "LTAIx"}
    kept |= {"access_key_secret": TEST_SECRET, "sts_token": TEST_TOKEN}
    (home / ".aliyun").mkdir()
    (home / ".aliyun" / "config.json").write_text(json.dumps({"profiles": [kept]}))
    return connect("r", profile="other")


def with_half_a_key(monkeypatch: pytest.MonkeyPatch, _: Path) -> object:
    """Connect with a secret whose id is missing."""
    monkeypatch.delenv("ALIBABA_CLOUD_ACCESS_KEY_ID")
    return connect("r")


def arguments() -> dict[str, str]:
    """Return the key, as arguments."""
    return {"access_key_id": "LTAIx", "access_key_secret": TEST_SECRET}


FAILING = {
    "half a key": with_half_a_key,
    "no such profile": with_profile,
    "a setting": with_variable("VCOKIT_READ_TIMEOUT", "soon", lambda: connect("r")),
    "a setting alone": with_variable("VCOKIT_SEED", "soon", lambda: config.get("seed")),
    "a garbled token": with_variable(
        "ALIBABA_CLOUD_SECURITY_TOKEN", f"{TEST_TOKEN} x", lambda: connect("r")
    ),
    "an endpoint": lambda *_: connect("r", endpoint="ftp://x", **arguments()),
    "a cloud that is none": lambda *_: connect(42, **arguments()),
    "a garbled secret": lambda *_: connect(
        "r", access_key_id="LTAIx", access_key_secret=f"{TEST_SECRET} x"
    ),
    "a proxy without a scheme": with_variable("HTTPS_PROXY", PROXY, lambda: connect("r")),
    "a socks proxy": with_variable("https_proxy", f"socks5://{PROXY}", lambda: connect("r")),
    "an explicit proxy": lambda *_: connect("r", proxy=PROXY),
    "a proxy of another kind": lambda *_: connect("r", proxy=f"ftp://{PROXY}"),
    "a proxy that is no text": lambda *_: connect("r", proxy=5),
}


@pytest.mark.parametrize("form", FORMS[:3])
@pytest.mark.parametrize("kind", FAILING)
def test_no_secret_in_the_locals_of_what_fails_before(
    kind: str, form: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing that connect() refuses shows a key, a token or a password in a frame of ours."""
    with pytest.raises(errors.VcokitError) as caught:
        FAILING[kind](monkeypatch, tmp_path)
    error = caught.value
    ours = error.__traceback__
    while ours is not None and "/vcokit/" not in ours.tb_frame.f_code.co_filename:
        ours = ours.tb_next
    assert ours is not None
    assert secrets_in(form(error.with_traceback(ours))) == []
    assert secrets_in(f"{error} {error!r} {vars(error)}") == []


@pytest.mark.parametrize("proxy", [PROXY, f"socks5://{PROXY}", f"ftp://{PROXY}"])
def test_a_proxy_of_the_environment_is_checked(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that cannot be used is one error that names its variable and the remedy."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(errors.ConfigError, match=r"HTTPS_PROXY.*Write it like") as caught:
        connect("r")
    assert TEST_SECRET not in printable(caught.value)


@pytest.mark.parametrize(
    "endpoint",
    [
        f"https://me:{TEST_SECRET}@host",
        f"https://me:{TEST_SECRET}@host/path",
        f"me:{TEST_SECRET}@host/path",
        f"https://[me:{TEST_SECRET}",
        f"https://host/?key={TEST_SECRET}",
    ],
)
def test_an_endpoint_with_a_password_is_not_repeated(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused, and the error says only where it stands."""
    monkeypatch.setenv("VCOKIT_ENDPOINT", endpoint)
    with pytest.raises(errors.ConfigError, match="VCOKIT_ENDPOINT") as caught:
        connect("r")
    assert TEST_SECRET not in f"{caught.value} {caught.value!r} {vars(caught.value)}"


# -- what lives on --------------------------------------------------------------------------------


def test_no_secret_in_any_attribute_of_a_client() -> None:
    """After calls that came to good and that failed, nothing a client leads to holds a secret."""
    good = reply({"RequestId": "r", "VpnConnectionId": "vco-1", "State": "attached"})
    with Stub([good, ANSWERS["refused"]]) as stub:
        client = connect(
            endpoint=stub.endpoint,
            region="cn-hangzhou",
            proxy=f"http://me:{TEST_SECRET}@proxy.example:1",
        )
        client.describe_vpn_connection(vpn_connection_id="vco-1")
        with pytest.raises(errors.ApiError):
            client.describe_vpn_connection(vpn_connection_id="vco-1")
        found = [text for text in texts_in(client) if secrets_in(text)]
        assert found == []
        assert "by a proxy" in repr(client)
        assert any("LTAI" in text for text in texts_in(client))  # it does look


def test_a_key_is_equal_to_itself_and_hidden() -> None:
    """Keys compare and hash by what they are, give their secret when asked, and hide it else."""
    key = Credentials("LTAIx", TEST_SECRET, TEST_TOKEN)
    assert key == Credentials("LTAIx", TEST_SECRET, TEST_TOKEN) != Credentials("LTAIx", TEST_SECRET)
    assert len({key, Credentials("LTAIx", TEST_SECRET, TEST_TOKEN)}) == 1
    assert (key.access_key_secret, key.security_token) == (TEST_SECRET, TEST_TOKEN)
    assert secrets_in(f"{key!r} {[*texts_in(key)]}") == []
