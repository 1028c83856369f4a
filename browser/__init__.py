"""The JavaScript library that tags in a browser, plain ES modules that read a saved tagger's folder, and a page."""

from __future__ import annotations
