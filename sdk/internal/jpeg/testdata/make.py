"""Makes the files here: one picture from a formula in the layouts that encoders write. Run in this folder with Pillow 13.0.0 and numpy 2.4.6."""
import numpy as np
from PIL import Image

y, x = np.mgrid[0:45, 0:61]
wave = [128 + 90 * np.sin(x / a + y / b) + 12 * np.sin(x * y / 37.0 + a) for a, b in ((7, 11), (13, 5), (9, -8))]
im = Image.fromarray(np.stack(wave, -1).clip(0, 255).astype(np.uint8), "RGB")
for name, kw in {
    "444": dict(subsampling=0), "422": dict(subsampling=1), "420": dict(subsampling=2),
    "420_progressive": dict(subsampling=2, progressive=True), "444_progressive": dict(subsampling=0, progressive=True),
    "420_restart": dict(subsampling=2, restart_marker_blocks=3), "420_progressive_restart": dict(subsampling=2, progressive=True, restart_marker_blocks=2),
    "420_optimized": dict(subsampling=2, optimize=True), "rgb": dict(subsampling=0, keep_rgb=True),
}.items():
    im.save(name + ".jpg", quality=88, **kw)
im.convert("L").save("gray.jpg", quality=88)
im.convert("L").save("gray_progressive.jpg", quality=88, progressive=True)
im.convert("CMYK").save("cmyk.jpg", quality=88)
