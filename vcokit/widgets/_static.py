"""The static fallback of a view: what a saved notebook shows without a kernel.

The output of a widget contains only an id, and the page gets the rest from the kernel. If a
notebook is opened without its kernel, most front ends show "model not found". Each view therefore
adds a second output: plain HTML with a display id, which is updated from time to time and at the
end. Style sheets alone decide which of the two is visible; there is no script:

====================================  ======================================================
front end                             shows
====================================  ======================================================
JupyterLab, Notebook 7, with kernel   the view; its style sheet hides the fallback
the same, without the kernel          the fallback; its style sheet hides the inactive view
the same, notebook not trusted        the fallback without colours: style sheets are removed
nbviewer, nbconvert, GitHub           the fallback (GitHub shows its text without colours)
====================================  ======================================================

One limit: a page receives updates of the fallback only while it stays connected after the cell ran.
If the page is reloaded during a run, the saved fallback is the one from before the reload, although
the view itself is up to date. Run the cell again to renew it.
"""

from __future__ import annotations

import sys
import uuid
from typing import Any


class StaticFallback:
    """Static HTML in addition to a view.

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
        """CSS for the view: hides the fallback while the view exists."""
        fallback = f".vco-copy-{self.key}"
        return f"{fallback},.jp-OutputArea-child:has({fallback}){{display:none}}"

    @property
    def hides_view(self) -> str:
        """CSS for the fallback: hides the next output unless it contains a live view."""
        return (
            f".jp-OutputArea-child:has(.vco-copy-{self.key})"
            f" + .jp-OutputArea-child:not(:has(.{self.css_class})){{display:none}}"
        )

    def publish(self, html: str, text: str) -> bool:
        """Add the fallback to the output of the running cell; return whether there is a kernel."""
        if self._shell is None:
            # IPython is not imported unless it is already in use.
            ipython = sys.modules.get("IPython")
            shell = ipython.get_ipython() if ipython else None
            if getattr(shell, "kernel", None) is None:
                return False
            self._shell = shell
        self._send(html, text, update=self.published)
        if self.published:
            # Shown in a second cell: the fallback must appear there too, with the same id.
            self._send(html, text, update=False)
        self.published = True
        return True

    def bundle(self, made: Any, html: str, text: str) -> Any:
        """Return the mime bundle of a widget with text added, and publish the fallback.

        Parameters
        ----------
        made : dict or tuple
            The result of the widget's ``_repr_mimebundle_``.
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
        """Update the fallback in every cell that shows it; may be called from any thread."""
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
