"""What only the cloud itself knows: questions that an account answers, and what follows.

==============  ==================================================================
`questions`     what is asked, what is assumed, and what an answer means; `Probe`
`asking`        one call and what it was answered, by the clock of the cloud
`looking`       what reads and dry runs tell
`sandbox`       what writes tell, in a range that nobody uses, and taking them back
`course`        all of it in order
==============  ==================================================================
"""

from vcokit.probing.course import probe
from vcokit.probing.questions import Probe

__all__ = ["Probe", "probe"]
