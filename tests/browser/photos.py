"""Generated photos: mountains at different times of day."""

import io
import itertools
import random
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFilter

if TYPE_CHECKING:
    from playwright.sync_api import FilePayload

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Hour:
    """Colors of the sky, from top to horizon, of the sun and of the nearest ridge."""

    sky: tuple[Colour, ...]
    sun: Colour
    sun_at: tuple[float, float]
    near: Colour
    seed: int


HOURS = {
    "dawn": Hour(
        ((44, 62, 110), (190, 120, 130), (252, 205, 150)),
        (255, 236, 200),
        (0.7, 0.52),
        (24, 30, 52),
        4,
    ),
    "noon": Hour(
        ((52, 120, 190), (126, 178, 218), (214, 232, 240)),
        (255, 253, 240),
        (0.28, 0.16),
        (28, 62, 48),
        11,
    ),
    "fog": Hour(
        ((150, 165, 172), (188, 198, 200), (226, 229, 226)),
        (238, 240, 236),
        (0.5, 0.3),
        (52, 70, 70),
        23,
    ),
    "dusk": Hour(
        ((36, 24, 66), (150, 58, 92), (250, 150, 84)), (255, 214, 150), (0.36, 0.6), (26, 16, 36), 8
    ),
    "night": Hour(
        ((6, 10, 28), (16, 28, 60), (44, 66, 104)), (240, 242, 250), (0.78, 0.2), (6, 10, 20), 16
    ),
}


def upload(hour: str) -> "FilePayload":
    """Return a photo for a file input, with a name that must be quoted in URLs."""
    return {"name": f"{hour} 100%.jpg", "mimeType": "image/jpeg", "buffer": photo(hour)}


@cache
def photo(hour: str, width: int = 900, height: int = 675) -> bytes:
    """Return the photo as a JPEG."""
    light = HOURS[hour]
    chance = random.Random(light.seed)
    picture = _sky(light, width, height)
    if hour == "night":
        _stars(picture, chance)
    picture = _sun(picture, light)
    far = light.sky[-1]
    for layer in range(6):
        share = (layer + 1) / 6
        picture.paste(_mix(far, light.near, share**1.3), mask=_ridge(picture, chance, share))
        if layer < 5:
            picture = picture.filter(ImageFilter.GaussianBlur(1.4 - share))
    grain = Image.effect_noise((width, height), 18).convert("RGB")
    picture = Image.blend(picture, grain, 0.05)
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=88)
    return written.getvalue()


def _mix(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _sky(light: Hour, width: int, height: int) -> Image.Image:
    column = Image.new("RGB", (1, height))
    steps = len(light.sky) - 1
    for y in range(height):
        place = min(y / height / 0.72, 0.999) * steps
        index = int(place)
        column.putpixel((0, y), _mix(light.sky[index], light.sky[index + 1], place - index))
    return column.resize((width, height))


def _stars(picture: Image.Image, chance: random.Random) -> None:
    draw = ImageDraw.Draw(picture)
    for _ in range(260):
        x, y = chance.uniform(0, picture.width), chance.uniform(0, picture.height * 0.6)
        size, glow = chance.choice((0.5, 0.5, 0.9, 1.4)), chance.randint(140, 255)
        draw.ellipse((x - size, y - size, x + size, y + size), fill=(glow, glow, glow))


def _sun(picture: Image.Image, light: Hour) -> Image.Image:
    x, y = light.sun_at[0] * picture.width, light.sun_at[1] * picture.height
    glow = Image.new("L", picture.size)
    draw = ImageDraw.Draw(glow)
    for radius, strength in ((0.22, 60), (0.12, 110)):
        r = radius * picture.width
        draw.ellipse((x - r, y - r, x + r, y + r), fill=strength)
    glow = glow.filter(ImageFilter.GaussianBlur(picture.width * 0.05))
    r = 0.032 * picture.width
    ImageDraw.Draw(glow).ellipse((x - r, y - r, x + r, y + r), fill=250)
    glow = glow.filter(ImageFilter.GaussianBlur(1.2))
    return Image.composite(Image.new("RGB", picture.size, light.sun), picture, glow)


def _ridge(picture: Image.Image, chance: random.Random, share: float) -> Image.Image:
    """Return the mask of a mountain ridge; nearer ones are lower and smoother."""
    heights = [chance.uniform(-1, 1), chance.uniform(-1, 1)]
    rough = 0.62
    while len(heights) < 257:
        rougher = []
        for one, other in itertools.pairwise(heights):
            rougher += [one, (one + other) / 2 + chance.uniform(-rough, rough)]
        heights = [*rougher, heights[-1]]
        rough *= 0.5
    base = picture.height * (0.46 + 0.44 * share)
    reach = picture.height * (0.17 - 0.09 * share)
    step = picture.width / (len(heights) - 1)
    points = [(index * step, base - reach * height) for index, height in enumerate(heights)]
    mask = Image.new("L", picture.size)
    outline = [(0, picture.height), *points, (picture.width, picture.height)]
    ImageDraw.Draw(mask).polygon(outline, fill=255)
    return mask
