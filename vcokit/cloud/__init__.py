"""The VPC API: what its operations are, how a request is signed, and a client.

==============  =====================================================================
`operations`    the eight operations and their limits, as data; with `parameters`,
                `fields`, `error_codes` and `endpoints`
`credentials`   whose AccessKey signs, and until when; `profiles` of the vendor's CLI
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
