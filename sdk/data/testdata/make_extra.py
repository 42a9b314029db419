"""Makes extra/ and extra.safetensors: what Pillow and torchvision's rules give for cases that the shared reference lacks.

Run in this folder with Pillow 13.0.0 (libjpeg-turbo and libwebp inside) and numpy 2.4.6. Pictures come from a formula, so no seed is needed.
"""
import io, json, os, struct
import numpy as np
from PIL import Image, ImageOps

tensors = {}


def picture(w, h):
    y, x = np.mgrid[0:h, 0:w].astype(np.int64)
    a = np.stack([(x * 7 + y * 3) % 256, (x * x // 5 + y * 11) % 256, (x * y + 40 * (x // 5 % 2)) % 256], -1)
    return Image.fromarray(a.astype(np.uint8), "RGB")


def smooth(w, h):
    return picture(max(w // 4, 2), max(h // 4, 2)).resize((w, h), Image.BICUBIC)


def put(name, im, upright=True, **kw):
    im.save("extra/" + name, **kw)
    back = Image.open("extra/" + name)
    if upright:
        back = ImageOps.exif_transpose(back)
    tensors[name] = np.asarray(back.convert("RGB"))


def exif(o):
    e = Image.Exif()
    e[0x0112] = o
    return e.tobytes()


os.makedirs("extra", exist_ok=True)
for o in range(1, 9):
    put(f"orient{o}.png", picture(5, 3), exif=exif(o))
put("orient6.webp", picture(7, 4), lossless=True, exif=exif(6))
put("lossless_alpha.webp", Image.merge("RGBA", (*picture(19, 11).split(), picture(19, 11).split()[0])), lossless=True, exact=True)
for w, h in ((37, 23), (64, 48), (1, 1), (2, 3), (3, 2)):
    put(f"lossy_{w}x{h}.webp", smooth(w, h), quality=80)
put("lossy_alpha.webp", Image.merge("RGBA", (*smooth(33, 20).split(), smooth(33, 20).split()[0])), quality=80)
for sub, tag in ((0, "444"), (1, "422"), (2, "420")):
    for w, h in ((37, 23), (64, 48), (4, 5), (5, 4), (1, 7)):
        put(f"sub{tag}_{w}x{h}.jpg", smooth(w, h), quality=85, subsampling=sub)
put("palette.gif", picture(21, 13).quantize(32))
flat = picture(21, 13).quantize(32)
put("transparent.gif", flat, transparency=3)
put("transparent_palette.png", flat, transparency=bytes(range(0, 256, 8)))
put("transparent_rgb.png", picture(9, 8), transparency=(7, 0, 0))
put("transparent_gray.png", picture(9, 8).convert("L"), transparency=picture(9, 8).convert("L").getpixel((3, 3)))
put("gray_alpha.png", Image.merge("LA", (picture(9, 8).convert("L"), picture(9, 8).split()[1])))
put("bilevel.png", picture(19, 5).convert("1"))
put("rgb.bmp", picture(11, 7))
put("palette.bmp", picture(11, 7).quantize(16))
put("ycck_like.jpg", smooth(24, 17).convert("CMYK"), quality=90)

for (sw, sh), (dw, dh) in (((1, 1), (7, 7)), ((2, 37), (37, 2)), ((197, 61), (63, 65)), ((64, 7), (65, 7)), ((7, 64), (7, 63)), ((257, 3), (1, 1)), ((40, 30), (41, 29))):
    for kind, f in (("bicubic", Image.BICUBIC), ("bilinear", Image.BILINEAR)):
        tensors[f"resize.{sw}x{sh}.{dw}x{dh}.{kind}"] = np.asarray(picture(sw, sh).resize((dw, dh), f))

for name in [f"sub{tag}_{w}x{h}.jpg" for tag in ("444", "422", "420") for w, h in ((37, 23), (64, 48))] + ["draft_gray.jpg", "draft_progressive.jpg"]:
    if name == "draft_gray.jpg":
        smooth(75, 41).convert("L").save("extra/" + name, quality=90)
    elif name == "draft_progressive.jpg":
        smooth(75, 41).save("extra/" + name, quality=90, subsampling=2, progressive=True)
    for reduce in (2, 4, 8):
        if reduce == 8 and "422" in name:
            continue  # libjpeg repeats its chroma there, the package interpolates it
        im = Image.open("extra/" + name)
        im.draft(None, (im.width // reduce, im.height // reduce))
        tensors[f"draft{reduce}.{name}"] = np.asarray(im.convert("RGB"))
        assert im.size == (-(-Image.open("extra/" + name).width // reduce), -(-Image.open("extra/" + name).height // reduce)), im.size

header, blob = {}, b""
for k in sorted(tensors):
    a = np.ascontiguousarray(tensors[k])
    header[k] = {"dtype": "U8", "shape": list(a.shape), "data_offsets": [len(blob), len(blob) + a.nbytes]}
    blob += a.tobytes()
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
open("extra.safetensors", "wb").write(struct.pack("<Q", len(text)) + text + blob)
