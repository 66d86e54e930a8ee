"""Live views for notebooks: thin, fed by events, deciding nothing."""

from vcokit.widgets.rollout_view import RolloutView

__all__ = ["RolloutView"]
