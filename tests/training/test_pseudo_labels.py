"""Pseudo-labels: shares of patches, priors, class activation maps, likeness."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from training import activation, batches, features, priors, pseudo_labels, self_training
from training.affinity import affinity_attention
from training.words import WIDTH, Label, Words

GRAY, BLUE, GREEN = (128, 128, 128, 20), (90, 140, 230, 3), (60, 140, 50, 10)


class TestShares:
    def test_only_allowed_words_share_and_those_there_get_some(self) -> None:
        torch.manual_seed(0)
        logits = torch.randn(2, features.TOKENS, 4)
        logits[..., 0] -= 6  # of a word that must be there all the same
        allowed = torch.tensor([[True, True, True, False]]).expand(2, 4)
        required = torch.tensor([[True, False, False, False]]).expand(2, 4)
        vectors = F.normalize(torch.randn(2, features.TOKENS, 16), dim=-1)
        least, likeness = torch.full((2, 4), 0.06), vectors @ vectors.mT
        share, without = (
            pseudo_labels.expectation(logits, allowed, there, least, likeness, pseudo_labels.FIRST)
            for there in (required, ~allowed)
        )
        assert torch.allclose(share.sum(-1), torch.ones(2, features.TOKENS), atol=1e-4)
        assert share[..., 3].max() < 1e-6
        assert share[..., 0].mean() > 2 * without[..., 0].mean()

    def test_a_required_word_is_raised_to_its_part(self) -> None:
        """Two patches; word 0 has 0.02 of each, and shall have 0.06 of the view."""
        logits = torch.tensor([[[0.02, 0.98], [0.02, 0.98]]]).log()
        allowed, required = torch.tensor([[True, True]]), torch.tensor([[True, False]])
        share = pseudo_labels.balanced(logits, allowed, required, torch.full((1, 2), 0.06), 0.0)
        assert share[0, :, 0].mean() == pytest.approx(0.06, abs=1e-3)

    def test_of_a_thing_there_is_one_share_whatever_it_is_called(self, words: Words) -> None:
        label = words.label({"source": "mini-imagenet", "words": ["hen"]})
        assert len(label.there) > 1
        half = torch.arange(features.TOKENS) < features.TOKENS // 2
        patches = torch.zeros(1, features.TOKENS, WIDTH)
        patches[0, half] = 0.9 * words.vectors[label.there[-1]]
        alike = (half[:, None] == half).float()[None]
        gray = torch.full((1, features.TOKENS, 4), 128, dtype=torch.uint8)
        space, how = pseudo_labels.LabelSpace(words), pseudo_labels.SELF_TRAINING
        share = space.shares([label], patches, words.vectors, gray, alike, how)
        assert share[0, half, 0].min() > self_training.ON
        assert share[0, ~half, 0].max() < self_training.OFF
        assert (share[0, :, 1 : len(label.there)] < 1e-6).all()

    def test_a_thing_is_where_its_share_is_large(self) -> None:
        labels = self_training.thing_labels(torch.tensor([0.7, 0.5, 0.05]))
        assert labels.tolist() == [1, 0, -1]

    def test_a_thing_has_a_quarter_of_its_photo_in_a_mosaic(self) -> None:
        """Four patches; the thing has e⁻² of 1 + e⁻² = 0.119 of one patch and nothing of others:
        its mean 0.0298 is raised 8 times, so its share there is 0.954 of 0.954 + 0.881."""
        vectors = torch.eye(WIDTH)
        patches = torch.zeros(4, WIDTH)
        patches[:, 1] = 1.0
        patches[0, 0] = 1 - 2 / pseudo_labels.SCALE
        share = self_training.tile_share(patches, Label((0,), (1,), "thing", "pacs-photo"), vectors)
        assert share[0] == pytest.approx(0.520, abs=1e-3)
        assert (share[1:] < 1e-3).all()

    def test_log_priors_are_logarithms_of_parts_of_the_photos(self, words: Words) -> None:
        """Of a thing's photo and a place's, half of the patches each, weighted 3 to 1: the thing's
        two names have its share both, its surroundings count three tenths."""
        thing, place = Label((0, 1), (2,), "thing", "a"), Label((2, 3), (), "place", "b")
        labels = {0: thing, 1: place}
        shares = {0: [0.6, 0.0, 0.4], 1: [0.5, 0.5]}

        def batch(network: None, rows: list[int]) -> SimpleNamespace:
            return SimpleNamespace(rows=rows, labels=[labels[row] for row in rows])

        def shares_of(batch: SimpleNamespace) -> torch.Tensor:
            return torch.tensor([[shares[row]] * 4 for row in batch.rows])

        views = SimpleNamespace(
            parts={"a": 0.75, "b": 0.25}, rows={"a": [0], "b": [1]}, batch=batch
        )
        space = SimpleNamespace(words=SimpleNamespace(all=range(5)))
        parts = torch.tensor([0.75 * 0.6, 0.75 * 0.6, 0.75 * 0.3 * 0.4 + 0.125, 0.125, 0.0])
        expected = (parts / parts.sum() + 0.002).log()
        assert torch.allclose(pseudo_labels.log_priors(views, None, space, shares_of), expected)


class TestPriors:
    @pytest.mark.parametrize(
        ("word", "more", "less"),
        [
            ("sky", (0, 5), (11, 5)),
            ("grass", (11, 5), (0, 5)),
            ("floor", (11, 5), (0, 5)),
            ("ceiling", (0, 5), (11, 5)),
            ("window", (2, 5), (11, 5)),
            ("bed", (11, 5), (0, 5)),
            ("road", (11, 5), (11, 0)),
            ("pavement", (11, 0), (11, 5)),
        ],
    )
    def test_a_word_is_more_probable_where_it_tends_to_be(
        self, words: Words, word: str, more: tuple[int, int], less: tuple[int, int]
    ) -> None:
        prior = priors.by_position(words)[words.number(word)].unflatten(0, (12, 12))
        assert prior[more] > prior[less]

    def test_the_sky_loses_three_from_the_top_to_the_bottom(self, words: Words) -> None:
        prior = priors.by_position(words)[words.number("sky")].unflatten(0, (12, 12))
        assert prior[0, 0] == pytest.approx(-3 * 0.5 / 12)
        assert prior[11, 0] == pytest.approx(-3 * 11.5 / 12)

    def test_a_floor_counts_from_below_the_middle(self, words: Words) -> None:
        prior = priors.by_position(words)[words.number("floor")].unflatten(0, (12, 12))
        assert prior[11, 0] == 0
        assert prior[0, 0] == pytest.approx(-4.5 * (0.85 - 0.5 / 12))

    def test_colours_favour_the_words_that_have_them(self) -> None:
        colours = torch.tensor([[GRAY, BLUE, GREEN]], dtype=torch.uint8)
        prior = {word: logits[0].tolist() for word, logits in priors.by_colour(colours).items()}
        assert prior["sky"] == pytest.approx([-1.0, 2.0, -2.0]), "rough; blue; green"
        assert np.argmax(prior["grass"]) == 2
        assert np.argmax(prior["water"]) == 1
        assert prior["field"][2] == pytest.approx(0.6 * prior["grass"][2])

    def test_features_of_a_colour(self) -> None:
        colours = torch.tensor([[BLUE]], dtype=torch.uint8)
        values = {
            name: 255 * of[0, 0].item() for name, of in priors.colour_features(colours).items()
        }
        assert values["bluer"] == pytest.approx(230 - 90)
        assert values["warmer"] == pytest.approx(90 - 230)
        assert values["greener"] == pytest.approx(140 - 230)
        assert values["light"] == pytest.approx(230)
        assert values["saturation"] == pytest.approx(255 * 140 / (230 + 0.05 * 255))
        assert values["rough"] == pytest.approx(3)


def test_a_class_activation_map_is_the_thing_where_it_is_large() -> None:
    labels = activation.activation_labels(torch.tensor([4.0, 2.1, 1.0, 0.7, -3.0]))
    assert labels.tolist() == [1, 1, 0, -1, -1]
    assert (activation.activation_labels(torch.tensor([-1.0, -2.0])) == -1).all(), "nowhere"


def test_likeness_is_half_the_cosine_of_appearance_and_half_the_affinity() -> None:
    inputs = torch.zeros(1, 3, features.FEATURES)
    inputs[0, 0, 0], inputs[0, 1, 0], inputs[0, 2, 1] = 1.0, 2.0, 1.0
    inputs[0, :, batches.APPEARANCE :] = torch.randn(3, features.FEATURES - batches.APPEARANCE)
    affinity = torch.tensor([[[1.0, 0.4, -0.2], [0.4, 1.0, 0.0], [-0.2, 0.0, 1.0]]])
    expected = torch.tensor([[[1.0, 0.7, -0.1], [0.7, 1.0, 0.0], [-0.1, 0.0, 1.0]]])
    torch.testing.assert_close(batches.likeness(inputs, affinity), expected)


def test_attention_by_affinities_leaves_out_the_negative_ones() -> None:
    affinity = torch.tensor([[[1.0, 0.5, -0.1], [0.5, 1.0, 0.0], [-0.1, 0.0, 1.0]]])
    first = torch.tensor([1.0, np.exp(-5), 0.0]) / (1 + np.exp(-5))
    attention = affinity_attention(affinity)
    torch.testing.assert_close(attention[0, 0], first.float())
    assert torch.allclose(attention.sum(-1), torch.ones(1, 3))
