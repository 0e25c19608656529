"""The method a second time, naively: float64, one head and one formula at a time.

Nothing here is imported from ``gclip_core``; tests compare the two. A new entry in its ATTENTIONS
or METHODS needs an entry with the same name here.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Tower:
    """An image tower as a set of named tensors; those of block i begin with ``i.``."""

    state: dict[str, Tensor]
    heads: int
    layers: int
    quick_gelu: bool
    native: tuple[int, int]

    def __getitem__(self, name: str) -> Tensor:
        return self.state[name]


def read(model: nn.Module, quick_gelu: bool = False) -> Tower:
    """The image tower of an open_clip CLIP, copied to float64."""
    visual = model.visual
    blocks, named = visual.transformer.resblocks, visual.state_dict().items()
    state = {k.removeprefix("transformer.resblocks."): v.detach().double() for k, v in named}
    return Tower(state, blocks[0].attn.num_heads, len(blocks), quick_gelu, visual.grid_size)


def worst_cosine(ours: Tensor, theirs: Tensor) -> float:
    """The smallest cosine between a row of ours and the same row of the reference."""
    return float(F.cosine_similarity(ours.double(), theirs.double(), dim=1).min())


# --- pieces --------------------------------------------------------------------------------------


def linear(tower: Tower, name: str, x: Tensor) -> Tensor:
    return x @ tower[f"{name}.weight"].T + tower[f"{name}.bias"]


def layer_norm(tower: Tower, name: str, x: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    even = centred / (centred.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()
    return even * tower[f"{name}.weight"] + tower[f"{name}.bias"]


def gelu(x: Tensor, quick: bool) -> Tensor:
    if quick:
        return x / (1 + (-1.702 * x).exp())
    return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))


def softmax(logits: Tensor) -> Tensor:
    e = (logits - logits.amax(-1, keepdim=True)).exp()
    return e / e.sum(-1, keepdim=True)


def bicubic_matrix(n_in: int, n_out: int) -> Tensor:
    """Cubic convolution (a = -0.75), half-pixel centres, edges repeated: (n_out, n_in)."""

    def kernel(t: float) -> float:
        t, a = abs(t), -0.75
        if t <= 1:
            return (a + 2) * t**3 - (a + 3) * t**2 + 1
        return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else 0.0

    out = torch.zeros(n_out, n_in, dtype=torch.float64)
    for i in range(n_out):
        at = (i + 0.5) * n_in / n_out - 0.5
        for j in range(math.floor(at) - 1, math.floor(at) + 3):
            out[i, min(max(j, 0), n_in - 1)] += kernel(at - j)
    return out


def positions(tower: Tower, grid: tuple[int, int]) -> Tensor:
    own = tower["positional_embedding"]
    if grid == tower.native:
        return own
    patches = own[1:].reshape(*tower.native, -1)
    vertical = bicubic_matrix(tower.native[0], grid[0]).to(own)
    horizontal = bicubic_matrix(tower.native[1], grid[1]).to(own)
    resized = torch.einsum("yi,xj,ijd->yxd", vertical, horizontal, patches)
    return torch.cat([own[:1], resized.reshape(grid[0] * grid[1], -1)])


def embed(tower: Tower, pixels: Tensor) -> Tensor:
    """Pixels (3, height, width) to the input of block 0, (1+N, D)."""
    kernel = tower["conv1.weight"]
    patch = kernel.shape[-1]
    h, w = pixels.shape[1] // patch, pixels.shape[2] // patch
    rows = [tower["class_embedding"]]
    for y in range(h):
        for x in range(w):
            square = pixels[:, y * patch : (y + 1) * patch, x * patch : (x + 1) * patch]
            rows.append(torch.einsum("dcij,cij->d", kernel, square.to(kernel)))
    tokens = torch.stack(rows) + positions(tower, (h, w))
    return layer_norm(tower, "ln_pre", tokens) if "ln_pre.weight" in tower.state else tokens


def qkv(tower: Tower, index: int, x: Tensor) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Per head (1+N, d): queries, keys, values of block ``index``."""
    normed = layer_norm(tower, f"{index}.ln_1", x)
    joint = normed @ tower[f"{index}.attn.in_proj_weight"].T + tower[f"{index}.attn.in_proj_bias"]
    D = x.shape[1]
    d = D // tower.heads
    return tuple(
        [joint[:, part * D + i * d : part * D + (i + 1) * d] for i in range(tower.heads)]
        for part in range(3)
    )


def alike(a: Tensor, b: Tensor, bias: Tensor | float = 0.0) -> Tensor:
    return softmax(a @ b.T / math.sqrt(a.shape[1]) + bias)


def gaussian(grid: tuple[int, int]) -> Tensor:
    """The Gaussian of a grid distance is a product of one in height and one in width."""
    vertical, horizontal = (
        torch.tensor([[math.exp(-((i - j) ** 2) / 50) for j in range(n)] for i in range(n)])
        for n in grid
    )
    omega = torch.zeros(1 + grid[0] * grid[1], 1 + grid[0] * grid[1], dtype=torch.float64)
    omega[1:, 1:] = torch.kron(vertical.double(), horizontal.double())
    return omega


def pearl(q: Tensor, k: Tensor, alpha: float = 0.08) -> Tensor:
    """PEARL's attention of one head: keys rotated towards the queries, plus a little key-key."""
    norms = [0.0, *(float(row.norm()) for row in q[1:])]  # the class token does not count
    share = torch.tensor(norms).to(q) / (sum(norms) + 1e-6)
    q_centred, k_centred = (
        x - sum(w * row for w, row in zip(share, x, strict=True)) for x in (q, k)
    )
    M = torch.einsum("ti,tj->ij", k_centred, q_centred)
    rotated = k @ (M @ inverse_root(M.T @ M))
    return softmax((q @ rotated.T + alpha * k_centred @ k_centred.T) / math.sqrt(q.shape[1]))


def inverse_root(S: Tensor, steps: int = 5) -> Tensor:
    """An inverse square root of ``S`` by ``steps`` Newton-Schulz steps."""
    norm = math.sqrt(float((S * S).sum()))
    identity = torch.eye(len(S)).to(S)
    root, inverse = S / norm + 1e-6 * identity, identity
    for _ in range(steps):
        correction = 1.5 * identity - 0.5 * inverse @ root
        root, inverse = root @ correction, correction @ inverse
    return inverse / math.sqrt(norm)


ATTENTIONS: dict[str, Callable[[Tensor, Tensor, Tensor, tuple[int, int]], Tensor]] = {
    "qk": lambda q, k, v, grid: alike(q, k),
    "qq": lambda q, k, v, grid: alike(q, q),
    "kk": lambda q, k, v, grid: alike(k, k),
    "vv": lambda q, k, v, grid: alike(v, v),
    "qq+kk": lambda q, k, v, grid: alike(q, q) + alike(k, k),
    "kk+gaussian": lambda q, k, v, grid: alike(k, k, gaussian(grid).to(k)),
    "aligned qk": lambda q, k, v, grid: pearl(q, k),
    "identity": lambda q, k, v, grid: torch.eye(len(q)).to(q),
}
"""One head's attention matrix in the last block, (1+N, 1+N), by its name."""


@dataclass(frozen=True)
class Row:
    """A row of the METHOD table: the last block's attention (empty for one with a branch in
    ``dense``), and whether it has its residual path and FFN. ``blocks`` of 12, numbered from 1, are
    fused. ``weight`` is that of fused maps (None: a plain average), ``own`` those of its kind."""

    attention: str
    residual: bool = False
    ffn: bool = False
    blocks: tuple[int, ...] = ()
    weight: float | None = None
    own: bool = False


METHODS = {
    "clip": Row("qk", residual=True, ffn=True),
    "maskclip": Row("identity"),
    "sclip": Row("qq+kk", residual=True, ffn=True),
    "naclip": Row("kk+gaussian"),
    "resclip": Row("kk+gaussian", blocks=(6, 7, 8, 9), weight=0.4),
    "clearclip": Row("qq"),
    "proxyclip": Row(""),
    "lposs": Row("identity"),  # its matrix; the features are those that ``propagated`` returns
    "itaclip": Row("qq+kk", residual=True, blocks=(7, 8, 10), weight=0.5, own=True),
    "pearl": Row("aligned qk"),
    "rfclip": Row(""),
    "scclip": Row(""),
    "sfp": Row(""),
    "gclip": Row("qq"),
    "kk": Row("kk"),
    "vv": Row("vv"),
}


def scaled(tower: Tower, index: int, name: str, z: Tensor) -> Tensor:
    gamma = tower.state.get(f"{index}.{name}.gamma")
    return z if gamma is None else gamma * z


def attended(tower: Tower, index: int, matrices: Sequence[Tensor], v: Sequence[Tensor]) -> Tensor:
    joined = torch.cat([A @ value for A, value in zip(matrices, v, strict=True)], dim=1)
    return scaled(tower, index, "ls_1", linear(tower, f"{index}.attn.out_proj", joined))


def ffn(tower: Tower, index: int, y: Tensor, W2: Tensor | None = None) -> Tensor:
    normed = layer_norm(tower, f"{index}.ln_2", y)
    hidden = gelu(linear(tower, f"{index}.mlp.c_fc", normed), tower.quick_gelu)
    W2 = tower[f"{index}.mlp.c_proj.weight"] if W2 is None else W2
    return scaled(tower, index, "ls_2", hidden @ W2.T + tower[f"{index}.mlp.c_proj.bias"])


def inputs(tower: Tower, pixels: Tensor, replaced: dict[int, Tensor] | None = None) -> list[Tensor]:
    """The input of every block, (1+N, D) each; ``replaced`` gives blocks another ``W2``."""
    xs = [embed(tower, pixels)]
    for index in range(tower.layers - 1):
        x = xs[-1]
        q, k, v = qkv(tower, index, x)
        y = x + attended(tower, index, [alike(a, b) for a, b in zip(q, k, strict=True)], v)
        xs.append(y + ffn(tower, index, y, (replaced or {}).get(index)))
    return xs


def qk_maps(tower: Tower, index: int, x: Tensor) -> list[Tensor]:
    return maps(tower, "qk", index, x, (0, 0))


# --- methods -------------------------------------------------------------------------------------


def maps(tower: Tower, kind: str, index: int, x: Tensor, grid: tuple[int, int]) -> list[Tensor]:
    """The matrices of one kind of attention in a block, per head."""
    heads = zip(*qkv(tower, index, x), strict=True)
    return [ATTENTIONS[kind](*qkv_of_head, grid) for qkv_of_head in heads]


def fused_maps(
    tower: Tower,
    name: str,
    xs: Sequence[Tensor],
    grid: tuple[int, int],
    amf_blocks: Sequence[int] = (),
) -> list[Tensor]:
    """The matrices of a method's last block, per head, with those of ``amf_blocks`` or of its own
    blocks fused in; a tower of 24 has two for each of 12."""
    row, last, times = METHODS[name], tower.layers - 1, tower.layers // 12
    amf_blocks = amf_blocks or [times * b - 1 - i for b in row.blocks for i in range(times)]
    n = len(amf_blocks)
    matrices = maps(tower, row.attention, last, xs[last], grid)
    if not amf_blocks:
        return matrices
    kind = row.attention if row.own else "qk"
    middle = [maps(tower, kind, index, xs[index], grid) for index in amf_blocks]
    weight = n / (1 + n) if row.weight is None else row.weight
    means = [sum(each) / n for each in zip(*middle, strict=True)]
    return [(1 - weight) * A + weight * B for A, B in zip(matrices, means, strict=True)]


def dense(
    tower: Tower,
    name: str,
    xs: Sequence[Tensor],
    grid: tuple[int, int],
    amf_blocks: Sequence[int] = (),
    dino: Tensor | None = None,
) -> Tensor:
    """Dense features (N, E), L2-normalised, with the maps of ``amf_blocks`` fused in, or with the
    attention between DINO's features (h', w', C)."""
    if name == "proxyclip":
        return projected(tower, proxied(tower, xs[-1], grid, dino, gamma=20, beta=1.2))
    if name == "rfclip":
        return projected(tower, rfclip(tower, xs[0], grid)[0])
    if name in ("scclip", "sfp"):
        return projected(tower, calibrated_steps(tower, name, xs, grid).z)
    if name == "lposs":
        return propagated(dense(tower, "maskclip", xs, grid), grid, dino, patch(tower))
    row, last = METHODS[name], tower.layers - 1
    matrices = fused_maps(tower, name, xs, grid, amf_blocks)
    z = attended(tower, last, matrices, qkv(tower, last, xs[last])[2])
    if row.residual:
        z = xs[last] + z
    if row.ffn:
        z = z + ffn(tower, last, z)
    return projected(tower, z[1:])


def projected(tower: Tower, z: Tensor) -> Tensor:
    patches = layer_norm(tower, "ln_post", z) @ tower["proj"]
    return patches / patches.norm(dim=1, keepdim=True)


# --- ProxyCLIP ------------------------------------------------------------------------------------


def proxy_attention(dino: Tensor, gamma: float, beta: float) -> Tensor:
    """The attention between DINO's patches, (N', N'), row by row."""
    units = torch.stack([row / row.norm() for row in dino.flatten(0, 1).double()])
    cosines = torch.stack([units @ row for row in units])
    rows = gamma * (cosines - beta * cosines.mean())
    for i, row in enumerate(rows):
        row[row < 0] = -math.inf
        if row.max() == -math.inf:  # ours: a patch similar to no other keeps its own Value
            row[i] = 0
    return softmax(rows)


def bilinear_matrix(n_in: int, n_out: int) -> Tensor:
    """Half-pixel centres, edges repeated: (n_out, n_in)."""
    out = torch.zeros(n_out, n_in, dtype=torch.float64)
    for i in range(n_out):
        at = min(max((i + 0.5) * n_in / n_out - 0.5, 0), n_in - 1)
        low = math.floor(at)
        out[i, low] += 1 - (at - low)
        out[i, min(low + 1, n_in - 1)] += at - low
    return out


def proxied(
    tower: Tower, x: Tensor, grid: tuple[int, int], dino: Tensor, gamma: float, beta: float
) -> Tensor:
    """The last block of ProxyCLIP, (N', D): Values interpolated to DINO's grid, and averaged."""
    last, (h, w) = tower.layers - 1, dino.shape[:2]
    A = proxy_attention(dino, gamma, beta)
    to_dino = torch.kron(bilinear_matrix(grid[0], h), bilinear_matrix(grid[1], w))  # (N', N)
    values = [to_dino @ v[1:] for v in qkv(tower, last, x)[2]]
    return attended(tower, last, [A] * tower.heads, values)


# --- LPOSS ---------------------------------------------------------------------------------------


def patch(tower: Tower) -> int:
    return tower["conv1.weight"].shape[-1]


def propagated(
    features: Tensor, grid: tuple[int, int], dino: Tensor, patch: float, k: int = 400
) -> Tensor:
    """Features (N, E) of a grid after LPOSS on the graph of DINO's patches (h, w, C): one edge at a
    time; the solution by the inverse of ``I - 0.95 D^-1/2 W D^-1/2``."""
    h, w = dino.shape[:2]
    units = torch.stack([row / row.norm() for row in dino.flatten(0, 1).double()])
    side, s = patch * grid[0] / h, torch.zeros(h * w, h * w, dtype=torch.float64)
    for i in range(h * w):
        cosines = [float(units[i] @ unit) for unit in units]
        for j in sorted(range(h * w), key=lambda j: -cosines[j])[:k]:
            distance = side * math.hypot(i // w - j // w, i % w - j % w)
            s[i, j] = max(cosines[j], 0) ** 3 * math.exp(-0.01 * distance)
    W = s + s.T
    W.fill_diagonal_(0)
    degrees = W.sum(1)
    degrees[degrees == 0] = 1
    L = torch.eye(h * w).double() - 0.95 * W / torch.outer(degrees, degrees).sqrt()
    to_dino = torch.kron(bilinear_matrix(grid[0], h), bilinear_matrix(grid[1], w))
    spread = torch.linalg.inv(L) @ to_dino @ features
    return spread / spread.norm(dim=1, keepdim=True)


# --- RF-CLIP --------------------------------------------------------------------------------------


def blurred(x: Tensor, grid: tuple[int, int], channels: Sequence[int]) -> Tensor:
    """Tokens after the sinks' neighbourhoods are mixed into them."""
    out, (h, w) = x.clone(), grid
    for y in range(h):
        for column in range(w):
            token = x[1 + y * w + column]
            shifted = token - token.min()
            shares = [float(shifted[c]) / max(float(shifted.sum()), 1e-8) for c in channels]
            if max(shares, default=0) > 5 / len(token):
                around = [
                    x[1 + (y + dy) * w + column + dx]
                    for dy in (-1, 0, 1)
                    for dx in (-1, 0, 1)
                    if 0 <= y + dy < h and 0 <= column + dx < w
                ]
                out[1 + y * w + column] = 0.6 * token + 0.4 * sum(around) / 9
    return out


def rfclip(
    tower: Tower,
    x: Tensor,
    grid: tuple[int, int],
    channels: Sequence[int] = (),
) -> tuple[Tensor, list[Tensor]]:
    """RF-CLIP from the input of block 0: patches (N, D) before ``ln_post``, and by head the weight
    of each patch in each output."""
    last, keys, outputs = tower.layers - 1, [], []
    for index in range(tower.layers):
        q, k, v = qkv(tower, index, x)
        maps = [alike(a, b) for a, b in zip(q, k, strict=True)]
        y = x + attended(tower, index, maps, v)
        outputs.append(blurred(y + ffn(tower, index, y), grid, channels))
        if index < last:
            keys.append([alike(a, a) for a in k])
            x = outputs[-1]
    mean = sum(outputs) / len(outputs)
    C = cosine_matrix(mean[1:])
    C = C * C.ge(0.4)
    z, weights = 0, 0
    for u in (x, mean):
        spread = torch.cat([u[:1], C @ u[1:]])
        _, k, v = qkv(tower, last, spread)
        own = [alike(a, a) for a in k]
        M = [sum(maps)[1:, 1:] / tower.layers for maps in zip(*keys, own, strict=True)]
        z = z + attended(tower, last, M, [value[1:] for value in v]) / 2
        weights = weights + torch.stack([A @ C for A in M]) / 2
    return z, list(weights)


# --- SC-CLIP and SFP ------------------------------------------------------------------------------


def lof(P: Tensor) -> list[float]:
    """SC-CLIP's outlier score of every row: its squared reach over its neighbours'."""
    reach, nearest = [], []
    for i in range(len(P)):
        apart = sorted((float((P[i] - P[j]).pow(2).sum()), j) for j in range(len(P)) if j != i)[:30]
        reach.append(apart[-1][0])
        nearest.append([j for _, j in apart])
    return [
        r * sum(1 / reach[j] for j in near) / 30 for r, near in zip(reach, nearest, strict=True)
    ]


def lof_outliers(P: Tensor) -> list[int]:
    """The patches above the 0.95 quantile of the scores, interpolated linearly."""
    scores = lof(P)
    at = 0.95 * (len(scores) - 1)
    low, high = sorted(scores)[math.floor(at)], sorted(scores)[math.ceil(at)]
    bound = low + (at - math.floor(at)) * (high - low)
    return [i for i, score in enumerate(scores) if score > bound]


def som_outliers(maps: Sequence[Tensor]) -> list[int]:
    """SFP's ten patches to which the class token attends most, among those where 1.5 times that
    exceeds their attention to themselves, in the mean of a block's Query-Key maps."""
    mean = sum(maps) / len(maps)
    looked_at, own = 1.5 * mean[0, 1:], mean.diagonal()[1:]
    candidates = [j for j in range(len(own)) if looked_at[j] > own[j]]
    return sorted(candidates, key=lambda j: -float(looked_at[j]))[:10]


def mended(
    P: Tensor, outliers: Sequence[int], grid: tuple[int, int], name: str = "scclip"
) -> Tensor:
    """Every outlier becomes the mean of its ordinary neighbours in the picture."""
    out = P.clone()
    for i in outliers:
        row, column = divmod(i, grid[1])
        around = [
            y * grid[1] + x
            for y in range(max(0, row - 1), min(grid[0], row + 2))
            for x in range(max(0, column - 1), min(grid[1], column + 2))
        ]
        good = [P[j] for j in around if j not in outliers]
        if good:
            out[i] = torch.stack(good).mean(0)
        elif name == "sfp":
            out[i] = 0
    return out


def cosine_matrix(P: Tensor) -> Tensor:
    """The cosines of all rows; 0 for a row of zeros, such as an outlier that SFP cannot repair."""
    norms = P.norm(dim=1).clamp_min(1e-12)
    return torch.stack([(P @ row) / (norms * norm) for row, norm in zip(P, norms, strict=True)])


def averaging(S: Tensor) -> Tensor:
    """The averaging matrix: entries below 0.4 are dropped, each row sums to 1."""
    kept = S * S.ge(0.4)
    return torch.stack([row / (row.sum() + 1e-6) for row in kept])


def gate(S: Tensor) -> Tensor:
    """Softmax over three times the entries above the mean of all."""
    rows = 3 * (S - S.mean())
    rows[rows < 0] = -math.inf
    for i, row in enumerate(rows):
        if row.max() == -math.inf:  # ours: a patch similar to none, as one of zeros, keeps its own
            row[i] = 0
    return softmax(rows)


@dataclass(frozen=True, eq=False)
class Steps:
    """One picture's way through SC-CLIP or SFP, (N, N) matrices and (N, D) patches."""

    outliers: list[int]
    before: Tensor
    gate: Tensor
    after: Tensor
    entering: tuple[Tensor, Tensor]  # the last block, in the first and in the second pass
    first: list[Tensor]  # the attention of every head in the first pass
    second: list[Tensor]
    z: Tensor


def calibrated_steps(
    tower: Tower,
    name: str,
    xs: Sequence[Tensor],
    grid: tuple[int, int],
    class_weight: float = 0.3,
) -> Steps:
    """A tower of 12 blocks, or a multiple: ``xs[b]`` is the output of block b, numbered from 1."""
    scclip, last, times = name == "scclip", tower.layers - 1, tower.layers // 12
    late, maps = xs[last], qk_maps(tower, last - 1, xs[last - 1])
    outliers = lof_outliers(late[1:]) if scclip else som_outliers(maps)
    S9 = cosine_matrix(mended(xs[9 * times][1:], outliers, grid, name))
    before, after = averaging(S9), averaging(cosine_matrix(xs[4 * times][1:]))
    shared = gate(S9 if scclip else S9 * S9.ge(0.4))

    total = sum(xs[3 * times + 1 : 10 * times + 1])  # X_4 + ... + X_10 of 12
    entering = before @ mended(late[1:], outliers, grid, name), total[1:]
    q, k, v = qkv(tower, last, entering[0])
    q2, k2, v2 = qkv(tower, last, entering[1])
    if scclip:
        first = [(shared + alike(a, a)) / 2 for a in k]
        second = [(shared + alike(a, a)) / 2 for a in k2]
    else:
        first = [(alike(a, a) + alike(b, b) + shared) / 3 for a, b in zip(k, q, strict=True)]
        second = [shared] * tower.heads
    y = after @ (attended(tower, last, first, v) + class_weight * late[0])
    y = y + after @ (attended(tower, last, second, v2) + class_weight * total[0])
    return Steps(outliers, before, shared, after, entering, first, second, y)


# --- global tokens and outlier channels ---------------------------------------------------------


def received(tower: Tower, index: int, x: Tensor) -> Tensor:
    """``m_j``: the attention that every patch of block ``index`` receives; 1 is uniform."""
    maps = qk_maps(tower, index, x)
    mean = (sum(maps) / len(maps))[1:, 1:]
    return sum(row / row.sum() for row in mean)


def suppressed(W2: Tensor, channels: Sequence[int]) -> Tensor:
    """``W2`` with the rows in ``channels`` scaled to the mean norm of the others."""
    norms = [float(row.double().pow(2).sum().sqrt()) for row in W2]
    others = [norm for d, norm in enumerate(norms) if d not in channels]
    out = W2.clone()
    for d in channels:
        out[d] = W2[d] * (statistics.mean(others) / norms[d])
    return out
