"""Which schemas of the ledger this code works on."""

from __future__ import annotations

#: The newest migration that this code knows; a test keeps both equal to what the files say.
SCHEMA_REVISION = "0012"
#: The oldest schema that it works on: the newest one, less the migrations of the phase `post` at
#: its end, which only take away what this code does not use any more.
LEAST_REVISION = "0012"
