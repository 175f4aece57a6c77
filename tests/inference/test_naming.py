"""Names of sources that are opened together, their places below the output folder, and outputs that would clash."""

from pathlib import Path

import pytest
from factories import make_picture, write_picture

from lanenet_sad.inference.image_source import ImagesSource
from lanenet_sad.inference.naming import drawn_paths, name_below_out, refuse_clashes, refuse_label_files
from lanenet_sad.inference.source import UnreadableSource
from lanenet_sad.inference.source_names import give_unique_names
from lanenet_sad.inference.sources import open_sources
from lanenet_sad.inference.stream_source import StreamSource
from lanenet_sad.inference.video_source import VideoSource
from lanenet_sad.lanes.lane import Frame


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def names_in(source: Path) -> dict[str, str]:
    """File of each video -> name."""
    return {each.file: each.name for each in open_sources(str(source)) if isinstance(each, VideoSource)}


def names_of(*files: str, folder: str = "rec") -> list[str]:
    sources = [VideoSource(file, lazy=True) for file in files]
    give_unique_names(sources, folder)
    return [source.name for source in sources]


@pytest.mark.parametrize("pattern", ["", "**/*.mp4"], ids=["folder", "pattern"])
def test_names_stay_when_another_video_is_added(tmp_path, pattern):
    touch(tmp_path / "rec", "b/drive.mp4", "c/drive.mp4", "c/tour.mp4")
    before = names_in(tmp_path / "rec" / pattern)
    assert sorted(before.values()) == ["b_drive", "c_drive", "tour"]
    touch(tmp_path / "rec", "a/drive.mp4", "drive.mp4")
    after = names_in(tmp_path / "rec" / pattern)
    assert {file: after[file] for file in before} == before
    assert sorted(after.values()) == ["a_drive", "b_drive", "c_drive", "drive", "tour"]


def test_the_first_namesake_changes_a_name():
    assert names_of("rec/b/drive.mp4") == ["drive"]
    assert names_of("rec/b/drive.mp4", "rec/drive.mp4") == ["b_drive", "drive"]


def test_names_in_a_list_stay_wherever_the_others_are(tmp_path):
    touch(tmp_path, "lists/b/drive.mp4", "data/drive.mp4", "data/more/drive.mp4")
    listed = tmp_path / "lists/videos.txt"
    listed.write_text(f"b/drive.mp4\n{tmp_path}/data/drive.mp4\n")
    before = names_in(listed)
    assert list(before.values()) == ["b_drive", "data_drive"]
    listed.write_text(f"../data/more/drive.mp4\n{listed.read_text()}gone/drive.mp4\n")
    after = names_in(listed)
    assert {file: after[file] for file in before} == before
    listed.write_text("b/drive.mp4\ngone/drive.mp4\n")  # what is not there at the moment may be there tomorrow
    assert list(names_in(listed).values()) == ["b_drive"]


def test_names_are_unique_in_any_order():
    files = ("rec/a.mp4", "rec/a.MKV", "rec/b/c.mp4", "rec/d/c.mp4", "rec/b_c.mp4", "rec/A/c.mp4", "rec/a/C.mp4")
    names = names_of(*files)
    assert names[:5] == ["a_mp4", "a_MKV", "b_c_mp4", "d_c", "b_c"]
    assert len({name.lower() for name in names}) == len(files)
    assert names_of(*files[::-1]) == names[::-1]
    assert names_of("rec/a.mp4", "rec/a.mp4") == ["a", "a-2"]  # one file, named twice


def test_names_of_deep_paths_fit_into_a_file_system():
    deep = "/".join(["a_long_name_of_a_folder"] * 20)
    names = names_of(f"rec/{deep}/1/drive.mp4", f"rec/{deep}/2/drive.mp4")
    assert len(set(names)) == 2
    assert all(name.startswith("drive-") and len(name) == len("drive-") + 8 for name in names)


def test_pictures_keep_their_name_beside_a_video_and_streams_are_numbered():
    address = "rtsp://host/live"
    sources = [VideoSource("in/live.mp4", lazy=True), ImagesSource(["in/1.jpg"], name="live")]
    sources += [StreamSource(address, lazy=True), StreamSource(address, lazy=True)]
    give_unique_names(sources, "in")
    assert [source.name for source in sources] == ["live_mp4", "live", "host-live", "host-live-2"]


@pytest.mark.parametrize("entry", ["{tmp}/other/2.png", "../other/2.png"], ids=["absolute", "above"])
def test_a_list_may_mix_kinds_of_paths(tmp_path, monkeypatch, entry):
    for name in ("here/in/1.png", "other/2.png"):
        write_picture(tmp_path / name, make_picture((8, 12)))
    monkeypatch.chdir(tmp_path / "here")
    touch(tmp_path, "lists/list.txt")
    entries = ["in/1.png", entry.format(tmp=tmp_path)]  # taken from the current folder
    (tmp_path / "lists/list.txt").write_text("\n".join(entries))
    (source,) = open_sources("../lists/list.txt")
    assert [name_below_out(source, frame) for frame in source] == ["here/in/1.png", "other/2.png"]
    assert drawn_paths(source, Path("out")) == [Path("out/here/in/1.png"), Path("out/other/2.png")]


def test_names_of_many_pictures_are_those_of_each():
    files = ["in/1.png", "in/a/2.png", "./in/a/../3.png", "4.png", "../5.png"]
    source = ImagesSource(files, folder="in")
    frames = [Frame(make_picture((8, 12)), file, 0, 0.0) for file in files]
    assert drawn_paths(source, Path("out")) == [Path("out") / name_below_out(source, frame) for frame in frames]


CLASHES = {
    "strip": (["a.mp4"], ["a.strip.jpg"], "jsonl", "a.strip.jpg", ("in/a.strip.jpg", "in/a.mp4")),
    "label of a frame": (["a.mp4"], ["a/00007.jpg"], "culane", "a/00007.lines.txt", ("in/a/00007.jpg", "in/a.mp4")),
}


@pytest.mark.parametrize(("videos", "pictures", "file_format", "output", "named"), CLASHES.values(), ids=CLASHES)
def test_outputs_of_two_sources_that_clash_are_refused(videos, pictures, file_format, output, named):
    sources = [
        ImagesSource([f"in/{name}" for name in pictures], folder="in"),
        *(VideoSource(f"in/{name}", lazy=True) for name in videos),
    ]
    with pytest.raises(ValueError, match=r"leave one of them out, .* another --out folder") as error:
        refuse_clashes(sources, Path("out"), file_format=file_format)
    assert str(error.value).startswith(f"Output out/{output} would be written for {named[0]} and again for {named[1]};")
    for source in sources:
        refuse_clashes([source], Path("out"), file_format=file_format)


def test_a_picture_of_a_sequence_may_not_be_its_strip():
    source = ImagesSource(["in/in.strip.jpg", "in/1.jpg"], name="in", folder="in", sequence=True)
    with pytest.raises(ValueError, match=r"for in/in\.strip\.jpg and again for all of in;"):
        refuse_clashes([source], Path("out"))


def test_what_belongs_together_is_no_clash():
    twice = ImagesSource(["in/1.jpg", "./in/1.jpg", "in/1.png", "in/a/00001.jpg"], folder="in")
    video = VideoSource("in/b.mp4", lazy=True)
    gone = UnreadableSource("gone", name="b")
    for file_format in ("jsonl", "culane", "labelme", "cvat", "tusimple"):
        refuse_clashes([twice, video, gone], Path("out"), file_format=file_format)


def test_an_input_behind_a_link_is_not_written_over(tmp_path):
    write_picture(tmp_path / "in/1.jpg", make_picture((8, 12)))
    (tmp_path / "out").symlink_to(tmp_path / "in")
    with pytest.raises(ValueError, match=r"out/1\.jpg is an input itself"):
        refuse_clashes([ImagesSource([str(tmp_path / "in/1.jpg")])], tmp_path / "out")


@pytest.mark.parametrize("tool", ["labelme", "cvat"])
def test_a_missing_picture_does_not_refuse_label_files(tmp_path, tool):
    write_picture(tmp_path / "1.png", make_picture((8, 12)))
    (tmp_path / "list.txt").write_text("1.png\ngone.png\n")
    sources = open_sources(str(tmp_path / "list.txt"))
    refuse_label_files(sources, tmp_path / "out", tool)
    assert [source.faults for source in sources if source.faults] == [
        [f"{tmp_path / 'list.txt'}: gone.png: no such file or folder."]
    ]


# Lists


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# nothing\n", "expected an image, video, folder or address a line, got none"),
        ("a.mp4\nb.mp4\n", r"list\.txt: a\.mp4: no such file or folder\. \(and 1 more such entries\)"),
        ("\xff\xfe", r"list\.txt: expected text in UTF-8"),
    ],
    ids=["empty", "all-gone", "no-text"],
)
def test_lists_without_a_source_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "list.txt").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=message):
        open_sources(str(tmp_path / "list.txt"))


def make_drives(folder: Path) -> None:
    for drive in ("1/cam", "2/cam"):
        for number in range(3):
            write_picture(folder / drive / f"{number}.png", make_picture((8, 12)))
    write_picture(folder / "loose.png", make_picture((8, 12)))


@pytest.mark.parametrize("second", ["2/cam", "2/cam/*.png"], ids=["folder", "pattern"])
def test_each_folder_of_a_list_is_a_sequence(tmp_path, second):
    make_drives(tmp_path)
    (tmp_path / "list.txt").write_text(f"1/cam\nloose.png\n{second}\n1/cam/0.png\n")
    sources = open_sources(str(tmp_path / "list.txt"), sequence=True)
    assert [(each.name, [frame.index for frame in each]) for each in sources] == [
        ("list", [0, 1]),
        ("1_cam", [0, 1, 2]),
        ("2_cam", [0, 1, 2]),
    ]
    assert drawn_paths(sources[2], Path("out")) == [Path(f"out/2/cam/{number}.png") for number in range(3)]
    entry = r".*/1/cam/0\.png"
    with pytest.raises(ValueError, match=rf"^Picture {entry} is named twice, by {entry} and by .*/1/cam; leave one"):
        refuse_clashes(sources, Path("out"))
    assert len(open_sources(str(tmp_path / "list.txt"))) == 1  # of unrelated pictures


def names_of_sequences(folder: Path, *entries: str) -> dict[str, str]:
    """Name of each sequence of a list -> its first file."""
    (folder / "list.txt").write_text("\n".join(entries))
    sources = open_sources(str(folder / "list.txt"), sequence=True)
    refuse_clashes(sources, folder / "out")
    return {source.name: Path(source.files[0]).relative_to(folder).as_posix() for source in sources}


@pytest.mark.parametrize("are_swapped", [False, True])
@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (("cam/left_*.png", "cam/right_*.png"), ["left", "right"]),
        (("cam/left_*.png", "more/left_*.png"), ["cam_left", "more_left"]),
        (("cam/*.png", "cam/*.jpg"), ["cam_png", "cam_jpg"]),
        (("cam/*.png", "more/[a-z]*.png"), ["cam", "more"]),
    ],
    ids=["words", "folders", "endings", "wildcards"],
)
def test_patterns_of_a_list_have_names_that_do_not_depend_on_their_order(tmp_path, patterns, names, are_swapped):
    for name in ("cam/left_0.png", "cam/right_0.png", "cam/x.jpg", "more/left_0.png"):
        write_picture(tmp_path / name, make_picture((8, 12)))
    step = -1 if are_swapped else 1
    found = names_of_sequences(tmp_path, *patterns[::step])
    assert list(found) == names[::step]


@pytest.mark.parametrize("again", ["1/cam", "./1/cam/", "1/cam/*.png"])
def test_a_sequence_that_is_named_again_is_no_other_one(tmp_path, again):
    make_drives(tmp_path)
    assert list(names_of_sequences(tmp_path, "1/cam", "2/cam", again)) == ["1_cam", "2_cam"]
    assert list(names_of_sequences(tmp_path, "1/cam", again)) == ["list"]


@pytest.mark.parametrize("entries", [["1/cam/0.png", "2/cam/0.png"], ["1/cam"]], ids=["files", "one folder"])
def test_a_list_of_one_sequence_keeps_its_names(tmp_path, entries):
    make_drives(tmp_path)
    (tmp_path / "list.txt").write_text("\n".join(entries))
    (source,) = open_sources(str(tmp_path / "list.txt"), sequence=True)
    assert (source.name, source.place) == ("list", None)
