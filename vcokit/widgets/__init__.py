"""Views for notebooks: thin shells of core ipywidgets around pure functions. They decide nothing.

::

    RolloutView ──▶ rollout_html ──▶ board ◀── sources ◀── a rollout, or a journal
         │      └─▶ steering            └──▶ pace            (events, frames)
         └────────▶ painter, companion                       when to paint; the static copy
    AuditView ────▶ audit_html, chosen, paged                findings, a page at a time
    PlanView ─────▶ plan_html, chosen, paged, timeline       steps, a connection at a time
                        └──▶ style                           how all look; text is escaped there

No custom JavaScript: what JupyterLab shows, VS Code and Colab show too.
"""

from vcokit.widgets.audit_view import AuditView
from vcokit.widgets.plan_view import PlanView
from vcokit.widgets.rollout_view import RolloutView, view_of

__all__ = ["AuditView", "PlanView", "RolloutView", "view_of"]
