"""The VPC API: what its operations are, how a request is signed, and a client.

The vendor's facts are data, in ``vcokit/contract.json``; what follows from them stands here.

==============  =====================================================================
`operations`    what each takes and answers, and how often it may be called
`error_codes`   the kind of each code, what a kind means, and the remedy
`endpoints`     which host answers for a region
`credentials`   whose AccessKey signs, and until when
`signing`       signature V3, as pure functions and as `httpx.Auth`
`transport`     requests on their way over connections that are kept open
`answers`       what came back: a parsed answer, or the error that it is; `lists` as
                frames, page by page in `listing`; `masking` of what is shown
`target`        where calls go, and under which limits
`calls`         what a call is, without I/O
`client`        one definition of the calls, a synchronous and an asynchronous form
`policy`        what a RAM policy must allow for some operations
`connect`       from a region or a simulator to a client
==============  =====================================================================
"""

from vcokit.cloud.answers import Answer
from vcokit.cloud.client import AsyncClient, Client
from vcokit.cloud.connect import connect
from vcokit.cloud.credentials import Credentials
from vcokit.cloud.operations import OPERATIONS, Limit

__all__ = ["OPERATIONS", "Answer", "AsyncClient", "Client", "Credentials", "Limit", "connect"]
