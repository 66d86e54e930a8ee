"""A view's static fallback is published once per cell, updated, and never visible beside it."""

from __future__ import annotations

from typing import Any

from vcokit.widgets._static import StaticFallback


class Publisher:
    """A shell that notes what is published."""

    def __init__(self) -> None:
        self.display_pub = self
        self.sent: list[tuple[bool, str, str]] = []

    def publish(self, *, data: dict[str, str], transient: dict[str, str], update: bool) -> None:
        """Note it."""
        self.sent.append((update, transient["display_id"], data["text/html"]))


def test_shown_updated_and_shown_again() -> None:
    """All carry one id, so that an update reaches every cell; a second cell gets its own copy."""
    shell = Publisher()
    fallback = StaticFallback(shell)
    fallback.update("too early", "")
    assert fallback.publish("one", "words")
    fallback.update("two", "words")
    fallback.publish("three", "words")
    assert [update for update, *_ in shell.sent] == [False, True, True, False]
    assert len({display_id for _, display_id, _ in shell.sent}) == 1
    assert [html.split(">")[1].split("<")[0] for *_, html in shell.sent] == [
        "one",
        "two",
        "three",
        "three",
    ]


def test_without_a_kernel_it_stands_in_the_bundle() -> None:
    """A script or a test that asks for the bundle gets the plain HTML in it."""
    bundle: dict[str, Any] = {"application/x": 1, "text/plain": "VBox(children=…)"}
    made = StaticFallback().bundle((bundle, {}), "<b>page</b>", "words")
    assert made[0]["text/plain"] == "words"
    assert "<b>page</b>" in made[0]["text/html"]
    shell = Publisher()
    assert "text/html" not in StaticFallback(shell).bundle({}, "<b>page</b>", "words")
    assert len(shell.sent) == 1


def test_views_do_not_hide_one_another() -> None:
    """Each view's rules speak of its own copy alone."""
    one, two = StaticFallback(), StaticFallback()
    assert one.key != two.key
    assert two.key not in one.hides_fallback + one.hides_view
    assert one.css_class in one.hides_view
