import subprocess
import sys

import pytest

import lanenet_sad


@pytest.mark.parametrize("name", lanenet_sad.__all__)
def test_every_public_name_loads(name):
    assert getattr(lanenet_sad, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'lanes_of_gold'"):
        _ = lanenet_sad.lanes_of_gold


def test_importing_the_package_is_free():
    code = "import sys, lanenet_sad; sys.exit(bool({'torch', 'numpy', 'cv2', 'albumentations'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_no_import_phones_home():
    code = """
import socket, sys
def refuse(*args, **kwargs):
    raise SystemExit("a connection was tried: %r" % (args,))
socket.socket.connect = refuse
socket.create_connection = refuse
socket.getaddrinfo = refuse
import lanenet_sad.train, lanenet_sad.evaluate, lanenet_sad.predict, lanenet_sad.attention, lanenet_sad.synthesize
import lanenet_sad.convert
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
