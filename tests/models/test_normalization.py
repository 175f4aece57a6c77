import numpy as np
import pytest
import torch

from lanenet_sad.models import IMAGE_MEAN, IMAGE_STD, normalize_image, normalize_images


def test_normalize_image_follows_the_official_constants():
    image = np.zeros((2, 3, 3), dtype=np.uint8)
    image[0, 1] = (255, 128, 0)
    normalized = normalize_image(image)
    assert normalized.shape == (3, 2, 3)
    assert normalized.dtype == torch.float32
    expected = [
        (value / 255 - mean) / std for value, mean, std in zip((255, 128, 0), IMAGE_MEAN, IMAGE_STD, strict=True)
    ]
    torch.testing.assert_close(normalized[:, 0, 1], torch.tensor(expected))


def test_normalize_images_equals_one_by_one():
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), dtype=np.uint8)
    batch = normalize_images(torch.from_numpy(images))
    torch.testing.assert_close(batch, torch.stack([normalize_image(image) for image in images]))
    assert batch.is_contiguous()


def test_normalize_image_takes_flipped_and_read_only_arrays():
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    image.setflags(write=False)
    torch.testing.assert_close(normalize_image(image[:, ::-1]), normalize_image(image).flip(2))


@pytest.mark.parametrize(
    "images",
    [torch.zeros(1, 2, 3, 3), torch.zeros(1, 3, 2, 2, dtype=torch.uint8), torch.zeros(2, 3, 3, dtype=torch.uint8)],
    ids=["float", "channels first", "no batch"],
)
def test_normalize_images_refuses_other_layouts(images):
    with pytest.raises(ValueError, match=r"expected uint8 of shape \(B, H, W, 3\)"):
        normalize_images(images)
