"""Losses and how weights are fitted, by hand numbers."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from training import attention, features, losses
from training import network as network_module
from training.fitting import MapOptimiser, optimise, schedule
from training.network import BLOCKS, Network
from training.words import WIDTH


class TestLosses:
    def test_a_patch_of_a_thing_wants_one_of_its_words_and_one_beside_it_none(self) -> None:
        scores = torch.zeros(1, 3, 2, requires_grad=True)
        others = torch.zeros(1, 3)
        log_z = torch.cat([scores, others[..., None]], -1).logsumexp(-1)
        counts, label = torch.tensor([[True, True]]), torch.tensor([[1.0, -1.0, 0.0]])
        on, off = losses.thing_loss(scores, log_z, counts, label)
        assert on.item() == pytest.approx(np.log(3) - np.log(2) / 2)
        assert off.item() == pytest.approx(np.log(3))
        (on + off).backward()
        assert (scores.grad[0, 0] < 0).all()
        assert (scores.grad[0, 1] > 0).all()
        assert not scores.grad[0, 2].any(), "where nothing is known nothing is learned"

    def test_shares_are_targets_of_a_cross_entropy(self) -> None:
        scores = torch.tensor([[[2.0, 0.0], [1.0, 3.0]]])
        share = torch.tensor([[[1.0, 0.0], [0.25, 0.75]]])
        loss = losses.place_loss(scores, scores.logsumexp(-1), share)
        log_p = scores.log_softmax(-1)
        assert loss.item() == pytest.approx(-(share * log_p).sum().item() / 2, abs=1e-6)


class TestFitting:
    def test_the_rate_rises_is_constant_and_falls_by_half_a_cosine(self) -> None:
        rates = [schedule(step, 100, rising=10, constant=0.5) for step in (0, 9, 50, 75, 99)]
        assert rates == pytest.approx([0.1, 1, 1, 0.5, 0.02])

    def test_a_step_goes_down_at_the_largest_rate_times_a_factor(self) -> None:
        parameter = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
        optimiser = torch.optim.SGD([{"params": [parameter], "most": 0.5}], lr=0.0)
        optimise(optimiser, 10 * parameter.square().sum(), 0.2, [parameter])
        # A gradient of (60, 80) is scaled to (0.6, 0.8).
        torch.testing.assert_close(parameter.data, torch.tensor([2.94, 3.92]))

    def test_the_map_gets_the_mean_of_its_weights(self) -> None:
        """The mean forgets after the first step 1/11, after the second 2/12 of what it was."""
        weight, other = (torch.nn.Parameter(torch.tensor([value])) for value in (8.0, 1.0))
        fit, values = MapOptimiser([weight], [other]), [8.0]
        for _ in range(2):
            fit.step(weight.sum() + other.sum(), 1.0)
            values.append(weight.item())
        fit.average()
        mean = values[0]
        for count, value in enumerate(values[1:], 1):
            mean = count / (count + 10) * mean + 10 / (count + 10) * value
        assert weight.item() == pytest.approx(mean, abs=1e-6)
        assert values[2] < weight.item() < 8
        assert other.item() < 1, "what is not of the map is as it was learned"


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    monkeypatch.setattr(network_module, "has_bfloat16", lambda device: False)
    torch.manual_seed(0)
    return Network(torch.zeros(features.FEATURES), torch.ones(features.FEATURES)).eval()


def test_of_a_new_network_nothing_learns_but_what_a_step_sets_free(network: Network) -> None:
    assert not any(parameter.requires_grad for parameter in network.parameters())
    network.map_parameters()
    free = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert free == {"linear.weight", "linear.bias", "hidden.weight", "hidden.bias", "out.weight"}


class TestAttention:
    VECTORS = F.normalize(
        torch.randn(1, 4, WIDTH, generator=torch.Generator().manual_seed(0)), dim=-1
    )

    def test_the_divergence_is_that_of_kullback_and_leibler(self) -> None:
        attended, target = torch.tensor([[[0.25, 0.75]]]), torch.tensor([[[0.5, 0.5]]])
        expected = 0.5 * math.log(2) + 0.5 * math.log(2 / 3)
        assert attention.divergence(attended, target).item() == pytest.approx(expected)
        assert attention.divergence(target, target).item() == pytest.approx(0, abs=1e-7)

    def test_an_error_of_attention_counts_by_what_it_averages(self) -> None:
        """Two pairs of equal patches: within a pair it is all the same which one is attended to."""
        vectors = torch.tensor([[[1.0, 0], [1, 0], [0, 1], [0, 1]]])
        target = torch.eye(4)[None]
        partner = torch.eye(4)[None][:, [1, 0, 3, 2]]
        opposite = torch.eye(4)[None][:, [2, 3, 0, 1]]
        assert attention.averaging_error(partner, target, vectors).item() == 0
        assert attention.averaging_error(opposite, target, vectors).item() == pytest.approx(4)

    def test_values_keep_the_maps_vectors_and_hidden_ones_get_the_neighbourhoods(self) -> None:
        hidden = torch.tensor([[False, True, False, False]])
        region = self.VECTORS.roll(1, dims=1)
        values = torch.where(hidden[..., None], region, self.VECTORS)
        terms = attention.value_losses(values, self.VECTORS, region, hidden)
        assert terms["values"].item() == pytest.approx(0, abs=1e-6)
        assert terms["filled"].item() == pytest.approx(0, abs=1e-6)
        turned = attention.value_losses(-values, self.VECTORS, region, hidden)
        assert [term.item() for term in turned.values()] == pytest.approx([2, 2])

    def test_the_output_is_that_of_the_region_and_the_class_token_has_the_mean(
        self, network: Network
    ) -> None:
        region, mean = self.VECTORS.roll(1, dims=1), F.normalize(self.VECTORS.mean(1), dim=-1)
        x = torch.cat(
            [before_projection(network, mean)[:, None], before_projection(network, region)], 1
        )
        terms = attention.output_losses(network, x, self.VECTORS, region)
        other = attention.output_losses(network, -x, self.VECTORS, region)
        assert terms["output"] < 0.05 < 1.9 < other["output"]
        assert terms["class"] < 0.05 < 1.9 < other["class"]

    @pytest.mark.parametrize("name", ["output", "class", "values", "middle", "keys", "averaging"])
    def test_each_term_falls_as_it_is_learned(self, network: Network, name: str) -> None:
        """A step down the gradient of one term, of the same views with the same patches hidden."""
        torch.manual_seed(0)
        network.requires_grad_(True)
        for block in network.blocks:
            torch.nn.init.normal_(block.attn.out_proj.weight, std=0.02)
        inputs = torch.randn(2, features.TOKENS, features.FEATURES)
        tokens = F.normalize(torch.randn(2, features.TOKENS, 8), dim=-1)
        before = Network(network.mean, network.spread)
        before.load_state_dict(network.state_dict())
        views = network, before, inputs, tokens @ tokens.mT
        term = attention.losses(*views)[name]
        optimiser = torch.optim.SGD(network.blocks.parameters(), lr=0.0)
        term.backward()
        norm = torch.nn.utils.clip_grad_norm_(network.blocks.parameters(), 1.0)
        assert norm > 0
        optimiser.param_groups[0]["lr"] = 1e-2
        optimiser.step()
        with torch.no_grad():
            assert attention.losses(*views)[name] < term

    def test_the_last_blocks_queries_are_white(self, network: Network) -> None:
        torch.manual_seed(0)
        tokens = features.TOKENS
        photos = features.Cache(
            [(number, 0) for number in range(64)],
            np.random.default_rng(0).standard_normal((64, tokens, features.FEATURES), np.float32),
            np.zeros((64, tokens, tokens), np.float16),
        )
        probe = torch.nn.Linear(WIDTH, 2 * WIDTH).state_dict()
        attention.begin(network, probe, photos)
        inputs = torch.from_numpy(photos.features)
        x = network.block_input(network.tokens(network.standardised(inputs)))
        queries = network.heads(BLOCKS - 1, x).q[:, :, 1:].transpose(0, 1).flatten(1, 2)
        variances = torch.linalg.eigvalsh(queries.mT @ queries / queries.shape[1])
        gain = attention.QUERY_GAIN**2
        assert variances.max().item() == pytest.approx(gain, rel=0.05)
        assert variances.mean().item() == pytest.approx(gain, rel=0.3)

    def test_its_gradient_leaves_the_queries_out(self) -> None:
        gradient = attention._without_queries(torch.ones(3 * WIDTH, 2))
        assert not gradient[:WIDTH].any()
        assert gradient[WIDTH:].all()


def before_projection(network: Network, vectors: Tensor) -> Tensor:
    """Inputs of the last norm and the projection that become these vectors, but for the direction
    that the norm takes away."""
    return vectors @ network.proj.T
