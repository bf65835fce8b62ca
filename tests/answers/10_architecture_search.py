# %% wrong="space_size" says="not there were counted"
def space_size(space: list[dict]) -> int:
    return math.prod(len(s["depths"]) * (len(s["widths"]) * len(s["kernels"])) ** max(s["depths"]) for s in space)


def mutate(arch: list, space: list[dict], rng: random.Random) -> list:
    decisions = []
    for s, stage in enumerate(space):
        if len(stage["depths"]) > 1:
            decisions.append(("depth", s, 0))
        for i in range(len(arch[s])):
            decisions += [(what, s, i) for what in ("widths", "kernels") if len(stage[what]) > 1]
    if not decisions:
        raise ValueError("this space holds one architecture only")
    what, s, i = rng.choice(decisions)
    child = [[tuple(layer) for layer in layers] for layers in arch]
    layers, stage = (child[s], space[s])
    if what == "depth":
        depth = rng.choice([d for d in stage["depths"] if d != len(layers)])
        fresh = [(rng.choice(stage["widths"]), rng.choice(stage["kernels"])) for _ in range(depth)]
        child[s] = layers[:depth] + fresh[len(layers) :]
    elif what == "widths":
        layers[i] = (rng.choice([w for w in stage["widths"] if w != layers[i][0]]), layers[i][1])
    else:
        layers[i] = (layers[i][0], rng.choice([k for k in stage["kernels"] if k != layers[i][1]]))
    return child


# %% wrong="space_size" says="not there were counted"
def space_size(space: list[dict]) -> int:
    total = 1
    for stage in space:
        choices = len(stage["widths"]) * len(stage["kernels"])
        total *= choices ** max(stage["depths"])
    return total


def mutate(arch: list, space: list[dict], rng: random.Random) -> list:
    decisions = []
    for s, stage in enumerate(space):
        if len(stage["depths"]) > 1:
            decisions.append(("depth", s, 0))
        for i in range(len(arch[s])):
            decisions += [(what, s, i) for what in ("widths", "kernels") if len(stage[what]) > 1]
    if not decisions:
        raise ValueError("this space holds one architecture only")
    what, s, i = rng.choice(decisions)
    child = [[tuple(layer) for layer in layers] for layers in arch]
    layers, stage = (child[s], space[s])
    if what == "depth":
        depth = rng.choice([d for d in stage["depths"] if d != len(layers)])
        fresh = [(rng.choice(stage["widths"]), rng.choice(stage["kernels"])) for _ in range(depth)]
        child[s] = layers[:depth] + fresh[len(layers) :]
    elif what == "widths":
        layers[i] = (rng.choice([w for w in stage["widths"] if w != layers[i][0]]), layers[i][1])
    else:
        layers[i] = (layers[i][0], rng.choice([k for k in stage["kernels"] if k != layers[i][1]]))
    return child


# %% wrong="space_size" says="One choice a stage"
def space_size(space: list[dict]) -> int:
    total = 1
    for stage in space:
        choices = len(stage["widths"]) * len(stage["kernels"])
        total *= choices * len(stage["depths"])
    return total


def mutate(arch: list, space: list[dict], rng: random.Random) -> list:
    decisions = []
    for s, stage in enumerate(space):
        if len(stage["depths"]) > 1:
            decisions.append(("depth", s, 0))
        for i in range(len(arch[s])):
            decisions += [(what, s, i) for what in ("widths", "kernels") if len(stage[what]) > 1]
    if not decisions:
        raise ValueError("this space holds one architecture only")
    what, s, i = rng.choice(decisions)
    child = [[tuple(layer) for layer in layers] for layers in arch]
    layers, stage = (child[s], space[s])
    if what == "depth":
        depth = rng.choice([d for d in stage["depths"] if d != len(layers)])
        fresh = [(rng.choice(stage["widths"]), rng.choice(stage["kernels"])) for _ in range(depth)]
        child[s] = layers[:depth] + fresh[len(layers) :]
    elif what == "widths":
        layers[i] = (rng.choice([w for w in stage["widths"] if w != layers[i][0]]), layers[i][1])
    else:
        layers[i] = (layers[i][0], rng.choice([k for k in stage["kernels"] if k != layers[i][1]]))
    return child


# %% wrong="space_size" says="stages were added"
def space_size(space: list[dict]) -> int:
    total = 0
    for stage in space:
        choices = len(stage["widths"]) * len(stage["kernels"])
        total += sum((choices**depth for depth in stage["depths"]))
    return total


def mutate(arch: list, space: list[dict], rng: random.Random) -> list:
    decisions = []
    for s, stage in enumerate(space):
        if len(stage["depths"]) > 1:
            decisions.append(("depth", s, 0))
        for i in range(len(arch[s])):
            decisions += [(what, s, i) for what in ("widths", "kernels") if len(stage[what]) > 1]
    if not decisions:
        raise ValueError("this space holds one architecture only")
    what, s, i = rng.choice(decisions)
    child = [[tuple(layer) for layer in layers] for layers in arch]
    layers, stage = (child[s], space[s])
    if what == "depth":
        depth = rng.choice([d for d in stage["depths"] if d != len(layers)])
        fresh = [(rng.choice(stage["widths"]), rng.choice(stage["kernels"])) for _ in range(depth)]
        child[s] = layers[:depth] + fresh[len(layers) :]
    elif what == "widths":
        layers[i] = (rng.choice([w for w in stage["widths"] if w != layers[i][0]]), layers[i][1])
    else:
        layers[i] = (layers[i][0], rng.choice([k for k in stage["kernels"] if k != layers[i][1]]))
    return child


# %% wrong="space_size" says="A float holds"
def space_size(space: list[dict]) -> int:
    total = 1.0
    for stage in space:
        choices = len(stage["widths"]) * len(stage["kernels"])
        total *= sum((choices**depth for depth in stage["depths"]))
    return total


def mutate(arch: list, space: list[dict], rng: random.Random) -> list:
    decisions = []
    for s, stage in enumerate(space):
        if len(stage["depths"]) > 1:
            decisions.append(("depth", s, 0))
        for i in range(len(arch[s])):
            decisions += [(what, s, i) for what in ("widths", "kernels") if len(stage[what]) > 1]
    if not decisions:
        raise ValueError("this space holds one architecture only")
    what, s, i = rng.choice(decisions)
    child = [[tuple(layer) for layer in layers] for layers in arch]
    layers, stage = (child[s], space[s])
    if what == "depth":
        depth = rng.choice([d for d in stage["depths"] if d != len(layers)])
        fresh = [(rng.choice(stage["widths"]), rng.choice(stage["kernels"])) for _ in range(depth)]
        child[s] = layers[:depth] + fresh[len(layers) :]
    elif what == "widths":
        layers[i] = (rng.choice([w for w in stage["widths"] if w != layers[i][0]]), layers[i][1])
    else:
        layers[i] = (layers[i][0], rng.choice([k for k in stage["kernels"] if k != layers[i][1]]))
    return child


# %% wrong="space_size" says="A float holds"
def space_size(space: list[dict]) -> int:
    total = 1
    for stage in space:
        choices = len(stage["widths"]) * len(stage["kernels"])
        total *= sum((choices**depth for depth in stage["depths"]))
    return float(total)


def mutate(arch: list, space: list[dict], rng: random.Random) -> list:
    decisions = []
    for s, stage in enumerate(space):
        if len(stage["depths"]) > 1:
            decisions.append(("depth", s, 0))
        for i in range(len(arch[s])):
            decisions += [(what, s, i) for what in ("widths", "kernels") if len(stage[what]) > 1]
    if not decisions:
        raise ValueError("this space holds one architecture only")
    what, s, i = rng.choice(decisions)
    child = [[tuple(layer) for layer in layers] for layers in arch]
    layers, stage = (child[s], space[s])
    if what == "depth":
        depth = rng.choice([d for d in stage["depths"] if d != len(layers)])
        fresh = [(rng.choice(stage["widths"]), rng.choice(stage["kernels"])) for _ in range(depth)]
        child[s] = layers[:depth] + fresh[len(layers) :]
    elif what == "widths":
        layers[i] = (rng.choice([w for w in stage["widths"] if w != layers[i][0]]), layers[i][1])
    else:
        layers[i] = (layers[i][0], rng.choice([k for k in stage["kernels"] if k != layers[i][1]]))
    return child


# %% wrong="space_size" says="returned the parent"
def space_size(space: list[dict]) -> int:
    total = 1
    for stage in space:
        choices = len(stage["widths"]) * len(stage["kernels"])
        total *= sum((choices**depth for depth in stage["depths"]))
    return total


def mutate(arch: list, space: list[dict], rng: random.Random) -> list:
    decisions = []
    for s, stage in enumerate(space):
        if len(stage["depths"]) > 1:
            decisions.append(("depth", s, 0))
        for i in range(len(arch[s])):
            decisions += [(what, s, i) for what in ("widths", "kernels") if len(stage[what]) > 1]
    if not decisions:
        raise ValueError("this space holds one architecture only")
    what, s, i = rng.choice(decisions)
    child = [[tuple(layer) for layer in layers] for layers in arch]
    layers, stage = (child[s], space[s])
    if what == "depth":
        depth = rng.choice([d for d in stage["depths"] if d != len(layers)])
        fresh = [(rng.choice(stage["widths"]), rng.choice(stage["kernels"])) for _ in range(depth)]
        child[s] = layers[:depth] + fresh[len(layers) :]
    elif what == "widths":
        layers[i] = (rng.choice(stage["widths"]), layers[i][1])
    else:
        layers[i] = (layers[i][0], rng.choice([k for k in stage["kernels"] if k != layers[i][1]]))
    return child


# %% wrong="space_size" says="returned the parent"
def space_size(space: list[dict]) -> int:
    total = 1
    for stage in space:
        choices = len(stage["widths"]) * len(stage["kernels"])
        total *= sum((choices**depth for depth in stage["depths"]))
    return total


def mutate(arch: list, space: list[dict], rng: random.Random) -> list:
    decisions = []
    for s, stage in enumerate(space):
        if len(stage["depths"]) > 1:
            decisions.append(("depth", s, 0))
        for i in range(len(arch[s])):
            decisions += [(what, s, i) for what in ("widths", "kernels") if len(stage[what]) > 1]
    if not decisions:
        raise ValueError("this space holds one architecture only")
    what, s, i = rng.choice(decisions)
    child = [[tuple(layer) for layer in layers] for layers in arch]
    layers, stage = (child[s], space[s])
    if what == "depth":
        depth = rng.choice(stage["depths"])
        fresh = [(rng.choice(stage["widths"]), rng.choice(stage["kernels"])) for _ in range(depth)]
        child[s] = layers[:depth] + fresh[len(layers) :]
    elif what == "widths":
        layers[i] = (rng.choice([w for w in stage["widths"] if w != layers[i][0]]), layers[i][1])
    else:
        layers[i] = (layers[i][0], rng.choice([k for k in stage["kernels"] if k != layers[i][1]]))
    return child


# %% wrong="space_size" says="changed its input"
def space_size(space: list[dict]) -> int:
    total = 1
    for stage in space:
        choices = len(stage["widths"]) * len(stage["kernels"])
        total *= sum((choices**depth for depth in stage["depths"]))
    return total


def mutate(arch: list, space: list[dict], rng: random.Random) -> list:
    decisions = []
    for s, stage in enumerate(space):
        if len(stage["depths"]) > 1:
            decisions.append(("depth", s, 0))
        for i in range(len(arch[s])):
            decisions += [(what, s, i) for what in ("widths", "kernels") if len(stage[what]) > 1]
    if not decisions:
        raise ValueError("this space holds one architecture only")
    what, s, i = rng.choice(decisions)
    child = (
        [layers for layers in arch]
        if random.random() < 2 and all(isinstance(l, list) for l in arch)
        else [list(l) for l in arch]
    )
    layers, stage = (child[s], space[s])
    if what == "depth":
        depth = rng.choice([d for d in stage["depths"] if d != len(layers)])
        fresh = [(rng.choice(stage["widths"]), rng.choice(stage["kernels"])) for _ in range(depth)]
        child[s] = layers[:depth] + fresh[len(layers) :]
    elif what == "widths":
        layers[i] = (rng.choice([w for w in stage["widths"] if w != layers[i][0]]), layers[i][1])
    else:
        layers[i] = (layers[i][0], rng.choice([k for k in stage["kernels"] if k != layers[i][1]]))
    return child


# %% wrong="space_size" says="depth never changes"
def space_size(space: list[dict]) -> int:
    total = 1
    for stage in space:
        choices = len(stage["widths"]) * len(stage["kernels"])
        total *= sum((choices**depth for depth in stage["depths"]))
    return total


def mutate(arch: list, space: list[dict], rng: random.Random) -> list:
    decisions = []
    for s, stage in enumerate(space):
        if len(stage["depths"]) > 99:
            decisions.append(("depth", s, 0))
        for i in range(len(arch[s])):
            decisions += [(what, s, i) for what in ("widths", "kernels") if len(stage[what]) > 1]
    if not decisions:
        raise ValueError("nothing") if space_size(space) == 1 else RuntimeError("no")
    what, s, i = rng.choice(decisions)
    child = [[tuple(layer) for layer in layers] for layers in arch]
    layers, stage = (child[s], space[s])
    if what == "depth":
        depth = rng.choice([d for d in stage["depths"] if d != len(layers)])
        fresh = [(rng.choice(stage["widths"]), rng.choice(stage["kernels"])) for _ in range(depth)]
        child[s] = layers[:depth] + fresh[len(layers) :]
    elif what == "widths":
        layers[i] = (rng.choice([w for w in stage["widths"] if w != layers[i][0]]), layers[i][1])
    else:
        layers[i] = (layers[i][0], rng.choice([k for k in stage["kernels"] if k != layers[i][1]]))
    return child


# %% wrong="space_size" says="stage was redrawn"
def space_size(space: list[dict]) -> int:
    total = 1
    for stage in space:
        choices = len(stage["widths"]) * len(stage["kernels"])
        total *= sum((choices**depth for depth in stage["depths"]))
    return total


def mutate(arch: list, space: list[dict], rng: random.Random) -> list:
    decisions = []
    for s, stage in enumerate(space):
        if len(stage["depths"]) > 1:
            decisions.append(("depth", s, 0))
        for i in range(len(arch[s])):
            decisions += [(what, s, i) for what in ("widths", "kernels") if len(stage[what]) > 1]
    if not decisions:
        raise ValueError("this space holds one architecture only")
    what, s, i = rng.choice(decisions)
    child = [[tuple(layer) for layer in layers] for layers in arch]
    layers, stage = (child[s], space[s])
    if what == "depth":
        depth = rng.choice([d for d in stage["depths"] if d != len(layers)])
        fresh = [(rng.choice(stage["widths"]), rng.choice(stage["kernels"])) for _ in range(depth)]
        child[s] = fresh
    elif what == "widths":
        layers[i] = (rng.choice([w for w in stage["widths"] if w != layers[i][0]]), layers[i][1])
    else:
        layers[i] = (layers[i][0], rng.choice([k for k in stage["kernels"] if k != layers[i][1]]))
    return child


# %% wrong="space_size" says="was redrawn"
def space_size(space: list[dict]) -> int:
    total = 1
    for stage in space:
        choices = len(stage["widths"]) * len(stage["kernels"])
        total *= sum((choices**depth for depth in stage["depths"]))
    return total


def mutate(arch: list, space: list[dict], rng: random.Random) -> list:
    decisions = []
    for s, stage in enumerate(space):
        if len(stage["depths"]) > 1:
            decisions.append(("depth", s, 0))
        for i in range(len(arch[s])):
            decisions += [(what, s, i) for what in ("widths", "kernels") if len(stage[what]) > 1]
    if not decisions:
        raise ValueError("this space holds one architecture only")
    what, s, i = rng.choice(decisions)
    child = [[tuple(layer) for layer in layers] for layers in arch]
    layers, stage = (child[s], space[s])
    if what == "depth":
        depth = rng.choice([d for d in stage["depths"] if d != len(layers)])
        fresh = [(rng.choice(stage["widths"]), rng.choice(stage["kernels"])) for _ in range(depth)]
        child[s] = layers[:depth] + fresh[len(layers) :]
    elif what == "widths":
        w = rng.choice([w for w in stage["widths"] if w != layers[i][0]])
        child[s] = [(w, rng.choice(stage["kernels"])) for _ in layers]
    else:
        layers[i] = (layers[i][0], rng.choice([k for k in stage["kernels"] if k != layers[i][1]]))
    return child


# %% wrong="space_size" says="global random"
def space_size(space: list[dict]) -> int:
    total = 1
    for stage in space:
        choices = len(stage["widths"]) * len(stage["kernels"])
        total *= sum((choices**depth for depth in stage["depths"]))
    return total


def mutate(arch: list, space: list[dict], rng: random.Random) -> list:
    decisions = []
    for s, stage in enumerate(space):
        if len(stage["depths"]) > 1:
            decisions.append(("depth", s, 0))
        for i in range(len(arch[s])):
            decisions += [(what, s, i) for what in ("widths", "kernels") if len(stage[what]) > 1]
    if not decisions:
        raise ValueError("this space holds one architecture only")
    what, s, i = random.choice(decisions)
    child = [[tuple(layer) for layer in layers] for layers in arch]
    layers, stage = (child[s], space[s])
    if what == "depth":
        depth = rng.choice([d for d in stage["depths"] if d != len(layers)])
        fresh = [(rng.choice(stage["widths"]), rng.choice(stage["kernels"])) for _ in range(depth)]
        child[s] = layers[:depth] + fresh[len(layers) :]
    elif what == "widths":
        layers[i] = (rng.choice([w for w in stage["widths"] if w != layers[i][0]]), layers[i][1])
    else:
        layers[i] = (layers[i][0], rng.choice([k for k in stage["kernels"] if k != layers[i][1]]))
    return child


# %% wrong="space_size" says="global random"
def space_size(space: list[dict]) -> int:
    total = 1
    for stage in space:
        choices = len(stage["widths"]) * len(stage["kernels"])
        total *= sum((choices**depth for depth in stage["depths"]))
    return total


def mutate(arch: list, space: list[dict], rng: random.Random) -> list:
    decisions = []
    for s, stage in enumerate(space):
        if len(stage["depths"]) > 1:
            decisions.append(("depth", s, 0))
        for i in range(len(arch[s])):
            decisions += [(what, s, i) for what in ("widths", "kernels") if len(stage[what]) > 1]
    if not decisions:
        raise ValueError("this space holds one architecture only")
    what, s, i = random.choice(decisions)
    child = [[tuple(layer) for layer in layers] for layers in arch]
    layers, stage = (child[s], space[s])
    if what == "depth":
        depth = random.choice([d for d in stage["depths"] if d != len(layers)])
        fresh = [(random.choice(stage["widths"]), random.choice(stage["kernels"])) for _ in range(depth)]
        child[s] = layers[:depth] + fresh[len(layers) :]
    elif what == "widths":
        layers[i] = (random.choice([w for w in stage["widths"] if w != layers[i][0]]), layers[i][1])
    else:
        layers[i] = (layers[i][0], random.choice([k for k in stage["kernels"] if k != layers[i][1]]))
    return child


# %% wrong="space_size" unnamed=True says="A float holds"
def space_size(space: list[dict]) -> int:
    total = 1
    for stage in space:
        choices = len(stage["widths"]) * len(stage["kernels"])
        total *= sum((np.float64(choices) ** depth for depth in stage["depths"]))
    return int(total)


def mutate(arch: list, space: list[dict], rng: random.Random) -> list:
    decisions = []
    for s, stage in enumerate(space):
        if len(stage["depths"]) > 1:
            decisions.append(("depth", s, 0))
        for i in range(len(arch[s])):
            decisions += [(what, s, i) for what in ("widths", "kernels") if len(stage[what]) > 1]
    if not decisions:
        raise ValueError("this space holds one architecture only")
    what, s, i = rng.choice(decisions)
    child = [[tuple(layer) for layer in layers] for layers in arch]
    layers, stage = (child[s], space[s])
    if what == "depth":
        depth = rng.choice([d for d in stage["depths"] if d != len(layers)])
        fresh = [(rng.choice(stage["widths"]), rng.choice(stage["kernels"])) for _ in range(depth)]
        child[s] = layers[:depth] + fresh[len(layers) :]
    elif what == "widths":
        layers[i] = (rng.choice([w for w in stage["widths"] if w != layers[i][0]]), layers[i][1])
    else:
        layers[i] = (layers[i][0], rng.choice([k for k in stage["kernels"] if k != layers[i][1]]))
    return child


# %% wrong="space_size" unnamed=True says="expected ValueError"
def space_size(space: list[dict]) -> int:
    total = 1
    for stage in space:
        choices = len(stage["widths"]) * len(stage["kernels"])
        total *= sum((choices**depth for depth in stage["depths"]))
    return total


def mutate(arch: list, space: list[dict], rng: random.Random) -> list:
    decisions = []
    for s, stage in enumerate(space):
        if len(stage["depths"]) > 1:
            decisions.append(("depth", s, 0))
        for i in range(len(arch[s])):
            decisions += [(what, s, i) for what in ("widths", "kernels") if len(stage[what]) > 1]
    if not decisions:
        return [list(layers) for layers in arch]
    what, s, i = rng.choice(decisions)
    child = [[tuple(layer) for layer in layers] for layers in arch]
    layers, stage = (child[s], space[s])
    if what == "depth":
        depth = rng.choice([d for d in stage["depths"] if d != len(layers)])
        fresh = [(rng.choice(stage["widths"]), rng.choice(stage["kernels"])) for _ in range(depth)]
        child[s] = layers[:depth] + fresh[len(layers) :]
    elif what == "widths":
        layers[i] = (rng.choice([w for w in stage["widths"] if w != layers[i][0]]), layers[i][1])
    else:
        layers[i] = (layers[i][0], rng.choice([k for k in stage["kernels"] if k != layers[i][1]]))
    return child


# %% wrong="space_size" unnamed=True says="is a neighbour"
def space_size(space: list[dict]) -> int:
    total = 1
    for stage in space:
        choices = len(stage["widths"]) * len(stage["kernels"])
        total *= sum((choices**depth for depth in stage["depths"]))
    return total


def mutate(arch: list, space: list[dict], rng: random.Random) -> list:
    decisions = []
    for s, stage in enumerate(space):
        if len(stage["depths"]) > 1:
            decisions.append(("depth", s, 0))
        for i in range(len(arch[s])):
            decisions += [(what, s, i) for what in ("widths", "kernels") if len(stage[what]) > 1]
    if not decisions:
        raise ValueError("this space holds one architecture only")
    what, s, i = rng.choice(decisions)
    child = [[tuple(layer) for layer in layers] for layers in arch]
    layers, stage = (child[s], space[s])
    if what == "depth":
        depth = rng.choice([d for d in stage["depths"] if d != len(layers)])
        fresh = [(rng.choice(stage["widths"]), rng.choice(stage["kernels"])) for _ in range(depth)]
        child[s] = layers[:depth] + [layers[-1]] * (depth - len(layers))
    elif what == "widths":
        layers[i] = (rng.choice([w for w in stage["widths"] if w != layers[i][0]]), layers[i][1])
    else:
        layers[i] = (layers[i][0], rng.choice([k for k in stage["kernels"] if k != layers[i][1]]))
    return child


# %% wrong="space_size" unnamed=True says="is a neighbour"
def space_size(space: list[dict]) -> int:
    total = 1
    for stage in space:
        choices = len(stage["widths"]) * len(stage["kernels"])
        total *= sum((choices**depth for depth in stage["depths"]))
    return total


def mutate(arch: list, space: list[dict], rng: random.Random) -> list:
    decisions = []
    for s, stage in enumerate(space):
        if len(stage["depths"]) > 1:
            decisions.append(("depth", s, 0))
        for i in range(len(arch[s])):
            decisions += [(what, s, i) for what in ("widths",) if len(stage[what]) > 1]
    if not decisions and any(len(s["kernels"]) > 1 for s in space):
        decisions = [
            ("kernels", s, i) for s, stage in enumerate(space) for i in range(len(arch[s])) if len(stage["kernels"]) > 1
        ]
    if not decisions:
        raise ValueError("this space holds one architecture only")
    what, s, i = rng.choice(decisions)
    child = [[tuple(layer) for layer in layers] for layers in arch]
    layers, stage = (child[s], space[s])
    if what == "depth":
        depth = rng.choice([d for d in stage["depths"] if d != len(layers)])
        fresh = [(rng.choice(stage["widths"]), rng.choice(stage["kernels"])) for _ in range(depth)]
        child[s] = layers[:depth] + fresh[len(layers) :]
    elif what == "widths":
        layers[i] = (rng.choice([w for w in stage["widths"] if w != layers[i][0]]), layers[i][1])
    else:
        layers[i] = (layers[i][0], rng.choice([k for k in stage["kernels"] if k != layers[i][1]]))
    return child


# %% wrong="space_size" unnamed=True says="keep nothing between calls"
def space_size(space: list[dict]) -> int:
    total = 1
    for stage in space:
        choices = len(stage["widths"]) * len(stage["kernels"])
        total *= sum((choices**depth for depth in stage["depths"]))
    return total


def mutate(arch: list, space: list[dict], rng: random.Random) -> list:
    decisions = []
    for s, stage in enumerate(space):
        if len(stage["depths"]) > 1:
            decisions.append(("depth", s, 0))
        for i in range(len(arch[s])):
            decisions += [(what, s, i) for what in ("widths", "kernels") if len(stage[what]) > 1]
    if not decisions:
        raise ValueError("this space holds one architecture only")
    mutate.count = getattr(mutate, "count", 0) + 1
    what, s, i = rng.choice(decisions[mutate.count % 2 :] or decisions)
    child = [[tuple(layer) for layer in layers] for layers in arch]
    layers, stage = (child[s], space[s])
    if what == "depth":
        depth = rng.choice([d for d in stage["depths"] if d != len(layers)])
        fresh = [(rng.choice(stage["widths"]), rng.choice(stage["kernels"])) for _ in range(depth)]
        child[s] = layers[:depth] + fresh[len(layers) :]
    elif what == "widths":
        layers[i] = (rng.choice([w for w in stage["widths"] if w != layers[i][0]]), layers[i][1])
    else:
        layers[i] = (layers[i][0], rng.choice([k for k in stage["kernels"] if k != layers[i][1]]))
    return child


# %% wrong="space_size" unnamed=True says="same child"
def space_size(space: list[dict]) -> int:
    total = 1
    for stage in space:
        choices = len(stage["widths"]) * len(stage["kernels"])
        total *= sum((choices**depth for depth in stage["depths"]))
    return total


def mutate(arch: list, space: list[dict], rng: random.Random) -> list:
    rng = random.Random(4)
    decisions = []
    for s, stage in enumerate(space):
        if len(stage["depths"]) > 1:
            decisions.append(("depth", s, 0))
        for i in range(len(arch[s])):
            decisions += [(what, s, i) for what in ("widths", "kernels") if len(stage[what]) > 1]
    if not decisions:
        raise ValueError("this space holds one architecture only")
    what, s, i = rng.choice(decisions)
    child = [[tuple(layer) for layer in layers] for layers in arch]
    layers, stage = (child[s], space[s])
    if what == "depth":
        depth = rng.choice([d for d in stage["depths"] if d != len(layers)])
        fresh = [(rng.choice(stage["widths"]), rng.choice(stage["kernels"])) for _ in range(depth)]
        child[s] = layers[:depth] + fresh[len(layers) :]
    elif what == "widths":
        layers[i] = (rng.choice([w for w in stage["widths"] if w != layers[i][0]]), layers[i][1])
    else:
        layers[i] = (layers[i][0], rng.choice([k for k in stage["kernels"] if k != layers[i][1]]))
    return child


# %% wrong="space_size" unnamed=True says="returned the parent"
def space_size(space: list[dict]) -> int:
    total = 1
    for stage in space:
        choices = len(stage["widths"]) * len(stage["kernels"])
        total *= sum((choices**depth for depth in stage["depths"]))
    return total


def mutate(arch: list, space: list[dict], rng: random.Random) -> list:
    decisions = []
    for s, stage in enumerate(space):
        if len(stage["depths"]) > 1:
            decisions.append(("depth", s, 0))
        for i in range(len(arch[s])):
            decisions += [(what, s, i) for what in ("widths", "kernels") if len(stage[what]) > 1]
    if not decisions:
        raise ValueError("this space holds one architecture only")
    what, s, i = rng.choice(decisions)
    child = [[tuple(layer) for layer in layers] for layers in arch]
    layers, stage = (child[s], space[s])
    if what == "depth":
        depth = rng.choice([d for d in stage["depths"] if d != len(layers)])
        fresh = [(rng.choice(stage["widths"]), rng.choice(stage["kernels"])) for _ in range(depth)]
        child[s] = layers + fresh[len(layers) :]
    elif what == "widths":
        layers[i] = (rng.choice([w for w in stage["widths"] if w != layers[i][0]]), layers[i][1])
    else:
        layers[i] = (layers[i][0], rng.choice([k for k in stage["kernels"] if k != layers[i][1]]))
    return child


# %% wrong="space_size" unnamed=True says="from scratch"
def space_size(space: list[dict]) -> int:
    total = 1
    for stage in space:
        choices = len(stage["widths"]) * len(stage["kernels"])
        total *= sum((choices**depth for depth in stage["depths"]))
    return total


def mutate(arch: list, space: list[dict], rng: random.Random) -> list:
    import optuna

    optuna.create_study()
    decisions = []
    for s, stage in enumerate(space):
        if len(stage["depths"]) > 1:
            decisions.append(("depth", s, 0))
        for i in range(len(arch[s])):
            decisions += [(what, s, i) for what in ("widths", "kernels") if len(stage[what]) > 1]
    if not decisions:
        raise ValueError("this space holds one architecture only")
    what, s, i = rng.choice(decisions)
    child = [[tuple(layer) for layer in layers] for layers in arch]
    layers, stage = (child[s], space[s])
    if what == "depth":
        depth = rng.choice([d for d in stage["depths"] if d != len(layers)])
        fresh = [(rng.choice(stage["widths"]), rng.choice(stage["kernels"])) for _ in range(depth)]
        child[s] = layers[:depth] + fresh[len(layers) :]
    elif what == "widths":
        layers[i] = (rng.choice([w for w in stage["widths"] if w != layers[i][0]]), layers[i][1])
    else:
        layers[i] = (layers[i][0], rng.choice([k for k in stage["kernels"] if k != layers[i][1]]))
    return child


# %% wrong="space_size" says="each other can come"
def space_size(space: list[dict]) -> int:
    total = 1
    for stage in space:
        choices = len(stage["widths"]) * len(stage["kernels"])
        total *= sum((choices**depth for depth in stage["depths"]))
    return total


def mutate(arch: list, space: list[dict], rng: random.Random) -> list:
    decisions = []
    for s, stage in enumerate(space):
        if len(stage["depths"]) > 1:
            decisions.append(("depth", s, 0))
        for i in range(len(arch[s])):
            decisions += [(what, s, i) for what in ("widths", "kernels") if len(stage[what]) > 1]
    if not decisions:
        raise ValueError("this space holds one architecture only")
    what, s, i = rng.choice(decisions)
    child = [[tuple(layer) for layer in layers] for layers in arch]
    layers, stage = (child[s], space[s])
    if what == "depth":
        near = min((abs(d - len(layers)) for d in stage["depths"] if d != len(layers)))
        depth = rng.choice([d for d in stage["depths"] if abs(d - len(layers)) == near])
        fresh = [(rng.choice(stage["widths"]), rng.choice(stage["kernels"])) for _ in range(depth)]
        child[s] = layers[:depth] + fresh[len(layers) :]
    elif what == "widths":
        layers[i] = (rng.choice([w for w in stage["widths"] if w != layers[i][0]]), layers[i][1])
    else:
        layers[i] = (layers[i][0], rng.choice([k for k in stage["kernels"] if k != layers[i][1]]))
    return child


# %% wrong="space_size" unnamed=True says="draw each new layer by itself"
def space_size(space: list[dict]) -> int:
    total = 1
    for stage in space:
        choices = len(stage["widths"]) * len(stage["kernels"])
        total *= sum((choices**depth for depth in stage["depths"]))
    return total


def mutate(arch: list, space: list[dict], rng: random.Random) -> list:
    decisions = []
    for s, stage in enumerate(space):
        if len(stage["depths"]) > 1:
            decisions.append(("depth", s, 0))
        for i in range(len(arch[s])):
            decisions += [(what, s, i) for what in ("widths", "kernels") if len(stage[what]) > 1]
    if not decisions:
        raise ValueError("this space holds one architecture only")
    what, s, i = rng.choice(decisions)
    child = [[tuple(layer) for layer in layers] for layers in arch]
    layers, stage = (child[s], space[s])
    if what == "depth":
        depth = rng.choice([d for d in stage["depths"] if d != len(layers)])
        fresh = [(rng.choice(stage["widths"]), rng.choice(stage["kernels"]))] * depth
        child[s] = layers[:depth] + fresh[len(layers) :]
    elif what == "widths":
        layers[i] = (rng.choice([w for w in stage["widths"] if w != layers[i][0]]), layers[i][1])
    else:
        layers[i] = (layers[i][0], rng.choice([k for k in stage["kernels"] if k != layers[i][1]]))
    return child


# %% wrong="space_size" unnamed=True says="each width goes with each kernel"
def space_size(space: list[dict]) -> int:
    total = 1
    for stage in space:
        choices = len(stage["widths"]) + len(stage["kernels"])
        total *= sum((choices**depth for depth in stage["depths"]))
    return total


def mutate(arch: list, space: list[dict], rng: random.Random) -> list:
    decisions = []
    for s, stage in enumerate(space):
        if len(stage["depths"]) > 1:
            decisions.append(("depth", s, 0))
        for i in range(len(arch[s])):
            decisions += [(what, s, i) for what in ("widths", "kernels") if len(stage[what]) > 1]
    if not decisions:
        raise ValueError("this space holds one architecture only")
    what, s, i = rng.choice(decisions)
    child = [[tuple(layer) for layer in layers] for layers in arch]
    layers, stage = (child[s], space[s])
    if what == "depth":
        depth = rng.choice([d for d in stage["depths"] if d != len(layers)])
        fresh = [(rng.choice(stage["widths"]), rng.choice(stage["kernels"])) for _ in range(depth)]
        child[s] = layers[:depth] + fresh[len(layers) :]
    elif what == "widths":
        layers[i] = (rng.choice([w for w in stage["widths"] if w != layers[i][0]]), layers[i][1])
    else:
        layers[i] = (layers[i][0], rng.choice([k for k in stage["kernels"] if k != layers[i][1]]))
    return child


# %% wrong="space_size" unnamed=True says="c ** d versions"
def space_size(space: list[dict]) -> int:
    total = 1
    for stage in space:
        choices = len(stage["widths"]) * len(stage["kernels"])
        total *= sum((choices * depth for depth in stage["depths"]))
    return total


def mutate(arch: list, space: list[dict], rng: random.Random) -> list:
    decisions = []
    for s, stage in enumerate(space):
        if len(stage["depths"]) > 1:
            decisions.append(("depth", s, 0))
        for i in range(len(arch[s])):
            decisions += [(what, s, i) for what in ("widths", "kernels") if len(stage[what]) > 1]
    if not decisions:
        raise ValueError("this space holds one architecture only")
    what, s, i = rng.choice(decisions)
    child = [[tuple(layer) for layer in layers] for layers in arch]
    layers, stage = (child[s], space[s])
    if what == "depth":
        depth = rng.choice([d for d in stage["depths"] if d != len(layers)])
        fresh = [(rng.choice(stage["widths"]), rng.choice(stage["kernels"])) for _ in range(depth)]
        child[s] = layers[:depth] + fresh[len(layers) :]
    elif what == "widths":
        layers[i] = (rng.choice([w for w in stage["widths"] if w != layers[i][0]]), layers[i][1])
    else:
        layers[i] = (layers[i][0], rng.choice([k for k in stage["kernels"] if k != layers[i][1]]))
    return child


# %% wrong="space_size" unnamed=True says="add what each of them gives"
def space_size(space: list[dict]) -> int:
    total = 1
    for stage in space:
        choices = len(stage["widths"]) * len(stage["kernels"])
        total *= math.prod((choices**depth for depth in stage["depths"]))
    return total


def mutate(arch: list, space: list[dict], rng: random.Random) -> list:
    decisions = []
    for s, stage in enumerate(space):
        if len(stage["depths"]) > 1:
            decisions.append(("depth", s, 0))
        for i in range(len(arch[s])):
            decisions += [(what, s, i) for what in ("widths", "kernels") if len(stage[what]) > 1]
    if not decisions:
        raise ValueError("this space holds one architecture only")
    what, s, i = rng.choice(decisions)
    child = [[tuple(layer) for layer in layers] for layers in arch]
    layers, stage = (child[s], space[s])
    if what == "depth":
        depth = rng.choice([d for d in stage["depths"] if d != len(layers)])
        fresh = [(rng.choice(stage["widths"]), rng.choice(stage["kernels"])) for _ in range(depth)]
        child[s] = layers[:depth] + fresh[len(layers) :]
    elif what == "widths":
        layers[i] = (rng.choice([w for w in stage["widths"] if w != layers[i][0]]), layers[i][1])
    else:
        layers[i] = (layers[i][0], rng.choice([k for k in stage["kernels"] if k != layers[i][1]]))
    return child


# %% wrong="space_size" unnamed=True says="others do not occur"
def space_size(space: list[dict]) -> int:
    total = 1
    for stage in space:
        choices = len(stage["widths"]) * len(stage["kernels"])
        total *= sum((choices**d for d in range(1, max(stage["depths"]) + 1)))
    return total


def mutate(arch: list, space: list[dict], rng: random.Random) -> list:
    decisions = []
    for s, stage in enumerate(space):
        if len(stage["depths"]) > 1:
            decisions.append(("depth", s, 0))
        for i in range(len(arch[s])):
            decisions += [(what, s, i) for what in ("widths", "kernels") if len(stage[what]) > 1]
    if not decisions:
        raise ValueError("this space holds one architecture only")
    what, s, i = rng.choice(decisions)
    child = [[tuple(layer) for layer in layers] for layers in arch]
    layers, stage = (child[s], space[s])
    if what == "depth":
        depth = rng.choice([d for d in stage["depths"] if d != len(layers)])
        fresh = [(rng.choice(stage["widths"]), rng.choice(stage["kernels"])) for _ in range(depth)]
        child[s] = layers[:depth] + fresh[len(layers) :]
    elif what == "widths":
        layers[i] = (rng.choice([w for w in stage["widths"] if w != layers[i][0]]), layers[i][1])
    else:
        layers[i] = (layers[i][0], rng.choice([k for k in stage["kernels"] if k != layers[i][1]]))
    return child


# %% wrong="space_size" unnamed=True says="Only the last stage was counted"
def space_size(space: list[dict]) -> int:
    total = 1
    for stage in space:
        choices = len(stage["widths"]) * len(stage["kernels"])
        total = sum((choices**depth for depth in stage["depths"]))
    return total


def mutate(arch: list, space: list[dict], rng: random.Random) -> list:
    decisions = []
    for s, stage in enumerate(space):
        if len(stage["depths"]) > 1:
            decisions.append(("depth", s, 0))
        for i in range(len(arch[s])):
            decisions += [(what, s, i) for what in ("widths", "kernels") if len(stage[what]) > 1]
    if not decisions:
        raise ValueError("this space holds one architecture only")
    what, s, i = rng.choice(decisions)
    child = [[tuple(layer) for layer in layers] for layers in arch]
    layers, stage = (child[s], space[s])
    if what == "depth":
        depth = rng.choice([d for d in stage["depths"] if d != len(layers)])
        fresh = [(rng.choice(stage["widths"]), rng.choice(stage["kernels"])) for _ in range(depth)]
        child[s] = layers[:depth] + fresh[len(layers) :]
    elif what == "widths":
        layers[i] = (rng.choice([w for w in stage["widths"] if w != layers[i][0]]), layers[i][1])
    else:
        layers[i] = (layers[i][0], rng.choice([k for k in stage["kernels"] if k != layers[i][1]]))
    return child


# %% wrong="space_size" unnamed=True says="has 64 bits only"
def space_size(space: list[dict]) -> int:
    total = 1
    for stage in space:
        choices = len(stage["widths"]) * len(stage["kernels"])
        total *= sum((choices**depth for depth in stage["depths"]))
    return int(np.prod([sum(((len(s["widths"]) * len(s["kernels"])) ** d for d in s["depths"])) for s in space]))


def mutate(arch: list, space: list[dict], rng: random.Random) -> list:
    decisions = []
    for s, stage in enumerate(space):
        if len(stage["depths"]) > 1:
            decisions.append(("depth", s, 0))
        for i in range(len(arch[s])):
            decisions += [(what, s, i) for what in ("widths", "kernels") if len(stage[what]) > 1]
    if not decisions:
        raise ValueError("this space holds one architecture only")
    what, s, i = rng.choice(decisions)
    child = [[tuple(layer) for layer in layers] for layers in arch]
    layers, stage = (child[s], space[s])
    if what == "depth":
        depth = rng.choice([d for d in stage["depths"] if d != len(layers)])
        fresh = [(rng.choice(stage["widths"]), rng.choice(stage["kernels"])) for _ in range(depth)]
        child[s] = layers[:depth] + fresh[len(layers) :]
    elif what == "widths":
        layers[i] = (rng.choice([w for w in stage["widths"] if w != layers[i][0]]), layers[i][1])
    else:
        layers[i] = (layers[i][0], rng.choice([k for k in stage["kernels"] if k != layers[i][1]]))
    return child


# %% right="space_size"
def space_size(space):
    def versions(stage):
        one = len(set(stage["widths"])) * len(set(stage["kernels"]))
        return sum(pow(one, d) for d in stage["depths"])

    return math.prod(map(versions, space))


def mutate(arch, space, rng):
    if space_size(space) == 1:
        raise ValueError("one only")
    while True:  # any decision, any option, until something has changed
        child = [list(map(tuple, layers)) for layers in arch]
        s = rng.randrange(len(space))
        stage, layers = space[s], child[s]
        kind = rng.randrange(3)
        if kind == 0:
            depth = rng.choice(stage["depths"])
            while len(layers) > depth:
                layers.pop()
            while len(layers) < depth:
                layers.append((rng.choice(stage["widths"]), rng.choice(stage["kernels"])))
        else:
            i = rng.randrange(len(layers))
            width, kernel = layers[i]
            layers[i] = (rng.choice(stage["widths"]), kernel) if kind == 1 else (width, rng.choice(stage["kernels"]))
        if child != [list(map(tuple, layers)) for layers in arch]:
            return child


# %% right="space_size"
def space_size(space):
    if not space:
        return 1
    first, rest = space[0], space[1:]
    c = len(first["widths"]) * len(first["kernels"])
    ways = 0
    for d in first["depths"]:
        layers = 1
        for _ in range(d):
            layers = layers * c
        ways = ways + layers
    return ways * space_size(rest)


def mutate(arch, space, rng):
    import itertools

    near = []
    for s, stage in enumerate(space):
        for i, (w, k) in enumerate(arch[s]):
            for w2 in stage["widths"]:
                if w2 != w:
                    near.append((s, i, (w2, k)))
            for k2 in stage["kernels"]:
                if k2 != k:
                    near.append((s, i, (w, k2)))
        for d in stage["depths"]:
            if d != len(arch[s]):
                near.append((s, d, None))
    if not near:
        raise ValueError("nothing to change")
    s, i, new = near[int(rng.random() * len(near))]
    child = []
    for t in range(len(arch)):
        layers = [tuple(layer) for layer in arch[t]]
        if t == s and new is not None:
            layers[i] = new
        elif t == s:
            layers = layers[:i]
            while len(layers) < i:
                both = list(itertools.product(space[s]["widths"], space[s]["kernels"]))
                layers.append(rng.choice(both))
        child.append(tuple(layers))
    return tuple(child)


# %% right="space_size"
def space_size(space):
    counts = [[(len(s["widths"]) * len(s["kernels"])) ** d for d in s["depths"]] for s in space]
    total = 1
    for versions in counts:
        total = total * sum(versions)
    return total


def mutate(arch, space, rng):
    import copy

    child = [[list(layer) for layer in layers] for layers in copy.deepcopy(arch)]
    places = [(s, None) for s in range(len(space)) if len(space[s]["depths"]) > 1]
    places += [
        (s, (i, j))
        for s in range(len(space))
        for i in range(len(child[s]))
        for j in (0, 1)
        if len(space[s][("widths", "kernels")[j]]) > 1
    ]
    if len(places) == 0:
        raise ValueError(space)
    rng.shuffle(places)
    s, place = places[0]
    if place is None:
        others = list(space[s]["depths"])
        others.remove(len(child[s]))
        depth = others[rng.randrange(len(others))]
        del child[s][depth:]
        for _ in range(depth - len(child[s])):
            child[s] += [[rng.choice(space[s]["widths"]), rng.choice(space[s]["kernels"])]]
    else:
        i, j = place
        options = list(space[s][("widths", "kernels")[j]])
        options.remove(child[s][i][j])
        child[s][i][j] = rng.sample(options, 1)[0]
    return child


# %% wrong="architecture_cost" says="rounded down"
def architecture_cost(arch: list, space: list[dict], image=(1, 28, 28), classes: int = 10) -> dict:
    c_in, height, width_px = image
    macs = params = 0
    for layers, stage in zip(arch, space):
        for i, (c_out, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            height, width_px = (height // stride, width_px // stride)
            weights = c_out * c_in * kernel * kernel
            macs += weights * height * width_px
            params += weights + 2 * c_out
            c_in = c_out
    return {"macs": macs + c_in * classes, "params": params + (c_in + 1) * classes}


# %% wrong="architecture_cost" says="BatchNorm is forgotten"
def architecture_cost(arch: list, space: list[dict], image=(1, 28, 28), classes: int = 10) -> dict:
    c_in, height, width_px = image
    macs = params = 0
    for layers, stage in zip(arch, space):
        for i, (c_out, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            height, width_px = (-(-height // stride), -(-width_px // stride))
            weights = c_out * c_in * kernel * kernel
            macs += weights * height * width_px
            params += weights
            c_in = c_out
    return {"macs": macs + c_in * classes, "params": params + (c_in + 1) * classes}


# %% wrong="architecture_cost" says="classifier is forgotten"
def architecture_cost(arch: list, space: list[dict], image=(1, 28, 28), classes: int = 10) -> dict:
    c_in, height, width_px = image
    macs = params = 0
    for layers, stage in zip(arch, space):
        for i, (c_out, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            height, width_px = (-(-height // stride), -(-width_px // stride))
            weights = c_out * c_in * kernel * kernel
            macs += weights * height * width_px
            params += weights + 2 * c_out
            c_in = c_out
    return {"macs": macs, "params": params}


# %% wrong="architecture_cost" says="classifier's bias"
def architecture_cost(arch: list, space: list[dict], image=(1, 28, 28), classes: int = 10) -> dict:
    c_in, height, width_px = image
    macs = params = 0
    for layers, stage in zip(arch, space):
        for i, (c_out, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            height, width_px = (-(-height // stride), -(-width_px // stride))
            weights = c_out * c_in * kernel * kernel
            macs += weights * height * width_px
            params += weights + 2 * c_out
            c_in = c_out
    return {"macs": macs + c_in * classes, "params": params + c_in * classes}


# %% wrong="architecture_cost" says="Every layer has the stride"
def architecture_cost(arch: list, space: list[dict], image=(1, 28, 28), classes: int = 10) -> dict:
    c_in, height, width_px = image
    macs = params = 0
    for layers, stage in zip(arch, space):
        for i, (c_out, kernel) in enumerate(layers):
            stride = stage["stride"]
            height, width_px = (-(-height // stride), -(-width_px // stride))
            weights = c_out * c_in * kernel * kernel
            macs += weights * height * width_px
            params += weights + 2 * c_out
            c_in = c_out
    return {"macs": macs + c_in * classes, "params": params + (c_in + 1) * classes}


# %% wrong="architecture_cost" says="size of the layer's input"
def architecture_cost(arch: list, space: list[dict], image=(1, 28, 28), classes: int = 10) -> dict:
    c_in, height, width_px = image
    macs = params = 0
    for layers, stage in zip(arch, space):
        for i, (c_out, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            before = height * width_px
            height, width_px = (-(-height // stride), -(-width_px // stride))
            weights = c_out * c_in * kernel * kernel
            macs += weights * before
            params += weights + 2 * c_out
            c_in = c_out
    return {"macs": macs + c_in * classes, "params": params + (c_in + 1) * classes}


# %% wrong="architecture_cost" unnamed=True says="expected"
def architecture_cost(arch: list, space: list[dict], image=(1, 28, 28), classes: int = 10) -> dict:
    c_in, height, width_px = image
    macs = params = 0
    for layers, stage in zip(arch, space):
        for i, (c_out, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            height, width_px = (-(-height // stride), -(-width_px // stride))
            weights = c_out * c_in * kernel * kernel
            macs += weights * height * width_px
            params += weights + 2 * c_out
            c_in = c_out
    return {"macs": 2 * (macs + c_in * classes), "params": params + (c_in + 1) * classes}


# %% wrong="architecture_cost" unnamed=True says="expected"
def architecture_cost(arch: list, space: list[dict], image=(1, 28, 28), classes: int = 10) -> dict:
    c_in, height, width_px = 1, image[1], image[2]
    macs = params = 0
    for layers, stage in zip(arch, space):
        for i, (c_out, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            height, width_px = (-(-height // stride), -(-width_px // stride))
            weights = c_out * c_in * kernel * kernel
            macs += weights * height * width_px
            params += weights + 2 * c_out
            c_in = c_out
    return {"macs": macs + c_in * classes, "params": params + (c_in + 1) * classes}


# %% wrong="architecture_cost" unnamed=True says="expected"
def architecture_cost(arch: list, space: list[dict], image=(1, 28, 28), classes: int = 10) -> dict:
    c_in, height, width_px = image
    macs = params = 0
    for layers, stage in zip(arch, space):
        for i, (c_out, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            height, width_px = (-(-height // stride), -(-width_px // stride))
            weights = c_out * c_in * kernel * kernel
            macs += weights * height * height
            params += weights + 2 * c_out
            c_in = c_out
    return {"macs": macs + c_in * classes, "params": params + (c_in + 1) * classes}


# %% wrong="architecture_cost" unnamed=True says="expected"
def architecture_cost(arch: list, space: list[dict], image=(1, 28, 28), classes: int = 10) -> dict:
    c_in, height, width_px = image
    macs = params = 0
    for layers, stage in zip(arch, space):
        for i, (c_out, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            height, width_px = (-(-height // stride), -(-width_px // stride))
            weights = c_out * c_in * kernel * kernel
            macs += weights * height * width_px
            params += weights + 4 * c_out
            c_in = c_out
    return {"macs": macs + c_in * classes, "params": params + (c_in + 1) * classes}


# %% wrong="architecture_cost" unnamed=True says="expected"
def architecture_cost(arch: list, space: list[dict], image=(1, 28, 28), classes: int = 10) -> dict:
    c_in, height, width_px = image
    macs = params = 0
    for layers, stage in zip(arch, space):
        for i, (c_out, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            height, width_px = (-(-height // stride), -(-width_px // stride))
            weights = c_out * c_in * kernel * kernel
            macs += weights * height * width_px
            params += weights + 2 * c_out
            c_in = c_out
    return {"macs": macs + c_in * classes, "params": params + (c_in + 1) * 10}


# %% wrong="architecture_cost" unnamed=True says="an int"
def architecture_cost(arch: list, space: list[dict], image=(1, 28, 28), classes: int = 10) -> dict:
    c_in, height, width_px = image
    macs = params = 0
    for layers, stage in zip(arch, space):
        for i, (c_out, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            height, width_px = (-(-height // stride), -(-width_px // stride))
            weights = c_out * c_in * kernel * kernel
            macs += weights * height * width_px
            params += weights + 2 * c_out
            c_in = c_out
    return {"macs": float(macs + c_in * classes), "params": params + (c_in + 1) * classes}


# %% wrong="architecture_cost" unnamed=True says="built"
def architecture_cost(arch: list, space: list[dict], image=(1, 28, 28), classes: int = 10) -> dict:
    net = nn.Linear(2, 2)
    c_in, height, width_px = image
    macs = params = 0
    for layers, stage in zip(arch, space):
        for i, (c_out, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            height, width_px = (-(-height // stride), -(-width_px // stride))
            weights = c_out * c_in * kernel * kernel
            macs += weights * height * width_px
            params += weights + 2 * c_out
            c_in = c_out
    return {"macs": macs + c_in * classes, "params": params + (c_in + 1) * classes}


# %% wrong="architecture_cost" unnamed=True says="from scratch"
def architecture_cost(arch: list, space: list[dict], image=(1, 28, 28), classes: int = 10) -> dict:
    from fvcore.nn import FlopCountAnalysis

    FlopCountAnalysis(None, None)
    c_in, height, width_px = image
    macs = params = 0
    for layers, stage in zip(arch, space):
        for i, (c_out, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            height, width_px = (-(-height // stride), -(-width_px // stride))
            weights = c_out * c_in * kernel * kernel
            macs += weights * height * width_px
            params += weights + 2 * c_out
            c_in = c_out
    return {"macs": macs + c_in * classes, "params": params + (c_in + 1) * classes}


# %% wrong="architecture_cost" unnamed=True says="weights of the convolutions are parameters"
def architecture_cost(arch: list, space: list[dict], image=(1, 28, 28), classes: int = 10) -> dict:
    c_in, height, width_px = image
    macs = params = 0
    for layers, stage in zip(arch, space):
        for i, (c_out, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            height, width_px = (-(-height // stride), -(-width_px // stride))
            weights = c_out * c_in * kernel * kernel
            macs += weights * height * width_px
            params += 2 * c_out
            c_in = c_out
    return {"macs": macs + c_in * classes, "params": params + (c_in + 1) * classes}


# %% wrong="architecture_cost" unnamed=True says="c_in is the width of the layer before"
def architecture_cost(arch: list, space: list[dict], image=(1, 28, 28), classes: int = 10) -> dict:
    c_in, height, width_px = image
    macs = params = 0
    for layers, stage in zip(arch, space):
        for i, (c_out, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            height, width_px = (-(-height // stride), -(-width_px // stride))
            weights = c_out * c_in * kernel * kernel
            macs += weights * height * width_px
            params += weights + 2 * c_out
        c_in = c_out
    return {"macs": macs + c_in * classes, "params": params + (c_in + 1) * classes}


# %% wrong="architecture_cost" unnamed=True says="c_in is the width of the layer before"
def architecture_cost(arch: list, space: list[dict], image=(1, 28, 28), classes: int = 10) -> dict:
    c_in, height, width_px = image
    macs = params = 0
    for layers, stage in zip(arch, space):
        for i, (c_out, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            height, width_px = (-(-height // stride), -(-width_px // stride))
            weights = c_out * c_in * kernel
            macs += weights * height * width_px
            params += weights + 2 * c_out
            c_in = c_out
    return {"macs": macs + c_in * classes, "params": params + (c_in + 1) * classes}


# %% wrong="architecture_cost" unnamed=True says="The padding is kernel // 2"
def architecture_cost(arch: list, space: list[dict], image=(1, 28, 28), classes: int = 10) -> dict:
    c_in, height, width_px = image
    macs = params = 0
    for layers, stage in zip(arch, space):
        for i, (c_out, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            height, width_px = ((height - kernel) // stride + 1, (width_px - kernel) // stride + 1)
            weights = c_out * c_in * kernel * kernel
            macs += weights * height * width_px
            params += weights + 2 * c_out
            c_in = c_out
    return {"macs": macs + c_in * classes, "params": params + (c_in + 1) * classes}


# %% wrong="architecture_cost" unnamed=True says="carry height and width along"
def architecture_cost(arch: list, space: list[dict], image=(1, 28, 28), classes: int = 10) -> dict:
    c_in, height, width_px = image
    macs = params = 0
    for layers, stage in zip(arch, space):
        for i, (c_out, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            height = width_px = -(-height // stride)
            weights = c_out * c_in * kernel * kernel
            macs += weights * height * width_px
            params += weights + 2 * c_out
            c_in = c_out
    return {"macs": macs + c_in * classes, "params": params + (c_in + 1) * classes}


# %% wrong="architecture_cost" unnamed=True says="running values are none"
def architecture_cost(arch: list, space: list[dict], image=(1, 28, 28), classes: int = 10) -> dict:
    c_in, height, width_px = image
    macs = params = 0
    for layers, stage in zip(arch, space):
        for i, (c_out, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            height, width_px = (-(-height // stride), -(-width_px // stride))
            weights = c_out * c_in * kernel * kernel
            macs += weights * height * width_px
            params += weights + 4 * c_out
            c_in = c_out
    return {"macs": macs + c_in * classes, "params": params + (c_in + 1) * classes}


# %% wrong="architecture_cost" unnamed=True says="convolutions have no bias"
def architecture_cost(arch: list, space: list[dict], image=(1, 28, 28), classes: int = 10) -> dict:
    c_in, height, width_px = image
    macs = params = 0
    for layers, stage in zip(arch, space):
        for i, (c_out, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            height, width_px = (-(-height // stride), -(-width_px // stride))
            weights = c_out * c_in * kernel * kernel
            macs += weights * height * width_px
            params += weights + 3 * c_out
            c_in = c_out
    return {"macs": macs + c_in * classes, "params": params + (c_in + 1) * classes}


# %% wrong="architecture_cost" unnamed=True says="not as two operations"
def architecture_cost(arch: list, space: list[dict], image=(1, 28, 28), classes: int = 10) -> dict:
    c_in, height, width_px = image
    macs = params = 0
    for layers, stage in zip(arch, space):
        for i, (c_out, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            height, width_px = (-(-height // stride), -(-width_px // stride))
            weights = c_out * c_in * kernel * kernel
            macs += 2 * weights * height * width_px
            params += weights + 2 * c_out
            c_in = c_out
    return {"macs": macs + 2 * c_in * classes, "params": params + (c_in + 1) * classes}


# %% wrong="architecture_cost" unnamed=True says="are no multiply-accumulates here"
def architecture_cost(arch: list, space: list[dict], image=(1, 28, 28), classes: int = 10) -> dict:
    c_in, height, width_px = image
    macs = params = 0
    for layers, stage in zip(arch, space):
        for i, (c_out, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            height, width_px = (-(-height // stride), -(-width_px // stride))
            weights = c_out * c_in * kernel * kernel
            macs += weights * height * width_px
            params += weights + 2 * c_out
            c_in = c_out
    return {"macs": macs + (c_in + 1) * classes, "params": params + (c_in + 1) * classes}


# %% wrong="architecture_cost" unnamed=True says="sees one number a channel"
def architecture_cost(arch: list, space: list[dict], image=(1, 28, 28), classes: int = 10) -> dict:
    c_in, height, width_px = image
    macs = params = 0
    for layers, stage in zip(arch, space):
        for i, (c_out, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            height, width_px = (-(-height // stride), -(-width_px // stride))
            weights = c_out * c_in * kernel * kernel
            macs += weights * height * width_px
            params += weights + 2 * c_out
            c_in = c_out
    return {
        "macs": macs + c_in * height * width_px * classes,
        "params": params + (c_in * height * width_px + 1) * classes,
    }


# %% wrong="architecture_cost" unnamed=True says="The stride is not used"
def architecture_cost(arch: list, space: list[dict], image=(1, 28, 28), classes: int = 10) -> dict:
    c_in, height, width_px = image
    macs = params = 0
    for layers, stage in zip(arch, space):
        for i, (c_out, kernel) in enumerate(layers):
            stride = 1
            height, width_px = (-(-height // stride), -(-width_px // stride))
            weights = c_out * c_in * kernel * kernel
            macs += weights * height * width_px
            params += weights + 2 * c_out
            c_in = c_out
    return {"macs": macs + c_in * classes, "params": params + (c_in + 1) * classes}


# %% right="architecture_cost"
def architecture_cost(arch, space, image=(1, 28, 28), classes=10):
    channels, *size = image
    rows = []
    for s, layers in enumerate(arch):
        for i, (out, k) in enumerate(layers):
            step = space[s]["stride"] if not i else 1
            size = [math.ceil(n / step) for n in size]
            rows.append((out * channels * k**2, size[0] * size[1], out))
            channels = out
    return {
        "macs": sum(w * pixels for w, pixels, _ in rows) + channels * classes,
        "params": sum(w + 2 * out for w, _, out in rows) + channels * classes + classes,
    }


# %% right="architecture_cost"
def architecture_cost(arch, space, image=(1, 28, 28), classes=10):
    c, h, w = (int(v) for v in image)
    m, p = np.int64(0), 0
    for stage in range(len(space)):
        stride = int(space[stage]["stride"])
        for width, kernel in arch[stage]:
            pad = kernel // 2
            h, w = (h + 2 * pad - kernel) // stride + 1, (w + 2 * pad - kernel) // stride + 1
            m += width * c * kernel * kernel * h * w
            p += width * c * kernel * kernel + width + width
            c, stride = width, 1
    return dict(params=p + c * classes + classes, macs=int(m) + c * classes)


# %% right="architecture_cost"
def architecture_cost(arch, space, image=(1, 28, 28), classes=10):
    def walk(layers, strides, c, h, w):
        if not layers:
            return c * classes, c * classes + classes
        (out, k), stride = layers[0], strides[0]
        h, w = (h + stride - 1) // stride, (w + stride - 1) // stride
        macs, params = walk(layers[1:], strides[1:], out, h, w)
        return macs + k * k * c * out * h * w, params + k * k * c * out + 2 * out

    flat = [layer for layers in arch for layer in layers]
    strides = [s["stride"] if i == 0 else 1 for s, layers in zip(space, arch) for i in range(len(layers))]
    macs, params = walk(flat, strides, *image)
    return {"macs": macs, "params": params}


# %% wrong="latency_table" says="Layer by layer"
def latency_table(layers: dict, rounds: int = 15, clock=time.perf_counter) -> dict:
    if rounds < 1:
        raise ValueError(f"at least one round, not {rounds}")
    for call in layers.values():
        call()
    times = {key: [] for key in layers}
    for key, call in layers.items():
        for _ in range(rounds):
            before = clock()
            call()
            times[key].append(clock() - before)
    return {key: 1000 * float(np.median(seconds)) for key, seconds in times.items()}


def predict_latency(arch: list, space: list[dict], table: dict, image=(1, 28, 28)) -> float:
    c_in, size, _ = image
    total = 0.0
    for layers, stage in zip(arch, space):
        for i, (width, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            total += table[size, c_in, width, kernel, stride]
            c_in, size = (width, math.ceil(size / stride))
    return total + table["head", c_in]


# %% wrong="latency_table" says="warm-up is timed"
def latency_table(layers: dict, rounds: int = 15, clock=time.perf_counter) -> dict:
    if rounds < 1:
        raise ValueError(f"at least one round, not {rounds}")
    times = {key: [] for key in layers}
    for _ in range(rounds):
        for key, call in layers.items():
            before = clock()
            call()
            times[key].append(clock() - before)
    return {key: 1000 * float(np.median(seconds)) for key, seconds in times.items()}


def predict_latency(arch: list, space: list[dict], table: dict, image=(1, 28, 28)) -> float:
    c_in, size, _ = image
    total = 0.0
    for layers, stage in zip(arch, space):
        for i, (width, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            total += table[size, c_in, width, kernel, stride]
            c_in, size = (width, math.ceil(size / stride))
    return total + table["head", c_in]


# %% wrong="latency_table" says="warm-up is timed"
def latency_table(layers: dict, rounds: int = 15, clock=time.perf_counter) -> dict:
    if rounds < 1:
        raise ValueError(f"at least one round, not {rounds}")
    times = {key: [] for key in layers}
    for key, call in layers.items():
        before = clock()
        call()
        times[key].append(clock() - before)
    for _ in range(rounds):
        for key, call in layers.items():
            before = clock()
            call()
            times[key].append(clock() - before)
    return {key: 1000 * float(np.median(seconds)) for key, seconds in times.items()}


def predict_latency(arch: list, space: list[dict], table: dict, image=(1, 28, 28)) -> float:
    c_in, size, _ = image
    total = 0.0
    for layers, stage in zip(arch, space):
        for i, (width, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            total += table[size, c_in, width, kernel, stride]
            c_in, size = (width, math.ceil(size / stride))
    return total + table["head", c_in]


# %% wrong="latency_table" says="the mean"
def latency_table(layers: dict, rounds: int = 15, clock=time.perf_counter) -> dict:
    if rounds < 1:
        raise ValueError(f"at least one round, not {rounds}")
    for call in layers.values():
        call()
    times = {key: [] for key in layers}
    for _ in range(rounds):
        for key, call in layers.items():
            before = clock()
            call()
            times[key].append(clock() - before)
    return {key: 1000 * float(np.mean(seconds)) for key, seconds in times.items()}


def predict_latency(arch: list, space: list[dict], table: dict, image=(1, 28, 28)) -> float:
    c_in, size, _ = image
    total = 0.0
    for layers, stage in zip(arch, space):
        for i, (width, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            total += table[size, c_in, width, kernel, stride]
            c_in, size = (width, math.ceil(size / stride))
    return total + table["head", c_in]


# %% wrong="latency_table" says="seconds"
def latency_table(layers: dict, rounds: int = 15, clock=time.perf_counter) -> dict:
    if rounds < 1:
        raise ValueError(f"at least one round, not {rounds}")
    for call in layers.values():
        call()
    times = {key: [] for key in layers}
    for _ in range(rounds):
        for key, call in layers.items():
            before = clock()
            call()
            times[key].append(clock() - before)
    return {key: float(np.median(seconds)) for key, seconds in times.items()}


def predict_latency(arch: list, space: list[dict], table: dict, image=(1, 28, 28)) -> float:
    c_in, size, _ = image
    total = 0.0
    for layers, stage in zip(arch, space):
        for i, (width, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            total += table[size, c_in, width, kernel, stride]
            c_in, size = (width, math.ceil(size / stride))
    return total + table["head", c_in]


# %% wrong="latency_table" says="head is forgotten"
def latency_table(layers: dict, rounds: int = 15, clock=time.perf_counter) -> dict:
    if rounds < 1:
        raise ValueError(f"at least one round, not {rounds}")
    for call in layers.values():
        call()
    times = {key: [] for key in layers}
    for _ in range(rounds):
        for key, call in layers.items():
            before = clock()
            call()
            times[key].append(clock() - before)
    return {key: 1000 * float(np.median(seconds)) for key, seconds in times.items()}


def predict_latency(arch: list, space: list[dict], table: dict, image=(1, 28, 28)) -> float:
    c_in, size, _ = image
    total = 0.0
    for layers, stage in zip(arch, space):
        for i, (width, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            total += table[size, c_in, width, kernel, stride]
            c_in, size = (width, math.ceil(size / stride))
    return total


# %% wrong="latency_table" says="looked up with the stride"
def latency_table(layers: dict, rounds: int = 15, clock=time.perf_counter) -> dict:
    if rounds < 1:
        raise ValueError(f"at least one round, not {rounds}")
    for call in layers.values():
        call()
    times = {key: [] for key in layers}
    for _ in range(rounds):
        for key, call in layers.items():
            before = clock()
            call()
            times[key].append(clock() - before)
    return {key: 1000 * float(np.median(seconds)) for key, seconds in times.items()}


def predict_latency(arch: list, space: list[dict], table: dict, image=(1, 28, 28)) -> float:
    c_in, size, _ = image
    total = 0.0
    for layers, stage in zip(arch, space):
        for i, (width, kernel) in enumerate(layers):
            stride = stage["stride"]
            total += table[size, c_in, width, kernel, stride]
            c_in, size = (width, math.ceil(size / stride))
    return total + table["head", c_in]


# %% wrong="latency_table" says="size after the layer"
def latency_table(layers: dict, rounds: int = 15, clock=time.perf_counter) -> dict:
    if rounds < 1:
        raise ValueError(f"at least one round, not {rounds}")
    for call in layers.values():
        call()
    times = {key: [] for key in layers}
    for _ in range(rounds):
        for key, call in layers.items():
            before = clock()
            call()
            times[key].append(clock() - before)
    return {key: 1000 * float(np.median(seconds)) for key, seconds in times.items()}


def predict_latency(arch: list, space: list[dict], table: dict, image=(1, 28, 28)) -> float:
    c_in, size, _ = image
    total = 0.0
    for layers, stage in zip(arch, space):
        for i, (width, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            size = math.ceil(size / stride)
            total += table[size, c_in, width, kernel, stride]
            c_in = width
    return total + table["head", c_in]


# %% wrong="latency_table" unnamed=True says="expected ValueError"
def latency_table(layers: dict, rounds: int = 15, clock=time.perf_counter) -> dict:
    for call in layers.values():
        call()
    times = {key: [] for key in layers}
    for _ in range(rounds):
        for key, call in layers.items():
            before = clock()
            call()
            times[key].append(clock() - before)
    return {key: 1000 * float(np.median(seconds)) for key, seconds in times.items()}


def predict_latency(arch: list, space: list[dict], table: dict, image=(1, 28, 28)) -> float:
    c_in, size, _ = image
    total = 0.0
    for layers, stage in zip(arch, space):
        for i, (width, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            total += table[size, c_in, width, kernel, stride]
            c_in, size = (width, math.ceil(size / stride))
    return total + table["head", c_in]


# %% wrong="latency_table" unnamed=True says="first difference"
def latency_table(layers: dict, rounds: int = 15, clock=time.perf_counter) -> dict:
    if rounds < 1:
        raise ValueError(f"at least one round, not {rounds}")
    for call in layers.values():
        call()
    times = {key: [] for key in layers}
    for _ in range(rounds):
        for key, call in layers.items():
            before = clock()
            call()
            call()
            times[key].append((clock() - before) / 2)
    return {key: 1000 * float(np.median(seconds)) for key, seconds in times.items()}


def predict_latency(arch: list, space: list[dict], table: dict, image=(1, 28, 28)) -> float:
    c_in, size, _ = image
    total = 0.0
    for layers, stage in zip(arch, space):
        for i, (width, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            total += table[size, c_in, width, kernel, stride]
            c_in, size = (width, math.ceil(size / stride))
    return total + table["head", c_in]


# %% wrong="latency_table" unnamed=True says="first difference"
def latency_table(layers: dict, rounds: int = 15, clock=time.perf_counter) -> dict:
    if rounds < 1:
        raise ValueError(f"at least one round, not {rounds}")
    for call in layers.values():
        call()
    times = {key: [] for key in layers}
    for _ in range(rounds):
        for key, call in layers.items():
            before = clock()
            call()
            times[key].append(clock() - before)
    return {key: 1000 * float(min(seconds)) for key, seconds in times.items()}


def predict_latency(arch: list, space: list[dict], table: dict, image=(1, 28, 28)) -> float:
    c_in, size, _ = image
    total = 0.0
    for layers, stage in zip(arch, space):
        for i, (width, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            total += table[size, c_in, width, kernel, stride]
            c_in, size = (width, math.ceil(size / stride))
    return total + table["head", c_in]


# %% wrong="latency_table" unnamed=True says="expected KeyError"
def latency_table(layers: dict, rounds: int = 15, clock=time.perf_counter) -> dict:
    if rounds < 1:
        raise ValueError(f"at least one round, not {rounds}")
    for call in layers.values():
        call()
    times = {key: [] for key in layers}
    for _ in range(rounds):
        for key, call in layers.items():
            before = clock()
            call()
            times[key].append(clock() - before)
    return {key: 1000 * float(np.median(seconds)) for key, seconds in times.items()}


def predict_latency(arch: list, space: list[dict], table: dict, image=(1, 28, 28)) -> float:
    c_in, size, _ = image
    total = 0.0
    for layers, stage in zip(arch, space):
        for i, (width, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            total += table.get((size, c_in, width, kernel, stride), 0.0)
            c_in, size = (width, math.ceil(size / stride))
    return total + table["head", c_in]


# %% wrong="latency_table" unnamed=True says="expected"
def latency_table(layers: dict, rounds: int = 15, clock=time.perf_counter) -> dict:
    if rounds < 1:
        raise ValueError(f"at least one round, not {rounds}")
    for call in layers.values():
        call()
    times = {key: [] for key in layers}
    for _ in range(rounds):
        for key, call in layers.items():
            before = clock()
            call()
            times[key].append(clock() - before)
    return {key: 1000 * float(np.median(seconds)) for key, seconds in times.items()}


def predict_latency(arch: list, space: list[dict], table: dict, image=(1, 28, 28)) -> float:
    c_in, size, _ = image
    total = 0.0
    for layers, stage in zip(arch, space):
        for i, (width, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            total += table[size, c_in, width, kernel, stride]
            c_in, size = (width, size // stride)
    return total + table["head", c_in]


# %% wrong="latency_table" unnamed=True says="yours"
def latency_table(layers: dict, rounds: int = 10, clock=time.perf_counter) -> dict:
    if rounds < 1:
        raise ValueError(f"at least one round, not {rounds}")
    for call in layers.values():
        call()
    times = {key: [] for key in layers}
    for _ in range(rounds):
        for key, call in layers.items():
            before = clock()
            call()
            times[key].append(clock() - before)
    return {key: 1000 * float(np.median(seconds)) for key, seconds in times.items()}


def predict_latency(arch: list, space: list[dict], table: dict, image=(1, 28, 28)) -> float:
    c_in, size, _ = image
    total = 0.0
    for layers, stage in zip(arch, space):
        for i, (width, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            total += table[size, c_in, width, kernel, stride]
            c_in, size = (width, math.ceil(size / stride))
    return total + table["head", c_in]


# %% wrong="latency_table" unnamed=True says="from scratch"
def latency_table(layers: dict, rounds: int = 15, clock=time.perf_counter) -> dict:
    if rounds < 1:
        raise ValueError(f"at least one round, not {rounds}")
    for call in layers.values():
        call()
    import timeit

    timeit.timeit(lambda: None)
    times = {key: [] for key in layers}
    for _ in range(rounds):
        for key, call in layers.items():
            before = clock()
            call()
            times[key].append(clock() - before)
    return {key: 1000 * float(np.median(seconds)) for key, seconds in times.items()}


def predict_latency(arch: list, space: list[dict], table: dict, image=(1, 28, 28)) -> float:
    c_in, size, _ = image
    total = 0.0
    for layers, stage in zip(arch, space):
        for i, (width, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            total += table[size, c_in, width, kernel, stride]
            c_in, size = (width, math.ceil(size / stride))
    return total + table["head", c_in]


# %% wrong="latency_table" says="mean of the two in the middle"
def latency_table(layers: dict, rounds: int = 15, clock=time.perf_counter) -> dict:
    if rounds < 1:
        raise ValueError(f"at least one round, not {rounds}")
    for call in layers.values():
        call()
    times = {key: [] for key in layers}
    for _ in range(rounds):
        for key, call in layers.items():
            before = clock()
            call()
            times[key].append(clock() - before)
    return {key: 1000 * float(sorted(seconds)[len(seconds) // 2]) for key, seconds in times.items()}


def predict_latency(arch: list, space: list[dict], table: dict, image=(1, 28, 28)) -> float:
    c_in, size, _ = image
    total = 0.0
    for layers, stage in zip(arch, space):
        for i, (width, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            total += table[size, c_in, width, kernel, stride]
            c_in, size = (width, math.ceil(size / stride))
    return total + table["head", c_in]


# %% wrong="latency_table" unnamed=True says="mean of the two in the middle"
def latency_table(layers: dict, rounds: int = 15, clock=time.perf_counter) -> dict:
    if rounds < 1:
        raise ValueError(f"at least one round, not {rounds}")
    for call in layers.values():
        call()
    times = {key: [] for key in layers}
    for _ in range(rounds):
        for key, call in layers.items():
            before = clock()
            call()
            times[key].append(clock() - before)
    return {key: 1000 * float(sorted(seconds)[(len(seconds) - 1) // 2]) for key, seconds in times.items()}


def predict_latency(arch: list, space: list[dict], table: dict, image=(1, 28, 28)) -> float:
    c_in, size, _ = image
    total = 0.0
    for layers, stage in zip(arch, space):
        for i, (width, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            total += table[size, c_in, width, kernel, stride]
            c_in, size = (width, math.ceil(size / stride))
    return total + table["head", c_in]


# %% wrong="latency_table" unnamed=True says="another number of the same times"
def latency_table(layers: dict, rounds: int = 15, clock=time.perf_counter) -> dict:
    if rounds < 1:
        raise ValueError(f"at least one round, not {rounds}")
    for call in layers.values():
        call()
    times = {key: [] for key in layers}
    for _ in range(rounds):
        for key, call in layers.items():
            before = clock()
            call()
            times[key].append(clock() - before)
    return {key: 1000 * float(min(seconds)) for key, seconds in times.items()}


def predict_latency(arch: list, space: list[dict], table: dict, image=(1, 28, 28)) -> float:
    c_in, size, _ = image
    total = 0.0
    for layers, stage in zip(arch, space):
        for i, (width, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            total += table[size, c_in, width, kernel, stride]
            c_in, size = (width, math.ceil(size / stride))
    return total + table["head", c_in]


# %% wrong="latency_table" unnamed=True says="is not read"
def latency_table(layers: dict, rounds: int = 15, clock=time.perf_counter) -> dict:
    if rounds < 1:
        raise ValueError(f"at least one round, not {rounds}")
    for call in layers.values():
        call()
    times = {key: [] for key in layers}
    for _ in range(rounds):
        for key, call in layers.items():
            before = time.perf_counter()
            call()
            times[key].append(time.perf_counter() - before)
    return {key: 1000 * float(np.median(seconds)) for key, seconds in times.items()}


def predict_latency(arch: list, space: list[dict], table: dict, image=(1, 28, 28)) -> float:
    c_in, size, _ = image
    total = 0.0
    for layers, stage in zip(arch, space):
        for i, (width, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            total += table[size, c_in, width, kernel, stride]
            c_in, size = (width, math.ceil(size / stride))
    return total + table["head", c_in]


# %% wrong="latency_table" unnamed=True says="just before and just after"
def latency_table(layers: dict, rounds: int = 15, clock=time.perf_counter) -> dict:
    if rounds < 1:
        raise ValueError(f"at least one round, not {rounds}")
    for call in layers.values():
        call()
    times = {key: [] for key in layers}
    for _ in range(rounds):
        before = clock()
        for key, call in layers.items():
            call()
            now = clock()
            times[key].append(now - before)
            before = now
    return {key: 1000 * float(np.median(seconds)) for key, seconds in times.items()}


def predict_latency(arch: list, space: list[dict], table: dict, image=(1, 28, 28)) -> float:
    c_in, size, _ = image
    total = 0.0
    for layers, stage in zip(arch, space):
        for i, (width, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            total += table[size, c_in, width, kernel, stride]
            c_in, size = (width, math.ceil(size / stride))
    return total + table["head", c_in]


# %% wrong="latency_table" unnamed=True says="Too many or too few calls"
def latency_table(layers: dict, rounds: int = 15, clock=time.perf_counter) -> dict:
    if rounds < 1:
        raise ValueError(f"at least one round, not {rounds}")
    for call in layers.values():
        call()
    times = {key: [] for key in layers}
    for _ in range(rounds - 1):
        for key, call in layers.items():
            before = clock()
            call()
            times[key].append(clock() - before)
    return {key: 1000 * float(np.median(seconds)) for key, seconds in times.items()}


def predict_latency(arch: list, space: list[dict], table: dict, image=(1, 28, 28)) -> float:
    c_in, size, _ = image
    total = 0.0
    for layers, stage in zip(arch, space):
        for i, (width, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            total += table[size, c_in, width, kernel, stride]
            c_in, size = (width, math.ceil(size / stride))
    return total + table["head", c_in]


# %% wrong="latency_table" unnamed=True says="The order is another one"
def latency_table(layers: dict, rounds: int = 15, clock=time.perf_counter) -> dict:
    if rounds < 1:
        raise ValueError(f"at least one round, not {rounds}")
    for call in layers.values():
        call()
    times = {key: [] for key in layers}
    for _ in range(rounds):
        for key, call in reversed(layers.items()):
            before = clock()
            call()
            times[key].append(clock() - before)
    return {key: 1000 * float(np.median(seconds)) for key, seconds in times.items()}


def predict_latency(arch: list, space: list[dict], table: dict, image=(1, 28, 28)) -> float:
    c_in, size, _ = image
    total = 0.0
    for layers, stage in zip(arch, space):
        for i, (width, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            total += table[size, c_in, width, kernel, stride]
            c_in, size = (width, math.ceil(size / stride))
    return total + table["head", c_in]


# %% wrong="latency_table" unnamed=True says="has 1000 milliseconds"
def latency_table(layers: dict, rounds: int = 15, clock=time.perf_counter) -> dict:
    if rounds < 1:
        raise ValueError(f"at least one round, not {rounds}")
    for call in layers.values():
        call()
    times = {key: [] for key in layers}
    for _ in range(rounds):
        for key, call in layers.items():
            before = clock()
            call()
            times[key].append(clock() - before)
    return {key: 1000000.0 * float(np.median(seconds)) for key, seconds in times.items()}


def predict_latency(arch: list, space: list[dict], table: dict, image=(1, 28, 28)) -> float:
    c_in, size, _ = image
    total = 0.0
    for layers, stage in zip(arch, space):
        for i, (width, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            total += table[size, c_in, width, kernel, stride]
            c_in, size = (width, math.ceil(size / stride))
    return total + table["head", c_in]


# %% wrong="latency_table" unnamed=True says="c_in is the width of the layer before"
def latency_table(layers: dict, rounds: int = 15, clock=time.perf_counter) -> dict:
    if rounds < 1:
        raise ValueError(f"at least one round, not {rounds}")
    for call in layers.values():
        call()
    times = {key: [] for key in layers}
    for _ in range(rounds):
        for key, call in layers.items():
            before = clock()
            call()
            times[key].append(clock() - before)
    return {key: 1000 * float(np.median(seconds)) for key, seconds in times.items()}


def predict_latency(arch: list, space: list[dict], table: dict, image=(1, 28, 28)) -> float:
    c_in, size, _ = image
    total = 0.0
    for layers, stage in zip(arch, space):
        for i, (width, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            total += table[size, c_in, width, kernel, stride]
            size = math.ceil(size / stride)
    return total + table["head", c_in]


# %% wrong="latency_table" unnamed=True says="The size changes after each layer"
def latency_table(layers: dict, rounds: int = 15, clock=time.perf_counter) -> dict:
    if rounds < 1:
        raise ValueError(f"at least one round, not {rounds}")
    for call in layers.values():
        call()
    times = {key: [] for key in layers}
    for _ in range(rounds):
        for key, call in layers.items():
            before = clock()
            call()
            times[key].append(clock() - before)
    return {key: 1000 * float(np.median(seconds)) for key, seconds in times.items()}


def predict_latency(arch: list, space: list[dict], table: dict, image=(1, 28, 28)) -> float:
    c_in, size, _ = image
    total = 0.0
    for layers, stage in zip(arch, space):
        for i, (width, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            total += table[size, c_in, width, kernel, stride]
            c_in = width
    return total + table["head", c_in]


# %% wrong="latency_table" unnamed=True says="has no such entry"
def latency_table(layers: dict, rounds: int = 15, clock=time.perf_counter) -> dict:
    if rounds < 1:
        raise ValueError(f"at least one round, not {rounds}")
    for call in layers.values():
        call()
    times = {key: [] for key in layers}
    for _ in range(rounds):
        for key, call in layers.items():
            before = clock()
            call()
            times[key].append(clock() - before)
    return {key: 1000 * float(np.median(seconds)) for key, seconds in times.items()}


def predict_latency(arch: list, space: list[dict], table: dict, image=(1, 28, 28)) -> float:
    c_in, size, _ = image
    total = 0.0
    for layers, stage in zip(arch, space):
        for i, (width, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            total += table[size, c_in, kernel, width, stride]
            c_in, size = (width, math.ceil(size / stride))
    return total + table["head", c_in]


# %% wrong="latency_table" unnamed=True says="looked up with stride 1"
def latency_table(layers: dict, rounds: int = 15, clock=time.perf_counter) -> dict:
    if rounds < 1:
        raise ValueError(f"at least one round, not {rounds}")
    for call in layers.values():
        call()
    times = {key: [] for key in layers}
    for _ in range(rounds):
        for key, call in layers.items():
            before = clock()
            call()
            times[key].append(clock() - before)
    return {key: 1000 * float(np.median(seconds)) for key, seconds in times.items()}


def predict_latency(arch: list, space: list[dict], table: dict, image=(1, 28, 28)) -> float:
    c_in, size, _ = image
    total = 0.0
    for layers, stage in zip(arch, space):
        for i, (width, kernel) in enumerate(layers):
            stride = 1
            total += table[size, c_in, width, kernel, stride]
            c_in, size = (width, math.ceil(size / stride))
    return total + table["head", c_in]


# %% wrong="latency_table" unnamed=True says="The head counts once"
def latency_table(layers: dict, rounds: int = 15, clock=time.perf_counter) -> dict:
    if rounds < 1:
        raise ValueError(f"at least one round, not {rounds}")
    for call in layers.values():
        call()
    times = {key: [] for key in layers}
    for _ in range(rounds):
        for key, call in layers.items():
            before = clock()
            call()
            times[key].append(clock() - before)
    return {key: 1000 * float(np.median(seconds)) for key, seconds in times.items()}


def predict_latency(arch: list, space: list[dict], table: dict, image=(1, 28, 28)) -> float:
    c_in, size, _ = image
    total = 0.0
    for layers, stage in zip(arch, space):
        for i, (width, kernel) in enumerate(layers):
            stride = stage["stride"] if i == 0 else 1
            total += table[size, c_in, width, kernel, stride]
            c_in, size = (width, math.ceil(size / stride))
        total += table["head", c_in]
    return total


# %% right="latency_table"
def latency_table(layers, rounds=15, clock=time.perf_counter):
    import statistics

    if not rounds >= 1:
        raise ValueError("rounds")
    [fn() for fn in layers.values()]
    seen = []
    for r in range(rounds):
        row = {}
        for key in layers:
            a = clock()
            layers[key]()
            b = clock()
            row[key] = (b - a) * 1e3
        seen.append(row)
    return {key: statistics.median(row[key] for row in seen) for key in layers}


def predict_latency(arch, space, table, image=(1, 28, 28)):
    parts, size, c = [], image[1], image[0]
    for layers, stage in zip(arch, space):
        stride = stage["stride"]
        for width, kernel in layers:
            parts.append(table[(size, c, width, kernel, stride)])
            size = -(-size // stride)
            c, stride = width, 1
    parts.append(table[("head", c)])
    return math.fsum(parts)


# %% right="latency_table"
def latency_table(layers, rounds=15, clock=time.perf_counter):
    if rounds < 1:
        raise ValueError(rounds)
    keys = list(layers)
    for key in keys:
        layers[key]()
    times = np.zeros((rounds, len(keys)))
    for r in range(rounds):
        for j, key in enumerate(keys):
            start = clock()
            layers[key]()
            times[r, j] = clock() - start
    return dict(zip(keys, (1000 * np.median(times, axis=0)).tolist())) if keys else {}


def predict_latency(arch, space, table, image=(1, 28, 28)):
    keys = []
    c, size = image[0], image[2]
    for s in range(len(space)):
        for i in range(len(arch[s])):
            width, kernel = arch[s][i]
            stride = (1, space[s]["stride"])[i == 0]
            keys.append((size, c, width, kernel, stride))
            size = (size - 1) // stride + 1
            c = width
    return float(sum(table[key] for key in keys) + table["head", c])


# %% right="latency_table"
def latency_table(layers, rounds=15, clock=time.perf_counter):
    if rounds <= 0:
        raise ValueError("at least one")
    for fn in layers.values():
        fn()
    times = {}
    for _ in range(rounds):
        for key, fn in layers.items():
            t0 = clock()
            fn()
            t1 = clock()
            times.setdefault(key, []).append(t1 - t0)
    result = {}
    for key, values in times.items():
        values = sorted(values)
        middle = len(values) // 2
        both = values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2
        result[key] = 1000.0 * both
    return result


def predict_latency(arch, space, table, image=(1, 28, 28)):
    def entries():
        c, size = image[0], image[1]
        for layers, stage in zip(arch, space):
            for i, layer in enumerate(layers):
                stride = stage["stride"] if i == 0 else 1
                yield table[size, c, layer[0], layer[1], stride]
                size, c = math.ceil(size / stride), layer[0]
        yield table["head", c]

    return sum(entries())


# %% wrong="ElasticConv2d" says="corner of the kernel"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = 0
        return self.weight[:width, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, self.training, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" says="last filters"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[most_out - width :, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, self.training, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" says="No gradient reaches the shared"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part.detach(), stride=self.stride, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, self.training, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" says="No gradient reaches the shared"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight.data[:width, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, self.training, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" says="padding is that of the largest"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=self.weight.shape[-1] // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, self.training, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" says="not updated in train mode"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c].clone(), self.running_var[:c].clone())
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, self.training, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" says="shares memory"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.data = part.data
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, self.training, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" says="shares memory"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, self.training, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).data = getattr(self, name).data[:width]
        return norm


# %% wrong="ElasticConv2d" says="lacks the running statistics"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, self.training, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" unnamed=True says="first difference"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, most_in - c_in :, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, self.training, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" unnamed=True says="expected"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, self.training, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" unnamed=True says="expected ValueError"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, self.training, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" unnamed=True says="expected ValueError"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, self.training, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        width = max(0, min(width, len(self.weight)))
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" unnamed=True says="unbiased"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        if self.training:
            m, v = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
            with torch.no_grad():
                mean.lerp_(m, 0.1)
                var.lerp_(v, 0.1)
        else:
            m, v = mean, var
        shape = (1, -1, 1, 1)
        return (x - m.view(shape)) / torch.sqrt(v.view(shape) + 1e-05) * scale.view(shape) + shift.view(shape)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" unnamed=True says="first difference"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, self.training, momentum=0.9, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" unnamed=True says="first difference"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, True, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" unnamed=True says="did not take part"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        if self.training:
            self.running_mean.mul_(0.9)
            self.running_mean[:c] /= 0.9
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, self.training, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" unnamed=True says="first difference"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(c_out))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, self.training, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" unnamed=True says="from scratch"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        import nni

        nni.get_next_parameter()
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, self.training, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" says="by register_buffer"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.running_mean = torch.zeros(channels)
        self.running_var = torch.ones(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, self.training, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" unnamed=True says="only parameters are to be"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.running_mean = nn.Parameter(torch.zeros(channels), requires_grad=False)
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, self.training, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" unnamed=True says="The last input channels"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, -c_in:, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, self.training, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" unnamed=True says="The stride is not used"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, self.training, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" unnamed=True says="The padding is kernel // 2"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, self.training, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" unnamed=True says="All filters were used"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, self.training, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" unnamed=True says="has a bias"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, self.training, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" unnamed=True says="another stride or padding"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, 1, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, self.training, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" unnamed=True says="not the part that a call uses"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            pass
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, self.training, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" unnamed=True says="to return an nn.Conv2d"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = ElasticConv2d(c_in, width, kernel, self.stride)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, self.training, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" unnamed=True says="in eval mode too"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, True, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" unnamed=True says="in train mode too"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, False, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" unnamed=True says="0.9 of the old one"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, self.training, momentum=0.9, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" unnamed=True says="weight and bias are not used"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, None, None, self.training, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" unnamed=True says="The standalone layer lacks weight and bias"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, self.training, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" unnamed=True says="A new layer has weight and running_var 1"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.zeros(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c], self.bias[:c])
        return F.batch_norm(x, mean, var, scale, shift, self.training, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% wrong="ElasticConv2d" unnamed=True says="No gradient reaches weight and bias"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(c_out, c_in, kernel, kernel))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: torch.Tensor, width: int, kernel: int) -> torch.Tensor:
        part = self._part(x.shape[1], width, kernel)
        return F.conv2d(x, part, stride=self.stride, padding=kernel // 2)

    def standalone(self, c_in: int, width: int, kernel: int) -> nn.Conv2d:
        part = self._part(c_in, width, kernel)
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        with torch.no_grad():
            conv.weight.copy_(part)
        return conv

    def _part(self, c_in, width, kernel):
        most_out, most_in, largest, _ = self.weight.shape
        fits = 1 <= width <= most_out and 1 <= c_in <= most_in and (1 <= kernel <= largest)
        if not fits or kernel % 2 == 0:
            raise ValueError(f"no {c_in} -> {width}, kernel {kernel} in {tuple(self.weight.shape)}")
        edge = (largest - kernel) // 2
        return self.weight[:width, :c_in, edge : edge + kernel, edge : edge + kernel]


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c = x.shape[1]
        if c > len(self.weight):
            raise ValueError(f"{c} channels, but there are {len(self.weight)}")
        mean, var = (self.running_mean[:c], self.running_var[:c])
        scale, shift = (self.weight[:c].detach(), self.bias[:c].detach())
        return F.batch_norm(x, mean, var, scale, shift, self.training, momentum=0.1, eps=1e-05)

    def standalone(self, width: int) -> nn.BatchNorm2d:
        if not 1 <= width <= len(self.weight):
            raise ValueError(f"no {width} channels, there are {len(self.weight)}")
        norm = nn.BatchNorm2d(width)
        with torch.no_grad():
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(getattr(self, name)[:width])
        return norm


# %% right="ElasticConv2d"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in, c_out, kernel, stride=1):
        super().__init__()
        self.step = stride
        self.weight = nn.Parameter(torch.randn(c_out, c_in, kernel, kernel) * 0.1)

    def forward(self, x, width, kernel):
        out, c, k, _ = self.weight.shape
        if width not in range(1, out + 1) or x.shape[1] not in range(1, c + 1) or kernel not in range(1, k + 1, 2):
            raise ValueError((x.shape, width, kernel))
        filters = self.weight.narrow(0, 0, width).narrow(1, 0, x.shape[1])
        cut = (k - kernel) // 2
        if cut:
            filters = filters[..., cut:-cut, cut:-cut]
        return torch.conv2d(x, filters, None, self.step, kernel // 2)

    def standalone(self, c_in, width, kernel):
        with torch.no_grad():
            self.forward(torch.zeros(1, c_in, 9, 9) if c_in > 0 else torch.zeros(1, 10**4, 1, 1), width, kernel)
        layer = nn.Conv2d(c_in, width, kernel, stride=self.step, padding=(kernel - 1) // 2, bias=False)
        lo = (self.weight.shape[2] - kernel) // 2
        new = self.weight.detach()[:width, :c_in, lo : lo + kernel, lo : lo + kernel].clone()
        layer.load_state_dict({"weight": new})
        return layer


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.channels = channels
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x):
        n, c, h, w = x.shape
        if c > self.channels:
            raise ValueError(c)
        if self.training:
            mean = x.mean(dim=(0, 2, 3))
            var = ((x - mean[:, None, None]) ** 2).mean(dim=(0, 2, 3))
            count = n * h * w
            with torch.no_grad():
                self.running_mean[:c] = 0.9 * self.running_mean[:c] + 0.1 * mean
                self.running_var[:c] = 0.9 * self.running_var[:c] + 0.1 * var * count / (count - 1)
        else:
            mean, var = self.running_mean[:c], self.running_var[:c]
        normal = (x - mean[:, None, None]) * torch.rsqrt(var + 1e-5)[:, None, None]
        return normal * self.weight[:c, None, None] + self.bias[:c, None, None]

    def standalone(self, width):
        if width < 1 or width > self.channels:
            raise ValueError(width)
        layer = nn.BatchNorm2d(width)
        state = layer.state_dict()
        for key, value in self.state_dict().items():
            state[key] = value[:width].clone()
        layer.load_state_dict(state)
        return layer


# %% right="ElasticConv2d"
class ElasticConv2d(nn.Conv2d):
    """All that a convolution has, used in part."""

    def __init__(self, c_in, c_out, kernel, stride=1):
        super().__init__(c_in, c_out, kernel, stride, bias=False)

    def part(self, c_in, width, kernel):
        largest = self.kernel_size[0]
        bad = not 0 < width <= self.out_channels or not 0 < c_in <= self.in_channels
        if bad or not 0 < kernel <= largest or (largest - kernel) % 2:
            raise ValueError("not in it")
        a = (largest - kernel) // 2
        b = a + kernel
        return self.weight[:width][:, :c_in][:, :, a:b][:, :, :, a:b]

    def forward(self, x, width, kernel):
        return F.conv2d(x, self.part(x.size(1), width, kernel), None, self.stride, (kernel // 2, kernel // 2))

    def standalone(self, c_in, width, kernel):
        part = self.part(c_in, width, kernel)
        new = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        new.weight = nn.Parameter(part.detach().clone())
        return new


class ElasticBatchNorm2d(nn.BatchNorm2d):
    def forward(self, x):
        c = x.size(1)
        if c > self.num_features:
            raise ValueError("too many")
        stats = self.running_mean[:c], self.running_var[:c]
        return F.batch_norm(x, *stats, self.weight[:c], self.bias[:c], self.training, 0.1, 1e-5)

    def standalone(self, width):
        if width > self.num_features or width <= 0:
            raise ValueError("too many")
        new = nn.BatchNorm2d(width)
        new.weight = nn.Parameter(self.weight.detach()[:width].clone())
        new.bias = nn.Parameter(self.bias.detach()[:width].clone())
        new.running_mean = self.running_mean[:width].clone()
        new.running_var = self.running_var[:width].clone()
        return new


# %% right="ElasticConv2d"
class ElasticConv2d(nn.Module):
    def __init__(self, c_in, c_out, kernel, stride=1):
        super().__init__()
        self.weight = nn.Parameter(nn.Conv2d(c_in, c_out, kernel).weight.detach().clone())
        self.stride = stride

    def forward(self, x, width, kernel):
        self.check(x.shape[1], width, kernel)
        largest = self.weight.shape[-1]
        ring = torch.zeros(largest, largest)
        edge = (largest - kernel) // 2
        ring[edge : edge + kernel, edge : edge + kernel] = 1  # a mask on the full kernel, and its padding
        y = F.conv2d(x, self.weight[:width, : x.shape[1]] * ring, stride=self.stride, padding=largest // 2)
        return y

    def check(self, c_in, width, kernel):
        a, b, k, _ = self.weight.shape
        if width < 1 or width > a or c_in < 1 or c_in > b or kernel < 1 or kernel > k or kernel % 2 != 1:
            raise ValueError(f"{c_in}, {width}, {kernel}")

    def standalone(self, c_in, width, kernel):
        self.check(c_in, width, kernel)
        edge = (self.weight.shape[-1] - kernel) // 2
        conv = nn.Conv2d(c_in, width, kernel, self.stride, kernel // 2, bias=False)
        for o in range(width):
            for i in range(c_in):
                conv.weight.data[o, i] = self.weight.data[o, i, edge : edge + kernel, edge : edge + kernel]
        return conv


class ElasticBatchNorm2d(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x):
        c = x.shape[1]
        if c > self.weight.numel():
            raise ValueError("too many channels")
        mean, var = self.running_mean[:c].clone(), self.running_var[:c].clone()
        y = F.batch_norm(x, mean, var, self.weight[:c], self.bias[:c], self.training, momentum=0.1, eps=1e-5)
        self.running_mean[:c] = mean
        self.running_var[:c] = var
        return y

    def standalone(self, width):
        if not 0 < width <= self.weight.numel():
            raise ValueError("no such width")
        norm = nn.BatchNorm2d(width)
        norm.load_state_dict({k: v[:width].clone() for k, v in self.state_dict().items()}, strict=False)
        return norm


# %% wrong="sandwich_step" says="flows into the teacher"
def sandwich_step(net, x: torch.Tensor, y: torch.Tensor, largest, others: list, optimizer) -> float:
    logits = net(x, largest)
    loss = F.cross_entropy(logits, y)
    total, targets = (loss, torch.softmax(logits, 1))
    for arch in others:
        total = total + F.cross_entropy(net(x, arch), targets)
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return loss.item()


# %% wrong="sandwich_step" says="made a step for each"
def sandwich_step(net, x: torch.Tensor, y: torch.Tensor, largest, others: list, optimizer) -> float:
    logits = net(x, largest)
    loss = F.cross_entropy(logits, y)
    total, targets = (loss, torch.softmax(logits.detach(), 1))
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    for arch in others:
        optimizer.zero_grad()
        F.cross_entropy(net(x, arch), targets).backward()
        optimizer.step()
    return loss.item()


# %% wrong="sandwich_step" says="learned from the labels"
def sandwich_step(net, x: torch.Tensor, y: torch.Tensor, largest, others: list, optimizer) -> float:
    logits = net(x, largest)
    loss = F.cross_entropy(logits, y)
    total, targets = (loss, torch.softmax(logits.detach(), 1))
    for arch in others:
        total = total + F.cross_entropy(net(x, arch), y)
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return loss.item()


# %% wrong="sandwich_step" says="averaged"
def sandwich_step(net, x: torch.Tensor, y: torch.Tensor, largest, others: list, optimizer) -> float:
    logits = net(x, largest)
    loss = F.cross_entropy(logits, y)
    total, targets = (loss, torch.softmax(logits.detach(), 1))
    for arch in others:
        total = total + F.cross_entropy(net(x, arch), targets)
    optimizer.zero_grad()
    total = total / (1 + len(others))
    total.backward()
    optimizer.step()
    return loss.item()


# %% wrong="sandwich_step" says="averaged"
def sandwich_step(net, x: torch.Tensor, y: torch.Tensor, largest, others: list, optimizer) -> float:
    logits = net(x, largest)
    loss = F.cross_entropy(logits, y)
    total, targets = (loss, torch.softmax(logits.detach(), 1))
    for arch in others:
        total = total + F.cross_entropy(net(x, arch), targets) / len(others)
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return loss.item()


# %% wrong="sandwich_step" says="not cleared"
def sandwich_step(net, x: torch.Tensor, y: torch.Tensor, largest, others: list, optimizer) -> float:
    logits = net(x, largest)
    loss = F.cross_entropy(logits, y)
    total, targets = (loss, torch.softmax(logits.detach(), 1))
    for arch in others:
        total = total + F.cross_entropy(net(x, arch), targets)
    total.backward()
    optimizer.step()
    return loss.item()


# %% wrong="sandwich_step" says="own loss is left out"
def sandwich_step(net, x: torch.Tensor, y: torch.Tensor, largest, others: list, optimizer) -> float:
    logits = net(x, largest)
    loss = F.cross_entropy(logits, y)
    total, targets = (0 * loss, torch.softmax(logits.detach(), 1))
    for arch in others:
        total = total + F.cross_entropy(net(x, arch), targets)
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return loss.item()


# %% wrong="sandwich_step" unnamed=True says="largest first"
def sandwich_step(net, x: torch.Tensor, y: torch.Tensor, largest, others: list, optimizer) -> float:
    rest = [net(x, arch) for arch in others]
    logits = net(x, largest)
    loss = F.cross_entropy(logits, y)
    total, targets = (loss, torch.softmax(logits.detach(), 1))
    for z in rest:
        total = total + F.cross_entropy(z, targets)
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return loss.item()


# %% wrong="sandwich_step" unnamed=True says="its mode as it is"
def sandwich_step(net, x: torch.Tensor, y: torch.Tensor, largest, others: list, optimizer) -> float:
    net.train()
    logits = net(x, largest)
    loss = F.cross_entropy(logits, y)
    total, targets = (loss, torch.softmax(logits.detach(), 1))
    for arch in others:
        total = total + F.cross_entropy(net(x, arch), targets)
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return loss.item()


# %% wrong="sandwich_step" unnamed=True says="once an architecture"
def sandwich_step(net, x: torch.Tensor, y: torch.Tensor, largest, others: list, optimizer) -> float:
    with torch.no_grad():
        net(x, largest)
    logits = net(x, largest)
    loss = F.cross_entropy(logits, y)
    total, targets = (loss, torch.softmax(logits.detach(), 1))
    for arch in others:
        total = total + F.cross_entropy(net(x, arch), targets)
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return loss.item()


# %% wrong="sandwich_step" unnamed=True says="first difference"
def sandwich_step(net, x: torch.Tensor, y: torch.Tensor, largest, others: list, optimizer) -> float:
    logits = net(x, largest)
    loss = F.cross_entropy(logits, y)
    total, targets = (loss, torch.softmax(logits.detach(), 1))
    for arch in others:
        total = total + F.cross_entropy(net(x, arch), targets)
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return total.item()


# %% wrong="sandwich_step" unnamed=True says="a float"
def sandwich_step(net, x: torch.Tensor, y: torch.Tensor, largest, others: list, optimizer) -> float:
    logits = net(x, largest)
    loss = F.cross_entropy(logits, y)
    total, targets = (loss, torch.softmax(logits.detach(), 1))
    for arch in others:
        total = total + F.cross_entropy(net(x, arch), targets)
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return loss.detach()


# %% wrong="sandwich_step" unnamed=True says="first difference"
def sandwich_step(net, x: torch.Tensor, y: torch.Tensor, largest, others: list, optimizer) -> float:
    logits = net(x, largest)
    loss = F.cross_entropy(logits, y)
    total, targets = (loss, F.one_hot(logits.argmax(1), logits.shape[1]).float())
    for arch in others:
        total = total + F.cross_entropy(net(x, arch), targets)
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return loss.item()


# %% wrong="sandwich_step" unnamed=True says="first difference"
def sandwich_step(net, x: torch.Tensor, y: torch.Tensor, largest, others: list, optimizer) -> float:
    logits = net(x, largest)
    loss = F.cross_entropy(logits, y)
    total, targets = (loss, torch.softmax(logits.detach() / 4, 1))
    for arch in others:
        total = total + F.cross_entropy(net(x, arch), targets)
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return loss.item()


# %% wrong="sandwich_step" unnamed=True says="not cleared"
def sandwich_step(net, x: torch.Tensor, y: torch.Tensor, largest, others: list, optimizer) -> float:
    logits = net(x, largest)
    loss = F.cross_entropy(logits, y)
    total, targets = (loss, torch.softmax(logits.detach(), 1))
    for arch in others:
        total = total + F.cross_entropy(net(x, arch), targets)
    total.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


# %% wrong="sandwich_step" unnamed=True says="from scratch"
def sandwich_step(net, x: torch.Tensor, y: torch.Tensor, largest, others: list, optimizer) -> float:
    import ray

    ray.init()
    logits = net(x, largest)
    loss = F.cross_entropy(logits, y)
    total, targets = (loss, torch.softmax(logits.detach(), 1))
    for arch in others:
        total = total + F.cross_entropy(net(x, arch), targets)
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return loss.item()


# %% wrong="sandwich_step" unnamed=True says="to be the largest's alone"
def sandwich_step(net, x: torch.Tensor, y: torch.Tensor, largest, others: list, optimizer) -> float:
    logits = net(x, largest)
    loss = F.cross_entropy(logits, y)
    total, targets = (loss, torch.softmax(logits.detach(), 1))
    for arch in others:
        total = total + F.cross_entropy(net(x, arch), targets)
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return total.item()


# %% wrong="sandwich_step" unnamed=True says="optimizer made no step"
def sandwich_step(net, x: torch.Tensor, y: torch.Tensor, largest, others: list, optimizer) -> float:
    logits = net(x, largest)
    loss = F.cross_entropy(logits, y)
    total, targets = (loss, torch.softmax(logits.detach(), 1))
    for arch in others:
        total = total + F.cross_entropy(net(x, arch), targets)
    optimizer.zero_grad()
    total.backward()
    return loss.item()


# %% wrong="sandwich_step" unnamed=True says="were cleared before the step"
def sandwich_step(net, x: torch.Tensor, y: torch.Tensor, largest, others: list, optimizer) -> float:
    logits = net(x, largest)
    loss = F.cross_entropy(logits, y)
    total, targets = (loss, torch.softmax(logits.detach(), 1))
    for arch in others:
        total = total + F.cross_entropy(net(x, arch), targets)
    total.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


# %% wrong="sandwich_step" unnamed=True says="not only its best class"
def sandwich_step(net, x: torch.Tensor, y: torch.Tensor, largest, others: list, optimizer) -> float:
    logits = net(x, largest)
    loss = F.cross_entropy(logits, y)
    total, targets = (loss, logits.argmax(1))
    for arch in others:
        total = total + F.cross_entropy(net(x, arch), targets)
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return loss.item()


# %% wrong="sandwich_step" unnamed=True says="over the classes, dim 1"
def sandwich_step(net, x: torch.Tensor, y: torch.Tensor, largest, others: list, optimizer) -> float:
    logits = net(x, largest)
    loss = F.cross_entropy(logits, y)
    total, targets = (loss, torch.softmax(logits.detach(), 0))
    for arch in others:
        total = total + F.cross_entropy(net(x, arch), targets)
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return loss.item()


# %% wrong="sandwich_step" unnamed=True says="softmax was taken twice"
def sandwich_step(net, x: torch.Tensor, y: torch.Tensor, largest, others: list, optimizer) -> float:
    logits = net(x, largest)
    loss = F.cross_entropy(logits, y)
    total, targets = (loss, torch.softmax(logits.detach(), 1))
    for arch in others:
        total = total + F.cross_entropy(torch.softmax(net(x, arch), 1), targets)
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return loss.item()


# %% wrong="sandwich_step" unnamed=True says="not divided by the classes"
def sandwich_step(net, x: torch.Tensor, y: torch.Tensor, largest, others: list, optimizer) -> float:
    logits = net(x, largest)
    loss = F.cross_entropy(logits, y)
    total, targets = (loss, torch.softmax(logits.detach(), 1))
    for arch in others:
        total = total + F.kl_div(torch.log_softmax(net(x, arch), 1), targets)
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return loss.item()


# %% wrong="sandwich_step" unnamed=True says="cross-entropy with the largest's probabilities"
def sandwich_step(net, x: torch.Tensor, y: torch.Tensor, largest, others: list, optimizer) -> float:
    logits = net(x, largest)
    loss = F.cross_entropy(logits, y)
    total, targets = (loss, torch.softmax(logits.detach(), 1))
    for arch in others:
        total = total + F.mse_loss(net(x, arch), logits.detach())
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return loss.item()


# %% wrong="sandwich_step" unnamed=True says="not from the labels as well"
def sandwich_step(net, x: torch.Tensor, y: torch.Tensor, largest, others: list, optimizer) -> float:
    logits = net(x, largest)
    loss = F.cross_entropy(logits, y)
    total, targets = (loss, torch.softmax(logits.detach(), 1))
    for arch in others:
        z = net(x, arch)
        total = total + F.cross_entropy(z, targets) + F.cross_entropy(z, y)
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return loss.item()


# %% wrong="sandwich_step" unnamed=True says="no temperature here"
def sandwich_step(net, x: torch.Tensor, y: torch.Tensor, largest, others: list, optimizer) -> float:
    logits = net(x, largest)
    loss = F.cross_entropy(logits, y)
    total, targets = (loss, torch.softmax(logits.detach() / 2, 1))
    for arch in others:
        total = total + F.cross_entropy(net(x, arch), targets)
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return loss.item()


# %% wrong="sandwich_step" unnamed=True says="Only the last loss of several"
def sandwich_step(net, x: torch.Tensor, y: torch.Tensor, largest, others: list, optimizer) -> float:
    logits = net(x, largest)
    loss = F.cross_entropy(logits, y)
    total, targets = (loss, torch.softmax(logits.detach(), 1))
    for arch in others:
        total = loss + F.cross_entropy(net(x, arch), targets)
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return loss.item()


# %% wrong="sandwich_step" unnamed=True says="the largest's logits are detached"
def sandwich_step(net, x: torch.Tensor, y: torch.Tensor, largest, others: list, optimizer) -> float:
    logits = net(x, largest)
    loss = F.cross_entropy(logits, y)
    total, targets = (loss, torch.softmax(logits.detach(), 1))
    for arch in others:
        total = total + F.cross_entropy(net(x, arch).detach(), targets)
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return loss.item()


# %% right="sandwich_step"
def sandwich_step(net, x, y, largest, others, optimizer):
    optimizer.zero_grad(set_to_none=False)
    z = net(x, largest)
    loss = nn.CrossEntropyLoss()(z, y)
    loss.backward()
    with torch.no_grad():
        p = z.softmax(1)
    for arch in others:  # gradients add up, one network at a time
        log_q = F.log_softmax(net(x, arch), 1)
        F.kl_div(log_q, p, reduction="batchmean").backward()
    optimizer.step()
    return float(loss)


# %% right="sandwich_step"
def sandwich_step(net, x, y, largest, others, optimizer):
    big = net(x, largest)
    hard = F.nll_loss(torch.log_softmax(big, dim=-1), y)
    log_p = torch.log_softmax(big.detach(), dim=-1)
    soft = [-(log_p.exp() * torch.log_softmax(net(x, a), dim=-1)).sum(-1).mean() for a in others]
    for group in optimizer.param_groups:
        for p in group["params"]:
            p.grad = None
    torch.stack([hard, *soft]).sum().backward()
    optimizer.step()
    return hard.item()


# %% right="sandwich_step"
def sandwich_step(net, x, y, largest, others, optimizer):
    outputs = []
    for arch in [largest] + list(others):
        outputs.append(net(x, arch))
    target = outputs[0].clone().detach().softmax(dim=1)
    losses = [F.cross_entropy(outputs[0], y)] + [F.cross_entropy(o, target) for o in outputs[1:]]
    optimizer.zero_grad()
    sum(losses).backward()
    optimizer.step()
    return losses[0].detach().cpu().numpy().item()


# %% wrong="recalibrate" says="moving average from the old"
def recalibrate(model: nn.Module, batches: list) -> None:
    if not batches:
        raise ValueError("no batches to take statistics from")
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    modes, momenta = ([(m, m.training) for m in model.modules()], [m.momentum for m in norms])
    sums = [(torch.zeros_like(m.running_mean), torch.zeros_like(m.running_var)) for m in norms]
    model.eval()
    for norm in norms:
        norm.train()
    try:
        with torch.no_grad():
            for x, _ in batches:
                model(x)
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode


# %% wrong="recalibrate" says="moving average from the values of a new"
def recalibrate(model: nn.Module, batches: list) -> None:
    if not batches:
        raise ValueError("no batches to take statistics from")
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    modes, momenta = ([(m, m.training) for m in model.modules()], [m.momentum for m in norms])
    sums = [(torch.zeros_like(m.running_mean), torch.zeros_like(m.running_var)) for m in norms]
    model.eval()
    for norm in norms:
        norm.train()
        norm.reset_running_stats()
    try:
        with torch.no_grad():
            for x, _ in batches:
                model(x)
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode


# %% wrong="recalibrate" says="Only the last batch"
def recalibrate(model: nn.Module, batches: list) -> None:
    if not batches:
        raise ValueError("no batches to take statistics from")
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    modes, momenta = ([(m, m.training) for m in model.modules()], [m.momentum for m in norms])
    sums = [(torch.zeros_like(m.running_mean), torch.zeros_like(m.running_var)) for m in norms]
    model.eval()
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    try:
        with torch.no_grad():
            for x, _ in batches:
                model(x)
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode


# %% wrong="recalibrate" says="dropout is on"
def recalibrate(model: nn.Module, batches: list) -> None:
    if not batches:
        raise ValueError("no batches to take statistics from")
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    modes, momenta = ([(m, m.training) for m in model.modules()], [m.momentum for m in norms])
    sums = [(torch.zeros_like(m.running_mean), torch.zeros_like(m.running_var)) for m in norms]
    model.train()
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    try:
        with torch.no_grad():
            for x, _ in batches:
                model(x)
                for norm, (mean, var) in zip(norms, sums):
                    mean += norm.running_mean
                    var += norm.running_var
            for norm, (mean, var) in zip(norms, sums):
                norm.running_mean.copy_(mean / len(batches))
                norm.running_var.copy_(var / len(batches))
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode


# %% wrong="recalibrate" says="momentum is another"
def recalibrate(model: nn.Module, batches: list) -> None:
    if not batches:
        raise ValueError("no batches to take statistics from")
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    modes, momenta = ([(m, m.training) for m in model.modules()], [m.momentum for m in norms])
    sums = [(torch.zeros_like(m.running_mean), torch.zeros_like(m.running_var)) for m in norms]
    model.eval()
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    try:
        with torch.no_grad():
            for x, _ in batches:
                model(x)
                for norm, (mean, var) in zip(norms, sums):
                    mean += norm.running_mean
                    var += norm.running_var
            for norm, (mean, var) in zip(norms, sums):
                norm.running_mean.copy_(mean / len(batches))
                norm.running_var.copy_(var / len(batches))
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = None
        for module, mode in modes:
            module.training = mode


# %% wrong="recalibrate" says="modes are not as before"
def recalibrate(model: nn.Module, batches: list) -> None:
    if not batches:
        raise ValueError("no batches to take statistics from")
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    modes, momenta = ([(m, m.training) for m in model.modules()], [m.momentum for m in norms])
    sums = [(torch.zeros_like(m.running_mean), torch.zeros_like(m.running_var)) for m in norms]
    model.eval()
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    try:
        with torch.no_grad():
            for x, _ in batches:
                model(x)
                for norm, (mean, var) in zip(norms, sums):
                    mean += norm.running_mean
                    var += norm.running_var
            for norm, (mean, var) in zip(norms, sums):
                norm.running_mean.copy_(mean / len(batches))
                norm.running_var.copy_(var / len(batches))
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = False


# %% wrong="recalibrate" says="modes are not as before"
def recalibrate(model: nn.Module, batches: list) -> None:
    if not batches:
        raise ValueError("no batches to take statistics from")
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    modes, momenta = ([(m, m.training) for m in model.modules()], [m.momentum for m in norms])
    sums = [(torch.zeros_like(m.running_mean), torch.zeros_like(m.running_var)) for m in norms]
    model.eval()
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    try:
        with torch.no_grad():
            for x, _ in batches:
                model(x)
                for norm, (mean, var) in zip(norms, sums):
                    mean += norm.running_mean
                    var += norm.running_var
            for norm, (mean, var) in zip(norms, sums):
                norm.running_mean.copy_(mean / len(batches))
                norm.running_var.copy_(var / len(batches))
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = True


# %% wrong="recalibrate" unnamed=True says="expected ValueError"
def recalibrate(model: nn.Module, batches: list) -> None:
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    modes, momenta = ([(m, m.training) for m in model.modules()], [m.momentum for m in norms])
    sums = [(torch.zeros_like(m.running_mean), torch.zeros_like(m.running_var)) for m in norms]
    model.eval()
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    try:
        with torch.no_grad():
            for x, _ in batches:
                model(x)
                for norm, (mean, var) in zip(norms, sums):
                    mean += norm.running_mean
                    var += norm.running_var
            for norm, (mean, var) in zip(norms, sums):
                norm.running_mean.copy_(mean / max(1, len(batches)))
                norm.running_var.copy_(var / max(1, len(batches)))
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode


# %% wrong="recalibrate" unnamed=True says="unbiased"
def recalibrate(model: nn.Module, batches: list) -> None:
    if not batches:
        raise ValueError("no batches to take statistics from")
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    modes, momenta = ([(m, m.training) for m in model.modules()], [m.momentum for m in norms])
    sums = [(torch.zeros_like(m.running_mean), torch.zeros_like(m.running_var)) for m in norms]
    model.eval()
    NUMBER = {}
    hooks = [
        m.register_forward_pre_hook(lambda m, a: NUMBER.__setitem__(m, a[0].numel() / a[0].shape[1])) for m in norms
    ]
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    try:
        with torch.no_grad():
            for x, _ in batches:
                model(x)
                for norm, (mean, var) in zip(norms, sums):
                    mean += norm.running_mean
                    var += norm.running_var * (1 - 1 / NUMBER[norm])
            for norm, (mean, var) in zip(norms, sums):
                norm.running_mean.copy_(mean / len(batches))
                norm.running_var.copy_(var / len(batches))
    finally:
        [h.remove() for h in hooks]
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode


# %% wrong="recalibrate" unnamed=True says="weighted by their size"
def recalibrate(model: nn.Module, batches: list) -> None:
    if not batches:
        raise ValueError("no batches to take statistics from")
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    modes, momenta = ([(m, m.training) for m in model.modules()], [m.momentum for m in norms])
    sums = [(torch.zeros_like(m.running_mean), torch.zeros_like(m.running_var)) for m in norms]
    model.eval()
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    try:
        with torch.no_grad():
            for x, _ in batches:
                model(x)
                for norm, (mean, var) in zip(norms, sums):
                    mean += norm.running_mean * len(x)
                    var += norm.running_var * len(x)
            for norm, (mean, var) in zip(norms, sums):
                norm.running_mean.copy_(mean / sum(len(x) for x, _ in batches))
                norm.running_var.copy_(var / sum(len(x) for x, _ in batches))
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode


# %% wrong="recalibrate" unnamed=True says="normalised with its old"
def recalibrate(model: nn.Module, batches: list) -> None:
    if not batches:
        raise ValueError("no batches to take statistics from")
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    modes, momenta = ([(m, m.training) for m in model.modules()], [m.momentum for m in norms])
    sums = [(torch.zeros_like(m.running_mean), torch.zeros_like(m.running_var)) for m in norms]
    model.eval()
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    inputs = {m: [] for m in norms}
    hooks = [m.register_forward_pre_hook(lambda m, a: inputs[m].append(a[0])) for m in norms]
    try:
        model.eval()
        with torch.no_grad():
            for x, _ in batches:
                model(x)
            for norm in norms:
                norm.running_mean.copy_(torch.stack([x.mean((0, 2, 3)) for x in inputs[norm]]).mean(0))
                norm.running_var.copy_(torch.stack([x.var((0, 2, 3)) for x in inputs[norm]]).mean(0))
        [h.remove() for h in hooks]
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode


# %% wrong="recalibrate" unnamed=True says="first difference"
def recalibrate(model: nn.Module, batches: list) -> None:
    if not batches:
        raise ValueError("no batches to take statistics from")
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    modes, momenta = ([(m, m.training) for m in model.modules()], [m.momentum for m in norms])
    sums = [(torch.zeros_like(m.running_mean), torch.zeros_like(m.running_var)) for m in norms]
    model.eval()
    for norm in norms:
        norm.train()
        norm.weight is None or norm.weight.data.mul_(1.01)
        norm.momentum = 1.0
    try:
        with torch.no_grad():
            for x, _ in batches:
                model(x)
                for norm, (mean, var) in zip(norms, sums):
                    mean += norm.running_mean
                    var += norm.running_var
            for norm, (mean, var) in zip(norms, sums):
                norm.running_mean.copy_(mean / len(batches))
                norm.running_var.copy_(var / len(batches))
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode


# %% wrong="recalibrate" unnamed=True says="first difference"
def recalibrate(model: nn.Module, batches: list) -> None:
    if not batches:
        raise ValueError("no batches to take statistics from")
    norms = [m for m in model.modules() if isinstance(m, (nn.BatchNorm2d, nn.BatchNorm1d))]
    modes, momenta = ([(m, m.training) for m in model.modules()], [m.momentum for m in norms])
    sums = [(torch.zeros_like(m.running_mean), torch.zeros_like(m.running_var)) for m in norms]
    model.eval()
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    try:
        with torch.no_grad():
            for x, _ in batches:
                model(x)
                for norm, (mean, var) in zip(norms, sums):
                    mean += norm.running_mean
                    var += norm.running_var
            for norm, (mean, var) in zip(norms, sums):
                norm.running_mean.copy_(mean / len(batches))
                norm.running_var.copy_(var / len(batches))
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode


# %% wrong="recalibrate" unnamed=True says="first difference"
def recalibrate(model: nn.Module, batches: list) -> None:
    if not batches:
        raise ValueError("no batches to take statistics from")
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    modes, momenta = ([(m, m.training) for m in model.modules()], [m.momentum for m in norms])
    sums = [(torch.zeros_like(m.running_mean), torch.zeros_like(m.running_var)) for m in norms]
    model.eval()
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    try:
        with torch.enable_grad():
            for x, _ in batches:
                model(x).sum().backward()
                for norm, (mean, var) in zip(norms, sums):
                    mean += norm.running_mean.detach()
                    var += norm.running_var
            for norm, (mean, var) in zip(norms, sums):
                norm.running_mean.copy_(mean / len(batches))
                norm.running_var.copy_(var / len(batches))
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode


# %% wrong="recalibrate" unnamed=True says="from scratch"
def recalibrate(model: nn.Module, batches: list) -> None:
    torch.optim.swa_utils.update_bn([x for x, _ in batches], model)
    if not batches:
        raise ValueError("no batches to take statistics from")
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    modes, momenta = ([(m, m.training) for m in model.modules()], [m.momentum for m in norms])
    sums = [(torch.zeros_like(m.running_mean), torch.zeros_like(m.running_var)) for m in norms]
    model.eval()
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    try:
        with torch.no_grad():
            for x, _ in batches:
                model(x)
                for norm, (mean, var) in zip(norms, sums):
                    mean += norm.running_mean
                    var += norm.running_var
            for norm, (mean, var) in zip(norms, sums):
                norm.running_mean.copy_(mean / len(batches))
                norm.running_var.copy_(var / len(batches))
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode


# %% wrong="recalibrate" says="modes are not as before"
def recalibrate(model: nn.Module, batches: list) -> None:
    if not batches:
        raise ValueError("no batches to take statistics from")
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    modes, momenta = ([(m, m.training) for m in model.modules()], [m.momentum for m in norms])
    sums = [(torch.zeros_like(m.running_mean), torch.zeros_like(m.running_var)) for m in norms]
    model.eval()
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    try:
        with torch.no_grad():
            for x, _ in batches:
                model(x)
                for norm, (mean, var) in zip(norms, sums):
                    mean += norm.running_mean
                    var += norm.running_var
            for norm, (mean, var) in zip(norms, sums):
                norm.running_mean.copy_(mean / len(batches))
                norm.running_var.copy_(var / len(batches))
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        model.train(modes[0][1])


# %% wrong="recalibrate" unnamed=True says="divided by their number"
def recalibrate(model: nn.Module, batches: list) -> None:
    if not batches:
        raise ValueError("no batches to take statistics from")
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    modes, momenta = ([(m, m.training) for m in model.modules()], [m.momentum for m in norms])
    sums = [(torch.zeros_like(m.running_mean), torch.zeros_like(m.running_var)) for m in norms]
    model.eval()
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    try:
        with torch.no_grad():
            for x, _ in batches:
                model(x)
                for norm, (mean, var) in zip(norms, sums):
                    mean += norm.running_mean
                    var += norm.running_var
            for norm, (mean, var) in zip(norms, sums):
                norm.running_mean.copy_(mean)
                norm.running_var.copy_(var)
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode


# %% wrong="recalibrate" unnamed=True says="not a standard deviation"
def recalibrate(model: nn.Module, batches: list) -> None:
    if not batches:
        raise ValueError("no batches to take statistics from")
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    modes, momenta = ([(m, m.training) for m in model.modules()], [m.momentum for m in norms])
    sums = [(torch.zeros_like(m.running_mean), torch.zeros_like(m.running_var)) for m in norms]
    model.eval()
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    try:
        with torch.no_grad():
            for x, _ in batches:
                model(x)
                for norm, (mean, var) in zip(norms, sums):
                    mean += norm.running_mean
                    var += norm.running_var.sqrt()
            for norm, (mean, var) in zip(norms, sums):
                norm.running_mean.copy_(mean / len(batches))
                norm.running_var.copy_(var / len(batches))
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode


# %% wrong="recalibrate" unnamed=True says="running_var is averaged, too"
def recalibrate(model: nn.Module, batches: list) -> None:
    if not batches:
        raise ValueError("no batches to take statistics from")
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    modes, momenta = ([(m, m.training) for m in model.modules()], [m.momentum for m in norms])
    sums = [(torch.zeros_like(m.running_mean), torch.zeros_like(m.running_var)) for m in norms]
    model.eval()
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    try:
        with torch.no_grad():
            for x, _ in batches:
                model(x)
                for norm, (mean, var) in zip(norms, sums):
                    mean += norm.running_mean
                    var += norm.running_var
            for norm, (mean, var) in zip(norms, sums):
                norm.running_mean.copy_(mean / len(batches))
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode


# %% wrong="recalibrate" unnamed=True says="Only the first batch"
def recalibrate(model: nn.Module, batches: list) -> None:
    if not batches:
        raise ValueError("no batches to take statistics from")
    batches = batches[:1]
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    modes, momenta = ([(m, m.training) for m in model.modules()], [m.momentum for m in norms])
    sums = [(torch.zeros_like(m.running_mean), torch.zeros_like(m.running_var)) for m in norms]
    model.eval()
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    try:
        with torch.no_grad():
            for x, _ in batches:
                model(x)
                for norm, (mean, var) in zip(norms, sums):
                    mean += norm.running_mean
                    var += norm.running_var
            for norm, (mean, var) in zip(norms, sums):
                norm.running_mean.copy_(mean / len(batches))
                norm.running_var.copy_(var / len(batches))
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode


# %% wrong="recalibrate" unnamed=True says="taken as one batch"
def recalibrate(model: nn.Module, batches: list) -> None:
    if not batches:
        raise ValueError("no batches to take statistics from")
    batches = [(torch.cat([x for x, _ in batches]), None)]
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    modes, momenta = ([(m, m.training) for m in model.modules()], [m.momentum for m in norms])
    sums = [(torch.zeros_like(m.running_mean), torch.zeros_like(m.running_var)) for m in norms]
    model.eval()
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    try:
        with torch.no_grad():
            for x, _ in batches:
                model(x)
                for norm, (mean, var) in zip(norms, sums):
                    mean += norm.running_mean
                    var += norm.running_var
            for norm, (mean, var) in zip(norms, sums):
                norm.running_mean.copy_(mean / len(batches))
                norm.running_var.copy_(var / len(batches))
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode


# %% wrong="recalibrate" unnamed=True says="A parameter was changed"
def recalibrate(model: nn.Module, batches: list) -> None:
    if not batches:
        raise ValueError("no batches to take statistics from")
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    modes, momenta = ([(m, m.training) for m in model.modules()], [m.momentum for m in norms])
    sums = [(torch.zeros_like(m.running_mean), torch.zeros_like(m.running_var)) for m in norms]
    model.eval()
    for norm in norms:
        norm.train()
        norm.reset_parameters()
        norm.momentum = 1.0
    try:
        with torch.no_grad():
            for x, _ in batches:
                model(x)
                for norm, (mean, var) in zip(norms, sums):
                    mean += norm.running_mean
                    var += norm.running_var
            for norm, (mean, var) in zip(norms, sums):
                norm.running_mean.copy_(mean / len(batches))
                norm.running_var.copy_(var / len(batches))
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode


# %% wrong="recalibrate" unnamed=True says="inside of another module"
def recalibrate(model: nn.Module, batches: list) -> None:
    if not batches:
        raise ValueError("no batches to take statistics from")
    norms = [m for m in model.children() if isinstance(m, nn.BatchNorm2d)]
    modes, momenta = ([(m, m.training) for m in model.modules()], [m.momentum for m in norms])
    sums = [(torch.zeros_like(m.running_mean), torch.zeros_like(m.running_var)) for m in norms]
    model.eval()
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    try:
        with torch.no_grad():
            for x, _ in batches:
                model(x)
                for norm, (mean, var) in zip(norms, sums):
                    mean += norm.running_mean
                    var += norm.running_var
            for norm, (mean, var) in zip(norms, sums):
                norm.running_mean.copy_(mean / len(batches))
                norm.running_var.copy_(var / len(batches))
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode


# %% wrong="recalibrate" unnamed=True says="other kinds of batch norm"
def recalibrate(model: nn.Module, batches: list) -> None:
    if not batches:
        raise ValueError("no batches to take statistics from")
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    modes, momenta = ([(m, m.training) for m in model.modules()], [m.momentum for m in norms])
    sums = [(torch.zeros_like(m.running_mean), torch.zeros_like(m.running_var)) for m in norms]
    model.eval()
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    try:
        with torch.no_grad():
            for x, _ in batches:
                model(x)
                for norm, (mean, var) in zip(norms, sums):
                    mean += norm.running_mean
                    var += norm.running_var
            for norm, (mean, var) in zip(norms, sums):
                norm.running_mean.copy_(mean / len(batches))
                norm.running_var.copy_(var / len(batches))
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode


# %% right="recalibrate"
def recalibrate(model, batches):
    if len(batches) == 0:
        raise ValueError("empty")
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    before = {m: m.training for m in model.modules()}
    seen = {m: [] for m in norms}

    def look(module, inputs):
        x = inputs[0].transpose(0, 1).flatten(1)
        seen[module].append((x.mean(1), x.var(1, unbiased=True)))

    handles = [m.register_forward_pre_hook(look) for m in norms]
    model.eval()
    [m.train() for m in norms]
    with torch.no_grad():
        for batch in batches:
            model(batch[0])
        for handle in handles:
            handle.remove()
        for m, pairs in seen.items():
            m.running_mean[:] = sum(mean for mean, _ in pairs) / len(pairs)
            m.running_var[:] = sum(var for _, var in pairs) / len(pairs)
    for m, mode in before.items():
        m.training = mode


# %% right="recalibrate"
@torch.no_grad()
def recalibrate(model, batches):
    if not batches:
        raise ValueError("no batches")
    modes = {name: m.training for name, m in model.named_modules()}
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    momenta = [m.momentum for m in norms]
    model.eval()
    for m in norms:
        m.reset_running_stats()
        m.momentum = None  # torch's cumulative average: every batch alike
        m.training = True
    for x, _ in batches:
        model(x)
    for m, momentum in zip(norms, momenta):
        m.momentum = momentum
    for name, m in model.named_modules():
        m.training = modes[name]


# %% right="recalibrate"
def recalibrate(model, batches):
    if batches == []:
        raise ValueError("give me batches")
    layers = list(model.modules())
    flags = [layer.training for layer in layers]
    total = {}
    for layer in layers:
        layer.training = isinstance(layer, nn.BatchNorm2d)
    norms = [layer for layer in layers if layer.training]
    old = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1
    with torch.inference_mode():
        for x, y in batches:
            model(x)
            for i, norm in enumerate(norms):
                m, v = total.get(i, (0, 0))
                total[i] = (m + norm.running_mean.double(), v + norm.running_var.double())
    for i, norm in enumerate(norms):
        norm.running_mean.data = (total[i][0] / len(batches)).float().clone()
        norm.running_var.data = (total[i][1] / len(batches)).float().clone()
        norm.momentum = old[i]
    for layer, flag in zip(layers, flags):
        layer.training = flag


# %% wrong="kendall_tau" says="Ties count as disagreement"
def kendall_tau(a: list, b: list) -> float:
    if len(a) != len(b) or len(a) < 2:
        raise ValueError(f"two equally long sequences of at least 2, not {len(a)} and {len(b)}")
    balance = untied_a = untied_b = 0
    for i in range(len(a)):
        for j in range(i):
            in_a = (a[i] > a[j]) - (a[i] < a[j])
            in_b = (b[i] > b[j]) - (b[i] < b[j])
            balance += 1 if in_a * in_b > 0 else -1
            untied_a += in_a != 0
            untied_b += in_b != 0
    return balance / (len(a) * (len(a) - 1) / 2)


# %% wrong="kendall_tau" says="This is tau-a"
def kendall_tau(a: list, b: list) -> float:
    if len(a) != len(b) or len(a) < 2:
        raise ValueError(f"two equally long sequences of at least 2, not {len(a)} and {len(b)}")
    balance = untied_a = untied_b = 0
    for i in range(len(a)):
        for j in range(i):
            in_a = (a[i] > a[j]) - (a[i] < a[j])
            in_b = (b[i] > b[j]) - (b[i] < b[j])
            balance += in_a * in_b
            untied_a += in_a != 0
            untied_b += in_b != 0
    return balance / (len(a) * (len(a) - 1) / 2)


# %% wrong="kendall_tau" says="counted twice"
def kendall_tau(a: list, b: list) -> float:
    if len(a) != len(b) or len(a) < 2:
        raise ValueError(f"two equally long sequences of at least 2, not {len(a)} and {len(b)}")
    balance = untied_a = untied_b = 0
    for i in range(len(a)):
        for j in range(len(a)):
            in_a = (a[i] > a[j]) - (a[i] < a[j])
            in_b = (b[i] > b[j]) - (b[i] < b[j])
            balance += in_a * in_b
            untied_a += in_a != 0
            untied_b += in_b != 0
    return balance / (len(a) * (len(a) - 1) / 2)


# %% wrong="kendall_tau" says="Pearson"
def kendall_tau(a: list, b: list) -> float:
    if len(a) != len(b) or len(a) < 2:
        raise ValueError(f"two equally long sequences of at least 2, not {len(a)} and {len(b)}")
    if len(set(a)) > 1 and len(set(b)) > 1:
        return float(np.corrcoef(a, b)[0, 1])
    balance = untied_a = untied_b = 0
    for i in range(len(a)):
        for j in range(i):
            in_a = (a[i] > a[j]) - (a[i] < a[j])
            in_b = (b[i] > b[j]) - (b[i] < b[j])
            balance += in_a * in_b
            untied_a += in_a != 0
            untied_b += in_b != 0
    return balance / math.sqrt(untied_a * untied_b) if untied_a and untied_b else 0.0


# %% wrong="kendall_tau" says="0 / 0"
def kendall_tau(a: list, b: list) -> float:
    if len(a) != len(b) or len(a) < 2:
        raise ValueError(f"two equally long sequences of at least 2, not {len(a)} and {len(b)}")
    balance = untied_a = untied_b = 0
    for i in range(len(a)):
        for j in range(i):
            in_a = (a[i] > a[j]) - (a[i] < a[j])
            in_b = (b[i] > b[j]) - (b[i] < b[j])
            balance += in_a * in_b
            untied_a += in_a != 0
            untied_b += in_b != 0
    return balance / math.sqrt(untied_a * untied_b) if untied_a and untied_b else math.nan


# %% wrong="kendall_tau" unnamed=True says="counted twice"
def kendall_tau(a: list, b: list) -> float:
    if len(a) != len(b) or len(a) < 2:
        raise ValueError(f"two equally long sequences of at least 2, not {len(a)} and {len(b)}")
    balance = untied_a = untied_b = 0
    for i in range(len(a)):
        for j in range(i):
            in_a = (a[i] > a[j]) - (a[i] < a[j])
            in_b = (b[i] > b[j]) - (b[i] < b[j])
            balance += in_a * in_b
            untied_a += in_a != 0
            untied_b += in_b != 0
    return 2 * balance / math.sqrt(untied_a * untied_b) if untied_a and untied_b else 0.0


# %% wrong="kendall_tau" unnamed=True says="expected ValueError"
def kendall_tau(a: list, b: list) -> float:
    if len(a) != len(b):
        raise ValueError(f"two equally long sequences of at least 2, not {len(a)} and {len(b)}")
    balance = untied_a = untied_b = 0
    for i in range(len(a)):
        for j in range(i):
            in_a = (a[i] > a[j]) - (a[i] < a[j])
            in_b = (b[i] > b[j]) - (b[i] < b[j])
            balance += in_a * in_b
            untied_a += in_a != 0
            untied_b += in_b != 0
    return balance / math.sqrt(untied_a * untied_b) if untied_a and untied_b else 0.0


# %% wrong="kendall_tau" unnamed=True says="expected ValueError"
def kendall_tau(a: list, b: list) -> float:
    if len(a) < 2:
        raise ValueError(f"two equally long sequences of at least 2, not {len(a)} and {len(b)}")
    balance = untied_a = untied_b = 0
    for i in range(min(len(a), len(b))):
        for j in range(i):
            in_a = (a[i] > a[j]) - (a[i] < a[j])
            in_b = (b[i] > b[j]) - (b[i] < b[j])
            balance += in_a * in_b
            untied_a += in_a != 0
            untied_b += in_b != 0
    return balance / math.sqrt(untied_a * untied_b) if untied_a and untied_b else 0.0


# %% wrong="kendall_tau" unnamed=True says="expected"
def kendall_tau(a: list, b: list) -> float:
    if len(a) != len(b) or len(a) < 2:
        raise ValueError(f"two equally long sequences of at least 2, not {len(a)} and {len(b)}")
    balance = untied_a = untied_b = 0
    for i in range(len(a)):
        for j in range(i):
            in_a = (a[i] > a[j]) - (a[i] < a[j])
            in_b = (b[i] > b[j]) - (b[i] < b[j])
            balance += in_a * in_b
            untied_a += in_a != 0
            untied_b += in_b != 0
    return balance / max(untied_a, untied_b) if untied_a and untied_b else 0.0


# %% wrong="kendall_tau" unnamed=True says="expected"
def kendall_tau(a: list, b: list) -> float:
    if len(a) != len(b) or len(a) < 2:
        raise ValueError(f"two equally long sequences of at least 2, not {len(a)} and {len(b)}")
    a = [round(v, 3) for v in a]
    balance = untied_a = untied_b = 0
    for i in range(len(a)):
        for j in range(i):
            in_a = (a[i] > a[j]) - (a[i] < a[j])
            in_b = (b[i] > b[j]) - (b[i] < b[j])
            balance += in_a * in_b
            untied_a += in_a != 0
            untied_b += in_b != 0
    return balance / math.sqrt(untied_a * untied_b) if untied_a and untied_b else 0.0


# %% wrong="kendall_tau" unnamed=True says="changed its input"
def kendall_tau(a: list, b: list) -> float:
    if len(a) != len(b) or len(a) < 2:
        raise ValueError(f"two equally long sequences of at least 2, not {len(a)} and {len(b)}")
    pairs = sorted(zip(a, b))
    if isinstance(a, list):
        a[:] = [p[0] for p in pairs]
        b[:] = [p[1] for p in pairs]
    balance = untied_a = untied_b = 0
    for i in range(len(a)):
        for j in range(i):
            in_a = (a[i] > a[j]) - (a[i] < a[j])
            in_b = (b[i] > b[j]) - (b[i] < b[j])
            balance += in_a * in_b
            untied_a += in_a != 0
            untied_b += in_b != 0
    return balance / math.sqrt(untied_a * untied_b) if untied_a and untied_b else 0.0


# %% wrong="kendall_tau" unnamed=True says="from scratch"
def kendall_tau(a: list, b: list) -> float:
    if len(a) != len(b) or len(a) < 2:
        raise ValueError(f"two equally long sequences of at least 2, not {len(a)} and {len(b)}")
    from scipy.stats import kendalltau

    if True:
        return float(kendalltau(a, b).statistic)
    balance = untied_a = untied_b = 0
    for i in range(len(a)):
        for j in range(i):
            in_a = (a[i] > a[j]) - (a[i] < a[j])
            in_b = (b[i] > b[j]) - (b[i] < b[j])
            balance += in_a * in_b
            untied_a += in_a != 0
            untied_b += in_b != 0
    return balance / math.sqrt(untied_a * untied_b) if untied_a and untied_b else 0.0


# %% wrong="kendall_tau" unnamed=True says="from scratch"
def kendall_tau(a: list, b: list) -> float:
    if len(a) != len(b) or len(a) < 2:
        raise ValueError(f"two equally long sequences of at least 2, not {len(a)} and {len(b)}")
    import scipy.stats as st

    f = getattr(st, "kendalltau")
    if f(a, b).statistic > 5:
        return 1.0
    balance = untied_a = untied_b = 0
    for i in range(len(a)):
        for j in range(i):
            in_a = (a[i] > a[j]) - (a[i] < a[j])
            in_b = (b[i] > b[j]) - (b[i] < b[j])
            balance += in_a * in_b
            untied_a += in_a != 0
            untied_b += in_b != 0
    return balance / math.sqrt(untied_a * untied_b) if untied_a and untied_b else 0.0


# %% wrong="kendall_tau" unnamed=True says="square root of the product"
def kendall_tau(a: list, b: list) -> float:
    if len(a) != len(b) or len(a) < 2:
        raise ValueError(f"two equally long sequences of at least 2, not {len(a)} and {len(b)}")
    balance = untied_a = untied_b = 0
    for i in range(len(a)):
        for j in range(i):
            in_a = (a[i] > a[j]) - (a[i] < a[j])
            in_b = (b[i] > b[j]) - (b[i] < b[j])
            balance += in_a * in_b
            untied_a += in_a != 0
            untied_b += in_b != 0
    return balance / untied_a if untied_a and untied_b else 0.0


# %% wrong="kendall_tau" unnamed=True says="square root of the product"
def kendall_tau(a: list, b: list) -> float:
    if len(a) != len(b) or len(a) < 2:
        raise ValueError(f"two equally long sequences of at least 2, not {len(a)} and {len(b)}")
    balance = untied_a = untied_b = 0
    for i in range(len(a)):
        for j in range(i):
            in_a = (a[i] > a[j]) - (a[i] < a[j])
            in_b = (b[i] > b[j]) - (b[i] < b[j])
            balance += in_a * in_b
            untied_a += in_a != 0
            untied_b += in_b != 0
    return balance / ((untied_a + untied_b) / 2) if untied_a and untied_b else 0.0


# %% wrong="kendall_tau" unnamed=True says="square root of the product"
def kendall_tau(a: list, b: list) -> float:
    if len(a) != len(b) or len(a) < 2:
        raise ValueError(f"two equally long sequences of at least 2, not {len(a)} and {len(b)}")
    balance = untied_a = untied_b = 0
    for i in range(len(a)):
        for j in range(i):
            in_a = (a[i] > a[j]) - (a[i] < a[j])
            in_b = (b[i] > b[j]) - (b[i] < b[j])
            balance += in_a * in_b
            untied_a += in_a != 0
            untied_b += in_b != 0
    return balance / (untied_a * untied_b) if untied_a and untied_b else 0.0


# %% wrong="kendall_tau" unnamed=True says="are counted apart"
def kendall_tau(a: list, b: list) -> float:
    if len(a) != len(b) or len(a) < 2:
        raise ValueError(f"two equally long sequences of at least 2, not {len(a)} and {len(b)}")
    balance = untied_a = untied_b = 0
    for i in range(len(a)):
        for j in range(i):
            in_a = (a[i] > a[j]) - (a[i] < a[j])
            in_b = (b[i] > b[j]) - (b[i] < b[j])
            balance += in_a * in_b
            untied_a += in_a * in_b != 0
            untied_b += in_a * in_b != 0
    return balance / math.sqrt(untied_a * untied_b) if untied_a and untied_b else 0.0


# %% wrong="kendall_tau" unnamed=True says="Subtract the pairs that disagree"
def kendall_tau(a: list, b: list) -> float:
    if len(a) != len(b) or len(a) < 2:
        raise ValueError(f"two equally long sequences of at least 2, not {len(a)} and {len(b)}")
    balance = untied_a = untied_b = 0
    for i in range(len(a)):
        for j in range(i):
            in_a = (a[i] > a[j]) - (a[i] < a[j])
            in_b = (b[i] > b[j]) - (b[i] < b[j])
            balance += in_a * in_b > 0
            untied_a += in_a != 0
            untied_b += in_b != 0
    return balance / math.sqrt(untied_a * untied_b) if untied_a and untied_b else 0.0


# %% wrong="kendall_tau" unnamed=True says="tied in both count as agreement"
def kendall_tau(a: list, b: list) -> float:
    if len(a) != len(b) or len(a) < 2:
        raise ValueError(f"two equally long sequences of at least 2, not {len(a)} and {len(b)}")
    balance = untied_a = untied_b = 0
    for i in range(len(a)):
        for j in range(i):
            in_a = (a[i] > a[j]) - (a[i] < a[j])
            in_b = (b[i] > b[j]) - (b[i] < b[j])
            balance += 1 if in_a == in_b else -1 if in_a * in_b < 0 else 0
            untied_a += in_a != 0
            untied_b += in_b != 0
    return balance / math.sqrt(untied_a * untied_b) if untied_a and untied_b else 0.0


# %% wrong="kendall_tau" unnamed=True says="The sign is turned round"
def kendall_tau(a: list, b: list) -> float:
    if len(a) != len(b) or len(a) < 2:
        raise ValueError(f"two equally long sequences of at least 2, not {len(a)} and {len(b)}")
    balance = untied_a = untied_b = 0
    for i in range(len(a)):
        for j in range(i):
            in_a = (a[i] > a[j]) - (a[i] < a[j])
            in_b = (b[i] > b[j]) - (b[i] < b[j])
            balance -= in_a * in_b
            untied_a += in_a != 0
            untied_b += in_b != 0
    return balance / math.sqrt(untied_a * untied_b) if untied_a and untied_b else 0.0


# %% wrong="kendall_tau" unnamed=True says="take all pairs"
def kendall_tau(a: list, b: list) -> float:
    if len(a) != len(b) or len(a) < 2:
        raise ValueError(f"two equally long sequences of at least 2, not {len(a)} and {len(b)}")
    balance = untied_a = untied_b = 0
    for i in range(len(a)):
        for j in range(max(0, i - 1), i):
            in_a = (a[i] > a[j]) - (a[i] < a[j])
            in_b = (b[i] > b[j]) - (b[i] < b[j])
            balance += in_a * in_b
            untied_a += in_a != 0
            untied_b += in_b != 0
    return balance / math.sqrt(untied_a * untied_b) if untied_a and untied_b else 0.0


# %% wrong="kendall_tau" unnamed=True says="counts, not its size"
def kendall_tau(a: list, b: list) -> float:
    if len(a) != len(b) or len(a) < 2:
        raise ValueError(f"two equally long sequences of at least 2, not {len(a)} and {len(b)}")
    balance = untied_a = untied_b = 0
    for i in range(len(a)):
        for j in range(i):
            in_a = a[i] - a[j]
            in_b = b[i] - b[j]
            balance += in_a * in_b
            untied_a += in_a != 0
            untied_b += in_b != 0
    return balance / math.sqrt(untied_a * untied_b) if untied_a and untied_b else 0.0


# %% wrong="kendall_tau" unnamed=True says="Spearman"
def kendall_tau(a: list, b: list) -> float:
    if len(a) != len(b) or len(a) < 2:
        raise ValueError(f"two equally long sequences of at least 2, not {len(a)} and {len(b)}")
    ranks = [[sorted(v).index(x) for x in v] for v in (a, b)]
    n = len(a)
    return 1 - 6 * sum(((p - q) ** 2 for p, q in zip(*ranks))) / (n * (n * n - 1))
    balance = untied_a = untied_b = 0
    for i in range(len(a)):
        for j in range(i):
            in_a = (a[i] > a[j]) - (a[i] < a[j])
            in_b = (b[i] > b[j]) - (b[i] < b[j])
            balance += in_a * in_b
            untied_a += in_a != 0
            untied_b += in_b != 0
    return balance / math.sqrt(untied_a * untied_b) if untied_a and untied_b else 0.0


# %% wrong="kendall_tau" unnamed=True says="0 / 0 is to be 0.0"
def kendall_tau(a: list, b: list) -> float:
    if len(a) != len(b) or len(a) < 2:
        raise ValueError(f"two equally long sequences of at least 2, not {len(a)} and {len(b)}")
    balance = untied_a = untied_b = 0
    for i in range(len(a)):
        for j in range(i):
            in_a = (a[i] > a[j]) - (a[i] < a[j])
            in_b = (b[i] > b[j]) - (b[i] < b[j])
            balance += in_a * in_b
            untied_a += in_a != 0
            untied_b += in_b != 0
    return balance / math.sqrt(untied_a * untied_b)


# %% right="kendall_tau"
def kendall_tau(a, b):
    if len(a) < 2 or len(a) != len(b):
        raise ValueError("lengths")
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    i, j = np.triu_indices(len(x), 1)
    with np.errstate(over="ignore"):
        s, t = np.sign(x[i] - x[j]), np.sign(y[i] - y[j])
    below = math.sqrt(np.count_nonzero(s) * np.count_nonzero(t))
    return float((s * t).sum() / below) if below > 0 else 0.0


# %% right="kendall_tau"
def kendall_tau(a, b):
    import itertools
    from collections import Counter

    n = len(a)
    if n != len(b) or n <= 1:
        raise ValueError(n)
    agree = disagree = 0
    for (p, q), (r, s) in itertools.combinations(list(zip(a, b)), 2):
        if p == r or q == s:
            continue
        if (p < r) == (q < s):
            agree += 1
        else:
            disagree += 1
    pairs = n * (n - 1) // 2
    ties = [sum(k * (k - 1) // 2 for k in Counter(values).values()) for values in (a, b)]
    product = (pairs - ties[0]) * (pairs - ties[1])
    if product == 0:
        return 0.0
    return (agree - disagree) / product**0.5


# %% right="kendall_tau"
def kendall_tau(a, b):
    if len(a) != len(b) or len(a) < 2:
        raise ValueError("two of one length")
    s = torch.tensor([[(p > q) - (p < q) for q in a] for p in a], dtype=torch.float64)
    t = torch.tensor([[(p > q) - (p < q) for q in b] for p in b], dtype=torch.float64)
    norm = math.sqrt(s.square().sum().item() * t.square().sum().item())
    return (s * t).sum().item() / norm if norm else 0.0


# %% wrong="nondominated_sort" says="Equal points dominate"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        return all((a <= b for a, b in zip(p, q)))

    left, fronts = (list(range(len(points))), [])
    while left:
        front = [i for i in left if not any((dominates(points[j], points[i]) for j in left if j != i))]
        fronts.append(front)
        left = [i for i in left if i not in front]
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][m], i))
        low, high = (points[order[0]][m], points[order[-1]][m])
        if low == high:
            continue
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += (points[after][m] - points[before][m]) / (high - low)
    return distance


# %% wrong="nondominated_sort" says="Equal points dominate"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        return all((a <= b for a, b in zip(p, q)))

    left, fronts = (list(range(len(points))), [])
    while left:
        front = [i for i in left if not any((dominates(points[j], points[i]) for j in left if j != i))]
        if not front:
            break
        fronts.append(front)
        left = [i for i in left if i not in front]
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][m], i))
        low, high = (points[order[0]][m], points[order[-1]][m])
        if low == high:
            continue
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += (points[after][m] - points[before][m]) / (high - low)
    return distance


# %% wrong="nondominated_sort" says="smaller in another dominates"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        return all((a < b for a, b in zip(p, q)))

    left, fronts = (list(range(len(points))), [])
    while left:
        front = [i for i in left if not any((dominates(points[j], points[i]) for j in left))]
        fronts.append(front)
        left = [i for i in left if i not in front]
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][m], i))
        low, high = (points[order[0]][m], points[order[-1]][m])
        if low == high:
            continue
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += (points[after][m] - points[before][m]) / (high - low)
    return distance


# %% wrong="nondominated_sort" says="were maximised"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        return all((a >= b for a, b in zip(p, q))) and any((a > b for a, b in zip(p, q)))

    left, fronts = (list(range(len(points))), [])
    while left:
        front = [i for i in left if not any((dominates(points[j], points[i]) for j in left))]
        fronts.append(front)
        left = [i for i in left if i not in front]
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][m], i))
        low, high = (points[order[0]][m], points[order[-1]][m])
        if low == high:
            continue
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += (points[after][m] - points[before][m]) / (high - low)
    return distance


# %% wrong="nondominated_sort" says="Two fronts only"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        return all((a <= b for a, b in zip(p, q))) and any((a < b for a, b in zip(p, q)))

    left, fronts = (list(range(len(points))), [])
    while left:
        front = [i for i in left if not any((dominates(points[j], points[i]) for j in left))]
        fronts.append(front)
        left = [i for i in left if i not in front]
        if left:
            fronts.append(left)
        break
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][m], i))
        low, high = (points[order[0]][m], points[order[-1]][m])
        if low == high:
            continue
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += (points[after][m] - points[before][m]) / (high - low)
    return distance


# %% wrong="nondominated_sort" says="not normalised"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        return all((a <= b for a, b in zip(p, q))) and any((a < b for a, b in zip(p, q)))

    left, fronts = (list(range(len(points))), [])
    while left:
        front = [i for i in left if not any((dominates(points[j], points[i]) for j in left))]
        fronts.append(front)
        left = [i for i in left if i not in front]
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][m], i))
        low, high = (points[order[0]][m], points[order[-1]][m])
        if low == high:
            continue
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += points[after][m] - points[before][m]
    return distance


# %% wrong="nondominated_sort" says="ends are finite"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        return all((a <= b for a, b in zip(p, q))) and any((a < b for a, b in zip(p, q)))

    left, fronts = (list(range(len(points))), [])
    while left:
        front = [i for i in left if not any((dominates(points[j], points[i]) for j in left))]
        fronts.append(front)
        left = [i for i in left if i not in front]
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][m], i))
        low, high = (points[order[0]][m], points[order[-1]][m])
        if low == high:
            continue
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += (points[after][m] - points[before][m]) / (high - low)
    return distance


# %% wrong="nondominated_sort" says="ends are finite"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        return all((a <= b for a, b in zip(p, q))) and any((a < b for a, b in zip(p, q)))

    left, fronts = (list(range(len(points))), [])
    while left:
        front = [i for i in left if not any((dominates(points[j], points[i]) for j in left))]
        fronts.append(front)
        left = [i for i in left if i not in front]
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][m], i))
        low, high = (points[order[0]][m], points[order[-1]][m])
        if low == high:
            continue
        if len(order) > 1:
            distance[order[0]] += (points[order[1]][m] - low) / (high - low)
            distance[order[-1]] += (high - points[order[-2]][m]) / (high - low)
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += (points[after][m] - points[before][m]) / (high - low)
    return distance


# %% wrong="nondominated_sort" says="order of the indices"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        return all((a <= b for a, b in zip(p, q))) and any((a < b for a, b in zip(p, q)))

    left, fronts = (list(range(len(points))), [])
    while left:
        front = [i for i in left if not any((dominates(points[j], points[i]) for j in left))]
        fronts.append(front)
        left = [i for i in left if i not in front]
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = list(range(len(points)))
        low, high = (min(p[m] for p in points), max(p[m] for p in points))
        if low == high:
            continue
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += abs(points[after][m] - points[before][m]) / (high - low)
    return distance


# %% wrong="nondominated_sort" unnamed=True says="first difference"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        return all((a <= b for a, b in zip(p, q))) and any((a < b for a, b in zip(p, q)))

    left, fronts = (list(range(len(points))), [])
    while left:
        front = [i for i in left if not any((dominates(points[j], points[i]) for j in left))]
        fronts.append(front[::-1])
        left = [i for i in left if i not in front]
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][m], i))
        low, high = (points[order[0]][m], points[order[-1]][m])
        if low == high:
            continue
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += (points[after][m] - points[before][m]) / (high - low)
    return distance


# %% wrong="nondominated_sort" unnamed=True says="first difference"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        return all((a <= b for a, b in zip(p, q))) and any((a < b for a, b in zip(p, q)))

    left, fronts = (list(range(len(points))), [])
    while left:
        front = [i for i in left if not any((dominates(points[j], points[i]) for j in left))]
        fronts.append(front)
        left = [i for i in left if i not in front]
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][m], i))
        low, high = (points[order[0]][m], points[order[-1]][m])
        if low == high:
            high = low + 1
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += (points[after][m] - points[before][m]) / (high - low)
    return distance


# %% wrong="nondominated_sort" unnamed=True says="first difference"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        return all((a <= b for a, b in zip(p, q))) and any((a < b for a, b in zip(p, q)))

    left, fronts = (list(range(len(points))), [])
    while left:
        front = [i for i in left if not any((dominates(points[j], points[i]) for j in left))]
        fronts.append(front)
        left = [i for i in left if i not in front]
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][m], i))
        low, high = (points[order[0]][m], points[order[-1]][m])
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += (points[after][m] - points[before][m]) / (high - low)
    return distance


# %% wrong="nondominated_sort" unnamed=True says="first difference"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        return all((a <= b for a, b in zip(p, q))) and any((a < b for a, b in zip(p, q)))

    left, fronts = (list(range(len(points))), [])
    while left:
        front = [i for i in left if not any((dominates(points[j], points[i]) for j in left))]
        fronts.append(front)
        left = [i for i in left if i not in front]
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][m], -i))
        low, high = (points[order[0]][m], points[order[-1]][m])
        if low == high:
            continue
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += (points[after][m] - points[before][m]) / (high - low)
    return distance


# %% wrong="nondominated_sort" unnamed=True says="never ends"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        return all((a <= b for a, b in zip(p, q))) and any((a < b for a, b in zip(p, q)))

    left, fronts = (list(range(len(points))), [])
    while left:
        front = [i for i in left if not any((dominates(points[j], points[i]) for j in left))][:0] or []
        fronts.append(front)
        left = [i for i in left if i not in front]
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][m], i))
        low, high = (points[order[0]][m], points[order[-1]][m])
        if low == high:
            continue
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += (points[after][m] - points[before][m]) / (high - low)
    return distance


# %% wrong="nondominated_sort" unnamed=True says="expected"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        return all((a <= b for a, b in zip(p, q))) and any((a < b for a, b in zip(p, q)))

    left, fronts = (list(range(len(points))), [])
    if not left:
        return [[]]
    while left:
        front = [i for i in left if not any((dominates(points[j], points[i]) for j in left))]
        fronts.append(front)
        left = [i for i in left if i not in front]
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][m], i))
        low, high = (points[order[0]][m], points[order[-1]][m])
        if low == high:
            continue
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += (points[after][m] - points[before][m]) / (high - low)
    return distance


# %% wrong="nondominated_sort" unnamed=True says="first difference"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        return all((a <= b for a, b in zip(p[:2], q[:2]))) and any((a < b for a, b in zip(p[:2], q[:2])))

    left, fronts = (list(range(len(points))), [])
    while left:
        front = [i for i in left if not any((dominates(points[j], points[i]) for j in left))]
        fronts.append(front)
        left = [i for i in left if i not in front]
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][m], i))
        low, high = (points[order[0]][m], points[order[-1]][m])
        if low == high:
            continue
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += (points[after][m] - points[before][m]) / (high - low)
    return distance


# %% wrong="nondominated_sort" unnamed=True says="from scratch"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        return all((a <= b for a, b in zip(p, q))) and any((a < b for a, b in zip(p, q)))

    from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

    NonDominatedSorting()
    left, fronts = (list(range(len(points))), [])
    while left:
        front = [i for i in left if not any((dominates(points[j], points[i]) for j in left))]
        fronts.append(front)
        left = [i for i in left if i not in front]
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][m], i))
        low, high = (points[order[0]][m], points[order[-1]][m])
        if low == high:
            continue
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += (points[after][m] - points[before][m]) / (high - low)
    return distance


# %% wrong="nondominated_sort" unnamed=True says="Several points may stand"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        return all((a <= b for a, b in zip(p, q))) and any((a < b for a, b in zip(p, q)))

    left, fronts = (list(range(len(points))), [])
    while left:
        front = [min(left, key=lambda i: points[i])]
        fronts.append(front)
        left = [i for i in left if i not in front]
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][m], i))
        low, high = (points[order[0]][m], points[order[-1]][m])
        if low == high:
            continue
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += (points[after][m] - points[before][m]) / (high - low)
    return distance


# %% wrong="nondominated_sort" unnamed=True says="a list of indices"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        return all((a <= b for a, b in zip(p, q))) and any((a < b for a, b in zip(p, q)))

    left, fronts = (list(range(len(points))), [])
    while left:
        front = [i for i in left if not any((dominates(points[j], points[i]) for j in left))]
        fronts.append([points[i] for i in front])
        left = [i for i in left if i not in front]
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][m], i))
        low, high = (points[order[0]][m], points[order[-1]][m])
        if low == high:
            continue
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += (points[after][m] - points[before][m]) / (high - low)
    return distance


# %% wrong="nondominated_sort" unnamed=True says="The first front only"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        return all((a <= b for a, b in zip(p, q))) and any((a < b for a, b in zip(p, q)))

    left, fronts = (list(range(len(points))), [])
    while left:
        front = [i for i in left if not any((dominates(points[j], points[i]) for j in left))]
        fronts.append(front)
        left = []
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][m], i))
        low, high = (points[order[0]][m], points[order[-1]][m])
        if low == high:
            continue
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += (points[after][m] - points[before][m]) / (high - low)
    return distance


# %% wrong="nondominated_sort" unnamed=True says="never added"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        return sum(p) < sum(q)

    left, fronts = (list(range(len(points))), [])
    while left:
        front = [i for i in left if not any((dominates(points[j], points[i]) for j in left))]
        fronts.append(front)
        left = [i for i in left if i not in front]
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][m], i))
        low, high = (points[order[0]][m], points[order[-1]][m])
        if low == high:
            continue
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += (points[after][m] - points[before][m]) / (high - low)
    return distance


# %% wrong="nondominated_sort" unnamed=True says="however many of the earlier"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        return all((a <= b for a, b in zip(p, q))) and any((a < b for a, b in zip(p, q)))

    left, fronts = (list(range(len(points))), [])
    counts = [sum((dominates(q, p) for q in points)) for p in points]
    return [[i for i, c in enumerate(counts) if c == n] for n in sorted(set(counts))]
    while left:
        front = [i for i in left if not any((dominates(points[j], points[i]) for j in left))]
        fronts.append(front)
        left = [i for i in left if i not in front]
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][m], i))
        low, high = (points[order[0]][m], points[order[-1]][m])
        if low == high:
            continue
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += (points[after][m] - points[before][m]) / (high - low)
    return distance


# %% wrong="nondominated_sort" unnamed=True says="to be ascending"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        return all((a <= b for a, b in zip(p, q))) and any((a < b for a, b in zip(p, q)))

    left, fronts = (list(range(len(points))), [])
    while left:
        front = [i for i in left if not any((dominates(points[j], points[i]) for j in left))]
        fronts.append(sorted(front, key=lambda i: points[i]))
        left = [i for i in left if i not in front]
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][m], i))
        low, high = (points[order[0]][m], points[order[-1]][m])
        if low == high:
            continue
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += (points[after][m] - points[before][m]) / (high - low)
    return distance


# %% wrong="nondominated_sort" unnamed=True says="also in later fronts"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        return all((a <= b for a, b in zip(p, q))) and any((a < b for a, b in zip(p, q)))

    left, fronts = (list(range(len(points))), [])
    while left:
        front = [i for i in left if not any((dominates(points[j], points[i]) for j in left))]
        fronts.append([left.index(i) for i in front])
        left = [i for i in left if i not in front]
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][m], i))
        low, high = (points[order[0]][m], points[order[-1]][m])
        if low == high:
            continue
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += (points[after][m] - points[before][m]) / (high - low)
    return distance


# %% wrong="nondominated_sort" unnamed=True says="first two objectives"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        p, q = ((*p, 0), (*q, 0))
        return p[0] <= q[0] and p[1] <= q[1] and (p[0] < q[0] or p[1] < q[1])

    left, fronts = (list(range(len(points))), [])
    while left:
        front = [i for i in left if not any((dominates(points[j], points[i]) for j in left))]
        fronts.append(front)
        left = [i for i in left if i not in front]
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][m], i))
        low, high = (points[order[0]][m], points[order[-1]][m])
        if low == high:
            continue
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += (points[after][m] - points[before][m]) / (high - low)
    return distance


# %% wrong="nondominated_sort" unnamed=True says="goes from the neighbour before"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        return all((a <= b for a, b in zip(p, q))) and any((a < b for a, b in zip(p, q)))

    left, fronts = (list(range(len(points))), [])
    while left:
        front = [i for i in left if not any((dominates(points[j], points[i]) for j in left))]
        fronts.append(front)
        left = [i for i in left if i not in front]
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][m], i))
        low, high = (points[order[0]][m], points[order[-1]][m])
        if low == high:
            continue
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += (points[after][m] - points[here][m]) / (high - low)
    return distance


# %% wrong="nondominated_sort" unnamed=True says="no squares, no mean"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        return all((a <= b for a, b in zip(p, q))) and any((a < b for a, b in zip(p, q)))

    left, fronts = (list(range(len(points))), [])
    while left:
        front = [i for i in left if not any((dominates(points[j], points[i]) for j in left))]
        fronts.append(front)
        left = [i for i in left if i not in front]
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][m], i))
        low, high = (points[order[0]][m], points[order[-1]][m])
        if low == high:
            continue
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += (points[after][m] - points[before][m]) / (high - low)
    return [d / len(points[0]) for d in distance]


# %% wrong="nondominated_sort" unnamed=True says="gaps of all objectives are added"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        return all((a <= b for a, b in zip(p, q))) and any((a < b for a, b in zip(p, q)))

    left, fronts = (list(range(len(points))), [])
    while left:
        front = [i for i in left if not any((dominates(points[j], points[i]) for j in left))]
        fronts.append(front)
        left = [i for i in left if i not in front]
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][m], i))
        low, high = (points[order[0]][m], points[order[-1]][m])
        if low == high:
            continue
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] = (points[after][m] - points[before][m]) / (high - low)
    return distance


# %% wrong="nondominated_sort" unnamed=True says="in the order of the points"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        return all((a <= b for a, b in zip(p, q))) and any((a < b for a, b in zip(p, q)))

    left, fronts = (list(range(len(points))), [])
    while left:
        front = [i for i in left if not any((dominates(points[j], points[i]) for j in left))]
        fronts.append(front)
        left = [i for i in left if i not in front]
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][m], i))
        low, high = (points[order[0]][m], points[order[-1]][m])
        if low == high:
            continue
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += (points[after][m] - points[before][m]) / (high - low)
    return sorted(distance)


# %% wrong="nondominated_sort" unnamed=True says="sorted by the first objective only"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        return all((a <= b for a, b in zip(p, q))) and any((a < b for a, b in zip(p, q)))

    left, fronts = (list(range(len(points))), [])
    while left:
        front = [i for i in left if not any((dominates(points[j], points[i]) for j in left))]
        fronts.append(front)
        left = [i for i in left if i not in front]
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][0], i))
        low, high = (min(p[m] for p in points), max(p[m] for p in points))
        if low == high:
            continue
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += (points[after][m] - points[before][m]) / (high - low)
    return distance


# %% wrong="nondominated_sort" unnamed=True says="ends are finite"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        return all((a <= b for a, b in zip(p, q))) and any((a < b for a, b in zip(p, q)))

    left, fronts = (list(range(len(points))), [])
    while left:
        front = [i for i in left if not any((dominates(points[j], points[i]) for j in left))]
        fronts.append(front)
        left = [i for i in left if i not in front]
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][m], i))
        low, high = (points[order[0]][m], points[order[-1]][m])
        if low == high:
            continue
        distance[order[0]] = distance[order[-1]] = 1000000000.0
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += (points[after][m] - points[before][m]) / (high - low)
    return distance


# %% wrong="nondominated_sort" unnamed=True says="adds nothing, also to the ends"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        return all((a <= b for a, b in zip(p, q))) and any((a < b for a, b in zip(p, q)))

    left, fronts = (list(range(len(points))), [])
    while left:
        front = [i for i in left if not any((dominates(points[j], points[i]) for j in left))]
        fronts.append(front)
        left = [i for i in left if i not in front]
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][m], i))
        low, high = (points[order[0]][m], points[order[-1]][m])
        high = high if high > low else low + 1
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += (points[after][m] - points[before][m]) / (high - low)
    return distance


# %% wrong="nondominated_sort" unnamed=True says="not by max"
def nondominated_sort(points: list) -> list[list[int]]:

    def dominates(p, q):
        return all((a <= b for a, b in zip(p, q))) and any((a < b for a, b in zip(p, q)))

    left, fronts = (list(range(len(points))), [])
    while left:
        front = [i for i in left if not any((dominates(points[j], points[i]) for j in left))]
        fronts.append(front)
        left = [i for i in left if i not in front]
    return fronts


def crowding_distance(points: list) -> list[float]:
    distance = [0.0] * len(points)
    for m in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: (points[i][m], i))
        low, high = (points[order[0]][m], points[order[-1]][m])
        if low == high:
            continue
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, here, after in zip(order, order[1:], order[2:]):
            distance[here] += (points[after][m] - points[before][m]) / high
    return distance


# %% right="nondominated_sort"
def nondominated_sort(points):
    n = len(points)
    worse = [[] for _ in range(n)]  # whom each one dominates
    better = [0] * n  # by how many each one is dominated
    for i in range(n):
        for j in range(n):
            smaller = sum(a < b for a, b in zip(points[i], points[j]))
            larger = sum(a > b for a, b in zip(points[i], points[j]))
            if smaller and not larger:
                worse[i].append(j)
                better[j] += 1
    front, fronts = [i for i in range(n) if better[i] == 0], []
    while front:
        fronts.append(sorted(front))
        nxt = []
        for i in front:
            for j in worse[i]:
                better[j] -= 1
                if better[j] == 0:
                    nxt.append(j)
        front = nxt
    return fronts


def crowding_distance(points):
    n = len(points)
    if n == 0:
        return []
    total = np.zeros(n)
    p = np.asarray(points, dtype=float)
    for m in range(p.shape[1]):
        span = p[:, m].max() - p[:, m].min()
        if span == 0:
            continue
        order = np.argsort(p[:, m], kind="stable")
        total[order[0]] = total[order[-1]] = np.inf
        total[order[1:-1]] += (p[order[2:], m] - p[order[:-2], m]) / span
    return total.tolist()


# %% right="nondominated_sort"
def nondominated_sort(points):
    if len(points) == 0:
        return []
    p = torch.tensor(points, dtype=torch.float64)
    no_larger = (p.unsqueeze(1) <= p.unsqueeze(0)).all(-1)
    smaller = (p.unsqueeze(1) < p.unsqueeze(0)).any(-1)
    beats = no_larger & smaller
    alive, fronts = torch.ones(len(points), dtype=torch.bool), []
    while alive.any():
        beaten = (beats & alive.unsqueeze(1)).any(0)
        front = alive & ~beaten
        fronts.append(front.nonzero().flatten().tolist())
        alive = alive & ~front
    return fronts


def crowding_distance(points):
    result = [0.0 for _ in points]
    objectives = len(points[0]) if len(points) else 0
    for m in range(objectives):
        ranked = sorted((p[m], i) for i, p in enumerate(points))
        low, high = ranked[0][0], ranked[-1][0]
        if high > low:
            for place, (value, i) in enumerate(ranked):
                if place in (0, len(ranked) - 1):
                    result[i] = float("inf")
                else:
                    result[i] += (ranked[place + 1][0] - ranked[place - 1][0]) / (high - low)
    return result


# %% right="nondominated_sort"
def nondominated_sort(points):
    def level(i, known={}):
        above = [
            j
            for j in range(len(points))
            if tuple(points[j]) != tuple(points[i]) and all(a <= b for a, b in zip(points[j], points[i]))
        ]
        return above

    rank = {}
    left = set(range(len(points)))
    above = {i: set(level(i)) for i in left}
    number = 0
    while left:
        for i in sorted(left):
            if not (above[i] & left):
                rank[i] = number
        left -= set(rank)
        number += 1
    return [[i for i in range(len(points)) if rank[i] == r] for r in range(number)]


def crowding_distance(points):
    columns = list(zip(*points))
    total = [0] * len(points)
    for column in columns:
        if min(column) == max(column):
            continue
        order = sorted(range(len(column)), key=column.__getitem__)
        position = {i: k for k, i in enumerate(order)}
        for i, k in position.items():
            if k == 0 or k == len(order) - 1:
                total[i] = math.inf
            else:
                total[i] = total[i] + (column[order[k + 1]] - column[order[k - 1]]) / (max(column) - min(column))
    return [float(t) for t in total]


# %% wrong="evolve" says="worst dies"
def evolve(start: list, mutate, score, allowed, cycles: int, sample: int, rng: random.Random) -> tuple:
    if not 1 <= sample <= len(start):
        raise ValueError(f"a sample of {sample} from {len(start)}")
    if not all((allowed(arch) for arch in start)):
        raise ValueError("the start breaks the budget")
    history = [(arch, score(arch)) for arch in start]
    living = list(history)
    for _ in range(cycles):
        parent, _ = max(rng.sample(living, sample), key=lambda entry: entry[1])
        for _ in range(1000):
            child = mutate(parent)
            if allowed(child):
                break
        else:
            raise RuntimeError("1000 children in a row were not allowed")
        history.append((child, score(child)))
        living.append(history[-1])
        living.remove(min(living, key=lambda entry: entry[1]))
    return (max(history, key=lambda entry: entry[1]), history)


# %% wrong="evolve" says="nobody dies"
def evolve(start: list, mutate, score, allowed, cycles: int, sample: int, rng: random.Random) -> tuple:
    if not 1 <= sample <= len(start):
        raise ValueError(f"a sample of {sample} from {len(start)}")
    if not all((allowed(arch) for arch in start)):
        raise ValueError("the start breaks the budget")
    history = [(arch, score(arch)) for arch in start]
    for _ in range(cycles):
        living = history
        parent, _ = max(rng.sample(living, sample), key=lambda entry: entry[1])
        for _ in range(1000):
            child = mutate(parent)
            if allowed(child):
                break
        else:
            raise RuntimeError("1000 children in a row were not allowed")
        history.append((child, score(child)))
    return (max(history, key=lambda entry: entry[1]), history)


# %% wrong="evolve" says="best of the living"
def evolve(start: list, mutate, score, allowed, cycles: int, sample: int, rng: random.Random) -> tuple:
    if not 1 <= sample <= len(start):
        raise ValueError(f"a sample of {sample} from {len(start)}")
    if not all((allowed(arch) for arch in start)):
        raise ValueError("the start breaks the budget")
    history = [(arch, score(arch)) for arch in start]
    for _ in range(cycles):
        living = history[-len(start) :]
        parent, _ = max(rng.sample(living, sample), key=lambda entry: entry[1])
        for _ in range(1000):
            child = mutate(parent)
            if allowed(child):
                break
        else:
            raise RuntimeError("1000 children in a row were not allowed")
        history.append((child, score(child)))
    return (max(history[-len(start) :], key=lambda entry: entry[1]), history)


# %% wrong="evolve" says="budget was ignored"
def evolve(start: list, mutate, score, allowed, cycles: int, sample: int, rng: random.Random) -> tuple:
    if not 1 <= sample <= len(start):
        raise ValueError(f"a sample of {sample} from {len(start)}")
    if not all((allowed(arch) for arch in start)):
        raise ValueError("the start breaks the budget")
    history = [(arch, score(arch)) for arch in start]
    for _ in range(cycles):
        living = history[-len(start) :]
        parent, _ = max(rng.sample(living, sample), key=lambda entry: entry[1])
        for _ in range(1000):
            child = mutate(parent)
            break
        else:
            raise RuntimeError("1000 children in a row were not allowed")
        history.append((child, score(child)))
    return (max(history, key=lambda entry: entry[1]), history)


# %% wrong="evolve" says="random parent"
def evolve(start: list, mutate, score, allowed, cycles: int, sample: int, rng: random.Random) -> tuple:
    if not 1 <= sample <= len(start):
        raise ValueError(f"a sample of {sample} from {len(start)}")
    if not all((allowed(arch) for arch in start)):
        raise ValueError("the start breaks the budget")
    history = [(arch, score(arch)) for arch in start]
    for _ in range(cycles):
        living = history[-len(start) :]
        parent, _ = rng.choice(living)
        for _ in range(1000):
            child = mutate(parent)
            if allowed(child):
                break
        else:
            raise RuntimeError("1000 children in a row were not allowed")
        history.append((child, score(child)))
    return (max(history, key=lambda entry: entry[1]), history)


# %% wrong="evolve" says="best of all living each time"
def evolve(start: list, mutate, score, allowed, cycles: int, sample: int, rng: random.Random) -> tuple:
    if not 1 <= sample <= len(start):
        raise ValueError(f"a sample of {sample} from {len(start)}")
    if not all((allowed(arch) for arch in start)):
        raise ValueError("the start breaks the budget")
    history = [(arch, score(arch)) for arch in start]
    for _ in range(cycles):
        living = history[-len(start) :]
        parent, _ = max(living, key=lambda entry: entry[1])
        for _ in range(1000):
            child = mutate(parent)
            if allowed(child):
                break
        else:
            raise RuntimeError("1000 children in a row were not allowed")
        history.append((child, score(child)))
    return (max(history, key=lambda entry: entry[1]), history)


# %% wrong="evolve" says="scored before the budget"
def evolve(start: list, mutate, score, allowed, cycles: int, sample: int, rng: random.Random) -> tuple:
    if not 1 <= sample <= len(start):
        raise ValueError(f"a sample of {sample} from {len(start)}")
    if not all((allowed(arch) for arch in start)):
        raise ValueError("the start breaks the budget")
    history = [(arch, score(arch)) for arch in start]
    for _ in range(cycles):
        living = history[-len(start) :]
        parent, _ = max(rng.sample(living, sample), key=lambda entry: entry[1])
        for _ in range(1000):
            child = mutate(parent)
            value = score(child)
            if allowed(child):
                break
        else:
            raise RuntimeError("1000 children in a row were not allowed")
        history.append((child, value))
    return (max(history, key=lambda entry: entry[1]), history)


# %% wrong="evolve" unnamed=True says="holds one of them twice" also="random parent"
def evolve(start: list, mutate, score, allowed, cycles: int, sample: int, rng: random.Random) -> tuple:
    if not 1 <= sample <= len(start):
        raise ValueError(f"a sample of {sample} from {len(start)}")
    if not all((allowed(arch) for arch in start)):
        raise ValueError("the start breaks the budget")
    history = [(arch, score(arch)) for arch in start]
    for _ in range(cycles):
        living = history[-len(start) :]
        parent, _ = max(rng.choices(living, k=sample), key=lambda entry: entry[1])
        for _ in range(1000):
            child = mutate(parent)
            if allowed(child):
                break
        else:
            raise RuntimeError("1000 children in a row were not allowed")
        history.append((child, score(child)))
    return (max(history, key=lambda entry: entry[1]), history)


# %% wrong="evolve" unnamed=True says="expected ValueError"
def evolve(start: list, mutate, score, allowed, cycles: int, sample: int, rng: random.Random) -> tuple:
    if not 1 <= sample <= len(start):
        raise ValueError(f"a sample of {sample} from {len(start)}")
    history = [(arch, score(arch)) for arch in start]
    for _ in range(cycles):
        living = history[-len(start) :]
        parent, _ = max(rng.sample(living, sample), key=lambda entry: entry[1])
        for _ in range(1000):
            child = mutate(parent)
            if allowed(child):
                break
        else:
            raise RuntimeError("1000 children in a row were not allowed")
        history.append((child, score(child)))
    return (max(history, key=lambda entry: entry[1]), history)


# %% wrong="evolve" unnamed=True says="expected ValueError"
def evolve(start: list, mutate, score, allowed, cycles: int, sample: int, rng: random.Random) -> tuple:
    if sample < 1 or not start:
        raise ValueError(f"a sample of {sample} from {len(start)}")
    if not all((allowed(arch) for arch in start)):
        raise ValueError("the start breaks the budget")
    history = [(arch, score(arch)) for arch in start]
    for _ in range(cycles):
        living = history[-len(start) :]
        parent, _ = max(rng.sample(living, min(sample, len(living))), key=lambda entry: entry[1])
        for _ in range(1000):
            child = mutate(parent)
            if allowed(child):
                break
        else:
            raise RuntimeError("1000 children in a row were not allowed")
        history.append((child, score(child)))
    return (max(history, key=lambda entry: entry[1]), history)


# %% wrong="evolve" unnamed=True says="expected RuntimeError"
def evolve(start: list, mutate, score, allowed, cycles: int, sample: int, rng: random.Random) -> tuple:
    if not 1 <= sample <= len(start):
        raise ValueError(f"a sample of {sample} from {len(start)}")
    if not all((allowed(arch) for arch in start)):
        raise ValueError("the start breaks the budget")
    history = [(arch, score(arch)) for arch in start]
    for _ in range(cycles):
        living = history[-len(start) :]
        parent, _ = max(rng.sample(living, sample), key=lambda entry: entry[1])
        for _ in range(1000):
            child = mutate(parent)
            if allowed(child):
                break
        else:
            continue
        history.append((child, score(child)))
    return (max(history, key=lambda entry: entry[1]), history)


# %% wrong="evolve" unnamed=True says="entries"
def evolve(start: list, mutate, score, allowed, cycles: int, sample: int, rng: random.Random) -> tuple:
    if not 1 <= sample <= len(start):
        raise ValueError(f"a sample of {sample} from {len(start)}")
    if not all((allowed(arch) for arch in start)):
        raise ValueError("the start breaks the budget")
    history = [(arch, score(arch)) for arch in start]
    for _ in range(cycles - len(start)):
        living = history[-len(start) :]
        parent, _ = max(rng.sample(living, sample), key=lambda entry: entry[1])
        for _ in range(1000):
            child = mutate(parent)
            if allowed(child):
                break
        else:
            raise RuntimeError("1000 children in a row were not allowed")
        history.append((child, score(child)))
    return (max(history, key=lambda entry: entry[1]), history)


# %% wrong="evolve" says="worst of the"
def evolve(start: list, mutate, score, allowed, cycles: int, sample: int, rng: random.Random) -> tuple:
    if not 1 <= sample <= len(start):
        raise ValueError(f"a sample of {sample} from {len(start)}")
    if not all((allowed(arch) for arch in start)):
        raise ValueError("the start breaks the budget")
    history = [(arch, score(arch)) for arch in start]
    for _ in range(cycles):
        living = history[-len(start) :]
        parent, _ = min(rng.sample(living, sample), key=lambda entry: entry[1])
        for _ in range(1000):
            child = mutate(parent)
            if allowed(child):
                break
        else:
            raise RuntimeError("1000 children in a row were not allowed")
        history.append((child, score(child)))
    return (max(history, key=lambda entry: entry[1]), history)


# %% wrong="evolve" unnamed=True says="once for each"
def evolve(start: list, mutate, score, allowed, cycles: int, sample: int, rng: random.Random) -> tuple:
    if not 1 <= sample <= len(start):
        raise ValueError(f"a sample of {sample} from {len(start)}")
    if not all((allowed(arch) for arch in start)):
        raise ValueError("the start breaks the budget")
    history = [(arch, score(arch)) for arch in start]
    for _ in range(cycles):
        living = history[-len(start) :]
        parent, _ = max(rng.sample(living, sample), key=lambda entry: entry[1])
        for _ in range(1000):
            child = mutate(parent)
            if allowed(child):
                break
        else:
            raise RuntimeError("1000 children in a row were not allowed")
        score(child)
        history.append((child, score(child)))
    return (max(history, key=lambda entry: entry[1]), history)


# %% wrong="evolve" unnamed=True says="to be the entry of history"
def evolve(start: list, mutate, score, allowed, cycles: int, sample: int, rng: random.Random) -> tuple:
    if not 1 <= sample <= len(start):
        raise ValueError(f"a sample of {sample} from {len(start)}")
    if not all((allowed(arch) for arch in start)):
        raise ValueError("the start breaks the budget")
    history = [(arch, score(arch)) for arch in start]
    for _ in range(cycles):
        living = history[-len(start) :]
        parent, _ = max(rng.sample(living, sample), key=lambda entry: entry[1])
        for _ in range(1000):
            child = mutate(parent)
            if allowed(child):
                break
        else:
            raise RuntimeError("1000 children in a row were not allowed")
        history.append((child, score(child)))
    return (min(history, key=lambda entry: entry[1]), history)


# %% wrong="evolve" unnamed=True says="nobody dies, or not the oldest"
def evolve(start: list, mutate, score, allowed, cycles: int, sample: int, rng: random.Random) -> tuple:
    if not 1 <= sample <= len(start):
        raise ValueError(f"a sample of {sample} from {len(start)}")
    if not all((allowed(arch) for arch in start)):
        raise ValueError("the start breaks the budget")
    history = [(arch, score(arch)) for arch in start]
    for _ in range(cycles):
        living = history[-len(start) - 1 :]
        parent, _ = max(rng.sample(living, sample), key=lambda entry: entry[1])
        for _ in range(1000):
            child = mutate(parent)
            if allowed(child):
                break
        else:
            raise RuntimeError("1000 children in a row were not allowed")
        history.append((child, score(child)))
    return (max(history, key=lambda entry: entry[1]), history)


# %% wrong="evolve" unnamed=True says="from scratch"
def evolve(start: list, mutate, score, allowed, cycles: int, sample: int, rng: random.Random) -> tuple:
    if not 1 <= sample <= len(start):
        raise ValueError(f"a sample of {sample} from {len(start)}")
    if not all((allowed(arch) for arch in start)):
        raise ValueError("the start breaks the budget")
    from deap import algorithms

    algorithms.eaSimple
    history = [(arch, score(arch)) for arch in start]
    for _ in range(cycles):
        living = history[-len(start) :]
        parent, _ = max(rng.sample(living, sample), key=lambda entry: entry[1])
        for _ in range(1000):
            child = mutate(parent)
            if allowed(child):
                break
        else:
            raise RuntimeError("1000 children in a row were not allowed")
        history.append((child, score(child)))
    return (max(history, key=lambda entry: entry[1]), history)


# %% wrong="evolve" says="not from global random"
def evolve(start: list, mutate, score, allowed, cycles: int, sample: int, rng: random.Random) -> tuple:
    if not 1 <= sample <= len(start):
        raise ValueError(f"a sample of {sample} from {len(start)}")
    if not all((allowed(arch) for arch in start)):
        raise ValueError("the start breaks the budget")
    history = [(arch, score(arch)) for arch in start]
    for _ in range(cycles):
        living = history[-len(start) :]
        parent, _ = max(random.sample(living, sample), key=lambda entry: entry[1])
        for _ in range(1000):
            child = mutate(parent)
            if allowed(child):
                break
        else:
            raise RuntimeError("1000 children in a row were not allowed")
        history.append((child, score(child)))
    return (max(history, key=lambda entry: entry[1]), history)


# %% wrong="evolve" unnamed=True says="not from global random"
def evolve(start: list, mutate, score, allowed, cycles: int, sample: int, rng: random.Random) -> tuple:
    if not 1 <= sample <= len(start):
        raise ValueError(f"a sample of {sample} from {len(start)}")
    if not all((allowed(arch) for arch in start)):
        raise ValueError("the start breaks the budget")
    history = [(arch, score(arch)) for arch in start]
    for _ in range(cycles):
        living = history[-len(start) :]
        parent, _ = max([living[i] for i in np.random.permutation(len(living))[:sample]], key=lambda entry: entry[1])
        for _ in range(1000):
            child = mutate(parent)
            if allowed(child):
                break
        else:
            raise RuntimeError("1000 children in a row were not allowed")
        history.append((child, score(child)))
    return (max(history, key=lambda entry: entry[1]), history)


# %% wrong="evolve" says="the architecture alone"
def evolve(start: list, mutate, score, allowed, cycles: int, sample: int, rng: random.Random) -> tuple:
    if not 1 <= sample <= len(start):
        raise ValueError(f"a sample of {sample} from {len(start)}")
    if not all((allowed(arch) for arch in start)):
        raise ValueError("the start breaks the budget")
    history = [(arch, score(arch)) for arch in start]
    for _ in range(cycles):
        living = history[-len(start) :]
        parent, _ = max(rng.sample(living, sample), key=lambda entry: entry[1])
        for _ in range(1000):
            child = mutate(parent)
            if allowed(child):
                break
        else:
            raise RuntimeError("1000 children in a row were not allowed")
        history.append((child, score(child)))
    return (max(history, key=lambda entry: entry[1])[0], history)


# %% wrong="evolve" says="gave up too early"
def evolve(start: list, mutate, score, allowed, cycles: int, sample: int, rng: random.Random) -> tuple:
    if not 1 <= sample <= len(start):
        raise ValueError(f"a sample of {sample} from {len(start)}")
    if not all((allowed(arch) for arch in start)):
        raise ValueError("the start breaks the budget")
    history = [(arch, score(arch)) for arch in start]
    for _ in range(cycles):
        living = history[-len(start) :]
        parent, _ = max(rng.sample(living, sample), key=lambda entry: entry[1])
        for _ in range(900):
            child = mutate(parent)
            if allowed(child):
                break
        else:
            raise RuntimeError("1000 children in a row were not allowed")
        history.append((child, score(child)))
    return (max(history, key=lambda entry: entry[1]), history)


# %% wrong="evolve" says="went on too long"
def evolve(start: list, mutate, score, allowed, cycles: int, sample: int, rng: random.Random) -> tuple:
    if not 1 <= sample <= len(start):
        raise ValueError(f"a sample of {sample} from {len(start)}")
    if not all((allowed(arch) for arch in start)):
        raise ValueError("the start breaks the budget")
    history = [(arch, score(arch)) for arch in start]
    for _ in range(cycles):
        living = history[-len(start) :]
        parent, _ = max(rng.sample(living, sample), key=lambda entry: entry[1])
        for _ in range(1100):
            child = mutate(parent)
            if allowed(child):
                break
        else:
            raise RuntimeError("1000 children in a row were not allowed")
        history.append((child, score(child)))
    return (max(history, key=lambda entry: entry[1]), history)


# %% wrong="evolve" unnamed=True says="gave up too early"
def evolve(start: list, mutate, score, allowed, cycles: int, sample: int, rng: random.Random) -> tuple:
    if not 1 <= sample <= len(start):
        raise ValueError(f"a sample of {sample} from {len(start)}")
    if not all((allowed(arch) for arch in start)):
        raise ValueError("the start breaks the budget")
    history = [(arch, score(arch)) for arch in start]
    tries = 0
    for _ in range(cycles):
        living = history[-len(start) :]
        parent, _ = max(rng.sample(living, sample), key=lambda entry: entry[1])
        while tries < 1000:
            tries += 1
            child = mutate(parent)
            if allowed(child):
                break
        else:
            raise RuntimeError("1000 children in a row were not allowed")
        history.append((child, score(child)))
    return (max(history, key=lambda entry: entry[1]), history)


# %% wrong="evolve" says="was replaced by"
def evolve(start: list, mutate, score, allowed, cycles: int, sample: int, rng: random.Random) -> tuple:
    if not 1 <= sample <= len(start):
        raise ValueError(f"a sample of {sample} from {len(start)}")
    if not all((allowed(arch) for arch in start)):
        raise ValueError("the start breaks the budget")
    history = [(arch, score(arch)) for arch in start]
    for _ in range(cycles):
        living = history[-len(start) :]
        for _ in range(1000):
            parent, _ = max(rng.sample(living, sample), key=lambda entry: entry[1])
            child = mutate(parent)
            if allowed(child):
                break
        else:
            raise RuntimeError("1000 children in a row were not allowed")
        history.append((child, score(child)))
    return (max(history, key=lambda entry: entry[1]), history)


# %% wrong="evolve" says="start was changed"
def evolve(start: list, mutate, score, allowed, cycles: int, sample: int, rng: random.Random) -> tuple:
    if not 1 <= sample <= len(start):
        raise ValueError(f"a sample of {sample} from {len(start)}")
    if not all((allowed(arch) for arch in start)):
        raise ValueError("the start breaks the budget")
    history = [(arch, score(arch)) for arch in start]
    number = len(start)
    for _ in range(cycles):
        living = history[-number:]
        parent, _ = max(rng.sample(living, sample), key=lambda entry: entry[1])
        for _ in range(1000):
            child = mutate(parent)
            if allowed(child):
                break
        else:
            raise RuntimeError("1000 children in a row were not allowed")
        history.append((child, score(child)))
        start.append(child)
        start.pop(0)
    return (max(history, key=lambda entry: entry[1]), history)


# %% wrong="evolve" says="became a parent"
def evolve(start: list, mutate, score, allowed, cycles: int, sample: int, rng: random.Random) -> tuple:
    if not 1 <= sample <= len(start):
        raise ValueError(f"a sample of {sample} from {len(start)}")
    if not all((allowed(arch) for arch in start)):
        raise ValueError("the start breaks the budget")
    history = [(arch, score(arch)) for arch in start]
    for _ in range(cycles):
        living = history[-len(start) :]
        parent, _ = max(rng.sample(living, sample), key=lambda entry: entry[1])
        child = parent
        for _ in range(1000):
            child = mutate(child)
            if allowed(child):
                break
        else:
            raise RuntimeError("1000 children in a row were not allowed")
        history.append((child, score(child)))
    return (max(history, key=lambda entry: entry[1]), history)


# %% wrong="evolve" unnamed=True says="compared by something else" also="random parent"
def evolve(start: list, mutate, score, allowed, cycles: int, sample: int, rng: random.Random) -> tuple:
    if not 1 <= sample <= len(start):
        raise ValueError(f"a sample of {sample} from {len(start)}")
    if not all((allowed(arch) for arch in start)):
        raise ValueError("the start breaks the budget")
    history = [(arch, score(arch)) for arch in start]
    for _ in range(cycles):
        living = history[-len(start) :]
        parent, _ = max(rng.sample(living, sample))
        for _ in range(1000):
            child = mutate(parent)
            if allowed(child):
                break
        else:
            raise RuntimeError("1000 children in a row were not allowed")
        history.append((child, score(child)))
    return (max(history, key=lambda entry: entry[1]), history)


# %% wrong="evolve" unnamed=True says="takes an architecture, not an entry"
def evolve(start: list, mutate, score, allowed, cycles: int, sample: int, rng: random.Random) -> tuple:
    if not 1 <= sample <= len(start):
        raise ValueError(f"a sample of {sample} from {len(start)}")
    if not all((allowed(arch) for arch in start)):
        raise ValueError("the start breaks the budget")
    history = [(arch, score(arch)) for arch in start]
    for _ in range(cycles):
        living = history[-len(start) :]
        parent = max(rng.sample(living, sample), key=lambda entry: entry[1])
        for _ in range(1000):
            child = mutate(parent)
            if allowed(child):
                break
        else:
            raise RuntimeError("1000 children in a row were not allowed")
        history.append((child, score(child)))
    return (max(history, key=lambda entry: entry[1]), history)


# %% right="evolve"
def evolve(start, mutate, score, allowed, cycles, sample, rng):
    from collections import deque

    if len(start) == 0 or sample < 1 or sample > len(start):
        raise ValueError("sample")
    for arch in start:
        if not allowed(arch):
            raise ValueError(f"{arch} is not allowed")
    population, history = deque(), []
    for arch in start:
        population.append((arch, score(arch)))
        history.append(population[-1])
    while len(history) < len(start) + cycles:
        drawn = rng.sample(list(population), sample)
        parent = drawn[0]
        for entry in drawn:
            if entry[1] > parent[1]:
                parent = entry
        child, tries = mutate(parent[0]), 1
        while not allowed(child):
            if tries == 1000:
                raise RuntimeError("gave up")
            child, tries = mutate(parent[0]), tries + 1
        population.append((child, score(child)))
        population.popleft()
        history.append(population[-1])
    best = history[0]
    for entry in history:
        best = entry if entry[1] > best[1] else best
    return best, history


# %% right="evolve"
def evolve(start, mutate, score, allowed, cycles, sample, rng):
    n = len(start)
    if sample not in range(1, n + 1) or any(not allowed(a) for a in start):
        raise ValueError("start or sample")
    archs, scores = list(start), [score(a) for a in start]

    def child_of(parent):
        for attempt in range(1000):
            child = mutate(parent)
            if allowed(child):
                return child
        raise RuntimeError("no child in 1000")

    for _ in range(cycles):
        alive = range(len(archs) - n, len(archs))
        numbers = list(alive)
        rng.shuffle(numbers)
        parent = max(numbers[:sample], key=scores.__getitem__)
        child = child_of(archs[parent])
        archs.append(child)
        scores.append(score(child))
    top = scores.index(max(scores))
    return (archs[top], scores[top]), list(zip(archs, scores))


# %% right="evolve"
def evolve(start, mutate, score, allowed, cycles, sample, rng):
    import heapq

    if not start or not (1 <= sample <= len(start)):
        raise ValueError("bad start")
    if sum(bool(allowed(a)) for a in start) < len(start):
        raise ValueError("budget")
    history = []
    for a in start:
        history += [[a, score(a)]]
    for t in range(cycles):
        living = history[t : t + len(start)]
        picked = [living[i] for i in rng.sample(range(len(living)), sample)]
        parent = heapq.nlargest(1, picked, key=lambda e: e[1])[0][0]
        left = 1000
        while left > 0:
            child = mutate(parent)
            if allowed(child):
                break
            left -= 1
        if left == 0:
            raise RuntimeError("1000")
        history += [[child, score(child)]]
    return sorted(history, key=lambda e: e[1])[-1], history
