"""What the page of a refusal says in Vietnamese; the refusal itself says it in English."""

from collections.abc import Mapping
from types import MappingProxyType

SEE_ENGLISH = "Yêu cầu bị từ chối; lý do được ghi bằng tiếng Anh bên dưới."
IN_VIETNAMESE: Mapping[str, str] = MappingProxyType(
    {
        "SESSION_INVALID": "Bạn chưa đăng nhập, hoặc cổng không nhận ra phiên đăng nhập này. Hãy đăng nhập lại.",
        "SESSION_EXPIRED": "Phiên đăng nhập đã hết hạn. Hãy đăng nhập lại.",
        "LOGIN_UNKNOWN": "Lượt đăng nhập này không bắt đầu ở trình duyệt này, đã quá mười phút, hoặc đã dùng rồi. "
        "Hãy đăng nhập lại.",
        "LOGIN_DENIED": "Bạn không chấp thuận đăng nhập. Chưa có ai đăng nhập.",
        "LOGIN_REFUSED": "Hệ thống định danh không chấp nhận lượt đăng nhập. Hãy đăng nhập lại.",
        "ID_TOKEN_INVALID": "Thông tin đăng nhập nhận được không đáng tin nên bị từ chối. Hãy đăng nhập lại.",
        "IDENTITY_PROVIDER_UNAVAILABLE": "Hệ thống định danh không trả lời. Hãy thử lại sau ít phút.",
        "GATEWAY_UNAVAILABLE": "Trục liên thông không trả lời. Hãy thử lại sau ít phút.",
        "CONSENT_DENIED": "Chưa có sự đồng ý (bạn đã từ chối, bạn không có quyền trả lời, hoặc trẻ em và người đại "
        "diện chưa cùng đồng ý; mỗi người tự mở địa chỉ này) nên không dữ liệu nào được chia sẻ. Hồ sơ vẫn là bản "
        "nháp; có thể tự điền tờ khai.",
        "CITIZEN_MISMATCH": "Người quay lại không phải là người đã rời đi. Hãy đăng xuất ở hệ thống định danh rồi thử "
        "lại.",
        "DOSSIER_UNKNOWN": "Không có hồ sơ này, hoặc hồ sơ không phải của bạn.",
        "PAGE_UNKNOWN": "Địa chỉ này không có trang nào, hoặc không nhận cách gửi này. Hãy bắt đầu từ trang đầu.",
        "MESSAGE_TOO_LARGE": "Yêu cầu vừa gửi quá lớn; không trang nào ở đây cần nhiều dữ liệu như vậy.",
        "DATABASE_UNAVAILABLE": "Cổng hiện không dùng được cơ sở dữ liệu. Hãy thử lại sau ít phút.",
        "INTERNAL": "Cổng gặp lỗi không lường trước. Hãy thử lại.",
        "DOSSIER_NOT_DRAFT": "Hồ sơ đã được nộp nên không thay đổi được nữa.",
    }
)
