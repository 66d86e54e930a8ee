"""Questions about undocumented behaviour of the cloud, answered by calls to an account.

==============  =====================================================================
`questions`     the questions, what is assumed, and what an answer means; `Probe`
`asking`        one call and its answer, with times of the cloud's clock
`looking`       questions that reads and dry runs answer
`sandbox`       questions that only writes answer, in an unused range, and the clean-up
`course`        runs all of it in order
==============  =====================================================================
"""

from vcokit.probing.course import probe
from vcokit.probing.questions import Probe

__all__ = ["Probe", "probe"]
