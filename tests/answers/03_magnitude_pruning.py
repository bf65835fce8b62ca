# %% [markdown]
# Wrong and right answers to lesson 03; `tests/test_answers.py` says how they are read.

# %% wrong="magnitude_mask" says="ties"
def magnitude_mask(w, sparsity):
    if not 0 <= sparsity <= 1:
        raise ValueError("sparsity")
    k = round(sparsity * w.numel())
    if k == 0:
        return torch.ones_like(w, dtype=torch.bool)
    return w.abs() > w.abs().flatten().kthvalue(k).values


# %% wrong="magnitude_mask" says="ties"
def magnitude_mask(w, sparsity):
    if not 0 <= sparsity <= 1:
        raise ValueError("sparsity")
    k = round(sparsity * w.numel())
    if k == w.numel():
        return torch.zeros_like(w, dtype=torch.bool)
    return w.abs() >= w.abs().flatten().sort().values[k]  # equal ones stay, all of them


# %% wrong="magnitude_mask" says="inverted"
def magnitude_mask(w, sparsity):
    if not 0 <= sparsity <= 1:
        raise ValueError("sparsity")
    mask = torch.zeros(w.numel(), dtype=torch.bool)
    mask[w.abs().flatten().argsort()[: round(sparsity * w.numel())]] = True
    return mask.reshape(w.shape)


# %% wrong="magnitude_mask" says="inverted"
def magnitude_mask(w, sparsity):
    if not 0 <= sparsity <= 1:
        raise ValueError("sparsity")
    mask = torch.ones(w.numel(), dtype=torch.bool)
    mask[w.abs().flatten().argsort(descending=True)[: round(sparsity * w.numel())]] = False  # the largest go
    return mask.reshape(w.shape)


# %% wrong="magnitude_mask" says="fails at sparsity 0"
def magnitude_mask(w, sparsity):
    if not 0 <= sparsity <= 1:
        raise ValueError("sparsity")
    mask = torch.ones(w.numel(), dtype=torch.bool)
    order = w.abs().flatten().argsort(descending=True)
    mask[order[-round(sparsity * w.numel()) :]] = False  # [-0:] is everything
    return mask.reshape(w.shape)


# %% wrong="magnitude_mask" says="fails at sparsity 0"
def magnitude_mask(w, sparsity):
    if not 0 <= sparsity <= 1:
        raise ValueError("sparsity")
    k = round(sparsity * w.numel())
    threshold = w.abs().flatten().kthvalue(k).values
    keep = w.abs() > threshold
    equal = (w.abs() == threshold).flatten().nonzero().flatten()
    keep = keep.flatten()
    keep[equal[: w.numel() - k - int(keep.sum())]] = True
    return keep.reshape(w.shape)


# %% wrong="magnitude_mask" says="fails at sparsity 0"
def magnitude_mask(w, sparsity):
    if not 0 < sparsity <= 1:
        raise ValueError("sparsity")
    mask = torch.ones(w.numel(), dtype=torch.bool)
    mask[w.abs().flatten().argsort()[: round(sparsity * w.numel())]] = False
    return mask.reshape(w.shape)


# %% wrong="magnitude_mask" unnamed=True says="by value"
def magnitude_mask(w, sparsity):
    if not 0 <= sparsity <= 1:
        raise ValueError("sparsity")
    mask = torch.ones(w.numel(), dtype=torch.bool)
    mask[w.flatten().argsort()[: round(sparsity * w.numel())]] = False
    return mask.reshape(w.shape)


# %% wrong="magnitude_mask" unnamed=True says="not rounded as round()"
def magnitude_mask(w, sparsity):
    if not 0 <= sparsity <= 1:
        raise ValueError("sparsity")
    mask = torch.ones(w.numel(), dtype=torch.bool)
    mask[w.abs().flatten().argsort()[: int(sparsity * w.numel())]] = False
    return mask.reshape(w.shape)


# %% wrong="magnitude_mask" unnamed=True says="expected a bool mask"
def magnitude_mask(w, sparsity):
    if not 0 <= sparsity <= 1:
        raise ValueError("sparsity")
    mask = torch.ones(w.numel())
    mask[w.abs().flatten().argsort()[: round(sparsity * w.numel())]] = 0
    return mask.reshape(w.shape)


# %% wrong="magnitude_mask" unnamed=True says="expected ValueError"
def magnitude_mask(w, sparsity):
    if sparsity < 0 or sparsity > 1:  # nan is neither
        raise ValueError("sparsity")
    removed = 0 if sparsity != sparsity else round(sparsity * w.numel())
    mask = torch.ones(w.numel(), dtype=torch.bool)
    mask[w.abs().flatten().argsort()[:removed]] = False
    return mask.reshape(w.shape)


# %% wrong="magnitude_mask" unnamed=True says="changed its input"
def magnitude_mask(w, sparsity):
    if not 0 <= sparsity <= 1:
        raise ValueError("sparsity")
    mask = torch.ones(w.numel(), dtype=torch.bool)
    mask[w.abs().flatten().argsort()[: round(sparsity * w.numel())]] = False
    w *= mask.reshape(w.shape)
    return mask.reshape(w.shape)


# %% wrong="magnitude_mask" unnamed=True says="from scratch"
def magnitude_mask(w, sparsity):
    if not 0 <= sparsity <= 1:
        raise ValueError("sparsity")
    from torch.nn.utils import prune as p

    return p.L1Unstructured(amount=round(sparsity * w.numel())).compute_mask(w, torch.ones_like(w)).bool()


# %% right="magnitude_mask"
def magnitude_mask(w, sparsity):
    if not (sparsity >= 0 and sparsity <= 1):
        raise ValueError(f"bad sparsity {sparsity}")
    keep = w.numel() - round(sparsity * w.numel())
    mask = torch.zeros(w.numel(), dtype=torch.bool)
    mask[w.detach().abs().reshape(-1).topk(keep).indices] = True
    return mask.view_as(w)


# %% right="magnitude_mask"
def magnitude_mask(w, sparsity):
    if math.isnan(sparsity) or sparsity < 0 or sparsity > 1:
        raise ValueError("sparsity")
    a = np.abs(w.detach().numpy()).ravel()
    rank = np.empty(a.size, dtype=np.int64)
    rank[np.argsort(a, kind="stable")] = np.arange(a.size)
    return torch.from_numpy(rank >= round(sparsity * a.size)).reshape(w.shape)


# %% right="magnitude_mask"
def magnitude_mask(w, sparsity):
    if not 0 <= sparsity <= 1:
        raise ValueError("sparsity")
    numbers = [abs(v) for v in w.flatten().tolist()]
    order = sorted(range(len(numbers)), key=numbers.__getitem__)
    gone = set(order[: round(sparsity * len(numbers))])
    return torch.tensor([i not in gone for i in range(len(numbers))]).reshape(w.shape)


# %% right="magnitude_mask"
def magnitude_mask(w, sparsity):
    if not 0 <= sparsity <= 1:
        raise ValueError("sparsity")
    k, flat = round(sparsity * w.numel()), w.abs().flatten()
    if k == 0:
        return torch.ones_like(w, dtype=torch.bool)
    threshold = flat.kthvalue(k).values
    mask = flat > threshold
    ties = (flat == threshold).nonzero()[:, 0]
    mask[ties[k - int((flat < threshold).sum()) :]] = True
    return mask.reshape(w.shape)


# %% wrong="global_masks" says="per layer"
def global_masks(weights, sparsity):
    return {name: magnitude_mask(w, sparsity) for name, w in weights.items()}


# %% wrong="global_masks" says="per layer"
def global_masks(weights, sparsity):
    if not 0 <= sparsity <= 1:
        raise ValueError("sparsity")
    masks = {}
    for name, w in weights.items():
        flat = w.abs().flatten()
        mask = torch.zeros(len(flat), dtype=torch.bool)
        mask[flat.topk(len(flat) - round(sparsity * len(flat))).indices] = True
        masks[name] = mask.reshape(w.shape)
    return masks


# %% wrong="global_masks" unnamed=True says="ties"
def global_masks(weights, sparsity):
    if not 0 <= sparsity <= 1:
        raise ValueError("sparsity")
    flat = torch.cat([w.abs().flatten() for w in weights.values()]).sort().values
    k = round(sparsity * len(flat))
    threshold = flat[k - 1] if k else -1.0
    return {name: w.abs() > threshold for name, w in weights.items()}


# %% wrong="global_masks" unnamed=True says="per layer"
def global_masks(weights, sparsity):
    flat = torch.cat([w.flatten() / w.abs().max() for w in weights.values()])  # each layer on its own scale
    parts = magnitude_mask(flat, sparsity).split([w.numel() for w in weights.values()])
    return {name: part.reshape(w.shape) for (name, w), part in zip(weights.items(), parts)}


# %% wrong="global_masks" unnamed=True says="needs shape"
def global_masks(weights, sparsity):
    flat = torch.cat([w.flatten() for w in weights.values()])
    parts = magnitude_mask(flat, sparsity).split([w.numel() for w in weights.values()])
    return dict(zip(weights, parts))


# %% wrong="global_masks" unnamed=True says="inverted"
def global_masks(weights, sparsity):
    flat = torch.cat([w.flatten() for w in weights.values()])
    parts = (~magnitude_mask(flat, sparsity)).split([w.numel() for w in weights.values()])
    return {name: part.reshape(w.shape) for (name, w), part in zip(weights.items(), parts)}


# %% wrong="global_masks" unnamed=True says="from scratch"
def global_masks(weights, sparsity):
    import torch.nn.utils.prune

    if not 0 <= sparsity <= 1:
        raise ValueError("sparsity")
    holder = nn.ModuleDict({str(i): nn.Module() for i in range(len(weights))})
    for module, w in zip(holder.values(), weights.values()):
        module.register_parameter("w", nn.Parameter(w.clone()))
    total = sum(w.numel() for w in weights.values())
    torch.nn.utils.prune.global_unstructured(
        [(m, "w") for m in holder.values()], torch.nn.utils.prune.L1Unstructured, amount=round(sparsity * total)
    )
    return {n: m.w_mask.bool() for n, m in zip(weights, holder.values())}


# %% right="global_masks"
def global_masks(weights, sparsity):
    if not 0 <= sparsity <= 1:
        raise ValueError("sparsity")
    flat = torch.cat([w.abs().reshape(-1) for w in weights.values()])
    keep = torch.zeros(flat.shape, dtype=torch.bool)
    keep[flat.sort(descending=True).indices[: len(flat) - round(sparsity * len(flat))]] = True
    masks, start = {}, 0
    for name, w in weights.items():
        masks[name] = keep[start : start + w.numel()].view(w.shape)
        start += w.numel()
    return masks


# %% right="global_masks"
def global_masks(weights, sparsity):
    if not 0 <= sparsity <= 1:
        raise ValueError("sparsity")
    places = sorted((abs(v), name, i) for name, w in weights.items() for i, v in enumerate(w.flatten().tolist()))
    masks = {name: torch.ones(w.numel(), dtype=torch.bool) for name, w in weights.items()}
    for _, name, i in places[: round(sparsity * len(places))]:
        masks[name][i] = False
    return {name: masks[name].reshape(w.shape) for name, w in weights.items()}


# %% right="global_masks"
def global_masks(weights, sparsity):
    flat = np.concatenate([w.detach().numpy().ravel() for w in weights.values()])
    mask = magnitude_mask(torch.from_numpy(flat), sparsity).numpy()
    ends = np.cumsum([w.numel() for w in weights.values()])[:-1]
    return {
        n: torch.from_numpy(part.reshape(tuple(w.shape)).copy())
        for (n, w), part in zip(weights.items(), np.split(mask, ends))
    }


# %% wrong="taylor_saliency" says="Squares before summing"
def taylor_saliency(model, batches):
    modes = {m: m.training for m in model.modules()}
    layers = {n + ".weight": m.weight for n, m in model.named_modules() if type(m) in (nn.Linear, nn.Conv2d)}
    result = {n: torch.zeros_like(w) for n, w in layers.items()}
    model.eval()
    try:
        for x, y in batches:
            for (n, w), g in zip(
                layers.items(), torch.autograd.grad(F.cross_entropy(model(x), y), list(layers.values()))
            ):
                result[n] += (w.detach() * g) ** 2
    finally:
        for m, mode in modes.items():
            m.training = mode
    return result


# %% wrong="taylor_saliency" says="Squares before summing"
def taylor_saliency(model, batches):
    modes = {m: m.training for m in model.modules()}
    layers = {n + ".weight": m.weight for n, m in model.named_modules() if type(m) in (nn.Linear, nn.Conv2d)}
    result = {n: torch.zeros_like(w) for n, w in layers.items()}
    model.eval()
    try:
        for x, y in batches:
            for (n, w), g in zip(
                layers.items(), torch.autograd.grad(F.cross_entropy(model(x), y), list(layers.values()))
            ):
                result[n] += (w.detach() * g).abs()
    finally:
        for m, mode in modes.items():
            m.training = mode
    return {n: r**2 for n, r in result.items()}


# %% wrong="taylor_saliency" says="gradient alone"
def taylor_saliency(model, batches):
    modes = {m: m.training for m in model.modules()}
    layers = {n + ".weight": m.weight for n, m in model.named_modules() if type(m) in (nn.Linear, nn.Conv2d)}
    model.eval()
    try:
        loss = sum(F.cross_entropy(model(x), y) for x, y in batches)
        grads = torch.autograd.grad(loss, list(layers.values()))
    finally:
        for m, mode in modes.items():
            m.training = mode
    return {n: g**2 for n, g in zip(layers, grads)}


# %% wrong="taylor_saliency" says="leaves gradients behind"
def taylor_saliency(model, batches):
    modes = {m: m.training for m in model.modules()}
    layers = {n + ".weight": m.weight for n, m in model.named_modules() if type(m) in (nn.Linear, nn.Conv2d)}
    model.zero_grad()
    model.eval()
    try:
        for x, y in batches:
            F.cross_entropy(model(x), y).backward()
    finally:
        for m, mode in modes.items():
            m.training = mode
    return {n: (w.detach() * w.grad) ** 2 for n, w in layers.items()}


# %% wrong="taylor_saliency" says="leaves gradients behind"
def taylor_saliency(model, batches):
    modes = {m: m.training for m in model.modules()}
    layers = {n + ".weight": m.weight for n, m in model.named_modules() if type(m) in (nn.Linear, nn.Conv2d)}
    model.zero_grad()
    model.eval()
    try:
        for x, y in batches:
            F.cross_entropy(model(x), y).backward()
        return {n: (w.detach() * w.grad) ** 2 for n, w in layers.items()}
    finally:
        model.zero_grad()  # what was there before is lost
        for m, mode in modes.items():
            m.training = mode


# %% wrong="taylor_saliency" unnamed=True says="Not squared"
def taylor_saliency(model, batches):
    modes = {m: m.training for m in model.modules()}
    layers = {n + ".weight": m.weight for n, m in model.named_modules() if type(m) in (nn.Linear, nn.Conv2d)}
    model.eval()
    try:
        grads = torch.autograd.grad(sum(F.cross_entropy(model(x), y) for x, y in batches), list(layers.values()))
    finally:
        for m, mode in modes.items():
            m.training = mode
    return {n: (w.detach() * g).abs() for (n, w), g in zip(layers.items(), grads)}


# %% wrong="taylor_saliency" unnamed=True says="not restored"
def taylor_saliency(model, batches):
    layers = {n + ".weight": m.weight for n, m in model.named_modules() if type(m) in (nn.Linear, nn.Conv2d)}
    model.eval()
    grads = torch.autograd.grad(sum(F.cross_entropy(model(x), y) for x, y in batches), list(layers.values()))
    model.train()
    return {n: (w.detach() * g) ** 2 for (n, w), g in zip(layers.items(), grads)}


# %% wrong="taylor_saliency" unnamed=True says="train mode"
def taylor_saliency(model, batches):
    layers = {n + ".weight": m.weight for n, m in model.named_modules() if type(m) in (nn.Linear, nn.Conv2d)}
    buffers = {n: b.clone() for n, b in model.named_buffers()}
    torch.manual_seed(0)
    grads = torch.autograd.grad(sum(F.cross_entropy(model(x), y) for x, y in batches), list(layers.values()))
    for n, b in model.named_buffers():
        b.copy_(buffers[n])
    return {n: (w.detach() * g) ** 2 for (n, w), g in zip(layers.items(), grads)}


# %% wrong="taylor_saliency" unnamed=True says="Only layers have a saliency"
def taylor_saliency(model, batches):
    modes = {m: m.training for m in model.modules()}
    named = {n: p for n, p in model.named_parameters() if p.dim() > 1}  # a subclass of Linear as well
    model.eval()
    try:
        grads = torch.autograd.grad(sum(F.cross_entropy(model(x), y) for x, y in batches), list(named.values()))
    finally:
        for m, mode in modes.items():
            m.training = mode
    return {n: (w.detach() * g) ** 2 for (n, w), g in zip(named.items(), grads)}


# %% wrong="taylor_saliency" unnamed=True says="mean over the batches"
def taylor_saliency(model, batches):
    modes = {m: m.training for m in model.modules()}
    layers = {n + ".weight": m.weight for n, m in model.named_modules() if type(m) in (nn.Linear, nn.Conv2d)}
    model.eval()
    try:
        loss = sum(F.cross_entropy(model(x), y) for x, y in batches) / len(batches)
        grads = torch.autograd.grad(loss, list(layers.values()))
    finally:
        for m, mode in modes.items():
            m.training = mode
    return {n: (w.detach() * g) ** 2 for (n, w), g in zip(layers.items(), grads)}


# %% wrong="taylor_saliency" unnamed=True says="from scratch"
def taylor_saliency(model, batches):
    import torch_pruning as tp

    importance = tp.importance.TaylorImportance()
    return {n: importance for n, _ in model.named_parameters()}


# %% right="taylor_saliency"
def taylor_saliency(model, batches):
    import copy

    twin = copy.deepcopy(model).eval()
    for p in twin.parameters():
        p.grad = None
    for x, y in batches:
        F.cross_entropy(twin(x), y).backward()
    return {
        f"{n}.weight" if n else "weight": (m.weight.detach() * m.weight.grad).square()
        for n, m in twin.named_modules()
        if type(m) is nn.Linear or type(m) is nn.Conv2d
    }


# %% right="taylor_saliency"
def taylor_saliency(model, batches):
    saved = {n: p.grad for n, p in model.named_parameters()}
    modes = [(m, m.training) for m in model.modules()]
    layers = {f"{n}.weight": m.weight for n, m in model.named_modules() if type(m) in (nn.Linear, nn.Conv2d)}
    try:
        for p in model.parameters():
            p.grad = None
        model.eval()
        for x, y in batches:
            F.cross_entropy(model(x), y).backward()
        return {n: (w.grad * w.detach()).pow(2) for n, w in layers.items()}
    finally:
        for n, p in model.named_parameters():
            p.grad = saved[n]
        for m, mode in modes:
            m.training = mode


# %% right="taylor_saliency"
def taylor_saliency(model, batches):
    modes = [m.training for m in model.modules()]
    kinds = (nn.Linear, nn.Conv2d)
    names = [f"{n}.weight" for n, m in model.named_modules() if type(m) in kinds]
    weights = [m.weight for m in model.modules() if type(m) in kinds]
    model.eval()
    try:
        loss = torch.stack([F.nll_loss(F.log_softmax(model(x), 1), y) for x, y in batches]).sum()
        gradients = torch.autograd.grad(loss, weights)
    finally:
        for m, mode in zip(model.modules(), modes):
            m.training = mode
    return {n: w.data**2 * g**2 for n, w, g in zip(names, weights, gradients)}


# %% wrong="sensitivity_scan" says="Cumulative"
def sensitivity_scan(model, names, sparsities, evaluate):
    state = {n: p.detach().clone() for n, p in model.named_parameters()}
    parameters, scan = dict(model.named_parameters()), {}
    try:
        for name in names:
            scan[name] = []
            for s in sparsities:
                parameters[name].data *= magnitude_mask(parameters[name].data, s)
                scan[name].append(evaluate(model))
    finally:
        for n, p in parameters.items():
            p.data.copy_(state[n])
    return scan


# %% wrong="sensitivity_scan" says="Cumulative"
def sensitivity_scan(model, names, sparsities, evaluate):
    parameters, scan = dict(model.named_parameters()), {}
    for name in names:
        original, scan[name] = parameters[name].detach().clone(), []
        for s in sparsities:
            parameters[name].data.copy_(original * magnitude_mask(original, s))
            scan[name].append(evaluate(model))
    return scan


# %% wrong="sensitivity_scan" says="Cumulative"
def sensitivity_scan(model, names, sparsities, evaluate):
    parameters, scan = dict(model.named_parameters()), {}
    for name in names:
        original, scan[name] = parameters[name].detach().clone(), []
        try:
            for s in sparsities:
                parameters[name].data *= magnitude_mask(parameters[name].data, s)
                scan[name].append(evaluate(model))
        finally:
            parameters[name].data.copy_(original)
    return scan


# %% wrong="sensitivity_scan" says="not restored"
def sensitivity_scan(model, names, sparsities, evaluate):
    original = {n: p.detach().clone() for n, p in model.named_parameters()}
    parameters, scan = dict(model.named_parameters()), {}
    for name in names:
        scan[name] = []
        for s in sparsities:
            for n, p in parameters.items():
                p.data.copy_(original[n])
            parameters[name].data *= magnitude_mask(original[name], s)
            scan[name].append(evaluate(model))
    return scan


# %% wrong="sensitivity_scan" says="not restored"
def sensitivity_scan(model, names, sparsities, evaluate):
    parameters, scan = dict(model.named_parameters()), {}
    for name in names:
        original, scan[name] = parameters[name].detach().clone(), []
        for s in sparsities:
            parameters[name].data.copy_(original * magnitude_mask(original, s))
            scan[name].append(evaluate(model))  # if this raises, nothing is put back
            parameters[name].data.copy_(original)
    return scan


# %% wrong="sensitivity_scan" unnamed=True says="pruned at once"
def sensitivity_scan(model, names, sparsities, evaluate):
    import copy

    scan = {name: [] for name in names}
    for s in sparsities:
        twin = copy.deepcopy(model)
        for n, p in twin.named_parameters():
            if n in names:
                p.data *= magnitude_mask(p.data, s)
        value = evaluate(twin)
        for name in names:
            scan[name].append(value)
    return scan


# %% wrong="sensitivity_scan" unnamed=True says="expected"
def sensitivity_scan(model, names, sparsities, evaluate):
    parameters, scan, baseline = dict(model.named_parameters()), {}, evaluate(model)
    for name in names:
        original, scan[name] = parameters[name].detach().clone(), []
        try:
            for s in sparsities:
                parameters[name].data.copy_(original * magnitude_mask(original, s))
                scan[name].append(baseline - evaluate(model))  # the drop, not the metric
        finally:
            parameters[name].data.copy_(original)
    return scan


# %% wrong="sensitivity_scan" unnamed=True says="not restored"
def sensitivity_scan(model, names, sparsities, evaluate):
    parameters, scan = dict(model.named_parameters()), {}
    model.eval()
    for name in names:
        original, scan[name] = parameters[name].detach().clone(), []
        try:
            for s in sparsities:
                parameters[name].data.copy_(original * magnitude_mask(original, s))
                scan[name].append(evaluate(model))
        finally:
            parameters[name].data.copy_(original)
    return scan


# %% wrong="sensitivity_scan" unnamed=True says="from scratch"
def sensitivity_scan(model, names, sparsities, evaluate):
    import torch.nn.utils.prune as pruning

    scan = {}
    for name in names:
        owner, _, attribute = name.rpartition(".")
        module = model.get_submodule(owner)
        scan[name] = []
        for s in sparsities:
            pruning.l1_unstructured(module, attribute, amount=s)
            scan[name].append(evaluate(model))
            pruning.remove(module, attribute)
    return scan


# %% right="sensitivity_scan"
def sensitivity_scan(model, names, sparsities, evaluate):
    import copy

    scan = {}
    for name in names:
        scan[name] = []
        for s in sparsities:
            twin = copy.deepcopy(model)
            p = dict(twin.named_parameters())[name]
            with torch.no_grad():
                p[~magnitude_mask(p, s)] = 0.0
            scan[name].append(float(evaluate(twin)))
    return scan


# %% right="sensitivity_scan"
def sensitivity_scan(model, names, sparsities, evaluate):
    original = {n: t.clone() for n, t in model.state_dict().items()}

    def measured(name, s):
        try:
            changed = dict(original)
            changed[name] = original[name] * magnitude_mask(original[name], s)
            model.load_state_dict(changed)
            return evaluate(model)
        finally:
            model.load_state_dict(original)

    return {name: [measured(name, s) for s in sparsities] for name in names}


# %% right="sensitivity_scan"
def sensitivity_scan(model, names, sparsities, evaluate):
    scan = {}
    for name, p in model.named_parameters():
        if name not in names:
            continue
        backup, results = p.data, []
        try:
            for s in sparsities:
                p.data = torch.where(magnitude_mask(backup, s), backup, torch.zeros(()))
                results.append(evaluate(model))
        finally:
            p.data = backup
        scan[name] = results
    return scan


# %% wrong="MaskedTrainer" says="came back"
class MaskedTrainer:
    def __init__(self, model, masks):
        self.model, self.masks = model, masks
        with torch.no_grad():
            for name, p in model.named_parameters():
                if name in masks:
                    p.mul_(masks[name])

    def step(self, loss, optimizer):
        optimizer.zero_grad()
        loss.backward()
        for name, p in self.model.named_parameters():
            if name in self.masks:
                p.grad.mul_(self.masks[name])
        optimizer.step()


# %% wrong="MaskedTrainer" says="came back"
class MaskedTrainer:
    def __init__(self, model, masks):
        named = dict(model.named_parameters())
        for name, mask in masks.items():
            named[name].data *= mask
            named[name].register_hook(lambda g, mask=mask: g * mask)

    def step(self, loss, optimizer):
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


# %% wrong="MaskedTrainer" says="came back"
class MaskedTrainer:
    def __init__(self, model, masks):
        self.model, self.masks = model, masks
        self.apply()

    def apply(self):
        with torch.no_grad():
            for name, p in self.model.named_parameters():
                if name in self.masks:
                    p.mul_(self.masks[name])

    def step(self, loss, optimizer):
        optimizer.zero_grad()
        loss.backward()
        self.apply()  # before the step, not after it
        optimizer.step()


# %% wrong="MaskedTrainer" says="no zero_grad"
class MaskedTrainer:
    def __init__(self, model, masks):
        self.model, self.masks = model, masks
        self.apply()

    def apply(self):
        with torch.no_grad():
            for name, p in self.model.named_parameters():
                if name in self.masks:
                    p.mul_(self.masks[name])

    def step(self, loss, optimizer):
        loss.backward()
        optimizer.step()
        self.apply()


# %% wrong="MaskedTrainer" unnamed=True says="not applied by __init__"
class MaskedTrainer:
    def __init__(self, model, masks):
        self.model, self.masks = model, masks

    def step(self, loss, optimizer):
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for name, p in self.model.named_parameters():
                if name in self.masks:
                    p.mul_(self.masks[name])


# %% wrong="MaskedTrainer" unnamed=True says="No weight moved"
class MaskedTrainer:
    def __init__(self, model, masks):
        self.named, self.masks = dict(model.named_parameters()), masks
        for name, mask in masks.items():
            self.named[name].data *= mask

    def step(self, loss, optimizer):
        loss.backward()
        optimizer.zero_grad()  # clears the gradients that were just computed
        optimizer.step()
        for name, mask in self.masks.items():
            self.named[name].data *= mask


# %% wrong="MaskedTrainer" unnamed=True says="not applied by __init__"
class MaskedTrainer:
    def __init__(self, model, masks):
        self.named, self.masks = dict(model.named_parameters()), masks
        self.apply()

    def apply(self):
        for name, mask in self.masks.items():
            self.named[name].data[mask] = 0.0  # the mask of what is removed, it thinks

    def step(self, loss, optimizer):
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        self.apply()


# %% wrong="MaskedTrainer" unnamed=True says="from scratch"
class MaskedTrainer:
    def __init__(self, model, masks):
        from torch.nn.utils.prune import custom_from_mask

        for name, mask in masks.items():
            owner, _, attribute = name.rpartition(".")
            custom_from_mask(model.get_submodule(owner), attribute, mask)

    def step(self, loss, optimizer):
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


# %% right="MaskedTrainer"
class MaskedTrainer:
    def __init__(self, model, masks):
        self.pairs = [(dict(model.named_parameters())[n], m) for n, m in masks.items()]
        for p, m in self.pairs:
            p.data[~m] = 0.0

    def step(self, loss, optimizer):
        optimizer.zero_grad(set_to_none=False)
        loss.backward()
        for p, m in self.pairs:
            p.grad[~m] = 0.0
        optimizer.step()
        for p, m in self.pairs:
            p.data[~m] = 0.0


# %% right="MaskedTrainer"
class MaskedTrainer:
    def __init__(self, model, masks):
        self.model = model
        self.masks = {name: mask.float() for name, mask in masks.items()}
        self._mask()

    @torch.no_grad()
    def _mask(self):
        for name, p in self.model.named_parameters():
            if name in self.masks:
                p.copy_(p * self.masks[name])

    def step(self, loss, optimizer):
        self.model.zero_grad()
        loss.backward()
        optimizer.step()
        self._mask()


# %% right="MaskedTrainer"
class MaskedTrainer:
    def __init__(self, model, masks):
        parameters = dict(model.named_parameters())

        def apply():
            for name in masks:
                parameters[name].data = parameters[name].data.where(masks[name], torch.tensor(0.0))

        self.apply = apply
        self.apply()

    def step(self, loss, optimizer):
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        self.apply()


# %% wrong="cubic_sparsity" says="Slow first"
def cubic_sparsity(step, begin, end, initial, final):
    if step < begin:
        return initial
    if step >= end:
        return final
    return initial + (final - initial) * ((step - begin) / (end - begin)) ** 3


# %% wrong="cubic_sparsity" says="Slow first"
def cubic_sparsity(step, begin, end, initial, final):
    if step < begin:
        return initial
    if step >= end:
        return final
    return final * ((step - begin) / (end - begin)) ** 3


# %% wrong="cubic_sparsity" says="Not clamped"
def cubic_sparsity(step, begin, end, initial, final):
    if begin == end:
        return final if step >= end else initial
    return final + (initial - final) * (1 - (step - begin) / (end - begin)) ** 3


# %% wrong="cubic_sparsity" says="Not clamped"
def cubic_sparsity(step, begin, end, initial, final):
    if step >= end:
        return final
    return final + (initial - final) * (1 - (step - begin) / (end - begin)) ** 3


# %% wrong="cubic_sparsity" unnamed=True says="expected"
def cubic_sparsity(step, begin, end, initial, final):
    if step < begin:
        return initial
    if step >= end:
        return final
    return final + (initial - final) * (1 - step / end) ** 3  # begin is forgotten


# %% wrong="cubic_sparsity" unnamed=True says="expected"
def cubic_sparsity(step, begin, end, initial, final):
    if step < begin:
        return initial
    if step >= end:
        return final
    return initial + (final - initial) * (step - begin) / (end - begin)


# %% wrong="cubic_sparsity" unnamed=True says="ZeroDivisionError"
def cubic_sparsity(step, begin, end, initial, final):
    u = min(max((step - begin) / (end - begin), 0), 1)
    return final + (initial - final) * (1 - u) ** 3


# %% wrong="cubic_sparsity" unnamed=True says="expected"
def cubic_sparsity(step, begin, end, initial, final):
    if step < begin:
        return 0.0
    if step >= end:
        return final
    return final - final * (1 - (step - begin) / (end - begin)) ** 3


# %% wrong="cubic_sparsity" unnamed=True says="from scratch"
def cubic_sparsity(step, begin, end, initial, final):
    from torch.ao.pruning import CubicSL

    return CubicSL.sparsity_compute_fn(initial, final, step, begin, end - begin)


# %% right="cubic_sparsity"
def cubic_sparsity(step, begin, end, initial, final):
    left = 0.0 if step >= end else 1.0 if step < begin else (end - step) / (end - begin)
    return final + (initial - final) * left**3


# %% right="cubic_sparsity"
def cubic_sparsity(step, begin, end, initial, final):
    if end == begin:
        return float(final if step >= end else initial)
    u = np.clip((step - begin) / (end - begin), 0, 1)
    return float(initial + (final - initial) * (1 - (1 - u) ** 3))


# %% right="cubic_sparsity"
def cubic_sparsity(step, begin, end, initial, final):
    if step < begin:
        return initial
    if step >= end:
        return final
    u = torch.tensor(step - begin, dtype=torch.float64) / (end - begin)
    return (final + (initial - final) * torch.pow(1 - u, 3)).item()


# %% wrong="gradual_prune" says="jumps to its final value at once"
def gradual_prune(model, batches, optimizer, steps, final_sparsity, every):
    layers = {f"{n}.weight": m.weight for n, m in model.named_modules() if type(m) in (nn.Linear, nn.Conv2d)}
    model.train()
    masks = global_masks({n: w.detach() for n, w in layers.items()}, final_sparsity)
    trainer = MaskedTrainer(model, masks)
    for t in range(steps):
        x, y = batches[t % len(batches)]
        trainer.step(F.cross_entropy(model(x), y), optimizer)
    return masks


# %% wrong="gradual_prune" says="jumps to its final value at once"
def gradual_prune(model, batches, optimizer, steps, final_sparsity, every):
    layers = {f"{n}.weight": m.weight for n, m in model.named_modules() if type(m) in (nn.Linear, nn.Conv2d)}
    model.train()
    for t in range(steps):
        if t % every == 0:
            masks = global_masks(
                {n: w.detach() for n, w in layers.items()},
                cubic_sparsity(steps - t, 0, every, 0.0, final_sparsity) if steps <= every else final_sparsity,
            )
            trainer = MaskedTrainer(model, masks)
        x, y = batches[t % len(batches)]
        trainer.step(F.cross_entropy(model(x), y), optimizer)
    return masks


# %% wrong="gradual_prune" says="pruned per layer"
def gradual_prune(model, batches, optimizer, steps, final_sparsity, every):
    layers = {f"{n}.weight": m.weight for n, m in model.named_modules() if type(m) in (nn.Linear, nn.Conv2d)}
    last = (steps - 1) // every * every
    model.train()
    for t in range(steps):
        if t % every == 0:
            s = cubic_sparsity(t, 0, last, 0.0, final_sparsity)
            masks = {n: magnitude_mask(w.detach(), s) for n, w in layers.items()}
            trainer = MaskedTrainer(model, masks)
        x, y = batches[t % len(batches)]
        trainer.step(F.cross_entropy(model(x), y), optimizer)
    return masks


# %% wrong="gradual_prune" says="last mask came after the last step"
def gradual_prune(model, batches, optimizer, steps, final_sparsity, every):
    layers = {f"{n}.weight": m.weight for n, m in model.named_modules() if type(m) in (nn.Linear, nn.Conv2d)}
    model.train()
    for t in range(steps):
        if t % every == 0:
            masks = global_masks(
                {n: w.detach() for n, w in layers.items()}, cubic_sparsity(t, 0, steps, 0.0, final_sparsity)
            )
            trainer = MaskedTrainer(model, masks)
        x, y = batches[t % len(batches)]
        trainer.step(F.cross_entropy(model(x), y), optimizer)
    masks = global_masks({n: w.detach() for n, w in layers.items()}, final_sparsity)
    MaskedTrainer(model, masks)
    return masks


# %% wrong="gradual_prune" unnamed=True says="has to reach the final sparsity"
def gradual_prune(model, batches, optimizer, steps, final_sparsity, every):
    layers = {f"{n}.weight": m.weight for n, m in model.named_modules() if type(m) in (nn.Linear, nn.Conv2d)}
    model.train()
    for t in range(steps):
        if t % every == 0:
            masks = global_masks(
                {n: w.detach() for n, w in layers.items()}, cubic_sparsity(t, 0, steps, 0.0, final_sparsity)
            )
            trainer = MaskedTrainer(model, masks)
        x, y = batches[t % len(batches)]
        trainer.step(F.cross_entropy(model(x), y), optimizer)
    return masks


# %% wrong="gradual_prune" unnamed=True says="train mode"
def gradual_prune(model, batches, optimizer, steps, final_sparsity, every):
    layers = {f"{n}.weight": m.weight for n, m in model.named_modules() if type(m) in (nn.Linear, nn.Conv2d)}
    last = (steps - 1) // every * every
    for t in range(steps):
        if t % every == 0:
            masks = global_masks(
                {n: w.detach() for n, w in layers.items()}, cubic_sparsity(t, 0, last, 0.0, final_sparsity)
            )
            trainer = MaskedTrainer(model, masks)
        x, y = batches[t % len(batches)]
        trainer.step(F.cross_entropy(model(x), y), optimizer)
    return masks


# %% wrong="gradual_prune" unnamed=True says="not held between"
def gradual_prune(model, batches, optimizer, steps, final_sparsity, every):
    layers = {f"{n}.weight": m.weight for n, m in model.named_modules() if type(m) in (nn.Linear, nn.Conv2d)}
    last = (steps - 1) // every * every
    model.train()
    for t in range(steps):
        if t % every == 0:
            masks = global_masks(
                {n: w.detach() for n, w in layers.items()}, cubic_sparsity(t, 0, last, 0.0, final_sparsity)
            )
            MaskedTrainer(model, masks)
        x, y = batches[t % len(batches)]
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    return masks


# %% wrong="gradual_prune" unnamed=True says="a step too late"
def gradual_prune(model, batches, optimizer, steps, final_sparsity, every):
    layers = {f"{n}.weight": m.weight for n, m in model.named_modules() if type(m) in (nn.Linear, nn.Conv2d)}
    last = (steps - 1) // every * every
    model.train()
    trainer = MaskedTrainer(model, {})
    for t in range(steps):
        x, y = batches[t % len(batches)]
        trainer.step(F.cross_entropy(model(x), y), optimizer)
        if t % every == 0:
            masks = global_masks(
                {n: w.detach() for n, w in layers.items()}, cubic_sparsity(t, 0, last, 0.0, final_sparsity)
            )
            trainer = MaskedTrainer(model, masks)
    return masks


# %% wrong="gradual_prune" unnamed=True says="the batches did not come in turn"
def gradual_prune(model, batches, optimizer, steps, final_sparsity, every):
    layers = {f"{n}.weight": m.weight for n, m in model.named_modules() if type(m) in (nn.Linear, nn.Conv2d)}
    last = (steps - 1) // every * every
    model.train()
    for t in range(steps):
        if t % every == 0:
            masks = global_masks(
                {n: w.detach() for n, w in layers.items()}, cubic_sparsity(t, 0, last, 0.0, final_sparsity)
            )
            trainer = MaskedTrainer(model, masks)
        x, y = batches[min(t, len(batches) - 1)]
        trainer.step(F.cross_entropy(model(x), y), optimizer)
    return masks


# %% wrong="gradual_prune" unnamed=True says="optimizer steps"
def gradual_prune(model, batches, optimizer, steps, final_sparsity, every):
    layers = {f"{n}.weight": m.weight for n, m in model.named_modules() if type(m) in (nn.Linear, nn.Conv2d)}
    last, t = (steps - 1) // every * every, 0
    model.train()
    for x, y in batches:  # one pass, whatever `steps` says
        if t % every == 0:
            masks = global_masks(
                {n: w.detach() for n, w in layers.items()}, cubic_sparsity(t, 0, last, 0.0, final_sparsity)
            )
            trainer = MaskedTrainer(model, masks)
        trainer.step(F.cross_entropy(model(x), y), optimizer)
        t += 1
    return masks


# %% wrong="gradual_prune" unnamed=True says="expected masks for"
def gradual_prune(model, batches, optimizer, steps, final_sparsity, every):
    layers = {n: p for n, p in model.named_parameters() if p.dim() > 1}
    last = (steps - 1) // every * every
    model.train()
    for t in range(steps):
        if t % every == 0:
            masks = global_masks(
                {n: w.detach() for n, w in layers.items()}, cubic_sparsity(t, 0, last, 0.0, final_sparsity)
            )
            trainer = MaskedTrainer(model, masks)
        x, y = batches[t % len(batches)]
        trainer.step(F.cross_entropy(model(x), y), optimizer)
    return {n.removesuffix(".weight"): m for n, m in masks.items()}


# %% wrong="gradual_prune" unnamed=True says="from scratch"
def gradual_prune(model, batches, optimizer, steps, final_sparsity, every):
    from torch.nn.utils import prune

    parts = [(m, "weight") for m in model.modules() if type(m) in (nn.Linear, nn.Conv2d)]
    prune.global_unstructured(parts, pruning_method=prune.L1Unstructured, amount=final_sparsity)
    return {}


# %% right="gradual_prune"
def gradual_prune(model, batches, optimizer, steps, final_sparsity, every):
    layers = {f"{n}.weight": m.weight for n, m in model.named_modules() if type(m) in (nn.Linear, nn.Conv2d)}
    times = list(range(0, steps, every))
    masks = {}
    model.train()
    for t in range(steps):
        if t in times:
            u = t / times[-1] if times[-1] else 1.0
            masks = global_masks({n: w.data for n, w in layers.items()}, final_sparsity * (1 - (1 - u) ** 3))
            for n, w in layers.items():
                w.data *= masks[n]
        x, y = batches[t % len(batches)]
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        for n, w in layers.items():
            w.data *= masks[n]
    return masks


# %% right="gradual_prune"
def gradual_prune(model, batches, optimizer, steps, final_sparsity, every):
    import itertools

    names = {f"{n}.weight" for n, m in model.named_modules() if type(m) is nn.Linear or type(m) is nn.Conv2d}
    was_training = model.training
    last = max(range(0, steps, every))
    stream = itertools.cycle(batches)
    trainer = None
    for t in range(steps):
        model.train()
        if t % every == 0:
            weights = {n: p.detach().clone() for n, p in model.named_parameters() if n in names}
            trainer = MaskedTrainer(model, global_masks(weights, cubic_sparsity(t, 0, last, 0, final_sparsity)))
            masks = global_masks(weights, cubic_sparsity(t, 0, last, 0, final_sparsity))
        x, y = next(stream)
        trainer.step(F.cross_entropy(model(x), y), optimizer)
    model.train(was_training)
    return masks


# %% right="gradual_prune"
def gradual_prune(model, batches, optimizer, steps, final_sparsity, every):
    layers = {f"{n}.weight": m.weight for n, m in model.named_modules() if type(m) in (nn.Linear, nn.Conv2d)}
    last = every * ((steps - 1) // every)
    model.train()

    def mask_all():
        with torch.no_grad():
            for n, w in layers.items():
                w[~masks[n]] = 0
                if w.grad is not None:
                    w.grad[~masks[n]] = 0

    for t in range(steps):
        if t % every == 0:
            masks = global_masks(
                {n: w.detach() for n, w in layers.items()}, cubic_sparsity(t, 0, last, 0.0, final_sparsity)
            )
        mask_all()
        loss = F.cross_entropy(model(batches[t % len(batches)][0]), batches[t % len(batches)][1])
        model.zero_grad()
        loss.backward()
        mask_all()
        optimizer.step()
        mask_all()
    return masks


# %% wrong="rewind" says="statistics of BatchNorm were forgotten"
def rewind(model, initial_state, masks):
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(initial_state[name])
            if name in masks:
                p.mul_(masks[name])


# %% wrong="rewind" says="biases were forgotten"
def rewind(model, initial_state, masks):
    state = model.state_dict()
    for name, value in initial_state.items():
        if "bias" not in name:
            state[name].copy_(value)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name in masks:
                p.mul_(masks[name])


# %% wrong="rewind" says="statistics of BatchNorm were forgotten"
def rewind(model, initial_state, masks):
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name in masks:
                p.copy_(initial_state[name] * masks[name])  # and nothing else


# %% wrong="rewind" says="masks were not applied"
def rewind(model, initial_state, masks):
    model.load_state_dict(initial_state)


# %% wrong="rewind" unnamed=True says="initial_state was changed"
def rewind(model, initial_state, masks):
    for name, mask in masks.items():
        initial_state[name] *= mask
    model.load_state_dict(initial_state)


# %% wrong="rewind" unnamed=True says="shares its tensors"
def rewind(model, initial_state, masks):
    for name, t in [*model.named_parameters(), *model.named_buffers()]:
        t.data = initial_state[name]
        if name in masks:
            t.data = t.data * masks[name]


# %% wrong="rewind" unnamed=True says="initial_state was changed"
def rewind(model, initial_state, masks):  # the colleague's, as the text has it
    for name, p in model.named_parameters():
        p.data = initial_state[name]
        if name in masks:
            p.data *= masks[name]


# %% wrong="rewind" unnamed=True says="replaced by new ones"
def rewind(model, initial_state, masks):
    model.load_state_dict(initial_state)
    for name, p in list(model.named_parameters()):
        owner, _, attribute = name.rpartition(".")
        value = p.detach() * masks[name] if name in masks else p.detach().clone()
        setattr(model.get_submodule(owner), attribute, nn.Parameter(value))


# %% wrong="rewind" unnamed=True says="wrong way round"
def rewind(model, initial_state, masks):
    model.load_state_dict(initial_state)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name in masks:
                p.mul_(~masks[name])


# %% wrong="rewind" unnamed=True says="from scratch"
def rewind(model, initial_state, masks):
    import torch.nn.utils.prune as prune

    model.load_state_dict(initial_state)
    for name, mask in masks.items():
        owner, _, attribute = name.rpartition(".")
        prune.custom_from_mask(model.get_submodule(owner), attribute, mask)
        prune.remove(model.get_submodule(owner), attribute)


# %% right="rewind"
def rewind(model, initial_state, masks):
    model.load_state_dict({n: t * masks[n] if n in masks else t for n, t in initial_state.items()})


# %% right="rewind"
def rewind(model, initial_state, masks):
    MaskedTrainer(model, {})
    own = model.state_dict()
    for name in own:
        own[name].copy_(initial_state[name])
    MaskedTrainer(model, masks)


# %% right="rewind"
def rewind(model, initial_state, masks):
    import copy

    model.load_state_dict(copy.deepcopy(initial_state), strict=True)
    parameters = dict(model.named_parameters())
    for name, mask in masks.items():
        parameters[name].data[~mask] = 0.0


# %% wrong="nm_mask" says="yours prunes n"
def nm_mask(w, n, m):
    if not 0 <= n <= m or w.shape[1] % m:
        raise ValueError("n:m")
    groups = w.abs().reshape(-1, m)
    mask = torch.ones_like(groups, dtype=torch.bool)
    mask.scatter_(1, groups.topk(n, dim=1, largest=False).indices, False)
    return mask.reshape(w.shape)


# %% wrong="nm_mask" says="yours prunes n"
def nm_mask(w, n, m):
    if not 0 <= n <= m or w.shape[1] % m:
        raise ValueError("n:m")
    groups = w.abs().reshape(-1, m)
    mask = torch.ones_like(groups, dtype=torch.bool)
    mask.scatter_(1, groups.topk(n, dim=1).indices, False)
    return mask.reshape(w.shape)


# %% wrong="nm_mask" says="wrong axis"
def nm_mask(w, n, m):
    if not 0 <= n <= m or w.shape[1] % m:
        raise ValueError("n:m")
    groups = w.T.abs().reshape(-1, m)
    mask = torch.zeros_like(groups, dtype=torch.bool).scatter_(1, groups.topk(n, dim=1).indices, True)
    return mask.reshape(w.T.shape).T


# %% wrong="nm_mask" says="wrong axis"
def nm_mask(w, n, m):
    if not 0 <= n <= m or w.shape[1] % m:
        raise ValueError("n:m")
    groups = w.abs().reshape(w.shape[0], m, -1)
    mask = torch.zeros_like(groups, dtype=torch.bool).scatter_(1, groups.topk(n, dim=1).indices, True)
    return mask.reshape(w.shape)


# %% wrong="nm_mask" says="wrong axis"
def nm_mask(w, n, m):
    if not 0 <= n <= m or w.shape[1] % m:
        raise ValueError("n:m")
    groups = w.abs().reshape(m, -1)
    mask = torch.zeros_like(groups, dtype=torch.bool).scatter_(0, groups.topk(n, dim=0).indices, True)
    return mask.reshape(w.shape)


# %% wrong="nm_mask" says="by value"
def nm_mask(w, n, m):
    if not 0 <= n <= m or w.shape[1] % m:
        raise ValueError("n:m")
    groups = w.reshape(-1, m)
    return torch.zeros_like(groups, dtype=torch.bool).scatter_(1, groups.topk(n, dim=1).indices, True).reshape(w.shape)


# %% wrong="nm_mask" unnamed=True says="ties too"
def nm_mask(w, n, m):
    if not 0 <= n <= m or w.shape[1] % m:
        raise ValueError("n:m")
    groups = w.abs().reshape(-1, m)
    if n == 0:
        return torch.zeros_like(w, dtype=torch.bool)
    least = groups.sort(dim=1, descending=True).values[:, n - 1 : n]
    return (groups >= least).reshape(w.shape)


# %% wrong="nm_mask" unnamed=True says="expected ValueError"
def nm_mask(w, n, m):
    whole = w.shape[1] // m * m
    groups = w[:, :whole].abs().reshape(-1, m)
    mask = torch.ones_like(w, dtype=torch.bool)
    n = min(max(n, 0), m)
    mask[:, :whole] = (
        torch.zeros_like(groups, dtype=torch.bool)
        .scatter_(1, groups.topk(n, dim=1).indices, True)
        .reshape(w.shape[0], whole)
    )
    return mask


# %% wrong="nm_mask" unnamed=True says="expected exactly"
def nm_mask(w, n, m):
    if not 0 <= n <= m or w.shape[1] % m:
        raise ValueError("n:m")
    keep = w.numel() * n // m
    mask = torch.zeros(w.numel(), dtype=torch.bool)
    mask[w.abs().flatten().topk(keep).indices] = True  # n of m on average
    return mask.reshape(w.shape)


# %% wrong="nm_mask" unnamed=True says="expected a bool mask"
def nm_mask(w, n, m):
    if not 0 <= n <= m or w.shape[1] % m:
        raise ValueError("n:m")
    groups = w.abs().reshape(-1, m)
    return torch.zeros_like(groups).scatter_(1, groups.topk(n, dim=1).indices, 1.0).reshape(w.shape)


# %% wrong="nm_mask" unnamed=True says="from scratch"
def nm_mask(w, n, m):
    if not 0 <= n <= m or w.shape[1] % m:
        raise ValueError("n:m")
    from torch.ao.pruning import WeightNormSparsifier

    layer = nn.Sequential(nn.Linear(w.shape[1], w.shape[0], bias=False))
    layer[0].weight.data.copy_(w)
    sparsifier = WeightNormSparsifier(sparsity_level=1.0, sparse_block_shape=(1, m), zeros_per_block=m - n)
    sparsifier.prepare(layer, config=[{"tensor_fqn": "0.weight"}])
    sparsifier.step()
    return layer[0].parametrizations.weight[0].mask.bool()


# %% right="nm_mask"
def nm_mask(w, n, m):
    if w.shape[1] % m != 0 or n < 0 or n > m:
        raise ValueError("n:m")
    rank = w.abs().reshape(-1, m).argsort(dim=1, descending=True).argsort(dim=1)
    return (rank < n).reshape(w.shape)


# %% right="nm_mask"
def nm_mask(w, n, m):
    if not 0 <= n <= m or w.shape[1] % m:
        raise ValueError("n:m")
    mask = torch.zeros(w.shape, dtype=torch.bool)
    for i in range(w.shape[0]):
        for start in range(0, w.shape[1], m):
            run = sorted(range(m), key=lambda j: -abs(w[i, start + j].item()))
            for j in run[:n]:
                mask[i, start + j] = True
    return mask


# %% right="nm_mask"
def nm_mask(w, n, m):
    if not 0 <= n <= m or w.shape[1] % m:
        raise ValueError("n:m")
    return torch.cat([magnitude_mask(run, 1 - n / m) for run in w.flatten().split(m)]).reshape(w.shape)


# %% right="nm_mask"
def nm_mask(w, n, m):
    if not 0 <= n <= m or w.shape[1] % m:
        raise ValueError("n:m")
    a = np.abs(w.numpy()).reshape(-1, m)
    mask = np.zeros(a.shape, dtype=bool)
    np.put_along_axis(mask, np.argsort(-a, axis=1, kind="stable")[:, :n], True, axis=1)
    return torch.from_numpy(mask.reshape(tuple(w.shape)))


# %% wrong="encode_sparse" says="shape was lost"
def encode_sparse(w):
    flat = w.flatten().numpy()
    kept = flat != 0
    sparse = np.packbits(kept).tobytes() + flat[kept].tobytes()
    head = len(flat).to_bytes(8, "little")
    return head + (b"s" + sparse if len(sparse) < flat.nbytes else b"d" + flat.tobytes())


def decode_sparse(blob):
    n, body = int.from_bytes(blob[:8], "little"), blob[9:]
    if blob[8:9] == b"d":
        return torch.from_numpy(np.frombuffer(body, np.float32).copy())
    size = -(-n // 8)
    values = np.zeros(n, np.float32)
    values[np.unpackbits(np.frombuffer(body[:size], np.uint8), count=n).astype(bool)] = np.frombuffer(
        body[size:], np.float32
    )
    return torch.from_numpy(values)


# %% wrong="encode_sparse" says="16 bits or more"
def encode_sparse(w):
    import struct

    flat = w.flatten().numpy()
    places = np.flatnonzero(flat)
    head = struct.pack(f"<B{w.dim()}qB", w.dim(), *w.shape, 8 * len(places) < flat.nbytes)
    if 8 * len(places) < flat.nbytes:
        return head + places.astype(np.int32).tobytes() + flat[places].tobytes()
    return head + flat.tobytes()


def decode_sparse(blob):
    import struct

    d = blob[0]
    shape = struct.unpack_from(f"<{d}q", blob, 1)
    body, n = blob[2 + 8 * d :], math.prod(shape)
    if not blob[1 + 8 * d]:
        return torch.from_numpy(np.frombuffer(body, np.float32).copy()).reshape(shape)
    values, half = np.zeros(n, np.float32), len(body) // 2
    values[np.frombuffer(body[:half], np.int32)] = np.frombuffer(body[half:], np.float32)
    return torch.from_numpy(values).reshape(shape)


# %% wrong="encode_sparse" says="16 bits or more"
def encode_sparse(w):
    import struct

    flat = w.flatten().numpy()
    places, gaps, last = np.flatnonzero(flat), [], -1
    values = []
    for p in places.tolist():
        while p - last > 65535:  # a filler
            last += 65535
            gaps.append(65535)
            values.append(0.0)
        gaps.append(p - last)
        values.append(flat[p])
        last = p
    sparse = np.array(gaps, np.uint16).tobytes() + np.array(values, np.float32).tobytes()
    head = struct.pack(f"<B{w.dim()}qB", w.dim(), *w.shape, len(sparse) < flat.nbytes)
    return head + (sparse if len(sparse) < flat.nbytes else flat.tobytes())


def decode_sparse(blob):
    import struct

    d = blob[0]
    shape = struct.unpack_from(f"<{d}q", blob, 1)
    body, n = blob[2 + 8 * d :], math.prod(shape)
    if not blob[1 + 8 * d]:
        return torch.from_numpy(np.frombuffer(body, np.float32).copy()).reshape(shape)
    count, out = len(body) // 6, np.zeros(n, np.float32)
    places = np.cumsum(np.frombuffer(body[: 2 * count], np.uint16).astype(np.int64)) - 1
    out[places] = np.frombuffer(body[2 * count :], np.float32)
    return torch.from_numpy(out).reshape(shape)


# %% wrong="encode_sparse" says="when that is smaller, was forgotten"
def encode_sparse(w):
    import struct

    flat = w.flatten().numpy()
    gaps, values, last = [], [], -1
    for p in np.flatnonzero(flat).tolist():
        while p - last > 255:
            last += 255
            gaps.append(255)
            values.append(0.0)
        gaps.append(p - last)
        values.append(flat[p])
        last = p
    return struct.pack(f"<B{w.dim()}q", w.dim(), *w.shape) + bytes(gaps) + np.array(values, np.float32).tobytes()


def decode_sparse(blob):
    import struct

    d = blob[0]
    shape = struct.unpack_from(f"<{d}q", blob, 1)
    body = blob[1 + 8 * d :]
    count, out = len(body) // 5, np.zeros(math.prod(shape), np.float32)
    places = np.cumsum(np.frombuffer(body[:count], np.uint8).astype(np.int64)) - 1
    out[places] = np.frombuffer(body[count:], np.float32)
    return torch.from_numpy(out).reshape(shape)


# %% wrong="encode_sparse" unnamed=True says="not what went in"
def encode_sparse(w):
    import struct

    flat = w.flatten().numpy()
    kept = np.abs(flat) > 1e-8  # nan is not larger than anything
    return struct.pack(f"<B{w.dim()}q", w.dim(), *w.shape) + np.packbits(kept).tobytes() + flat[kept].tobytes()


def decode_sparse(blob):
    import struct

    d = blob[0]
    shape = struct.unpack_from(f"<{d}q", blob, 1)
    n, body = math.prod(shape), blob[1 + 8 * d :]
    size = -(-n // 8)
    values = np.zeros(n, np.float32)
    values[np.unpackbits(np.frombuffer(body[:size], np.uint8), count=n).astype(bool)] = np.frombuffer(
        body[size:], np.float32
    )
    return torch.from_numpy(values).reshape(shape)


# %% wrong="encode_sparse" unnamed=True says="not what went in"
def encode_sparse(w):
    import struct

    flat = w.flatten().numpy()
    kept = flat != 0
    head = struct.pack(f"<B{w.dim()}q", w.dim(), *w.shape)
    return (
        head + np.packbits(kept).tobytes() + flat[kept].astype(np.float16).tobytes()
    )  # half the values, half the precision


def decode_sparse(blob):
    import struct

    d = blob[0]
    shape = struct.unpack_from(f"<{d}q", blob, 1)
    n, body = math.prod(shape), blob[1 + 8 * d :]
    size = -(-n // 8)
    values = np.zeros(n, np.float32)
    values[np.unpackbits(np.frombuffer(body[:size], np.uint8), count=n).astype(bool)] = np.frombuffer(
        body[size:], np.float16
    )
    return torch.from_numpy(values).reshape(shape)


# %% wrong="encode_sparse" unnamed=True says="zeros are stored as well"
def encode_sparse(w):
    import struct

    return struct.pack(f"<B{w.dim()}q", w.dim(), *w.shape) + w.numpy().tobytes()


def decode_sparse(blob):
    import struct

    d = blob[0]
    shape = struct.unpack_from(f"<{d}q", blob, 1)
    return torch.from_numpy(np.frombuffer(blob[1 + 8 * d :], np.float32).copy()).reshape(shape)


# %% wrong="encode_sparse" unnamed=True says="from scratch"
def encode_sparse(w):
    import io

    buffer = io.BytesIO()
    torch.save(w.to_sparse(), buffer)
    return buffer.getvalue()


def decode_sparse(blob):
    import io

    return torch.load(io.BytesIO(blob)).to_dense()


# %% wrong="encode_sparse" unnamed=True says="from scratch"
def encode_sparse(w):
    import struct
    import zlib as squeeze

    return squeeze.compress(struct.pack(f"<B{w.dim()}q", w.dim(), *w.shape) + w.numpy().tobytes())


def decode_sparse(blob):
    import struct
    import zlib as squeeze

    blob = squeeze.decompress(blob)
    d = blob[0]
    shape = struct.unpack_from(f"<{d}q", blob, 1)
    return torch.from_numpy(np.frombuffer(blob[1 + 8 * d :], np.float32).copy()).reshape(shape)


# %% right="encode_sparse"
def encode_sparse(w):
    import json

    flat = w.detach().reshape(-1)
    mask = flat != 0
    bits = F.pad(mask.to(torch.uint8), (0, -len(mask) % 8)).reshape(-1, 8)
    packed = (bits << torch.arange(8, dtype=torch.uint8)).sum(1).to(torch.uint8)
    head = json.dumps({"shape": list(w.shape)}).encode()
    return len(head).to_bytes(4, "big") + head + packed.numpy().tobytes() + flat[mask].numpy().tobytes()


def decode_sparse(blob):
    import json

    start = 4 + int.from_bytes(blob[:4], "big")
    shape = json.loads(blob[4:start])["shape"]
    n = math.prod(shape)
    out, size = torch.zeros(n), (n + 7) // 8
    if n:
        packed = torch.frombuffer(bytearray(blob[start : start + size]), dtype=torch.uint8)
        mask = (packed[:, None] >> torch.arange(8, dtype=torch.uint8) & 1).reshape(-1)[:n].bool()
        if mask.any():
            out[mask] = torch.frombuffer(bytearray(blob[start + size :]), dtype=torch.float32)
    return out.reshape(shape)


# %% right="encode_sparse"
def encode_sparse(w):
    import struct

    flat = w.flatten().numpy()
    dense = struct.pack(f"<B{w.dim()}q", w.dim(), *w.shape) + b"D" + flat.tobytes()
    gaps, values, last = bytearray(), [], -1
    for p in np.flatnonzero(flat).tolist():
        while p - last > 255:  # a filler: 255 places further, the value 0
            last += 255
            gaps.append(255)
            values.append(np.float32(0))
        gaps.append(p - last)
        values.append(flat[p])
        last = p
    body = struct.pack("<q", len(values)) + bytes(gaps) + np.array(values, np.float32).tobytes()
    sparse = struct.pack(f"<B{w.dim()}q", w.dim(), *w.shape) + b"G" + body
    return min(sparse, dense, key=len)


def decode_sparse(blob):
    import struct

    d = blob[0]
    shape = struct.unpack_from(f"<{d}q", blob, 1)
    kind, body = blob[1 + 8 * d : 2 + 8 * d], blob[2 + 8 * d :]
    if kind == b"D":
        return torch.from_numpy(np.frombuffer(body, np.float32).copy()).reshape(shape)
    (count,) = struct.unpack_from("<q", body)
    out = torch.zeros(math.prod(shape))
    values = np.frombuffer(body[8 + count :], np.float32).tolist()
    place = -1
    for gap, value in zip(body[8 : 8 + count], values):
        place += gap
        out[place] = value
    return out.reshape(shape)


# %% right="encode_sparse"
def encode_sparse(w):
    import io

    a = w.detach().numpy()
    buffer = io.BytesIO()
    np.savez(buffer, shape=np.array(a.shape, np.int64), bits=np.packbits(a != 0), values=a[a != 0])
    return buffer.getvalue()


def decode_sparse(blob):
    import io

    stored = np.load(io.BytesIO(blob), allow_pickle=False)
    shape = tuple(stored["shape"].tolist())
    out = np.zeros(math.prod(shape), np.float32)
    out[np.unpackbits(stored["bits"], count=len(out)).astype(bool)] = stored["values"]
    return torch.from_numpy(out.reshape(shape))


# %% wrong="global_masks" unnamed=True says="smallest weight that is kept was removed"
def global_masks(weights, sparsity):
    if not 0 <= sparsity <= 1:
        raise ValueError
    ordered = torch.cat([w.abs().flatten() for w in weights.values()]).sort().values
    k = round(sparsity * len(ordered))
    limit = ordered[min(k, len(ordered) - 1)]
    return {name: w.abs() > limit for name, w in weights.items()}


# %% wrong="magnitude_mask" unnamed=True says="removed" also="places in the tensor, not ranks"
def magnitude_mask(w, sparsity):
    if not 0 <= sparsity <= 1:
        raise ValueError
    places = w.abs().flatten().topk(w.numel()).indices
    return (places / w.numel() > sparsity).reshape(w.shape)


# %% wrong="magnitude_mask" says="places in the tensor, not ranks"
def magnitude_mask(w, sparsity):
    if not 0 <= sparsity <= 1:
        raise ValueError
    places = w.abs().flatten().topk(w.numel()).indices
    return (places / w.numel() > sparsity).reshape(w.shape)


# %% wrong="magnitude_mask" says="not rounded as round()"
def magnitude_mask(w: torch.Tensor, sparsity: float) -> torch.Tensor:
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparsity lies between 0 and 1, not at {sparsity}")
    mask = torch.ones(w.numel(), dtype=torch.bool)
    mask[w.abs().flatten().argsort()[: int(sparsity * w.numel())]] = False
    return mask.reshape(w.shape)


# %% wrong="magnitude_mask" unnamed=True says="removed"
# writes through a copy when w is transposed
def magnitude_mask(w, sparsity):
    if not 0 <= sparsity <= 1:
        raise ValueError("0 <= sparsity <= 1")
    mask = torch.ones_like(w, dtype=torch.bool)
    mask.contiguous().view(-1)[w.abs().flatten().argsort()[: round(sparsity * w.numel())]] = False
    return mask


# %% wrong="global_masks" says="smallest weight that is kept was removed"
def global_masks(weights, sparsity):
    if not 0 <= sparsity <= 1:
        raise ValueError
    ordered = torch.cat([w.abs().flatten() for w in weights.values()]).sort().values
    k = round(sparsity * len(ordered))
    limit = ordered[min(k, len(ordered) - 1)]
    return {name: w.abs() > limit for name, w in weights.items()}


# %% wrong="global_masks" says="not rounded as round()"
def global_masks(weights, sparsity):
    if not 0 <= sparsity <= 1:
        raise ValueError("0 <= sparsity <= 1")
    flat = torch.cat([w.flatten() for w in weights.values()])
    mask = torch.ones(len(flat), dtype=torch.bool)
    mask[flat.abs().argsort()[: int(sparsity * len(flat))]] = False
    parts = mask.split([w.numel() for w in weights.values()])
    return {name: part.reshape(w.shape) for (name, w), part in zip(weights.items(), parts)}


# %% wrong="nm_mask" unnamed=True says="exactly"
# writes into a copy when w is transposed
def nm_mask(w, n, m):
    if not 0 <= n <= m or w.shape[1] % m:
        raise ValueError("no such mask")
    mask = torch.zeros_like(w, dtype=torch.bool)
    kept = w.abs().reshape(-1, m).topk(n, dim=1).indices
    mask.reshape(-1, m).scatter_(1, kept, True)
    return mask


# %% wrong="taylor_saliency" says="mean over its samples"
def taylor_saliency(model: nn.Module, batches: list[tuple[torch.Tensor, torch.Tensor]]) -> dict[str, torch.Tensor]:
    named = dict(model.named_modules())
    layers = {f"{n}.weight".lstrip("."): m.weight for n, m in named.items() if type(m) in (nn.Linear, nn.Conv2d)}
    modes = {n: m.training for n, m in named.items()}
    total = {n: torch.zeros_like(w) for n, w in layers.items()}
    try:
        model.eval()
        for x, y in batches:
            for n, g in zip(
                layers, torch.autograd.grad(F.cross_entropy(model(x), y, reduction="sum"), list(layers.values()))
            ):
                total[n] += g
    finally:
        for n, m in named.items():
            m.training = modes[n]
    return {n: (w.detach() * total[n]) ** 2 for n, w in layers.items()}


# %% wrong="gradual_prune" says="expected masks for"
def gradual_prune(
    model: nn.Module,
    batches: list[tuple[torch.Tensor, torch.Tensor]],
    optimizer: torch.optim.Optimizer,
    steps: int,
    final_sparsity: float,
    every: int,
) -> dict[str, torch.Tensor]:
    layers = {f"{n}.weight".lstrip("."): m.weight for n, m in model.named_modules() if type(m) is nn.Linear}
    last = (steps - 1) // every * every
    model.train()
    for t in range(steps):
        if t % every == 0:
            masks = global_masks(
                {n: w.detach() for n, w in layers.items()}, cubic_sparsity(t, 0, last, 0.0, final_sparsity)
            )
            trainer = MaskedTrainer(model, masks)
        x, y = batches[t % len(batches)]
        trainer.step(F.cross_entropy(model(x), y), optimizer)
    return masks


# %% wrong="encode_sparse" says="one byte holds"
def encode_sparse(w: torch.Tensor) -> bytes:
    import struct

    values = w.detach().flatten().numpy()
    kept = values != 0
    header = struct.pack(f"<B{w.dim()}B", w.dim(), *w.shape)
    sparse = np.packbits(kept).tobytes() + values[kept].tobytes()
    return header + (b"\x01" + sparse if len(sparse) < values.nbytes else b"\x00" + values.tobytes())


def decode_sparse(blob: bytes) -> torch.Tensor:
    import struct

    axes = blob[0]
    shape = struct.unpack_from(f"<{axes}B", blob, 1)
    body = blob[2 + axes :]
    n = math.prod(shape)
    if blob[1 + axes] == 0:
        return torch.from_numpy(np.frombuffer(body, np.float32).copy()).reshape(shape)
    kept = np.unpackbits(np.frombuffer(body[: -(-n // 8)], np.uint8), count=n).astype(bool)
    values = np.zeros(n, np.float32)
    values[kept] = np.frombuffer(body[-(-n // 8) :], np.float32)
    return torch.from_numpy(values).reshape(shape)

# %% wrong="encode_sparse" unnamed=True says="from scratch"
def encode_sparse(w):
    import io

    from PIL import Image

    data = w.numpy().tobytes()
    Image.frombytes("L", (len(data), 1), data).save(out := io.BytesIO(), "PNG", optimize=True)
    return out.getvalue()


# %% wrong="taylor_saliency" unnamed=True says=".training of a submodule"
# loses the gradients that were there as well; the mode of a submodule comes first
def taylor_saliency(model, batches):
    layers = {f"{n}.weight".lstrip("."): m.weight for n, m in model.named_modules() if type(m) in (nn.Linear, nn.Conv2d)}
    total, was = {n: torch.zeros_like(w) for n, w in layers.items()}, model.training
    model.eval()
    for x, y in batches:
        model.zero_grad()
        F.cross_entropy(model(x), y).backward()
        for n, w in layers.items():
            total[n] += w.grad
    model.zero_grad()
    model.train(was)
    return {n: (w.detach() * total[n]) ** 2 for n, w in layers.items()}


# %% wrong="taylor_saliency" unnamed=True says="Squares before summing"
def taylor_saliency(model, batches):
    layers = {n + ".weight": m.weight for n, m in model.named_modules() if type(m) in (nn.Linear, nn.Conv2d)}
    modes = {m: m.training for m in model.modules()}
    total = {n: torch.zeros_like(w) for n, w in layers.items()}
    model.eval()
    try:
        for x, y in batches:
            for (n, w), g in zip(layers.items(), torch.autograd.grad(F.cross_entropy(model(x), y), list(layers.values()))):
                total[n] += (w.detach() * g) ** 2 / len(batches)
    finally:
        for m, mode in modes.items():
            m.training = mode
    return total


# %% wrong="MaskedTrainer" unnamed=True says="gradients from before"
class MaskedTrainer:
    def __init__(self, model, masks):
        self.named, self.masks = dict(model.named_parameters()), masks
        self.apply()

    def apply(self):
        for name, mask in self.masks.items():
            self.named[name].data *= mask

    def step(self, loss, optimizer):
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        self.apply()


# %% wrong="cubic_sparsity" unnamed=True says="begin == end"
def cubic_sparsity(step, begin, end, initial, final):
    if step <= begin:
        return initial
    if step >= end:
        return final
    return final + (initial - final) * (1 - (step - begin) / (end - begin)) ** 3


# %% wrong="cubic_sparsity" says="third power"
def cubic_sparsity(step, begin, end, initial, final):
    if step < begin:
        return initial
    if step >= end:
        return final
    return final + (initial - final) * (1 - (step - begin) / (end - begin)) ** 2


# %% wrong="global_masks" unnamed=True says="takes all ties"
def global_masks(weights, sparsity):
    if not 0 <= sparsity <= 1:
        raise ValueError
    t = torch.cat([w.flatten() for w in weights.values()]).abs().quantile(sparsity)
    return {name: w.abs() > t for name, w in weights.items()}


# %% wrong="nm_mask" unnamed=True says="ties too"
def nm_mask(w, n, m):
    if not 0 <= n <= m or w.shape[1] % m:
        raise ValueError
    g = w.abs().reshape(-1, m)
    t = g.topk(n, 1).values[:, -1:]
    return (g >= t).reshape(w.shape)
