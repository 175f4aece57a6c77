import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanenet_sad.inference.ranks import Rank


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, Rank()),
        ({"RANK": "2", "WORLD_SIZE": "4", "LOCAL_RANK": "0"}, Rank(2, 4, 0)),
        ({"SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "3", "SLURM_LOCALID": "1"}, Rank(1, 3, 1)),
        ({"RANK": "0", "WORLD_SIZE": "2", "SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"}, Rank(0, 2, 0)),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}, Rank()),
    ],
    ids=["alone", "torchrun", "slurm", "torchrun in slurm", "a batch script"],
)
def test_the_environment_says_who_this_is(environment, expected):
    assert Rank.of_environment(environment) == expected


@pytest.mark.parametrize(("index", "count"), [("x", "2"), ("2", "2"), ("-1", "2"), ("0", "0")])
def test_an_environment_that_makes_no_sense(index, count):
    with pytest.raises(ValueError, match="Ranks: expected"):
        Rank.of_environment({"RANK": index, "WORLD_SIZE": count})


@given(st.lists(st.integers(0, 1000), max_size=30), st.integers(1, 6))
def test_every_item_is_one_ranks(sizes, count):
    items = list(enumerate(sizes))
    parts = [Rank(index, count).share(items, size=lambda item: item[1]) for index in range(count)]
    assert sorted(item for part in parts for item in part) == items
    assert all(part == sorted(part) for part in parts)
    loads = [sum(max(size, 1) for _, size in part) for part in parts]
    assert max(loads) - min(loads) <= max([1, *sizes])


def test_the_files_of_ranks_differ():
    assert [Rank().suffix, Rank(0, 2).suffix, Rank(1, 2).suffix] == ["", ".rank0", ".rank1"]
