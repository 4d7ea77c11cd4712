"""What feeds a training run: reading from disk, decoding pictures, splitting text into tokens."""

from __future__ import annotations

import io
import mmap
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .context import MIB, Context, Figure
from .devices import Unable
from .timing import Block, Samples

CHUNK = 8 * MIB  # one read; large enough for any disk's full sequential rate
IN_MEMORY = ("tmpfs", "ramfs", "devtmpfs", "hugetlbfs")
SERVED_BY_CACHE = 0.5  # below this share of bytes really fetched from storage, the page cache answered


def disk_read(ctx: Context, params: dict[str, Any]) -> Iterator[Figure]:
    """Sequential read of a file of our own, written to disk first and dropped from the page cache.

    The file is unlinked as soon as it is open, so nothing is left behind even after a kill.
    """
    kind = filesystem_of(ctx.workdir)
    if kind in IN_MEMORY or params.get("storage") == "memory":
        raise Unable(
            "not_supported", f"{ctx.workdir} lies on {kind or 'a file system'}, which is memory and no disk"
        )
    if not hasattr(os, "preadv") and sys.platform != "darwin":
        raise Unable("not_supported", "this system cannot read past its page cache from Python")
    wanted = min(int(params["bytes"]), _free_bytes(ctx.workdir) // 5)
    if wanted < 8 * CHUNK:
        raise Unable("not_asked", f"less than {8 * CHUNK * 5 // MIB} MiB free in {ctx.workdir}")
    try:
        handle, path = tempfile.mkstemp(prefix=".hwadvisor-disk-", dir=ctx.workdir)
    except OSError as error:
        raise Unable("no_permission", f"cannot write into {ctx.workdir}: {error.strerror}") from error
    try:
        Path(path).unlink()
        size = _write(handle, wanted, float(params.get("write_s", 2.0)))
        reader, direct = _uncached(handle)
        try:
            samples, fetched = _read_through(ctx, reader, size)
        finally:
            if reader != handle:
                os.close(reader)
    except OSError as error:
        raise Unable("failed", f"disk test: {error.strerror or error}") from error
    finally:
        os.close(handle)
    figure = Figure("B/s", samples, float(CHUNK), {"bytes": size, "direct": direct})
    read = len(samples.blocks) * samples.calls_per_block * CHUNK
    if fetched is not None and fetched < SERVED_BY_CACHE * read:
        figure.refused = f"only {fetched / read:.0%} of the bytes came from storage: the rest was cached"
        figure.warnings.append("page_cache")
    elif fetched is None and not direct:
        figure.warnings.append("page_cache_unknown")
    yield figure


def filesystem_of(path: str, mounts: str = "/proc/self/mountinfo") -> str:
    """The type of the file system that holds `path` ("ext4", "tmpfs", …), or "" when nothing tells."""
    try:
        lines = Path(mounts).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    real, best, kind = os.path.realpath(path), -1, ""
    for line in lines:
        left, _, right = line.partition(" - ")
        fields = left.split()
        if len(fields) < 5 or not right:
            continue
        mount = fields[4].replace("\\040", " ")
        inside = real == mount or real.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= best:  # a later mount over the same point hides the earlier
            best, kind = len(mount), right.split()[0]
    return kind


def _free_bytes(path: str) -> int:
    import shutil

    return shutil.disk_usage(path).free


def _write(handle: int, wanted: int, limit_s: float) -> int:
    """Write up to `wanted` bytes that do not compress, on the disk for sure; less when it is slow."""
    block = random.Random(0).getrandbits(CHUNK * 8).to_bytes(CHUNK, "little")
    end, done = time.perf_counter() + limit_s, 0
    while done < wanted and (done < 8 * CHUNK or time.perf_counter() < end):
        done += os.write(handle, memoryview(block)[: min(CHUNK, wanted - done)])
        if done % (64 * MIB) == 0:
            os.fsync(handle)  # in parts, so that a slow disk shows early and the last one is short
    os.fsync(handle)
    return done // CHUNK * CHUNK


def _uncached(handle: int) -> tuple[int, bool]:
    """A handle that reads past the page cache if the file system lets us, and whether it does."""
    if sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(handle, 48, 1)  # F_NOCACHE of <sys/fcntl.h>, not in Python's module
        return handle, True
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    try:  # the file has no name any more; Linux opens it again through its handle
        return os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_DIRECT), True
    except (OSError, AttributeError):
        return handle, False


def _read_through(ctx: Context, reader: int, size: int) -> tuple[Samples, int | None]:
    """Blocks of one chunk each, in passes over the file; with the bytes that storage delivered."""
    buffer = mmap.mmap(-1, CHUNK)  # page-aligned, as O_DIRECT asks
    delay = ctx.watch.delay
    samples = Samples(filtered=True, delay_method=delay.method)
    fetched = _storage_bytes()
    start, position = time.perf_counter(), 0
    while True:
        before, begun = delay.seconds(), time.perf_counter()
        if _read_at(reader, buffer, position) < CHUNK:
            raise OSError(0, "the file is shorter than what was written")
        wall = time.perf_counter() - begun
        after = delay.seconds() if delay.method == "schedstat" else None
        waited = None if before is None or after is None else max(after - before, 0.0)
        samples.blocks.append(Block(wall, None if waited is None else waited / max(wall, 1e-9)))
        samples.wall_s += wall
        if waited is not None:
            samples.delay_s = (samples.delay_s or 0.0) + waited
        position = (position + CHUNK) % size
        if position == 0 and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(reader, 0, 0, os.POSIX_FADV_DONTNEED)
        spent = time.perf_counter() - start
        enough = len(samples.kept()) >= ctx.limits.min_blocks and spent >= ctx.limits.min_s
        if (enough and position == 0) or spent >= ctx.limits.cap_s:
            break
    now = _storage_bytes()
    return samples, None if fetched is None or now is None else now - fetched


def _read_at(reader: int, buffer: mmap.mmap, position: int) -> int:
    if hasattr(os, "preadv"):
        return os.preadv(reader, [buffer], position)
    os.lseek(reader, position, os.SEEK_SET)
    data = os.read(reader, CHUNK)
    buffer[: len(data)] = data
    return len(data)


def _storage_bytes() -> int | None:
    """Bytes this process had fetched from storage so far, by the kernel's own account."""
    try:
        for line in Path("/proc/self/io").read_text(encoding="ascii").splitlines():
            if line.startswith("read_bytes:"):
                return int(line.split()[1])
    except (OSError, ValueError):
        return None
    return None


def image_decode(ctx: Context, params: dict[str, Any]) -> Iterator[Figure]:
    """Pictures per second on one core: decode a JPEG, crop at random to 224, flip, normalise.

    That is the usual ImageNet pipeline; without torch the last step is left out (param `normalise`).
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise Unable("lib_missing", "Pillow is not installed here", "pip install pillow") from error
    dice = random.Random(0)
    files = [_jpeg(Image, dice, int(params["width"]), int(params["height"])) for _ in range(8)]
    turn = 0

    def decode() -> object:
        nonlocal turn
        turn += 1
        with Image.open(io.BytesIO(files[turn % len(files)])) as opened:
            picture = opened.convert("RGB")
        side = dice.randint(min(picture.size) // 2, min(picture.size))
        left, top = dice.randint(0, picture.width - side), dice.randint(0, picture.height - side)
        box = (left, top, left + side, top + side)
        picture = picture.resize((224, 224), Image.Resampling.BILINEAR, box=box)
        if dice.random() < 0.5:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return _normalise(ctx.torch, picture)

    samples = ctx.time(decode, threads=1)
    found = {"file_bytes": sum(map(len, files)) // len(files), "normalise": ctx.torch is not None}
    yield Figure("1/s", samples, 1.0, found)


def _jpeg(image: Any, dice: random.Random, width: int, height: int) -> bytes:
    """A picture with large shapes and fine grain, which compresses about as photographs do."""
    coarse = image.frombytes("RGB", (16, 12), dice.getrandbits(16 * 12 * 3 * 8).to_bytes(16 * 12 * 3, "big"))
    smooth = coarse.resize((width, height), image.Resampling.BICUBIC)
    grain = image.effect_noise((width, height), 40).convert("RGB")
    target = io.BytesIO()
    image.blend(smooth, grain, 0.35).save(target, "JPEG", quality=90)
    return target.getvalue()


def _normalise(torch: Any, picture: Any) -> object:
    if torch is None:
        return picture.tobytes()
    raw = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
    planes = raw.view(224, 224, 3).permute(2, 0, 1).float().div_(255.0)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)  # torchvision's ImageNet constants
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    return planes.sub_(mean).div_(deviation)


def tokenize(ctx: Context, params: dict[str, Any]) -> Iterator[Figure]:  # noqa: ARG001
    """Bytes of text per second on one core, byte-level BPE of `tokenizers` trained on generated text."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # one core: the figure is per core
    try:
        from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    except ImportError as error:
        raise Unable("lib_missing", "tokenizers is not installed here", "pip install tokenizers") from error
    words = _vocabulary(random.Random(0), 20_000)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(vocab_size=4096, show_progress=False)
    tokenizer.train_from_iterator([_text(random.Random(1), words, 20_000)], trainer)
    pages = [_text(random.Random(seed), words, 2_000) for seed in range(2, 18)]
    turn = 0

    def encode() -> object:
        nonlocal turn
        turn += 1
        return tokenizer.encode(pages[turn % len(pages)])

    samples = ctx.time(encode, threads=1)
    yield Figure("B/s", samples, sum(len(page.encode()) for page in pages) / len(pages))


def _vocabulary(dice: random.Random, count: int) -> list[str]:
    """Words of one to five syllables."""
    starts, vowels, ends = (
        ("b", "c", "d", "f", "g", "h", "l", "m", "n", "p", "r", "s", "t", "v", "w", "st", "tr", "ch"),
        "aeiou",
        ("", "n", "r", "s"),
    )
    return [
        "".join(
            dice.choice(starts) + dice.choice(vowels) + dice.choice(ends) for _ in range(dice.randint(1, 5))
        )
        for _ in range(count)
    ]


def _text(dice: random.Random, words: list[str], count: int) -> str:
    """Running text whose words fall off as Zipf found (rank r about 1/r), with some punctuation."""
    weights = [1.0 / (rank + 1) for rank in range(len(words))]
    drawn = dice.choices(words, weights, k=count)
    return " ".join(word + ("." if index % 13 == 12 else "") for index, word in enumerate(drawn))
