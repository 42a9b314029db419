"""Golden numbers of Swin on images whose patches are no multiple of the window, and of full-size models.

    python make_swin.py padding          rewrites swin/padding.safetensors
    python make_swin.py full EDGEADAPT   compares full-size timm models with the program EDGEADAPT, rewrites swin/full.json
    python make_swin.py train DATA OUT   trains a small Swin for eight minutes on DATA, a folder a class

Needs torch, timm, transformers, safetensors and numpy. Made with torch 2.15, timm 1.0.31, transformers 5.23.
"""
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import timm
import torch
from safetensors.torch import load_file, save_file

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "swin")
torch.set_grad_enabled(False)


def random_image(seed, *shape):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


def padding():
    """9 x 11 patches under windows of 4: timm shifts before it pads, Hugging Face pads before it shifts."""
    image, out = random_image(1, 2, 3, 36, 44), {}
    out["image"] = image
    model = timm.models.swin_transformer.SwinTransformer(
        img_size=(36, 44), patch_size=4, embed_dim=24, depths=(2, 2), num_heads=(2, 4), window_size=4, num_classes=5).eval()
    model.load_state_dict(load_file(os.path.join(HERE, "timm", "model.safetensors")))
    blocks = [b for s in model.layers for b in s.blocks]
    for i, b in enumerate(blocks):
        b.register_forward_hook(lambda _m, _i, y, i=i: out.__setitem__(f"timm.block.{i}.output", y.flatten(1, 2).contiguous()))
    out["timm.features"] = model.forward_features(image).mean((1, 2))

    import transformers
    config = transformers.SwinConfig.from_pretrained(os.path.join(HERE, "hf"), image_size=(36, 44))
    model, report = transformers.SwinModel.from_pretrained(os.path.join(HERE, "hf"), config=config, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"], report
    model.eval()
    blocks = [b for s in model.encoder.layers for b in s.blocks]
    for i, b in enumerate(blocks):
        b.register_forward_hook(lambda _m, _i, y, i=i: out.__setitem__(
            f"hf.block.{i}.output", (y[0] if isinstance(y, tuple) else y).clone()))
    out["hf.features"] = model(image).pooler_output
    save_file(out, os.path.join(HERE, "padding.safetensors"))
    print({k: tuple(v.shape) for k, v in out.items()}, float((out["hf.features"] - out["timm.features"]).abs().max()))


def perturbed(name, seed):
    """A timm model in which no parameter has its neutral value; numpy's generator, so that other versions make the same."""
    model = timm.create_model(name, pretrained=False, num_classes=10).eval()
    rng = np.random.default_rng(seed)
    for key, p in model.named_parameters():
        x = rng.standard_normal(tuple(p.shape)).astype(np.float32)
        if key.endswith("bias_table"):
            x *= 0.5
        elif p.dim() >= 2:
            x *= (p[0].numel()) ** -0.5
        elif "norm" in key and key.endswith("weight"):
            x = 1 + 0.3 * x
        else:
            x *= 0.1
        p.copy_(torch.from_numpy(x))
    return model


def run(program, *args):
    subprocess.run([program, *args], check=True, stdout=subprocess.DEVNULL)


def full(program):
    results = {}
    for seed, (name, sizes) in enumerate({"swin_tiny_patch4_window7_224": [224, 200], "swin_small_patch4_window7_224": [224],
                                          "swin_base_patch4_window7_224": [224], "swin_base_patch4_window12_384": [384]}.items()):
        model = perturbed(name, seed)
        with tempfile.TemporaryDirectory() as folder:
            at = lambda f: os.path.join(folder, f)
            save_file(model.state_dict(), at("model.safetensors"))
            for size in sizes:
                if size != model.patch_embed.img_size[0]:
                    model.set_input_size((size, size), window_size=model.layers[0].blocks[0].window_size)
                image = random_image(100 + seed, 2, 3, size, size)
                save_file({"image": image}, at("in.safetensors"))
                want = model.forward_features(image).mean((1, 2))
                entry = results[f"{name} at {size}"] = {"features": [float(f"{v:.7g}") for v in want[0, :8]]}
                for scheme in ("f32", "q8c"):
                    run(program, "quantize", folder, "-o", at("b"), "--scheme", scheme)
                    for device in ("cpu", "vulkan:0"):
                        if device != "cpu" and (scheme != "f32" or size != 224 or "tiny" not in name):
                            continue  # software drivers take minutes
                        run(program, "features", "--tensor", at("in.safetensors") + ":image", "--backbone", at("b"), "-o", at("out"), "--device", device)
                        got = load_file(at("out"))["features"]
                        entry[f"{scheme} {device}"] = {
                            "max_abs_relative": float((got - want).abs().max() / want.abs().max()),
                            "cosine": float(torch.cosine_similarity(got, want).min())}
                print(name, size, json.dumps(entry), flush=True)
    with open(os.path.join(HERE, "full.json"), "w") as f:
        json.dump(results, f, indent=1)
        f.write("\n")


def train(data, folder, minutes=8):
    """A small Swin that has learned something: to which of the folders below DATA that hold JPEG files an image belongs."""
    import glob
    import time
    from PIL import Image
    torch.set_grad_enabled(True)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    files = sorted(glob.glob(os.path.join(data, "**", "*.jpg"), recursive=True))
    classes = sorted({os.path.dirname(f) for f in files})
    labels = np.array([classes.index(os.path.dirname(f)) for f in files])
    of = [np.flatnonzero(labels == c) for c in range(len(classes))]
    images = np.stack([np.asarray(Image.open(f).convert("RGB").resize((128, 128), Image.BICUBIC)) for f in files])
    model = timm.models.swin_transformer.SwinTransformer(img_size=112, embed_dim=48, depths=(2, 2, 4, 2), num_heads=(2, 4, 8, 16),
                                                         window_size=7, num_classes=len(classes), drop_path_rate=0.05)
    opt = torch.optim.AdamW(model.parameters(), lr=5e-4, weight_decay=0.05)
    began, step, done = time.time(), 0, 0.0
    while done < 1:
        done = (time.time() - began) / (60 * minutes)
        for group in opt.param_groups:
            group["lr"] = 5e-4 * min(1, (step + 1) / 40) * 0.5 * (1 + np.cos(np.pi * min(done, 1)))
        y, x = rng.integers(0, len(classes), 32), []
        for label in y:
            top, left = rng.integers(0, 17, 2)
            image = images[rng.choice(of[label]), top:top + 112, left:left + 112]
            x.append(np.rot90(image[:, ::-1] if rng.random() < 0.5 else image, rng.integers(0, 4)))
        x = torch.from_numpy(np.stack(x).astype(np.float32) / 255).permute(0, 3, 1, 2)
        x = (x - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor([0.229, 0.224, 0.225])[:, None, None]
        logits = model(x)
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(y))
        opt.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        opt.step()
        if step % 20 == 0:
            print(step, f"{done:.2f} loss {loss.item():.3f} right {(logits.argmax(1).numpy() == y).mean():.2f}", flush=True)
        step += 1
    os.makedirs(folder, exist_ok=True)
    save_file(model.state_dict(), os.path.join(folder, "model.safetensors"))
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump({"architecture": "swin", "image_size": 112, "window_size": 7}, f)


if __name__ == "__main__":
    {"padding": padding, "full": lambda program: full(os.path.abspath(program)), "train": train}[sys.argv[1]](*sys.argv[2:])
