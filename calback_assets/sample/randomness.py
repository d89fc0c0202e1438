"""The sample's only source of chance: generators that depend on the seed and on what they are for.

Only generators and the random texts that ids are made of belong here.
"""

import numpy as np
import numpy.typing as npt

LETTERS_AND_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
HEX_DIGITS = "0123456789ABCDEF"


def generator(seed: int, purpose: str, number: int = 0) -> np.random.Generator:
    """A generator of its own for each purpose and day, so that no part shifts the draws of another."""
    return np.random.default_rng([seed, number, *purpose.encode()])


def random_texts(rng: np.random.Generator, count: int, length: int, alphabet: str) -> npt.NDArray[np.str_]:
    """Texts of one length; long enough ones do not repeat."""
    letters = np.frombuffer(alphabet.encode(), dtype="S1")
    drawn = np.ascontiguousarray(letters[rng.integers(0, len(letters), size=(count, length))])
    return drawn.view(f"S{length}").reshape(count).astype(f"U{length}")
