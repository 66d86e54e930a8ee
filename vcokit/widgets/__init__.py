"""Views for notebooks: ipywidgets around pure functions that make HTML. They decide nothing.

::

    AuditView      audit      findings: filter, sort, look at, accept suggestions
    PlanView       plan       steps by connection, what is blocked, forecast (timeline)
    RolloutView    rollout    progress, failures, pause and cancel
                   table      long frames, of which the page gets only the rows it shows
                   _static    what a saved notebook shows without a kernel
                   _html      the style sheet and the elements of all views; escaping

No custom JavaScript: what works in JupyterLab works in VS Code and Colab.
"""

from vcokit.widgets.audit import AuditView
from vcokit.widgets.plan import PlanView
from vcokit.widgets.rollout import RolloutView, view_of

__all__ = ["AuditView", "PlanView", "RolloutView", "view_of"]
