"""A function in a process of its own gives what it would give here, and is told of where it cannot."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from components.core.errors import PhotoError, ServiceError
from components.core.images import read_rgb
from components.core.own_process import in_own_process


def test_it_is_another_process_and_gone_afterwards() -> None:
    assert in_own_process(os.getpid) != os.getpid()
    assert multiprocessing.active_children() == []


def test_an_error_of_ours_comes_back_as_itself() -> None:
    with pytest.raises(PhotoError, match="nowhere"):
        in_own_process(read_rgb, Path("nowhere.png"))


def test_a_process_that_ends_without_an_answer_is_told() -> None:
    with pytest.raises(ServiceError, match="do _exit ended with code 3, without an answer"):
        in_own_process(os._exit, 3)
