"""A linear way past the layers, from the input to the code and from there to the reconstruction."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from stackae.networks.dense import product


class Shortcut(nn.Module):
    """A linear autoencoder beside a stack; with it the stack learns what a linear map leaves over.

    The code is P·(z - m) plus the last encoder's; Q·code + b is added to what the first decoder gives, before
    its activation. Such a shortcut (He et al. 2016) starts as PCA (:meth:`initialise`), so that the stack
    need not learn first what has a closed form. The first ``n_kept`` numbers of the code are the shortcut's
    alone, and stay the leading principal components: whatever a linear map of these says of the rows, the
    code goes on saying.

    Parameters
    ----------
    n_inputs, n_units : int
        Of the stack: columns, and numbers in the code.
    n_kept : int
        From 0 to ``n_units``.

    References
    ----------
    He, Zhang, Ren & Sun (2016), Deep residual learning for image recognition, CVPR.
    """

    mean: Tensor
    kept: Tensor
    #: Where the code is ordered, and the first decoder was solved: what it is for shorter codes.
    prefixes: PrefixDecoders | None

    def __init__(self, n_inputs: int, n_units: int, n_kept: int) -> None:
        super().__init__()
        self.n_kept = n_kept
        self.prefixes = None
        self.register_buffer("mean", torch.zeros(n_inputs, dtype=torch.float32))
        self.register_buffer("kept", torch.zeros(n_kept, n_inputs, dtype=torch.float32))
        self.encoder_weight = nn.Parameter(torch.zeros(n_units - n_kept, n_inputs, dtype=torch.float32))
        self.decoder_weight = nn.Parameter(torch.zeros(n_inputs, n_units, dtype=torch.float32))
        self.decoder_bias = nn.Parameter(torch.zeros(n_inputs, dtype=torch.float32))

    @torch.no_grad()
    def initialise(self, mean: Tensor, axes: Tensor) -> None:
        """Become PCA.

        Parameters
        ----------
        mean : Tensor of shape (features,)
        axes : Tensor of shape (units, features)
            Principal axes, leading first.
        """
        self.mean.copy_(mean)
        self.kept.copy_(axes[: self.n_kept])
        self.encoder_weight.copy_(axes[self.n_kept :])
        self.decoder_weight.copy_(axes.t())
        self.decoder_bias.copy_(mean)

    def code(self, z: Tensor, own: Tensor) -> Tensor:
        """The joint code of scaled samples (samples × features) and what the last encoder made of them.

        A code that drops numbers in training drops them of this one.
        """
        centred = z - self.mean.to(z.dtype)
        trained = linear(centred, self.encoder_weight) + own[:, self.n_kept :]
        return torch.cat([linear(centred, self.kept), trained], 1) if self.n_kept else trained

    def offset(self, code: Tensor) -> Tensor:
        """What is added to the first decoder's preactivation."""
        return linear(code, self.decoder_weight, self.decoder_bias)


class PrefixDecoders(nn.Module):
    """The last linear map to the reconstruction for prefixes of an ordered code, of 1, 2, 4, 8, ... numbers.

    One decoder for the whole code and all of its prefixes is good for none of them. Each of these takes the
    hidden units and the code, the numbers behind the prefix being zero. Between two lengths lies what is
    between their maps.

    Parameters
    ----------
    n_inputs, n_hidden, n_units : int
        Columns, units of the first layer, numbers in the code.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, n_inputs: int, n_hidden: int, n_units: int) -> None:
        super().__init__()
        self.n_hidden = n_hidden
        #: The powers of two below ``n_units``.
        self.lengths = [2**k for k in range((n_units - 1).bit_length())]
        shape = (len(self.lengths), n_inputs, n_hidden + n_units)
        self.register_buffer("weight", torch.zeros(shape, dtype=torch.float32))
        self.register_buffer("bias", torch.zeros(shape[:2], dtype=torch.float32))

    def of_length(self, length: int, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """The map for a prefix of any length, where ``weight`` and ``bias`` are that for the whole code."""
        n_hidden = self.n_hidden
        maps = [*zip(self.lengths, self.weight, self.bias, strict=True)]
        maps.append((weight.shape[1] - n_hidden, weight, bias))
        above = next(k for k, (own, _, _) in enumerate(maps) if own >= length)
        longer, weight, bias = maps[above]
        if longer > length:
            shorter, short_weight, short_bias = maps[above - 1]
            share = (longer - length) / (longer - shorter)
            weight, bias = torch.lerp(weight, short_weight, share), torch.lerp(bias, short_bias, share)
        return weight[:, : n_hidden + length], bias


class AnalyticShortcut:
    """A shortcut and its derivatives worked by hand, on its own weights but outside autograd.

    Parameters
    ----------
    module : Shortcut
    into : mapping
        From each parameter to the tensor that its gradient is written to; the way back to the columns may be
        left out.
    """

    def __init__(self, module: Shortcut, into: Mapping[Tensor, Tensor]) -> None:
        self._n_kept, self._mean, self._kept = module.n_kept, module.mean, module.kept
        weights = (module.encoder_weight, module.decoder_weight, module.decoder_bias)
        self._p, self._q, self._b = (weight.detach() for weight in weights)
        self._grad_p = into[module.encoder_weight]
        if module.decoder_weight in into:
            self._grad_q, self._grad_b = into[module.decoder_weight], into[module.decoder_bias]

    def code(self, z: Tensor, own: Tensor) -> Tensor:
        """As the module does."""
        self._centred = z - self._mean
        trained = torch.addmm(own[:, self._n_kept :], self._centred, self._p.t())
        return torch.cat([linear(self._centred, self._kept), trained], 1) if self._n_kept else trained

    def add_offset(self, code: Tensor, own: Tensor) -> Tensor:
        """What the first decoder gave, and the module's offset added."""
        return torch.addmm(own + self._b, code, self._q.t())

    def offset_backward(self, delta: Tensor, code: Tensor) -> Tensor:
        """Back through :meth:`add_offset`: the gradient with respect to the code, from that of the sum."""
        product(delta.t(), code, self._grad_q)
        torch.sum(delta, 0, out=self._grad_b)
        return torch.mm(delta, self._q)

    def code_backward(self, delta: Tensor) -> Tensor:
        """Back through :meth:`code`: the gradient with respect to ``own``, from that of the joint code."""
        product(delta[:, self._n_kept :].t(), self._centred, self._grad_p)
        if not self._n_kept:
            return delta
        delta = delta.clone()
        delta[:, : self._n_kept] = 0
        return delta
