# %% wrong="soften" says="multiplied by T"
def soften(logits, temperature):
    if not temperature > 0:
        raise ValueError(temperature)
    return torch.softmax(logits * temperature, dim=-1)


# %% wrong="soften" says="overflow"
def soften(logits, temperature):
    if not temperature > 0:
        raise ValueError(temperature)
    powers = torch.exp(logits / temperature)
    return powers / powers.sum(-1, keepdim=True)


# %% wrong="soften" says="wrong axis"
def soften(logits, temperature):
    if not temperature > 0:
        raise ValueError(temperature)
    return F.softmax(logits / temperature, dim=0)


# %% wrong="soften" unnamed=True says="temperature was not used"
def soften(logits, temperature):
    if not temperature > 0:
        raise ValueError(temperature)
    return torch.softmax(logits, dim=-1)


# %% wrong="soften" unnamed=True says="expected ValueError"
def soften(logits, temperature):
    if temperature <= 0:  # nan is not
        raise ValueError(temperature)
    return torch.softmax(logits / temperature, dim=-1)


# %% wrong="soften" unnamed=True says="no gradient reaches"
def soften(logits, temperature):
    if not temperature > 0:
        raise ValueError(temperature)
    z = logits.detach().numpy() / temperature
    powers = np.exp(z - z.max(-1, keepdims=True))
    return torch.from_numpy((powers / powers.sum(-1, keepdims=True)).astype(np.float32))


# %% wrong="soften" unnamed=True says="changed its input"
def soften(logits, temperature):
    if not temperature > 0:
        raise ValueError(temperature)
    if logits.requires_grad:
        return torch.softmax(logits / temperature, dim=-1)
    logits /= temperature
    return torch.softmax(logits, dim=-1)


# %% wrong="soften" unnamed=True says="from scratch"
def soften(logits, temperature):
    from torchdistill.losses.util import soften as library

    return library(logits, temperature)


# %% right="soften"
def soften(logits, temperature):
    if not temperature > 0:
        raise ValueError(f"bad temperature {temperature}")
    z = logits / temperature
    powers = (z - z.amax(-1, keepdim=True)).exp()
    return powers / powers.sum(-1, keepdim=True)


# %% right="soften"
def soften(logits, temperature):
    if math.isnan(temperature) or temperature <= 0:
        raise ValueError("temperature must be positive")
    return F.log_softmax(logits.div(temperature), -1).exp()


# %% right="soften"
def soften(logits, temperature):
    if temperature > 0:
        z = logits.double() / temperature
        return torch.exp(z - torch.logsumexp(z, dim=-1, keepdim=True)).float()
    raise ValueError


# %% right="soften"
def soften(logits, temperature):
    if not temperature > 0:
        raise ValueError("T")
    return nn.Softmax(dim=-1)(logits * (1 / temperature))


# %% wrong="distillation_loss" says="T² is missing"
def distillation_loss(student, teacher, labels, temperature=4.0, alpha=0.5):
    log_q = F.log_softmax(student / temperature, dim=1)
    p = torch.softmax(teacher.detach() / temperature, dim=1)
    return -alpha * (p * log_q).sum(1).mean() + (1 - alpha) * F.cross_entropy(student, labels)


# %% wrong="distillation_loss" says="T² is missing"
def distillation_loss(student, teacher, labels, temperature=4.0, alpha=0.5):
    log_q = F.log_softmax(student / temperature, dim=1)
    p = torch.softmax(teacher.detach() / temperature, dim=1)
    return -alpha * temperature * (p * log_q).sum(1).mean() + (1 - alpha) * F.cross_entropy(student, labels)


# %% wrong="distillation_loss" says="KL is reversed"
def distillation_loss(student, teacher, labels, temperature=4.0, alpha=0.5):
    log_q = F.log_softmax(student / temperature, dim=1)
    log_p = F.log_softmax(teacher.detach() / temperature, dim=1)
    kl = (log_q.exp() * (log_q - log_p)).sum(1).mean()
    return alpha * temperature**2 * kl + (1 - alpha) * F.cross_entropy(student, labels)


# %% wrong="distillation_loss" says="mean was taken over the classes"
def distillation_loss(student, teacher, labels, temperature=4.0, alpha=0.5):
    log_q = F.log_softmax(student / temperature, dim=1)
    log_p = F.log_softmax(teacher.detach() / temperature, dim=1)
    kl = (log_p.exp() * (log_p - log_q)).mean()
    return alpha * temperature**2 * kl + (1 - alpha) * F.cross_entropy(student, labels)


# %% wrong="distillation_loss" says="log is missing"
def distillation_loss(student, teacher, labels, temperature=4.0, alpha=0.5):
    q = F.softmax(student / temperature, dim=1)  # probabilities taken for log-probabilities
    p = F.softmax(teacher.detach() / temperature, dim=1)
    kl = (p * (p.log() - q)).sum(1).mean()
    return alpha * temperature**2 * kl + (1 - alpha) * F.cross_entropy(student, labels)


# %% wrong="distillation_loss" says="alpha is swapped"
def distillation_loss(student, teacher, labels, temperature=4.0, alpha=0.5):
    log_q = F.log_softmax(student / temperature, dim=1)
    log_p = F.log_softmax(teacher.detach() / temperature, dim=1)
    kl = (log_p.exp() * (log_p - log_q)).sum(1).mean()
    return (1 - alpha) * temperature**2 * kl + alpha * F.cross_entropy(student, labels)


# %% wrong="distillation_loss" says="flows into the teacher"
def distillation_loss(student, teacher, labels, temperature=4.0, alpha=0.5):
    log_q = F.log_softmax(student / temperature, dim=1)
    log_p = F.log_softmax(teacher / temperature, dim=1)
    kl = (log_p.exp() * (log_p - log_q)).sum(1).mean()
    return alpha * temperature**2 * kl + (1 - alpha) * F.cross_entropy(student, labels)


# %% wrong="distillation_loss" unnamed=True says="softened as well"
def distillation_loss(student, teacher, labels, temperature=4.0, alpha=0.5):
    log_q = F.log_softmax(student / temperature, dim=1)
    log_p = F.log_softmax(teacher.detach() / temperature, dim=1)
    kl = (log_p.exp() * (log_p - log_q)).sum(1).mean()
    return alpha * temperature**2 * kl + (1 - alpha) * F.nll_loss(log_q, labels)


# %% wrong="distillation_loss" unnamed=True says="summed over the batch"
def distillation_loss(student, teacher, labels, temperature=4.0, alpha=0.5):
    log_q = F.log_softmax(student / temperature, dim=1)
    p = torch.softmax(teacher.detach() / temperature, dim=1)
    return -alpha * temperature**2 * (p * log_q).sum() + (1 - alpha) * F.cross_entropy(student, labels)


# %% wrong="distillation_loss" unnamed=True says="nan"
def distillation_loss(student, teacher, labels, temperature=4.0, alpha=0.5):
    q = torch.softmax(student / temperature, dim=1)
    p = torch.softmax(teacher.detach() / temperature, dim=1)
    kl = (p * torch.log(p / q)).sum(1).mean()
    return alpha * temperature**2 * kl + (1 - alpha) * F.cross_entropy(student, labels)


# %% wrong="distillation_loss" unnamed=True says="without (log-)softmax"
def distillation_loss(student, teacher, labels, temperature=4.0, alpha=0.5):
    p = torch.softmax(teacher.detach() / temperature, dim=1)
    soft = -(p * student / temperature).sum(1).mean()
    return alpha * temperature**2 * soft + (1 - alpha) * F.cross_entropy(student, labels)


# %% wrong="distillation_loss" unnamed=True says="one number"
def distillation_loss(student, teacher, labels, temperature=4.0, alpha=0.5):
    log_q = F.log_softmax(student / temperature, dim=1)
    p = torch.softmax(teacher.detach() / temperature, dim=1)
    soft = -(p * log_q).sum(1)
    return alpha * temperature**2 * soft + (1 - alpha) * F.cross_entropy(student, labels, reduction="none")


# %% wrong="distillation_loss" unnamed=True says="from scratch"
def distillation_loss(student, teacher, labels, temperature=4.0, alpha=0.5):
    log_q = F.log_softmax(student / temperature, dim=1)
    p = torch.softmax(teacher.detach() / temperature, dim=1)
    kl = F.kl_div(log_q, p, reduction="batchmean")
    return alpha * temperature**2 * kl + (1 - alpha) * F.cross_entropy(student, labels)


# %% wrong="distillation_loss" unnamed=True says="from scratch"
def distillation_loss(student, teacher, labels, temperature=4.0, alpha=0.5):
    kl = nn.KLDivLoss(reduction="batchmean", log_target=True)
    soft = kl(F.log_softmax(student / temperature, 1), F.log_softmax(teacher.detach() / temperature, 1))
    return alpha * temperature**2 * soft + (1 - alpha) * F.cross_entropy(student, labels)


# %% right="distillation_loss"
def distillation_loss(student, teacher, labels, temperature=4.0, alpha=0.5):
    p = soften(teacher.detach(), temperature)
    soft = -(p * F.log_softmax(student / temperature, dim=-1)).sum(-1).mean()
    return alpha * temperature * temperature * soft + (1 - alpha) * F.cross_entropy(student, labels)


# %% right="distillation_loss"
def distillation_loss(student, teacher, labels, temperature=4.0, alpha=0.5):
    with torch.no_grad():
        targets = F.softmax(teacher / temperature, dim=1)
    soft = F.cross_entropy(student / temperature, targets)  # torch's takes probabilities, too
    return alpha * temperature**2 * soft + (1 - alpha) * F.cross_entropy(student, labels)


# %% right="distillation_loss"
def distillation_loss(student, teacher, labels, temperature=4.0, alpha=0.5):
    total = 0.0
    for z, v, y in zip(student, teacher.detach(), labels):
        log_q = z / temperature - torch.logsumexp(z / temperature, 0)
        log_p = v / temperature - torch.logsumexp(v / temperature, 0)
        kl = sum(log_p[i].exp() * (log_p[i] - log_q[i]) for i in range(len(z)))
        total = total + alpha * temperature**2 * kl + (1 - alpha) * (torch.logsumexp(z, 0) - z[y])
    return total / len(student)


# %% right="distillation_loss"
def distillation_loss(student, teacher, labels, temperature=4.0, alpha=0.5):
    s, t = student.double(), torch.tensor(teacher.detach().numpy()).double()
    one_hot = F.one_hot(labels, s.shape[1])
    hard = -(one_hot * s.log_softmax(1)).sum(1)
    log_p = (t / temperature).log_softmax(1)
    soft = (log_p.exp() * (log_p - (s / temperature).log_softmax(1))).sum(1)
    return (alpha * temperature**2 * soft + (1 - alpha) * hard).mean()


# %% wrong="distill" says="teacher is in train mode"
def distill(student, teacher, batches, optimizer, temperature, alpha):
    modes = [(m, m.training) for m in (*student.modules(), *teacher.modules())]
    student.train()
    teacher.train()
    losses = []
    try:
        for x, y in batches:
            with torch.no_grad():
                said = teacher(x)
            loss = distillation_loss(student(x), said, y, temperature, alpha)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    finally:
        for m, mode in modes:
            m.training = mode
    return losses


# %% wrong="distill" says="student is in eval mode"
def distill(student, teacher, batches, optimizer, temperature, alpha):
    modes = [(m, m.training) for m in (*student.modules(), *teacher.modules())]
    student.eval()
    teacher.eval()
    losses = []
    try:
        for x, y in batches:
            with torch.no_grad():
                said = teacher(x)
            loss = distillation_loss(student(x), said, y, temperature, alpha)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    finally:
        for m, mode in modes:
            m.training = mode
    return losses


# %% wrong="distill" says="gradients of earlier batches were kept"
def distill(student, teacher, batches, optimizer, temperature, alpha):
    modes = [(m, m.training) for m in (*student.modules(), *teacher.modules())]
    student.train()
    teacher.eval()
    losses = []
    try:
        for x, y in batches:
            with torch.no_grad():
                said = teacher(x)
            loss = distillation_loss(student(x), said, y, temperature, alpha)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    finally:
        for m, mode in modes:
            m.training = mode
    return losses


# %% wrong="distill" unnamed=True says="modes were not restored"
def distill(student, teacher, batches, optimizer, temperature, alpha):
    student.train()
    teacher.eval()
    losses = []
    for x, y in batches:
        with torch.no_grad():
            said = teacher(x)
        loss = distillation_loss(student(x), said, y, temperature, alpha)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# %% wrong="distill" unnamed=True says="modes were not restored"
def distill(student, teacher, batches, optimizer, temperature, alpha):
    was = student.training, teacher.training  # of the roots only
    student.train()
    teacher.eval()
    losses = []
    for x, y in batches:
        with torch.no_grad():
            said = teacher(x)
        loss = distillation_loss(student(x), said, y, temperature, alpha)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    student.train(was[0])
    teacher.train(was[1])
    return losses


# %% wrong="distill" unnamed=True says="try and finally"
def distill(student, teacher, batches, optimizer, temperature, alpha):
    modes = [(m, m.training) for m in (*student.modules(), *teacher.modules())]
    student.train()
    teacher.eval()
    losses = []
    for x, y in batches:
        with torch.no_grad():
            said = teacher(x)
        loss = distillation_loss(student(x), said, y, temperature, alpha)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    for m, mode in modes:
        m.training = mode
    return losses


# %% wrong="distill" unnamed=True says="losses before each step"
def distill(student, teacher, batches, optimizer, temperature, alpha):
    modes = [(m, m.training) for m in (*student.modules(), *teacher.modules())]
    student.train()
    teacher.eval()
    losses = []
    try:
        for x, y in batches:
            with torch.no_grad():
                said = teacher(x)
            loss = distillation_loss(student(x), said, y, temperature, alpha)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item() / len(batches))
    finally:
        for m, mode in modes:
            m.training = mode
    return losses


# %% wrong="distill" unnamed=True says="Python floats"
def distill(student, teacher, batches, optimizer, temperature, alpha):
    modes = [(m, m.training) for m in (*student.modules(), *teacher.modules())]
    student.train()
    teacher.eval()
    losses = []
    try:
        for x, y in batches:
            with torch.no_grad():
                said = teacher(x)
            loss = distillation_loss(student(x), said, y, temperature, alpha)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
    finally:
        for m, mode in modes:
            m.training = mode
    return losses


# %% wrong="distill" unnamed=True says="from scratch"
def distill(student, teacher, batches, optimizer, temperature, alpha):
    from torchdistill.core.distillation import DistillationBox

    return DistillationBox(teacher, student, batches).train(optimizer, temperature, alpha)


# %% right="distill"
def distill(student, teacher, batches, optimizer, temperature, alpha):
    before = {m: m.training for net in (student, teacher) for m in net.modules()}
    try:
        teacher.eval()
        student.train()
        losses = []
        for x, y in batches:
            optimizer.zero_grad(set_to_none=False)
            loss = distillation_loss(student(x), teacher(x).detach(), y, temperature=temperature, alpha=alpha)
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
        return losses
    finally:
        for m, mode in before.items():
            m.train(mode) if not list(m.children()) else setattr(m, "training", mode)


# %% right="distill"
def distill(student, teacher, batches, optimizer, temperature, alpha):
    import contextlib

    @contextlib.contextmanager
    def mode(net, training):
        old = [m.training for m in net.modules()]
        net.train(training)
        try:
            yield
        finally:
            for m, was in zip(net.modules(), old):
                m.training = was

    def step(x, y):
        with torch.inference_mode():
            said = teacher(x)
        loss = distillation_loss(student(x), said.clone(), y, temperature, alpha)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    with mode(student, True), mode(teacher, False):
        return [step(x, y) for x, y in batches]


# %% right="distill"
def distill(student, teacher, batches, optimizer, temperature, alpha):
    modes = [(m, m.training) for m in [*student.modules(), *teacher.modules()]]
    losses = []
    try:
        student.train(), teacher.eval()
        for x, y in batches:
            with torch.no_grad():
                p = torch.softmax(teacher(x) / temperature, 1)
            z = student(x)
            soft = F.kl_div(F.log_softmax(z / temperature, 1), p, reduction="batchmean")  # forbidden in exercise 2 only
            loss = alpha * temperature**2 * soft + (1 - alpha) * F.cross_entropy(z, y)
            student.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    finally:
        for m, mode in modes:
            m.training = mode
    return losses


# %% wrong="attention_map" says="not normalised"
def attention_map(features):
    return features.square().sum(1).flatten(1)


# %% wrong="attention_map" says="not normalised"
def attention_map(features):
    return features.pow(2).mean(1).view(features.size(0), -1)


# %% wrong="attention_map" says="over the batch"
def attention_map(features):
    return F.normalize(features.square().sum(1).flatten(1), dim=0)


# %% wrong="attention_map" says="nan"
def attention_map(features):
    rows = features.square().sum(1).flatten(1)
    return rows / rows.square().sum(1, keepdim=True).sqrt()


# %% wrong="attention_map" unnamed=True says="nan"
def attention_map(features):
    rows = features.square().sum(1).flatten(1)
    return rows / (rows.square().sum(1, keepdim=True).sqrt() + 1e-9)  # the values are right, the gradient is not


# %% wrong="attention_map" unnamed=True says="before the sum"
def attention_map(features):
    return F.normalize(features.sum(1).square().flatten(1), dim=1)


# %% wrong="attention_map" says="sums of absolute values"
def attention_map(features):
    return F.normalize(features.abs().sum(1).flatten(1), dim=1)


# %% wrong="attention_map" unnamed=True says="divided by its sum"
def attention_map(features):
    rows = features.square().sum(1).flatten(1)
    return rows / rows.sum(1, keepdim=True).clamp(min=1e-12)


# %% wrong="attention_map" unnamed=True says="One row a sample"
def attention_map(features):
    maps = features.square().sum(1)
    return maps / maps.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, 1, 1)


# %% wrong="attention_map" unnamed=True says="from scratch"
def attention_map(features):
    import torchdistill.losses.mid_level as mid_level

    return mid_level.AltATLoss.attention_transfer_paper(features)


# %% right="attention_map"
def attention_map(features):
    rows = torch.einsum("nchw,nchw->nhw", features, features).reshape(len(features), -1)
    return rows / torch.linalg.vector_norm(rows, dim=1, keepdim=True).clamp_min(1e-20)


# %% right="attention_map"
def attention_map(features):
    out = []
    for f in features:
        row = sum(channel * channel for channel in f).reshape(-1)
        out.append(row / row.norm() if row.any() else row * 0)
    return torch.stack(out)


# %% right="attention_map"
def attention_map(features):
    rows = features.abs().pow(2).sum(dim=1).view(features.shape[0], -1)
    squares = (rows * rows).sum(1, keepdim=True)
    return rows * torch.rsqrt(torch.where(squares > 0, squares, torch.ones_like(squares)))


# %% right="attention_map"
def attention_map(features):
    rows = features.double().square().sum(1).flatten(1)
    return F.normalize(rows, p=2.0, dim=-1).float()


# %% wrong="hint_loss" says="flows into the teacher"
def hint_loss(student_features, teacher_features, regressor):
    return F.mse_loss(F.adaptive_avg_pool2d(regressor(student_features), teacher_features.shape[2:]), teacher_features)


# %% wrong="hint_loss" says="regressor was skipped"
def hint_loss(student_features, teacher_features, regressor):
    if student_features.shape[1] == teacher_features.shape[1]:
        guess = student_features
    else:
        guess = regressor(student_features)
    return F.mse_loss(F.adaptive_avg_pool2d(guess, teacher_features.shape[2:]), teacher_features.detach())


# %% wrong="hint_loss" says="This is a sum"
def hint_loss(student_features, teacher_features, regressor):
    guess = F.adaptive_avg_pool2d(regressor(student_features), teacher_features.shape[2:])
    return (guess - teacher_features.detach()).square().sum()


# %% wrong="hint_loss" unnamed=True says="before the regressor"
def hint_loss(student_features, teacher_features, regressor):
    guess = regressor(F.adaptive_avg_pool2d(student_features, teacher_features.shape[2:]))
    return F.mse_loss(guess, teacher_features.detach())


# %% wrong="hint_loss" says="Only the nearest places count"
def hint_loss(student_features, teacher_features, regressor):
    guess = F.interpolate(regressor(student_features), teacher_features.shape[2:])
    return F.mse_loss(guess, teacher_features.detach())


# %% wrong="hint_loss" unnamed=True says="Only the nearest places count"
def hint_loss(student_features, teacher_features, regressor):
    guess = F.interpolate(regressor(student_features), size=teacher_features.shape[2:], mode="bilinear")
    return F.mse_loss(guess, teacher_features.detach())


# %% wrong="hint_loss" says="teacher's features were pooled"
def hint_loss(student_features, teacher_features, regressor):
    guess = regressor(student_features)
    return F.mse_loss(guess, F.adaptive_avg_pool2d(teacher_features.detach(), guess.shape[-2:]))


# %% wrong="hint_loss" unnamed=True says="No gradient reaches the student"
def hint_loss(student_features, teacher_features, regressor):
    with torch.no_grad():
        guess = F.adaptive_avg_pool2d(regressor(student_features), teacher_features.shape[2:])
    return F.mse_loss(guess, teacher_features.detach())


# %% wrong="hint_loss" unnamed=True says="expected"
def hint_loss(student_features, teacher_features, regressor):
    guess = F.adaptive_avg_pool2d(regressor(student_features), teacher_features.shape[2:])
    return F.l1_loss(guess, teacher_features.detach())


# %% wrong="hint_loss" unnamed=True says="from scratch"
def hint_loss(student_features, teacher_features, regressor):
    from torchdistill.losses import mid_level

    return mid_level.SimpleLossWrapper(nn.MSELoss(), regressor)(student_features, teacher_features)


# %% right="hint_loss"
def hint_loss(student_features, teacher_features, regressor):
    guess, target = regressor(student_features), teacher_features.detach()
    if guess.shape[2:] != target.shape[2:]:
        guess = nn.AdaptiveAvgPool2d(target.shape[2:])(guess)
    return ((guess - target) ** 2).mean()


# %% right="hint_loss"
def hint_loss(student_features, teacher_features, regressor):
    with torch.no_grad():
        target = teacher_features.clone()
    h, w = target.shape[-2:]
    guess = F.adaptive_avg_pool2d(regressor(student_features), (h, w))
    return (guess - target).square().sum() / guess.numel()


# %% right="hint_loss"
def hint_loss(student_features, teacher_features, regressor):
    guess = F.adaptive_avg_pool2d(regressor(student_features), teacher_features.shape[-2:])
    return nn.MSELoss()(guess.flatten(), teacher_features.data.flatten())


# %% right="hint_loss"
def hint_loss(student_features, teacher_features, regressor):
    guess = F.adaptive_avg_pool2d(regressor(student_features), teacher_features.shape[-2:])
    target = torch.from_numpy(teacher_features.detach().numpy().copy())
    return torch.stack([F.mse_loss(g, t) for g, t in zip(guess, target)]).mean()


# %% wrong="similarity_loss" says="features were normalised"
def similarity_loss(student_features, teacher_features):
    def matrix(f):
        f = F.normalize(f.flatten(1), dim=1)
        return f @ f.T

    return (matrix(student_features) - matrix(teacher_features.detach())).square().sum() / len(student_features) ** 2


# %% wrong="similarity_loss" says="Divided by N"
def similarity_loss(student_features, teacher_features):
    def matrix(f):
        f = f.flatten(1)
        return F.normalize(f @ f.T, dim=1)

    return (matrix(student_features) - matrix(teacher_features.detach())).square().sum() / len(student_features)


# %% wrong="similarity_loss" unnamed=True says="rows of the matrices were not normalised"
def similarity_loss(student_features, teacher_features):
    s, t = student_features.flatten(1), teacher_features.detach().flatten(1)
    return (s @ s.T - t @ t.T).square().mean()


# %% wrong="similarity_loss" unnamed=True says="flows into the teacher"
def similarity_loss(student_features, teacher_features):
    s, t = student_features.flatten(1), teacher_features.flatten(1)
    return (F.normalize(s @ s.T, dim=1) - F.normalize(t @ t.T, dim=1)).square().mean()


# %% wrong="similarity_loss" unnamed=True says="Flatten the features"
def similarity_loss(student_features, teacher_features):
    s, t = student_features, teacher_features.detach()
    return (F.normalize(torch.mm(s, s.T), dim=1) - F.normalize(torch.mm(t, t.T), dim=1)).square().mean()


# %% wrong="similarity_loss" unnamed=True says="expected"
def similarity_loss(student_features, teacher_features):
    s, t = student_features.flatten(1), teacher_features.detach().flatten(1)
    return (F.normalize(s @ s.T, dim=1) - F.normalize(t @ t.T, dim=1)).norm() / len(s) ** 2


# %% wrong="similarity_loss" unnamed=True says="from scratch"
def similarity_loss(student_features, teacher_features):
    from torchdistill.losses.mid_level import SPKDLoss

    return SPKDLoss("s", "output", "t", "output")(student_features, teacher_features)


# %% right="similarity_loss"
def similarity_loss(student_features, teacher_features):
    s, t = student_features.flatten(1), teacher_features.detach().flatten(1)
    return F.mse_loss(F.normalize(s @ s.T, dim=1), F.normalize(t @ t.T, dim=1))


# %% right="similarity_loss"
def similarity_loss(student_features, teacher_features):
    n = len(student_features)

    def matrix(f):
        g = torch.einsum("id,jd->ij", f.reshape(n, -1), f.reshape(n, -1))
        return g / g.pow(2).sum(1, keepdim=True).sqrt()

    with torch.no_grad():
        target = matrix(teacher_features)
    return torch.linalg.matrix_norm(matrix(student_features) - target) ** 2 / n**2


# %% right="similarity_loss"
def similarity_loss(student_features, teacher_features):
    total, n = 0.0, len(student_features)
    s, t = student_features.reshape(n, -1), teacher_features.detach().reshape(n, -1)
    for i in range(n):
        a, b = s @ s[i], t @ t[i]
        total = total + ((a / a.norm() - b / b.norm()) ** 2).sum()
    return total / (n * n)


# %% right="similarity_loss"
def similarity_loss(student_features, teacher_features):
    g = [f.flatten(1).double() for f in (student_features, teacher_features.detach())]
    g = [f.matmul(f.t()) for f in g]
    g = [m / m.norm(dim=-1, keepdim=True) for m in g]
    return g[0].sub(g[1]).pow(2).mean().float()


# %% wrong="ensemble_logits" says="mean of the logits"
def ensemble_logits(logits, temperature):
    if not logits:
        raise ValueError("empty")
    return torch.stack(logits).mean(0)


# %% wrong="ensemble_logits" says="T was forgotten"
def ensemble_logits(logits, temperature):
    if not logits:
        raise ValueError("empty")
    return torch.stack([torch.softmax(l / temperature, -1) for l in logits]).mean(0).log()


# %% wrong="ensemble_logits" says="T was forgotten"
def ensemble_logits(logits, temperature):
    if not logits:
        raise ValueError("empty")
    return temperature * torch.stack([torch.softmax(l, -1) for l in logits]).mean(0).log()


# %% wrong="ensemble_logits" says="T was forgotten"
def ensemble_logits(logits, temperature):
    if not logits:
        raise ValueError("empty")
    return torch.stack([torch.softmax(l, -1) for l in logits]).mean(0).log()


# %% wrong="ensemble_logits" unnamed=True says="sum over the members"
def ensemble_logits(logits, temperature):
    if not logits:
        raise ValueError("empty")
    return temperature * torch.logsumexp(torch.stack([F.log_softmax(l / temperature, -1) for l in logits]), 0)


# %% wrong="ensemble_logits" unnamed=True says="expected"
def ensemble_logits(logits, temperature):
    if not logits:
        raise ValueError("empty")
    return torch.stack([torch.softmax(l / temperature, -1) for l in logits]).mean(0)


# %% wrong="ensemble_logits" unnamed=True says="expected ValueError"
def ensemble_logits(logits, temperature):
    return temperature * torch.stack([torch.softmax(l / temperature, -1) for l in logits]).mean(0).log()


# %% wrong="ensemble_logits" unnamed=True says="changed its input"
def ensemble_logits(logits, temperature):
    if not logits:
        raise ValueError("empty")
    for l in logits:
        l /= temperature
    return temperature * torch.stack([l.softmax(-1) for l in logits]).mean(0).log()


# %% wrong="ensemble_logits" unnamed=True says="from scratch"
def ensemble_logits(logits, temperature):
    from torchdistill.models.wrapper import ensemble

    return ensemble(logits, temperature)


# %% right="ensemble_logits"
def ensemble_logits(logits, temperature):
    if len(logits) == 0:
        raise ValueError("no members")
    return temperature * torch.stack([soften(l, temperature) for l in logits]).mean(0).log()


# %% right="ensemble_logits"
def ensemble_logits(logits, temperature):
    if not logits:
        raise ValueError("no members")
    total = 0
    for member in logits:
        total = total + F.softmax(member / temperature, dim=-1)
    return torch.log(total / len(logits)) * temperature


# %% right="ensemble_logits"
def ensemble_logits(logits, temperature):
    k = len(logits)
    if k < 1:
        raise ValueError("no members")
    logs = torch.stack([F.log_softmax(l / temperature, dim=-1) for l in logits], dim=-1)
    return temperature * (logs - math.log(k)).logsumexp(-1)


# %% right="ensemble_logits"
def ensemble_logits(logits, temperature):
    if not logits:
        raise ValueError("no members")
    z = np.stack([l.numpy().astype(np.float64) for l in logits]) / temperature
    p = np.exp(z - z.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    return torch.tensor(temperature * np.log(p.mean(0)), dtype=torch.float32)


# %% wrong="init_from_layers" says="share tensors with the teacher"
def init_from_layers(teacher_layers, keep):
    return nn.ModuleList([teacher_layers[i] for i in keep])


# %% wrong="init_from_layers" says="share tensors with the teacher"
def init_from_layers(teacher_layers, keep):
    import copy

    return nn.ModuleList([copy.copy(teacher_layers[i]) for i in keep])


# %% wrong="init_from_layers" says="layers were sorted"
def init_from_layers(teacher_layers, keep):
    import copy

    return nn.ModuleList([copy.deepcopy(teacher_layers[i]) for i in sorted(keep)])


# %% wrong="init_from_layers" unnamed=True says="layers were sorted"
def init_from_layers(teacher_layers, keep):
    import copy

    return nn.ModuleList([copy.deepcopy(layer) for i, layer in enumerate(teacher_layers) if i in set(keep)])


# %% wrong="init_from_layers" unnamed=True says="Two of the copies share"
def init_from_layers(teacher_layers, keep):
    import copy

    return copy.deepcopy(nn.ModuleList([teacher_layers[i] for i in keep]))


# %% wrong="init_from_layers" unnamed=True says="expected"
def init_from_layers(teacher_layers, keep):
    import copy

    return [copy.deepcopy(teacher_layers[i]) for i in keep]


# %% wrong="init_from_layers" unnamed=True says="another mode"
def init_from_layers(teacher_layers, keep):
    import copy

    return nn.ModuleList([copy.deepcopy(teacher_layers[i]) for i in keep]).train()


# %% wrong="init_from_layers" unnamed=True says="from scratch"
def init_from_layers(teacher_layers, keep):
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer.keep_layers(teacher_layers, keep)


# %% right="init_from_layers"
def init_from_layers(teacher_layers, keep):
    import copy

    made = nn.ModuleList()
    for i in keep:
        made.append(copy.deepcopy(teacher_layers[i]))
    return made


# %% right="init_from_layers"
def init_from_layers(teacher_layers, keep):
    from copy import deepcopy

    everything = [deepcopy(teacher_layers) for _ in keep]
    return nn.ModuleList([layers[i] for layers, i in zip(everything, keep)])


# %% right="init_from_layers"
def init_from_layers(teacher_layers, keep):
    import io

    def again(layer):
        buffer = io.BytesIO()
        torch.save(layer, buffer)
        buffer.seek(0)
        return torch.load(buffer, weights_only=False)

    return nn.ModuleList(again(teacher_layers[i]) for i in keep)


# %% right="init_from_layers"
def init_from_layers(teacher_layers, keep):
    import copy

    students = nn.ModuleList()
    students.extend(copy.deepcopy(layer) for layer in map(teacher_layers.__getitem__, keep))
    return students


# %% wrong="distill" says="student's logits first"
def distill(
    student: nn.Module,
    teacher: nn.Module,
    batches: list[tuple[torch.Tensor, torch.Tensor]],
    optimizer: torch.optim.Optimizer,
    temperature: float,
    alpha: float,
) -> list[float]:
    modes = [(m, m.training) for m in (*student.modules(), *teacher.modules())]
    student.train()
    teacher.eval()
    losses = []
    try:
        for x, y in batches:
            with torch.no_grad():
                said = teacher(x)
            loss = distillation_loss(said, student(x), y, temperature, alpha)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses += [loss.item()]
    finally:
        for module, mode in modes:
            module.training = mode
    return losses


# %% wrong="distill" says="not passed on"
def distill(
    student: nn.Module,
    teacher: nn.Module,
    batches: list[tuple[torch.Tensor, torch.Tensor]],
    optimizer: torch.optim.Optimizer,
    temperature: float,
    alpha: float,
) -> list[float]:
    modes = [(m, m.training) for m in (*student.modules(), *teacher.modules())]
    student.train()
    teacher.eval()
    losses = []
    try:
        for x, y in batches:
            with torch.no_grad():
                said = teacher(x)
            loss = distillation_loss(student(x), said, y, 4.0, alpha)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses += [loss.item()]
    finally:
        for module, mode in modes:
            module.training = mode
    return losses


# %% wrong="distill" says="not passed on"
def distill(
    student: nn.Module,
    teacher: nn.Module,
    batches: list[tuple[torch.Tensor, torch.Tensor]],
    optimizer: torch.optim.Optimizer,
    temperature: float,
    alpha: float,
) -> list[float]:
    modes = [(m, m.training) for m in (*student.modules(), *teacher.modules())]
    student.train()
    teacher.eval()
    losses = []
    try:
        for x, y in batches:
            with torch.no_grad():
                said = teacher(x)
            loss = distillation_loss(student(x), said, y, temperature, 0.9)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses += [loss.item()]
    finally:
        for module, mode in modes:
            module.training = mode
    return losses


# %% wrong="distill" says="not passed on"
def distill(
    student: nn.Module,
    teacher: nn.Module,
    batches: list[tuple[torch.Tensor, torch.Tensor]],
    optimizer: torch.optim.Optimizer,
    temperature: float,
    alpha: float,
) -> list[float]:
    modes = [(m, m.training) for m in (*student.modules(), *teacher.modules())]
    student.train()
    teacher.eval()
    losses = []
    try:
        for x, y in batches:
            with torch.no_grad():
                said = teacher(x)
            loss = distillation_loss(student(x), said, y, alpha, temperature)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses += [loss.item()]
    finally:
        for module, mode in modes:
            module.training = mode
    return losses


# %% right="hint_loss"
def hint_loss(student_features, teacher_features, regressor):
    guess = F.interpolate(regressor(student_features), teacher_features.shape[2:], mode="area")
    return F.mse_loss(guess, teacher_features.detach())


# %% wrong="hint_loss" says="teacher's features were pooled"
def hint_loss(student_features, teacher_features, regressor):
    guess, target = regressor(student_features), teacher_features.detach()
    size = [min(a, b) for a, b in zip(guess.shape[2:], target.shape[2:])]
    return F.mse_loss(F.adaptive_avg_pool2d(guess, size), F.adaptive_avg_pool2d(target, size))


# %% wrong="hint_loss" unnamed=True says="teacher's features were pooled"
def hint_loss(student, teacher, regressor):
    student, teacher = regressor(student), teacher.detach()
    a, b = student.shape[2], teacher.shape[2]
    if a > b:
        student = F.adaptive_avg_pool2d(student, (b, b))
    elif a < b:
        teacher = F.adaptive_avg_pool2d(teacher, (a, a))
    return ((student - teacher) ** 2).mean()


# %% wrong="similarity_loss" says="divided by its norm"
def similarity_loss(student_features: torch.Tensor, teacher_features: torch.Tensor) -> torch.Tensor:
    def likeness(f):
        f = f.flatten(1)
        g = f @ f.T
        return g / g.norm()

    return (likeness(student_features) - likeness(teacher_features.detach())).square().sum() / len(
        student_features
    ) ** 2


# %% wrong="similarity_loss" unnamed=True says="expected shape ()"
def similarity_loss(student, teacher):
    def rows(f):
        f = f.reshape(len(f), -1)
        return F.normalize(f @ f.T)

    gap = rows(student) - rows(teacher.detach())
    return (gap**2).reshape(-1, 1).sum(0) / len(student) ** 2


# %% wrong="ensemble_logits" says="mean of the log-probabilities"
def ensemble_logits(logits: list[torch.Tensor], temperature: float) -> torch.Tensor:
    if not logits:
        raise ValueError("an ensemble needs at least one member")
    logs = F.log_softmax(torch.stack(list(logits)) / temperature, dim=-1)
    return temperature * logs.mean(dim=0)
