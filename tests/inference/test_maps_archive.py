"""Archives of attention maps are whole, whatever ends the writing."""

import signal

import numpy as np
import pytest

from lanenet_sad.inference.maps_archive import MapsArchive


@pytest.mark.usefixtures("interruptible")
def test_a_signal_in_the_middle_of_a_map_leaves_that_map_whole(tmp_path, monkeypatch):
    write_array = np.lib.format.write_array

    def signalled(file, array):
        if array[0, 0] == 1:
            signal.raise_signal(signal.SIGINT)
        write_array(file, array)

    def write() -> None:
        with MapsArchive(tmp_path / "maps.npz") as archive:
            archive.write({str(number): np.full((2, 3), number, np.float32) for number in range(3)})

    monkeypatch.setattr(np.lib.format, "write_array", signalled)
    with pytest.raises(KeyboardInterrupt):
        write()
    with np.load(tmp_path / "maps.npz") as maps:
        assert {name: maps[name].mean() for name in maps.files} == {"0": 0.0, "1": 1.0}
    assert [path.name for path in tmp_path.iterdir()] == ["maps.npz"]
