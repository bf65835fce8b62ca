"""Energy is read from the machine's meters where it has some."""

import pytest

from bonsai import energy


@pytest.fixture
def machine(tmp_path, monkeypatch):
    monkeypatch.setattr(energy, "METERS", tmp_path)

    def show(name: str, microjoules: int) -> None:
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "energy_uj").write_text(f"{microjoules}\n")
        (tmp_path / name / "max_energy_range_uj").write_text("10000000\n")

    return show


def test_meters_of_processors_are_added_up_and_start_again_at_their_end(machine):
    def work():
        machine("intel-rapl:0", 4_500_000)
        machine("intel-rapl:0:0", 9_000_000)
        machine("intel-rapl:1", 500_000)

    machine("intel-rapl:0", 1_000_000)
    machine("intel-rapl:0:0", 0)  # a part of the first
    machine("intel-rapl:1", 9_000_000)
    machine("intel-rapl-mmio:0", 3)  # the same processor by another way
    assert energy.joules(work) == pytest.approx(3.5 + 1.5)


def test_without_a_meter_there_is_no_number(machine, tmp_path):
    done = []
    assert energy.joules(lambda: done.append(1)) is None and done == [1]
    machine("intel-rapl:0", 5)
    (tmp_path / "intel-rapl:0" / "energy_uj").unlink()  # as where only the administrator may read
    assert energy.meters() == {} and energy.joules(lambda: None) is None
    machine("intel-rapl:0", 5)
    assert energy.joules((tmp_path / "intel-rapl:0" / "energy_uj").unlink) is None
