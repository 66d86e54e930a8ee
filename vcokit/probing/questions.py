"""The questions, what vcokit assumes, and what a different answer means; `Probe`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pandas as pd

from vcokit import config, schema
from vcokit.contract import CONTRACT, limit

FORMAT: Final = "vcokit probe"
VERSION: Final = 1

#: Shortest and longest time between two reads of a connection, in seconds.
_OFTEN, _SELDOM = 0.5, 10.0

_AS_ASSUMED: Final = "As assumed: nothing to do."


@dataclass(frozen=True)
class Question:
    """One question.

    Parameters
    ----------
    asks : str
        The question in words.
    assumed : object
        The answer that vcokit assumes; None if it assumes nothing.
    otherwise : str
        What a different answer means for the user of vcokit.
    about : tuple of str
        Open questions of the contract that it answers, at least in part.
    """

    asks: str
    assumed: Any
    otherwise: str
    about: tuple[str, ...] = ()

    def means(self, seen: Any) -> str:
        """Return what an answer means."""
        return _AS_ASSUMED if seen == self.assumed else self.otherwise

    def mark(self, seen: Any) -> str:
        """Return a mark: as assumed, different, or nothing was assumed."""
        return "=" if seen == self.assumed else "·" if self.assumed is None else "!"


_LIMIT: Final = CONTRACT["operations"]["CreateVcoRouteEntry"]["limit"]
_BLOCKED: Final = "vcokit blocks such rows before they are sent; the code is the one it tells."

QUESTIONS: Final[Mapping[str, Question]] = {
    "endpoint": Question(
        "Who answers?", "the cloud", "These are answers of a simulator, not of the cloud."
    ),
    "clock_skew": Question(
        "How many seconds is the cloud's clock ahead of this machine's?",
        0,
        "Signatures are good for 15 minutes either way; set this machine's clock by NTP.",
    ),
    "round_trip": Question(
        "How long does a call take, in milliseconds?", None, "A rollout measures it automatically."
    ),
    "unknown_fields": Question(
        "Which fields of answers are not known?", [], "They are ignored. Please report them."
    ),
    "wrong_answers": Question(
        "Which answers are none, or have a field of another type?",
        [],
        "vcokit cannot use them. Please report them.",
    ),
    "absent_fields": Question(
        "Which fields of routes and connections never came?",
        None,
        "Columns of live routes and connections that are made of them are empty.",
    ),
    "unknown_values": Question(
        "Which values are not known?",
        [],
        "A state that is not known counts as not attached. Please report them.",
    ),
    "listing_weight": Question(
        "Does a listing show weights: shown, missing or constant?",
        "shown",
        "Weights cannot be compared: a plan cannot see which routes need another one.",
        ("listing_weight",),
    ),
    "listing_order": Question(
        "Do two listings in a row have the same routes in the same order?",
        "stable",
        "Listings of more than 50 routes may have to be read again; nothing else writes meanwhile?",
    ),
    "quota": Question(
        "How many routes may a connection have?",
        limit("routes_per_connection"),
        "Pass the number as quota= (--quota) to audits and plans.",
        ("routes_per_connection",),
    ),
    "dry_run": Question(
        "What is the dry run of a good create answered?",
        "DryRunOperation",
        "Dry runs tell nothing here, or the connection takes no route now; see the code.",
    ),
    "host_bits": Question(
        "… of a destination with host bits?",
        "IllegalParam.RouteDest",
        _BLOCKED,
        ("accepted_destinations",),
    ),
    "ipv6": Question(
        "… of an IPv6 destination?",
        "IllegalParam.RouteDest",
        _BLOCKED,
        ("accepted_destinations",),
    ),
    "default_route": Question(
        "… of 0.0.0.0/0?", "OperationFailed.InvalidCidrBlock", _BLOCKED, ("accepted_destinations",)
    ),
    "other_next_hop": Question(
        "… of a next hop that is another connection?", "InvalidNextHop.NotFound", _BLOCKED
    ),
    "shared_space": Question(
        "… of a destination in 100.64.0.0/10?",
        "DryRunOperation",
        "The cloud refuses them itself; vcokit blocks such rows either way.",
        ("accepted_destinations",),
    ),
    "repeat": Question(
        "… of a route that is there?",
        "VpnRouteEntry.AlreadyExists",
        "A dry run does not tell what is in the way of a route.",
        ("dry_run_scope", "conflicts"),
    ),
    "other_weight": Question(
        "… of a route that is there with the other weight?",
        "VpnRouteEntry.Conflict",
        "vcokit changes the weight instead; this code is not met in a rollout.",
        ("conflicts",),
    ),
    "beyond_quota": Question(
        "… of one route more than the quota?",
        "CreateDbrRoutesQuotaFull.QuotaFull",
        "A dry run does not tell that the quota is used up, or tells it by another code.",
        ("dry_run_scope",),
    ),
    "not_attached": Question(
        "… on a connection that is not attached?",
        "Vco.StatusNotSupport",
        "Audits with connections= find such rows before they are sent.",
        ("modify_missing",),
    ),
    "task_seconds": Question(
        "How long does a task take, shortest and longest?",
        None,
        "A rollout measures it automatically; setting task_seconds is its first guess.",
    ),
    "second_write": Question(
        "What is another write answered while a task runs?",
        "VpnConnection.Configuring",
        "A rollout waits on every busy code; one that is none of these would fail steps.",
        ("task_conflict",),
    ),
    "task_conflict_seconds": Question(
        "How long after a task is another write of the connection refused?",
        float(limit("task_conflict_seconds")),
        "A rollout learns it automatically; a forecast without these facts is off by it.",
        ("task_conflict",),
    ),
    "token_replay": Question(
        "What is the same create with the same ClientToken answered?",
        "the first answer",
        "A create that is sent again after a lost answer may be done twice or be refused.",
        ("client_token",),
    ),
    "token_mismatch": Question(
        "What is another create with the same ClientToken answered?",
        "IdempotentParameterMismatch",
        "Tokens do not distinguish requests here.",
        ("client_token",),
    ),
    "refused_calls_bind_token": Question(
        "Does a refused write use up its ClientToken?",
        False,
        "vcokit takes a new token after a refusal: nothing to do.",
        ("client_token",),
    ),
    "listed_after_task": Question(
        "Is a new route listed only when its task has ended?",
        True,
        "A listing shows routes early; a step counts as done only after its task, too.",
        ("listed_while_updating",),
    ),
    "listing_needs_attached": Question(
        "Is a listing refused while a task runs?",
        False,
        "A rollout lists between tasks only.",
        ("listed_while_updating",),
    ),
    "removed_at_acceptance": Question(
        "Is a deleted route gone from the listing at once?",
        True,
        "Deletes are seen later; a step is done when it is gone.",
    ),
    "modify_missing": Question(
        "What is a change of the weight of a route answered that is not there?",
        "InvalidRouteEntry.NotFound",
        "A rollout looks before it sends such a change again.",
        ("modify_missing",),
    ),
    "deleted_reappears": Question(
        "For how long does a deleted route show up again, in seconds?",
        0.0,
        "One listing does not prove a delete here.",
        ("deleted_reappears",),
    ),
    "create_limit": Question(
        "How many creates pass, in how many seconds?",
        [_LIMIT["calls"], _LIMIT["seconds"]],
        "A rollout learns it from throttled answers; a forecast without these facts is off by it.",
        ("create_limit",),
    ),
}

#: The open questions of the contract.
OPEN_QUESTIONS: Final[Mapping[str, str]] = CONTRACT["open_questions"]["asks"]
_COLUMNS: Final[schema.Schema] = dict.fromkeys(
    ("question", "asks", "assumed", "seen", "means", "evidence"), schema.STR
)


@dataclass(frozen=True)
class Seen:
    """The answer to one question.

    Parameters
    ----------
    value : object
        A JSON value; None if the question could not be asked.
    evidence : tuple of str
        Request ids.
    why : str
        Why the question could not be asked.
    """

    value: Any = None
    evidence: tuple[str, ...] = ()
    why: str = ""


@dataclass
class Probe:
    """The answers of an account; from ``vk.probe``.

    Parameters
    ----------
    region : str
        Region of the calls.
    when : str
        UTC time.
    simulated : bool
        Whether a simulator answered.
    sandbox : bool
        Whether routes were written and removed.
    seen : dict of str to Seen
        Answers by question.
    notes : list of str
        Other observations.
    left : list of str
        Its own routes that could not be removed; the journal contains them.
    """

    region: str
    when: str
    simulated: bool
    sandbox: bool
    seen: dict[str, Seen] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def note(self, question: str, value: Any, *evidence: str) -> None:
        """Record the answer to a question; if there are several, the last one counts."""
        self.seen[question] = Seen(value, tuple(one for one in evidence if one))

    def value(self, question: str) -> Any:
        """Return the answer to a question, or None."""
        return self.seen[question].value if question in self.seen else None

    def frame(self) -> pd.DataFrame:
        """Return a row per question: the assumption, the answer, and its meaning."""
        rows = [self._row(name) for name in QUESTIONS]
        return schema.frame(_COLUMNS, {name: [row[name] for row in rows] for name in _COLUMNS})

    def _row(self, name: str) -> dict[str, str | None]:
        question, seen = QUESTIONS[name], self.seen.get(name, Seen(why="not asked"))
        known = seen.value is not None
        return {
            "question": name,
            "asks": question.asks,
            "assumed": None if question.assumed is None else _said(question.assumed),
            "seen": _said(seen.value) if known else None,
            "means": question.means(seen.value) if known else seen.why,
            "evidence": ", ".join(seen.evidence) or None,
        }

    def settings_toml(self) -> str:
        """Return the settings that follow from the answers, as lines for ``vcokit.toml``.

        Only settings with an answer, and only if they differ from the default.

        Returns
        -------
        str
            TOML; only comments if all defaults are right.

        Examples
        --------
        >>> probe = Probe("cn-hangzhou", "2026-12-01T08:00:00Z", simulated=False, sandbox=False)
        >>> probe.note("quota", 200)
        >>> print(probe.settings_toml())
        # What a probe saw in cn-hangzhou, 2026-12-01T08:00:00Z, where it is not the default.
        quota_hint = 200
        """
        lines = [f"# What a probe saw in {self.region}, {self.when}, where it is not the default."]
        lines += [
            f"{name} = {json.dumps(value)}"
            for name, value in self._settings().items()
            if value != config.SETTINGS[name].default
        ]
        return "\n".join(lines)

    def _settings(self) -> dict[str, Any]:
        """Return the settings that follow from the answers."""
        found: dict[str, Any] = {}
        if weight := self.value("listing_weight"):
            found["listing_weight"] = "shown" if weight == "shown" else "unknown"
        if tasks := self.value("task_seconds"):
            found["task_seconds"] = round(sum(tasks) / 2, 1)
            # Three reads during the shortest task are enough, and at most two reads per second.
            found["poll_interval"] = round(min(max(tasks[0] / 3, _OFTEN), _SELDOM), 1)
        if quota := self.value("quota"):
            found["quota_hint"] = quota
        return found

    def to_json(self, path: str | Path | None = None) -> str:
        """Return the answers as JSON, and write them to a file if a path is given.

        The JSON contains no key, no connection id and no destination of yours; request ids are the
        only ids in it. ``Simulator(facts=…)`` reads it.
        """
        document = {
            "format": FORMAT,
            "version": VERSION,
            "region": self.region,
            "when": self.when,
            "simulated": self.simulated,
            "sandbox": self.sandbox,
            "answers": {
                name: {
                    "asks": question.asks,
                    "assumed": question.assumed,
                    "seen": self.value(name),
                    "means": self._row(name)["means"],
                    "evidence": list(self.seen[name].evidence) if name in self.seen else [],
                }
                for name, question in QUESTIONS.items()
            },
            "open_questions": {
                name: {
                    "asks": asks,
                    "seen": {
                        one: self.value(one)
                        for one, question in QUESTIONS.items()
                        if name in question.about and self.value(one) is not None
                    },
                }
                for name, asks in OPEN_QUESTIONS.items()
            },
            "notes": self.notes,
        }
        text = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def __str__(self) -> str:
        what = "reads, dry runs and writes taken back" if self.sandbox else "reads and dry runs"
        who = "a simulator" if self.simulated else "the cloud"
        lines = [f"{who}, {self.region}, {self.when}: {what}"]
        for name, question in QUESTIONS.items():
            row, value = self._row(name), self.value(name)
            if value is None:
                lines.append(f"  ? {row['asks']} {row['means']}")
                continue
            mark = question.mark(value)
            lines.append(f"  {mark} {row['asks']} {row['seen']}")
            if mark == "!":
                lines.append(f"      {row['means']} (assumed: {row['assumed']})")
        lines += self.notes
        if self.left:
            lines.append(f"NOT REMOVED, delete manually: {', '.join(self.left)}")
        return "\n".join(lines)


def _said(value: Any) -> str:
    """Return a value in words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_said, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
