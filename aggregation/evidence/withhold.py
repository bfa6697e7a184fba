"""Leaves out what only weak engines heard where a stronger one was silent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from aggregation.align.network import ABSTAINS, SILENT, Network
from aggregation.trust import Trust

#: Word accuracy from which an engine alone may fill the silence of a stronger one.
FILLING_ACCURACY = 0.6


def withhold(network: Network, trust: Trust) -> Network:
    """Return the network without the say of weak engines where no other engine has any.

    A stronger engine that missed a stretch abstains there. Whether a weak one that has words
    there heard them or made them up nobody can tell: where speech is hard to hear for the one,
    the other is even worse than elsewhere. So the stronger one's silence stands.
    """
    ids = network.ids
    weak = trust.accuracy < FILLING_ACCURACY
    present = np.array([len(tokens) > 0 for tokens in network.tokens])
    if not weak.any() or not (present & ~weak).any():
        return network
    mute = (ids == ABSTAINS) & (network.index < 0) & (present & ~weak)
    lonely = (ids[:, ~weak] == ABSTAINS).all(axis=1) & mute.any(axis=1)
    same = (ids == ids.max(axis=1, keepdims=True)) | (ids == ABSTAINS)
    rows = lonely & same.all(axis=1)
    withheld = np.where(mute, SILENT, ABSTAINS)
    return replace(network, ids=np.where(rows[:, None], withheld, ids))
