"""Decode pictures of every bit depth and color mode, upright; only numpy and Pillow. Of an animation, the first frame."""

import io
import os

import numpy as np
from PIL import Image, ImageChops, ImageOps

LIGHT = 200  # of 255: what is visible on a transparent ground and at least as light is meant for a dark one
MOSTLY = 0.5  # of the picture
SAMPLE = 256  # pixels a side, from which the color below what is transparent is chosen
ORIENTATION, ON_ITS_SIDE = 274, (5, 6, 7, 8)  # the EXIF tag, and its values that swap width and height
SQUARE, OBLONG = 1.02, 4.0  # ratios of the sides of a pixel: less is rounding, more is nonsense
HEIF = b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"  # brands, after "ftyp"
INSTALL = "pip install pillow-heif"


def opened(source):
    """Return a PIL image, not decoded yet, of a path, bytes or a file object. ValueError, with the path, if it is not one."""
    stream = io.BytesIO(source) if isinstance(source, (bytes, bytearray)) else source
    if not isinstance(stream, (str, os.PathLike)) and not hasattr(stream, "read"):
        raise ValueError("expected a path, bytes, a PIL image or an array, got %s" % type(source).__name__)
    try:
        if not hasattr(stream, "read"):  # Pillow 13.0 scrambles some TIFFs that it opens by path and turns
            with open(stream, "rb") as file:
                stream = io.BytesIO(file.read())
        try:
            return Image.open(stream)
        except Image.UnidentifiedImageError:
            if not can_read_heif():
                raise
            stream.seek(0)
            return Image.open(stream)
    except FileNotFoundError:
        raise ValueError("there is no file %s" % source)
    except Exception as error:  # Pillow raises many kinds for damaged files
        raise ValueError("Pillow cannot read this image%s: %s" % (name_of(source), reason(error, stream)))


def name_of(source):
    """Return " (path)" of a path, a file or an image opened from one, for messages; else ""."""
    name = getattr(source, "filename", getattr(source, "name", source))
    return " (%s)" % name if isinstance(name, (str, os.PathLike)) and str(name) else ""


def reason(error, stream):
    """Return why Pillow cannot open a stream, without the stream's own name."""
    if not isinstance(error, Image.UnidentifiedImageError):
        return getattr(error, "strerror", None) or str(error) or type(error).__name__
    stream.seek(0)
    if is_heif(stream.read(12)) and not can_read_heif():
        return "HEIC needs pillow-heif: " + INSTALL
    return "it is not an image of a known format"


def pixels_of(image, page=False):
    """Return uint8 (h, w) if all its colors are gray, else (h, w, 3), of a PIL image, turned as its EXIF says.

    What is transparent becomes white, or black if all that is visible is light, or, where most is opaque, the median of that; a
    page's margins never become the latter. A color profile is converted to sRGB. Raises what Pillow raises for damaged files.
    """
    image.load()
    if not hasattr(image, "tag_v2") and image.getexif().get(ORIENTATION, 1) != 1:  # a TIFF is upright by now
        image = ImageOps.exif_transpose(image)
    image = _in_srgb(image)
    if image.mode.startswith(("I", "F")):
        return _eight_bits(np.asarray(image), image.mode)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        if image.getextrema()[3][0] < 255:
            image = Image.alpha_composite(Image.new("RGBA", image.size, _below(image, page) + (255,)), image)
    if image.mode in ("1", "L"):
        return np.array(image.convert("L"))
    image = image if image.mode == "RGB" else image.convert("RGB")
    red, green, blue = image.split()
    differ = ImageChops.difference(red, green).getbbox() or ImageChops.difference(red, blue).getbbox()
    return np.array(image if differ else red)


def aspect_of(image):
    """Return how much higher than wide the pixels of a PIL image are, once it is upright; 1.0 if its resolution is unknown.

    Fax machines scan 204 x 98 dots per inch. Call it before the image is decoded.
    """
    aspect = 1.0
    for key in ("dpi", "resolution", "aspect", "jfif_density"):  # with a unit, and without
        across, down = image.info.get(key) or (0, 0)
        if across > 0 and down > 0:
            aspect = float(across) / float(down)
            break
    if not 1 / OBLONG <= aspect <= OBLONG or 1 / SQUARE < aspect < SQUARE:
        return 1.0
    return 1 / aspect if orientation_of(image) in ON_ITS_SIDE else aspect


def orientation_of(image):
    """Return the EXIF orientation, 1 to 8, of a PIL image that is not decoded yet."""
    return getattr(image, "tag_v2", {}).get(ORIENTATION) or image.getexif().get(ORIENTATION, 1)


def squared(pixels, aspect):
    """Return uint8 (h, w) or (h, w, 3), enlarged in one direction so that pixels of that aspect become squares."""
    if aspect == 1:
        return pixels
    height, width = pixels.shape[:2]
    size = (width, int(round(height * aspect))) if aspect > 1 else (int(round(width / aspect)), height)
    return np.array(Image.fromarray(pixels).resize(size, Image.BICUBIC))


def _in_srgb(image):
    """Return an image in sRGB, if Pillow can convert its color profile, else as it is."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("L", "RGB", "RGBA", "CMYK"):
        return image
    try:
        from PIL import ImageCms

        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(own).lower():
            return image
        image = image.convert("RGBA") if "transparency" in image.info else image
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        return ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB"), outputMode=mode)
    except Exception:  # damaged profiles make it raise many kinds; a board's Pillow may lack the library
        return image


def _below(image, page):
    """Return the color (r, g, b) on which what is visible of an RGBA image is seen."""
    values = np.asarray(image.resize([min(n, SAMPLE) for n in image.size], Image.NEAREST)).reshape(-1, 4)
    opaque = values[values[:, 3] > 250, :3]
    if not page and len(opaque) > MOSTLY * len(values):
        return tuple(int(n) for n in np.median(opaque, axis=0))
    visible = values[values[:, 3] > 127, :3]
    is_light = len(visible) and np.percentile(visible.dot((0.299, 0.587, 0.114)), 10) >= LIGHT
    return (0, 0, 0) if is_light and len(visible) < MOSTLY * len(values) else (255, 255, 255)


def _eight_bits(values, mode):
    """Return uint8 of integers or floats whose white is the least of the usual ones that none exceeds."""
    values = values.astype(np.float64)
    values = np.where(np.isfinite(values), values, 0)
    low, high = float(values.min()), float(values.max())
    if low < 0:
        values, high = values - low, high - low
    usual = (1.0, 255.0, 1023.0, 4095.0, 65535.0) if mode == "F" else (255.0, 1023.0, 4095.0, 65535.0)
    white = next((each for each in usual if high <= each), high)
    return np.clip(values * (255 / white), 0, 255).astype(np.uint8)


def is_heif(data):
    """Return whether the bytes of a file begin like those of HEIC."""
    return data[4:8] == b"ftyp" and data[8:12] in HEIF


def can_read_heif():
    """Let Pillow read the HEIC files of phones if pillow-heif is installed; return whether it is."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True
