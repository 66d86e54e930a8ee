"""Views for notebooks: ipywidgets around pure functions that make HTML, without other logic.

::

    AuditView      audit      findings: filter, sort, inspect, accept suggestions
    PlanView       plan       steps by connection, what is blocked, forecast (timeline)
    RolloutView    rollout    progress, failures, pause and cancel
    FleetView      fleet      a cell per member, worst first; opens the view of a member
                   table      long frames; only the visible rows are sent to the page
                   _static    the view in a saved notebook without a kernel
                   _html      the style sheet and the elements of all views; escaping

There is no custom JavaScript: the views also work in VS Code and Colab.
"""

from vcokit.widgets.audit import AuditView
from vcokit.widgets.fleet import FleetView
from vcokit.widgets.plan import PlanView
from vcokit.widgets.rollout import RolloutView, view_of

__all__ = ["AuditView", "FleetView", "PlanView", "RolloutView", "view_of"]
