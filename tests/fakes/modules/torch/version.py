from typing import Optional

__version__ = "2.9.0+cu128"
debug = False
cuda: Optional[str] = "12.8"
git_version = "fake"
hip: Optional[str] = None
xpu: Optional[str] = None
