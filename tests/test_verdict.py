"""A ratio says something only where its quartiles agree."""

import pytest

from bonsai.verdict import NO_DIFFERENCE, TOO_NOISY, verdict


@pytest.mark.parametrize(
    ("quartiles", "claim", "said"),
    [
        ((1.81, 1.90, 1.99), 1.0, "faster"),
        ((0.48, 1.50, 3.96), 1.0, TOO_NOISY),  # a median of 1.5 that means nothing
        ((0.10, 0.11, 0.12), 1.0, "slower"),
        ((0.98, 1.00, 1.03), 1.0, NO_DIFFERENCE),
        ((1.00, 1.30, 1.60), 1.0, TOO_NOISY),  # the claim itself is not above the claim
        ((1.81, 1.90, 1.99), 2.0, "slower"),
        ((1.65, 2.05, 2.49), 2.0, TOO_NOISY),
    ],
)
def test_a_verdict_needs_quartiles_on_one_side(quartiles, claim, said):
    assert verdict(quartiles, "faster", "slower", claim) == said
