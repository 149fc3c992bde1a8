import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.planning.config import HardwareConfig
from elastic_reasoning.planning.fit import USABLE, fit_model, pace_of
from elastic_reasoning.planning.growth import Load, growth
from elastic_reasoning.planning.hardware import TABLE, Device, find_device
from elastic_reasoning.training.dry_run.architecture import read_architecture

LARGE = read_architecture("deepseek-ai/DeepSeek-R1-Distill-Qwen-32B")
H100 = find_device(HardwareConfig("H100"))


def test_a_device_is_known_by_any_spelling_of_its_name() -> None:
    assert find_device(HardwareConfig("rtx 4090")).name == "RTX-4090"
    assert find_device(HardwareConfig("h100")).memory == 80e9
    assert find_device(HardwareConfig()) == Device("this machine")


def test_ones_own_figures_take_the_place_of_the_tables() -> None:
    own = find_device(HardwareConfig("H100", memory_gb=94, price_per_hour=1.5))
    assert (own.memory, own.bandwidth, own.price_per_hour, own.is_list_price) == (94e9, 3.35e12, 1.5, False)
    assert H100.is_list_price
    assert find_device(HardwareConfig(memory_gb=64, gb_per_second=100, tflops=2)).flops == 2e12


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (HardwareConfig("H10"), "unknown hardware 'H10': did you mean 'H100'"),
        (HardwareConfig("H100", num_devices=0), "num_devices 0: must be above 0"),
        (HardwareConfig("H100", price_per_hour=float("nan")), "price_per_hour nan: must be above 0"),
        (HardwareConfig("H100", memory_gb=-1), "memory_gb -1"),
        (HardwareConfig("H100", num_devices=2, tensor_parallel=4), "tensor_parallel 4: there are 2 devices"),
    ],
)
def test_what_cannot_be_is_refused(config: HardwareConfig, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        find_device(config)


def test_the_table_has_its_sources_and_every_figure() -> None:
    table = json.loads(TABLE.read_text())
    assert table["figures"]
    assert "20" in table["prices"]
    for device in table["devices"].values():
        assert set(device) == {"memory_gb", "gb_per_second", "tflops", "price_per_hour"}


def test_a_model_is_split_so_that_rows_share_the_reading_of_its_weights() -> None:
    fit = fit_model(LARGE, H100, 8, width=2, tokens_per_row=4096, max_rows=64)
    assert (fit.tensor_parallel, fit.num_copies, fit.rows) == (2, 4, 64)
    assert fit_model(LARGE, H100, 8, width=2, tokens_per_row=4096, max_rows=4).tensor_parallel == 1
    assert fit.weights == 2 * LARGE.num_parameters
    assert fit.cache_per_token == 2 * 64 * 8 * 128 * 2
    assert fit_model(LARGE, H100, 1, 2, 4096, 64).rows == 6
    alone = fit_model(LARGE, H100, 1, 2, 40_000, 64)
    assert (alone.tensor_parallel, alone.num_copies) == (2, 0)
    assert fit_model(LARGE, find_device(HardwareConfig("T4")), 64, 2, 10**9, 64).tensor_parallel is None


def test_what_each_device_holds_whole_takes_room_for_rows() -> None:
    whole = LARGE.vocabulary * LARGE.hidden
    split, kept = (fit_model(LARGE, H100, 2, 2, 4096, 64, 2, num_whole) for num_whole in (0, whole))
    assert (split.weights, split.weights_each) == (kept.weights, LARGE.num_parameters)
    assert kept.weights_each == LARGE.num_parameters + whole
    assert split.share is not None
    assert kept.share is not None
    assert kept.share - split.share == pytest.approx(2 * whole / (2 * 80e9))
    tight = Device("tight", 42e9)
    assert fit_model(LARGE, tight, 2, 2, 4096, 64, 2, whole).rows < fit_model(LARGE, tight, 2, 2, 4096, 64, 2).rows


@given(memory=st.floats(1, 400), tokens=st.integers(1, 200_000), rows=st.integers(1, 512))
def test_what_fits_never_takes_more_than_there_is(memory: float, tokens: int, rows: int) -> None:
    fit = fit_model(LARGE, Device("own", memory * 1e9), 64, 2, tokens, rows)
    if fit.share is not None:
        assert 0 < fit.rows <= rows
        assert fit.share <= USABLE + 1e-9


def test_more_devices_and_fewer_rows_make_a_faster_step() -> None:
    fits = [fit_model(LARGE, H100, 8, 2, 2048, 64, split) for split in (2, 4)]
    slow, fast = (pace_of(LARGE, H100, fit, 1000) for fit in fits)
    assert slow is not None
    assert fast is not None
    assert fast.seconds_of_step(8) == pytest.approx(slow.seconds_of_step(8) / 2)
    assert slow.step_seconds == pytest.approx(65.5e9 / (0.7 * 2 * 3.35e12), rel=0.01)
    assert pace_of(LARGE, Device("own", 80e9), fits[0], 1000) is None


def test_what_a_sweep_waits_for_moves_with_its_machines() -> None:
    load = Load(
        records=8,
        tokens=1e4,
        generating_seconds=10,
        grading_seconds=2,
        driver_seconds=0.004,
        record_bytes=1e4,
        price_per_second=0.001,
    )
    rows = {(row.problems, row.copies): row for row in growth(load, (1000, 10**9), (1, 100, 100_000))}
    assert rows[1000, 1].waits_for == "the model"
    assert rows[1000, 1].seconds == 10_000
    assert rows[1000, 1].money == pytest.approx(rows[1000, 100].money)
    assert rows[10**9, 100_000].waits_for == "the driver"
    assert rows[10**9, 100_000].seconds == pytest.approx(4e6)
    assert rows[10**9, 1].record_bytes == 1e13
