"""The page that tags in a browser, and its library, plain ES modules that read a folder of `tagsmith export`."""

from __future__ import annotations
