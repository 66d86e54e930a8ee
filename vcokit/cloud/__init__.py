"""The VPC API: what its operations are, how a request is signed, and a client.

The vendor's facts are data, in ``vcokit/contract.json``; what follows from them stands here.

==============  =====================================================================
`operations`    what each takes and answers, and how often it may be called
`error_codes`   the kind of each code, what a kind means, and the remedy
`endpoints`     which host answers for a region
`simulated`     whether a simulator answers, and not the cloud
`credentials`   whose AccessKey signs, and until when
`masking`       secrets: kept where nothing shows them, and taken out of text
`signing`       signature V3
`transport`     one HTTP exchange: sent, and what came back; knows httpx, nobody else does
`responses`     what came back: a parsed answer, or the error that it is; rows as frames
`ratelimit`     sliding windows, shared by all who call by one client; the wait between tries
`client`        the operations, tries and pages
`connect`       from a region or a simulator to a client
`policy`        what a RAM policy must allow for some operations
==============  =====================================================================
"""

from vcokit.cloud.client import Client
from vcokit.cloud.connect import connect
from vcokit.cloud.credentials import Credentials
from vcokit.cloud.operations import OPERATIONS, Limit
from vcokit.cloud.responses import Answer

__all__ = ["OPERATIONS", "Answer", "Client", "Credentials", "Limit", "connect"]
