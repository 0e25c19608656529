"""Step 6, `localise`: pseudo-labels of people and things, what is kept, and how far it goes."""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from gclip_core import word_lists
from training import boxes, features, localise
from training.detector import Box
from training.localise import Localisers, Pair, Pool
from training.network import Network
from training.pseudo_labels import LabelSpace
from training.words import Words

CHAIR = Box("chair", 0.9, (0.2, 0.2, 0.8, 0.8))


@pytest.mark.parametrize(("named", "labels"), [(True, [1, 0, -1]), (False, [0, 0, -1])])
def test_a_patch_is_a_person_only_where_the_label_names_people(
    named: bool, labels: list[int]
) -> None:
    assert localise.people_labels(torch.tensor([0.7, 0.3, 0.1]), named).tolist() == labels


class TestPairs:
    @pytest.fixture
    def localisers(
        self, words: Words, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Localisers:
        """The photos of the made-up data, a chair in each, people in their upper half, and the
        middle of each salient."""
        tokens = features.TOKENS
        middle = torch.zeros(features.GRID, features.GRID)
        middle[3:9, 3:9] = 1
        cache = features.Cache(
            [(number, 0) for number in range(len(words.photos))],
            np.zeros((len(words.photos), tokens, features.FEATURES), np.float16),
            np.ones((len(words.photos), tokens, tokens), np.float16),
            np.stack([middle.flatten().half().numpy()] * len(words.photos)),
        )
        monkeypatch.setattr(localise, "read_cache", lambda work, kind: cache)
        monkeypatch.setattr(localise, "_SEEN", 1)
        return Localisers(words, tmp_path, "single", Halves())

    def test_what_three_networks_find_in_a_view(self, localisers: Localisers, words: Words) -> None:
        torch.manual_seed(0)
        (dog, man, room) = 0, 5, 7
        named = pairs_of(localisers, dog, words)
        assert (named["dog"] > 0).sum() == 36, "salient, and the others not"
        assert (named["dog"] < 0).sum() == features.TOKENS - 36
        assert (named["person"] <= 0).all(), "no person is named"
        assert (pairs_of(localisers, man, words)["person"] > 0).sum() == features.TOKENS / 2
        chair = pairs_of(localisers, room, words)["chair"]
        assert (chair > 0).any()
        assert (chair < 0).any()

    def test_animals_are_not_learned_from_boxes(self, localisers: Localisers, words: Words) -> None:
        torch.manual_seed(0)
        animals = {words.number(word) for word in localise.ANIMALS}
        drawn = Counter(
            number for _ in range(50) for of_word, _ in localisers._things(7) for number in of_word
        )
        assert not animals & drawn.keys()
        assert len(boxes.WORDS) == 16, "as the first lines of localise.py tell"
        assert len(drawn) == 13 + 3, "thirteen words, three of which have two names"

    def test_pools_are_of_any_of_people_of_named_things_and_by_word(
        self, localisers: Localisers
    ) -> None:
        pools = [[list(rows) for rows in pool.groups] for pool in localisers.pools]
        assert pools[:3] == [[list(range(8))], [[5]], [[0]]]
        assert [7] in [rows[-1:] for rows in pools[3]]
        assert len(localisers.draw(8)) == 8, "two of each pool"

    def test_log_priors_are_those_of_the_map_but_for_what_pairs_label(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of 8 patches two are one of words 0 and 1, two are word 2: an eighth for the first two, a
        fourth for the third, and half of what it was for every word."""
        pairs = [
            Pair(0, (0, 1), "rooms", torch.tensor([1.0, 1.0, -1.0, 0.0])),
            Pair(1, (2,), "rooms", torch.tensor([1.0, 1.0, 0.0, 0.0])),
        ]
        monkeypatch.setattr(localise, "_COUNTED", 1)
        batch = SimpleNamespace(grid=(2, 2), draw=lambda size: [0, 1], pairs=lambda rows: pairs)
        before = torch.tensor([0.4, 0.3, 0.2, 0.1]).log()
        after = localise.updated_log_priors([(batch, 2)], before)
        expected = torch.tensor([0.2 + 0.125, 0.15 + 0.125, 0.1 + 0.25, 0.05])
        torch.testing.assert_close(after, expected.log())


class Halves:
    """Stands for `Detections`."""

    def boxes(self, file: str) -> list[Box]:
        return [CHAIR]

    def people(self, file: str, view: tuple[float, ...], grid: tuple[int, int]) -> Tensor:
        return (torch.arange(grid[0] * grid[1]) < grid[0] * grid[1] / 2).float()


def pairs_of(localisers: Localisers, row: int, words: Words) -> dict[str, Tensor]:
    """The labels of a view's patches by the first word of each pair."""
    return {words.all[pair.words[0]]: pair.patches for pair in localisers.pairs([row])}


def test_rare_groups_are_drawn_as_often_as_the_root_of_their_size() -> None:
    torch.manual_seed(0)
    drawn = Pool([[0] * 400, [1] * 100]).draw(6000)
    assert np.mean(drawn) == pytest.approx(1 / 3, abs=0.03)


def test_patches_that_are_no_thing_keep_their_vectors() -> None:
    """Three patches: the first is a thing and may turn, the second keeps its vector, the third
    turns by 60 degrees."""
    before = torch.tensor([[[1.0, 0.0]] * 3])
    after = torch.tensor([[[-1.0, 0.0], [1.0, 0.0], [0.5, 0.75**0.5]]])
    pair = Pair(0, (0,), "rooms", torch.tensor([1.0, -1.0, 0.0]))
    assert localise.preservation(after, before, [pair]).item() == pytest.approx(0.25)
    terms = {"on": torch.tensor(1.0), "off": torch.tensor(2.0), "preservation": torch.tensor(0.1)}
    assert localise.total(terms).item() == pytest.approx(1 + 2 + 30 * 0.1)


def test_the_change_of_the_weights_is_taken_one_and_a_half_times_as_far() -> None:
    before, after = (
        Network(torch.zeros(features.FEATURES), torch.ones(features.FEATURES)) for _ in "ab"
    )
    after.load_state_dict(before.state_dict())
    after.linear.weight += 2.0
    localise.extrapolate(before, after)
    torch.testing.assert_close(after.linear.weight, before.linear.weight + 3.0)
    assert torch.equal(after.proj, before.proj)


def test_what_people_wear_is_not_compared_with_a_person(words: Words) -> None:
    localisers = SimpleNamespace(words=words, person=words.number("person"))
    person, chair = (
        Pair(0, (words.number(word),), "rooms", torch.ones(4)) for word in ("person", "chair")
    )
    ignored = localise._worn(localisers, [person, chair])
    garment = next(iter(word_lists.read("worn")))
    assert ignored[0, words.number(garment)]
    assert not ignored[0, words.number("person")]
    assert not ignored[1].any()
    used = torch.arange(len(words.all))
    space = LabelSpace(words)
    hidden = space.not_compared([person.as_label()], used)[0]
    assert hidden[words.number("man")], "nor other words for people"
    assert not hidden[words.number("person")]
