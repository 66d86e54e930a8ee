"""vcokit."""

import pandas as pd  # noqa: F401

import vcokit.cidr.array
