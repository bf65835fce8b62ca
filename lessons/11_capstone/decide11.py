"""The capstone's decisions: what to try, what it costs, is it enough."""

from typing import Any

from results11 import load_results

from bonsai import energy

# Advice --------------------------------------------------------------------------------------------------------------

WORDS: dict[str, set] = {
    "bound_by": {"size", "latency", "memory", "cost"},
    "training": {"none", "short", "long"},
    "data": {"none", "unlabelled", "labelled"},
    "family": {"cnn", "transformer", "llm"},
    "runtime": {"cpu", "gpu", "mcu"},
    "int8_kernels": {True, False},
}


def measured(name: str) -> str:
    """A row of the table in words."""
    table = load_results()["table"]
    if name not in table["rows"]:
        return "not run"
    row, whole = table["rows"][name], table["rows"]["FP32"]["bytes"]
    low, middle, _ = row["speed 64"]
    speed = f"{middle:.1f} times as fast" if low > 1.1 else "not faster"
    return f"{whole / row['bytes']:.1f} times smaller, {speed}, {row['change']:+.1f} points"


def advise(need: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Techniques for a need, the cheapest first: nine rules over the measured table.

    Args:
        need: `bound_by` (size, latency, memory, cost), `training` (none, short, long), `data` (none, unlabelled,
            labelled), `family` (cnn, transformer, llm), `runtime` (cpu, gpu, mcu), `int8_kernels` (bool), `context`
            (tokens of a language model, else 0).

    Returns:
        (technique, lesson, gain as measured, price), possibly none.

    Raises:
        ValueError: a word that is not known, or one that is missing.
    """
    if set(need) != {*WORDS, "context"}:
        odd = sorted(set(need) ^ {*WORDS, "context"})[0]
        raise ValueError(f"{odd!r} is {'unknown' if odd in need else 'missing'} in a need")
    for key, words in WORDS.items():
        if need[key] not in words:
            raise ValueError(f"{key} is one of {', '.join(map(str, sorted(words, key=str)))}, not {need[key]!r}")
    if type(need["context"]) is not int or need["context"] < 0:
        raise ValueError(f"context is a whole number of tokens, not {need['context']!r}")
    bound, trains, has = need["bound_by"], need["training"] != "none", need["data"] != "none"
    stores = bound in ("size", "memory")
    rules = [
        (
            need["runtime"] == "mcu",
            "int8 chain, small first layers",
            "09",
            "see the microcontroller track",
            "a redesign",
        ),
        (stores, "FP16 weights", "01", measured("FP16 weights"), "nothing"),
        (
            has and need["int8_kernels"] and need["family"] != "llm",
            "static int8",
            "02",
            measured("int8, static"),
            "400 images",
        ),
        (need["family"] == "llm", "4-bit weights in groups", "08", "see lesson 08's table", "calibration text"),
        (need["context"] >= 2048, "a smaller key-value cache", "08", "see lesson 08's table", "some perplexity"),
        (
            stores,
            "rounding and an entropy coder",
            "07",
            measured("rounding and an entropy coder"),
            "a decoder",
        ),
        (
            trains and has and not stores,
            "fewer channels",
            "04",
            measured("a third of the channels removed, tuned"),
            "a training",
        ),
        (
            trains and has,
            "a small student of a large teacher",
            "05",
            measured("student of width 10, distilled"),
            "the longest training",
        ),
        (
            need["training"] == "long" and stores,
            "all together",
            "11",
            measured("all together, the size entry"),
            "your weekend",
        ),
    ]
    return [(technique, lesson, gain, price) for holds, technique, lesson, gain, price in rules if holds]


# The ten questions ---------------------------------------------------------------------------------------------------

QUESTIONS = {
    "bytes": "Is the file as small as was asked?",
    "latency_ms": "Is one call as fast as was asked?",
    "accuracy": "Is no more accuracy lost than was allowed?",
    "memory": "Does it fit into the memory of the device?",
    "per_second": "Are as many calls answered in a second as was asked?",
    "power": "Does a call take as little energy as was asked?",
    "hardware": "Faster than FP32 in the same runtime, 90 % of the MACs in int8?",
    "worst_class": "Has no class paid more than was allowed?",
    "usd": "Are a million calls as cheap as was asked?",
    "shifted": "Does it hold on images that are shifted, darker or noisy?",
}


def success_checklist(before: dict[str, float], after: dict[str, float], goals: dict[str, float]) -> dict[str, dict]:
    """Ten questions about a compressed model. What was not measured is "not measured", never "yes".

    Args:
        before, after: measured numbers by the names of QUESTIONS; for `hardware` the ratio of FP32's time to this one's
            in the same runtime, and `int8_share` in `after`. nan counts as not measured.
        goals: for `accuracy`, `worst_class` and `shifted` the points that may be lost; else the least ratio before /
            after (for `per_second` after / before).

    Returns:
        name -> `question`, `goal`, `change`, `reached` ("yes", "no" or "not measured"). Without a goal: not measured.

    Raises:
        ValueError: a goal for something that is not one of the ten.
    """
    if unknown := sorted(set(goals) - set(QUESTIONS)):
        raise ValueError(f"no question {unknown[0]!r}: choose among {', '.join(QUESTIONS)}")
    rows = {}
    for name, question in QUESTIONS.items():
        goal, change, reached = goals.get(name), None, "not measured"
        old, new = before.get(name), after.get(name)
        if name == "hardware":
            share = after.get("int8_share")
            if new is not None and share is not None and new == new and share == share:
                change = new
                reached = "yes" if new > (goal or 1.0) and share >= 0.9 else "no"
        elif goal is not None and old is not None and new is not None and old == old and new == new:
            points = name in ("accuracy", "worst_class", "shifted")
            change = new - old if points else new / old if name == "per_second" else old / new
            reached = "yes" if (change >= -goal if points else change >= goal) else "no"
        rows[name] = {"question": question, "goal": goal, "change": change, "reached": reached}
    return rows


# Money and carbon ----------------------------------------------------------------------------------------------------

# Grams of CO2 equivalents a kWh of electricity, life cycle, mean of 2023.
GRIDS = {"France": 56, "Germany": 381, "Poland": 662}
GRIDS_SOURCE = "Ember and Energy Institute, by ourworldindata.org/grapher/carbon-intensity-electricity, year 2023"
TRAFFIC_SOURCE = "0.06 for fixed lines in 2015, halved about every two years: Aslan et al. 2018, doi:10.1111/jiec.12630"


def energy_note() -> str:
    """Where the watts come from."""
    if not energy.meters():
        return "this machine shows no energy meter (RAPL): energy is an estimate from an assumed power"
    return "this machine has an energy meter (RAPL); energy is still estimated from an assumed power, as elsewhere"


def show_scenarios(
    table: dict, watts: float, usd_per_hour: float, usd_per_gb: float, kwh_per_gb: float, busy: float
) -> None:
    """A phone app with a million users, and a service with 100 requests of 64 images a second: rows of the table.

    Args:
        watts: of one busy core with its share of the machine.
        usd_per_hour: rent of a core.
        usd_per_gb, kwh_per_gb: of traffic.
        busy: share of the time in which the service's cores compute.
    """
    rows = table["rows"]
    chosen = ["FP32", "rounding and an entropy coder", "int8, static"]
    chosen += ["all together, the size entry", "all together, int8 in the runtime"]
    print(energy_note())
    print(f"grams of CO2 a kWh: {GRIDS}; source: {GRIDS_SOURCE}")
    print(f"kWh a GB of traffic: {kwh_per_gb:g}; source: {TRAFFIC_SOURCE}")
    print(f"assumptions, set by you: {watts:g} W and {usd_per_hour:g} USD an hour a core, {usd_per_gb:g} USD a GB")
    print("phone app: 1,000,000 users, one download a month")
    for name in chosen:
        gb = 1e6 * rows[name]["bytes"] / 1e9
        kwh = kwh_per_gb * gb
        print(f"  {name:34} {gb:8.1f} GB {gb * usd_per_gb:8.2f} USD {kwh:8.2f} kWh a month; CO2: {carbon(kwh)}")
    print(f"service: 100 requests of 64 images a second, {table['baseline ms']:.1f} ms each in FP32 (measured)")
    print(f"  cores {100 * busy:.0f} % busy (assumption, set by you)")
    for name in chosen:
        cores = 100 * table["baseline ms"] / rows[name]["speed 64"][1] / 1000 / busy
        usd, kwh = cores * 730 * usd_per_hour, cores * 730 * watts / 1000
        print(f"  {name:34} {cores:5.2f} cores {usd:8.0f} USD {kwh:8.1f} kWh a month; CO2: {carbon(kwh)}")


def carbon(kwh: float) -> str:
    """Kilograms of CO2 equivalents in three grids."""
    return ", ".join(f"{grid} {kwh * grams / 1000:.1f} kg" for grid, grams in GRIDS.items())
