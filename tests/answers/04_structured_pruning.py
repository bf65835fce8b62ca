# %% wrong="filter_importance" says="wrong axis"
def filter_importance(conv, method, bn=None):
    w = conv.weight.detach()
    if method == "l1":
        return w.abs().sum(dim=(0, 2, 3))
    if method == "l2":
        return w.square().sum(dim=(0, 2, 3)).sqrt()
    if method == "bn" and bn is not None and bn.affine:
        return bn.weight.detach().abs()
    raise ValueError(method)


# %% wrong="filter_importance" says="absolute value of gamma is missing"
def filter_importance(conv, method, bn=None):
    w = conv.weight.detach().flatten(1)
    if method == "l1":
        return w.abs().sum(1)
    if method == "l2":
        return w.square().sum(1)
    if method == "bn" and bn is not None and bn.weight is not None:
        return bn.weight.detach()
    raise ValueError(method)


# %% wrong="filter_importance" unnamed=True says="signs"
def filter_importance(conv, method, bn=None):
    w = conv.weight.detach().flatten(1)
    if method == "l1":
        return w.sum(1)
    if method == "l2":
        return w.norm(dim=1)
    if method == "bn" and bn is not None and bn.weight is not None:
        return bn.weight.detach().abs()
    raise ValueError(method)


# %% wrong="filter_importance" unnamed=True says="order of the other norm"
def filter_importance(conv, method, bn=None):
    if method == "bn":
        if bn is None or bn.weight is None:
            raise ValueError("no gamma")
        return bn.weight.abs()
    if method not in ("l1", "l2"):
        raise ValueError(method)
    return conv.weight.detach().flatten(1).norm(p=2, dim=1)


# %% wrong="filter_importance" unnamed=True says="This is beta"
def filter_importance(conv, method, bn=None):
    w = conv.weight.detach().flatten(1)
    if method in ("l1", "l2"):
        return w.norm(p=int(method[1]), dim=1)
    if method == "bn" and bn is not None and bn.weight is not None:
        return bn.bias.detach().abs()
    raise ValueError(method)


# %% wrong="filter_importance" unnamed=True says="expected ValueError"
def filter_importance(conv, method, bn=None):
    w = conv.weight.detach().flatten(1)
    if method == "bn" and bn is not None:
        return bn.weight.abs() if bn.weight is not None else torch.ones(len(w))
    return w.norm(p=1 if method == "l1" else 2, dim=1)


# %% wrong="filter_importance" unnamed=True says="from scratch"
def filter_importance(conv, method, bn=None):
    import torch_pruning as tp

    if method == "bn":
        if bn is None or bn.weight is None:
            raise ValueError("no gamma")
        return bn.weight.abs()
    group = tp.DependencyGraph().build_dependency(conv, torch.zeros(1, conv.in_channels, 8, 8))
    return tp.importance.MagnitudeImportance(p=int(method[1]))(group)


# %% right="filter_importance"
def filter_importance(conv, method, bn=None):
    if method == "l1":
        return torch.stack([f.abs().mean() for f in conv.weight])
    if method == "l2":
        return torch.stack([(f**2).sum() for f in conv.weight])
    if method == "bn":
        if bn is None or not bn.affine:
            raise ValueError("bn needs gamma")
        return torch.abs(bn.weight)
    raise ValueError(f"unknown method {method}")


# %% right="filter_importance"
def filter_importance(conv, method, bn=None):
    methods = {"l1": 1, "l2": 2}
    if method in methods:
        return torch.linalg.vector_norm(conv.weight.data, ord=methods[method], dim=(1, 2, 3))
    gamma = getattr(bn, "weight", None)
    if method != "bn" or gamma is None:
        raise ValueError(method)
    return torch.where(gamma < 0, -gamma, gamma)


# %% right="filter_importance"
def filter_importance(conv, method, bn=None):
    w = conv.weight.detach().numpy().reshape(conv.out_channels, -1)
    match method:
        case "l1":
            return torch.from_numpy(np.abs(w).sum(axis=1))
        case "l2":
            return torch.from_numpy(np.linalg.norm(w, axis=1))
        case "bn" if bn is not None and bn.weight is not None:
            return bn.weight.data.clone().abs_()
    raise ValueError("no such importance")


# %% right="filter_importance"
def filter_importance(conv, method, bn=None):
    if method == "bn":
        try:
            return bn.weight.detach().abs()
        except AttributeError:
            raise ValueError("bn without gamma") from None
    try:
        p = {"l1": 1.0, "l2": 2.0}[method]
    except KeyError:
        raise ValueError(method) from None
    return conv.weight.reshape(conv.weight.shape[0], -1).abs().pow(p).sum(1)


# %% wrong="taylor_importance" says="too early"
def taylor_importance(activation, grad):
    products = (activation * grad).abs()
    return products.reshape(*products.shape[:2], -1).sum(2).mean(0)


# %% wrong="taylor_importance" says="mixed up"
def taylor_importance(activation, grad):
    products = activation * grad
    return products.reshape(*products.shape[:2], -1).sum(2).abs().mean(1)


# %% wrong="taylor_importance" says="mixed up"
def taylor_importance(activation, grad):
    products = (activation * grad).transpose(0, 1)
    return products.reshape(*products.shape[:2], -1).sum(-1).abs().mean(0)


# %% wrong="taylor_importance" unnamed=True says="too late"
def taylor_importance(activation, grad):
    products = activation * grad
    return products.reshape(*products.shape[:2], -1).sum(2).mean(0).abs()


# %% wrong="taylor_importance" unnamed=True says="mean over space"
def taylor_importance(activation, grad):
    products = activation * grad
    return products.reshape(*products.shape[:2], -1).mean(2).abs().mean(0)


# %% wrong="taylor_importance" unnamed=True says="no axes of space"
def taylor_importance(activation, grad):
    return (activation * grad).flatten(2).sum(2).abs().mean(0)


# %% wrong="taylor_importance" unnamed=True says="Divide by the batch"
def taylor_importance(activation, grad):
    products = activation * grad
    return products.reshape(*products.shape[:2], -1).sum(2).abs().sum(0)


# %% wrong="taylor_importance" unnamed=True says="from scratch"
def taylor_importance(activation, grad):
    from torch_pruning import importance

    return importance.TaylorImportance().reduce(activation, grad)


# %% right="taylor_importance"
def taylor_importance(activation, grad):
    space = tuple(range(2, activation.dim()))
    products = activation * grad
    return (products.sum(dim=space) if space else products).abs().mean(dim=0)


# %% right="taylor_importance"
def taylor_importance(activation, grad):
    n, c = activation.shape[:2]
    scores = torch.zeros(c)
    for i in range(n):
        for j in range(c):
            scores[j] += (activation[i, j] * grad[i, j]).sum().abs() / n
    return scores


# %% right="taylor_importance"
def taylor_importance(activation, grad):
    n, c = activation.shape[:2]
    a, g = activation.reshape(n, c, -1), grad.reshape(n, c, -1)
    return torch.einsum("ncs,ncs->nc", a, g).abs().sum(0) / n


# %% right="taylor_importance"
def taylor_importance(activation, grad):
    p = activation.numpy().astype(np.float64) * grad.numpy()
    p = p.reshape(p.shape[0], p.shape[1], -1).sum(axis=2)
    return torch.tensor(np.abs(p).mean(axis=0), dtype=torch.float32)


# %% wrong="shrink_conv" says="groups were lost"
def shrink_conv(conv, keep_out=None, keep_in=None):
    w, b = conv.weight.detach(), conv.bias
    if keep_out is not None:
        w = w[keep_out]
        b = None if b is None else b[keep_out]
    if keep_in is not None:
        w = w[:, keep_in]
    new = nn.Conv2d(
        w.shape[1],
        w.shape[0],
        conv.kernel_size,
        conv.stride,
        conv.padding,
        conv.dilation,
        bias=b is not None,
        padding_mode=conv.padding_mode,
    )
    new.weight.data = w.clone()
    if b is not None:
        new.bias.data = b.detach().clone()
    return new


# %% wrong="shrink_conv" says="bias was lost"
def shrink_conv(conv, keep_out=None, keep_in=None):
    w, groups = conv.weight.detach().clone(), conv.groups
    if groups > 1:
        keep_out, keep_in = (keep_out if keep_out is not None else keep_in), None
    w = w if keep_out is None else w[keep_out]
    w = w if keep_in is None else w[:, keep_in]
    groups = len(w) if groups > 1 else 1
    new = nn.Conv2d(
        w.shape[1] * groups,
        len(w),
        conv.kernel_size,
        conv.stride,
        conv.padding,
        conv.dilation,
        groups,
        False,
        conv.padding_mode,
    )
    new.weight.data = w
    return new


# %% wrong="shrink_conv" says="wrong axis"
def shrink_conv(conv, keep_out=None, keep_in=None):
    w, b, groups = conv.weight.detach().clone(), conv.bias, conv.groups
    if groups > 1:
        keep_out, keep_in = None, (keep_out if keep_out is not None else keep_in)
    if keep_in is not None:
        w = w[keep_in]
        b = None if b is None else b[keep_in]
    if keep_out is not None:
        w = w[:, keep_out]
    groups = len(w) if groups > 1 else 1
    new = nn.Conv2d(
        w.shape[1] * groups,
        len(w),
        conv.kernel_size,
        conv.stride,
        conv.padding,
        conv.dilation,
        groups,
        b is not None,
        conv.padding_mode,
    )
    new.weight.data = w
    if b is not None:
        new.bias.data = b.detach().clone()
    return new


# %% wrong="shrink_conv" says="shares memory"
def shrink_conv(conv, keep_out=None, keep_in=None):
    w, b, groups = conv.weight, conv.bias, conv.groups
    if groups > 1:
        keep_out, keep_in = (keep_out if keep_out is not None else keep_in), None
    if keep_out is not None:
        w = w[keep_out]
        b = None if b is None else b[keep_out]
    if keep_in is not None:
        w = w[:, keep_in]
    groups = len(w) if groups > 1 else 1
    new = nn.Conv2d(
        w.shape[1] * groups,
        len(w),
        conv.kernel_size,
        conv.stride,
        conv.padding,
        conv.dilation,
        groups,
        b is not None,
        conv.padding_mode,
    )
    new.weight = nn.Parameter(w.detach())
    new.bias = None if b is None else nn.Parameter(b.detach())
    return new


# %% wrong="shrink_conv" says="setting was lost"
def shrink_conv(conv, keep_out=None, keep_in=None):
    w, b, groups = conv.weight.detach().clone(), conv.bias, conv.groups
    if groups > 1:
        keep_out, keep_in = (keep_out if keep_out is not None else keep_in), None
    if keep_out is not None:
        w, b = w[keep_out], None if b is None else b[keep_out]
    if keep_in is not None:
        w = w[:, keep_in]
    groups = len(w) if groups > 1 else 1
    new = nn.Conv2d(
        w.shape[1] * groups, len(w), conv.kernel_size, conv.stride, conv.padding, groups=groups, bias=b is not None
    )
    new.weight.data = w
    if b is not None:
        new.bias.data = b.detach().clone()
    return new


# %% wrong="shrink_conv" unnamed=True says="another order"
def shrink_conv(conv, keep_out=None, keep_in=None):
    w, b, groups = conv.weight.detach().clone(), conv.bias, conv.groups
    if groups > 1:
        keep_out, keep_in = (keep_out if keep_out is not None else keep_in), None
    outs = torch.arange(conv.out_channels) if keep_out is None else keep_out.sort().values
    ins = torch.arange(w.shape[1]) if keep_in is None else keep_in.sort().values
    w, b = w[outs][:, ins], None if b is None else b[outs]
    groups = len(w) if groups > 1 else 1
    new = nn.Conv2d(
        w.shape[1] * groups,
        len(w),
        conv.kernel_size,
        conv.stride,
        conv.padding,
        conv.dilation,
        groups,
        b is not None,
        conv.padding_mode,
    )
    new.weight.data = w
    if b is not None:
        new.bias.data = b.detach().clone()
    return new


# %% wrong="shrink_conv" unnamed=True says="Nothing was removed"
def shrink_conv(conv, keep_out=None, keep_in=None):
    with torch.no_grad():
        for c in range(conv.out_channels):
            if keep_out is not None and c not in keep_out:
                conv.weight[c] = 0
    return conv


# %% wrong="shrink_conv" unnamed=True says="from scratch"
def shrink_conv(conv, keep_out=None, keep_in=None):
    import copy

    import torch_pruning as tp

    new = copy.deepcopy(conv)
    if keep_out is not None:
        tp.prune_conv_out_channels(new, [c for c in range(conv.out_channels) if c not in keep_out])
    if keep_in is not None:
        tp.prune_conv_in_channels(new, [c for c in range(conv.in_channels) if c not in keep_in])
    return new


# %% right="shrink_conv"
def shrink_conv(conv, keep_out=None, keep_in=None):
    import copy

    new = copy.deepcopy(conv)
    depthwise = conv.groups > 1
    if depthwise and keep_out is None:
        keep_out = keep_in
    if keep_out is not None:
        new.weight = nn.Parameter(new.weight.data[keep_out])
        new.out_channels = len(keep_out)
        if new.bias is not None:
            new.bias = nn.Parameter(new.bias.data[keep_out])
    if depthwise:
        new.groups = new.in_channels = new.out_channels
    elif keep_in is not None:
        new.weight = nn.Parameter(new.weight.data[:, keep_in])
        new.in_channels = len(keep_in)
    return new


# %% right="shrink_conv"
def shrink_conv(conv, keep_out=None, keep_in=None):
    if conv.groups == conv.in_channels == conv.out_channels and conv.groups > 1:
        keep_out = keep_in = keep_out if keep_out is not None else keep_in
        groups = conv.groups if keep_out is None else len(keep_out)
        inner = torch.zeros(1, dtype=torch.long)
    else:
        groups = 1
        inner = torch.arange(conv.in_channels) if keep_in is None else keep_in
    outer = torch.arange(conv.out_channels) if keep_out is None else keep_out
    new = nn.Conv2d(
        len(inner) * groups,
        len(outer),
        conv.kernel_size,
        stride=conv.stride,
        padding=conv.padding,
        dilation=conv.dilation,
        groups=groups,
        bias=conv.bias is not None,
        padding_mode=conv.padding_mode,
    )
    with torch.no_grad():
        for i, o in enumerate(outer.tolist()):
            for j, c in enumerate(inner.tolist()):
                new.weight[i, j] = conv.weight[o, c]
            if conv.bias is not None:
                new.bias[i] = conv.bias[o]
    return new


# %% right="shrink_conv"
def shrink_conv(conv, keep_out=None, keep_in=None):
    state = {name: t.clone() for name, t in conv.state_dict().items()}
    groups = conv.groups
    if groups > 1:
        keep_out = keep_in if keep_out is None else keep_out
        keep_in = None
    if keep_out is not None:
        state = {name: t.index_select(0, keep_out) for name, t in state.items()}
    if keep_in is not None:
        state["weight"] = state["weight"].index_select(1, keep_in)
    out, inner = state["weight"].shape[:2]
    groups = out if groups > 1 else 1
    options = {name: getattr(conv, name) for name in ("kernel_size", "stride", "padding", "dilation", "padding_mode")}
    new = nn.Conv2d(inner * groups, out, groups=groups, bias="bias" in state, **options)
    new.load_state_dict(state)
    return new


# %% wrong="shrink_batchnorm" says="buffers were forgotten"
def shrink_batchnorm(bn, keep):
    new = nn.BatchNorm2d(len(keep), bn.eps, bn.momentum, bn.affine, bn.track_running_stats)
    if bn.affine:
        new.weight.data = bn.weight.data[keep]
        new.bias.data = bn.bias.data[keep]
    return new


# %% wrong="shrink_batchnorm" says="counter" also="buffers were forgotten"
def shrink_batchnorm(bn, keep):
    new = nn.BatchNorm2d(len(keep), bn.eps, bn.momentum, bn.affine, bn.track_running_stats)
    for name in ("weight", "bias", "running_mean", "running_var"):
        if getattr(bn, name) is not None:
            getattr(new, name).data = getattr(bn, name).data[keep].clone()
    return new


# %% wrong="shrink_batchnorm" unnamed=True says="setting was lost"
def shrink_batchnorm(bn, keep):
    new = nn.BatchNorm2d(len(keep), affine=bn.affine, track_running_stats=bn.track_running_stats)
    new.load_state_dict({n: t[keep] if t.dim() else t for n, t in bn.state_dict().items()})
    return new


# %% wrong="shrink_batchnorm" unnamed=True says="Gamma or beta"
def shrink_batchnorm(bn, keep):
    new = nn.BatchNorm2d(len(keep), bn.eps, bn.momentum, bn.affine, bn.track_running_stats)
    for name, t in bn.named_buffers():
        setattr(new, name, t[keep] if t.dim() else t.clone())
    return new


# %% wrong="shrink_batchnorm" unnamed=True says="expected"
def shrink_batchnorm(bn, keep):
    bn.num_features = len(keep)
    if bn.affine:
        bn.weight.data, bn.bias.data = bn.weight.data[keep], bn.bias.data[keep]
    if bn.track_running_stats:
        bn.running_mean, bn.running_var = bn.running_mean[keep], bn.running_var[keep]
    return bn


# %% wrong="shrink_batchnorm" unnamed=True says="from scratch"
def shrink_batchnorm(bn, keep):
    import copy

    import torch_pruning as tp

    return tp.prune_batchnorm_out_channels(copy.deepcopy(bn), [c for c in range(bn.num_features) if c not in keep])


# %% right="shrink_batchnorm"
def shrink_batchnorm(bn, keep):
    import copy

    new = copy.deepcopy(bn)
    new.num_features = len(keep)
    for name in ("weight", "bias"):
        if getattr(new, name) is not None:
            setattr(new, name, nn.Parameter(getattr(new, name).detach()[keep]))
    for name in ("running_mean", "running_var"):
        if getattr(new, name) is not None:
            setattr(new, name, getattr(new, name)[keep])
    return new


# %% right="shrink_batchnorm"
def shrink_batchnorm(bn, keep):
    new = nn.BatchNorm2d(
        keep.numel(), eps=bn.eps, momentum=bn.momentum, affine=bn.affine, track_running_stats=bn.track_running_stats
    )
    with torch.no_grad():
        if bn.affine:
            new.weight.copy_(bn.weight[keep])
            new.bias.copy_(bn.bias[keep])
        if bn.track_running_stats:
            new.running_mean.copy_(bn.running_mean[keep])
            new.running_var.copy_(bn.running_var[keep])
            new.num_batches_tracked.copy_(bn.num_batches_tracked)
    return new


# %% right="shrink_batchnorm"
def shrink_batchnorm(bn, keep):
    new = type(bn)(len(keep), bn.eps, bn.momentum, bn.affine, bn.track_running_stats)
    for mine, theirs in zip(new.state_dict().values(), bn.state_dict().values()):
        if mine.dim() == 0:
            mine.fill_(theirs.item())
        else:
            for i, c in enumerate(keep.tolist()):
                mine[i] = theirs[c]
    return new


# %% wrong="shrink_linear" says="spatial` was ignored"
def shrink_linear(linear, keep_in=None, keep_out=None, spatial=1):
    if linear.in_features % spatial:
        raise ValueError("no whole channels")
    w, b = linear.weight.detach().clone(), None if linear.bias is None else linear.bias.detach().clone()
    w = w if keep_in is None else w[:, keep_in]
    if keep_out is not None:
        w, b = w[keep_out], None if b is None else b[keep_out]
    new = nn.Linear(w.shape[1], w.shape[0], b is not None)
    new.weight.data = w
    if b is not None:
        new.bias.data = b
    return new


# %% wrong="shrink_linear" says="interleaved order"
def shrink_linear(linear, keep_in=None, keep_out=None, spatial=1):
    if linear.in_features % spatial:
        raise ValueError("no whole channels")
    w, b = linear.weight.detach().clone(), None if linear.bias is None else linear.bias.detach().clone()
    if keep_in is not None:
        w = w.view(len(w), spatial, -1)[:, :, keep_in].flatten(1)
    if keep_out is not None:
        w, b = w[keep_out], None if b is None else b[keep_out]
    new = nn.Linear(w.shape[1], w.shape[0], b is not None)
    new.weight.data = w
    if b is not None:
        new.bias.data = b
    return new


# %% wrong="shrink_linear" unnamed=True says="bias was lost"
def shrink_linear(linear, keep_in=None, keep_out=None, spatial=1):
    if linear.in_features % spatial:
        raise ValueError("no whole channels")
    w = linear.weight.detach().clone()
    if keep_in is not None:
        w = w.view(len(w), -1, spatial)[:, keep_in].flatten(1)
    w = w if keep_out is None else w[keep_out]
    new = nn.Linear(w.shape[1], w.shape[0], bias=False)
    new.weight.data = w
    return new


# %% wrong="shrink_linear" unnamed=True says="shares memory"
def shrink_linear(linear, keep_in=None, keep_out=None, spatial=1):
    if linear.in_features % spatial:
        raise ValueError("no whole channels")
    w, b = linear.weight.detach(), linear.bias
    if keep_in is not None:
        w = w.view(len(w), -1, spatial)[:, keep_in].flatten(1)
    if keep_out is not None:
        w, b = w[keep_out], None if b is None else b[keep_out]
    new = nn.Linear(w.shape[1], w.shape[0], b is not None)
    new.weight.data = w
    if b is not None:
        new.bias.data = b.detach()
    return new


# %% wrong="shrink_linear" unnamed=True says="expected ValueError"
def shrink_linear(linear, keep_in=None, keep_out=None, spatial=1):
    w, b = linear.weight.detach().clone(), None if linear.bias is None else linear.bias.detach().clone()
    if keep_in is not None:
        columns = torch.cat([torch.arange(c * spatial, (c + 1) * spatial) for c in keep_in.tolist()])
        w = w[:, columns]
    if keep_out is not None:
        w, b = w[keep_out], None if b is None else b[keep_out]
    new = nn.Linear(w.shape[1], w.shape[0], b is not None)
    new.weight.data = w
    if b is not None:
        new.bias.data = b
    return new


# %% wrong="shrink_linear" unnamed=True says="from scratch"
def shrink_linear(linear, keep_in=None, keep_out=None, spatial=1):
    import importlib

    tp = importlib.import_module("torch_pruning")
    return tp.prune_linear_in_channels(linear, keep_in)


# %% right="shrink_linear"
def shrink_linear(linear, keep_in=None, keep_out=None, spatial=1):
    channels, rest = divmod(linear.in_features, spatial)
    if rest:
        raise ValueError(f"{linear.in_features} % {spatial} = {rest}")
    ins = list(range(channels)) if keep_in is None else keep_in.tolist()
    outs = list(range(linear.out_features)) if keep_out is None else keep_out.tolist()
    columns = [c * spatial + s for c in ins for s in range(spatial)]
    new = nn.Linear(len(columns), len(outs), bias=linear.bias is not None)
    with torch.no_grad():
        new.weight.copy_(linear.weight[outs][:, columns])
        if linear.bias is not None:
            new.bias.copy_(linear.bias[outs])
    return new


# %% right="shrink_linear"
def shrink_linear(linear, keep_in=None, keep_out=None, spatial=1):
    import copy

    if linear.in_features % spatial != 0:
        raise ValueError("in_features")
    new = copy.deepcopy(linear)
    if keep_in is not None:
        columns = (keep_in[:, None] * spatial + torch.arange(spatial)).flatten()
        new.weight = nn.Parameter(new.weight.data[:, columns])
    if keep_out is not None:
        new.weight = nn.Parameter(new.weight.data[keep_out])
        if new.bias is not None:
            new.bias = nn.Parameter(new.bias.data[keep_out])
    new.out_features, new.in_features = new.weight.shape
    return new


# %% right="shrink_linear"
def shrink_linear(linear, keep_in=None, keep_out=None, spatial=1):
    if linear.in_features % spatial:
        raise ValueError("spatial")
    mask_in = torch.arange(linear.in_features).reshape(-1, spatial)
    columns = mask_in.reshape(-1) if keep_in is None else mask_in[keep_in].reshape(-1)
    rows = torch.arange(linear.out_features) if keep_out is None else keep_out
    state = {"weight": linear.weight.detach()[rows[:, None], columns[None, :]].clone()}
    if linear.bias is not None:
        state["bias"] = linear.bias.detach()[rows].clone()
    new = nn.Linear(len(columns), len(rows), bias=linear.bias is not None)
    new.load_state_dict(state)
    return new


# %% wrong="prune_chain" says="next layer was not shrunk"
def prune_chain(model, keep):
    import copy

    new = copy.deepcopy(model)
    for i, (name, layer) in enumerate(model.named_children()):
        if name in keep and isinstance(layer, nn.Conv2d):
            new[i] = shrink_conv(layer, keep[name])
            if i + 1 < len(model) and isinstance(model[i + 1], nn.BatchNorm2d):
                new[i + 1] = shrink_batchnorm(model[i + 1], keep[name])
        elif name in keep:
            new[i] = shrink_linear(layer, None, keep[name])
    return new


# %% wrong="prune_chain" says="batch norm was not shrunk"
def prune_chain(model, keep):
    import copy

    new, kept, channels = [], None, None
    for name, layer in model.named_children():
        if isinstance(layer, nn.Conv2d):
            new.append(shrink_conv(layer, keep.get(name), kept))
            kept, channels = keep.get(name), layer.out_channels
        elif isinstance(layer, nn.Linear):
            new.append(
                shrink_linear(layer, kept, keep.get(name), layer.in_features // channels if kept is not None else 1)
            )
            kept, channels = keep.get(name), layer.out_features
        else:
            new.append(copy.deepcopy(layer))
    return nn.Sequential(*new)


# %% wrong="prune_chain" says="flatten order"
def prune_chain(model, keep):
    import copy

    new, kept, channels = [], None, None
    for name, layer in model.named_children():
        if isinstance(layer, nn.Conv2d):
            new.append(shrink_conv(layer, keep.get(name), kept))
            kept, channels = keep.get(name), layer.out_channels
        elif isinstance(layer, nn.BatchNorm2d):
            new.append(copy.deepcopy(layer) if kept is None else shrink_batchnorm(layer, kept))
        elif isinstance(layer, nn.Linear):
            columns = None
            if kept is not None:
                columns = torch.cat([kept + channels * s for s in range(layer.in_features // channels)])
            new.append(shrink_linear(layer, columns, keep.get(name)))
            kept, channels = keep.get(name), layer.out_features
        else:
            new.append(copy.deepcopy(layer))
    return nn.Sequential(*new)


# %% wrong="prune_chain" unnamed=True says="still there"
def prune_chain(model, keep):
    import copy

    new, dead = copy.deepcopy(model), None
    with torch.no_grad():
        for name, layer in new.named_children():
            if name in keep:
                dead = [c for c in range(len(layer.weight)) if c not in keep[name].tolist()]
                layer.weight[dead] = 0
                if layer.bias is not None:
                    layer.bias[dead] = 0
            elif isinstance(layer, nn.BatchNorm2d) and dead is not None and layer.affine:
                layer.weight[dead], layer.bias[dead] = 0, 0
    return new


# %% wrong="prune_chain" unnamed=True says="H * W columns"
def prune_chain(model, keep):
    import copy

    new, kept = [], None
    for name, layer in model.named_children():
        if isinstance(layer, nn.Conv2d):
            new.append(shrink_conv(layer, keep.get(name), kept))
            kept = keep.get(name)
        elif isinstance(layer, nn.BatchNorm2d) and kept is not None:
            new.append(shrink_batchnorm(layer, kept))
        elif isinstance(layer, nn.Linear):
            new.append(shrink_linear(layer, kept, keep.get(name)))
            kept = keep.get(name)
        else:
            new.append(copy.deepcopy(layer))
    return nn.Sequential(*new)


# %% wrong="prune_chain" unnamed=True says="old model was changed"
def prune_chain(model, keep):
    kept, channels = None, 1
    for i, (name, layer) in enumerate(list(model.named_children())):
        if isinstance(layer, nn.Conv2d):
            model[i] = shrink_conv(layer, keep.get(name), kept)
            kept, channels = keep.get(name), layer.out_channels
        elif isinstance(layer, nn.BatchNorm2d) and kept is not None:
            model[i] = shrink_batchnorm(layer, kept)
        elif isinstance(layer, nn.Linear):
            model[i] = shrink_linear(
                layer, kept, keep.get(name), layer.in_features // channels if kept is not None else 1
            )
            kept, channels = keep.get(name), layer.out_features
    return model


# %% wrong="prune_chain" unnamed=True says="expected"
def prune_chain(model, keep):
    import copy

    new, kept, channels = [], None, 1  # the hidden linear layers are left whole
    for name, layer in model.named_children():
        if isinstance(layer, nn.Conv2d):
            new.append(shrink_conv(layer, keep.get(name), kept))
            kept, channels = keep.get(name), layer.out_channels
        elif isinstance(layer, nn.BatchNorm2d) and kept is not None:
            new.append(shrink_batchnorm(layer, kept))
        elif isinstance(layer, nn.Linear):
            new.append(shrink_linear(layer, kept, None, layer.in_features // channels if kept is not None else 1))
            kept = None
        else:
            new.append(copy.deepcopy(layer))
    return nn.Sequential(*new)


# %% wrong="prune_chain" unnamed=True says="from scratch"
def prune_chain(model, keep):
    import copy

    import torch_pruning as tp

    new = copy.deepcopy(model)
    graph = tp.DependencyGraph().build_dependency(new, torch.zeros(1, 1, 28, 28))
    for name, kept in keep.items():
        layer = new.get_submodule(name)
        dead = [c for c in range(len(layer.weight)) if c not in kept.tolist()]
        graph.get_pruning_group(layer, tp.prune_conv_out_channels, idxs=dead).prune()
    return new


# %% right="prune_chain"
def prune_chain(model, keep):
    import copy

    layers = list(model.named_children())
    makers = [i for i, (_, m) in enumerate(layers) if isinstance(m, (nn.Conv2d, nn.Linear))]
    new = [copy.deepcopy(m) for _, m in layers]
    for position, i in enumerate(makers):
        name, layer = layers[i]
        out = keep.get(name)
        before = layers[makers[position - 1]] if position else (None, None)
        ins = keep.get(before[0])
        if isinstance(layer, nn.Conv2d):
            new[i] = shrink_conv(layer, out, ins)
        else:
            channels = len(before[1].weight) if position else layer.in_features
            new[i] = shrink_linear(layer, ins, out, layer.in_features // channels)
        end = makers[position + 1] if position + 1 < len(makers) else len(layers)
        for j in range(i + 1, end):
            if isinstance(layers[j][1], nn.BatchNorm2d) and out is not None:
                new[j] = shrink_batchnorm(layers[j][1], out)
    return nn.Sequential(*new)


# %% right="prune_chain"
def prune_chain(model, keep):
    import copy

    out = nn.Sequential()
    current, width = torch.arange(1), 1
    fresh_start = True
    for name, m in model.named_children():
        if isinstance(m, (nn.Conv2d, nn.Linear)):
            size = m.in_channels if isinstance(m, nn.Conv2d) else m.in_features
            if fresh_start:
                current, width, fresh_start = torch.arange(size), size, False
            mine = keep.get(name, torch.arange(len(m.weight)))
            if isinstance(m, nn.Conv2d):
                out.add_module(name, shrink_conv(m, mine, current))
            else:
                out.add_module(name, shrink_linear(m, current, mine, spatial=size // width))
            current, width = mine, len(m.weight)
        elif isinstance(m, nn.BatchNorm2d):
            out.add_module(name, shrink_batchnorm(m, current))
        else:
            out.add_module(name, copy.deepcopy(m))
    return out


# %% right="prune_chain"
def prune_chain(model, keep):
    import copy

    new = copy.deepcopy(model)
    for name in keep:
        names = [n for n, _ in new.named_children()]
        at = names.index(name)
        layer, kept = new[at], keep[name]
        width = len(layer.weight)
        new[at] = shrink_conv(layer, kept) if isinstance(layer, nn.Conv2d) else shrink_linear(layer, keep_out=kept)
        for j in range(at + 1, len(new)):
            follower = new[j]
            if isinstance(follower, nn.BatchNorm2d):
                new[j] = shrink_batchnorm(follower, kept)
            elif isinstance(follower, nn.Conv2d):
                new[j] = shrink_conv(follower, keep_in=kept)
                break
            elif isinstance(follower, nn.Linear):
                new[j] = shrink_linear(follower, keep_in=kept, spatial=follower.in_features // width)
                break
    return new


# %% wrong="channels_for_macs" says="budget of parameters"
def channels_for_macs(model, input_shape, importance, macs_ratio):
    count = lambda m: sum(p.numel() for p in m.parameters())
    for i in range(64, -1, -1):
        keep = {n: s.topk(max(1, round(i / 64 * len(s)))).indices.sort().values for n, s in importance.items()}
        if count(prune_chain(model, keep)) <= macs_ratio * count(model):
            return keep
    raise ValueError("impossible")


# %% wrong="channels_for_macs" says="input side"
def channels_for_macs(model, input_shape, importance, macs_ratio):
    x, costs = torch.zeros(input_shape), {}
    for name, layer in model.named_children():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            costs[name] = measure.macs(layer, tuple(x.shape))
        x = layer(x)
    for i in range(64, -1, -1):
        keep = {n: s.topk(max(1, round(i / 64 * len(s)))).indices.sort().values for n, s in importance.items()}
        cost = sum(c * len(keep[n]) / len(importance[n]) if n in keep else c for n, c in costs.items())
        if cost <= macs_ratio * sum(costs.values()):
            return keep
    raise ValueError("impossible")


# %% wrong="channels_for_macs" unnamed=True says="least important"
def channels_for_macs(model, input_shape, importance, macs_ratio):
    budget = macs_ratio * measure.macs(model, input_shape)
    for i in range(64, -1, -1):
        keep = {
            n: s.topk(max(1, round(i / 64 * len(s))), largest=False).indices.sort().values
            for n, s in importance.items()
        }
        if measure.macs(prune_chain(model, keep), input_shape) <= budget:
            return keep
    raise ValueError("impossible")


# %% wrong="channels_for_macs" unnamed=True says="ascend"
def channels_for_macs(model, input_shape, importance, macs_ratio):
    budget = macs_ratio * measure.macs(model, input_shape)
    for i in range(64, -1, -1):
        keep = {n: s.argsort(descending=True)[: max(1, round(i / 64 * len(s)))] for n, s in importance.items()}
        if measure.macs(prune_chain(model, keep), input_shape) <= budget:
            return keep
    raise ValueError("impossible")


# %% wrong="channels_for_macs" unnamed=True says="expected" also="budget of parameters"
def channels_for_macs(model, input_shape, importance, macs_ratio):
    # the fraction itself: MACs do not go with f
    return {n: s.topk(max(1, round(macs_ratio * len(s)))).indices.sort().values for n, s in importance.items()}


# %% wrong="channels_for_macs" unnamed=True says="expected ValueError"
def channels_for_macs(model, input_shape, importance, macs_ratio):
    budget, found = macs_ratio * measure.macs(model, input_shape), None
    for i in range(65):
        keep = {n: s.topk(max(1, round(i / 64 * len(s)))).indices.sort().values for n, s in importance.items()}
        if found is None or measure.macs(prune_chain(model, keep), input_shape) <= budget:
            found = keep
    return found


# %% wrong="channels_for_macs" unnamed=True says="from scratch"
def channels_for_macs(model, input_shape, importance, macs_ratio):
    from torch_pruning.utils import count_ops_and_params

    budget = macs_ratio * count_ops_and_params(model, torch.zeros(input_shape))[0]
    for i in range(64, -1, -1):
        keep = {n: s.topk(max(1, round(i / 64 * len(s)))).indices.sort().values for n, s in importance.items()}
        if count_ops_and_params(prune_chain(model, keep), torch.zeros(input_shape))[0] <= budget:
            return keep
    raise ValueError("impossible")


# %% right="channels_for_macs"
def channels_for_macs(model, input_shape, importance, macs_ratio):
    whole, found = measure.macs(model, input_shape), None
    for i in range(0, 65):
        keep = {}
        for name, score in importance.items():
            k = max(1, int(round(len(score) * i / 64)))
            keep[name] = torch.sort(torch.argsort(score)[len(score) - k :]).values
        if measure.macs(prune_chain(model, keep), input_shape) > macs_ratio * whole:
            break
        found = keep
    if found is None:
        raise ValueError("over budget at one filter each")
    return found


# %% right="channels_for_macs"
def channels_for_macs(model, input_shape, importance, macs_ratio):
    x, layers, before = torch.zeros(input_shape), [], None
    for name, layer in model.named_children():
        y = layer(x)
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            layers.append((y.numel() * layer.weight[0].numel(), name, before))
            before = name
        x = y
    total = sum(cost for cost, _, _ in layers)
    fractions = lambda i: {n: max(1, round(i * len(s) / 64)) / len(s) for n, s in importance.items()}
    cost = lambda f: sum(c * f.get(n, 1) * f.get(b, 1) for c, n, b in layers)
    for i in reversed(range(65)):
        f = fractions(i)
        if cost(f) <= macs_ratio * total * (1 + 1e-12):
            return {
                n: torch.tensor(
                    sorted(sorted(range(len(s)), key=lambda c: float(s[c]))[len(s) - round(f[n] * len(s)) :])
                )
                for n, s in importance.items()
            }
    raise ValueError("impossible")


# %% right="channels_for_macs"
def channels_for_macs(model, input_shape, importance, macs_ratio):
    def plan(i):
        chosen = {}
        for name, score in importance.items():
            k = max(1, round(float(i) / 64.0 * score.numel()))
            mask = torch.zeros(score.numel(), dtype=torch.bool)
            mask[score.topk(k).indices] = True
            chosen[name] = mask.nonzero().flatten()
        return chosen

    def fits(i):
        return measure.macs(prune_chain(model, plan(i)), input_shape) <= macs_ratio * measure.macs(model, input_shape)

    if not fits(0):
        raise ValueError("impossible")
    low, high = 0, 65
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return plan(low)


# %% wrong="slimming_penalty" says="No gradient reaches gamma"
def slimming_penalty(model, strength):
    return strength * sum(
        m.weight.data.abs().sum() for m in model.modules() if isinstance(m, nn.BatchNorm2d) and m.affine
    )


# %% wrong="slimming_penalty" says="betas"
def slimming_penalty(model, strength):
    total = torch.zeros(())
    for m in model.modules():
        if isinstance(m, nn.BatchNorm2d):
            for p in m.parameters():
                total = total + p.abs().sum()
    return strength * total


# %% wrong="slimming_penalty" unnamed=True says="absolute value"
def slimming_penalty(model, strength):
    return strength * sum(
        (m.weight.sum() for m in model.modules() if isinstance(m, nn.BatchNorm2d) and m.affine), torch.zeros(())
    )


# %% wrong="slimming_penalty" unnamed=True says="weight is None"
def slimming_penalty(model, strength):
    return strength * sum(
        (m.weight.abs().sum() for m in model.modules() if isinstance(m, nn.BatchNorm2d)), torch.zeros(())
    )


# %% wrong="slimming_penalty" unnamed=True says="Other layers than BatchNorm2d"
def slimming_penalty(model, strength):
    norms = [m for m in model.modules() if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d)) and m.affine]
    return strength * sum((m.weight.abs().sum() for m in norms), torch.zeros(()))


# %% wrong="slimming_penalty" unnamed=True says="expected"
def slimming_penalty(model, strength):
    return strength * sum(
        (m.weight.abs().sum() for m in model.children() if isinstance(m, nn.BatchNorm2d) and m.affine), torch.zeros(())
    )


# %% wrong="slimming_penalty" unnamed=True says="from scratch"
def slimming_penalty(model, strength):
    import torch_pruning as tp

    return tp.pruner.BNScalePruner(model, torch.zeros(1), tp.importance.BNScaleImportance(), reg=strength).regularize(
        model
    )


# %% right="slimming_penalty"
def slimming_penalty(model, strength):
    penalty = 0.0
    for m in model.modules():
        if isinstance(m, nn.BatchNorm2d) and m.affine:
            penalty = penalty + strength * torch.abs(m.weight).sum()
    return penalty


# %% right="slimming_penalty"
def slimming_penalty(model, strength):
    gammas = [m.weight for m in model.modules() if type(m) is nn.BatchNorm2d and m.weight is not None]
    return torch.cat(gammas).norm(p=1) * strength if gammas else torch.tensor(0.0)


# %% right="slimming_penalty"
def slimming_penalty(model, strength):
    terms = [
        F.l1_loss(m.weight, torch.zeros_like(m.weight), reduction="sum")
        for _, m in model.named_modules()
        if isinstance(m, nn.BatchNorm2d) and m.weight is not None
    ]
    return strength * torch.stack(terms).sum() if terms else 0.0


# %% right="slimming_penalty"
def slimming_penalty(model, strength):
    def visit(module):
        own = module.weight.abs().sum() if isinstance(module, nn.BatchNorm2d) and module.affine else 0.0
        return own + sum(visit(child) for child in module.children())

    return strength * visit(model)


# %% wrong="coupled_groups" says="Only direct pairs"
def coupled_groups(graph):
    groups = []
    for kind, inputs in graph.values():
        if kind == "add":
            group = {n for n in inputs if graph[n][0] in ("conv", "linear")}
            if len(group) > 1:
                groups.append(group)
    return groups


# %% wrong="coupled_groups" says="stops at a BN or ReLU"
def coupled_groups(graph):
    parent = {n: n for n in graph}

    def find(n):
        while parent[n] != n:
            n = parent[n]
        return n

    for node, (kind, inputs) in graph.items():
        if kind == "add":
            for other in inputs:
                parent[find(other)] = find(node)
    groups = {}
    for node, (kind, _) in graph.items():
        if kind in ("conv", "linear"):
            groups.setdefault(find(node), set()).add(node)
    return [g for g in groups.values() if len(g) > 1]


# %% wrong="coupled_groups" says="chains of adds"
def coupled_groups(graph):
    def back(node):
        kind, inputs = graph[node]
        if kind in ("conv", "linear"):
            return {node}
        if kind == "add":
            return set()
        return set().union(*(back(n) for n in inputs))

    groups = []
    for kind, inputs in graph.values():
        if kind == "add":
            group = set().union(*(back(n) for n in inputs))
            if len(group) > 1:
                groups.append(group)
    return groups


# %% wrong="coupled_groups" says="chains of adds"
def coupled_groups(graph):
    def back(node):
        kind, inputs = graph[node]
        return {node} if kind in ("conv", "linear") else set().union(*(back(n) for n in inputs))

    found = []
    for node, (kind, _) in graph.items():
        if kind == "add" and len(back(node)) > 1 and back(node) not in found:
            found.append(back(node))
    return found


# %% wrong="coupled_groups" unnamed=True says="no group"
def coupled_groups(graph):
    label = {n: n for n in graph}
    for _ in graph:
        for n, (kind, inputs) in graph.items():
            if kind not in ("conv", "linear"):
                least = min(label[m] for m in [n, *inputs])
                for m in [n, *inputs]:
                    label[m] = least
    groups = {}
    for n, (kind, _) in graph.items():
        if kind in ("conv", "linear"):
            groups.setdefault(label[n], set()).add(n)
    return list(groups.values())


# %% wrong="coupled_groups" unnamed=True says="Nodes without inputs are named"
def coupled_groups(graph):
    label = {n: n for n in graph}
    for _ in graph:
        for n, (kind, inputs) in graph.items():
            if kind not in ("conv", "linear"):
                least = min(label[m] for m in [n, *inputs])
                for m in [n, *inputs]:
                    label[m] = least
    groups = {}
    for n, (kind, inputs) in graph.items():
        if kind in ("conv", "linear") or not inputs:
            groups.setdefault(label[n], set()).add(n)
    return [g for g in groups.values() if len(g) > 1]


# %% wrong="coupled_groups" unnamed=True says="expected"
def coupled_groups(graph):
    # through the input of a convolution as well: everything hangs together
    seen = {n for n, (kind, _) in graph.items() if kind in ("conv", "linear")}
    return [seen] if len(seen) > 1 else []


# %% wrong="coupled_groups" unnamed=True says="from scratch"
def coupled_groups(graph):
    from torch_pruning import DependencyGraph as Finder

    return [set(g) for g in Finder().get_all_groups(graph)]


# %% right="coupled_groups"
def coupled_groups(graph):
    neighbours = {n: set() for n in graph}
    for node, (kind, inputs) in graph.items():
        if kind not in ("conv", "linear"):
            for other in inputs:
                neighbours[node].add(other)
                neighbours[other].add(node)
    seen, groups = set(), []
    for start in graph:
        if start in seen:
            continue
        todo, component = [start], set()
        while todo:
            n = todo.pop()
            if n not in component:
                component.add(n)
                todo += neighbours[n]
        seen |= component
        layers = {n for n in component if graph[n][0] in ("conv", "linear")}
        if len(layers) >= 2:
            groups.append(layers)
    return groups


# %% right="coupled_groups"
def coupled_groups(graph):
    sets = [{n} for n in graph]
    for node, (kind, inputs) in graph.items():
        if kind in {"conv", "linear"}:
            continue
        touched = [s for s in sets if s & {node, *inputs}]
        sets = [s for s in sets if not s & {node, *inputs}] + [set().union(*touched)]
    named = [{n for n in s if graph[n][0] in {"conv", "linear"}} for s in sets]
    return [s for s in named if len(s) > 1]


# %% right="coupled_groups"
def coupled_groups(graph):
    index = {n: i for i, n in enumerate(graph)}
    joined = np.eye(len(graph), dtype=bool)
    for node, (kind, inputs) in graph.items():
        if kind != "conv" and kind != "linear":
            for other in inputs:
                joined[index[node], index[other]] = joined[index[other], index[node]] = True
    for _ in range(len(graph).bit_length()):
        joined = joined @ joined
    groups = {
        frozenset(n for n in graph if joined[index[m], index[n]] and graph[n][0] in ("conv", "linear")) for m in graph
    }
    return [set(g) for g in groups if len(g) > 1]


# %% wrong="prune_heads" says="out bias was shrunk"
def prune_heads(attn, heads):
    if any(h < 0 or h >= attn.num_heads for h in heads):
        raise ValueError(heads)
    d = attn.head_dim
    rows = [h * d + i for h in range(attn.num_heads) if h not in heads for i in range(d)]
    q, k, v = attn.in_proj_weight.detach().chunk(3)
    parts = {
        "q_weight": q[rows],
        "k_weight": k[rows],
        "v_weight": v[rows],
        "out_weight": attn.out_proj.weight.detach()[:, rows],
    }
    if attn.in_proj_bias is not None:
        q, k, v = attn.in_proj_bias.detach().chunk(3)
        parts |= {
            "q_bias": q[rows],
            "k_bias": k[rows],
            "v_bias": v[rows],
            "out_bias": attn.out_proj.bias.detach()[rows],
        }
    return parts


# %% wrong="prune_heads" says="blocks mixed"
def prune_heads(attn, heads):
    if any(h < 0 or h >= attn.num_heads for h in heads):
        raise ValueError(heads)
    kept = [h for h in range(attn.num_heads) if h not in heads]
    d, embed = attn.head_dim, attn.embed_dim
    w = attn.in_proj_weight.detach().view(attn.num_heads, 3, d, embed)[kept]
    parts = {f"{n}_weight": w[:, i].reshape(-1, embed) for i, n in enumerate("qkv")}
    parts["out_weight"] = attn.out_proj.weight.detach().view(embed, -1, d)[:, kept].flatten(1)
    if attn.in_proj_bias is not None:
        b = attn.in_proj_bias.detach().view(attn.num_heads, 3, d)[kept]
        parts |= {f"{n}_bias": b[:, i].reshape(-1) for i, n in enumerate("qkv")} | {
            "out_bias": attn.out_proj.bias.detach()
        }
    return parts


# %% wrong="prune_heads" says="blocks mixed"
def prune_heads(attn, heads):
    if any(h < 0 or h >= attn.num_heads for h in heads):
        raise ValueError(heads)
    d = attn.head_dim
    rows = [h * d + i for h in range(attn.num_heads) if h not in heads for i in range(d)]
    k, q, v = attn.in_proj_weight.detach().chunk(3)
    parts = {
        "q_weight": q[rows],
        "k_weight": k[rows],
        "v_weight": v[rows],
        "out_weight": attn.out_proj.weight.detach()[:, rows],
    }
    if attn.in_proj_bias is not None:
        k, q, v = attn.in_proj_bias.detach().chunk(3)
        parts |= {"q_bias": q[rows], "k_bias": k[rows], "v_bias": v[rows], "out_bias": attn.out_proj.bias.detach()}
    return parts


# %% wrong="prune_heads" says="heads given were kept"
def prune_heads(attn, heads):
    if any(h < 0 or h >= attn.num_heads for h in heads):
        raise ValueError(heads)
    d = attn.head_dim
    rows = [h * d + i for h in range(attn.num_heads) if h in heads for i in range(d)]
    q, k, v = attn.in_proj_weight.detach().chunk(3)
    parts = {
        "q_weight": q[rows],
        "k_weight": k[rows],
        "v_weight": v[rows],
        "out_weight": attn.out_proj.weight.detach()[:, rows],
    }
    if attn.in_proj_bias is not None:
        q, k, v = attn.in_proj_bias.detach().chunk(3)
        parts |= {"q_bias": q[rows], "k_bias": k[rows], "v_bias": v[rows], "out_bias": attn.out_proj.bias.detach()}
    return parts


# %% wrong="prune_heads" unnamed=True says="expected out_weight of shape"
def prune_heads(attn, heads):
    if any(h < 0 or h >= attn.num_heads for h in heads):
        raise ValueError(heads)
    d = attn.head_dim
    rows = [h * d + i for h in range(attn.num_heads) if h not in heads for i in range(d)]
    q, k, v = attn.in_proj_weight.detach().chunk(3)
    parts = {
        "q_weight": q[rows],
        "k_weight": k[rows],
        "v_weight": v[rows],
        "out_weight": attn.out_proj.weight.detach()[rows],
    }
    if attn.in_proj_bias is not None:
        q, k, v = attn.in_proj_bias.detach().chunk(3)
        parts |= {"q_bias": q[rows], "k_bias": k[rows], "v_bias": v[rows], "out_bias": attn.out_proj.bias.detach()}
    return parts


# %% wrong="prune_heads" unnamed=True says="expected the keys"
def prune_heads(attn, heads):
    if any(h < 0 or h >= attn.num_heads for h in heads):
        raise ValueError(heads)
    d = attn.head_dim
    rows = [h * d + i for h in range(attn.num_heads) if h not in heads for i in range(d)]
    q, k, v = attn.in_proj_weight.detach().chunk(3)
    return {
        "q_weight": q[rows],
        "k_weight": k[rows],
        "v_weight": v[rows],
        "out_weight": attn.out_proj.weight.detach()[:, rows],
    }


# %% wrong="prune_heads" unnamed=True says="rows of heads that are to be removed"
def prune_heads(attn, heads):
    if any(h < 0 or h >= attn.num_heads for h in heads):
        raise ValueError(heads)
    kept = [h for h in range(attn.num_heads) if h not in heads]
    embed, d = attn.embed_dim, attn.head_dim
    strided = lambda t: t.reshape(d, attn.num_heads, *t.shape[1:])[:, kept].flatten(0, 1)  # head as the inner axis
    parts = {f"{n}_weight": strided(w) for n, w in zip("qkv", attn.in_proj_weight.detach().chunk(3))}
    parts["out_weight"] = strided(attn.out_proj.weight.detach().T).T
    if attn.in_proj_bias is not None:
        parts |= {f"{n}_bias": strided(b) for n, b in zip("qkv", attn.in_proj_bias.detach().chunk(3))}
        parts["out_bias"] = attn.out_proj.bias.detach()
    return parts


# %% wrong="prune_heads" unnamed=True says="expected ValueError"
def prune_heads(attn, heads):
    d, gone = attn.head_dim, {h % attn.num_heads for h in heads}
    rows = [h * d + i for h in range(attn.num_heads) if h not in gone for i in range(d)]
    parts = {f"{n}_weight": w[rows] for n, w in zip("qkv", attn.in_proj_weight.detach().chunk(3))}
    parts["out_weight"] = attn.out_proj.weight.detach()[:, rows]
    if attn.in_proj_bias is not None:
        parts |= {f"{n}_bias": b[rows] for n, b in zip("qkv", attn.in_proj_bias.detach().chunk(3))}
        parts["out_bias"] = attn.out_proj.bias.detach()
    return parts


# %% wrong="prune_heads" unnamed=True says="from scratch"
def prune_heads(attn, heads):
    import copy

    import torch_pruning

    new = copy.deepcopy(attn)
    torch_pruning.prune_multihead_attention_out_channels(
        new, [h * attn.head_dim + i for h in heads for i in range(attn.head_dim)]
    )
    q, k, v = new.in_proj_weight.chunk(3)
    return {"q_weight": q, "k_weight": k, "v_weight": v, "out_weight": new.out_proj.weight}


# %% right="prune_heads"
def prune_heads(attn, heads):
    for h in heads:
        if h not in range(attn.num_heads):
            raise ValueError(f"no head {h}")
    d, embed = attn.head_dim, attn.embed_dim
    mask = torch.ones(attn.num_heads, d, dtype=torch.bool)
    mask[heads] = False
    mask = mask.flatten()
    result = {}
    for i, name in enumerate("qkv"):
        result[f"{name}_weight"] = attn.in_proj_weight[i * embed : (i + 1) * embed][mask]
        if attn.in_proj_bias is not None:
            result[f"{name}_bias"] = attn.in_proj_bias[i * embed : (i + 1) * embed][mask]
    result["out_weight"] = attn.out_proj.weight[:, mask]
    if attn.out_proj.bias is not None:
        result["out_bias"] = attn.out_proj.bias
    return result


# %% right="prune_heads"
def prune_heads(attn, heads):
    if not all(0 <= h < attn.num_heads for h in heads):
        raise ValueError("bad head")
    kept = sorted(set(range(attn.num_heads)) - set(heads), reverse=True)  # another order of heads, the same everywhere
    e, d = attn.embed_dim, attn.head_dim
    w = attn.in_proj_weight.detach().view(3, attn.num_heads, d, e)[:, kept].reshape(3, -1, e)
    result = dict(zip(("q_weight", "k_weight", "v_weight"), w))
    result["out_weight"] = attn.out_proj.weight.detach().view(e, attn.num_heads, d)[:, kept].reshape(e, -1)
    if attn.in_proj_bias is not None:
        b = attn.in_proj_bias.detach().view(3, attn.num_heads, d)[:, kept].reshape(3, -1)
        result.update(zip(("q_bias", "k_bias", "v_bias"), b))
        result["out_bias"] = attn.out_proj.bias.detach().clone()
    return result


# %% right="prune_heads"
def prune_heads(attn, heads):
    d, n = attn.head_dim, attn.num_heads
    if len([h for h in heads if h < 0 or h > n - 1]):
        raise ValueError("bad head")
    slices = [slice(h * d, h * d + d) for h in range(n) if h not in heads]
    cut = lambda t, dim: torch.cat([t[s] if dim == 0 else t[:, s] for s in slices], dim=dim)
    state = attn.state_dict()
    out = {"out_weight": cut(state["out_proj.weight"], 1)}
    for i, name in enumerate("qkv"):
        out[name + "_weight"] = cut(state["in_proj_weight"].split(n * d)[i], 0)
    if "in_proj_bias" in state:
        out["out_bias"] = state["out_proj.bias"].clone()
        for i, name in enumerate("qkv"):
            out[name + "_bias"] = cut(state["in_proj_bias"].split(n * d)[i], 0)
    return out


# %% wrong="prune_chain" says="shared with the old model"
def prune_chain(model, keep):
    children, kept, channels = {}, None, 1
    for name, layer in model.named_children():
        mine = keep.get(name)
        if isinstance(layer, nn.Conv2d):
            children[name] = layer if mine is None and kept is None else shrink_conv(layer, mine, kept)
            kept, channels = mine, layer.out_channels
        elif isinstance(layer, nn.Linear):
            spatial = 1 if kept is None else layer.in_features // channels
            children[name] = layer if mine is None and kept is None else shrink_linear(layer, kept, mine, spatial)
            kept, channels = mine, layer.out_features
        elif isinstance(layer, nn.BatchNorm2d) and kept is not None:
            children[name] = shrink_batchnorm(layer, kept)
        else:
            children[name] = layer  # not pruned, so not copied: training the new chain changes the old one
    new = nn.Sequential()
    for name, layer in children.items():
        new.add_module(name, layer)
    return new


# %% wrong="channels_for_macs" says="cut off"
def channels_for_macs(model, input_shape, importance, macs_ratio):
    budget = macs_ratio * measure.macs(model, input_shape)
    for i in range(64, -1, -1):
        keep = {n: s.topk(max(1, int(i / 64 * len(s)))).indices.sort().values for n, s in importance.items()}
        if measure.macs(prune_chain(model, keep), input_shape) <= budget:
            return keep
    raise ValueError("nothing fits")


# %% wrong="coupled_groups" says="Only some kinds of nodes"
def coupled_groups(graph):
    home = {n: {n} for n in graph}
    for node, (kind, inputs) in graph.items():
        if kind in ("add", "bn", "relu"):  # pools, dropouts, identities and depthwise layers pass channels on, too
            for other in inputs:
                merged = home[node] | home[other]
                for n in merged:
                    home[n] = merged
    found = {frozenset(n for n in group if graph[n][0] in ("conv", "linear")) for group in home.values()}
    return [set(group) for group in found if len(group) > 1]


# %% wrong="prune_chain" says="does not name keeps all"
def prune_chain(model: nn.Sequential, keep: dict[str, torch.Tensor]) -> nn.Sequential:
    import copy
    from collections import OrderedDict

    new: OrderedDict[str, nn.Module] = OrderedDict()
    kept, channels = None, 1
    for name, layer in model.named_children():
        if isinstance(layer, nn.Conv2d):
            new[name] = shrink_conv(layer, keep.get(name), kept)
            kept, channels = keep.get(name, kept), layer.out_channels
        elif isinstance(layer, nn.Linear):
            spatial = layer.in_features // channels if kept is not None else 1
            new[name] = shrink_linear(layer, kept, keep.get(name), spatial)
            kept, channels = keep.get(name), layer.out_features
        elif isinstance(layer, nn.BatchNorm2d) and kept is not None:
            new[name] = shrink_batchnorm(layer, kept)
        else:
            new[name] = copy.deepcopy(layer)
    return nn.Sequential(new).train(model.training)


# %% wrong="prune_chain" says="does not name keeps all"
def prune_chain(model: nn.Sequential, keep: dict[str, torch.Tensor]) -> nn.Sequential:
    import copy
    from collections import OrderedDict

    new: OrderedDict[str, nn.Module] = OrderedDict()
    kept, channels = None, 1
    for name, layer in model.named_children():
        if isinstance(layer, nn.Conv2d):
            new[name] = shrink_conv(layer, keep[name], kept)
            kept, channels = keep[name], layer.out_channels
        elif isinstance(layer, nn.Linear):
            spatial = layer.in_features // channels if kept is not None else 1
            new[name] = shrink_linear(layer, kept, keep[name], spatial)
            kept, channels = keep[name], layer.out_features
        elif isinstance(layer, nn.BatchNorm2d) and kept is not None:
            new[name] = shrink_batchnorm(layer, kept)
        else:
            new[name] = copy.deepcopy(layer)
    return nn.Sequential(new).train(model.training)


# %% wrong="shrink_conv" says="setting was lost"
def shrink_conv(conv: nn.Conv2d, keep_out=None, keep_in=None) -> nn.Conv2d:
    weight, bias, groups = conv.weight.detach(), conv.bias, conv.groups
    if groups > 1:  # depthwise
        keep_out, keep_in = (keep_in if keep_out is None else keep_out), None
    if keep_out is not None:
        weight = weight[keep_out]
        bias = None if bias is None else bias[keep_out]
    if keep_in is not None:
        weight = weight[:, keep_in]
    if groups > 1:
        groups = len(weight)
    new = nn.Conv2d(
        weight.shape[1] * groups,
        weight.shape[0],
        conv.kernel_size,
        conv.stride,
        conv.padding,
        conv.dilation,
        groups,
        bias is not None,
    )
    new.weight.data = weight.clone()
    if bias is not None:
        new.bias.data = bias.detach().clone()
    return new


# %% wrong="filter_importance" unnamed=True says="was changed"
def filter_importance(conv, method, bn=None):
    rows = conv.weight.detach().flatten(1)
    if method == "l1":
        return rows.abs_().sum(1)
    if method == "l2":
        return rows.norm(dim=1)
    if method == "bn" and bn is not None and bn.weight is not None:
        return bn.weight.detach().abs()
    raise ValueError(method)


# %% wrong="filter_importance" unnamed=True says="expected"
def filter_importance(conv, method, bn=None):
    rows = conv.weight.detach().flatten(1)
    if method == "l1":
        return rows.abs().sum(1)
    if method == "l2":
        return rows.norm(dim=1)
    if method == "bn" and bn is not None and bn.weight is not None:
        return (bn.weight / bn.running_var.sqrt()).detach().abs()
    raise ValueError(method)


# %% wrong="channels_for_macs" unnamed=True says="from 64 down to 0"
def channels_for_macs(model, input_shape, importance, macs_ratio):
    budget = macs_ratio * measure.macs(model, input_shape)
    for i in range(63, -1, -1):
        keep = {}
        for name, score in importance.items():
            k = max(1, round(i / 64 * len(score)))
            keep[name] = score.topk(k).indices.sort().values
        if measure.macs(prune_chain(model, keep), input_shape) <= budget:
            return keep
    raise ValueError("too small")


# %% wrong="shrink_conv" unnamed=True says="still the old one"
def shrink_conv(conv, keep_out=None, keep_in=None):
    depthwise = conv.groups > 1
    if depthwise:
        keep_out, keep_in = (keep_in if keep_out is None else keep_out), None
    weight = take(take(conv.weight, keep_out), keep_in, 1)
    groups = len(weight) if depthwise else 1
    new = nn.Conv2d(conv.in_channels, len(weight), conv.kernel_size, conv.stride, conv.padding, conv.dilation, groups, conv.bias is not None, conv.padding_mode)
    return filled(new, weight, take(conv.bias, keep_out))


# %% wrong="shrink_conv" unnamed=True says="still the old one"
def shrink_conv(conv, keep_out=None, keep_in=None):
    import copy
    depthwise = conv.groups > 1
    if depthwise:
        keep_out, keep_in = (keep_in if keep_out is None else keep_out), None
    new = copy.deepcopy(conv)
    return filled(new, take(take(conv.weight, keep_out), keep_in, 1), take(conv.bias, keep_out))


# %% wrong="shrink_conv" unnamed=True says="no truth value"
def shrink_conv(conv, keep_out=None, keep_in=None):
    depthwise = conv.groups > 1
    if depthwise:
        keep_out, keep_in = keep_out or keep_in, None
    weight = take(take(conv.weight, keep_out), keep_in, 1)
    groups = len(weight) if depthwise else 1
    new = nn.Conv2d(weight.shape[1] * groups, len(weight), conv.kernel_size, conv.stride, conv.padding, conv.dilation, groups, conv.bias is not None, conv.padding_mode)
    return filled(new, weight, take(conv.bias, keep_out))


# %% wrong="shrink_conv" unnamed=True says="other entries than the outputs"
def shrink_conv(conv, keep_out=None, keep_in=None):
    depthwise = conv.groups > 1
    if depthwise:
        keep_out, keep_in = (keep_in if keep_out is None else keep_out), None
    weight = take(take(conv.weight, keep_out), keep_in, 1)
    groups = len(weight) if depthwise else 1
    new = nn.Conv2d(weight.shape[1] * groups, len(weight), conv.kernel_size, conv.stride, conv.padding, conv.dilation, groups, conv.bias is not None, conv.padding_mode)
    return filled(new, weight, take(conv.bias, None))


# %% wrong="shrink_conv" unnamed=True says="has a bias, the old one has none"
def shrink_conv(conv, keep_out=None, keep_in=None):
    depthwise = conv.groups > 1
    if depthwise:
        keep_out, keep_in = (keep_in if keep_out is None else keep_out), None
    weight = take(take(conv.weight, keep_out), keep_in, 1)
    groups = len(weight) if depthwise else 1
    new = nn.Conv2d(weight.shape[1] * groups, len(weight), conv.kernel_size, conv.stride, conv.padding, conv.dilation, groups, padding_mode=conv.padding_mode)
    return filled(new, weight, take(conv.bias, keep_out))


# %% wrong="shrink_conv" unnamed=True says="random weights"
def shrink_conv(conv, keep_out=None, keep_in=None):
    depthwise = conv.groups > 1
    if depthwise:
        keep_out, keep_in = (keep_in if keep_out is None else keep_out), None
    weight = take(take(conv.weight, keep_out), keep_in, 1)
    groups = len(weight) if depthwise else 1
    new = nn.Conv2d(weight.shape[1] * groups, len(weight), conv.kernel_size, conv.stride, conv.padding, conv.dilation, groups, conv.bias is not None, conv.padding_mode)
    return new


# %% wrong="shrink_conv" unnamed=True says="it is what stays"
def shrink_conv(conv, keep_out=None, keep_in=None):
    depthwise = conv.groups > 1
    other = lambda keep, n: None if keep is None else torch.tensor([c for c in range(n) if c not in keep.tolist()])
    keep_out, keep_in = other(keep_out, conv.out_channels), other(keep_in, conv.in_channels)
    if depthwise:
        keep_out, keep_in = (keep_in if keep_out is None else keep_out), None
    weight = take(take(conv.weight, keep_out), keep_in, 1)
    groups = len(weight) if depthwise else 1
    new = nn.Conv2d(weight.shape[1] * groups, len(weight), conv.kernel_size, conv.stride, conv.padding, conv.dilation, groups, conv.bias is not None, conv.padding_mode)
    return filled(new, weight, take(conv.bias, keep_out))


# %% wrong="shrink_conv" unnamed=True says="takes pairs"
def shrink_conv(conv, keep_out=None, keep_in=None):
    depthwise = conv.groups > 1
    if depthwise:
        keep_out, keep_in = (keep_in if keep_out is None else keep_out), None
    if keep_out is not None and keep_in is not None:
        weight = conv.weight.detach()[keep_out, keep_in]
    else:
        weight = take(take(conv.weight, keep_out), keep_in, 1)
    groups = len(weight) if depthwise else 1
    new = nn.Conv2d(weight.shape[1] * groups, len(weight), conv.kernel_size, conv.stride, conv.padding, conv.dilation, groups, conv.bias is not None, conv.padding_mode)
    return filled(new, weight, take(conv.bias, keep_out))


# %% wrong="shrink_conv" unnamed=True says="None was taken for a tensor"
def shrink_conv(conv, keep_out=None, keep_in=None):
    depthwise = conv.groups > 1
    if depthwise:
        keep_out, keep_in = (keep_in if keep_out is None else keep_out), None
    weight = take(take(conv.weight, keep_out), keep_in, 1)
    groups = len(weight) if depthwise else 1
    new = nn.Conv2d(weight.shape[1] * groups, len(weight), conv.kernel_size, conv.stride, conv.padding, conv.dilation, groups, conv.bias is not None, conv.padding_mode)
    new.weight.data = weight
    new.bias.data = take(conv.bias.detach(), keep_out)
    return new


# %% wrong="shrink_conv" unnamed=True says="None was taken for a tensor"
def shrink_conv(conv, keep_out=None, keep_in=None):
    depthwise = conv.groups > 1
    if depthwise:
        keep_out, keep_in = (keep_in if keep_out is None else keep_out), None
    new = nn.Conv2d(len(keep_in), len(keep_out), conv.kernel_size, conv.stride, conv.padding, conv.dilation, 1, conv.bias is not None, conv.padding_mode)
    return filled(new, take(take(conv.weight, keep_out), keep_in, 1), take(conv.bias, keep_out))


# %% wrong="shrink_batchnorm" unnamed=True says="another order"
def shrink_batchnorm(bn, keep):
    keep = keep.sort().values
    new = nn.BatchNorm2d(len(keep), bn.eps, bn.momentum, bn.affine, bn.track_running_stats)
    new.load_state_dict({name: t[keep] if t.dim() else t for name, t in bn.state_dict().items()})
    return new


# %% wrong="shrink_batchnorm" unnamed=True says="None was taken for a tensor"
def shrink_batchnorm(bn, keep):
    new = nn.BatchNorm2d(len(keep), bn.eps, bn.momentum, bn.affine, bn.track_running_stats)
    new.weight.data, new.bias.data = bn.weight.data[keep], bn.bias.data[keep]
    new.running_mean, new.running_var = bn.running_mean[keep], bn.running_var[keep]
    new.num_batches_tracked = bn.num_batches_tracked.clone()
    return new


# %% wrong="shrink_batchnorm" unnamed=True says="that the old one is without"
def shrink_batchnorm(bn, keep):
    new = nn.BatchNorm2d(len(keep), bn.eps, bn.momentum)
    if bn.affine:
        new.weight.data, new.bias.data = bn.weight.data[keep], bn.bias.data[keep]
    if bn.track_running_stats:
        new.running_mean, new.running_var = bn.running_mean[keep], bn.running_var[keep]
        new.num_batches_tracked = bn.num_batches_tracked.clone()
    return new


# %% wrong="shrink_batchnorm" unnamed=True says="a single number"
def shrink_batchnorm(bn, keep):
    new = nn.BatchNorm2d(len(keep), bn.eps, bn.momentum, bn.affine, bn.track_running_stats)
    new.load_state_dict({name: t[keep] for name, t in bn.state_dict().items()})
    return new


# %% wrong="shrink_batchnorm" unnamed=True says="still the old one"
def shrink_batchnorm(bn, keep):
    import copy
    new = copy.deepcopy(bn)
    if bn.affine:
        new.weight.data, new.bias.data = bn.weight.data[keep], bn.bias.data[keep]
    if bn.track_running_stats:
        new.running_mean, new.running_var = bn.running_mean[keep], bn.running_var[keep]
    return new


# %% wrong="shrink_batchnorm" unnamed=True says="it is what stays"
def shrink_batchnorm(bn, keep):
    keep = torch.tensor([c for c in range(bn.num_features) if c not in keep.tolist()], dtype=torch.int64)
    new = nn.BatchNorm2d(len(keep), bn.eps, bn.momentum, bn.affine, bn.track_running_stats)
    new.load_state_dict({name: t[keep] if t.dim() else t for name, t in bn.state_dict().items()})
    return new


# %% wrong="shrink_batchnorm" unnamed=True says="other entries than those"
def shrink_batchnorm(bn, keep):
    new = nn.BatchNorm2d(len(keep), bn.eps, bn.momentum, bn.affine, bn.track_running_stats)
    new.load_state_dict({name: t[keep] if t.dim() else t for name, t in bn.state_dict().items()})
    if bn.track_running_stats:
        new.running_mean, new.running_var = new.running_var, new.running_mean
    return new


# %% wrong="shrink_batchnorm" unnamed=True says="that the old one is without"
def shrink_batchnorm(bn, keep):
    new = nn.BatchNorm2d(len(keep), bn.eps, bn.momentum, bn.affine)
    new.load_state_dict({name: t[keep] if t.dim() else t for name, t in bn.state_dict().items()})
    return new


# %% wrong="shrink_linear" unnamed=True says="has a bias, the old one has none"
def shrink_linear(linear, keep_in=None, keep_out=None, spatial=1):
    if linear.in_features % spatial:
        raise ValueError("")
    weight = take(take(linear.weight.view(linear.out_features, -1, spatial), keep_out), keep_in, 1).flatten(1)
    new = nn.Linear(weight.shape[1], weight.shape[0])
    return filled(new, weight, take(linear.bias, keep_out))


# %% wrong="shrink_linear" unnamed=True says="wrong axis"
def shrink_linear(linear, keep_in=None, keep_out=None, spatial=1):
    if linear.in_features % spatial:
        raise ValueError("")
    weight = take(take(linear.weight.view(linear.out_features, -1, spatial), keep_in), keep_out, 1).flatten(1)
    new = nn.Linear(weight.shape[1], weight.shape[0], linear.bias is not None)
    return filled(new, weight, take(linear.bias, keep_in))


# %% wrong="shrink_linear" unnamed=True says="still the old one"
def shrink_linear(linear, keep_in=None, keep_out=None, spatial=1):
    if linear.in_features % spatial:
        raise ValueError("")
    weight = take(take(linear.weight.view(linear.out_features, -1, spatial), keep_out), keep_in, 1).flatten(1)
    new = nn.Linear(linear.in_features, linear.out_features, linear.bias is not None)
    return filled(new, weight, take(linear.bias, keep_out))


# %% wrong="shrink_linear" unnamed=True says="other entries than the outputs"
def shrink_linear(linear, keep_in=None, keep_out=None, spatial=1):
    if linear.in_features % spatial:
        raise ValueError("")
    weight = take(take(linear.weight.view(linear.out_features, -1, spatial), keep_out), keep_in, 1).flatten(1)
    new = nn.Linear(weight.shape[1], weight.shape[0], linear.bias is not None)
    return filled(new, weight, take(linear.bias, None))


# %% wrong="shrink_linear" unnamed=True says="another order"
def shrink_linear(linear, keep_in=None, keep_out=None, spatial=1):
    if linear.in_features % spatial:
        raise ValueError("")
    keep_in = None if keep_in is None else keep_in.sort().values
    keep_out = None if keep_out is None else keep_out.sort().values
    weight = take(take(linear.weight.view(linear.out_features, -1, spatial), keep_out), keep_in, 1).flatten(1)
    new = nn.Linear(weight.shape[1], weight.shape[0], linear.bias is not None)
    return filled(new, weight, take(linear.bias, keep_out))


# %% wrong="shrink_linear" unnamed=True says="index was not used"
def shrink_linear(linear, keep_in=None, keep_out=None, spatial=1):
    if linear.in_features % spatial:
        raise ValueError("")
    weight = take(linear.weight.view(linear.out_features, -1, spatial), keep_in, 1).flatten(1)
    new = nn.Linear(weight.shape[1], weight.shape[0], linear.bias is not None)
    return filled(new, weight, take(linear.bias, None))


# %% wrong="shrink_linear" unnamed=True says="it is what stays"
def shrink_linear(linear, keep_in=None, keep_out=None, spatial=1):
    if linear.in_features % spatial:
        raise ValueError("")
    other = lambda keep, n: None if keep is None else torch.tensor([c for c in range(n) if c not in keep.tolist()])
    keep_in, keep_out = other(keep_in, linear.in_features // spatial), other(keep_out, linear.out_features)
    weight = take(take(linear.weight.view(linear.out_features, -1, spatial), keep_out), keep_in, 1).flatten(1)
    new = nn.Linear(weight.shape[1], weight.shape[0], linear.bias is not None)
    return filled(new, weight, take(linear.bias, keep_out))


# %% wrong="shrink_linear" unnamed=True says="random weights"
def shrink_linear(linear, keep_in=None, keep_out=None, spatial=1):
    if linear.in_features % spatial:
        raise ValueError("")
    weight = take(take(linear.weight.view(linear.out_features, -1, spatial), keep_out), keep_in, 1).flatten(1)
    return nn.Linear(weight.shape[1], weight.shape[0], linear.bias is not None)


# %% wrong="shrink_linear" unnamed=True says="no truth value"
def shrink_linear(linear, keep_in=None, keep_out=None, spatial=1):
    if linear.in_features % spatial:
        raise ValueError("")
    weight = linear.weight.detach().clone().view(linear.out_features, -1, spatial)
    if keep_in:
        weight = weight[:, keep_in]
    weight = take(weight, keep_out).flatten(1)
    new = nn.Linear(weight.shape[1], weight.shape[0], linear.bias is not None)
    return filled(new, weight, take(linear.bias, keep_out))


# %% wrong="shrink_linear" unnamed=True says="None was taken for a tensor"
def shrink_linear(linear, keep_in=None, keep_out=None, spatial=1):
    if linear.in_features % spatial:
        raise ValueError("")
    weight = take(take(linear.weight.view(linear.out_features, -1, spatial), keep_out), keep_in, 1).flatten(1)
    new = nn.Linear(weight.shape[1], weight.shape[0], linear.bias is not None)
    new.weight.data = weight
    new.bias.data = take(linear.bias.detach(), keep_out)
    return new


# %% wrong="shrink_linear" unnamed=True says="name other rows or columns"
def shrink_linear(linear, keep_in=None, keep_out=None, spatial=1):
    if linear.in_features % spatial:
        raise ValueError("")
    columns = None if keep_in is None else torch.cat([torch.arange(c, c + spatial) for c in keep_in.tolist()])
    weight = take(take(linear.weight, keep_out), columns, 1)
    new = nn.Linear(weight.shape[1], weight.shape[0], linear.bias is not None)
    return filled(new, weight, take(linear.bias, keep_out))


# %% wrong="filter_importance" says="not a float32 tensor"
def filter_importance(conv, method, bn=None):
    rows = conv.weight.detach().flatten(1)
    if method == "l1":
        return rows.abs().sum(1).tolist()
    if method == "l2":
        return rows.norm(dim=1).tolist()
    if method == "bn" and bn is not None and bn.weight is not None:
        return bn.weight.detach().abs().tolist()
    raise ValueError(method)


# %% right="filter_importance"
def filter_importance(conv, method, bn=None):
    rows = conv.weight.detach().flatten(1).double()
    if method == "l1":
        return rows.abs().sum(1)
    if method == "l2":
        return rows.norm(dim=1)
    if method == "bn" and bn is not None and bn.weight is not None:
        return bn.weight.detach().abs().double()
    raise ValueError(method)


# %% right="taylor_importance"
def taylor_importance(activation, grad):
    n, channels = activation.shape[:2]
    return (activation * grad).view(n, channels, -1).sum(2).abs().mean(0)


# %% wrong="taylor_importance" unnamed=True says="any number of axes"
def taylor_importance(activation, grad):
    return (activation * grad).sum(dim=(2, 3)).abs().mean(0)


# %% wrong="taylor_importance" unnamed=True says="multiply first"
def taylor_importance(activation, grad):
    n, c = activation.shape[:2]
    a, g = activation.reshape(n, c, -1), grad.reshape(n, c, -1)
    return (a.sum(2) * g.sum(2)).abs().mean(0)


# %% wrong="taylor_importance" unnamed=True says="One score a channel"
def taylor_importance(activation, grad):
    n, c = activation.shape[:2]
    return (activation * grad).reshape(n, c, -1).sum(2).abs()


# %% wrong="taylor_importance" unnamed=True says="absolute value is missing"
def taylor_importance(activation, grad):
    n, c = activation.shape[:2]
    return (activation * grad).reshape(n, c, -1).sum(2).mean(0)


# %% wrong="taylor_importance" unnamed=True says="These are squares"
def taylor_importance(activation, grad):
    n, c = activation.shape[:2]
    return (activation * grad).reshape(n, c, -1).sum(2).square().mean(0)


# %% wrong="taylor_importance" unnamed=True says="too late"
def taylor_importance(activation, grad):
    n, c = activation.shape[:2]
    return (activation * grad).transpose(0, 1).reshape(c, -1).sum(1).abs()


# %% right="slimming_penalty"
def slimming_penalty(model, strength):
    total = torch.zeros(1)
    for m in model.modules():
        if isinstance(m, nn.BatchNorm2d) and m.affine:
            total = total + m.weight.abs().sum()
    return strength * total


# %% wrong="slimming_penalty" unnamed=True says="No gradient reaches gamma"
def slimming_penalty(model, strength):
    return strength * sum(m.weight.abs().sum().item() for m in model.modules() if isinstance(m, nn.BatchNorm2d) and m.affine)


# %% wrong="slimming_penalty" unnamed=True says="These are squares"
def slimming_penalty(model, strength):
    return strength * sum(m.weight.square().sum() for m in model.modules() if isinstance(m, nn.BatchNorm2d) and m.affine)


# %% wrong="slimming_penalty" unnamed=True says="mean over the channels"
def slimming_penalty(model, strength):
    return strength * sum(m.weight.abs().mean() for m in model.modules() if isinstance(m, nn.BatchNorm2d) and m.affine)


# %% wrong="slimming_penalty" unnamed=True says="`strength` is not in it"
def slimming_penalty(model, strength):
    return sum(m.weight.abs().sum() for m in model.modules() if isinstance(m, nn.BatchNorm2d) and m.affine)


# %% wrong="slimming_penalty" unnamed=True says="Not every batch norm"
def slimming_penalty(model, strength):
    return strength * sum((m.weight.abs().sum() for m in model.children() if isinstance(m, nn.BatchNorm2d) and m.affine), torch.zeros(()))


# %% wrong="slimming_penalty" unnamed=True says="A scalar is asked for"
def slimming_penalty(model, strength):
    return strength * torch.cat([m.weight.abs() for m in model.modules() if isinstance(m, nn.BatchNorm2d) and m.affine] or [torch.zeros(1)])


# %% wrong="slimming_penalty" unnamed=True says="comes before the sum"
def slimming_penalty(model, strength):
    return strength * sum((m.weight.sum().abs() for m in model.modules() if isinstance(m, nn.BatchNorm2d) and m.affine), torch.zeros(()))


# %% wrong="slimming_penalty" unnamed=True says="Without any gamma"
def slimming_penalty(model, strength):
    return strength * torch.stack([m.weight.abs().sum() for m in model.modules() if isinstance(m, nn.BatchNorm2d) and m.affine]).sum()


# %% wrong="slimming_penalty" unnamed=True says="is there a `return`?"
def slimming_penalty(model, strength):
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d) and m.affine]
    if norms:
        return strength * sum(m.weight.abs().sum() for m in norms)


# %% right="slimming_penalty"
def slimming_penalty(model, strength):
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d) and m.affine]
    return strength * sum(m.weight.abs().sum() for m in norms) if norms else torch.zeros(1)


# %% wrong="channels_for_macs" unnamed=True says="smallest fraction"
def channels_for_macs(model, input_shape, importance, macs_ratio):
    budget = macs_ratio * measure.macs(model, input_shape)
    for i in range(65):
        keep = {n: s.topk(max(1, round(i / 64 * len(s)))).indices.sort().values for n, s in importance.items()}
        if measure.macs(prune_chain(model, keep), input_shape) <= budget:
            return keep
    raise ValueError("x")


# %% wrong="channels_for_macs" unnamed=True says="at most"
def channels_for_macs(model, input_shape, importance, macs_ratio):
    budget = macs_ratio * measure.macs(model, input_shape)
    for i in range(64, -1, -1):
        keep = {n: s.topk(max(1, round(i / 64 * len(s)))).indices.sort().values for n, s in importance.items()}
        if measure.macs(prune_chain(model, keep), input_shape) < budget:
            return keep
    raise ValueError("x")


# %% wrong="channels_for_macs" unnamed=True says="first channels"
def channels_for_macs(model, input_shape, importance, macs_ratio):
    budget = macs_ratio * measure.macs(model, input_shape)
    for i in range(64, -1, -1):
        keep = {n: torch.arange(max(1, round(i / 64 * len(s)))) for n, s in importance.items()}
        if measure.macs(prune_chain(model, keep), input_shape) <= budget:
            return keep
    raise ValueError("x")


# %% wrong="channels_for_macs" unnamed=True says="a list"
def channels_for_macs(model, input_shape, importance, macs_ratio):
    budget = macs_ratio * measure.macs(model, input_shape)
    for i in range(64, -1, -1):
        keep = {n: s.topk(max(1, round(i / 64 * len(s)))).indices.sort().values for n, s in importance.items()}
        if measure.macs(prune_chain(model, keep), input_shape) <= budget:
            return {n: k.tolist() for n, k in keep.items()}
    raise ValueError("x")


# %% wrong="channels_for_macs" unnamed=True says="different batches"
def channels_for_macs(model, input_shape, importance, macs_ratio):
    budget = macs_ratio * measure.macs(model, (1, *input_shape[1:]))
    for i in range(64, -1, -1):
        keep = {n: s.topk(max(1, round(i / 64 * len(s)))).indices.sort().values for n, s in importance.items()}
        if measure.macs(prune_chain(model, keep), input_shape) <= budget:
            return keep
    raise ValueError("x")


# %% wrong="channels_for_macs" unnamed=True says="cut off, or rounded up"
def channels_for_macs(model, input_shape, importance, macs_ratio):
    budget = macs_ratio * measure.macs(model, input_shape)
    for i in range(64, -1, -1):
        keep = {n: s.topk(max(1, math.ceil(i / 64 * len(s)))).indices.sort().values for n, s in importance.items()}
        if measure.macs(prune_chain(model, keep), input_shape) <= budget:
            return keep
    raise ValueError("x")


# %% wrong="channels_for_macs" unnamed=True says="takes the even one"
def channels_for_macs(model, input_shape, importance, macs_ratio):
    budget = macs_ratio * measure.macs(model, input_shape)
    for i in range(64, -1, -1):
        keep = {n: s.topk(max(1, int(i / 64 * len(s) + 0.5))).indices.sort().values for n, s in importance.items()}
        if measure.macs(prune_chain(model, keep), input_shape) <= budget:
            return keep
    raise ValueError("x")


# %% wrong="channels_for_macs" unnamed=True says="share that stays"
def channels_for_macs(model, input_shape, importance, macs_ratio):
    budget = (1 - macs_ratio) * measure.macs(model, input_shape)
    for i in range(64, -1, -1):
        keep = {n: s.topk(max(1, round(i / 64 * len(s)))).indices.sort().values for n, s in importance.items()}
        if measure.macs(prune_chain(model, keep), input_shape) <= budget:
            return keep
    raise ValueError("x")


# %% wrong="channels_for_macs" unnamed=True says="not the square"
def channels_for_macs(model, input_shape, importance, macs_ratio):
    f = round(macs_ratio ** 0.5 * 64) / 64
    return {n: s.topk(max(1, round(f * len(s)))).indices.sort().values for n, s in importance.items()}


# %% wrong="channels_for_macs" unnamed=True says="from 64 down to 0"
def channels_for_macs(model, input_shape, importance, macs_ratio):
    budget = macs_ratio * measure.macs(model, input_shape)
    for i in range(64, 0, -1):
        keep = {n: s.topk(max(1, round(i / 64 * len(s)))).indices.sort().values for n, s in importance.items()}
        if measure.macs(prune_chain(model, keep), input_shape) <= budget:
            return keep
    raise ValueError("x")


# %% wrong="coupled_groups" unnamed=True says="groups that share a layer" also="chains of adds"
def coupled_groups(graph):
    import itertools
    def back(node):
        kind, inputs = graph[node]
        return {node} if kind in ("conv", "linear") else set().union(*(back(n) for n in inputs))

    found = set()
    for node, (kind, inputs) in graph.items():
        if kind == "add":
            found |= {frozenset(p) for p in itertools.combinations(sorted(back(node)), 2)}
    return [set(p) for p in found]


# %% wrong="coupled_groups" unnamed=True says="chains of adds"
def coupled_groups(graph):
    def back(node):
        kind, inputs = graph[node]
        if kind in ("conv", "linear"):
            return [node]
        return [m for n in inputs[:1] for m in back(n)]

    found = []
    for node, (kind, inputs) in graph.items():
        if kind == "add":
            pair = {m for n in inputs for m in back(n)}
            if len(pair) > 1 and pair not in found:
                found.append(pair)
    return found


# %% wrong="coupled_groups" unnamed=True says="Only direct pairs"
def coupled_groups(graph):
    groups = []
    for kind, inputs in graph.values():
        if kind == "add":
            group = {n for n in inputs if graph[n][0] in ("conv", "linear")}
            hit = [g for g in groups if g & group]
            groups = [g for g in groups if not g & group] + [group.union(*hit)]
    return [g for g in groups if len(g) > 1]


# %% wrong="coupled_groups" unnamed=True says="channels of their own"
def coupled_groups(graph):
    parent = {n: n for n in graph}
    def find(n):
        while parent[n] != n:
            n = parent[n]
        return n
    for node, (kind, inputs) in graph.items():
        for other in inputs:
            parent[find(other)] = find(node)
    groups = {}
    for node, (kind, _) in graph.items():
        if kind in ("conv", "linear"):
            groups.setdefault(find(node), set()).add(node)
    return [g for g in groups.values() if len(g) > 1]


# %% wrong="coupled_groups" unnamed=True says="Linear layers were passed over"
def coupled_groups(graph):
    parent = {n: n for n in graph}
    def find(n):
        while parent[n] != n:
            n = parent[n]
        return n
    for node, (kind, inputs) in graph.items():
        if kind != "conv":
            for other in inputs:
                parent[find(other)] = find(node)
    groups = {}
    for node, (kind, _) in graph.items():
        if kind == "conv":
            groups.setdefault(find(node), set()).add(node)
    return [g for g in groups.values() if len(g) > 1]


# %% wrong="coupled_groups" unnamed=True says="overwrites the first"
def coupled_groups(graph):
    parent = {n: n for n in graph}
    def find(n):
        while parent[n] != n:
            n = parent[n]
        return n
    for node, (kind, inputs) in graph.items():
        if kind not in ("conv", "linear"):
            for other in inputs:
                parent[other] = node
    groups = {}
    for node, (kind, _) in graph.items():
        if kind in ("conv", "linear"):
            groups.setdefault(find(node), set()).add(node)
    return [g for g in groups.values() if len(g) > 1]


# %% wrong="coupled_groups" unnamed=True says="other kinds are named"
def coupled_groups(graph):
    parent = {n: n for n in graph}
    def find(n):
        while parent[n] != n:
            n = parent[n]
        return n
    for node, (kind, inputs) in graph.items():
        if kind not in ("conv", "linear", "depthwise"):
            for other in inputs:
                parent[find(other)] = find(node)
    groups = {}
    for node, (kind, _) in graph.items():
        if kind in ("conv", "linear", "depthwise"):
            groups.setdefault(find(node), set()).add(node)
    return [g for g in groups.values() if len(g) > 1]


# %% wrong="coupled_groups" unnamed=True says="added to the same input"
def coupled_groups(graph):
    def back(node):
        kind, inputs = graph[node]
        return {node} if kind in ("conv", "linear") else set().union(*(back(n) for n in inputs))
    groups = []
    for node, (kind, _) in graph.items():
        if kind == "add":
            new = back(node)
            hit = [g for g in groups if g & new]
            groups = [g for g in groups if not g & new] + [new.union(*hit)]
    return [g for g in groups if len(g) > 1]


# %% wrong="coupled_groups" unnamed=True says="Chains of adds were not merged"
def coupled_groups(graph):
    def source(n):
        while graph[n][0] not in ("conv", "linear", "add") and graph[n][1]:
            n = graph[n][1][0]
        return n
    found = []
    for kind, inputs in graph.values():
        if kind == "add":
            pair = {source(n) for n in inputs}
            pair = {n for n in pair if graph[n][0] in ("conv", "linear")}
            if len(pair) > 1:
                found.append(pair)
    return found


# %% wrong="prune_heads" unnamed=True says="stand one below the other"
def prune_heads(attn, heads):
    if any(h < 0 or h >= attn.num_heads for h in heads):
        raise ValueError(heads)
    d = attn.head_dim
    rows = [h * d + i for h in range(attn.num_heads) if h not in heads for i in range(d)]
    parts = {f"{n}_weight": w[rows] for n, w in zip("qkv", attn.in_proj_weight.detach().chunk(3, dim=1))}
    parts["out_weight"] = attn.out_proj.weight.detach()[:, rows]
    if attn.in_proj_bias is not None:
        parts |= {f"{n}_bias": b[rows] for n, b in zip("qkv", attn.in_proj_bias.detach().chunk(3))}
        parts["out_bias"] = attn.out_proj.bias.detach()
    return parts


# %% wrong="prune_heads" unnamed=True says="stand one below the other"
def prune_heads(attn, heads):
    if any(h < 0 or h >= attn.num_heads for h in heads):
        raise ValueError(heads)
    d = attn.head_dim
    rows = [h * d + i for h in range(attn.num_heads) if h not in heads for i in range(d)]
    parts = {f"{n}_weight": w[:, rows] for n, w in zip("qkv", attn.in_proj_weight.detach().chunk(3))}
    parts["out_weight"] = attn.out_proj.weight.detach()[:, rows]
    if attn.in_proj_bias is not None:
        parts |= {f"{n}_bias": b[rows] for n, b in zip("qkv", attn.in_proj_bias.detach().chunk(3))}
        parts["out_bias"] = attn.out_proj.bias.detach()
    return parts


# %% wrong="prune_heads" unnamed=True says="stand one below the other"
def prune_heads(attn, heads):
    if any(h < 0 or h >= attn.num_heads for h in heads):
        raise ValueError(heads)
    d = attn.head_dim
    rows = [h * d + i for h in range(attn.num_heads) if h not in heads for i in range(d)]
    parts = {f"{n}_weight": w[:, rows] for n, w in zip("qkv", attn.in_proj_weight.detach().chunk(3, -1))}
    parts["out_weight"] = attn.out_proj.weight.detach()[:, rows]
    if attn.in_proj_bias is not None:
        parts |= {f"{n}_bias": b[rows] for n, b in zip("qkv", attn.in_proj_bias.detach().chunk(3))}
        parts["out_bias"] = attn.out_proj.bias.detach()
    return parts


# %% wrong="prune_heads" unnamed=True says="without biases in_proj_bias"
def prune_heads(attn, heads):
    if any(h < 0 or h >= attn.num_heads for h in heads):
        raise ValueError(heads)
    d = attn.head_dim
    rows = [h * d + i for h in range(attn.num_heads) if h not in heads for i in range(d)]
    parts = {f"{n}_weight": w[rows] for n, w in zip("qkv", attn.in_proj_weight.detach().chunk(3))}
    parts["out_weight"] = attn.out_proj.weight.detach()[:, rows]
    parts |= {f"{n}_bias": b[rows] for n, b in zip("qkv", attn.in_proj_bias.detach().chunk(3))}
    parts["out_bias"] = attn.out_proj.bias.detach()
    return parts


# %% wrong="prune_heads" unnamed=True says="without biases in_proj_bias"
def prune_heads(attn, heads):
    if any(h < 0 or h >= attn.num_heads for h in heads):
        raise ValueError(heads)
    d = attn.head_dim
    rows = [h * d + i for h in range(attn.num_heads) if h not in heads for i in range(d)]
    parts = {f"{n}_weight": w[rows] for n, w in zip("qkv", attn.in_proj_weight.detach().chunk(3))}
    parts["out_weight"] = attn.out_proj.weight.detach()[:, rows]
    biases = [None] * 3 if attn.in_proj_bias is None else attn.in_proj_bias.detach().chunk(3)
    parts |= {f"{n}_bias": None if b is None else b[rows] for n, b in zip("qkv", biases)}
    parts["out_bias"] = attn.out_proj.bias
    return parts


# %% wrong="prune_heads" unnamed=True says="nothing was removed"
def prune_heads(attn, heads):
    if any(h < 0 or h >= attn.num_heads for h in heads):
        raise ValueError(heads)
    d = attn.head_dim
    rows = [h * d + i for h in range(attn.num_heads) if h not in heads for i in range(d)]
    parts = {f"{n}_weight": w[rows] for n, w in zip("qkv", attn.in_proj_weight.detach().chunk(3))}
    parts["out_weight"] = attn.out_proj.weight.detach()
    if attn.in_proj_bias is not None:
        parts |= {f"{n}_bias": b[rows] for n, b in zip("qkv", attn.in_proj_bias.detach().chunk(3))}
        parts["out_bias"] = attn.out_proj.bias.detach()
    return parts


# %% wrong="prune_heads" unnamed=True says="other columns than v_weight"
def prune_heads(attn, heads):
    if any(h < 0 or h >= attn.num_heads for h in heads):
        raise ValueError(heads)
    d = attn.head_dim
    rows = [h * d + i for h in range(attn.num_heads) if h not in heads for i in range(d)]
    parts = {f"{n}_weight": w[rows] for n, w in zip("qkv", attn.in_proj_weight.detach().chunk(3))}
    parts["out_weight"] = attn.out_proj.weight.detach()[:, :len(rows)]
    if attn.in_proj_bias is not None:
        parts |= {f"{n}_bias": b[rows] for n, b in zip("qkv", attn.in_proj_bias.detach().chunk(3))}
        parts["out_bias"] = attn.out_proj.bias.detach()
    return parts


# %% wrong="prune_heads" unnamed=True says="one row a head"
def prune_heads(attn, heads):
    if any(h < 0 or h >= attn.num_heads for h in heads):
        raise ValueError(heads)
    rows = [h for h in range(attn.num_heads) if h not in heads]
    parts = {f"{n}_weight": w[rows] for n, w in zip("qkv", attn.in_proj_weight.detach().chunk(3))}
    parts["out_weight"] = attn.out_proj.weight.detach()[:, rows]
    if attn.in_proj_bias is not None:
        parts |= {f"{n}_bias": b[rows] for n, b in zip("qkv", attn.in_proj_bias.detach().chunk(3))}
        parts["out_bias"] = attn.out_proj.bias.detach()
    return parts


# %% wrong="prune_heads" unnamed=True says="nothing was removed"
def prune_heads(attn, heads):
    if any(h < 0 or h >= attn.num_heads for h in heads):
        raise ValueError(heads)
    d = attn.head_dim
    rows = [h * d + i for h in range(attn.num_heads) if h not in heads for i in range(d)]
    parts = {f"{n}_weight": w[rows] for n, w in zip("qkv", attn.in_proj_weight.detach().chunk(3))}
    parts["out_weight"] = attn.out_proj.weight.detach()[:, rows]
    if attn.in_proj_bias is not None:
        parts |= {f"{n}_bias": b for n, b in zip("qkv", attn.in_proj_bias.detach().chunk(3))}
        parts["out_bias"] = attn.out_proj.bias.detach()
    return parts


# %% wrong="prune_heads" unnamed=True says="k_bias has other entries"
def prune_heads(attn, heads):
    if any(h < 0 or h >= attn.num_heads for h in heads):
        raise ValueError(heads)
    d = attn.head_dim
    rows = [h * d + i for h in range(attn.num_heads) if h not in heads for i in range(d)]
    parts = {f"{n}_weight": w[rows] for n, w in zip("qkv", attn.in_proj_weight.detach().chunk(3))}
    parts["out_weight"] = attn.out_proj.weight.detach()[:, rows]
    if attn.in_proj_bias is not None:
        parts |= {f"{n}_bias": attn.in_proj_bias.detach()[rows] for n in "qkv"}
        parts["out_bias"] = attn.out_proj.bias.detach()
    return parts


# %% wrong="prune_heads" unnamed=True says="rows of heads that are to be removed"
def prune_heads(attn, heads):
    if any(h < 0 or h >= attn.num_heads for h in heads):
        raise ValueError(heads)
    d = attn.num_heads
    rows = [h * d + i for h in range(attn.head_dim) if h not in heads for i in range(d)]
    parts = {f"{n}_weight": w[rows] for n, w in zip("qkv", attn.in_proj_weight.detach().chunk(3))}
    parts["out_weight"] = attn.out_proj.weight.detach()[:, rows]
    if attn.in_proj_bias is not None:
        parts |= {f"{n}_bias": b[rows] for n, b in zip("qkv", attn.in_proj_bias.detach().chunk(3))}
        parts["out_bias"] = attn.out_proj.bias.detach()
    return parts


# %% wrong="prune_chain" unnamed=True says="it is what stays"
def prune_chain(model, keep):
    import copy

    new, kept, channels = [], None, 1
    gone = {n: torch.tensor([c for c in range(len(model.get_submodule(n).weight)) if c not in k.tolist()]) for n, k in keep.items()}
    for name, layer in model.named_children():
        if isinstance(layer, nn.Conv2d):
            new.append(shrink_conv(layer, gone.get(name), kept))
            kept, channels = gone.get(name), layer.out_channels
        elif isinstance(layer, nn.BatchNorm2d) and kept is not None:
            new.append(shrink_batchnorm(layer, kept))
        elif isinstance(layer, nn.Linear):
            spatial = layer.in_features // channels if kept is not None else 1
            new.append(shrink_linear(layer, kept, gone.get(name), spatial))
            kept, channels = gone.get(name), layer.out_features
        else:
            new.append(copy.deepcopy(layer))
    return nn.Sequential(*new)


# %% wrong="prune_chain" unnamed=True says="index is too large"
def prune_chain(model, keep):
    import copy

    new, kept, channels = [], None, 1
    for name, layer in model.named_children():
        if isinstance(layer, nn.Conv2d):
            layer = shrink_conv(layer, keep.get(name))
            new.append(shrink_conv(layer, keep.get(name), kept))
            kept, channels = keep.get(name), layer.out_channels
        elif isinstance(layer, nn.BatchNorm2d) and kept is not None:
            new.append(shrink_batchnorm(layer, kept))
        elif isinstance(layer, nn.Linear):
            spatial = layer.in_features // channels if kept is not None else 1
            new.append(shrink_linear(layer, kept, keep.get(name), spatial))
            kept, channels = keep.get(name), layer.out_features
        else:
            new.append(copy.deepcopy(layer))
    return nn.Sequential(*new)


# %% wrong="prune_chain" unnamed=True says="index is too large"
def prune_chain(model, keep):
    import copy

    new, kept, channels = [], None, 1
    for name, layer in model.named_children():
        if isinstance(layer, nn.Conv2d):
            new.append(shrink_conv(layer, keep.get(name), kept))
            kept, channels = keep.get(name), new[-1].out_channels
        elif isinstance(layer, nn.BatchNorm2d) and kept is not None:
            new.append(shrink_batchnorm(layer, kept))
        elif isinstance(layer, nn.Linear):
            spatial = layer.in_features // channels if kept is not None else 1
            new.append(shrink_linear(layer, kept, keep.get(name), spatial))
            kept, channels = keep.get(name), new[-1].out_features
        else:
            new.append(copy.deepcopy(layer))
    return nn.Sequential(*new)


# %% wrong="prune_chain" unnamed=True says="index is too large"
def prune_chain(model, keep):
    import copy

    new, channels = [], 1
    for name, layer in model.named_children():
        if isinstance(layer, nn.Conv2d):
            new.append(shrink_conv(layer, keep.get(name), keep.get(name)))
        else:
            new.append(copy.deepcopy(layer))
    return nn.Sequential(*new)


# %% wrong="prune_chain" unnamed=True says="what batch norms hold"
def prune_chain(model, keep):
    import copy

    new, kept, channels = [], None, 1
    for name, layer in model.named_children():
        if isinstance(layer, nn.Conv2d):
            new.append(shrink_conv(layer, keep.get(name), kept))
            kept, channels = keep.get(name), layer.out_channels
        elif isinstance(layer, nn.BatchNorm2d) and kept is not None:
            new.append(nn.BatchNorm2d(len(kept)))
        elif isinstance(layer, nn.Linear):
            spatial = layer.in_features // channels if kept is not None else 1
            new.append(shrink_linear(layer, kept, keep.get(name), spatial))
            kept, channels = keep.get(name), layer.out_features
        else:
            new.append(copy.deepcopy(layer))
    return nn.Sequential(*new)


# %% wrong="prune_chain" unnamed=True says="order of channels"
def prune_chain(model, keep):
    import copy

    new, kept, channels = [], None, 1
    for name, layer in model.named_children():
        mine = keep[name].sort().values if name in keep else None
        if isinstance(layer, nn.Conv2d):
            new.append(shrink_conv(layer, mine, kept))
            kept, channels = keep.get(name), layer.out_channels
        elif isinstance(layer, nn.BatchNorm2d) and kept is not None:
            new.append(shrink_batchnorm(layer, kept))
        elif isinstance(layer, nn.Linear):
            spatial = layer.in_features // channels if kept is not None else 1
            new.append(shrink_linear(layer, kept, mine, spatial))
            kept, channels = keep.get(name), layer.out_features
        else:
            new.append(copy.deepcopy(layer))
    return nn.Sequential(*new)
