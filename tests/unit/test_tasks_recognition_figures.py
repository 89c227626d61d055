import collections

import numpy as np
import pytest

from hcrlib.decoding import ctc
from hcrlib.metrics import scores
from hcrlib.plotting import style
from hcrlib.records import Metric, RunConfig, RunRecord
from hcrlib.tasks.recognition import figures as recognition

SAID = ["hello", "", "wurld", "a", "exactly"]
TRUTH = ["hallo", "x", "world", "a", "exactly"]
ANSWERS = {"labels": np.array(TRUTH), "predicted": np.array(SAID)}


def test_what_is_taken_for_what_is_counted():
    found = scores.confusion_counts(["abd", "xa"], ["abc", "a"])
    assert found == collections.Counter({("c", "d"): 1, ("", "x"): 1})
    assert scores.confusion_counts([""], ["a"]) == {("a", ""): 1}


def test_the_worst_come_first_and_those_without_an_error_not_at_all():
    found = recognition.worst([f"picture {n}" for n in range(5)], ANSWERS, most=2)
    assert found == [("hallo → hello", "picture 0"), ("x → (nothing)", "picture 1")]
    assert len(recognition.worst(range(5), ANSWERS)) == 3


def test_mistakes_are_named():
    ax = recognition.confusion_counts(
        style.figure(), {"labels": np.array(["a b", "c"]), "predicted": np.array(["ab", "cd"])}
    )
    assert {label.get_text() for label in ax.get_yticklabels()} == {"space → nothing", "nothing → d"}


def test_rates_by_length_hold_every_text_once():
    truth = np.array(["a" * n for n in (1, 1, 1, 1, 5, 9)])
    ax = recognition.by_length(style.figure(), {"labels": truth, "predicted": np.array([*truth[:-1], "a" * 8])})
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "5 to 9"]
    assert [line.get_ydata()[0] for line in ax.lines if line.get_marker() == "o"] == [0, pytest.approx(100 / 14)]


def test_rates_have_a_row_for_each_configuration_and_a_dot_for_each_seed():
    def run(cer, seed=0, epochs=1):
        metrics = {name: Metric(cer, cer - 0.01, cer + 0.01) for name in ("cer", "wer")}
        config = RunConfig("words", "crnn-small", {"epochs": epochs}, [], seed)
        history = [{"epoch": 1, "val_cer": cer}, {"epoch": 2, "val_cer": cer}]
        return RunRecord(config=config, status="finished", metrics=metrics, history=history)

    runs = [run(0.2), run(0.3, seed=1), run(0.1, epochs=2)]
    ax = recognition.rates(style.figure(), runs)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["crnn-small epochs=2", "crnn-small epochs=1"]
    dots = [line.get_xydata().tolist() for line in ax.lines if line.get_marker() == "."]
    assert dots == [[[20, 0.9], [30, 0.9]], [[20, 1.1], [30, 1.1]]]
    ax = recognition.learning_curves(style.figure(), runs)
    assert len(ax.lines) == 3
    assert len(ax.get_legend().get_texts()) == 2


def test_steps_show_the_characters_that_are_ever_likely():
    ax = recognition.steps(style.figure(), np.log([[0.6, 0.38, 0.02], [0.5, 0.48, 0.02]]), ["a", " "])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["blank", "a"]


def test_each_way_to_decode_is_there_those_with_a_dictionary_for_a_corpus():
    steps = np.log([[0.6, 0.4], [0.6, 0.4]])
    assert {name: decode([steps]) for name, decode in ctc.decoders(["a"]).items()} == {
        "best path": [""],
        "beam search": ["a"],
    }
    ways = ctc.decoders(["a", "b"], ["ab a"])
    assert list(ways)[2:] == ["character n-grams", *(f"word beam search, {mode}" for mode in ctc.MODES)]
    clear = np.log([[0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    assert {name: decode([clear])[0] for name, decode in ways.items()} == dict.fromkeys(ways, "ab")
