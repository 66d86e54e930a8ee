"""The static fallback of a view: what a saved notebook shows where there is no kernel.

The output of a widget holds only an id, and the page asks the kernel for the rest. If a notebook
is opened without its kernel, most front ends show "model not found". So each view adds a second
output beside itself: plain HTML under a display id, which is updated now and then and at the end.
Style sheets alone decide which of the two is visible; there is no script:

====================================  ======================================================
front end                             shows
====================================  ======================================================
JupyterLab, Notebook 7, with kernel   the view; its style sheet hides the fallback
the same, without the kernel          the fallback; its style sheet hides the dead view
the same, notebook not trusted        the fallback without colours: style sheets are removed
nbviewer, nbconvert, GitHub           the fallback (GitHub shows its text without colours)
====================================  ======================================================

One limit: a page takes updates of the fallback only while it stays connected after the cell ran.
After a reload in the middle, the saved fallback is the one from before the reload, while the view
itself is up to date. Run the cell again to renew it.
"""

from __future__ import annotations

import sys
import uuid
from typing import Any


class StaticFallback:
    """Static HTML beside a view.

    Parameters
    ----------
    shell : InteractiveShell, optional
        By default the shell of this process, if it runs in a kernel.
    """

    def __init__(self, shell: Any = None) -> None:
        self.key = uuid.uuid4().hex[:12]
        self._shell = shell
        self.published = False

    @property
    def css_class(self) -> str:
        """Class that the view must have."""
        return f"vco-live-{self.key}"

    @property
    def hides_fallback(self) -> str:
        """CSS for the view: while the view is there, the fallback is hidden."""
        fallback = f".vco-copy-{self.key}"
        return f"{fallback},.jp-OutputArea-child:has({fallback}){{display:none}}"

    @property
    def hides_view(self) -> str:
        """CSS for the fallback: the output after it is hidden, unless the view is alive in it."""
        return (
            f".jp-OutputArea-child:has(.vco-copy-{self.key})"
            f" + .jp-OutputArea-child:not(:has(.{self.css_class})){{display:none}}"
        )

    def publish(self, html: str, text: str) -> bool:
        """Add the fallback to the output of the running cell; return whether there is a kernel."""
        if self._shell is None:
            # IPython is not imported where nobody uses it.
            ipython = sys.modules.get("IPython")
            shell = ipython.get_ipython() if ipython else None
            if getattr(shell, "kernel", None) is None:
                return False
            self._shell = shell
        self._send(html, text, update=self.published)
        if self.published:
            # Shown in a second cell: there it must appear as well, under the same id.
            self._send(html, text, update=False)
        self.published = True
        return True

    def bundle(self, made: Any, html: str, text: str) -> Any:
        """Return the mime bundle of a widget with text added, and publish the fallback.

        Parameters
        ----------
        made : dict or tuple
            What the widget's ``_repr_mimebundle_`` returned.
        html, text : str
            The view as static HTML, and as one line of text. Without a kernel there can be no
            second output, so the HTML goes into the bundle.
        """
        data = made[0] if isinstance(made, tuple) else made
        data["text/plain"] = text
        if not self.publish(html, text):
            data["text/html"] = self._wrap(html)
        return made

    def update(self, html: str, text: str) -> None:
        """Update the fallback in every cell that has it; can be called from any thread."""
        if self.published:
            self._send(html, text, update=True)

    def _send(self, html: str, text: str, *, update: bool) -> None:
        self._shell.display_pub.publish(
            data={"text/html": self._wrap(html), "text/plain": text},
            transient={"display_id": f"vcokit-{self.key}"},
            update=update,
        )

    def _wrap(self, html: str) -> str:
        return f'<div class="vco-copy vco-copy-{self.key}">{html}</div>'
