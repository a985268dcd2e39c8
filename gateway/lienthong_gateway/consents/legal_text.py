"""The legal text that a citizen is shown before she decides; what she approves names its version and its digest."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import rfc8785


@dataclass(frozen=True)
class LegalText:
    """One version. A text that was ever shown is never changed: a new wording is a new version."""

    version: str
    vi: str
    en: str

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON of `en`, `version` and `vi`, hex."""
        text = rfc8785.dumps({"version": self.version, "vi": self.vi, "en": self.en})
        return hashlib.sha256(text).hexdigest()


CURRENT = LegalText(
    version="2026-01-01",
    vi=(
        "Bạn tự nguyện quyết định. Sự đồng ý chỉ áp dụng cho đúng mục đích, bên khai thác, nhóm dữ liệu, thời hạn và "
        "số lần nêu trên; được lưu lại để kiểm chứng; có thể tạm dừng, và có thể rút lại bất cứ lúc nào tại trang Tài "
        "khoản. Nếu từ chối, không có dữ liệu nào được chia sẻ theo yêu cầu này. "
        "(Luật 91/2025/QH15, Điều 4 và 9; NĐ 356/2025/NĐ-CP, Điều 6.)"
    ),
    en=(
        "You decide freely. Your consent covers this purpose, this reader, these datasets, this period and this "
        "frequency alone; it is kept as evidence; you can pause it, and you can revoke it at any time, on the Account "
        "page. If you deny, nothing is shared on this request. "
        "(Law 91/2025/QH15, Art. 4 and 9; Decree 356/2025/NĐ-CP, Art. 6.)"
    ),
)
"""What is shown now: Law 91/2025 Art. 4 and 9 and NĐ 356/2025 Art. 6, in force since 2026-01-01 [R2]."""

LEGAL_TEXTS: Mapping[str, LegalText] = {text.version: text for text in (CURRENT,)}
"""Every version that was ever shown."""
