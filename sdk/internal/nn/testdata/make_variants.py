"""Golden numbers for variants of the ViT, in plain Python floats (float64): no library, and nothing shared with the Go code.

registers: registers, layer scale, SwiGLU (Hugging Face's Dinov2WithRegisters keys), one AdaptFormer task with its loss
and, by central differences, the gradients. distilled: DeiT's distillation token (timm's keys).
"""
import json
import math
import os
import struct

DIM, HEADS, HIDDEN, DEPTH, PATCH, SIDE, BATCH, CLASSES, R = 12, 2, 10, 2, 2, 4, 2, 3, 4
HERE = os.path.dirname(os.path.abspath(__file__))


def values(name, n, scale, shift=0.0):
    """n float32 numbers from a hash of the name."""
    h = 14695981039346656037
    for c in name.encode():
        h = (h ^ c) * 1099511628211 % 2**64
    out = []
    for _ in range(n):
        h = (h * 6364136223846793005 + 1442695040888963407) % 2**64
        v = ((h >> 40) / 2**24 * 2 - 1) * scale + shift
        out.append(struct.unpack("<f", struct.pack("<f", v))[0])
    return out


def tensor(name, *shape):
    leaf, n = name.rsplit(".", 1)[-1], math.prod(shape)
    if "norm" in name:
        return values(name, n, 0.35, 1.0 if leaf == "weight" else 0.05)
    if "gamma" in name:
        return values(name, n, 0.4, 0.7)
    if leaf == "bias":
        return values(name, n, 0.25)
    if leaf == "weight":
        return values(name, n, 1.9 / math.sqrt(math.prod(shape[1:])))
    return values(name, n, 0.6)


def linear(x, w, b):
    k = len(x)
    return [sum(w[i * k + j] * x[j] for j in range(k)) + b[i] for i in range(len(b))]


def norm(x, p, name, eps=1e-6):
    mean = sum(x) / len(x)
    rstd = 1 / math.sqrt(sum((v - mean) ** 2 for v in x) / len(x) + eps)
    return [(v - mean) * rstd * g + b for v, g, b in zip(x, p[name + ".weight"], p[name + ".bias"])]


def attention(tokens, p, b):
    qkv = [linear(t, p[b + "attn.qkv.weight"], p[b + "attn.qkv.bias"]) for t in tokens]
    hd, out = DIM // HEADS, [[] for _ in tokens]
    for h in range(HEADS):
        part = [[t[s * DIM + h * hd:s * DIM + (h + 1) * hd] for t in qkv] for s in range(3)]
        for i, q in enumerate(part[0]):
            e = [math.exp(sum(a * c for a, c in zip(q, k)) / math.sqrt(hd)) for k in part[1]]
            out[i] += [sum(w * v[j] for w, v in zip(e, part[2])) / sum(e) for j in range(hd)]
    return [linear(o, p[b + "attn.proj.weight"], p[b + "attn.proj.bias"]) for o in out]


def mlp(x, p, b, swiglu):
    z = linear(x, p[b + "mlp.fc1.weight"], p[b + "mlp.fc1.bias"])
    if swiglu:
        z = [a / (1 + math.exp(-a)) * g for a, g in zip(z[:HIDDEN], z[HIDDEN:])]
    else:
        z = [0.5 * a * (1 + math.erf(a / math.sqrt(2))) for a in z]
    return linear(z, p[b + "mlp.fc2.weight"], p[b + "mlp.fc2.bias"])


def branch(x, task, b):
    h = [max(v, 0) for v in linear(x, task[b + "adaptmlp.down_proj.weight"], task[b + "adaptmlp.down_proj.bias"])]
    return [0.1 * v for v in linear(h, task[b + "adaptmlp.up_proj.weight"], task[b + "adaptmlp.up_proj.bias"])]


def embed(image, p, c):
    grid, pos, tokens = SIDE // PATCH, p["pos_embed"], []
    for y in range(grid):
        for x in range(grid):
            patch = [image[(ch * SIDE + y * PATCH + i) * SIDE + x * PATCH + j] for ch in range(3) for i in range(PATCH) for j in range(PATCH)]
            tokens.append(linear(patch, p["patch_embed.proj.weight"], p["patch_embed.proj.bias"]))
    placed = [p["cls_token"]] + ([p["dist_token"]] if c["distilled"] else []) + tokens
    placed = [[a + pos[i * DIM + j] for j, a in enumerate(t)] for i, t in enumerate(placed)]
    at = 2 if c["distilled"] else 1
    return placed[:at] + [p["register_tokens"][i * DIM:(i + 1) * DIM] for i in range(c["registers"])] + placed[at:]


def forward(image, p, c, task=None):
    t = embed(image, p, c)
    out = {"embedding": t}
    for i in range(DEPTH):
        b = f"blocks.{i}."
        one = [1.0] * DIM
        g1, g2 = (p[b + "ls1.gamma"], p[b + "ls2.gamma"]) if c["layer_scale"] else (one, one)
        a = attention([norm(x, p, b + "norm1") for x in t], p, b)
        t = [[x + g * v for x, g, v in zip(*row)] for row in ((x, g1, v) for x, v in zip(t, a))]
        new = []
        for x in t:
            y = [v + g * m for v, g, m in zip(x, g2, mlp(norm(x, p, b + "norm2"), p, b, c["swiglu"]))]
            if task:
                y = [v + w for v, w in zip(y, branch(x, task, b))]
            new.append(y)
        t = new
        out[f"block.{i}.output"] = t
    out["tokens"] = [norm(x, p, "norm") for x in t]
    out["features"] = out["tokens"][0]
    if task:
        out["logits_eval"] = linear(out["features"], task["head.weight"], task["head.bias"])
    return out


def parameters(c):
    shapes = {"patch_embed.proj.weight": (DIM, 3, PATCH, PATCH), "patch_embed.proj.bias": (DIM,), "cls_token": (1, 1, DIM),
              "pos_embed": (1, (SIDE // PATCH) ** 2 + 1 + c["distilled"], DIM), "norm.weight": (DIM,), "norm.bias": (DIM,)}
    if c["distilled"]:
        shapes["dist_token"] = (1, 1, DIM)
    if c["registers"]:
        shapes["register_tokens"] = (1, c["registers"], DIM)
    for i in range(DEPTH):
        b = f"blocks.{i}."
        for n in ("norm1", "norm2"):
            shapes[b + n + ".weight"] = shapes[b + n + ".bias"] = (DIM,)
        if c["layer_scale"]:
            shapes[b + "ls1.gamma"] = shapes[b + "ls2.gamma"] = (DIM,)
        for n, rows, cols in (("attn.qkv", 3 * DIM, DIM), ("attn.proj", DIM, DIM), ("mlp.fc1", HIDDEN * (1 + c["swiglu"]), DIM), ("mlp.fc2", DIM, HIDDEN)):
            shapes[b + n + ".weight"], shapes[b + n + ".bias"] = (rows, cols), (rows,)
    return shapes


def flat(x):
    return [v for y in x for v in flat(y)] if isinstance(x, list) else [x]


def write(path, tensors, meta=None, integers=()):
    """tensors: name -> (shape, flat values)."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    head, data = {"__metadata__": meta} if meta else {}, b""
    for n, (shape, v) in sorted(tensors.items()):
        whole = n in integers
        raw = struct.pack(f"<{len(v)}{'q' if whole else 'f'}", *v)
        head[n] = {"dtype": "I64" if whole else "F32", "shape": list(shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def hf(name):
    if name in ("cls_token", "register_tokens"):
        return ["embeddings." + name]
    if name == "pos_embed":
        return ["embeddings.position_embeddings"]
    if name.startswith("norm."):
        return ["layernorm" + name[4:]]
    name = name.replace("patch_embed.proj", "embeddings.patch_embeddings.projection").replace("blocks.", "encoder.layer.")
    for a, b in ((".attn.proj.", ".attention.output.dense."), (".ls1.gamma", ".layer_scale1.lambda1"), (".ls2.gamma", ".layer_scale2.lambda1"),
                 (".mlp.fc1.", ".mlp.weights_in."), (".mlp.fc2.", ".mlp.weights_out.")):
        name = name.replace(a, b)
    return [name.replace(".attn.qkv.", f".attention.attention.{q}.") for q in ("query", "key", "value")] if ".attn.qkv." in name else [name]


def stack(outs):
    """The outputs of all images, images outermost."""
    res = {}
    for n in outs[0]:
        first = outs[0][n]
        shape = (len(outs), len(first), len(first[0])) if isinstance(first[0], list) else (len(outs), len(first))
        res[n] = (shape, flat([o[n] for o in outs]))
    return res


def loss(images, target, p, c, task):
    total = 0.0
    for x, y in zip(images, target):
        z = forward(x, p, c, task)["logits_eval"]
        total += math.log(sum(math.exp(v) for v in z)) - z[y]
    return total / len(images)


def case(folder, c, config, rename):
    shapes = parameters(c)
    p = {n: tensor(folder + "." + n, *s) for n, s in shapes.items()}
    images = [values(f"{folder}.image{i}", 3 * SIDE * SIDE, 1.5) for i in range(BATCH)]
    target = [0, 2]
    base = os.path.join(HERE, folder)
    files = {}
    for n, s in shapes.items():
        keys = rename(n)
        size = len(p[n]) // len(keys)
        for i, k in enumerate(keys):
            files[k] = ((s[0] // len(keys),) + tuple(s[1:]), p[n][i * size:(i + 1) * size])
    write(os.path.join(base, "model", "model.safetensors"), files)
    with open(os.path.join(base, "model", "config.json"), "w") as f:
        json.dump(config, f, indent=1)
    write(os.path.join(base, "inputs.safetensors"), {"image": ((BATCH, 3, SIDE, SIDE), flat(images)), "target": ((BATCH,), target),
                                                     "target_multi": ((BATCH, CLASSES), [0.0] * BATCH * CLASSES)}, integers=("target",))
    write(os.path.join(base, "backbone.safetensors"), stack([forward(x, p, c) for x in images]))
    if not c["swiglu"]:
        return
    shapes = {"head.weight": (CLASSES, DIM), "head.bias": (CLASSES,)}
    for i in range(DEPTH):
        b = f"blocks.{i}.adaptmlp."
        shapes |= {b + "down_proj.weight": (R, DIM), b + "down_proj.bias": (R,), b + "up_proj.weight": (DIM, R), b + "up_proj.bias": (DIM,)}
    task = {n: tensor(folder + "." + n, *s) for n, s in shapes.items()}
    spec = {"adapter": {"mode": "parallel", "bottleneck": R, "ln": "none", "scale": 0.1, "dropout": 0.0}}
    write(os.path.join(base, "task.par.safetensors"), {n: (s, task[n]) for n, s in shapes.items()}, {"spec": json.dumps(spec)})
    expect = stack([forward(x, p, c, task) for x in images])
    del expect["embedding"], expect["tokens"]
    expect["ce.loss"] = ((1,), [loss(images, target, p, c, task)])
    for n, s in shapes.items():
        grad = []
        for i in range(len(task[n])):
            v, h = task[n][i], 1e-5
            task[n][i] = v + h
            up = loss(images, target, p, c, task)
            task[n][i] = v - h
            grad.append((up - loss(images, target, p, c, task)) / (2 * h))
            task[n][i] = v
        expect["ce.grad." + n] = (s, grad)
    write(os.path.join(base, "expect.par.safetensors"), expect)


size = {"num_hidden_layers": DEPTH, "num_attention_heads": HEADS, "hidden_size": DIM, "image_size": SIDE, "patch_size": PATCH}
case("registers", dict(registers=3, distilled=False, layer_scale=True, swiglu=True),
     {"model_type": "dinov2_with_registers", "use_swiglu_ffn": True, "hidden_act": "gelu", "layer_norm_eps": 1e-6, "num_register_tokens": 3} | size, hf)
case("distilled", dict(registers=0, distilled=True, layer_scale=False, swiglu=False),
     {"architecture": "deit", "model_args": {"img_size": [SIDE, SIDE], "patch_size": PATCH, "embed_dim": DIM, "depth": DEPTH, "num_heads": HEADS}},
     lambda n: [n])
