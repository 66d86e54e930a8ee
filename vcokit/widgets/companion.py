"""The static copy of a view that a saved notebook shows where there is no kernel.

A widget's output holds but the widget's id; the page draws it from the kernel. A notebook that is
opened without that kernel has nothing to draw, and most front ends say "model not found" then. So
a view puts a second output beside itself: plain HTML under a display id, brought up to date now
and then and at the end. Which of the two is seen is left to style sheets, without any script:

====================================  ======================================================
front end                             sees
====================================  ======================================================
JupyterLab, Notebook 7, with kernel   the view; its style sheet hides the copy
the same, without the kernel          the copy; its style sheet hides the dead view
the same, notebook not trusted        the copy, without colours: the page takes style sheets out
nbviewer, nbconvert, GitHub           the copy (GitHub shows its text without colours)
====================================  ======================================================

What is possible and what not: a front end takes an update of the copy only while it is connected
since the cell ran. After a reload in the middle the saved copy is the one of before the reload
(the view itself, drawn from the kernel, is true); run the cell again to renew it.
"""

from __future__ import annotations

import sys
import uuid
from typing import Any


class Companion:
    """A static copy beside a view.

    Parameters
    ----------
    shell : InteractiveShell, optional
        By default that of this process, if a kernel runs it.
    """

    def __init__(self, shell: Any = None) -> None:
        self.key = uuid.uuid4().hex[:12]
        self._shell = shell
        self.published = False

    @property
    def mark(self) -> str:
        """Class that the view must have."""
        return f"vco-live-{self.key}"

    @property
    def hides_copy(self) -> str:
        """CSS for the view: while it is there, the copy is not seen."""
        copy = f".vco-copy-{self.key}"
        return f"{copy},.jp-OutputArea-child:has({copy}){{display:none}}"

    @property
    def hides_view(self) -> str:
        """CSS for the copy: the output behind it is not seen unless the view is alive in it."""
        return (
            f".jp-OutputArea-child:has(.vco-copy-{self.key})"
            f" + .jp-OutputArea-child:not(:has(.{self.mark})){{display:none}}"
        )

    def publish(self, html: str, words: str) -> bool:
        """Put the copy into the cell that runs; tell whether there was one."""
        shell = self._shell or _kernel_shell()
        if shell is None:
            return False
        self._shell = shell
        self._send(html, words, update=self.published)
        if self.published:
            # Shown in a second cell: there the copy must appear anew, under the same id.
            self._send(html, words, update=False)
        self.published = True
        return True

    def bundle(self, made: Any, html: str, words: str) -> Any:
        """Return a widget's own mime bundle with words beside it, and with the copy put out.

        Parameters
        ----------
        made : dict or tuple
            What the widget's ``_repr_mimebundle_`` returned.
        html, words : str
            The view as static HTML, and in a line of text. Where no kernel runs the copy cannot be
            an output of its own, and stands in the bundle.
        """
        data = made[0] if isinstance(made, tuple) else made
        data["text/plain"] = words
        if not self.publish(html, words):
            data["text/html"] = self.wrapped(html)
        return made

    def update(self, html: str, words: str) -> None:
        """Bring the copy up to date, wherever it is; from any thread."""
        if self.published:
            self._send(html, words, update=True)

    def _send(self, html: str, words: str, *, update: bool) -> None:
        data = {"text/html": self.wrapped(html), "text/plain": words}
        self._shell.display_pub.publish(
            data=data, transient={"display_id": f"vcokit-{self.key}"}, update=update
        )

    def wrapped(self, html: str) -> str:
        """Return HTML as the element that the style sheets speak of."""
        return f'<div class="vco-copy vco-copy-{self.key}">{html}</div>'


def _kernel_shell() -> Any:
    """Return the shell of the kernel this runs in; None elsewhere, and IPython is not loaded."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell if getattr(shell, "kernel", None) is not None else None
