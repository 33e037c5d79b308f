"""Arrays and images to planes and back."""

import numpy as np
import pytest
from PIL import Image

from gencodec.codec.errors import InputError
from gencodec.codec.image import pixels
from helpers.pictures import ALPHA, COLOUR, GREY, RGBA, alpha_of, check, grey_of

# --- arrays ---------------------------------------------------------------------------------------


def test_arrays_of_each_shape():
    picture = check(pixels.load(GREY))
    assert picture.grey
    assert picture.alpha is None
    np.testing.assert_array_equal(picture.rgb, grey_of(GREY))
    picture = check(pixels.load(COLOUR))
    assert not picture.grey
    np.testing.assert_array_equal(picture.rgb, COLOUR)
    picture = check(pixels.load(RGBA))
    assert not picture.grey
    np.testing.assert_array_equal(picture.rgb, COLOUR)
    np.testing.assert_array_equal(alpha_of(picture), ALPHA)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (2, 2)])
def test_tiny_arrays(size):
    for channels in ((), (3,), (4,)):
        array = np.full((*size, *channels), 7, np.uint8)
        assert check(pixels.load(array)).rgb.shape == (*size, 3)


def test_colour_with_equal_channels_stays_colour():
    assert not pixels.load(grey_of(GREY)).grey
    assert not pixels.load(Image.fromarray(grey_of(GREY))).grey


@pytest.mark.parametrize(
    "view", [np.s_[::-1, ::-1], np.s_[::2, 1:], np.s_[:, ::-1, ::-1]], ids=["turned", "part", "bgr"]
)
def test_arrays_that_are_not_contiguous(view):
    np.testing.assert_array_equal(check(pixels.load(COLOUR[view])).rgb, COLOUR[view])
    np.testing.assert_array_equal(
        check(pixels.load(np.asfortranarray(COLOUR)[view])).rgb, COLOUR[view]
    )


def test_what_is_given_is_left_alone():
    array = RGBA.copy()
    array[:5, :, 3] = 0
    kept = array.copy()
    array.flags.writeable = False
    image = Image.fromarray(array)
    palette = Image.fromarray(array).convert("P")
    palette.info["transparency"] = 3
    before = palette.im.getpalette("RGBA", "RGBA"), palette.tobytes(), dict(palette.info)
    for given in (array, image, palette):
        pixels.load(given)
    np.testing.assert_array_equal(array, kept)
    assert image.tobytes() == kept.tobytes()
    after = palette.im.getpalette("RGBA", "RGBA"), palette.tobytes(), dict(palette.info)
    assert before == after


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 64, 64), np.uint8), r"shape \(3, 64, 64\) and type uint8"),
        (np.zeros((64, 64, 3), np.float32), r"shape \(64, 64, 3\) and type float32"),
        (np.zeros((64, 64), np.uint16), "type uint16"),
        (np.zeros((64, 64), np.int8), "type int8"),
        (np.zeros((64, 64), bool), "type bool"),
        (np.zeros((64, 64), object), "type object"),
        (np.zeros((64, 64, 1), np.uint8), r"shape \(64, 64, 1\)"),
        (np.zeros((64, 64, 2), np.uint8), r"shape \(64, 64, 2\)"),
        (np.zeros((64, 64, 5), np.uint8), r"shape \(64, 64, 5\)"),
        (np.zeros((1, 64, 64, 3), np.uint8), r"shape \(1, 64, 64, 3\)"),
        (np.zeros(64, np.uint8), r"shape \(64,\)"),
        (np.uint8(1) + np.zeros((), np.uint8), "not uint8"),
        (np.zeros((), np.uint8), r"shape \(\)"),
    ],
)
def test_wrong_arrays_say_shape_and_type_wanted(array, message):
    with pytest.raises(InputError, match=message) as error:
        pixels.load(array)
    assert "a uint8 array of shape (H, W), (H, W, 3) or (H, W, 4)" in str(error.value)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0, 3), (5, 0, 4)])
def test_empty_arrays(shape):
    with pytest.raises(InputError, match=f"{shape[1]} x {shape[0]} pixels"):
        pixels.load(np.zeros(shape, np.uint8))


def test_arrays_over_the_limits_are_refused_before_work():
    huge = np.broadcast_to(np.uint8(0), (2**16, 2**15, 3))  # takes no memory
    with pytest.raises(InputError, match="more than the 1,073,741,824"):
        pixels.load(huge)
    with pytest.raises(InputError, match="sides of 1 to 1,048,576"):
        pixels.load(np.broadcast_to(np.uint8(0), (1, 2**20 + 1)))


@pytest.mark.parametrize("thing", [None, 5, [[1, 2]], b"\x89PNG", bytearray(3), object(), 3.5])
def test_things_that_are_no_picture(thing):
    with pytest.raises(InputError, match=f"not {type(thing).__name__}") as error:
        pixels.load(thing)
    assert ("io.BytesIO" in str(error.value)) == isinstance(thing, bytes | bytearray)


# --- back to an image -----------------------------------------------------------------------------


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("alpha", [None, ALPHA])
def test_to_image_and_load_are_inverse(grey, alpha):
    rgb = grey_of(GREY) if grey else COLOUR
    image = pixels.to_image(rgb, grey=grey, alpha=alpha)
    assert image.mode == ("L" if grey else "RGB") + ("" if alpha is None else "A")
    picture = check(pixels.load(image))
    np.testing.assert_array_equal(picture.rgb, rgb)
    assert picture.grey == grey
    assert (picture.alpha is None) == (alpha is None)
    if alpha is not None:
        np.testing.assert_array_equal(alpha_of(picture), alpha)


def test_to_image_takes_a_plane_or_the_mean_of_three():
    np.testing.assert_array_equal(np.asarray(pixels.to_image(GREY, grey=True)), GREY)
    rgb = np.array([[[10, 11, 12], [0, 0, 1], [0, 1, 1], [255, 255, 255]]], np.uint8)
    assert np.asarray(pixels.to_image(rgb, grey=True)).tolist() == [[11, 0, 1, 255]]


@pytest.mark.parametrize("grey", [False, True])
def test_to_image_has_its_own_memory(grey):
    rgb = grey_of(GREY)[..., 0].copy() if grey else COLOUR.copy()
    image = pixels.to_image(rgb, grey=grey)
    before = image.tobytes()
    rgb[:] = 0
    assert image.tobytes() == before
    image.putpixel((0, 0), 0)
