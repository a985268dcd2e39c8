"""The page at `/`: what is served here."""

from html import escape

_ROWS = (
    ("GET /call", "Gọi thử từ trình duyệt; cần chứng thư", "Make calls from a browser; needs a client certificate"),
    (
        "POST /package.Service/Method",
        "Gọi một phương thức, JSON (giao thức Connect); cần chứng thư máy khách",
        "Call a method with JSON (Connect protocol); needs a client certificate",
    ),
    ("GET /openapi.json", "Mô tả OpenAPI của mọi phương thức", "OpenAPI document of every method"),
    ("GET /metrics", "Số đo Prometheus; cần chứng thư", "Prometheus metrics; needs a client certificate"),
    ("GET /checkpoint", "Điểm kiểm của nhật ký, có chữ ký", "The log's signed checkpoint"),
    ("GET /tile/LEVEL/INDEX", "Các giá trị băm của nhật ký (tlog-tiles)", "The log's hashes (tlog-tiles)"),
    ("GET /tile/entries/INDEX", "Các mục nhật ký; chỉ cho kiểm toán", "The log's entries; for auditors only"),
)
_TO_OPEN = ("GET /call", "GET /openapi.json", "GET /checkpoint")
_PAGE = """<!doctype html>
<html lang="vi">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Liên Thông gateway · SIMULATION</title>
<link rel="stylesheet" href="/static/style.css">
</head>
<body>
<p class="banner"><strong>MÔ PHỎNG · <span lang="en">SIMULATION</span></strong> Mọi công dân ở đây đều là giả lập, không
phải hệ thống thật. <span lang="en">Every person in it is synthetic, and this is no real system.</span></p>
<main>
<h1>Liên Thông: trục kết nối dữ liệu <span lang="en">(gateway)</span></h1>
<table>
{rows}
</table>
</main>
</body>
</html>
"""


def home_page() -> str:
    """Return the page, HTML, in Vietnamese and English."""
    return _PAGE.format(rows="\n".join(_row(*row) for row in _ROWS))


def _row(path: str, vietnamese: str, english: str) -> str:
    shown = f"<code>{escape(path)}</code>"
    if path in _TO_OPEN:
        shown = f'<a href="{path.removeprefix("GET ")}">{shown}</a>'
    return f'<tr><td>{shown}</td><td>{vietnamese}</td><td lang="en">{english}</td></tr>'
