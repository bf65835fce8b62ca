"""What a measured ratio allows one to say: nothing where the machine was too busy."""

TOO_NOISY = "too noisy here: run again on a quiet machine"
NO_DIFFERENCE = "no difference"


def verdict(quartiles: tuple[float, float, float], above: str, below: str, claim: float = 1.0) -> str:
    """`above` or `below` if at least three of four measured ratios lie there, else that nothing can be said.

    Args:
        quartiles: 25th, 50th and 75th percentile of a ratio, as `measure.speedup` gives them.
        above, below: what a ratio above or below the claim means, as "faster" and "slower".
        claim: the ratio that decides.

    Returns:
        one of the two; where the claim lies between the outer quartiles, NO_DIFFERENCE if these are within a tenth of
        each other, else TOO_NOISY.

    >>> verdict((1.81, 1.90, 1.99), "faster", "slower"), verdict((0.48, 1.50, 3.96), "faster", "slower")
    ('faster', 'too noisy here: run again on a quiet machine')
    """
    low, _, high = quartiles
    if low > claim:
        return above
    if high < claim:
        return below
    return NO_DIFFERENCE if high <= 1.1 * low else TOO_NOISY
