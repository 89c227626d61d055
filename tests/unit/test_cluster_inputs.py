"""A run's inputs are identified by their content, and complete on the machine that received them."""

import io
import json
import os
import tarfile
import uuid
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

import hcrlib as hcr
from hcrlib.cluster import inputs
from hcrlib.cluster.inputs import Input
from hcrlib.core.errors import DataError, HcrError
from hcrlib.datasets import load
from hcrlib.records import RunConfig
from hcrlib.runs import runner


def picture(path, text, size=(60, 80)):
    image = Image.new("L", size, "white")
    ImageDraw.Draw(image).text((10, 10), text, fill="black", font_size=40)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def described(folder):
    """A folder with images of one's own and a dataset.yml."""
    for name in ("0", "1"):
        for number in range(12):
            picture(folder / "images" / name / f"{number}.png", name, (50 + 10 * number, 90))
    (folder / "dataset.yml").write_text("name: mine\nformat: folders\nimages: images\nallow_duplicates: true\n")
    return folder


def lines(folder):
    """A folder with pictures of lines and a TSV."""
    rows = ["file\ttext\tdocument"]
    for number in range(8):
        picture(folder / f"{number}.png", f"line {number}", (200, 60))
        rows.append(f"{number}.png\tline {number}\td{number // 2}")
    (folder / "lines.tsv").write_text("\n".join(rows) + "\n")
    return folder


def config(dataset, classifier="dummy", **params):
    return RunConfig(str(dataset), classifier, params, ["scale"])


@pytest.fixture
def worker(tmp_path, monkeypatch):
    """A machine that has no data yet: this process, after there(), and what it receives."""

    class Worker:
        cache = tmp_path / "worker-cache"

        def there(self):
            monkeypatch.setenv("HCR_CACHE", str(self.cache))
            monkeypatch.setenv("HCR_RESULTS", str(tmp_path / "worker-results"))
            monkeypatch.delenv("HCR_DATA", raising=False)

        def send(self, one, chunk=4099, gone=None):
            """Sends an Input of this machine; gone: a folder that is not there any more afterwards."""
            packed = io.BytesIO()
            assert inputs.pack(one, packed)
            if gone:
                gone.rename(gone.with_name("hidden"))
            self.there()
            self.receive(one, packed.getvalue(), chunk)

        def receive(self, one, packed, chunk=1 << 30):
            transfer = uuid.uuid4().hex
            pieces = [packed[at : at + chunk] for at in range(0, len(packed), chunk)] or [b""]
            for piece in pieces[:-1]:
                inputs.receive(transfer, piece)
            inputs.receive(transfer, pieces[-1], one)

        def files(self):
            return sorted(path.relative_to(self.cache).as_posix() for path in self.cache.rglob("*") if path.is_file())

    return Worker()


def tar(*members):
    """Bytes of a tar of (name, bytes or TarInfo)."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as out:
        for name, content in members:
            about = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            about.size = len(content) if isinstance(content, bytes) else 0
            out.addfile(about, io.BytesIO(content) if isinstance(content, bytes) else None)
    return sink.getvalue()


def link(name, to, kind=tarfile.SYMTYPE):
    about = tarfile.TarInfo(name)
    about.type, about.linkname = kind, str(to)
    return name, about


def test_a_set_of_the_catalogue_is_its_name(monkeypatch, tmp_path):
    assert inputs.of(config("mnist-5k")) == [Input("mnist-5k")]
    assert inputs.lacking([Input("mnist-5k")]) == [], "it is embedded"
    monkeypatch.setenv("HCR_CACHE", str(tmp_path / "empty"))
    monkeypatch.delenv("HCR_DATA", raising=False)
    assert inputs.lacking([Input("mnist"), Input("mnist-5k")]) == [Input("mnist")]


def test_own_data_is_a_path_and_the_hash_of_its_content(tmp_path):
    own = described(tmp_path / "own")
    [one] = inputs.of(config(own))
    [other] = inputs.of(config(own / "dataset.yml"))
    assert (one.name, other.name) == (str(own), str(own / "dataset.yml"))
    assert one.digest == other.digest == inputs.digest(own)
    assert inputs.where(one) == inputs.where(other) == own
    os.utime(own / "images/0/0.png", (1, 1))
    (own / "images/0/0.png").chmod(0o600)
    assert inputs.digest(own) == inputs.digest(described(tmp_path / "elsewhere")) == one.digest


def test_a_folder_of_lines_and_one_of_hcr_data(tmp_path, monkeypatch):
    own = lines(tmp_path / "lines")
    assert inputs.of(config(own, "crnn-small")) == [Input(str(own), inputs.digest(own))]
    there = lines(tmp_path / "data/lines-cremma-wills")
    monkeypatch.setenv("HCR_DATA", str(tmp_path / "data"))
    [one] = inputs.of(config("cremma-wills", "crnn-small"))
    assert one == Input("HCR_DATA/lines-cremma-wills", inputs.digest(there))
    assert inputs.where(one) == there


def test_missing_data_is_left_to_the_run_to_report(tmp_path, monkeypatch):
    monkeypatch.delenv("HCR_DATA", raising=False)
    assert inputs.of(config(tmp_path / "nowhere")) == []
    assert inputs.of(config("cremma-wills", "crnn-small")) == []
    assert inputs.of(config("mnist-5k", "ensemble", runs=["mnist-5k/knn/none"])) == [Input("mnist-5k")]


def test_an_ensemble_reads_its_members():
    run = hcr.train("dummy", budget=100, say=lambda line: None)
    asked = config("mnist-5k", "ensemble", runs=[run.id])
    assert inputs.members(asked) == [run.id]
    assert inputs.members(config("mnist-5k")) == []
    _, one = inputs.of(asked)
    assert one.name == f"runs/{run.id}"
    (run.path / "notebook.ipynb").write_text("{}")
    (run.path / "log.txt").write_text("a word")
    assert inputs.of(asked)[1] == one, "what a run printed is none of it"
    (run.path / "record.json").write_text("{}")
    assert inputs.of(asked)[1] != one


OTHER = {
    "a class without images": lambda own: (own / "images/2").mkdir(),
    "a name": lambda own: (own / "images/0/9.png").rename(own / "images/0/90.png"),  # the order stays
    "a byte": lambda own: (own / "images/0/0.png").write_bytes((own / "images/0/1.png").read_bytes()),
    "one more file": lambda own: (own / "images/1/more.txt").write_text(""),
    "one file less": lambda own: (own / "images/0/0.png").unlink(),
    "no YAML": lambda own: (own / "dataset.yml").write_text("name: ["),
    "a description without images": lambda own: (own / "dataset.yml").write_text("format: folders"),
    "an empty description": lambda own: (own / "dataset.yml").write_text(""),
}


@pytest.mark.parametrize("change", OTHER.values(), ids=OTHER)
def test_data_that_changed_is_lacking_and_not_packed(tmp_path, change):
    own = described(tmp_path / "own")
    [one] = inputs.of(config(own))
    assert inputs.lacking([one]) == []
    change(own)
    assert inputs.lacking([one]) == [one]
    with pytest.raises(HcrError, match=r"has changed since|dataset\.yml"):
        inputs.pack(one, io.BytesIO())


@pytest.mark.parametrize("loop", [".", ".."])
def test_links_that_lead_back_end(tmp_path, loop):
    for name in ("one", "two"):
        (tmp_path / "lines").mkdir(exist_ok=True)
        (tmp_path / "lines" / name).symlink_to(loop)
    lines(tmp_path / "lines")
    [one] = inputs.of(config(tmp_path / "lines"))
    assert inputs.lacking([one]) == []


def test_what_lies_beside_a_description_is_no_part_of_the_data(tmp_path, worker):
    """Results, say, of the sweeps on it, and names that are no text."""
    own = described(tmp_path / "own")
    [one] = inputs.of(config(own))
    (own / "results").mkdir()
    (own / "results/record.json").write_text("{}")
    Path(os.fsdecode(bytes(own) + b"/caf\xe9.txt")).write_text("")
    assert inputs.of(config(own)) == [one]
    worker.send(one, gone=own)
    assert sorted(path.name for path in inputs.where(one).iterdir()) == ["dataset.yml", "images"]


@pytest.mark.parametrize("where", ["../elsewhere", "{folder}/elsewhere", "{folder}/own/images"])
@pytest.mark.parametrize("inside", ["", "dataset.yml"])
def test_images_beside_their_description_are_no_part_of_it(tmp_path, inside, where):
    own, where = described(tmp_path / "own"), where.format(folder=tmp_path)
    if "images" not in where:
        (own / "images").rename(tmp_path / "elsewhere")
    text = (own / "dataset.yml").read_text()
    assert "images: images" in text
    (own / "dataset.yml").write_text(text.replace("images: images", f"images: {where}"))
    [one] = inputs.of(config(own / inside))
    assert inputs.lacking([one]) == []
    with pytest.raises(DataError, match="cannot be sent") as error:
        inputs.pack(one, io.BytesIO())
    assert where in str(error.value)


@pytest.mark.parametrize("inside", ["", "dataset.yml"])
def test_a_run_on_sent_data_reads_the_same_images(tmp_path, worker, monkeypatch, inside):
    own = described(tmp_path / "own")
    asked = runner.resolve("dummy", dataset=str(own / inside))
    here = load(asked.dataset)
    [one] = inputs.of(asked)
    worker.send(one, gone=own)
    with pytest.raises(HcrError):
        load(asked.dataset)
    monkeypatch.setenv("HCR_SENT", json.dumps({one.name: str(inputs.where(one) / inside)}))
    assert (load(asked.dataset).sha256, load(asked.dataset).name) == (here.sha256, here.name)
    record = runner.run_one(runner.resolve("dummy", dataset=asked.dataset), log=lambda line: None)
    assert record.data["sha256"] == here.sha256
    assert record.config == asked


def test_files_of_the_catalog_go_where_they_are_searched(tmp_path, worker, monkeypatch):
    files = tmp_path / "data/mnist"
    files.mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (files / f"{name}-ubyte.gz").write_bytes(name.encode() * 1000)
    monkeypatch.setenv("HCR_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(inputs.official_files, "checked", lambda path, file: path.read_bytes())  # they are stand-ins
    assert inputs.lacking([Input("mnist")]) == []
    worker.send(Input("mnist"))
    assert inputs.lacking([Input("mnist")]) == []
    assert worker.files() == sorted(f"files/{path.name}" for path in files.iterdir())


SPOILT = {
    "another byte": lambda packed: packed.replace(b"name: mine", b"name: minx"),
    "nothing": lambda packed: b"",
    "half": lambda packed: packed[: len(packed) // 2],
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_a_transfer_that_is_damaged_or_cut_short_leaves_nothing(tmp_path, worker, spoil):
    own, packed = described(tmp_path / "own"), io.BytesIO()
    [one] = inputs.of(config(own))
    inputs.pack(one, packed)
    own.rename(tmp_path / "hidden")
    worker.there()
    with pytest.raises((DataError, tarfile.TarError)) as error:
        worker.receive(one, spoil(packed.getvalue()))
    assert ("transfer was damaged" in str(error.value)) or spoil is not SPOILT["another byte"]
    assert worker.files() == []
    assert list((worker.cache / "sent").iterdir()) == []
    assert inputs.lacking([one]) == [one]


HOSTILE = {
    "a path upwards": [("../../outside", b"x")],
    "a path upwards in a folder of the cache": [("files/../../../outside", b"x")],
    "a link outward": [link("files/l", "../../../.."), ("files/l/outside", b"x")],
    "an absolute link": [link("files/l", "{outside}"), ("files/l", b"x")],
    "a hard link outward": [link("files/l", "../../../outside", tarfile.LNKTYPE)],
    "a fifo": [link("files/l", "", tarfile.FIFOTYPE)],
}


@pytest.mark.parametrize("one", [Input("mnist"), Input("/own", "0" * 64)], ids=["catalogue", "own"])
@pytest.mark.parametrize("members", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_tar_is_refused_and_reaches_nothing_outside(tmp_path, worker, members, one):
    worker.there()
    outside = [worker.cache.parent / "outside", worker.cache / "outside", worker.cache / "sent/outside"]
    for _, about in members:
        if isinstance(about, tarfile.TarInfo):
            about.linkname = about.linkname.format(outside=outside[0])
    with pytest.raises((DataError, tarfile.TarError)):
        worker.receive(one, tar(*members))
    assert not any(path.exists() for path in outside)
    assert worker.files() == []


def test_only_new_files_in_the_folders_of_the_catalog_are_added(worker):
    worker.there()
    (worker.cache / "files").mkdir(parents=True)
    (worker.cache / "files/a.gz").write_bytes(b"the worker's own")
    names = "sent/aa/x", "work/x", "x", "filesystem/x", "files/a.gz", "files/b.gz"
    worker.receive(Input("mnist"), tar(*((name, b"new") for name in names)))
    assert worker.files() == ["files/a.gz", "files/b.gz"]
    assert [(worker.cache / name).read_bytes() for name in worker.files()] == [b"the worker's own", b"new"]
