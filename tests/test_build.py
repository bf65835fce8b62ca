"""Sources, built notebooks and releases: in step, complete, and without a leak."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from autograder import build
from autograder.source import LESSONS, SOLUTIONS, SourceError, helpers, sources, teacher_notebook

ROOT = Path(__file__).resolve().parent.parent
EVERY = pytest.mark.parametrize("source", sources(), ids=lambda s: s.stem)

# The contract: answers to these names are graded elsewhere, too.
CONTRACT = {
    "00_measure_first": [
        *("count_parameters", "size_on_disk", "count_macs", "benchmark", "compare", "pareto_front", "serving_cost"),
    ],
    "01_quantization_math": [
        *("affine_qparams", "quantize", "dequantize", "symmetric_scale", "group_quantize", "sqnr_db", "mse_clip"),
        *("pack_int4", "fixed_point_multiplier", "integer_linear", "save_int4"),
    ],
    "02_post_training_quantization": [
        *("fold_batchnorm", "MinMaxObserver", "percentile_range", "kl_range", "correct_bias", "QuantizedLinear"),
        *("quantize_dynamic", "calibrate", "quantize_static", "layer_sensitivity", "assign_bits"),
    ],
    "03_magnitude_pruning": [
        *("magnitude_mask", "global_masks", "taylor_saliency", "cubic_sparsity", "nm_mask", "sensitivity_scan"),
        *("MaskedTrainer", "gradual_prune", "rewind", "encode_sparse"),
    ],
    "04_structured_pruning": [
        *("filter_importance", "taylor_importance", "slimming_penalty", "shrink_conv", "shrink_batchnorm"),
        *("shrink_linear", "prune_chain", "coupled_groups", "prune_heads", "channels_for_macs"),
    ],
    "05_knowledge_distillation": [
        *("soften", "distillation_loss", "distill", "hint_loss", "attention_map", "similarity_loss"),
        *("ensemble_logits", "init_from_layers"),
    ],
    "06_quantization_aware_training": [
        *("FakeQuantize", "ema_range", "LSQ", "QATLinear", "prepare_qat", "convert"),
    ],
    "07_deep_compression": [
        *("kmeans_codebook", "tie_gradient", "entropy_bits", "huffman_lengths", "canonical_codes", "encode_symbols"),
        *("relative_index", "compress"),
    ],
    "08_llm_compression": [
        *("perplexity", "rtn", "outlier_channels", "smooth_scales", "awq_scale", "hessian", "gptq", "nf4_codebook"),
        *("double_quantize", "kv_quantize", "q4_0_encode", "memory_gb"),
    ],
    "09_deployment": [
        *("export_onnx", "parity", "quantize_onnx", "percentiles_under_load", "meets_sla", "MicroBatcher"),
        *("create_app", "peak_activation_bytes", "to_c_array"),
    ],
    "10_architecture_search": [
        *("space_size", "architecture_cost", "latency_table", "ElasticConv2d", "sandwich_step", "recalibrate"),
        *("kendall_tau", "nondominated_sort", "evolve"),
    ],
    "11_capstone": [
        *("hypervolume", "decompress", "compress", "entry", "to_int8", "micro", "fast_onnx"),
    ],
}


def graded(notebook):
    """Cells by nbgrader id."""
    return {c.metadata.nbgrader.grade_id: c for c in notebook.cells if "nbgrader" in c.metadata}


def region(text: str, mark: str) -> list[str]:
    """The lines between BEGIN and END of a region."""
    return "\n".join(re.findall(rf"### BEGIN {mark}\n(.*?)### END {mark}", text, re.S)).splitlines()


@EVERY
def test_built_notebooks_are_in_step_with_their_source(source):
    lesson = nbformat.read(LESSONS / source.stem / f"{source.stem}.ipynb", as_version=4)
    assert lesson == build.release_notebook(source), f"run: bonsai build {source.stem}"
    solution = nbformat.read(SOLUTIONS / f"{source.stem}.ipynb", as_version=4)
    assert build.without_outputs(solution) == teacher_notebook(source), f"run: bonsai build {source.stem}"
    code = [c for c in solution.cells if c.cell_type == "code"]
    assert [c.execution_count for c in code] == list(range(1, len(code) + 1)), "the solution was not run from the top"
    assert any("image/png" in o.get("data", {}) for c in code for o in c.outputs)


@EVERY
def test_every_exercise_of_the_contract_is_there_and_tested(source):
    cells = graded(teacher_notebook(source))
    answers = [name for name, c in cells.items() if c.metadata.nbgrader.solution]
    assert sorted(answers) == sorted(CONTRACT[source.stem])
    for name in answers:
        test = cells[f"test_{name}"]
        assert test.metadata.nbgrader.locked and test.metadata.nbgrader.points >= 1
        hidden = region(test.source, "HIDDEN TESTS")
        visible = test.source[: test.source.index("### BEGIN HIDDEN TESTS")].splitlines()
        for part in (visible, hidden):
            assert re.search(r"\b_?(check\w*|expect|require|judge\w*)\(", "\n".join(part)), name
        assert any(line.startswith("from_scratch(") for line in visible) or source.stem[:2] in ("09", "11"), name


@EVERY
def test_each_exercise_says_what_it_costs_and_has_hints(source):
    notebook = teacher_notebook(source)
    for before, cell in zip(notebook.cells, notebook.cells[1:], strict=False):
        meta = cell.metadata.get("nbgrader", {})
        if meta.get("solution"):
            cost = r"\*Difficulty \d of 5, about \d+ minutes, (1 point|(?!1 )\d+ points)\*"
            assert re.search(cost, before.source), meta["grade_id"]
            assert before.source.count("<details><summary>Hint") == 3, meta["grade_id"]
            assert re.search(r'""".*(>>>|Example|Args|Returns|Source:)', cell.source, re.S), meta["grade_id"]


@EVERY
def test_tests_are_folded_below_two_lines_in_words_and_readable_when_opened(source):
    notebook = build.release_notebook(source)
    for before, cell in zip(notebook.cells, notebook.cells[1:], strict=False):
        meta = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "code" and meta.get("grade"):
            assert cell.metadata.jupyter.source_hidden, meta.grade_id
            assert re.fullmatch(r"\*\*Checked here:\*\* .+\n\*\*Hidden tests:\*\* .+", before.source), meta.grade_id
            assert max(map(len, cell.source.splitlines())) <= 120, meta.grade_id


@EVERY
def test_helpers_hold_what_the_text_calls_and_checks_stand_beside_them(source):
    number = source.stem[:2]
    for path in helpers(source):
        if path.stem != f"checks{number}":
            assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, path.name
            needs = re.search(rf"^(from|import) checks{number}", path.read_text(encoding="utf-8"), re.M)
            assert not needs, path.name


@EVERY
def test_the_release_holds_no_line_of_an_answer_or_of_a_hidden_test(source):
    notebook = teacher_notebook(source)
    released = (LESSONS / source.stem / f"{source.stem}.ipynb").read_text(encoding="utf-8")
    lines = {line.strip() for c in nbformat.reads(released, 4).cells for line in c.source.splitlines()}
    importable = [*(ROOT / "bonsai").glob("*.py"), *helpers(source)]
    lines |= {line.strip() for path in importable for line in path.read_text(encoding="utf-8").splitlines()}
    secret = re.compile(r"### BEGIN (SOLUTION|HIDDEN TESTS)\n.*?### END", re.S)
    shown = "\n".join(secret.sub("", c.source) for c in notebook.cells)
    for cell in notebook.cells:
        for line in region(cell.source, "SOLUTION") + region(cell.source, "HIDDEN TESTS"):
            telling = len(line.strip()) > 24 and line.strip() not in shown
            telling &= not re.match(r"\s*(\}|\]|\)|from|import|for |return \w+$|_\w+ = torch)", line)
            assert not (telling and line.strip() in lines), f"leaked: {line}"
    assert "BEGIN SOLUTION" not in released and "HIDDEN TESTS" not in released and "MARK SCHEME" not in released


@pytest.mark.in_turn(shift=1)
@EVERY
def test_the_untouched_release_stops_at_the_first_exercise_and_nowhere_else(source, tmp_path):
    for helper in helpers(source):
        (tmp_path / helper.name).write_bytes(helper.read_bytes())
    notebook = build.release_notebook(source)
    first = next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade"))
    with pytest.raises(CellExecutionError) as stopped:
        build.execute(notebook, tmp_path)
    assert stopped.value.ename == "NotImplementedError"
    assert "testing.py" not in stopped.value.traceback, "the learner sees a traceback through the toolkit"
    ran = [c for c in notebook.cells if c.get("execution_count")]
    assert ran[-1].source == first.source


def test_what_a_learner_installs_holds_no_answers():
    code = "import bonsai, sys, pkgutil; print(*[m.name for m in pkgutil.iter_modules(bonsai.__path__)])"
    names = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    toolkit = "\n".join((ROOT / "bonsai" / f"{name}.py").read_text() for name in names)
    for source in sources():
        for name in CONTRACT[source.stem]:
            assert not re.search(rf"^\s*(def|class) {name}\b", toolkit, re.M), name


GOOD = """# %% [markdown]
# ## Exercise

# %% exercise="f" minutes=1 difficulty=1
def f():
    ### BEGIN SOLUTION
    return 1
    ### END SOLUTION

# %% test="f" points=1
assert f
### BEGIN HIDDEN TESTS
assert f() == 1
### END HIDDEN TESTS
"""


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('points=1', 'points=1 hidden=True', "unknown marker hidden=True"),
        ('points=1', 'marks=1', "unknown marker marks=1"),
        ('points=1', '', "without points"),
        ('points=1', 'points=0', "from 1"),
        ('points=1', 'points="two"', "whole number"),
        ('minutes=1', 'minute=1', "unknown marker minute=1"),
        ('test="f"', 'tests="f"', "unknown marker"),
        ('# %% test="f"', '# %% locked test="f"', "unknown marker title='locked'"),
        ('test="f"', 'test="g"', "one exercise of that name before it"),
        ('### END SOLUTION', '', "opened and closed"),
        ('### END HIDDEN TESTS', '', "opened and closed"),
        ('### BEGIN HIDDEN TESTS', '### BEGIN SECRET TESTS', "unknown or misplaced marker"),
        ('assert f\n', 'assert f\n### BEGIN SOLUTION\n### END SOLUTION\n', "unknown or misplaced marker"),
        ('# ## Exercise', '# Exercise', "heading must introduce"),
        ('# %% [markdown]', '# %% [markdwon]', "unknown marker"),
        ('# %% [markdown]\n', '# %% [markdown] points=2\n', "unknown marker points=2"),
    ],
)  # fmt: skip
def test_unknown_markers_are_errors(tmp_path, before, after, message):
    source = tmp_path / "99_x.py"
    source.write_text(GOOD)
    assert teacher_notebook(source)
    assert before in GOOD
    source.write_text(GOOD.replace(before, after))
    with pytest.raises(SourceError, match=re.escape(message)) as error:
        teacher_notebook(source)
    assert "99_x.py" in str(error.value)


CLAUSES = """clauses = Clauses(one=1, two=2)
with clauses("one"):
    assert f
with clauses("two"):
    assert f
### BEGIN HIDDEN TESTS
assert f() == 1
### END HIDDEN TESTS
clauses.award()
"""


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("two=2", "two=3", "the clauses one=1, two=3 do not add up to 3 points"),
        ('clauses("two")', 'clauses("three")', "under other clauses than one, two"),
        ("clauses.award()\n", "", "the last line should be clauses.award()"),
    ],
)
def test_clauses_that_do_not_fit_are_errors(tmp_path, before, after, message):
    source = tmp_path / "99_x.py"
    text = GOOD.replace("points=1", "points=3").partition("assert f\n")[0] + CLAUSES
    source.write_text(text)
    assert "Clauses(" in teacher_notebook(source).cells[-1].source
    source.write_text(text.replace(before, after))
    with pytest.raises(SourceError, match=re.escape(message)):
        teacher_notebook(source)


def test_an_exercise_without_a_test_or_twice_is_an_error(tmp_path):
    source = tmp_path / "99_x.py"
    source.write_text(GOOD[: GOOD.index("# %% test")])
    with pytest.raises(SourceError, match="no test for f"):
        teacher_notebook(source)
    source.write_text(GOOD + GOOD)
    with pytest.raises(SourceError, match="twice"):
        teacher_notebook(source)


def test_a_solution_is_run_again_only_if_what_it_is_made_from_has_changed(tmp_path, monkeypatch):
    import autograder.source

    for module in (build, autograder.source):
        for name in ("LESSONS", "SOLUTIONS"):
            monkeypatch.setattr(module, name, tmp_path / name.lower())
    runs = []

    def execute(notebook, folder):
        runs.append(sorted(path.name for path in folder.iterdir()))
        for number, cell in enumerate((c for c in notebook.cells if c.cell_type == "code"), 1):
            cell.execution_count = number

    monkeypatch.setattr(build, "execute", execute)
    monkeypatch.setattr(build, "release_notebook", teacher_notebook)  # nbgrader has no part in this
    helper = tmp_path / "lessons" / "99_small" / "lesson99.py"
    source = tmp_path / "solutions" / "99_small.py"
    for path, text in ((helper, '"""Helps."""\nX = 1\n'), (source, SMALL_SOURCE)):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    solution = source.with_suffix(".ipynb")
    assert build.build(source) == [helper.with_name("99_small.ipynb"), solution] and runs == [["lesson99.py"]]
    first = solution.read_text()
    assert build.build(source) == [] and len(runs) == 1 and solution.read_text() == first
    source.write_text(SMALL_SOURCE.replace("# A lesson", "# Another title"))  # text alone: the outputs stay
    assert solution in build.build(source) and len(runs) == 1 and "Another title" in solution.read_text()
    helper.write_text('"""Helps much."""\nX = 1  # one\n')
    assert build.build(source) == [] and len(runs) == 1
    helper.write_text('"""Helps."""\nX = 2\n')
    assert build.build(source) == [solution] and len(runs) == 2
    source.write_text(SMALL_SOURCE.replace("print(lesson99.X)", "print(-lesson99.X)"))
    assert solution in build.build(source) and len(runs) == 3
    build.build(source, again=True)
    assert len(runs) == 4


SMALL_SOURCE = """# %% [markdown]
# # A lesson

# %% setup
from bonsai import measure
import lesson99

# %%
print(lesson99.X)
"""


def test_the_digest_of_a_solution_follows_its_imports(monkeypatch, tmp_path):
    notebook = teacher_notebook(sources()[0])
    before = build.digest(sources()[0], notebook)
    toolkit = tmp_path / "bonsai"
    toolkit.mkdir()
    for path in (ROOT / "bonsai").glob("*.py"):
        (toolkit / path.name).write_text(path.read_text())
    monkeypatch.setattr(build, "ROOT", tmp_path)
    assert build.digest(sources()[0], notebook) == before
    for name, counts in (("testing", False), ("measure", True)):
        (toolkit / f"{name}.py").write_text((ROOT / "bonsai" / f"{name}.py").read_text() + "\nMORE = 1\n")
        assert (build.digest(sources()[0], notebook) != before) is counts
    mended = build.digest(sources()[0], notebook)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "lesson00.json").write_text("{}")
    assert build.digest(sources()[0], notebook) != mended


def test_links_to_other_lessons_lead_to_a_section_that_is_there():
    """`[lesson 01](../01_name/01_name.ipynb) scale (section 2)`: the file, and as many sections as are named."""
    texts = {
        s.stem: "\n".join(c.source for c in teacher_notebook(s).cells if c.cell_type == "markdown") for s in sources()
    }
    unwrapped = {name: re.sub(r"(?<!\n)\n(?!\n)", " ", text) for name, text in texts.items()}
    links = [
        (name, link)
        for name, text in unwrapped.items()
        for link in re.findall(r"\]\(\.\./([^)]+\.ipynb)\)([^[\n]*)", text)
    ]
    assert links
    for name, (path, said) in links:
        other = Path(path).stem
        assert path == f"{other}/{other}.ipynb" and other in texts, f"{name} links to {path}"
        for number in re.findall(r"\d+", " ".join(re.findall(r"\(sections? ([\d and,]+)\)", said.partition(". ")[0]))):
            assert re.search(rf"^## {number}\. ", texts[other], re.M), f"{name}: {other} has no section {number}"
