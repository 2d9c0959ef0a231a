"""Media types by file ending. A fixed table: what a file is called must not depend on the machine that serves it, as it
would with the system's mime.types.
"""

from __future__ import annotations

from typing import Final

__all__ = ["content_type"]

_UNKNOWN: Final = "application/octet-stream"

# IANA's names; what browsers ask for where they differ (image/x-icon). Text is UTF-8, as everything today is.
_TABLE: Final = """
text/html html htm
text/css css
text/javascript js mjs cjs
text/plain txt text log conf ini cfg asc
text/markdown md markdown
text/csv csv
text/tab-separated-values tsv
text/calendar ics
text/vcard vcf
text/vtt vtt
text/x-component htc
text/x-python py
application/json json map
application/ld+json jsonld
application/manifest+json webmanifest
application/geo+json geojson
application/xml xml xsl xsd
application/xhtml+xml xhtml
application/rss+xml rss
application/atom+xml atom
application/yaml yaml yml
application/toml toml
application/sql sql
application/x-sh sh
application/wasm wasm
application/pdf pdf
application/rtf rtf
application/postscript ps eps ai
application/epub+zip epub
application/zip zip
application/gzip gz tgz
application/x-bzip2 bz2
application/x-xz xz txz
application/zstd zst
application/x-tar tar
application/x-7z-compressed 7z
application/vnd.rar rar
application/java-archive jar war ear
application/vnd.android.package-archive apk
application/vnd.debian.binary-package deb
application/x-rpm rpm
application/x-apple-diskimage dmg
application/x-iso9660-image iso
application/msword doc
application/vnd.ms-excel xls
application/vnd.ms-powerpoint ppt
application/vnd.openxmlformats-officedocument.wordprocessingml.document docx
application/vnd.openxmlformats-officedocument.spreadsheetml.sheet xlsx
application/vnd.openxmlformats-officedocument.presentationml.presentation pptx
application/vnd.oasis.opendocument.text odt
application/vnd.oasis.opendocument.spreadsheet ods
application/vnd.oasis.opendocument.presentation odp
application/vnd.google-earth.kml+xml kml
application/vnd.google-earth.kmz kmz
application/vnd.apple.mpegurl m3u8
application/dash+xml mpd
application/vnd.sqlite3 sqlite sqlite3
application/x-x509-ca-cert crt pem der
application/pgp-signature sig
font/woff woff
font/woff2 woff2
font/ttf ttf
font/otf otf
font/collection ttc
application/vnd.ms-fontobject eot
image/png png
image/apng apng
image/jpeg jpg jpeg jpe
image/gif gif
image/webp webp
image/avif avif
image/heic heic
image/heif heif
image/jxl jxl
image/svg+xml svg
image/bmp bmp
image/tiff tif tiff
image/x-icon ico cur
audio/mpeg mp3
audio/mp4 m4a
audio/aac aac
audio/ogg ogg oga opus
audio/flac flac
audio/wav wav
audio/webm weba
audio/midi mid midi
video/mp4 mp4 m4v
video/mpeg mpg mpeg
video/webm webm
video/ogg ogv
video/quicktime mov
video/x-msvideo avi
video/x-matroska mkv
video/mp2t ts
video/3gpp 3gp
model/gltf-binary glb
model/gltf+json gltf
"""

_WITH_CHARSET: Final = frozenset({"application/json", "application/xml", "application/toml", "application/yaml"})


def _entries() -> dict[str, str]:
    types: dict[str, str] = {}
    for line in _TABLE.split("\n"):
        kind, *endings = line.split() or [""]
        is_text = kind.startswith("text/") or kind.endswith(("+xml", "+json")) or kind in _WITH_CHARSET
        types.update(dict.fromkeys(endings, f"{kind}; charset=utf-8" if is_text else kind))
    return types


_TYPES: Final = _entries()


def content_type(name: str) -> str:
    """The Content-Type of a file called `name`; application/octet-stream, which browsers save, when nothing is known
    of the ending."""
    _, dot, ending = name.rpartition("/")[2].rpartition(".")
    return _TYPES.get(ending.lower(), _UNKNOWN) if dot else _UNKNOWN
